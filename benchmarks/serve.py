"""How soon the radar answers while a store is written: `python -m benchmarks.serve`.

Makes a store of 10,000 trends with a million points of series, serves it by `groundswell serve`,
reads its stream from 200 clients, asks for 50 things a second for a minute, and meanwhile writes to
the store what a replay would: by `groundswell replay --store` into another file, which keeps a
processor busy, and by revisions put into the served store, each second some. Prints JSON: the
latencies of requests (from when they were due to the last byte) by kind, how soon events came, the
processor time of the server, and how soon the first page was there. Nothing is asserted.
"""

import argparse
import asyncio
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from multiprocessing import get_context
from multiprocessing.synchronize import Event as EventType
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
import msgspec

from operators.links import Linked
from operators.sinks.store import StorePart
from schemas.trends import ForecastPoint, Member, SeriesPoint, SignalKind, Stage, Trend

HOUR: Final = timedelta(hours=1)
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
SPAWN: Final = get_context("spawn")
STOP: Final = object()
"""Stands for the event that ends a process."""
Counter = Any
"""A number that processes share."""
POINTS: Final = 100
"""Hours of each trend's series; each revision has the last 48 of them."""
KINDS: Final[tuple[SignalKind, ...]] = ("sound", "hashtag", "phrase")
STAGES: Final[tuple[Stage, ...]] = ("emerging", "peaking", "fading", "fading", "fading")
ASKED: Final = {
    "list": "/v1/trends?view=brief",
    "full": "/v1/trends?limit=20",
    "words": "/v1/trends?view=brief&q=trend12",
    "stage": "/v1/trends?view=brief&stage=emerging&sort=growth",
    "overview": "/v1/overview",
    "trend": "/v1/trends/{}",
    "page": "/",
}


def trend(number: int, revision: int, hours: int) -> Trend:
    """A revision of a made-up trend with so many hours behind it."""
    draw = random.Random(number)
    kind = KINDS[number % 3]
    told = START + timedelta(hours=number % 700 + hours)
    name = f"#trend{number}"
    pace = draw.uniform(1, 30)
    return Trend(
        trend_id=f"01BENCH{number:08d}",
        revision=revision,
        kind=kind,
        stage=STAGES[number % len(STAGES)],
        scopes=("global",),
        event_time=told,
        started_at=told - hours * HOUR,
        name=name,
        summary=f"Emerging: {name}.",
        category=None,
        reels=int(pace * 24),
        authors=int(pace * 20),
        expected=4.2,
        growth=pace,
        velocity_per_h=pace,
        acceleration_per_h2=0.3,
        score=draw.random(),
        q_value=0.001,
        members=tuple(
            Member(kind=kind, id=f"{number}-{at}", label=f"{name} {at}", weight=0.25, reels=40)
            for at in range(4)
        ),
        examples=tuple(f"{number:09d}{at:09d}" for at in range(10)),
        series=tuple(
            SeriesPoint(t=told - at * HOUR, reels=draw.randrange(40), expected=3.3)
            for at in range(min(hours, 50), 0, -1)
        ),
        forecast=tuple(
            ForecastPoint(t=told + at * HOUR, reels=9.5, low=3.0, high=20.0) for at in range(24)
        ),
        why="402 people used it in 24 h where 4.2 were expected; sound and hashtag rise together",
    )


def make(path: Path, trends: int) -> None:
    """Two revisions of each trend, whose series have `POINTS` hours together."""
    part = StorePart(path, None)
    for first in range(0, trends, 500):
        numbers = range(first, min(first + 500, trends))
        part.write_batch([Linked(trend(number, 1, POINTS // 2)) for number in numbers])
        part.write_batch([Linked(trend(number, 2, POINTS)) for number in numbers])
    part.close()


@contextmanager
def served(path: Path) -> Iterator[tuple[str, int, float]]:
    """The address and the id of a server, and the seconds until it was ready."""
    command = [sys.executable, "-m", "flows.cli", "serve", "--store", str(path), "--port", "0"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    began = time.monotonic()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[1].rstrip("/")
            yield address, process.pid, time.monotonic() - began
        finally:
            process.terminate()


@contextmanager
def replaying(folder: Path) -> Iterator[None]:
    """Replays run one after the other until the end of the block."""
    reels = folder / "sim"
    run = [sys.executable, "-m", "flows.cli"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(
        [*run, "simulate", str(reels), "--days", "6"], check=True, stdout=subprocess.DEVNULL
    )
    stop = threading.Event()

    def work() -> None:
        while not stop.is_set():
            command = [*run, "replay", str(reels / "reels.jsonl"), "--store", str(folder / "r.db")]
            with subprocess.Popen(command, **quiet) as process:  # type: ignore[call-overload]
                while process.poll() is None:
                    if stop.wait(0.2):
                        process.terminate()
                        process.wait()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def write(path: Path, trends: int, each_s: int, stop: EventType, written: Counter) -> None:
    """Put `each_s` revisions into the store each second until it is told to stop."""
    part = StorePart(path, None)
    draw = random.Random(0)
    revisions: dict[int, int] = {}
    while not stop.wait(1.0):
        numbers = draw.sample(range(trends), each_s)
        for number in numbers:
            revisions[number] = revisions.get(number, 2) + 1
        batch = [trend(n, revisions[n], POINTS + revisions[n]) for n in numbers]
        part.write_batch([Linked(one) for one in batch])
        written.value += len(batch)
    part.close()


def read(address: str, streams: int, stop: EventType, events: Counter, resets: Counter) -> None:
    """Read so many streams until it is told to stop."""
    asyncio.run(listen_all(address, streams, stop, events, resets))


async def listen_all(
    address: str, streams: int, stop: EventType, events: Counter, resets: Counter
) -> None:
    """See `read`."""
    got = [0, 0]
    until = asyncio.Event()
    readers = [asyncio.create_task(listen(address, got, until)) for _ in range(streams)]
    while not stop.is_set():
        await asyncio.sleep(0.1)
        events.value, resets.value = got
    until.set()
    await asyncio.gather(*readers)
    events.value, resets.value = got


@contextmanager
def beside(work: Callable[..., None], *arguments: object) -> Iterator[None]:
    """A process of its own for the length of the block; its last arguments are shared."""
    stop = SPAWN.Event()
    found = [*arguments]
    place = next(at for at, one in enumerate(found) if one is STOP)
    found[place] = stop
    process = SPAWN.Process(target=work, args=found)
    process.start()
    try:
        yield
    finally:
        stop.set()
        process.join()


async def listen(address: str, got: list[int], until: asyncio.Event) -> None:
    """Read the stream as the page does, counting events."""
    host, port = address.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 20)
    writer.write(f"GET /v1/stream?view=brief HTTP/1.1\r\nHost: {host}:{port}\r\n\r\n".encode())
    await writer.drain()
    ending = asyncio.create_task(until.wait())
    while not until.is_set():
        reading = asyncio.create_task(reader.read(1 << 16))
        await asyncio.wait({reading, ending}, return_when=asyncio.FIRST_COMPLETED)
        if not reading.done():
            reading.cancel()
            break
        chunk = reading.result()
        if not chunk:
            break
        got[0] += chunk.count(b"event: trend")
        got[1] += chunk.count(b"event: reset")
    ending.cancel()
    writer.close()


async def ask(
    address: str, rate: int, seconds: float, trends: int
) -> tuple[dict[str, list[float]], list[int]]:
    """Latencies (s) by kind of what is asked at a steady rate, and the statuses that were bad."""
    found: dict[str, list[float]] = {kind: [] for kind in ASKED}
    bad: list[int] = []
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=50)
    draw = random.Random(1)
    async with httpx.AsyncClient(limits=limits, timeout=30, trust_env=False) as client:

        async def one(kind: str, due: float) -> None:
            path = ASKED[kind].format(f"01BENCH{draw.randrange(trends):08d}")
            answer = await client.get(address + path)
            found[kind].append(time.perf_counter() - due)
            if answer.status_code != 200:
                bad.append(answer.status_code)

        tasks = []
        began = time.perf_counter()
        for number in range(int(rate * seconds)):
            due = began + number / rate
            await asyncio.sleep(max(due - time.perf_counter(), 0))
            tasks.append(asyncio.create_task(one([*ASKED][number % len(ASKED)], due)))
        await asyncio.gather(*tasks)
    return found, bad


def percentile(values: list[float], share: float) -> float:
    """The nearest-rank percentile in milliseconds."""
    ordered = sorted(values)
    return round(ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1000, 1)


def processor_s(process: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(
    address: str, process: int, given: argparse.Namespace, written: Counter
) -> dict[str, Any]:
    """Ask while others read and write; what came of it."""
    events, resets = SPAWN.Value("q", 0), SPAWN.Value("q", 0)
    with beside(read, address, given.streams, STOP, events, resets):
        with httpx.Client(trust_env=False) as client:
            while client.get(f"{address}/healthz").json()["streams"] < given.streams:
                time.sleep(0.1)
        before, used, began = written.value, processor_s(process), time.monotonic()
        found, bad = asyncio.run(ask(address, given.rate, given.seconds, given.trends))
        took, cpu = time.monotonic() - began, processor_s(process) - used
        told = written.value - before
        time.sleep(2)
    every = [one for values in found.values() for one in values]
    return {
        "requests": len(every),
        "bad": bad,
        "ms": {f"p{share}": percentile(every, share / 100) for share in (50, 90, 99, 100)},
        "p99_ms": {kind: percentile(values, 0.99) for kind, values in found.items()},
        "streams": given.streams,
        "revisions_written": told,
        "events_a_stream": round(events.value / max(given.streams, 1), 1),
        "resets": resets.value,
        "processor_share": round(cpu / took, 3),
        "load": os.getloadavg()[0],
    }


def main() -> None:
    """Make the store, serve it, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trends", type=int, default=10_000)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--rate", type=int, default=50, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--writes", type=int, default=5, help="revisions a second")
    given = parser.parse_args()
    with TemporaryDirectory(prefix="groundswell-serve-") as name:
        folder = Path(name)
        path = folder / "trends.db"
        make(path, given.trends)
        with served(path) as (address, process, ready_s):
            began = time.perf_counter()
            with httpx.Client(trust_env=False) as client:
                for first in ("/", "/v1/overview", "/v1/trends?view=brief&limit=50"):
                    client.get(address + first).raise_for_status()
            first_ms = (time.perf_counter() - began) * 1000
            written = SPAWN.Value("q", 0)
            with (
                replaying(folder),
                beside(write, path, given.trends, given.writes, STOP, written),
            ):
                measured = measure(address, process, given, written)
        found = {
            "store_mb": round(path.stat().st_size / 1e6),
            "points": given.trends * POINTS,
            "ready_s": round(ready_s, 2),
            "first_page_ms": round(first_ms, 1),
            **measured,
        }
    print(msgspec.json.format(json.dumps(found)))


if __name__ == "__main__":
    main()
