"""From Kafka to Kafka for as long as it is let: checks, worker processes, and a graceful end.

As in `flows.replay` this process reads no reels: it starts the workers and watches them. It also
looks for partitions that came to the topic, and starts the workers anew with them.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
from rich.console import Console

from flows import alerts, sinks
from flows import job as jobs
from flows import settings as every_setting
from flows.job import Job, KafkaInput
from flows.kafka import connection_of, partitions, prepare
from flows.plain import plain
from flows.replay import (
    POLL_S,
    TIDY_S,
    WORKER,
    Display,
    absolute,
    results,
    say,
    shared_memory,
    show_failure,
    signals,
)
from flows.settings import Settings
from flows.state import StateFolder
from flows.supervisor import Workers, free_addresses
from operators.durable.fence import writing
from operators.kafka import Connection, partition_name
from operators.sinks import store
from operators.sources.board import Board

LINE_S: Final = 60.0
"""Time between two lines of progress."""
FLUSH_S: Final = 60.0
"""How long workers that were asked to stop may take to send what they have."""


@dataclass(frozen=True, slots=True)
class Running:
    """What the user asks of a run, as the command line says it; None: not given."""

    state: Path
    store: Path | None = None
    take_over: bool = False
    processes: int = 1
    batch_size: int | None = None
    to_end: bool = False


def run(request: Running, console: Console) -> int:
    """Run it and return the exit code: 0 where it was told to stop or came to the end.

    Raises `UserError` or OSError before any work is done.
    """
    settings = every_setting.load(batch_size=request.batch_size)
    connection = connection_of(settings)
    sinks.check(settings)
    alerted = alerts.asked(settings)
    if request.store is not None:
        store.check(request.store)
    take_over = request.take_over
    while True:
        code = _generation(request, take_over, settings, connection, alerted, console)
        if code is not None:
            return code
        say(console, f"{settings.kafka_reels}: has more partitions; going on with them")
        take_over = False


def _generation(
    request: Running,
    take_over: bool,
    settings: Settings,
    connection: Connection,
    alerted: alerts.Asked | None,
    console: Console,
) -> int | None:
    """Run until the end; None where the topic has more partitions now."""
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="groundswell-")))
        folder = StateFolder(request.state, take_over)
        # What cannot go on is refused before anything is taken over, or made.
        earlier = _earlier(folder)
        job = _job(request, settings, work, earlier)
        folder.has_begun(job)
        read = prepare(settings, connection, earlier, request.to_end)
        stack.enter_context(folder)
        job = msgspec.structs.replace(
            job,
            kafka=read,
            generation=folder.generation,
            alerts=None if alerted is None else alerted.begin(folder, work),
        )
        telling = alerts.sending(alerted, folder, partial(say, console))
        if folder.complete:
            say(console, f"The run in {folder.path} is complete; there is nothing left to do.")
            results(job, console)
            with telling:
                return 0
        begun = folder.has_begun(job)
        if not begun:
            with writing(folder.fence):
                store.clear(Path(job.store or ""))
        told = folder.begin(job, begun)
        if told is not None:
            say(console, told)
        shared = stack.enter_context(shared_memory(job))
        job = msgspec.structs.replace(job, exchange=shared)
        job_file = work / "job.json"
        jobs.write(job, job_file)
        names = [partition_name(settings.kafka_reels, number) for number in read.spans]
        board = Board.create(Path(job.board), names)
        workers = Workers(
            [*WORKER, str(job_file)],
            job.processes,
            work,
            keep_open=[folder.lock] if shared is None else [folder.lock, shared],
        )
        say(console, f"reading {settings.kafka_reels}: partitions {len(names)}")
        with signals(workers) as received, workers, telling:
            code = _watch(
                workers,
                board,
                job,
                folder,
                connection,
                console,
                received,
                settings.kafka_look_seconds,
            )
        if code == 0 and request.to_end and not received:
            folder.finish()
            results(job, console)
        elif code:
            say(console, "The same command goes on from here.")
        return code


def _earlier(folder: StateFolder) -> KafkaInput | None:
    """What a run that has begun there reads; None where none has."""
    try:
        return jobs.read(folder.job_file).kafka
    except (OSError, msgspec.DecodeError):
        return None  # what is wrong is said where the folder is looked at


def _job(
    request: Running,
    settings: Settings,
    work: Path,
    read: KafkaInput | None,
) -> Job:
    """The request as the workers get it."""
    return Job(
        inputs=[settings.kafka_reels],
        to=None,
        store=absolute(request.store or request.state / "trends.db"),
        rejects=None,
        state=absolute(request.state),
        board=str(work / "board"),
        processes=request.processes,
        addresses=free_addresses(request.processes) if request.processes > 1 else [],
        kafka=KafkaInput(spans=read.spans if read else {}, to_end=request.to_end, letters={}),
        batch_size=settings.batch_size,
        settings=every_setting.told(settings),
        services=bool(settings.database_url or settings.redis_url),
        version=jobs.version(),
    )


def _watch(
    workers: Workers,
    board: Board,
    job: Job,
    folder: StateFolder,
    connection: Connection,
    console: Console,
    received: list[int],
    look_s: float,
) -> int | None:
    """Look after the workers until they have ended; None where they are to be started anew."""
    assert job.kafka is not None
    tidied = looked = time.monotonic()
    stopping: float | None = None
    more = False
    codes = workers.codes()
    with Display(board, Path(job.store or ""), console, LINE_S) as display:
        while None in codes and not any(codes):
            display.show()
            time.sleep(POLL_S)
            now = time.monotonic()
            if now - tidied > TIDY_S:
                for line in workers.news():
                    say(console, plain(line))
                folder.tidy()
                tidied = now
            if now - looked > look_s and not job.kafka.to_end and stopping is None:
                more = partitions(connection, job.inputs[0]) > len(job.kafka.spans)
                looked = time.monotonic()
            if (received or more) and stopping is None:
                stopping = now
                board.stop()
            if stopping is not None and now - stopping > FLUSH_S:
                say(console, f"not all was sent within {FLUSH_S:.0f} s; it is, when it goes on")
                break
            codes = workers.codes()
    if any(codes) or None in codes:
        workers.stop(9 if stopping is not None else 15)
        show_failure(workers, codes)
        return 1
    say(console, display.progress().line())
    return None if more and not received else 0
