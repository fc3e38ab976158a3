"""Known sounds and tags that are newly used together, while each of them stays flat.

Both members are used every day of the stream. On the busiest day of their being together it makes
up `SHARE` of the uses of each: what grows is the pair, and no counter of a single signal sees it.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from trend.simulator.bursts import NONE, Burst, Uses, half_height
from trend.simulator.catalogue import Catalogue
from trend.simulator.draw import FloatArray, IntArray, distinct_by_weight, log_uniform
from trend.simulator.people import People
from trend.simulator.rhythm import DAY, EVERYWHERE, GRID_SECONDS, HOUR, Rhythm, draw_times
from trend.simulator.truth import TruthMember
from trend.simulator.words import LANGUAGES

SHARE: Final = 0.2
"""Uses together on the busiest day, over the other uses of each member a day."""
SMALLEST: Final = 60
LARGEST: Final = 160


def plant_pairs(
    rng: np.random.Generator, count: int, catalogue: Catalogue, people: People, rhythm: Rhythm
) -> list[Burst]:
    """Plant pairs of 60 to 160 reels: doubling in 8 to 30 h, with peaks from the fourth day on."""
    end = rhythm.seconds
    made = []
    for at in range(count):
        earliest = min(3.5 * DAY, 0.5 * end)
        peak = earliest + (at + rng.random()) / count * max(end - 0.5 * DAY - earliest, 0.0)
        doubling = log_uniform(rng, 8 * HOUR, 30 * HOUR)
        size = round(log_uniform(rng, SMALLEST, LARGEST))
        rate = rhythm.burst(EVERYWHERE, peak, doubling, doubling * rng.uniform(0.7, 1.5))
        rate[: int(max(0.0, peak - doubling * (np.log2(size) + 1)) // GRID_SECONDS)] = 0.0
        language = LANGUAGES[at % len(LANGUAGES)]
        sound, tag = catalogue.coin_sound(language), catalogue.coin_tag(language)
        uses = Uses(
            draw_times(rng, rate, size),
            rng.permutation(distinct_by_weight(rng, np.sqrt(people.in_region(EVERYWHERE)), size)),
            np.full(size, sound),
            np.full(size, tag),
            np.full(size, NONE),
        )
        members = (
            TruthMember(kind="sound", id=catalogue.sounds[sound].audio_id),
            TruthMember(kind="hashtag", id=catalogue.tags[tag]),
        )
        top = (int(np.argmax(rate)) + 0.5) * GRID_SECONDS
        half = half_height(rate / rhythm.wave[EVERYWHERE])
        made.append(
            Burst(f"pair-{at}", "pair", members, EVERYWHERE, top, doubling, sound, tag, uses, half)
        )
    return made


def use_steadily(
    rng: np.random.Generator,
    pairs: Sequence[Burst],
    time: FloatArray,
    free: np.ndarray[tuple[int], np.dtype[np.bool_]],
    sound: IntArray,
    tags: IntArray,
) -> None:
    """Write the members of pairs, each for itself, into `free` reels of the whole stream."""
    rows = np.flatnonzero(free)
    days = (time[-1] - time[0]) / DAY if time.size else 0.0
    for one in pairs:
        uses = np.sort(one.uses.time)
        busiest = int((uses.searchsorted(uses + DAY) - np.arange(uses.size)).max())
        counts = rng.poisson(busiest / SHARE * days, 2)
        sound[rng.choice(rows, counts[0])] = one.sound
        tags[rng.choice(rows, counts[1]), 1] = one.tag
