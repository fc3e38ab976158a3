"""What reels look like: embeddings in a narrow cone, as those of CLIP are.

Most ordinary reels look like nothing else. The others have one of some standing looks, which drift
from day to day. Of what rises, some is nothing but a look: people film the same thing, with sounds
and hashtags of their own. Challenges have a look beside their sound and hashtag, and crews of
spammers post nearly the same picture.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from trend.simulator.bursts import NONE, Burst, Uses, half_height
from trend.simulator.draw import (
    FloatArray,
    IntArray,
    by_weight,
    distinct_by_weight,
    log_uniform,
    zipf_weights,
)
from trend.simulator.people import People
from trend.simulator.rhythm import DAY, EVERYWHERE, GRID_SECONDS, HOUR, Rhythm, draw_times
from trend.simulator.truth import TruthMember

STANDING: Final = 60
"""Looks that there are all the time."""
ORDINARY: Final = 0.35
"""Share of ordinary reels with one of them."""
EMBEDDED: Final = 0.95
"""Share of reels with an embedding."""
ALIKE: Final = 0.9
"""Cosine of a reel with the middle of its look."""
COPIED: Final = 0.985
"""The same within a crew."""
DRIFT: Final = 0.15
"""How far a look moves a day, as a share of how far looks are apart."""
KEPT: Final = 0.8
"""Share of a challenge's reels that look like it."""
SMALLEST: Final = 80
LARGEST_FIZZLE: Final = 50
UNSEEN: Final = -2
"""Look of a reel without an embedding; NONE is that of one that looks like nothing else."""
BLOCK: Final = 4096


def plant_looks(
    rng: np.random.Generator, count: int, reels_per_day: int, people: People, rhythm: Rhythm
) -> list[Burst]:
    """Plant trends that are nothing but a look: of 80 reels to a tenth of a day's.

    They double in 3 to 36 hours, and peak from the second day on.
    """
    end = rhythm.seconds
    largest = max(SMALLEST, reels_per_day // 10)
    made = []
    for at in range(count):
        earliest = min(1.5 * DAY, 0.4 * end)
        peak = earliest + (at + rng.random()) / count * max(end - 0.4 * DAY - earliest, 0.0)
        doubling = log_uniform(rng, 3 * HOUR, min(36 * HOUR, peak / 4))
        size = round(log_uniform(rng, SMALLEST, largest))
        halving = doubling * rng.uniform(0.7, 2.0)
        made.append(_burst(rng, f"look-{at}", size, peak, doubling, halving, people, rhythm))
    return made


def plant_fizzles(
    rng: np.random.Generator, count: int, people: People, rhythm: Rhythm
) -> list[Burst]:
    """Make looks that a few people share for a while: 5 to 50 reels, heavy-tailed."""
    made = []
    for at in range(count):
        size = min(LARGEST_FIZZLE, int(5 * (1 - rng.random()) ** (-1 / 1.1)))
        peak = rng.uniform(0.02, 0.98) * rhythm.seconds
        doubling = log_uniform(rng, 0.7 * HOUR, 8 * HOUR)
        halving = doubling * rng.uniform(0.3, 1.0)
        made.append(_burst(rng, f"fizzle-look-{at}", size, peak, doubling, halving, people, rhythm))
    return made


def _burst(
    rng: np.random.Generator,
    key: str,
    size: int,
    peak: float,
    doubling: float,
    halving: float,
    people: People,
    rhythm: Rhythm,
) -> Burst:
    rate = rhythm.burst(EVERYWHERE, peak, doubling, halving)
    rate[: int(max(0.0, peak - doubling * (np.log2(size) + 1)) // GRID_SECONDS)] = 0.0
    none = np.full(size, NONE)
    author = distinct_by_weight(rng, np.sqrt(people.in_region(EVERYWHERE)), size)
    uses = Uses(draw_times(rng, rate, size), rng.permutation(author), none, none, none)
    top = (int(np.argmax(rate)) + 0.5) * GRID_SECONDS
    half = half_height(rate / rhythm.wave[EVERYWHERE])
    return Burst(key, "format", (), EVERYWHERE, top, doubling, NONE, NONE, uses, half)


def with_looks(rng: np.random.Generator, bursts: Sequence[Burst]) -> tuple[Burst, ...]:
    """Give each burst that has one its look, which is then a member of it.

    Those are: all that are nothing else, all challenges that are trends, half of those that fizzle,
    and all crews.
    """
    made = []
    look = STANDING
    for one in bursts:
        challenge = one.kind == "challenge" and (
            one.key.startswith(("trend", "spam")) or rng.random() < 0.5
        )
        if one.kind == "format" or challenge:
            member = TruthMember(kind="format", id=f"look-{look}")
            made.append(replace(one, members=(*one.members, member), look=look))
            look += 1
        else:
            made.append(one)
    return tuple(made)


def choose_looks(rng: np.random.Generator, bursts: Sequence[Burst], burst: IntArray) -> IntArray:
    """Choose the look of each reel; `burst` is the index of the burst that it belongs to."""
    size = len(burst)
    look = np.full(size, NONE)
    standing = by_weight(rng, zipf_weights(STANDING, 0.8), size)
    ordinary = rng.random(size) < ORDINARY
    look[ordinary] = standing[ordinary]
    of = np.array([*(one.look for one in bursts), NONE])[burst]
    loose = np.array([*(one.kind == "challenge" and not one.uses.alone for one in bursts), False])
    follows = (of != NONE) & (~loose[burst] | (rng.random(size) < KEPT))
    look[follows] = of[follows]
    look[rng.random(size) >= EMBEDDED] = UNSEEN
    return look


@dataclass(frozen=True, slots=True)
class Embeddings:
    """The embeddings of reels.

    Parameters
    ----------
    seed: of the draws.
    dimensions: 8 to 4,096.
    time: int64 [n], whole seconds from the start, rising.
    look: int64 [n].
    copied: the looks of crews.
    """

    rng: np.random.Generator
    dimensions: int
    time: IntArray
    look: IntArray
    copied: frozenset[int]

    def blocks(self) -> Iterator[npt.NDArray[np.float16]]:
        """Give them in the order of the reels, (at most `BLOCK`, dimensions), of unit length."""
        rng = self.rng
        spread = np.arange(1, self.dimensions + 1) ** -0.25
        spread /= np.linalg.norm(spread)
        axis = rng.standard_normal(self.dimensions)
        axis /= np.linalg.norm(axis)
        days = int(self.time.max(initial=0) // DAY) + 2
        looks = int(self.look.max(initial=0)) + 1
        steps = rng.standard_normal((looks, days, self.dimensions)).astype(np.float32) * spread
        steps[:, 1:] *= DRIFT
        paths = np.cumsum(steps, axis=1)
        paths /= np.linalg.norm(paths, axis=2, keepdims=True)
        off = np.sqrt(1 / np.array([ALIKE, COPIED]) ** 2 - 1)
        alike = np.array([int(one in self.copied) for one in range(looks)])
        for first in range(0, self.time.size, BLOCK):
            look = self.look[first : first + BLOCK]
            own = rng.standard_normal((look.size, self.dimensions)) * spread
            rows = np.flatnonzero(look >= 0)
            of = look[rows]
            day, part = np.divmod(self.time[first : first + BLOCK][rows] / DAY, 1.0)
            at = day.astype(np.int64)
            middle = paths[of, at] * (1 - part)[:, None] + paths[of, at + 1] * part[:, None]
            own[rows] = _unit(middle) + off[alike[of]][:, None] * own[rows]
            yield _unit(0.6 * axis + 0.8 * _unit(own)).astype(np.float16)


def _unit(vectors: FloatArray) -> FloatArray:
    scaled: FloatArray = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return scaled
