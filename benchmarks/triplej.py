"""Breakouts on the radio, beside all rivals: `python -m benchmarks.triplej FILE`.

FILE is `triplej_2012_2013.csv.gz`: what the station triple j played from February 2012 to December
2013, with gaps of hours to days. It is not part of this project. A play is a reel, the track its
sound, and each play has an author of its own. The gaps are left in.

A chart is made at the end of every week, of the 20 tracks played most in it (who ties for the
last place is not in it; a week with fewer than 300 plays has none). A **breakout** is a track that
enters a chart for the first time, after four weeks; it is found where an alert names it before that
chart is made, and early where that is before the week of the chart begins. A track has some four
plays on its best day, so ours is asked for `min_authors` of 3, and so are the rivals.

Ours is run as it is set but for that, and with other values of `fdr`; each rival gets the
thresholds that make as many alerts, and as many as there are breakouts. Alerts within a day after a
gap of twelve hours or more are compared with those a day otherwise.
"""

import argparse
import csv
import gzip
import hashlib
import json
import sys
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.quality import OURS, replay
from benchmarks.rivals.every import RIVALS, Rival, Stream
from benchmarks.rivals.uses import read
from flows.evaluate import read_alerts
from flows.settings import load

HOUR: Final = 3600
DAY: Final = 24 * HOUR
CHART: Final = 20
WEEK: Final = 7 * DAY
LOCAL: Final = 10 * HOUR
"""By which the station's Monday begins before UTC's."""
MONDAY: Final = 4 * DAY
"""The first one since 1970."""
CHART_PLAYS: Final = 300
WARM_DAYS: Final = 28
GAP_HOURS: Final = 12
MIN_AUTHORS: Final = 3
WINDOWS_H: Final = (24, 168)
VALUES: Final = (0.5, 0.1, 1e-3, 1e-5)

Alerts = list[tuple[float, str]]
"""When, in seconds since 1970, and which track."""


@dataclass(frozen=True, slots=True)
class Plays:
    """Plays by time: seconds since 1970 UTC, id of the track, and what it is called."""

    time: list[int]
    track: list[str]
    title: list[str]
    artist: list[str]


def read_plays(file: str) -> Plays:
    """Read the file. Raises `OSError`, and `KeyError` or `ValueError` for any other."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        rows = sorted(
            (int(row["unix_ts"]), row["artist"].strip(), row["track"].strip())
            for row in csv.DictReader(lines)
        )
    named = [f"{artist} - {track}".casefold() for _, artist, track in rows]
    ids = ["t" + hashlib.sha256(name.encode()).hexdigest()[:12] for name in named]
    return Plays([at for at, _, _ in rows], ids, [x for _, _, x in rows], [x for _, x, _ in rows])


def write_reels(plays: Plays, file: Path) -> None:
    """Write each play as a reel."""
    with file.open("w", encoding="utf-8") as lines:
        rows = zip(plays.time, plays.track, plays.title, plays.artist, strict=True)
        for number, (time, track, title, artist) in enumerate(rows):
            published = datetime.fromtimestamp(time, UTC)
            reel = {
                "reel_id": f"play-{number}",
                "published_at": published.isoformat().replace("+00:00", "Z"),
                "author_id": f"play-{number}",
                "audio": {"audio_id": track, "title": title, "artist": artist},
            }
            lines.write(json.dumps(reel, ensure_ascii=False) + "\n")


def breakouts(plays: Plays) -> dict[str, int]:
    """Return when the first chart with each track is made, in seconds since 1970.

    Without those of the first four weeks.
    """
    weeks: dict[int, Counter[str]] = {}
    for time, track in zip(plays.time, plays.track, strict=True):
        weeks.setdefault((time + LOCAL - MONDAY) // WEEK, Counter())[track] += 1
    entered: dict[str, int] = {}
    for week, counts in sorted(weeks.items()):
        ranked = sorted(counts.values(), reverse=True)
        if sum(ranked) < CHART_PLAYS or len(ranked) <= CHART:
            continue
        end = (week + 1) * WEEK + MONDAY - LOCAL
        for track, many in counts.items():
            if many > ranked[CHART]:
                entered.setdefault(track, end)
    warm = plays.time[0] + WARM_DAYS * DAY
    return {track: end for track, end in entered.items() if end >= warm}


def gaps(plays: Plays) -> list[tuple[int, int]]:
    """Return the gaps: last play before, first play after."""
    return [(a, b) for a, b in pairwise(plays.time) if b - a >= GAP_HOURS * HOUR]


def mark(plays: Plays, entered: dict[str, int], alerts: Alerts) -> dict[str, Any]:
    """Return how many breakouts were found in time, how long before, and what gaps did."""
    first: dict[str, float] = {}
    for at, name in sorted(alerts):
        first.setdefault(name, at)
    found = [name for name, at in entered.items() if first.get(name, at) < at]
    early = sum(first[name] < entered[name] - WEEK for name in found)
    naming = sum(name in entered and at < entered[name] for at, name in alerts)
    pauses = gaps(plays)
    ends = [end for _, end in pauses]
    silent = sum(end - begin for begin, end in pauses)
    behind = [at for at, _ in alerts if (i := bisect_left(ends, at)) and at - ends[i - 1] <= DAY]
    days = (plays.time[-1] - plays.time[0] - silent) / DAY
    after = _covered(ends) / DAY
    usual = (len(alerts) - len(behind)) / (days - after)
    return {
        "alerts": len(alerts),
        "alerts_per_day": round(len(alerts) / days, 2),
        "found": len(found),
        "rate": round(len(found) / len(entered), 3),
        "early": round(early / len(entered), 3),
        "precision": round(naming / len(alerts), 3) if alerts else None,
        "lead_h": round(median((entered[x] - first[x]) / HOUR for x in found), 1)
        if found
        else None,
        "after_gaps": round(len(behind) / after / usual, 2) if usual and after else None,
    }


def _covered(ends: Sequence[int]) -> float:
    """Seconds that are within a day after one of the ends."""
    return float(sum(min(DAY, b - a) for a, b in pairwise(ends)) + (DAY if ends else 0))


def ours(reels: Path, value: float | None) -> Alerts:
    """Return the alerts of ours with a value of the knob, or as it is set."""
    trends = reels.with_name("trends.jsonl")
    chosen = {} if value is None else {"fdr": value}
    trends.write_bytes(b"")  # where nothing is found nothing is written
    replay(reels, trends, load(min_authors=MIN_AUTHORS, **chosen))
    return [
        (alert.event_time.timestamp(), member.id)
        for alert in read_alerts(trends)
        for member in alert.members
        if member.kind == "sound"
    ]


def rivals(stream: Stream, wanted: Sequence[int]) -> Iterator[tuple[str, int, list[Alerts]]]:
    """Give each rival's window in hours and its alerts, for each number of them that is wanted.

    As plays are rare, with a window of a day, and with one of a week as the chart has.
    """
    for name, rival in RIVALS.items():
        for window in WINDOWS_H:
            found = stream.crossings(Rival(rival.score, window))
            told = [stream.alerts(found, many) for many in wanted]
            alerts = [[(x.event_time.timestamp(), x.members[0].id) for x in some] for some in told]
            yield name, window, alerts


def main() -> None:
    """Mark ours and the rivals, and print both."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", help="triplej_2012_2013.csv.gz")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    plays = read_plays(given.file)
    entered = breakouts(plays)
    rows: list[dict[str, Any]] = []
    with TemporaryDirectory(prefix="groundswell-") as folder:
        reels = Path(folder, "reels.jsonl")
        write_reels(plays, reels)
        for value in (None, *VALUES):
            setting = "as set" if value is None else f"fdr {value:g}"
            marks = mark(plays, entered, ours(reels, value))
            rows.append({"way": OURS, "setting": setting} | marks)
        stream = Stream(read(str(reels), pairs=False, tick_seconds=HOUR), MIN_AUTHORS)
    budgets = sorted({row["alerts"] for row in rows if row["alerts"]} | {len(entered)})
    for name, window, told in rivals(stream, budgets):
        print(f"{name}, {window} h: marked", file=sys.stderr)
        for budget, alerts in zip(budgets, told, strict=True):
            marks = mark(plays, entered, alerts)
            rows.append({"way": name, "setting": f"{window} h, for {budget}"} | marks)
    if given.json:
        print(json.dumps({"breakouts": len(entered), "marks": rows}, indent=1))
        return
    table = Table(title=f"{len(entered)} breakouts, {len(gaps(plays))} gaps")
    for column in rows[0]:
        table.add_column(column.replace("_", " "))
    for row in rows:
        table.add_row(*("-" if value is None else str(value) for value in row.values()))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
