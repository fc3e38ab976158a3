"""What a disturbed arrival costs: `python -m benchmarks.event_time`.

The same simulated reels arrive in order, behind an outage of a day, hours out of order, and in
three files of which one falls silent. An alert on something that nobody planted (not a trend, not
a cascade that fizzles, not a spam crew) is unplanned: chance or the disturbance made it. Prints
JSON: alerts, unplanned ones and planted trends detected, for each arrival, over all seeds.
"""

import argparse
import json
import random
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from bytewax.run import cli_main

from flows.detect import Ends, build
from flows.evaluate import read_alerts
from flows.settings import load
from flows.simulate import lines
from operators.sinks.jsonl import TrendsFile
from operators.sources.files import FileSource
from trend.evaluation import evaluate
from trend.simulator import SimulatorSettings, simulate
from trend.simulator.truth import Truth

DAY: Final = timedelta(days=1)
HOUR: Final = timedelta(hours=1)
CATCH_UP: Final = 4
"""A backlog comes so many times faster than it was made."""
FILES: Final = 3
QUIET_DAYS: Final = 3
UNPLANNED: Final = ("weekly", "outage", "surge", "background")
"""Causes of false alerts, of `trend.evaluation`, that nobody planted as a cascade or a crew."""
_KEY: Final = b'"published_at":"'
_SECONDS: Final = len("2026-01-05T00:00:00Z")

Lines = list[bytes]


@dataclass(frozen=True, slots=True)
class Stream:
    """Lines in the order in which they were published, with that time; `day` is to be disturbed."""

    lines: Lines
    times: list[datetime]
    day: datetime
    truth: Truth

    def arriving(self, arrival: Callable[[datetime], datetime]) -> Lines:
        """The lines in the order of when they arrive, given when they were published."""
        arrivals = [arrival(time) for time in self.times]
        return [self.lines[at] for at in sorted(range(len(arrivals)), key=arrivals.__getitem__)]

    def where(self, kept: Callable[[int, datetime], bool]) -> Lines:
        """The lines of which `kept(number, time)` holds."""
        return [line for at, line in enumerate(self.lines) if kept(at, self.times[at])]


def simulated(settings: SimulatorSettings) -> Stream:
    """A stream; after the day to disturb come `QUIET_DAYS` in order."""
    simulation = simulate(settings)
    made = [*lines(simulation)]
    times = [_published(line) for line in made]
    day = settings.start + DAY * (settings.days - QUIET_DAYS - 1)
    return Stream(made, times, day, simulation.truth)


def _published(line: bytes) -> datetime:
    start = line.index(_KEY) + len(_KEY)
    return datetime.fromisoformat(line[start : start + _SECONDS].decode())


def in_order(stream: Stream) -> list[Lines]:
    """As published."""
    return [stream.lines]


def outage(stream: Stream) -> list[Lines]:
    """A day is held back and comes in the first quarter of the next, among that day's own."""

    def arrival(time: datetime) -> datetime:
        if not stream.day <= time < stream.day + DAY:
            return time
        return stream.day + DAY + (time - stream.day) / CATCH_UP

    return [stream.arriving(arrival)]


def loss(stream: Stream) -> list[Lines]:
    """A day never comes."""
    return [stream.where(lambda _, time: not stream.day <= time < stream.day + DAY)]


def disorder(hours: int) -> Callable[[Stream], list[Lines]]:
    """Each reel comes up to so many hours after it was published."""

    def disordered(stream: Stream) -> list[Lines]:
        draw = random.Random(hours)
        return [stream.arriving(lambda time: time + draw.random() * hours * HOUR)]

    return disordered


def silence(stop: timedelta) -> Callable[[Stream], list[Lines]]:
    """One of three files has nothing of the day, and of what follows it until `stop`."""

    def silent(stream: Stream) -> list[Lines]:
        def kept(file: int) -> Callable[[int, datetime], bool]:
            return lambda at, time: (
                at % FILES == file and not (file == 1 and stream.day <= time < stream.day + stop)
            )

        return [stream.where(kept(file)) for file in range(FILES)]

    return silent


ARRIVALS: Final[dict[str, Callable[[Stream], list[Lines]]]] = {
    "in order": in_order,
    "outage of a day with catch-up": outage,
    "a day is lost": loss,
    "4 h out of order": disorder(4),
    "12 h out of order": disorder(12),
    "a file is silent for a day": silence(DAY),
    "a file falls silent": silence(365 * DAY),
}


def marked(stream: Stream, parts: Sequence[Lines]) -> Counter[str]:
    """Count what is found in some files: alerts, unplanned ones, detected and planted trends."""
    settings = load()
    with TemporaryDirectory(prefix="groundswell-") as name:
        folder = Path(name, "reels")
        folder.mkdir()
        for number, part in enumerate(parts):
            (folder / f"{number}.jsonl").write_bytes(b"".join(line + b"\n" for line in part))
        source = FileSource([str(folder)], settings.batch_size)
        out = Path(name, "trends.jsonl")
        ends = Ends(source, source.list_parts(), [TrendsFile(out)])
        cli_main(build(settings, ends))  # type: ignore[no-untyped-call]
        figures = evaluate(stream.truth, read_alerts(out)).whole
    return Counter(
        alerts=figures.alerts,
        unplanned=sum(figures.false_alerts[cause] for cause in UNPLANNED),
        detected=figures.detected,
        planted=figures.planted,
    )


def main() -> None:
    """Mark all seeds and print the sums."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0, 1, … to mark")
    parser.add_argument("--days", type=int, default=9, help="at least 5")
    parser.add_argument("--reels-per-day", type=int, default=6000)
    given = parser.parse_args()
    sums: dict[str, Counter[str]] = {name: Counter() for name in ARRIVALS}
    for seed in range(given.seeds):
        stream = simulated(
            SimulatorSettings(
                seed=seed, days=given.days, reels_per_day=given.reels_per_day, late=0, malformed=0
            )
        )
        for name, arrival in ARRIVALS.items():
            sums[name].update(marked(stream, arrival(stream)))
        print(f"seed {seed} is marked", file=sys.stderr)
    about = {"seeds": given.seeds, "days": given.days, "reels_per_day": given.reels_per_day}
    print(json.dumps(about | {"arrivals": sums}, indent=2))


if __name__ == "__main__":
    main()
