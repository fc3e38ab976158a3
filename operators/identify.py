"""The steps that give a reel's sound its id.

First the id is the one that the platform names. Then the reels of which it is known how they sound
wait (`operators.waiting`) to be compared with what was heard before (`trend.acoustics.hearing`):
who has the sound of an earlier reel gets the id that this one got. A sound that is new keeps the
platform's id or, without one, gets an id made of what is heard.

Two sounds can prove to be one: a reel is both. The older id stays. The last day's reels of the
other, if it is not older itself, then count again with the id that stays, as reels do that come
again with something new to them.
"""

import hashlib
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from operators.aliases import Log, again
from operators.blocks import Fresh
from operators.heard import Heard
from operators.metrics import LIMIT, SOUNDS, SOUNDS_EVICTED, SOUNDS_MERGED, USED, Sizes
from operators.reels import ARTIST, AUDIO_ID, TITLE
from operators.routing import key_at
from operators.waiting import as_one
from trend.acoustics.chromaprint import U32
from trend.acoustics.hearing import Hearing
from trend.acoustics.peaks import Peaks, pack
from trend.sounds import are_named

HEARD: Final = "\0sounds"
"""The partition of reels that were identified by their sound: no file or topic is called so."""
HEARD_KEY: Final = key_at("sounds", 0)
SPARE: Final = 1000
"""Sounds without a recording that are kept, beside as many as have one."""


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
    log_ticks: int
    """How long the reels of a young sound are remembered, and a sound is young."""
    log_reels: int
    """Reels that are remembered at most."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What a sound is called, and since when it is known."""

    id: bytes
    title: bytes | None
    artist: bytes | None
    born: int  # tick


class Sounds:
    """The sounds of the stream; an `operators.waiting.Identifier`."""

    def __init__(self, settings: SoundSettings) -> None:
        self._settings = settings
        self._hearing = Hearing(settings.memory_bytes)
        self._sounds: list[Sound] = []
        """By number: the oldest first."""
        self._log = Log(settings.log_ticks, settings.log_reels)
        self._evicted = 0
        self._merged = 0

    def identify(self, tick: int, fresh: Fresh, features: Heard) -> Fresh:
        """Return reels of a tick with the ids of their sounds, and those to count again."""
        self._log.forget(tick)
        texts = [fresh.reels.texts(name) for name in ("audio_id", "title", "artist")]
        numbers = np.empty(len(fresh.reels), np.int64)
        merged: list[tuple[int, int]] = []
        for row, named in enumerate(zip(*texts, strict=True)):
            items, peaks = features.items[row], features.peaks(row)
            numbers[row] = self._sound(tick, items, peaks, named, merged)
        for ended, into in merged:
            numbers[numbers == ended] = into
        parts = [self._count_again(tick, *pair) for pair in merged]
        ids = [self._sounds[number].id for number in numbers.tolist()]
        own = replace(fresh, reels=fresh.reels.with_texts(AUDIO_ID, ids))
        born = np.array([self._sounds[number].born for number in numbers.tolist()], np.int64)
        self._log.add(tick, own, numbers, born)
        if self._hearing.full() or len(self._sounds) > 2 * len(self._hearing) + SPARE:
            self._shrink()
        return as_one([own, *parts], own.partition, own.closed, own.end) if parts else own

    def sizes(self) -> Sizes:
        """How full it is."""
        return {
            (SOUNDS, ()): len(self._sounds),
            (SOUNDS_EVICTED, ()): self._evicted,
            (SOUNDS_MERGED, ()): self._merged,
            (USED, ("sounds",)): self._hearing.memory(),
            (LIMIT, ("sounds",)): self._settings.memory_bytes,
            (USED, ("sound-reels",)): len(self._log),
            (LIMIT, ("sound-reels",)): self._settings.log_reels,
        }

    def _sound(
        self,
        tick: int,
        items: U32,
        peaks: Peaks,
        named: tuple[str | None, ...],
        merged: list[tuple[int, int]],
    ) -> int:
        """Return the number of a reel's sound, and note which sounds it showed to be one."""
        heard = self._hearing.hear(items, peaks)
        if heard.sounds:
            number, *others = heard.sounds
        else:
            number, others = len(self._sounds), []
            name, title, artist = [None if text is None else text.encode() for text in named]
            self._sounds.append(Sound(name or sound_id(items, peaks), title, artist, tick))
        self._hearing.learn(heard, items, peaks, number)
        for ended in others:
            self._hearing.merge(ended, number)
            merged.append((ended, number))
        return number

    def _count_again(self, tick: int, ended: int, into: int) -> Fresh:
        self._merged += 1
        sound = self._sounds[into]
        texts = ((AUDIO_ID, sound.id), (TITLE, sound.title), (ARTIST, sound.artist))
        return again(self._log.renamed(ended, into), tick, dict(texts))

    def _shrink(self) -> None:
        """Let recordings go, and the sounds that have none then."""
        if self._hearing.full():
            self._evicted += self._hearing.shrink()
        kept = self._hearing.sounds()
        self._hearing.renumber(kept)
        self._log.renumber(kept)
        self._sounds = [self._sounds[number] for number in kept.tolist()]


def sound_id(items: U32, peaks: Peaks) -> bytes:
    """Return the id of a sound by its peaks or, without these, its fingerprint.

    It is `s-` and 16 hex digits, the same that `groundswell sound` gives these peaks.
    """
    heard = pack(peaks) if peaks.time.size else items
    data = heard.astype("<u4").tobytes()
    return b"s-" + hashlib.blake2b(data, digest_size=8).hexdigest().encode()
