"""What a reel looks like: the mean of its key frames in the space of a CLIP model.

Frames are made ready exactly as open_clip makes pictures ready: the shorter side to 224 pixels by
Pillow's bicubic filter, the centre of that, from 0 to 1, less the mean, through the deviation of
each channel. While the model works on one batch threads make the next one ready.
"""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from extractors.media import F32, U8, Failed, Fields, Media, MissingError
from extractors.models import Card
from extractors.runtime import Session
from schemas.reels import Embedding

SMALLEST: Final = 1e-6
"""Length under which a vector points nowhere."""
LONGEST: Final = 16
"""Times as long as wide; what lies further from the middle is cut off before all else."""


class Preparation:
    """Makes frames ready for a CLIP model.

    Args:
        card: of the model; size in pixels, mean and deviation of the channels.

    Raises `MissingError` without Pillow.
    """

    def __init__(self, card: Card) -> None:
        try:
            from PIL import Image
        except ImportError:
            raise MissingError(
                "needs the package pillow: pip install 'groundswell[visual]'"
            ) from None
        self._image = Image
        self.size = card.size
        bytes_ = np.arange(256, dtype=np.float32) / np.float32(255)
        self._levels = [
            (bytes_ - np.float32(mean)) / np.float32(std)
            for mean, std in zip(card.mean, card.std, strict=True)
        ]

    def __call__(self, frame: U8, to: npt.NDArray[Any]) -> None:
        """Write a frame, uint8 [height, width, 3] RGB, to float32 or float16 [3, size, size]."""
        frame = _central(frame)
        height, width = frame.shape[:2]
        tall, wide = (
            (self.size, int(self.size * width / height))
            if height <= width
            else (int(self.size * height / width), self.size)
        )
        seen = frame
        if min(height, width) != self.size:
            image = self._image.fromarray(np.ascontiguousarray(frame))
            seen = np.asarray(image.resize((wide, tall), self._image.Resampling.BICUBIC))
        top, left = round((tall - self.size) / 2), round((wide - self.size) / 2)
        seen = seen[top : top + self.size, left : left + self.size]
        for channel, levels in enumerate(self._levels):
            to[channel] = levels[seen[..., channel]]


def _central(frame: U8) -> U8:
    """The middle of a picture that is so long that only that is seen of it."""
    height, width = frame.shape[:2]
    top, left = max(0, height - LONGEST * width) // 2, max(0, width - LONGEST * height) // 2
    return frame[top : height - top, left : width - left]


def embed(
    session: Session, prepare: Preparation, frames: Sequence[U8], pool: ThreadPoolExecutor
) -> F32:
    """Return float32 [n, width], of unit length, of frames of any sizes.

    Raises `extractors.runtime.ModelError`.
    """
    found = [np.empty((0, session.width), np.float32)]
    starts = range(0, len(frames), session.batch)
    ready = _started(session, prepare, frames, 0, pool)
    for turn, start in enumerate(starts):
        for one in ready:
            one.result()
        ready = _started(session, prepare, frames, turn + 1, pool)
        try:
            found.append(session.run(turn % 2, min(session.batch, len(frames) - start)))
        except Exception:
            for one in ready:
                one.exception()  # they write to a buffer of the session
            raise
    return unit(np.concatenate(found))


def _started(
    session: Session,
    prepare: Preparation,
    frames: Sequence[U8],
    turn: int,
    pool: ThreadPoolExecutor,
) -> list[Future[None]]:
    slot = session.slots[turn % 2]
    some = frames[turn * session.batch : (turn + 1) * session.batch]
    return [pool.submit(prepare, frame, slot[row]) for row, frame in enumerate(some)]


def unit(vectors: F32) -> F32:
    """Vectors, float32 [n, width], made of length one; those that point nowhere become zeros.

    >>> unit(np.array([[3, 4], [0, 0]], np.float32)).tolist()
    [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(lengths > SMALLEST, vectors / np.maximum(lengths, SMALLEST), 0).astype(
        np.float32
    )


class Visual:
    """Gives reels an `embedding`: an extractor.

    Args:
        session: the image tower.
        card: of the model.
        model: its name, which embeddings carry; only those of one model can be compared.
        threads: that make frames ready; 0: one a core.
        max_batch: reels at once.
        max_wait_s: seconds that the first reel of a batch waits for others.
    """

    name = "visual"
    gives = frozenset({"embedding"})
    needs = frozenset({"frames"})

    def __init__(
        self,
        session: Session,
        card: Card,
        model: str,
        *,
        threads: int = 0,
        max_batch: int = 8,
        max_wait_s: float = 0.2,
    ) -> None:
        self.max_batch, self.max_wait_s = max_batch, max_wait_s
        self._session, self._model = session, model
        self._prepare = Preparation(card)
        self._pool = ThreadPoolExecutor(threads or os.cpu_count(), thread_name_prefix="frames")

    def extract(self, media: Sequence[Media]) -> Sequence[Fields | Failed]:
        """Return the embedding of each reel.

        Raises `extractors.runtime.ModelError`, which names the model and its input.
        """
        frames = [frame for one in media for frame in one.frames]
        vectors = embed(self._session, self._prepare, frames, self._pool)
        return [*self._pooled(media, vectors)]

    def _pooled(self, media: Sequence[Media], vectors: F32) -> Iterator[Fields | Failed]:
        start = 0
        for one in media:
            own = vectors[start : start + len(one.frames)]
            start += len(one.frames)
            if not len(own):
                yield {}
                continue
            mean = unit(own.mean(axis=0, keepdims=True))[0]
            if not mean.any():
                yield Failed("nowhere", "its frames have no direction in common")
                continue
            yield {"embedding": Embedding(model=self._model, f16=mean.astype("<f2").tobytes())}

    def close(self) -> None:
        """Let go of the threads and the model."""
        self._pool.shutdown()
        self._session.close()
