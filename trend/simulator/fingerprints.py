"""Sounds as they are heard: each use with a fingerprint of its own.

A fingerprint is Chromaprint's: 32 bits about eight times a second, each bit mostly the one before
it. A use is a part of its sound in which some of the bits are others, up to one in ten: more of
them where the sound is quiet, in the same places for all uses.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from trend.acoustics.chromaprint import U32
from trend.simulator.catalogue import Catalogue
from trend.simulator.draw import FloatArray, generator
from trend.simulator.truth import Distraction, Planted, Truth, TruthMember

ITEMS: Final = (160, 480)
"""Of a sound, at least and at most: 20 to 60 s."""
PART: Final = 0.6
"""Of its sound that a use has at least."""
MOST_NOISE: Final = 0.1
"""Share of the bits that a use has otherwise."""
_CHANGED: Final = 0.12
"""Share of the bits that change from one item to the next."""


class Fingerprints:
    """Fingerprints of the uses of sounds; the same sound and reel give the same.

    >>> heard = Fingerprints(seed=1).of("sound-7", reel=3)
    >>> heard.dtype, 96 <= heard.size <= 480
    (dtype('uint32'), True)
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._sounds: dict[str, tuple[U32, FloatArray]] = {}

    def of(self, sound: str, reel: int) -> U32:
        """Return the items of a reel that uses a sound, uint32[n]."""
        if sound not in self._sounds:
            self._sounds[sound] = self._sound(sound)
        return self._use(*self._sounds[sound], reel)

    def once(self, reel: int) -> U32:
        """Return the items of a reel whose sound no other has."""
        return self._use(*self._sound(f"of reel {reel}"), reel)

    def _sound(self, name: str) -> tuple[U32, FloatArray]:
        """The items of a sound, and how easily each gets other bits (1 on average)."""
        rng = generator(self._seed, f"fingerprint of {name}")
        size = int(rng.integers(ITEMS[0], ITEMS[1] + 1))
        changes = _bits(rng, np.full(size, _CHANGED))
        changes[0] = rng.integers(0, 1 << 32, dtype=np.uint32)
        return np.bitwise_xor.accumulate(changes), rng.exponential(1.0, size)

    def _use(self, items: U32, weak: FloatArray, reel: int) -> U32:
        rng = np.random.default_rng((self._seed, reel))
        size = int(rng.uniform(PART, 1.0) * items.size)
        begin = int(rng.integers(0, items.size - size + 1))
        part = slice(begin, begin + size)
        noise = np.minimum(rng.uniform(0, MOST_NOISE) * weak[part], 0.5)
        return items[part] ^ _bits(rng, noise)


def _bits(rng: np.random.Generator, share: FloatArray) -> U32:
    """Return items with a share of their bits set, uint32[n], from a share for each, float64[n]."""
    drawn = rng.random((share.size, 32), np.float32) < share[:, None]
    return np.packbits(drawn, axis=1).view(">u4").astype(np.uint32).ravel()


def told_by_name(truth: Truth, catalogue: Catalogue) -> Truth:
    """Return an answer key whose sounds go by title and artist: they have no ids."""
    names = {sound.audio_id: f"{sound.title} – {sound.artist}" for sound in catalogue.sounds}

    def renamed(members: tuple[TruthMember, ...]) -> tuple[TruthMember, ...]:
        return tuple(
            replace(one, id=names[one.id]) if one.kind == "sound" else one for one in members
        )

    def of(one: Planted) -> Planted:
        return replace(one, members=renamed(one.members))

    def distracting(one: Distraction) -> Distraction:
        return replace(one, members=renamed(one.members))

    return replace(
        truth,
        trends=tuple(map(of, truth.trends)),
        fizzles=tuple(map(distracting, truth.fizzles)),
        spam=tuple(map(distracting, truth.spam)),
    )
