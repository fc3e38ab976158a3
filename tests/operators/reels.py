"""Reels for tests: from what is unusual of each, and back; and the hashes of texts."""

from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from operators.reels import NUMBERS, TEXTS, Reels
from operators.strings import Strings
from schemas.reels import Audio, Reel
from trend.hashing import hash_slices


def reels_of(rows: Sequence[Mapping[str, Any]]) -> Reels:
    """Reels with the texts, numbers, `hashtags` and `time` given; what is not given is null."""
    data = bytearray(b"no text begins at 0")

    def put(text: str | None) -> tuple[int, int]:
        start = len(data)
        data.extend((text or "").encode())
        return start, -1 if text is None else len(data) - start

    texts = [put(row.get(name)) for row in rows for name in TEXTS]
    tags = [put(tag) for row in rows for tag in row.get("hashtags") or ()]
    counts = np.array([len(row.get("hashtags") or ()) for row in rows], np.int32)
    columns = np.array(texts, np.int32).reshape(len(rows), len(TEXTS), 2)
    lists = np.array(tags, np.int32).reshape(-1, 2)
    return Reels(
        np.frombuffer(data, np.uint8),
        columns[:, :, 0].copy(),
        columns[:, :, 1].copy(),
        np.array([row.get("time", 0) for row in rows], np.int64),
        np.array([row.get(name, -1) for row in rows for name in NUMBERS], np.int64).reshape(
            len(rows), len(NUMBERS)
        ),
        (np.cumsum(counts) - counts).astype(np.int32),
        counts,
        lists[:, 0].copy(),
        lists[:, 1].copy(),
    )


def rows_of(reels: Reels) -> list[dict[str, Any]]:
    """What `reels_of` takes, with everything in it."""
    starts, lengths, bounds = reels.tags()
    tags = [
        reels.data[start : start + length].tobytes().decode()
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
    ]
    texts = {name: reels.texts(name) for name in TEXTS}
    return [
        {name: texts[name][i] for name in TEXTS}
        | dict(zip(NUMBERS, reels.numbers[i].tolist(), strict=True))
        | {"hashtags": tags[bounds[i] : bounds[i + 1]], "time": int(reels.time[i])}
        for i in range(len(reels))
    ]


def texts_of(reels: Reels, name: str) -> list[str | bytes | None]:
    """What a text column holds, base64 undone."""
    texts = reels.texts(name)
    if name not in ("landmarks", "embedding"):
        return [*texts]
    return [text if text is None else b64decode(text) for text in texts]


def text_of(reel: Reel, name: str) -> str | bytes | None:
    """The same of a reel that msgspec read."""
    look = reel.embedding
    if name in ("model", "embedding"):
        return None if look is None else look.model if name == "model" else look.f16
    sound = reel.audio or Audio()
    if name == "landmarks":
        return sound.landmarks.data if sound.landmarks else None
    of_sound = ("audio_id", "title", "artist", "fingerprint")
    text: str | None = getattr(sound if name in of_sound else reel, name)
    return text


def hashes(texts: Iterable[str], seed: int = 0) -> npt.NDArray[np.uint64]:
    """`trend.hashing.hash_slices` of each."""
    column = Strings.of(texts)
    return hash_slices(column.data, column.starts, column.lengths, np.uint64(seed))
