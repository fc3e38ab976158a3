"""Memory of the counts by number of distinct signals: `python benchmarks/memory.py`.

For each number a process of its own feeds its shards two weeks of uses and says what it holds in
the end, as JSON. Each signal is used once at any time; four times as many uses again go to the
signals by Zipf's law, whose exponent is 1. So most are young and forgotten after a day, as most
phrases are. The process has all of the flow loaded; `peak_mb` is the most it ever held, its input
included, to be compared with `budget_mb`, which is the setting `memory_mb`. Nothing is asserted.

`--recall` says instead what a tight budget costs: how well the trends of simulated streams are
found with an ample `memory_mb`, the first, and with tight ones, by `trend.evaluation`.
"""

import argparse
import json
import resource
import time
from collections.abc import Iterator
from multiprocessing import get_context
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import numpy.typing as npt

DAYS: Final = 14
FIRST_TICK: Final = 2_950_000
POLL: Final = 200_000
"""Uses that the shards get at a time."""
AUTHORS: Final = 3_000_000
USES_A_REEL: Final = 9
LABEL: Final = 18
Z: Final = 4
"""Uses by Zipf's law for each signal."""

U64 = npt.NDArray[np.uint64]


def mixed(numbers: npt.NDArray[Any]) -> U64:
    """Return hashes of numbers: splitmix64."""
    x = numbers.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def polls(signals: int, ticks: int) -> Iterator[tuple[npt.NDArray[np.void], int]]:
    """Uses in the order of their ticks, some at a time, and the last tick that is complete."""
    from trend.records import USE

    rng = np.random.default_rng(1)
    once = rng.permutation(signals)
    total = (1 + Z) * signals
    for start in range(0, total, POLL):
        stop = min(start + POLL, total)
        rows = np.zeros(stop - start, USE)
        mine = once[start // (1 + Z) : stop // (1 + Z)]
        by_zipf = np.exp(rng.random(rows.size - mine.size) * np.log(signals)).astype(np.int64)
        rows["signal"] = mixed(rng.permutation(np.concatenate([mine, by_zipf])))
        rows["author"] = mixed(rng.integers(0, AUTHORS, rows.size) + (1 << 40))
        place = np.arange(start, stop)
        rows["reel"] = mixed(place // USES_A_REEL + (1 << 50))
        rows["tick"] = rows["apply"] = FIRST_TICK + place * ticks // total
        rows["kind"] = 2
        yield rows, int(rows["tick"][-1]) - 1


def feed(signals: int, memory_mb: int) -> dict[str, Any]:
    """Feed a process's shards, which are all, and say what they hold."""
    from flows.detect import shard_settings  # and all that the flow needs with it
    from flows.settings import load
    from operators.blocks import SHARDS
    from trend import layout as k
    from trend.records import USE, VOLUME
    from trend.shard import Shard

    settings = load().model_copy(update={"memory_mb": memory_mb})
    warm = Shard(shard_settings(settings))
    rows, through = next(polls(1000, DAYS * 144))
    warm.add(rows, b"", np.zeros(1, VOLUME))
    warm.close(through)
    shards = [Shard(shard_settings(settings)) for _ in range(SHARDS)]
    base = _resident()
    start = time.process_time()
    busy = 0.0
    uses = 0
    for rows, through in polls(signals, DAYS * 86_400 // settings.tick_seconds):
        uses += rows.size
        ticks, reels = np.unique(rows["tick"], return_counts=True)
        volume = np.zeros(ticks.size, VOLUME)
        volume["apply"] = volume["tick"] = ticks
        volume["reels"] = reels // USES_A_REEL
        shard_of = (rows["signal"] >> np.uint64(58)).astype(np.uint8)
        by_shard = rows[np.argsort(shard_of, kind="stable")]
        bounds = np.searchsorted(np.sort(shard_of), np.arange(SHARDS + 1))
        for number, shard in enumerate(shards):
            mine = by_shard[bounds[number] : bounds[number + 1]].copy()
            mine["label_at"], mine["label_len"] = np.arange(mine.size) * LABEL, LABEL
            text = np.zeros((mine.size, LABEL), np.uint8)
            text[:, :8] = mine["signal"][:, None].view(np.uint8)
            before = time.process_time()
            shard.add(mine, text.tobytes(), volume)
            shard.close(through)
            busy += time.process_time() - before
    n = sum(shard.counts.n for shard in shards)
    live = int(n[k.ROWS])
    held = {
        name: sum(getattr(shard.counts, name).nbytes for shard in shards)
        for name in shards[0].counts._fields
    }
    del rows, by_shard, mine, text
    resident = _resident()
    return {
        "distinct_signals": signals,
        "uses": uses,
        "days": DAYS,
        "budget_mb": memory_mb,
        "live_signals": live,
        "evicted_or_idle": int(n[k.EVICTED]),
        "start_mb": round(base / 2**20),
        "resident_mb": round(resident / 2**20),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "bytes_per_live_signal": round((resident - base) / live),
        "room_per_live_signal": {name: round(size / live, 1) for name, size in held.items()},
        "use_bytes": USE.itemsize,
        "cpu_us_per_use": round(busy / uses * 1e6, 3),
        "cpu_s": round(time.process_time() - start, 1),
    }


def recall(seeds: int, days: int, reels_per_day: int, budgets: list[int]) -> list[dict[str, Any]]:
    """Replay simulated streams with each budget, the first an ample one, and mark the trends."""
    from bytewax.run import cli_main

    from flows.detect import Ends, build
    from flows.evaluate import evaluate_files
    from flows.settings import load
    from flows.simulate import simulate_to
    from operators.sinks.jsonl import TrendsFile
    from operators.sources.files import FileSource
    from trend.simulator import SimulatorSettings

    marks: dict[int, list[Any]] = {memory_mb: [] for memory_mb in budgets}
    for seed in range(seeds):
        with TemporaryDirectory(prefix="groundswell-") as folder:
            stream = SimulatorSettings(seed=seed, days=days, reels_per_day=reels_per_day)
            written = simulate_to(Path(folder), stream)
            for memory_mb in budgets:
                settings = load().model_copy(update={"memory_mb": memory_mb})
                trends = Path(folder, f"trends-{memory_mb}.jsonl")
                source = FileSource([str(written.reels_file)], settings.batch_size)
                ends = Ends(source, source.list_parts(), [TrendsFile(trends)])
                cli_main(build(settings, ends))  # type: ignore[no-untyped-call]
                marks[memory_mb].append(evaluate_files(written.truth_file, trends).whole)
    names = ("recall", "recall_before_peak", "precision", "alerts_per_day")
    return [
        {
            "for_counts_mb": for_counts_of(memory_mb),
            "seeds": seeds,
            **{name: round(mean(getattr(one, name) for one in some), 3) for name in names},
        }
        for memory_mb, some in marks.items()
    ]


def for_counts_of(memory_mb: int) -> int:
    """Return what of a budget is for the counts."""
    from trend.budget import for_counts

    return for_counts(memory_mb)


def _resident() -> int:
    """Bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def main() -> None:
    """Print the report."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--signals", type=int, nargs="*", default=[1_000_000, 10_000_000])
    parser.add_argument("--memory-mb", type=int, default=2048)
    parser.add_argument("--recall", action="store_true", help="what a tight budget costs")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--days", type=int, default=12)
    parser.add_argument("--reels-per-day", type=int, default=12_000)
    parser.add_argument("--budgets", type=int, nargs="*", default=[2048, 128, 64, 32, 16])
    given = parser.parse_args()
    if given.recall:
        marks = recall(given.seeds, given.days, given.reels_per_day, given.budgets)
        print(json.dumps(marks, indent=2))
        return
    for signals in given.signals:
        with get_context("spawn").Pool(1) as pool:
            report = pool.apply(feed, (signals, given.memory_mb))
        print(json.dumps(report, indent=2), flush=True)


if __name__ == "__main__":
    main()
