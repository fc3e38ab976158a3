"""The steps that give a reel's sound its id.

First the id is the one that the platform names. Then those of which it is known how they sound wait
(`operators.waiting`) to be compared with what was heard before: who has the sound of an earlier
reel gets the id that this one got. A sound that is new keeps the platform's id, or, without one,
gets an id made of what is heard.
"""

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from operators.blocks import Fresh
from operators.heard import Heard
from operators.metrics import LIMIT, SOUNDS, SOUNDS_EVICTED, USED, Sizes
from operators.reels import AUDIO_ID
from operators.routing import key_at
from trend.acoustics.chromaprint import U32
from trend.acoustics.reuploads import Reupload, Reuploads
from trend.sounds import are_named

HEARD = "\0sounds"
"""The partition of reels that were identified by their sound: no file or topic is called so."""
HEARD_KEY = key_at("sounds", 0)

COVERED = 0.5
"""Share of a reel's sound that must be the known one."""
KEPT = 0.875
"""Share of the memory that is full after those used least went."""


def identify(fresh: Fresh) -> Fresh:
    """The same reels with `audio_id` the id of the sound, null where there is none.

    An id of nothing but white space, or with the U+001F that ends an id in a label, names no sound.
    """
    reels = fresh.reels
    named = are_named(reels.data, reels.starts, reels.lengths, AUDIO_ID)
    unnamed = ~named & (reels.lengths[:, AUDIO_ID] >= 0)
    if not unnamed.any():
        return fresh
    changed = reels.lengths.copy()
    changed[unnamed, AUDIO_ID] = -1
    return replace(fresh, reels=replace(reels, lengths=changed))


@dataclass(frozen=True, slots=True)
class SoundSettings:
    """What the sounds of the stream may take."""

    memory_bytes: int


class Sounds:
    """The sounds of the stream; an `operators.waiting.Identifier`."""

    def __init__(self, settings: SoundSettings) -> None:
        self._settings = settings
        self._uploads = Reuploads()
        self._ids: list[bytes] = []
        """By the number of the recording."""
        self._uses = np.zeros(0, np.int64)
        self._last = np.zeros(0, np.int64)
        """Tick of the last use."""
        self._evicted = 0

    def identify(self, tick: int, fresh: Fresh, features: Heard) -> Fresh:
        """Return reels of a tick with the ids of their sounds."""
        named = fresh.reels.texts("audio_id")
        ids = [self._id(tick, features.items[row], name) for row, name in enumerate(named)]
        if self._uploads.memory() > self._settings.memory_bytes:
            self._evict()
        return replace(fresh, reels=fresh.reels.with_texts(AUDIO_ID, ids))

    def sizes(self) -> Sizes:
        """How full it is."""
        return {
            (SOUNDS, ()): len(self._ids),
            (SOUNDS_EVICTED, ()): self._evicted,
            (USED, ("sounds",)): self._uploads.memory(),
            (LIMIT, ("sounds",)): self._settings.memory_bytes,
        }

    def _id(self, tick: int, items: U32, name: str | None) -> bytes:
        found = self._uploads.match(items)
        if found is None or not self._covers(found, items):
            return self._new(tick, items, name)
        self._use(found.sound, tick)
        return self._ids[found.sound]

    def _covers(self, found: Reupload, items: U32) -> bool:
        end = min(found.begin + items.size, self._uploads.size(found.sound))
        return end - max(found.begin, 0) >= COVERED * items.size

    def _new(self, tick: int, items: U32, name: str | None) -> bytes:
        number = self._uploads.add(items)
        self._ids.append(name.encode() if name is not None else sound_id(items))
        if number >= self._uses.size:
            more = np.zeros(max(1024, number // 2), np.int64)
            self._uses, self._last = np.append(self._uses, more), np.append(self._last, more)
        self._uses[number] = 0
        self._use(number, tick)
        return self._ids[number]

    def _use(self, number: int, tick: int) -> None:
        self._uses[number] += 1
        self._last[number] = tick

    def _evict(self) -> None:
        """Let recordings go until an eighth of the memory is free: those of least use, or old."""
        numbers = np.arange(len(self._uploads))
        uses, last = self._uses[: numbers.size], self._last[: numbers.size]
        order = np.lexsort((-numbers, -last, -uses))
        kept = np.sort(self._uploads.fitting(order, int(KEPT * self._settings.memory_bytes)))
        self._uploads = self._uploads.only(kept)
        self._ids = [self._ids[number] for number in kept.tolist()]
        self._uses, self._last = uses[kept] // 2, last[kept]
        self._evicted += numbers.size - kept.size


def sound_id(items: npt.NDArray[np.uint32]) -> bytes:
    """Return the id of a sound by its fingerprint: `s-` and 16 hex digits."""
    data = items.astype("<u4").tobytes()
    return b"s-" + hashlib.blake2b(data, digest_size=8).hexdigest().encode()
