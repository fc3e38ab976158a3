"""What people said of trends, as `operators.synthesise` takes it: each word at its event time."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import msgspec

from schemas.feedback import Said, Verdict

_COUNTS: Final[dict[Verdict, tuple[int, int]]] = {"real": (1, 0), "noise": (0, 1), "none": (0, 0)}


@dataclass(frozen=True, slots=True)
class Word:
    """What one word changes."""

    at_s: int
    """How far the stream was when it was said: it counts in ticks that end after that."""
    trend_id: str
    real: int
    """How many more people call the trend real than before: 1, 0 or -1."""
    noise: int


def words_of(lines: Iterable[bytes]) -> list[Word]:
    """Return what is said by lines of `Said`, in their order.

    What the first lines say stays the same when others follow. The last word of each person on a
    trend counts. A line that cannot be read is passed over, and so is one that does not say when.
    """
    decoder = msgspec.json.Decoder(Said)
    last: dict[tuple[str, str], Verdict] = {}
    words = []
    for line in lines:
        try:
            said = decoder.decode(line)
        except msgspec.DecodeError:
            continue
        when = said.event_time or said.at
        if when is None:
            continue
        key = said.trend_id, said.by
        before, now = _COUNTS[last.get(key, "none")], _COUNTS[said.verdict]
        last[key] = said.verdict
        if before != now:
            real, noise = now[0] - before[0], now[1] - before[1]
            words.append(Word(math.floor(when.timestamp()), said.trend_id, real, noise))
    return words
