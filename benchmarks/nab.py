"""Mentions of companies, scored as the Numenta Anomaly Benchmark does: `python -m benchmarks.nab`.

Takes the folder `nab_realTweets` and the file `nab_combined_windows.json`, which are not part of
this project: ten series of mentions in five minutes, and the windows of their anomalies.

Ours is a shard with one signal, fed with as many authors as there are mentions beside a platform of
constant volume; its score is -log10 of the p-value with which it reports a burst. The rivals score
the same counts. What passes a threshold that it was not above in the two days before is a
detection. As in NAB there is one threshold for all series, the best for each profile; the first
15 % of a series, at most 750 values, do not count; the first detection in a window is worth the
more the earlier it is, each outside costs, the more the further behind a window it is:

    sigmoid(y) = 2 / (1 + exp(5 y)) - 1,   y = -1 where a window begins and 0 where it ends

and the score is 0 for no detection at all and 100 for one at the beginning of each window.

References
----------
Lavin & Ahmad 2015, "Evaluating Real-time Anomaly Detection Algorithms: the Numenta Anomaly
Benchmark".
"""

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from benchmarks.quality import OURS
from benchmarks.rivals.alerts import QUIET_DAYS, Crossings, crossings
from benchmarks.rivals.every import RIVALS, Rival
from benchmarks.rivals.series import F64, Series
from flows.detect import shard_settings
from flows.settings import load
from trend.bursts import TICK
from trend.hashing import mix64
from trend.kinds import HASHTAG
from trend.records import USE, VOLUME
from trend.shard import Shard

TICK_SECONDS: Final = 300
DAY: Final = 86_400 // TICK_SECONDS
VOLUME_PER_TICK: Final = 10_000
PROBATION: Final = 0.15
LONGEST_PROBATION: Final = 750


@dataclass(frozen=True, slots=True)
class Profile:
    """What NAB gives for a window found, and takes for one missed and for a false detection."""

    found: float
    missed: float
    false: float


PROFILES: Final = {
    "standard": Profile(1.0, 1.0, 0.11),
    "reward_low_FP": Profile(1.0, 1.0, 0.22),
    "reward_low_FN": Profile(1.0, 2.0, 0.11),
}


@dataclass(frozen=True, slots=True)
class Mentions:
    """One series: seconds since 1970 and mentions, and the windows as first and last place."""

    name: str
    time: npt.NDArray[np.int64]
    count: npt.NDArray[np.int64]
    windows: tuple[tuple[int, int], ...]

    @property
    def probation(self) -> int:
        """Values that do not count."""
        return int(min(PROBATION * self.time.size, LONGEST_PROBATION))


def read(folder: Path, windows: Path) -> list[Mentions]:
    """Read all series. Raises `OSError`, and `KeyError` or `ValueError` for any other files."""
    labelled = json.loads(windows.read_text())
    series = []
    for file in sorted(folder.glob("*.csv")):
        with file.open(newline="") as lines:
            rows = [
                (_seconds(row["timestamp"]), int(row["value"])) for row in csv.DictReader(lines)
            ]
        time, count = np.array(rows, np.int64).T
        bounds = [
            (int(np.searchsorted(time, _seconds(a))), int(np.searchsorted(time, _seconds(b))))
            for a, b in labelled[f"realTweets/{file.name}"]
        ]
        series.append(Mentions(file.stem, time, count, tuple(bounds)))
    return series


def _seconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())


def sigmoid(y: float) -> float:
    """Return NAB's value of a detection at a place relative to a window.

    >>> round(sigmoid(-1), 3), sigmoid(0), round(sigmoid(1), 3), sigmoid(4)
    (0.987, 0.0, -0.987, -1.0)
    """
    return float(2 / (1 + np.exp(5 * y)) - 1) if y <= 3 else -1.0


def scored(series: Mentions, detections: Sequence[int], profile: Profile) -> float:
    """Return the score of detections, places in rising order, in one series."""
    total = 0.0
    counted = [at for at in detections if at >= series.probation]
    for left, right in series.windows:
        inside = [at for at in counted if left <= at <= right]
        if inside:
            place = -(right - inside[0] + 1) / (right - left + 1)
            total += profile.found * sigmoid(place) / sigmoid(-1)
        else:
            total -= profile.missed
    for at in counted:
        if any(left <= at <= right for left, right in series.windows):
            continue
        past = [(left, right) for left, right in series.windows if right < at]
        behind = -1.0
        if past:
            left, right = past[-1]
            behind = sigmoid((at - right) / max(right - left, 1))
        total += profile.false * behind
    return total


def best(
    series: Sequence[Mentions], found: Mapping[str, Crossings], profile: Profile
) -> tuple[float, int, int]:
    """Return the normalised score at the best threshold, windows found and false detections."""
    scores = np.concatenate([one.score for one in found.values()])
    thresholds = np.unique(scores)[::-1]
    if thresholds.size > 400:
        thresholds = np.quantile(scores, np.linspace(1, 0, 400) ** 3)
    windows = sum(len(one.windows) for one in series)
    none = -profile.missed * windows
    results = [(none, 0, 0)]
    for threshold in thresholds.tolist():
        total, hits, false = 0.0, 0, 0
        for one in series:
            at = [x for x in found[one.name].at(threshold)[1].tolist() if x >= one.probation]
            total += scored(one, at, profile)
            inside = [any(a <= x <= b for a, b in one.windows) for x in at]
            hits += sum(any(a <= x <= b for x in at) for a, b in one.windows)
            false += len(inside) - sum(inside)
        results.append((total, hits, false))
    total, hits, false = max(results, key=lambda result: result[0])
    return 100 * (total - none) / (profile.found * windows - none), hits, false


def evidence(series: Mentions) -> F64:
    """Return -log10 of the p-values with which ours reports a burst, 0 where it does not."""
    settings = replace(shard_settings(load(tick_seconds=TICK_SECONDS)), memory_bytes=1 << 30)
    shard = Shard(settings)
    ticks = (series.time // TICK_SECONDS).astype(np.int32)
    scores = np.zeros(series.time.size)
    number = 0
    for start in range(0, ticks.size, DAY):
        here = slice(start, start + DAY)
        rows = np.zeros(int(series.count[here].sum()), USE)
        rows["tick"] = rows["apply"] = np.repeat(ticks[here], series.count[here])
        numbers = np.arange(number, number + rows.size, dtype=np.uint64)
        number += rows.size
        rows["author"] = rows["reel"] = [mix64(one) for one in numbers + np.uint64(1)]
        rows["signal"], rows["kind"] = 1, HASHTAG
        rows["label_len"] = 1
        volume = np.zeros(ticks[here].size, VOLUME)
        volume["apply"] = volume["tick"] = ticks[here]
        volume["reels"] = VOLUME_PER_TICK
        shard.add(rows, b"#", volume)
        for report in shard.close(int(ticks[here][-1])):
            places = np.searchsorted(ticks, report.numbers[:, TICK])
            scores[places] = np.maximum(scores[places], -report.log10_p)
    return scores


def counted(series: Mentions) -> Series:
    """Return one series as the rivals take it."""
    volume = np.full(series.count.size, float(VOLUME_PER_TICK))
    kind = np.array([HASHTAG], np.uint8)
    return Series(np.zeros(1, np.int64), kind, series.count[None, :].astype(float), volume, DAY)


def detections(series: Mentions, scores: F64) -> Crossings:
    """Return where scores, [1, values], rise above what they were for two days."""
    one = np.zeros(1, np.int64)
    return crossings(one, scores, scores > 0, series.probation, QUIET_DAYS * DAY)


def main() -> None:
    """Score ours and the rivals, and print both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="nab_realTweets")
    parser.add_argument("windows", type=Path, help="nab_combined_windows.json")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    every = read(given.folder, given.windows)
    ways: dict[str, dict[str, Crossings]] = {
        OURS: {one.name: detections(one, evidence(one)[None, :]) for one in every}
    }
    for name, rival in RIVALS.items():
        ways[f"{name}, {rival.window_h} h"] = _by_rival(every, rival)
    report: dict[str, Any] = {
        way: {name: best(every, found, profile) for name, profile in PROFILES.items()}
        for way, found in ways.items()
    }
    if given.json:
        print(json.dumps(report, indent=1))
        return
    windows = sum(len(one.windows) for one in every)
    table = Table(title=f"{len(every)} series, {windows} windows: score (windows found, false)")
    for column in ("way", *PROFILES):
        table.add_column(column)
    for way, scores in report.items():
        cells = [f"{score:.1f} ({hits}, {false})" for score, hits, false in scores.values()]
        table.add_row(way, *cells)
    Console(width=120).print(table)


def _by_rival(every: Sequence[Mentions], rival: Rival) -> dict[str, Crossings]:
    found = {}
    for one in every:
        series = counted(one)
        found[one.name] = detections(one, rival.score(series, rival.window_h * series.hour))
    return found


if __name__ == "__main__":
    main()
