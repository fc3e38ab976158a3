"""What a run tells Prometheus: its board, its processes, its folder, and what its workers count.

All of it is gathered when somebody asks.
"""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from operators import metrics
from operators.alerts import outbox
from operators.durable.sweep import Name
from operators.kafka import place_of
from operators.metrics import Metric
from operators.sources.board import Board

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family
    from prometheus_client.registry import Collector

COUNTERS: Final = {
    metrics.READ: "records",
    metrics.REJECTED: "rejects",
    metrics.DUPLICATE: "duplicates",
    metrics.LATE: "late",
    metrics.CLAMPED: "clamped",
}
"""Those whose field of the board goes on with a state."""
TICKS_S: Final = os.sysconf("SC_CLK_TCK")
PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")


@dataclass(slots=True)
class Run:
    """What is looked at: the workers that read a set of partitions, until there are more."""

    board: Board
    workers: Mapping[str, int]
    """Process ids by name."""
    folder: Path
    """Of the state."""
    counted: Path
    """Where the workers count."""
    ends: dict[str, int] = field(default_factory=dict)
    """Partition -> the offset of its end, as of the last answer of a broker."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What is the same for as long as this process runs."""

    fdr: float
    started: float = field(default_factory=time.time)


def gathered(run: Run | None, facts: Facts, ready: bool) -> "Iterator[Family]":
    """All metrics there are now."""
    yield single(metrics.READY, float(ready))
    yield single(metrics.INFO, 1.0, version("groundswell"))
    yield single(metrics.STARTED, facts.started)
    yield single(metrics.FDR, facts.fdr)
    yield from of_processes({"main": os.getpid(), **(run.workers if run else {})})
    if run is not None:
        yield from _of_board(run)
        yield _family(metrics.STATE, {(step,): n for step, n in _states(run.folder).items()})
        yield from of_workers(run.counted)
        yield from _of_alerts(run.folder / outbox.NAME)


def single(metric: Metric, value: float, *labels: str) -> "Family":
    """A metric with one value."""
    return _family(metric, {labels: value})


def of_processes(processes: Mapping[str, int]) -> "Iterator[Family]":
    """What processes use, by their names; ids of those that have ended are passed over."""
    used = {name: found for name, pid in processes.items() if (found := _process(pid))}
    yield _family(metrics.CPU, {(name,): cpu for name, (cpu, _) in used.items()})
    yield _family(metrics.MEMORY, {(name,): memory for name, (_, memory) in used.items()})


def up(counted: Path) -> dict[str, bool]:
    """Which sinks have begun, and whether each takes what is written."""
    return {
        sample.labels["sink"]: sample.value > 0
        for family in of_workers(counted)
        if family.name == metrics.SINK_UP.name
        for sample in family.samples
    }


def lag(run: Run) -> dict[str, int]:
    """Messages of each partition that were not read, where a broker said how many there are."""
    return {
        name: max(0, end - max(0, run.board.get(name, "offset")))
        for name, end in run.ends.items()
        if name in run.board.partitions
    }


def _of_board(run: Run) -> "Iterator[Family]":
    board = run.board
    labels = {name: _place(name) for name in board.partitions}
    for metric, name in COUNTERS.items():
        values = {labels[one]: board.since_start(one, name) for one in board.partitions}
        yield _family(metric, values)
    for metric, name in ((metrics.READ_BYTES, "bytes_read"), (metrics.COUNTED, "counted")):
        yield _family(metric, {labels[one]: board.get(one, name) for one in board.partitions})
    yield _family(metrics.LAG, {labels[name]: n for name, n in lag(run).items()})
    yield _family(metrics.IDLE, {labels[one]: board.get(one, "idle") for one in board.partitions})
    reached = {labels[one]: board.get(one, "reached_us") / 1e6 for one in board.partitions}
    yield _family(metrics.EVENT_TIME, {place: at for place, at in reached.items() if at})
    front = board.front()
    if front is not None:
        yield _family(metrics.WATERMARK, {(): front / 1e6})
        yield _family(metrics.WATERMARK_AGE, {(): time.time() - front / 1e6})


def _place(partition: str) -> tuple[str, ...]:
    topic, number = place_of(partition)
    return topic, str(number)


def of_workers(counted: Path) -> "Iterator[Family]":
    """What processes count into a folder."""
    try:
        yield from _collector(counted).collect()
    except FileNotFoundError:
        return  # the run has just ended


@cache
def _collector(counted: Path) -> "Collector":
    from prometheus_client import CollectorRegistry
    from prometheus_client.multiprocess import MultiProcessCollector

    made: Collector = MultiProcessCollector(CollectorRegistry(), str(counted))  # type: ignore[no-untyped-call]
    return made


def _of_alerts(path: Path) -> "Iterator[Family]":
    try:
        rules = outbox.counts(path)
    except sqlite3.Error:
        return  # the sender says what is wrong with it
    if rules:
        outcomes: dict[tuple[str, ...], float] = {
            (rule, one): float(found[one])
            for rule, found in rules.items()
            for one in metrics.OUTCOMES
        }
        yield _family(metrics.ALERTS, outcomes)
        yield _family(
            metrics.ALERTS_WAITING,
            {(rule,): float(found["waiting"]) for rule, found in rules.items()},
        )


def _states(folder: Path) -> dict[str, int]:
    sizes: Counter[str] = Counter()
    try:
        with os.scandir(folder / "segments") as entries:
            for entry in entries:
                name = Name.of(entry.name)
                if name is not None:
                    sizes[name.step] += entry.stat().st_size
    except FileNotFoundError:
        pass  # what no epoch needs is deleted all the time
    return dict(sizes)


def _process(pid: int) -> tuple[float, float] | None:
    """Processor seconds and resident bytes of a process; None where it has ended."""
    try:
        said = Path(f"/proc/{pid}/stat").read_text()
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return None
    fields = said.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_S, float(int(pages) * PAGE_BYTES)


def _family(metric: Metric, values: Mapping[tuple[str, ...], float]) -> "Family":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    kind = CounterMetricFamily if metric.type == "counter" else GaugeMetricFamily
    family = kind(metric.name, metric.help, labels=metric.labels)
    for labels, value in values.items():
        family.add_metric(labels, value)
    return family
