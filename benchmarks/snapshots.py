"""What a snapshot costs when little has changed, and how soon a run goes on.

    python -m benchmarks.snapshots [--signals 100000 1000000]

Fills the 64 shards with signals that have a row each, then takes the snapshots of some epochs in
each of which 1 % of them are used. Beside it, in the same run, a base of everything: what every
epoch would cost without a journal. Then checks all of it and reads it back, as a run that goes on
does. Prints JSON; the ratios to the base are what to look at. Each shard's base comes again after
at most `durable.CHAIN` epochs, the shards in turn: `base_bytes_an_epoch_on_average` is its share.
The disk is that of the temporary folder.
"""

import argparse
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from operators.blocks import SHARDS, ShardRows, shard_name
from operators.count import Counting
from operators.durable import durable, handles, segments
from operators.durable.durable import Book, Durable, Place, restored
from operators.durable.fence import Fence
from trend.budget import ShardSettings
from trend.records import USE, VOLUME

TICK_S = 600
EPOCHS = 5
DIRTY = 0.01
LABEL = b"label"
AUTHORS = 3
"""Uses, each by another author, that give a signal a row."""


def rows(signals: np.ndarray, tick: int, uses: int, draw: np.random.Generator) -> list[ShardRows]:
    """`uses` of each of the signals at a tick, by shard; the tick before is complete with it."""
    table = np.zeros(signals.size * uses, USE)
    table["signal"] = np.repeat(signals, uses)
    table["author"] = table["reel"] = draw.integers(1, 1 << 62, table.size)
    table["tick"] = table["apply"] = tick
    table["kind"] = 1
    table["label_len"] = len(LABEL)
    shard = (table["signal"] >> np.uint64(58)).astype(np.int64)
    order = np.argsort(shard, kind="stable")
    table, ends = table[order], np.searchsorted(shard[order], np.arange(SHARDS + 1))
    volume = np.zeros(1, VOLUME)
    volume["apply"] = volume["tick"] = tick
    volume["reels"] = table.size
    parts = [table[ends[n] : ends[n + 1]].copy() for n in range(SHARDS)]
    return [
        ShardRows(shard_name(n), "p", part, LABEL, tick, False, volume)
        for n, part in enumerate(parts)
    ]


def epoch(steps: list[Durable[Any, Any]], items: list[ShardRows]) -> None:
    """Give every shard its rows."""
    for step, item in zip(steps, items, strict=True):
        step.on_batch([item])


def snapshot(steps: list[Durable[Any, Any]], folder: Path) -> tuple[dict[str, float], list[bytes]]:
    """Take the snapshots of an epoch; seconds by the clock and of the processor, and bytes."""
    before = {path.name for path in folder.iterdir()}
    clock, processor = time.perf_counter(), time.process_time()
    said = [step.snapshot() for step in steps]
    cost = {
        "seconds": time.perf_counter() - clock,
        "cpu_seconds": time.process_time() - processor,
        "bytes": float(
            sum(path.stat().st_size for path in folder.iterdir() if path.name not in before)
            + sum(map(len, said))
        ),
    }
    return cost, said


def measure(signals: int, folder: Path) -> dict[str, Any]:
    """All figures at one size."""
    draw = np.random.default_rng(1)
    (folder / "segments").mkdir(parents=True)
    Fence.claim(folder / "fence", 1)
    book = Book(Place(folder, 1, 0), "count")
    settings = ShardSettings(TICK_S, (1, 3, 6, 12, 24), 10, 2.0, (8 << 30) // SHARDS)
    steps: list[Durable[Any, Any]] = [
        Durable(Counting(settings, ["p"]), book) for _ in range(SHARDS)
    ]
    known = draw.integers(1, 1 << 64, signals, np.uint64)
    tick = 100_000
    for part in np.array_split(known, 10):  # ten ticks, so that no table is filled at once
        epoch(steps, rows(part, tick, AUTHORS, draw))
        tick += 1
    base, _ = snapshot(steps, book.folder)
    epoch(steps, rows(known[:SHARDS], tick, 1, draw))
    snapshot(steps, book.folder)  # closes the last tick of the filling
    deltas = []
    said: list[bytes] = []
    for _ in range(EPOCHS):
        tick += 1
        epoch(steps, rows(draw.choice(known, int(signals * DIRTY)), tick, 1, draw))
        cost, said = snapshot(steps, book.folder)
        deltas.append(cost)
    delta = {name: float(np.median([cost[name] for cost in deltas])) for name in base}
    bases = sum(len(handles.decode(one).chain) == 1 for one in said)
    del steps
    clock, processor = time.perf_counter(), time.process_time()
    for one in said:
        handle = handles.decode(one)
        for ref in handle.chain:
            segments.check(book.folder, handle.step, handle.key, ref)
    checked = time.perf_counter() - clock
    machines = [restored(book.folder, handles.decode(one)) for one in said]
    restart = {
        "seconds": time.perf_counter() - clock,
        "cpu_seconds": time.process_time() - processor,
        "of_these_checked": checked,
        "deltas": EPOCHS + 1,
    }
    del machines
    return {
        "signals": signals,
        "dirty_share": DIRTY,
        "base": base,
        "epoch": delta,
        "epoch_to_base": {name: round(delta[name] / base[name], 4) for name in base},
        "bases_taken_meanwhile": bases,
        "base_bytes_an_epoch_on_average": round(base["bytes"] / durable.CHAIN),
        "restart": restart,
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--signals", type=int, nargs="+", default=[100_000, 1_000_000])
    figures = []
    for signals in parser.parse_args().signals:
        folder = Path(tempfile.mkdtemp(prefix="snapshots-"))
        try:
            figures.append(measure(signals, folder))
        finally:
            shutil.rmtree(folder)
    print(json.dumps(figures, indent=1))


if __name__ == "__main__":
    main()
