"""All rivals, and their alerts in a stream at thresholds of our choosing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np

from benchmarks.rivals import counting, models
from benchmarks.rivals.alerts import QUIET_DAYS, Crossings, Grouping, crossings, joined
from benchmarks.rivals.series import F64, MIN_AUTHORS, Series, counted
from benchmarks.rivals.uses import PAIR, Uses
from trend.evaluation import Alert
from trend.simulator.truth import TruthMember

CELLS: Final = 4_000_000
"""Signals scored at once, times ticks: their counts are dense."""
SILENT_DAYS: Final = 1
"""In which no rival alerts: without a day before, all is new to them."""
TIES: Final = 1e-9
"""Weight of a signal's authors of the day in its score: of equals the bigger comes first."""
CLOSE: Final = 0.02
"""How far alerts may be from those asked for, as a share."""


@dataclass(frozen=True, slots=True)
class Rival:
    """A score, and the window in hours that it was best with on a stream of its own."""

    score: Callable[[Series, int], F64]
    window_h: int
    pairs: bool = False


RIVALS: Final = {
    "moving average, 3 d over 14 d": Rival(counting.moving_average, 24),
    "SigniTrend, with pairs": Rival(counting.signitrend, 12, pairs=True),
    "Poisson (Gnip)": Rival(counting.poisson, 12),
    "chi-square on accounts (Mastodon)": Rival(counting.mastodon, 12),
    "bursts (Kleinberg)": Rival(counting.kleinberg, 12),
    "S-H-ESD": Rival(counting.s_h_esd, 6),
    "GaussianScorer (river)": Rival(models.gaussian_scorer, 1),
    "HalfSpaceTrees (river)": Rival(models.half_space_trees, 1),
    "ADWIN (river)": Rival(models.adwin, 1),
    "PageHinkley (river)": Rival(models.page_hinkley, 1),
    "top by volume": Rival(counting.top, 24),
    "random": Rival(counting.at_random, 24),
}


class Stream:
    """A stream as all rivals see it."""

    def __init__(self, uses: Uses, min_authors: int = MIN_AUTHORS) -> None:
        self.uses = uses
        self.counted = counted(uses, min_authors)
        self._grouping = Grouping(uses)

    def crossings(self, rival: Rival) -> Crossings:
        """Where a rival's score rises, of the signals that it looks at."""
        whole, day = self.counted, self.uses.day
        parts = []
        many = max(CELLS // self.uses.ticks, 1)
        for first in range(0, whole.signals.size, many):
            part = whole.part(slice(first, first + many))
            eligible = part.eligible(whole.authors)
            if not rival.pairs:
                eligible &= (part.kind != PAIR)[:, None]
            scores = rival.score(part, rival.window_h * part.hour)
            scores = np.where(scores > 0, scores + TIES * part.sums(day), scores)
            found = crossings(part.signals, scores, eligible, SILENT_DAYS * day, QUIET_DAYS * day)
            parts.append(found)
        return joined(parts)

    def alerts(self, found: Crossings, wanted: int) -> list[Alert]:
        """As many alerts as a threshold makes, and not more than so many, each on something new."""
        best: list[tuple[int, int]] = []
        most = (1 + CLOSE) * wanted
        low, high, raw = 0, found.signal.size, wanted
        while low < high:
            signals, ticks = found.at(found.threshold(raw))
            told = self._grouping.alerts(signals, ticks)
            if len(best) <= len(told) <= most:
                best = told
            if (1 - CLOSE) * wanted <= len(told) <= most:
                break
            if len(told) < wanted and signals.size < raw:
                break  # there are no more
            if len(told) < wanted:
                low = raw + 1
            else:
                high = raw
            guess = round(raw * wanted / max(len(told), 1))
            raw = min(max(guess, low), max(high - 1, low)) if guess != raw else (low + high) // 2
        return [self._alert(signal, tick) for signal, tick in best]

    def _alert(self, signal: int, tick: int) -> Alert:
        uses = self.uses
        return Alert(
            trend_id=f"{tick}-{signal}",
            event_time=datetime.fromtimestamp((uses.start + tick + 1) * uses.tick_seconds, UTC),
            members=tuple(TruthMember(kind=kind, id=name) for kind, name in uses.names[signal]),
        )


def told(stream: Stream, wanted: Sequence[int]) -> Iterator[tuple[str, list[list[Alert]]]]:
    """Give the alerts of each rival for each number of alerts wanted."""
    for name, rival in RIVALS.items():
        found = stream.crossings(rival)
        yield name, [stream.alerts(found, many) for many in wanted]


class Reach:
    """How many reels of a planted trend had come by some time."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses
        single = np.flatnonzero(uses.kind != PAIR).tolist()
        self._rows = {uses.names[row][0]: row for row in single}

    def reels(self, members: Sequence[TruthMember], kind: str, since: datetime, h: float) -> int:
        """Reels with one of the members, of a pair with both, from `since` for so many hours."""
        uses = self._uses
        first = int(since.timestamp()) // uses.tick_seconds - uses.start
        stop = first + round(h * uses.day / 24)
        sets = []
        for member in members:
            row = self._rows.get((member.kind, member.id))
            if row is not None:
                at = slice(*uses.bounds[row : row + 2].tolist())
                ticks = uses.tick[at]
                sets.append(uses.reel[at][(ticks >= first) & (ticks <= stop)])
        if not sets:
            return 0
        if kind == "pair":
            both = sets[0] if len(sets) > 1 else sets[0][:0]
            for other in sets[1:]:
                both = np.intersect1d(both, other)
            return int(np.unique(both).size)
        return int(np.unique(np.concatenate(sets)).size)
