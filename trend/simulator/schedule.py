"""In which order the lines arrive: most as they were published, some late, some twice."""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from trend.simulator.draw import IntArray
from trend.simulator.rhythm import HOUR


class Line(IntEnum):
    """What a line says of its reel."""

    FIRST = 0  # for the first time
    SAME = 1  # again, to the byte
    METRICS = 2  # again, with newer numbers
    TRANSCRIPT = 3  # again, with what is said in it


@dataclass(frozen=True, slots=True)
class Schedule:
    """Lines in the order of their arrival.

    `reel` is the index of the line's reel, `line` a code of `Line`, `arrival` whole seconds from
    the start of the stream; `late` counts the reels that took a minute or more.
    """

    reel: IntArray
    line: IntArray
    arrival: IntArray
    late: int


def make_schedule(
    rng: np.random.Generator, published: IntArray, late: float, duplicates: float
) -> Schedule:
    """Send each reel some seconds after it was published, or late, and some of them again.

    A late one takes a minute to six hours (median 15 minutes); a copy comes after a minute to
    twelve hours (median one).
    """
    size = len(published)
    delay = rng.exponential(3.0, size)
    slow = rng.permutation(size)[: round(late * size)]
    delay[slow] = np.clip(rng.lognormal(np.log(900), 1.2, len(slow)), 60, 6 * HOUR)
    arrival = published + delay.astype(np.int64)
    again = rng.permutation(size)[: round(duplicates * size)]
    wait = np.clip(rng.lognormal(np.log(HOUR), 1.3, len(again)), 60, 12 * HOUR)

    reel = np.concatenate([np.arange(size), again])
    line = np.concatenate([np.full(size, Line.FIRST), rng.integers(1, len(Line), len(again))])
    arrival = np.concatenate([arrival, arrival[again] + wait.astype(np.int64)])
    order = np.argsort(arrival, kind="stable")
    return Schedule(reel[order], line[order], arrival[order], len(slow))
