"""From Kafka to Kafka for as long as it is let: checks, worker processes, and a graceful end.

As in `flows.replay` this process reads no reels: it starts the workers and watches them. It also
looks for partitions that came to the topic, and starts the workers anew with them.
"""

import time
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec
from rich.console import Console

from flows import alerts, feedback, metrics, sinks
from flows import job as jobs
from flows import settings as every_setting
from flows.errors import UserError, in_words
from flows.extraction import beside
from flows.job import STOPPED, Job, KafkaInput
from flows.kafka import connection_of, partitions, prepare
from flows.logs import Log
from flows.observing import Observer
from flows.plain import plain
from flows.replay import (
    LAST_LINES,
    POLL_S,
    TIDY_S,
    WORKER,
    Display,
    absolute,
    results,
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


@dataclass(frozen=True, slots=True)
class Running:
    """What the user asks of a run, as the command line says it; None: not given."""

    state: Path
    store: Path | None = None
    take_over: bool = False
    processes: int = 1
    batch_size: int | None = None
    to_end: bool = False
    log_format: str | None = None
    extract: bool = False


@dataclass(frozen=True, slots=True)
class _Around:
    """What stays the same while workers are started anew."""

    settings: Settings
    connection: Connection
    log: Log
    observer: Observer
    alerted: alerts.Asked | None


class _More(Enum):
    """What there is more of, so that workers are started anew: how it is logged, and in words."""

    PARTITIONS = "more_partitions", "the topic has more partitions; going on with them"
    FEEDBACK = "more_feedback", "people said more of trends; going on with that"

    @property
    def event(self) -> str:
        """Its name in logs."""
        return self.value[0]

    @property
    def said(self) -> str:
        """In words."""
        return self.value[1]


def run(request: Running, console: Console) -> int:
    """Run it and return the exit code: 0 where it was told to stop or came to the end.

    Raises `UserError` or OSError before any work is done; where all is said in JSON, so is that,
    and the code is 2.
    """
    settings = every_setting.load(batch_size=request.batch_size, log_format=request.log_format)
    log = Log(console, settings.log_format, settings)
    try:
        with log.listening():
            return _run(request, settings, log)
    except (UserError, OSError) as error:
        if not log.is_json:
            raise
        log.say("refused", in_words(error), "error")
        return 2


def _run(request: Running, settings: Settings, log: Log) -> int:
    connection = connection_of(settings)
    if request.extract:
        settings = beside.prepared(settings, connection)
    sinks.check(settings)
    alerted = alerts.asked(settings)
    if request.store is not None:
        store.check(request.store)
    around = _Around(settings, connection, log, Observer(settings, connection), alerted)
    with ExitStack() as stack:
        if settings.metrics_address:
            stack.enter_context(around.observer.listening(settings.metrics_address))
            address = around.observer.address
            log.say("listening", f"metrics: http://{address}/metrics", address=address)
        ended = _generation(request, request.take_over, around)
        while isinstance(ended, _More):
            log.say(ended.event, ended.said)
            ended = _generation(request, False, around, hears=ended is _More.FEEDBACK)
        return ended


def _generation(
    request: Running, take_over: bool, around: _Around, hears: bool = False
) -> "int | _More":
    """Run until the end, or until there is more to run with.

    `hears`: what people said since is heard now; the workers before these ended in good order.
    """
    settings, connection, log = around.settings, around.connection, around.log
    alerted = around.alerted
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="groundswell-")))
        folder = StateFolder(request.state, take_over)
        # What cannot go on is refused before anything is taken over, or made.
        earlier = _earlier(folder)
        job = _job(request, settings, work, earlier)
        folder.has_begun(job)
        counted = Path(job.metrics) if job.metrics else None
        if request.extract and request.to_end and not folder.complete:
            ended = beside.to_end(work, counted, log)
            if ended:
                return ended
        read = prepare(settings, connection, earlier, request.to_end)
        stack.enter_context(folder)
        job = msgspec.structs.replace(
            job,
            kafka=read,
            generation=folder.generation,
            alerts=None if alerted is None else alerted.begin(folder, work),
        )
        telling = alerts.sending(alerted, folder, partial(log.say, "alerts"))
        if folder.complete:
            log.say(
                "complete", f"The run in {folder.path} is complete; there is nothing left to do."
            )
            results(job, log.console)
            with telling:
                return 0
        job = _begun(job, folder, around, hears)
        shared = stack.enter_context(shared_memory(job))
        job = msgspec.structs.replace(job, exchange=shared)
        job_file = work / "job.json"
        jobs.write(job, job_file)
        names = [partition_name(settings.kafka_reels, number) for number in read.spans]
        board = Board.create(Path(job.board), names)
        extraction: Workers | None = None
        if request.extract and not request.to_end:
            extraction = stack.enter_context(beside.extracting(work, counted))
        workers = Workers(
            [*WORKER, str(job_file)],
            job.processes,
            work,
            keep_open=[folder.lock] if shared is None else [folder.lock, shared],
        )
        log.say(
            "reading",
            f"reading {settings.kafka_reels}: partitions {len(names)}",
            topic=settings.kafka_reels,
            partitions=len(names),
            processes=job.processes,
            generation=folder.generation,
        )
        with signals(workers) as received, workers, telling:
            watched = metrics.Run(
                board,
                {f"worker-{number}": pid for number, pid in enumerate(workers.ids())},
                folder.path,
                Path(job.metrics or work),
            )
            with around.observer.watching(watched):
                code = _watch(workers, board, job, folder, around, received, extraction)
        if code == 0 and request.to_end and not received:
            folder.finish()
            results(job, log.console)
        elif code and not isinstance(code, _More):
            log.say("ended", "The same command goes on from here.", code=code)
        return code


def _begun(job: Job, folder: StateFolder, around: _Around, hears: bool) -> Job:
    """Make the folder ready for the job, and return it with what people said of trends."""
    begun = folder.has_begun(job)
    with writing(folder.fence):
        said = feedback.heard(around.settings.feedback, folder.path, begun)
        if hears:
            _hear(around.settings, folder, around.log)
        if not begun:
            store.clear(Path(job.store or ""))
    job = msgspec.structs.replace(job, feedback=said)
    told = folder.begin(job, begun)
    if told is not None:
        around.log.say("resumed", told, "warning")
    return job


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
    counted = work / "metrics"
    counted.mkdir()
    return Job(
        inputs=[settings.kafka_reels],
        to=None,
        store=absolute(request.store or request.state / "trends.db"),
        rejects=None,
        state=absolute(request.state),
        board=str(work / "board"),
        metrics=str(counted) if settings.metrics_address else None,
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
    around: _Around,
    received: list[int],
    extraction: Workers | None,
) -> "int | _More":
    """Look after the workers until they have ended."""
    assert job.kafka is not None
    settings, log = around.settings, around.log
    look_s, stop_s = settings.kafka_look_seconds, settings.stop_seconds
    tidied = looked = told = time.monotonic()
    stopping: float | None = None
    listened = tidied
    more: _More | None = None
    alone = False
    codes = workers.codes()
    with Display(board, Path(job.store or ""), log.console, LINE_S) as display:
        while None in codes and not any(codes):
            display.show()
            time.sleep(POLL_S)
            now = time.monotonic()
            around.observer.beat(stopping is not None)
            if now - tidied > TIDY_S:
                log.hear([*workers.news(), *(extraction.news() if extraction else ())])
                folder.tidy()
                tidied = now
            if now - told > LINE_S:
                log.tell("progress", "info", display.progress().as_dict())
                told = now
            if now - looked > look_s and not job.kafka.to_end and stopping is None:
                if partitions(around.connection, job.inputs[0]) > len(job.kafka.spans):
                    more = _More.PARTITIONS
                looked = time.monotonic()
            if now - listened > settings.feedback_seconds and not job.kafka.to_end:
                more = more or _said(settings, folder, log)
                listened = now
            if extraction is not None and extraction.codes() != [None] and stopping is None:
                alone = True
                beside.failed(extraction, log)
            if (received or more or alone) and stopping is None:
                stopping = now
                log.tell("stopping", "info", {"signals": received, "more": more and more.event})
                board.stop()
            if stopping is not None and now - stopping > stop_s:
                said = f"not all was sent within {stop_s:g} s; it is, when it goes on"
                log.say("not_sent", said, "warning")
                break
            codes = workers.codes()
    log.hear(workers.news())
    if any(codes) or None in codes:
        workers.stop(9 if stopping is not None else 15)
        _tell_failure(workers, codes, log)
        return 1
    progress = display.progress()
    log.say("stopped", progress.line(), "info", **progress.as_dict())
    if alone:
        return 1
    return more if more and not received else 0


def _said(settings: Settings, folder: StateFolder, log: Log) -> _More | None:
    """Whether people said more of trends."""
    try:
        return _More.FEEDBACK if feedback.has_more(settings.feedback, folder.path) else None
    except (OSError, UserError) as error:
        log.say("feedback", in_words(error), "warning")
        return None


def _hear(settings: Settings, folder: StateFolder, log: Log) -> None:
    """Have what people said since learned from."""
    try:
        feedback.hear_more(settings.feedback, folder.path)
    except (OSError, UserError) as error:
        log.say("feedback", in_words(error), "warning")


def _tell_failure(workers: Workers, codes: list[int | None], log: Log) -> None:
    """Say which workers failed, and how."""
    if not log.is_json:
        show_failure(workers, codes)
    for number, code in enumerate(codes):
        if code:
            lines = [plain(line) for line in workers.last_lines(number, LAST_LINES)]
            how = f"ended with code {code}" if code > 0 else f"was killed by signal {-code}"
            said = lines[-1] if code == STOPPED and lines else f"worker {number} {how}"
            told = {"message": said, "worker": number, "code": code, "lines": lines}
            log.tell("worker_failed", "error", told)
