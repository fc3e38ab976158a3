"""From Kafka to Kafka, PostgreSQL and Redis: `python -m benchmarks.kafka`.

Starts the three services as the tests do (PostgreSQL with fsync), on the same machine. Prints JSON.
Nothing is asserted: the figures depend on the machine, the ratios much less.

Rates: all ways get the same simulated lines, each in a process of its own, with kernels loaded and
10,000 reels read before; they take turns, several rounds, and the best round of each counts. What
the brokers and servers do beside it is in the clock (they have the same cores), not in the
processor time, which is of our process with all its threads.

- file: `benchmarks.throughput`'s flow, from a file to `trends.jsonl` and `rejects.jsonl`
- file, with a state: the same and what `groundswell run` also does: snapshots, and the SQLite store
- Kafka to Kafka: a topic of 8 partitions to the topics of trends and of dead letters, with a state
- Kafka to all: to PostgreSQL and Redis as well; what it takes to connect, to look at the topics and
  to leave is that of a topic with one line, and is told apart

Latency: `groundswell run`, and reels sent in order at an even pace. A revision is decided when each
partition has sent what completes its tick; `latency_ms` is from the moment at which the last of
these reels is handed to the producer to that at which a `read_committed` consumer has the revision.
What event time takes is not in it, and is told beside it in `waits_min`: by so much the reels that
completed a tick are later than its end (the lateness that is waited for, and the 32 reels of a
partition that its clock looks ahead at, which take the longer the fewer reels come).
"""

import argparse
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from benchmarks.throughput import FILES, Stream, Timed, flow, run_flow, simulated, timed

KAFKA_OVER_FILE: Final = 0.6
ALL_OVER_KAFKA: Final = 1.1
PARTITIONS: Final = 4
"""Of the topic that latency is measured with."""
LARGE: Final = 8 << 20
"""Bytes of a message: lines that are too long come through."""
GROUP_S: Final = 0.01
"""Time between two groups of reels that are sent."""

START: Final = "Kafka to all, 1 line"

_numbers = count()


@dataclass(frozen=True, slots=True)
class Services:
    """Where the services are."""

    kafka: str
    database: str
    redis: str

    def environment(self, group: str) -> dict[str, str]:
        """What a run with topics of its own reads."""
        return {
            "GROUNDSWELL_KAFKA_BOOTSTRAP": self.kafka,
            "GROUNDSWELL_KAFKA_GROUP": group,
            "GROUNDSWELL_KAFKA_REELS": f"{group}.reels",
            "GROUNDSWELL_KAFKA_TRENDS": f"{group}.trends",
            "GROUNDSWELL_KAFKA_CURRENT": f"{group}.current",
            "GROUNDSWELL_KAFKA_DEAD_LETTERS": f"{group}.dlq",
            "GROUNDSWELL_DATABASE_URL": self.database,
            "GROUNDSWELL_REDIS_URL": self.redis,
        }


@contextmanager
def services() -> Iterator[Services]:
    """The three services, stopped when the block ends."""
    from tests.services import broker, postgres, redis

    with (
        TemporaryDirectory(prefix="groundswell-kafka-") as folder,
        broker.running(Path(folder)) as kafka,
        postgres.running(fsync="on") as database,
        redis.running() as keys,
    ):
        yield Services(kafka.address, database.database(), keys.url)


def emptied(services: Services) -> None:
    """Have the tables and the keys empty."""
    import psycopg
    import redis

    from operators.sinks import postgres

    with psycopg.connect(services.database, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS groundswell CASCADE")
    postgres.migrate(services.database)
    with redis.Redis.from_url(services.redis) as client:
        client.flushdb()


def made(services: Services, partitions: int) -> str:
    """Make a topic of reels and return the group whose it is."""
    from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]

    group = f"benchmark-{os.getpid()}-{next(_numbers)}"
    admin = AdminClient({"bootstrap.servers": services.kafka})
    topic = NewTopic(f"{group}.reels", partitions, 1, config={"max.message.bytes": str(LARGE)})
    for future in admin.create_topics([topic]).values():
        future.result()
    return group


def producer(services: Services, **more: object) -> Any:
    """A producer as a team would have it."""
    from confluent_kafka import Producer

    return Producer(
        {
            "bootstrap.servers": services.kafka,
            "enable.idempotence": True,
            "compression.type": "lz4",
            "message.max.bytes": LARGE,
            **more,
        }
    )


def filled(services: Services, parts: Sequence[Path]) -> str:
    """Make a topic with the lines of these files, a partition each; return the group."""
    group = made(services, len(parts))
    sender = producer(services, **{"linger.ms": 50})
    for number, part in enumerate(parts):
        for line in part.read_bytes().splitlines():
            while True:
                try:
                    sender.produce(f"{group}.reels", line, None, number)
                    break
                except BufferError:
                    sender.poll(0.1)
        sender.poll(0)
    assert sender.flush(120) == 0
    return group


def run_job(services: Services, given: Path | str, to_services: bool) -> None:
    """What a worker does, with a state: `given` is a file, or the group whose topic is read."""
    from flows import job as jobs
    from flows import settings as every_setting
    from flows import worker
    from flows.job import Job
    from flows.kafka import connection_of, prepare
    from flows.state import StateFolder
    from operators.kafka import partition_name
    from operators.sources.board import Board

    group = given if isinstance(given, str) else "none"
    os.environ.update(services.environment(group))
    settings = every_setting.load()
    read, names = None, [str(given)]
    if isinstance(given, str):
        read = prepare(settings, connection_of(settings), None, to_end=True)
        names = [partition_name(settings.kafka_reels, number) for number in read.spans]
    with (
        TemporaryDirectory(prefix="groundswell-") as name,
        StateFolder(Path(name, "state")) as state,
    ):
        folder = Path(name)
        job = Job(
            inputs=[settings.kafka_reels] if read else names,
            to=None if read else str(folder / "trends.jsonl"),
            store=str(folder / "trends.db"),
            rejects=None if read else str(folder / "rejects.jsonl"),
            state=str(folder / "state"),
            board=str(folder / "board"),
            processes=1,
            addresses=[],
            batch_size=settings.batch_size,
            settings=every_setting.told(settings),
            services=to_services,
            generation=state.generation,
            kafka=read,
            version=jobs.version(),
        )
        state.begin(job, False)
        Board.create(folder / "board", names)
        jobs.write(job, folder / "job.json")
        worker.main(folder / "job.json", 0)


@dataclass(frozen=True, slots=True)
class Way:
    """A run with a state: of a file or of a topic, and whether it writes to the services too."""

    services: Services
    from_kafka: bool
    to_services: bool = False
    one_line: bool = False

    def __call__(self, stream: Stream) -> Timed:
        """Read 10,000 reels, then all, and time the latter."""
        if not self.from_kafka:
            run_job(self.services, stream.stock, False)
            with timed(stream.lines) as took:
                run_job(self.services, stream.whole, False)
            return took
        emptied(self.services)
        run_job(self.services, filled(self.services, [stream.stock]), self.to_services)
        emptied(self.services)
        parts = [stream.parts / f"{number}.jsonl" for number in range(FILES)]
        group = filled(self.services, [stream.line] if self.one_line else parts)
        with timed(1 if self.one_line else stream.lines) as took:
            run_job(self.services, group, self.to_services)
        return took


def rates(services: Services, stream: Stream, rounds: int) -> dict[str, Any]:
    """The best of several rounds of each way, and the ratios that are asked for."""
    ways: dict[str, Callable[[Stream], Timed]] = {
        "file": flow,
        "file, with a state": Way(services, from_kafka=False),
        "Kafka to Kafka": Way(services, from_kafka=True),
        "Kafka to all": Way(services, from_kafka=True, to_services=True),
        START: Way(services, from_kafka=True, to_services=True, one_line=True),
    }
    best: dict[str, Timed] = {}
    with get_context("spawn").Pool(1, maxtasksperchild=1) as process:
        process.apply(run_flow, (stream.stock,))  # loads what was compiled
        for _ in range(rounds):
            for name, way in ways.items():
                took = process.apply(way, (stream,))
                print(f"{name}: {took.wall_s:.2f} s, {took.cpu_s:.2f} s CPU", file=sys.stderr)
                known = best.setdefault(name, took)
                known.wall_s = min(known.wall_s, took.wall_s)
                known.cpu_s = min(known.cpu_s, took.cpu_s)

    def ratio(one: str, other: str, target: float) -> dict[str, float]:
        """How many times as much time `other` takes as `one`."""
        a, b = best[one], best[other]
        return {
            "by_clock": round(b.wall_s / a.wall_s, 3),
            "by_clock_after_start": round(after_start(other) / after_start(one), 3),
            "by_cpu": round(b.cpu_s / a.cpu_s, 3),
            "target": target,
        }

    def after_start(name: str) -> float:
        return best[name].wall_s - (best[START].wall_s if name.startswith("Kafka") else 0.0)

    return {
        "ways": {
            name: {
                "reels_per_s": round(took.lines / took.wall_s),
                "wall_s": round(took.wall_s, 3),
                "cpu_s": round(took.cpu_s, 3),
            }
            for name, took in best.items()
        },
        "ratios": {
            "rate: Kafka to all / file": ratio("Kafka to all", "file", KAFKA_OVER_FILE),
            "time: Kafka to all / Kafka to Kafka": ratio(
                "Kafka to Kafka", "Kafka to all", ALL_OVER_KAFKA
            ),
        },
    }


@dataclass(slots=True)
class Sent:
    """Groups of reels that were sent together, and when (s, monotonic)."""

    groups: list[list[list[bytes]]]
    """[group][partition] lines."""
    times: list[float]


def in_groups(stream: Stream, a_second: float) -> Sent:
    """The lines of the first partitions in the order of their time of observation, in groups."""
    from msgspec import Struct
    from msgspec.json import Decoder

    class Seen(Struct):
        observed_at: datetime

    decode = Decoder(Seen).decode
    found: list[tuple[datetime, int, bytes]] = []
    for number in range(PARTITIONS):
        for line in (stream.parts / f"{number}.jsonl").read_bytes().splitlines():
            try:
                found.append((decode(line).observed_at, number, line))
            except (ValueError, RecursionError):
                continue
    found.sort(key=lambda one: one[0])
    size = max(1, round(a_second * GROUP_S))
    groups: list[list[list[bytes]]] = []
    for at in range(0, len(found), size):
        group: list[list[bytes]] = [[] for _ in range(PARTITIONS)]
        for _, number, line in found[at : at + size]:
            group[number].append(line)
        groups.append(group)
    return Sent(groups, [])


def completed(sent: Sent) -> tuple[list[int], list[float]]:
    """Where each group leads: the ticks complete by then, and the newest time (s since 1970)."""
    from flows.settings import load
    from operators.blocks import Poll
    from operators.decode import decode
    from operators.dedupe import Dedupe, EventTime

    settings = load()
    time_of = EventTime(
        settings.tick_seconds,
        settings.lateness_seconds,
        settings.future_seconds,
        settings.look_ahead,
    )
    machines = [Dedupe(time_of, settings.dedupe_reels) for _ in range(PARTITIONS)]
    closed, offsets = [0] * PARTITIONS, [0] * PARTITIONS
    complete: list[int] = []
    newest: list[float] = []
    for group in sent.groups:
        for number, part in enumerate(group):
            if part:
                data = b"\n".join(part) + b"\n"
                fresh = machines[number](decode(Poll(str(number), offsets[number], 0, data)))
                offsets[number] += len(part)
                if fresh is not None:
                    closed[number] = max(closed[number], fresh.closed)
        complete.append(min(closed))
        newest.append(max(machine.reached_us() for machine in machines) / 1e6)
    return complete, newest


def latency(services: Services, stream: Stream, a_second: float) -> dict[str, Any]:
    """How long after the reels that decide it a revision can be read."""
    from flows.settings import load

    emptied(services)
    sent = in_groups(stream, a_second)
    group = made(services, PARTITIONS)
    environment = {**os.environ, **services.environment(group)}
    with TemporaryDirectory(prefix="groundswell-") as folder:
        run = subprocess.Popen(
            [sys.executable, "-m", "flows.cli", "run", "--state", f"{folder}/state"],
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        got: list[tuple[float, bytes]] = []
        stop = threading.Event()
        listener = threading.Thread(target=_listen, args=(services, f"{group}.trends", got, stop))
        try:
            listener.start()
            time.sleep(5)  # it has begun
            _send(services, f"{group}.reels", sent)
            time.sleep(5)
        finally:
            run.terminate()
            code = run.wait()
            stop.set()
            listener.join()
    if code:
        raise RuntimeError(f"groundswell run ended with code {code}")
    complete, newest = completed(sent)
    tick_s = load().tick_seconds
    latencies, waits = [], []
    for at, body in got:
        decided = datetime.fromisoformat(json.loads(body)["event_time"]).timestamp()
        number = next((n for n, tick in enumerate(complete) if tick * tick_s >= decided), None)
        if number is not None:  # else the end of the run completed it
            latencies.append((at - sent.times[number]) * 1000)
            waits.append((newest[number] - decided) / 60)
    return {
        "reels_per_s": a_second,
        "reels": sum(len(part) for one in sent.groups for part in one),
        "revisions": len(latencies),
        "latency_ms": _quantiles(latencies),
        "waits_min": _quantiles(waits),
    }


def _send(services: Services, topic: str, sent: Sent) -> None:
    sender = producer(services, **{"linger.ms": 5})
    began = time.monotonic()
    for number, group in enumerate(sent.groups):
        time.sleep(max(0.0, began + number * GROUP_S - time.monotonic()))
        sent.times.append(time.monotonic())
        for partition, part in enumerate(group):
            for line in part:
                sender.produce(topic, line, None, partition)
        sender.poll(0)
    assert sender.flush(60) == 0


def _listen(
    services: Services, topic: str, got: list[tuple[float, bytes]], stop: threading.Event
) -> None:
    """Note what comes, and when."""
    from confluent_kafka import Consumer

    consumer = Consumer(
        {
            "bootstrap.servers": services.kafka,
            "group.id": f"{topic}-listener",
            "isolation.level": "read_committed",
            "auto.offset.reset": "earliest",
            "topic.metadata.refresh.interval.ms": 500,
            "fetch.wait.max.ms": 10,
            "log_level": 0,
        }
    )
    consumer.subscribe([topic])
    try:
        while not stop.is_set():
            message = consumer.poll(0.2)
            if message is not None and message.error() is None:
                got.append((time.monotonic(), message.value()))
    finally:
        consumer.close()


def _quantiles(values: Sequence[float]) -> dict[str, float]:
    found = np.quantile(values, (0.5, 0.99, 1.0)) if values else (np.nan,) * 3
    return dict(zip(("p50", "p99", "max"), (round(float(one), 1) for one in found), strict=True))


def main() -> None:
    """Measure and print the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--reels", type=int, default=400_000, help="reels to simulate")
    parser.add_argument("--days", type=int, default=14, help="days over which they are spread")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--repeats", type=int, default=3, help="rounds, of which the best counts")
    parser.add_argument("--pace", type=float, default=4000.0, help="reels a second, for latency")
    parser.add_argument("--only", choices=("rates", "latency"), help="measure this alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the report there too")
    given = parser.parse_args()
    stream = simulated(given.reels, given.days, given.seed, 10_000)
    about: dict[str, Any] = {
        "stream": {"reels": stream.lines, "days": given.days, "seed": given.seed},
        "rounds": given.repeats,
        "cores": os.cpu_count(),
    }
    with services() as all_three:
        if given.only != "latency":
            about |= rates(all_three, stream, given.repeats)
        if given.only != "rates":
            about["latency"] = latency(all_three, stream, given.pace)
    text = json.dumps(about, indent=2)
    print(text)
    if given.json:
        given.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
