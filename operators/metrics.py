"""The metrics of a run: what each is called, what it says, and how a worker process counts it.

`docs/metrics.md` is made from this file by `python -m flows.metrics_doc`. A worker counts into
files that prometheus-client maps into memory (its multiprocess mode), and the parent process adds
them up when it is asked (`flows.metrics`). Where nobody asked for metrics nothing is counted.

Counted are polls, writes, epochs and ticks, never single reels.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Literal

Type = Literal["counter", "gauge", "histogram"]

FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""The variable by which prometheus-client knows where its files are."""

SECONDS: Final = (0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Upper bounds of the buckets of all histograms, in seconds."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. `name` is as in PromQL but for `_total`, `_bucket` and so on."""

    name: str
    type: Type
    labels: tuple[str, ...]
    help: str

    def add(self, n: float, *labels: str) -> None:
        """Add to a counter or a gauge of this process."""
        if counting():
            _child(self, labels).inc(n)

    def set(self, value: float, *labels: str) -> None:
        """Set a gauge of this process; those of several processes are summed up."""
        if counting():
            _child(self, labels).set(value)

    def observe(self, seconds: float, *labels: str) -> None:
        """Count something that took so long."""
        if counting():
            _child(self, labels).observe(seconds)

    @property
    def full_name(self) -> str:
        """The name of a counter's values in PromQL; of other metrics its name."""
        return self.name + "_total" if self.type == "counter" else self.name


def _of_partition(name: str, kind: Type, said: str) -> Metric:
    return Metric(f"groundswell_{name}", kind, ("topic", "partition"), said)


READ: Final = _of_partition("reels_read", "counter", "Messages that were read.")
READ_BYTES: Final = _of_partition("read_bytes", "counter", "Bytes of the messages read.")
REJECTED: Final = _of_partition(
    "reels_rejected", "counter", "Messages that are no reels; they became dead letters."
)
DUPLICATE: Final = _of_partition(
    "reels_duplicate", "counter", "Reels that had been there before, with the same content or more."
)
LATE: Final = _of_partition(
    "reels_late",
    "counter",
    "Reels that came after their tick was complete; they count in a later one.",
)
CLAMPED: Final = _of_partition(
    "reels_clamped", "counter", "Reels stamped in the future, whose time was taken back."
)
COUNTED: Final = _of_partition(
    "reels_counted",
    "counter",
    "Reels that went on to be counted. With those rejected and duplicate: all that were read but "
    "the last few, which wait for their time to be confirmed. No reel is dropped otherwise.",
)
LAG: Final = _of_partition(
    "lag_messages",
    "gauge",
    "Messages of the partition that were not read yet, as of the last answer of a broker.",
)
EVENT_TIME: Final = _of_partition(
    "event_time_seconds", "gauge", "Where the partition is in event time, Unix time."
)
IDLE: Final = _of_partition(
    "partition_idle", "gauge", "1 while the partition is silent and the others go on without it."
)

WATERMARK: Final = Metric(
    "groundswell_watermark_seconds",
    "gauge",
    (),
    "Event time that all partitions but the silent ones have reached, Unix time.",
)
WATERMARK_AGE: Final = Metric(
    "groundswell_watermark_age_seconds", "gauge", (), "How far the watermark is behind the clock."
)
DECIDED: Final = Metric(
    "groundswell_decided_seconds",
    "gauge",
    (),
    "Event time up to which trends are decided, Unix time.",
)

TRENDS: Final = Metric(
    "groundswell_trends",
    "counter",
    ("kind", "stage"),
    "Trends that were told for the first time, by the stage they were in.",
)
REVISIONS: Final = Metric(
    "groundswell_revisions",
    "counter",
    ("kind", "stage"),
    "Revisions of trends that were told, first ones included.",
)
FALSE_EXPECTED: Final = Metric(
    "groundswell_false_alerts_expected",
    "counter",
    (),
    "Sum of 1 - score over the trends told for the first time: how many of them are false, as "
    "the model has it that learns from this stream. Over groundswell_trends_total: their share.",
)
FDR: Final = Metric(
    "groundswell_fdr_asked", "gauge", (), "False-discovery rate that is asked for: setting fdr."
)
FOLLOWED: Final = Metric(
    "groundswell_trends_followed", "gauge", (), "Trends that are followed, told or not."
)
CANDIDATES: Final = Metric(
    "groundswell_candidates",
    "gauge",
    (),
    "Trends of which it is not settled yet whether they took off.",
)
LIVE: Final = Metric(
    "groundswell_signals_live", "gauge", (), "Signals that are counted with a history."
)
EVICTED: Final = Metric(
    "groundswell_signals_evicted",
    "counter",
    (),
    "Signals that were let go: idle for as long as history is kept, or the least useful of all "
    "when memory was short.",
)

SOUNDS: Final = Metric("groundswell_sounds", "gauge", (), "Sounds that reels are compared with.")
RECORDINGS: Final = Metric(
    "groundswell_recordings",
    "gauge",
    ("by",),
    "Recordings of sounds that reels are compared with, by fingerprints or landmarks.",
)
RECORDINGS_EVICTED: Final = Metric(
    "groundswell_recordings_evicted",
    "counter",
    (),
    "Fingerprints that were let go when memory was short, those used least first.",
)
SOUNDS_MERGED: Final = Metric(
    "groundswell_sounds_merged", "counter", (), "Sounds that proved to be one with an older sound."
)
UNHEARD: Final = Metric(
    "groundswell_reels_unheard",
    "counter",
    ("field", "reason"),
    "Reels whose sound is taken as the platform names it, because the fingerprint or the landmarks "
    "are broken, short, plain (of silence or one tone) or of another version.",
)

SINK_SECONDS: Final = Metric(
    "groundswell_sink_write_seconds",
    "histogram",
    ("sink",),
    "Time of one write that succeeded, from its first attempt until it was acknowledged.",
)
SINK_WRITTEN: Final = Metric(
    "groundswell_sink_written", "counter", ("sink",), "Revisions or dead letters written."
)
SINK_FAILURES: Final = Metric(
    "groundswell_sink_failures", "counter", ("sink",), "Attempts to write that failed."
)
SINK_UP: Final = Metric(
    "groundswell_sink_up",
    "gauge",
    ("sink",),
    "1 while the service takes what is written; 0 from a failed attempt until the next success. "
    "There from the first time that something is written.",
)

ALERTS: Final = Metric(
    "groundswell_alerts",
    "counter",
    ("rule", "outcome"),
    "Alerts of a rule that were sent, failed (refused, or tried for too long), dropped (too many "
    "waited) or stale (too old), since the state folder was made. There where alert_rules is set.",
)
ALERTS_WAITING: Final = Metric(
    "groundswell_alerts_waiting", "gauge", ("rule",), "Alerts of a rule that wait to be sent."
)

STATE: Final = Metric(
    "groundswell_state_bytes",
    "gauge",
    ("step",),
    "Bytes of states in the state folder, by the step of the flow.",
)
STATE_WRITTEN: Final = Metric(
    "groundswell_state_written_bytes", "counter", ("step",), "Bytes of states that were written."
)
STATE_SECONDS: Final = Metric(
    "groundswell_state_write_seconds",
    "histogram",
    ("step",),
    "Time to write the states of one step and process that changed in an epoch.",
)
EPOCH: Final = Metric(
    "groundswell_epoch_seconds",
    "histogram",
    (),
    "Time between two snapshots of a process: setting epoch_seconds while all is well.",
)

USED: Final = Metric(
    "groundswell_buffer_used",
    "gauge",
    ("buffer",),
    "What is in a bounded buffer, over all processes, in the unit of the table below.",
)
LIMIT: Final = Metric(
    "groundswell_buffer_limit", "gauge", ("buffer",), "What may be in it, in the same unit."
)
EXCHANGED: Final = Metric(
    "groundswell_exchange_bytes",
    "counter",
    (),
    "Bytes that processes sent each other through shared memory.",
)
OVERFLOWED: Final = Metric(
    "groundswell_exchange_overflows",
    "counter",
    (),
    "Large items that found no room there and went through sockets.",
)

EXTRACTED: Final = Metric(
    "groundswell_extract_reels",
    "counter",
    ("outcome",),
    "Reels that left an extraction: looked_at, failed (nothing of their media could be had), or "
    "passed (the gate, no media, or they had come before).",
)
EXTRACT_FAILED: Final = Metric(
    "groundswell_extract_failures",
    "counter",
    ("error",),
    "Reels whose media, or a part of it, could not be had, by the class of the error.",
)
EXTRACT_SECONDS: Final = Metric(
    "groundswell_extract_seconds",
    "histogram",
    ("stage",),
    "Time of a reel in a stage: fetch, decode, or an extractor; waiting for it included.",
)

READY: Final = Metric("groundswell_ready", "gauge", (), "1 while /readyz says so.")
INFO: Final = Metric("groundswell_info", "gauge", ("version",), "1; the version of Groundswell.")
STARTED: Final = Metric(
    "groundswell_start_seconds", "gauge", (), "When this run was started, Unix time."
)
CPU: Final = Metric(
    "groundswell_process_cpu_seconds",
    "counter",
    ("process",),
    "Processor time of a process: main, worker-0 and so on.",
)
MEMORY: Final = Metric(
    "groundswell_process_resident_bytes", "gauge", ("process",), "Memory of a process."
)

METRICS: Final = (
    *(READ, READ_BYTES, REJECTED, DUPLICATE, LATE, CLAMPED, COUNTED, LAG, EVENT_TIME, IDLE),
    *(WATERMARK, WATERMARK_AGE, DECIDED),
    *(TRENDS, REVISIONS, FALSE_EXPECTED, FDR, FOLLOWED, CANDIDATES, LIVE, EVICTED),
    *(SOUNDS, SOUNDS_MERGED, RECORDINGS, RECORDINGS_EVICTED, UNHEARD),
    *(SINK_SECONDS, SINK_WRITTEN, SINK_FAILURES, SINK_UP, ALERTS, ALERTS_WAITING),
    *(STATE, STATE_WRITTEN, STATE_SECONDS, EPOCH),
    *(USED, LIMIT, EXCHANGED, OVERFLOWED),
    *(EXTRACTED, EXTRACT_FAILED, EXTRACT_SECONDS),
    *(READY, INFO, STARTED, CPU, MEMORY),
)
"""All there are, as the page lists them."""

SINKS: Final = {
    "kafka-trends": "topics of trends",
    "kafka-dead-letters": "topic of dead letters",
    "postgres": "PostgreSQL or TimescaleDB",
    "redis": "Redis or Valkey",
}
"""Values of the label `sink`."""

OUTCOMES: Final = ("sent", "failed", "dropped", "stale")
"""Values of the label `outcome`."""

STEPS: Final = {
    "dedupe": "the reels of each partition that were there before",
    "listen": "reels that wait, and fingerprints that they are compared with",
    "landmarks": "landmarks that they are compared with",
    "identify": "the sounds, and reels of new ones",
    "count": "counts of signals",
    "cooccur": "the co-occurrence graph",
    "synthesise": "trends, and the ids of reels",
}
"""Values of the label `step`."""

BUFFERS: Final = {
    "exchange": ("bytes", "shared memory between processes, setting exchange_mb"),
    "kafka-fetched": ("bytes", "messages fetched and not yet handed over"),
    **{
        f"sink-{name}": ("items", f"what waits to be written to: {what}")
        for name, what in SINKS.items()
    },
    "fingerprints": ("bytes", "fingerprints of sounds, a quarter of setting sounds_mb"),
    "landmarks": ("bytes", "landmarks of sounds, three quarters of setting sounds_mb"),
    "sound-reels": ("reels", "reels of sounds that are new, setting sounds_reels"),
    "signals": ("bytes", "counts and history of signals, from setting memory_mb"),
    "uses": ("uses", "the log of the last day's uses, from setting memory_mb"),
    "pairs": ("pairs", "(signal, author) pairs, from setting memory_mb"),
    "reel-ids": ("reels", "ids of reels, setting catalogue_reels"),
    "bursting": ("signals", "signals that burst and are followed"),
    "edges": ("edges", "the co-occurrence graph"),
    "extract-window": ("reels", "under way in an extraction, setting extract_window"),
    "extract-decoded": ("reels", "with their media in memory, setting extract_decoded"),
}
"""Values of the label `buffer`: unit, and what it is."""


class _State:
    counting = False


def counting() -> bool:
    """Whether somebody wants to know."""
    return _State.counting


def count(folder: Path) -> None:
    """Have this process count, into files in `folder`. Called before anything is counted."""
    os.environ[FOLDER] = str(folder)
    _State.counting = True


Sizes = Mapping[tuple[Metric, tuple[str, ...]], float]
"""Metric and labels -> what one of several that share a metric has to add to it."""


def begin(sizes: Sizes) -> None:
    """Add the share of one that goes on with a state; a counter counts from there."""
    for (metric, labels), value in sizes.items():
        metric.add(0 if metric.type == "counter" else value, *labels)


def move(before: Sizes, now: Sizes) -> None:
    """Add what became more or less of the share of one."""
    for (metric, labels), value in now.items():
        if more := value - before.get((metric, labels), 0.0):
            metric.add(more, *labels)


@cache
def _child(metric: Metric, labels: tuple[str, ...]) -> Any:
    parent = _made(metric)
    return parent.labels(*labels) if metric.labels else parent


@cache
def _made(metric: Metric) -> Any:
    from prometheus_client import Counter, Gauge, Histogram

    if metric.type == "counter":
        return Counter(metric.name, metric.help, metric.labels)
    if metric.type == "gauge":
        return Gauge(metric.name, metric.help, metric.labels, multiprocess_mode="sum")
    return Histogram(metric.name, metric.help, metric.labels, buckets=SECONDS)
