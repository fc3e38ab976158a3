"""How good forecasts are: `python -m benchmarks.forecast`.

Each seed is another simulated stream. Every forecast of every revision is held against the reels
that then came: those of the member whose reels the revision's series is of (one that is of none of
them, of people who bring members together, is left out). Hours after the end of the stream do not
count. Prints, over all hours of all seeds and by stage and horizon:

- within: share of hours whose reels are in the interval, of those of which at least `BUSY` are
  forecast and of all (where hardly any come, nearly all are within: reels are whole);
- error: mean absolute error, over that of two forecasts that cost nothing: each hour as the last
  full one, and as the same hour a day before.
"""

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.quality import replay
from benchmarks.rivals.uses import Uses, read
from flows.settings import load
from flows.simulate import simulate_to
from schemas.trends import Trend, decode
from trend.simulator import SimulatorSettings

BUSY: Final = 5.0
HOUR: Final = 3600
UNLIKE: Final = 0.1
"""A member's reels that are further from the series than this share are not what it is of."""
HORIZONS: Final = ((1, 3), (4, 6), (7, 12), (13, 24))

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Hours:
    """n hours of which there was a forecast."""

    stage: npt.NDArray[np.str_]  # [n]
    ahead: npt.NDArray[np.int64]  # [n] hours
    forecast: F64  # [n, 3] reels, low, high
    came: F64  # [n] reels
    last: F64  # [n] of the last full hour
    yesterday: F64  # [n] of the same hour a day before


class Came:
    """Reels of each hour of a stream with a signal."""

    def __init__(self, uses: Uses) -> None:
        self._uses = uses
        self._place = {name[0]: at for at, name in enumerate(uses.names)}
        self.first = uses.start * uses.tick_seconds // HOUR
        self.hours = (uses.start + uses.ticks) * uses.tick_seconds // HOUR - self.first

    def reels(self, kind: str, name: str) -> F64 | None:
        """Return the reels of each hour, float64[hours]; None of an unknown signal."""
        at = self._place.get((kind, name))
        if at is None:
            return None
        uses = self._uses
        ticks = uses.tick[uses.bounds[at] : uses.bounds[at + 1]] + uses.start
        hour = ticks * uses.tick_seconds // HOUR - self.first
        return np.bincount(hour, minlength=self.hours)[: self.hours].astype(float)


def series_of(trend: Trend, came: Came) -> F64 | None:
    """Return the reels of each hour of the member that a revision's series is of, None of none."""
    now = int(trend.event_time.timestamp()) // HOUR
    told = {int(one.t.timestamp()) // HOUR: one.reels for one in trend.series}
    past = [hour for hour in told if came.first <= hour < now]
    reels = np.array([told[hour] for hour in past])
    best: tuple[float, F64] | None = None
    for member in trend.members:
        series = came.reels(member.kind, member.id)
        if series is None or not past:
            continue
        off = float(np.abs(series[np.array(past) - came.first] - reels).sum())
        if best is None or off < best[0]:
            best = off, series
    return best[1] if best and best[0] <= UNLIKE * reels.sum() + 2 else None


def hours_of(trends: list[Trend], came: Came) -> Iterator[Hours]:
    """Hold the forecasts of each revision against what came."""
    for trend in trends:
        series = series_of(trend, came)
        at = np.array([int(one.t.timestamp()) // HOUR - came.first for one in trend.forecast])
        seen = at < came.hours
        if series is None or not seen.any():
            continue
        full = int(trend.event_time.timestamp()) // HOUR - came.first
        before = at[seen] - 24
        told = [(one.reels, one.low, one.high) for one in trend.forecast]
        yield Hours(
            np.full(before.size, trend.stage),
            at[seen] - at[0] + 1,
            np.array(told)[seen],
            series[at[seen]],
            np.full(before.size, series[full - 1] if full else 0.0),
            np.where(before >= 0, series[np.maximum(before, 0)], 0.0),
        )


def forecasts(stream: SimulatorSettings) -> Iterator[Hours]:
    """Simulate a stream, find its trends, and return their forecasts beside what came."""
    with TemporaryDirectory(prefix="groundswell-") as folder:
        written = simulate_to(Path(folder), stream)
        file = Path(folder, "trends.jsonl")
        replay(written.reels_file, file, load())
        trends = [decode(line) for line in file.read_bytes().splitlines()]
        yield from hours_of(trends, Came(read(str(written.reels_file), pairs=False)))


def figures(hours: Hours, of: npt.NDArray[np.bool]) -> dict[str, float]:
    """Return the figures of some of the hours."""
    middle, low, high = hours.forecast[of].T
    came = hours.came[of]
    within, busy = (low <= came) & (came <= high), middle >= BUSY
    error = np.abs(came - middle).mean()
    return {
        "hours": int(of.sum()),
        "within": float(within[busy].mean()) if busy.any() else float("nan"),
        "within_all": float(within.mean()),
        "error": float(error),
        "over_last": float(error / np.abs(came - hours.last[of]).mean()),
        "over_yesterday": float(error / np.abs(came - hours.yesterday[of]).mean()),
    }


def report(hours: Hours) -> dict[str, dict[str, float]]:
    """Return the figures of all hours, by stage and by horizon."""
    groups = {"all": np.ones(hours.came.size, np.bool)}
    groups |= {stage: hours.stage == stage for stage in np.unique(hours.stage).tolist()}
    for first, last in HORIZONS:
        groups[f"{first} to {last} h"] = (first <= hours.ahead) & (hours.ahead <= last)
    return {name: figures(hours, of) for name, of in groups.items() if of.any()}


def main() -> None:
    """Measure all seeds and print the table."""
    standard = SimulatorSettings()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="streams to look at")
    parser.add_argument("--first-seed", type=int, default=50)
    parser.add_argument("--days", type=int, default=standard.days)
    parser.add_argument("--reels-per-day", type=int, default=standard.reels_per_day)
    parser.add_argument("--varied", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    found: list[Hours] = []
    for seed in range(given.first_seed, given.first_seed + given.seeds):
        found += forecasts(
            SimulatorSettings(
                seed=seed,
                days=given.days,
                reels_per_day=given.reels_per_day,
                pairs=8,
                varied=given.varied,
            )
        )
    columns = ((getattr(one, name) for one in found) for name in Hours.__slots__)
    told = report(Hours(*(np.concatenate([*column]) for column in columns)))
    if given.json:
        print(json.dumps(told))
        return
    table = Table(title=f"forecasts of {len(found):,} revisions in {given.seeds} streams")
    table.add_column("")
    for name in next(iter(told.values())):
        table.add_column(name.replace("_", " "), justify="right")
    for group, one in told.items():
        cells = [f"{v:,}" if isinstance(v, int) else f"{v:.2f}" for v in one.values()]
        table.add_row(group, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
