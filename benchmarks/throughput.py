"""Reels a second of the whole flow, beside two yardsticks: `python benchmarks/throughput.py`.

All ways get the same simulated lines, each time in a process of its own. They take turns, several
rounds, and the best round of each counts, so that a busy moment hits none of them alone. Prints
JSON: for each way its rate by the clock and by processor time (of all threads and processes), the
ratios between them, and the targets. Nothing is asserted: a ratio is for a person to judge.

- json.loads: each line of the file, which is in memory, and nothing else
- flow: source to `trends.jsonl` and `rejects.jsonl`, one process, kernels compiled and loaded
- replay: the command from its start to its end, with a store, 1 and 2 processes, 1 and 8 files;
  what its start alone takes is a replay of one line
- two apart: two such commands of one process at once, each over half of the 8 files, which have
  nothing to do with each other: no faster can two processes be on this machine
- stock windows: the flow as far as explode, then distinct authors of each signal in Bytewax's own
  tumbling windows; on the first reels only, which flatters it: it slows down with every live key
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, Final, Literal

import msgspec

FILES: Final = 8
STOCK_POLL: Final = 1000
FLOW_OVER_JSON: Final = 0.6
FLOW_OVER_STOCK: Final = 100.0
TWO_OVER_ONE: Final = {"1 file": 1.3, f"{FILES} files": 1.7}


@dataclass(frozen=True, slots=True)
class Stream:
    """The lines of one benchmark as files in a folder, and their numbers."""

    folder: Path
    lines: int
    stock_lines: int

    @property
    def whole(self) -> Path:
        """All lines in one file."""
        return self.folder / "reels.jsonl"

    @property
    def parts(self) -> Path:
        """The same lines in `FILES` files, the copies of a reel in one and the same."""
        return self.folder / "parts"

    @property
    def line(self) -> Path:
        """The first line alone."""
        return self.folder / "line.jsonl"

    @property
    def stock(self) -> Path:
        """The first of them, as many as the stock windows get."""
        return self.folder / f"first-{self.stock_lines}.jsonl"


@dataclass(slots=True)
class Timed:
    """What one run of one way took."""

    lines: int
    wall_s: float = 0.0
    cpu_s: float = 0.0


Way = Callable[[Stream], Timed]
Use = tuple[datetime, int]
"""When a reel used a signal, and the hash of its author."""


@contextmanager
def timed(lines: int, who: int = resource.RUSAGE_SELF) -> Iterator[Timed]:
    """Time what is done inside by this process, or by those that it starts and waits for."""
    took = Timed(lines)
    before, began = resource.getrusage(who), time.perf_counter()
    yield took
    took.wall_s = time.perf_counter() - began
    after = resource.getrusage(who)
    took.cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def json_loads(stream: Stream) -> Timed:
    """The yardstick everybody knows; lines that are not JSON are skipped."""
    lines = stream.whole.read_bytes().splitlines()
    with timed(len(lines)) as took:
        for line in lines:
            try:
                json.loads(line)
            except (ValueError, RecursionError):
                continue
    return took


def flow(stream: Stream) -> Timed:
    """The whole flow as a worker runs it, without the start of the process."""
    from flows.warm import warm

    warm()
    with timed(stream.lines) as took:
        run_flow(stream.whole)
    return took


def run_flow(file: Path) -> None:
    """From the source to the sinks, with the settings of a replay."""
    from bytewax.run import cli_main

    from flows.detect import Ends, build
    from flows.settings import load
    from operators.sinks.jsonl import TrendsFile
    from operators.sinks.rejects import RejectsFile
    from operators.sources.files import FileSource

    settings = load()
    source = FileSource([str(file)], settings.batch_size)
    with TemporaryDirectory(prefix="groundswell-") as folder:
        trends, rejects = Path(folder, "trends.jsonl"), Path(folder, "rejects.jsonl")
        ends = Ends(source, source.list_parts(), [TrendsFile(trends)], [RejectsFile(rejects)])
        cli_main(  # type: ignore[no-untyped-call]
            build(settings, ends),
            epoch_interval=timedelta(seconds=settings.epoch_seconds),
        )


@dataclass(frozen=True, slots=True)
class Replay:
    """The command `groundswell replay` with so many processes, from its start to its end."""

    processes: int
    given: Literal["whole", "parts", "line"]

    def __call__(self, stream: Stream) -> Timed:
        """Run it. Raises `subprocess.CalledProcessError` where it fails."""
        file: Path = getattr(stream, self.given)
        with TemporaryDirectory(prefix="groundswell-") as folder:
            command = replay([file], folder, self.processes)
            lines = 1 if self.given == "line" else stream.lines
            with timed(lines, resource.RUSAGE_CHILDREN) as took:
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        return took


def two_apart(stream: Stream) -> Timed:
    """The yardstick for two processes. Raises `subprocess.CalledProcessError` where one fails."""
    files = sorted(stream.parts.iterdir())
    with (
        TemporaryDirectory(prefix="groundswell-") as one,
        TemporaryDirectory(prefix="groundswell-") as other,
    ):
        commands = [replay(files[::2], one), replay(files[1::2], other)]
        with timed(stream.lines, resource.RUSAGE_CHILDREN) as took:
            started = [subprocess.Popen(one, stdout=subprocess.DEVNULL) for one in commands]
            codes = [process.wait() for process in started]
    for command, code in zip(commands, codes, strict=True):
        if code:
            raise subprocess.CalledProcessError(code, command)
    return took


def replay(files: Sequence[Path], folder: str, processes: int = 1) -> list[str]:
    """The command that finds the trends in some files, and writes them to a folder."""
    command = [sys.executable, "-m", "flows.cli", "replay", *map(str, files)]
    command += ["--processes", str(processes)]
    return [*command, "--to", f"{folder}/trends.jsonl", "--rejects", f"{folder}/rejects.jsonl"]


def stock_windows(stream: Stream) -> Timed:
    """Distinct authors of each signal and tick, counted by `bytewax.operators.windowing`."""
    from bytewax.testing import run_main

    run_main(stock_flow(stream.stock, 100))  # type: ignore[no-untyped-call]
    dataflow = stock_flow(stream.stock, stream.stock_lines)
    with timed(stream.stock_lines) as took:
        run_main(dataflow)  # type: ignore[no-untyped-call]
    return took


def stock_flow(file: Path, lines: int) -> Any:
    """The dataflow of `stock_windows` over the first `lines` of a file."""
    import bytewax.operators as op
    import numpy as np
    from bytewax.dataflow import Dataflow
    from bytewax.operators import KeyedStream, windowing
    from bytewax.testing import TestingSink, TestingSource

    from flows.settings import load
    from operators.blocks import Poll
    from operators.decode import decode
    from operators.dedupe import Dedupe, EventTime
    from operators.explode import Explode
    from trend.records import USE

    settings = load()
    late = timedelta(seconds=settings.lateness_seconds)
    tick = timedelta(seconds=settings.tick_seconds)
    dedupe = Dedupe(
        EventTime(
            settings.tick_seconds,
            settings.lateness_seconds,
            settings.future_seconds,
            settings.look_ahead,
        ),
        settings.dedupe_reels,
    )
    explode = Explode(settings.max_phrases)

    def uses(poll: Poll) -> list[tuple[str, Use]]:
        fresh = dedupe(decode(poll))
        if fresh is None:
            return []
        rows = np.concatenate([np.zeros(0, USE), *(part.rows for part in explode(fresh))])
        starts = rows["tick"].astype(np.int64) * settings.tick_seconds
        times = [datetime.fromtimestamp(start, UTC) for start in starts.tolist()]
        authors = rows["author"].tolist()
        return list(
            zip(map(str, rows["signal"].tolist()), zip(times, authors, strict=True), strict=True)
        )

    def nobody() -> set[int]:
        return set()

    def with_author(authors: set[int], use: Use) -> set[int]:
        authors.add(use[1])
        return authors

    def with_authors(authors: set[int], others: set[int]) -> set[int]:
        return authors | others

    with file.open("rb") as opened:
        some = list(islice(opened, lines))
    polls = [
        Poll("stock", at, 0, b"".join(some[at : at + STOCK_POLL]), end=at + STOCK_POLL >= lines)
        for at in range(0, lines, STOCK_POLL)
    ]
    dataflow = Dataflow("stock")
    read = op.input("source", dataflow, TestingSource(polls))
    used: KeyedStream[Use] = op.flat_map("explode", read, uses)
    clock: windowing.EventClock[Use] = windowing.EventClock(
        ts_getter=lambda use: use[0], wait_for_system_duration=late
    )
    counted = windowing.fold_window(
        "count",
        used,
        clock,
        windowing.TumblingWindower(length=tick, align_to=datetime(2026, 1, 1, tzinfo=UTC)),
        nobody,
        with_author,
        with_authors,
    )
    numbers = op.map_value("authors", counted.down, lambda window: len(window[1]))
    op.output("sink", op.filter("nothing", numbers, lambda _: False), TestingSink([]))
    return dataflow


WAYS: Final[dict[str, Way]] = {
    "json.loads": json_loads,
    "flow": flow,
    "replay, 1 process, 1 line": Replay(1, "line"),
    "replay, 2 processes, 1 line": Replay(2, "line"),
    "replay, 1 process, 1 file": Replay(1, "whole"),
    "replay, 2 processes, 1 file": Replay(2, "whole"),
    f"replay, 1 process, {FILES} files": Replay(1, "parts"),
    f"replay, 2 processes, {FILES} files": Replay(2, "parts"),
    f"replay, two apart, {FILES} files": two_apart,
    "stock windows": stock_windows,
}


class _Named(msgspec.Struct):
    reel_id: str


def simulated(reels: int, days: int, seed: int, stock_lines: int) -> Stream:
    """Simulate the stream, unless this very one is still there from an earlier run."""
    from flows import simulate
    from trend import simulator
    from trend.simulator import SimulatorSettings

    sources = [Path(simulate.__file__), *sorted(Path(simulator.__file__).parent.glob("*.py"))]
    code = hashlib.blake2b(b"".join(path.read_bytes() for path in sources), digest_size=6)
    name = f"{reels}-{days}-{seed}-{code.hexdigest()}"
    folder = Path(gettempdir(), f"groundswell-benchmarks-{os.getuid()}", name)
    if not (folder / "parts").exists():
        settings = SimulatorSettings(days=days, reels_per_day=reels // days, seed=seed)
        simulate.simulate_to(folder, settings)
        lines = (folder / "reels.jsonl").read_bytes().splitlines(keepends=True)
        (folder / "line.jsonl").write_bytes(lines[0])
        parts: list[list[bytes]] = [[] for _ in range(FILES)]
        reel_id = msgspec.json.Decoder(_Named).decode
        for line in lines:
            try:
                key = reel_id(line).reel_id
            except (ValueError, RecursionError):
                key = ""
            parts[zlib.crc32(key.encode()) % FILES].append(line)
        unfinished = folder / "parts.part"
        unfinished.mkdir(exist_ok=True)
        for number, part in enumerate(parts):
            (unfinished / f"{number}.jsonl").write_bytes(b"".join(part))
        unfinished.rename(folder / "parts")
    with (folder / "reels.jsonl").open("rb") as file:
        first = b"".join(islice(file, stock_lines))
    stream = Stream(folder, 0, first.count(b"\n"))
    stream.stock.write_bytes(first)
    with stream.whole.open("rb") as file:
        return Stream(folder, sum(1 for _ in file), stream.stock_lines)


def measure(stream: Stream, rounds: int) -> dict[str, Timed]:
    """The best of several rounds of each way, clock and processor each for itself."""
    best: dict[str, Timed] = {}
    with get_context("spawn").Pool(1, maxtasksperchild=1) as process:
        process.apply(flow, (stream,))  # compiles what was never compiled
        for _ in range(rounds):
            for name, way in WAYS.items():
                took = process.apply(way, (stream,))
                print(f"{name}: {took.lines / took.wall_s:,.0f} reels/s", file=sys.stderr)
                known = best.setdefault(name, took)
                known.wall_s = min(known.wall_s, took.wall_s)
                known.cpu_s = min(known.cpu_s, took.cpu_s)
    return best


def report(best: dict[str, Timed]) -> dict[str, Any]:
    """Rates and ratios; `by_cpu` counts the time of all threads and processes."""

    def ratio(one: str, other: str, target: float | None = None) -> dict[str, float]:
        a, b = best[one], best[other]
        by_clock = (a.lines / a.wall_s) / (b.lines / b.wall_s)
        by_cpu = (a.lines / a.cpu_s) / (b.lines / b.cpu_s)
        ratios = {"by_clock": round(by_clock, 2), "by_cpu": round(by_cpu, 2)}
        return ratios if target is None else ratios | {"target": target}

    return {
        "ways": {
            name: {
                "reels": took.lines,
                "reels_per_s": round(took.lines / took.wall_s),
                "reels_per_cpu_s": round(took.lines / took.cpu_s),
                "wall_s": round(took.wall_s, 3),
                "cpu_s": round(took.cpu_s, 3),
            }
            for name, took in best.items()
        },
        "ratios": {
            "flow / json.loads": ratio("flow", "json.loads", FLOW_OVER_JSON),
            "flow / stock windows": ratio("flow", "stock windows", FLOW_OVER_STOCK),
            **{
                f"2 processes / 1, {files}": ratio(
                    f"replay, 2 processes, {files}", f"replay, 1 process, {files}", target
                )
                for files, target in TWO_OVER_ONE.items()
            },
            f"two apart / 1, {FILES} files": ratio(
                f"replay, two apart, {FILES} files", f"replay, 1 process, {FILES} files"
            ),
        },
    }


def main() -> None:
    """Measure all ways and print the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reels", type=int, default=200_000, help="reels to simulate")
    parser.add_argument("--days", type=int, default=8, help="days over which they are spread")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3, help="rounds, of which the best counts")
    parser.add_argument("--stock-reels", type=int, default=10_000, help="reels for stock windows")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    given = parser.parse_args()
    stream = simulated(given.reels, given.days, given.seed, given.stock_reels)
    best = measure(stream, given.repeats)
    about = {
        "stream": {
            "reels": stream.lines,  # lines, with the copies and the malformed ones
            "bytes": stream.whole.stat().st_size,
            "days": given.days,
            "seed": given.seed,
        },
        "rounds": given.repeats,
        "cores": os.cpu_count(),
    }
    text = json.dumps(about | report(best), indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
