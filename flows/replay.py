"""A finite input to its end: checks, worker processes, progress, and a summary.

This process reads no reels. It writes the job down, starts the workers (`flows.worker`), watches
their counters and the store, and shows both.
"""

import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import msgspec
from rich.console import Console
from rich.live import Live
from rich.text import Text

from flows import alerts as alerting
from flows import feedback, sinks
from flows import job as jobs
from flows import settings as every_setting
from flows.errors import UserError
from flows.job import STOPPED, Job
from flows.logs import record_of
from flows.plain import plain
from flows.state import StateFolder
from flows.supervisor import Workers, free_addresses
from flows.terminal import Progress, screen, trends_table
from operators import exchange
from operators.durable.fence import writing
from operators.sinks import jsonl, store
from operators.sinks.jsonl import OutputError
from operators.sources.board import Board
from operators.sources.inputs import SourceError, partitions
from schemas.trends import Trend

WORKER = (sys.executable, "-P", "-m", "flows.start")  # -P: not from the folder we are in
POLL_S = 0.05
LIVE_S = 0.5
"""Time between two pictures in a terminal."""
LINE_S = 5.0
"""Time between two lines where the output is not a terminal."""
TIDY_S = 2.0
"""Time between two looks for states that can be deleted."""
ROWS = 15
LAST_LINES = 25


class InputError(UserError):
    """An input that cannot be read: its name and why, in one line."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks of a replay, as the command line says it; None: not given."""

    inputs: tuple[str, ...]
    to: Path | None = None
    store: Path | None = None
    rejects: Path | None = None
    state: Path | None = None
    take_over: bool = False
    processes: int = 1
    batch_size: int | None = None
    services: bool = False
    alerts: bool = False
    scopes: tuple[str, ...] | None = None


def replay(request: Request, console: Console, worker: Sequence[str] = WORKER) -> int:
    """Run it and return the exit code: 0, 1 where a worker failed, 128 + n after signal n.

    `worker` is the command of a worker process, to which job file and number are appended. Raises
    `SettingsError`, `InputError`, `OutputError`, `StateError` or `DurableError` before any work is
    done.
    """
    names = _check(request)
    alerted = alerting.asked(every_setting.load()) if request.alerts else None
    with ExitStack() as stack:
        work = Path(stack.enter_context(TemporaryDirectory(prefix="groundswell-")))
        job = _job(request, names, work)
        folder: StateFolder | None = None
        if request.state is not None:
            folder = StateFolder(request.state, request.take_over)
            folder.has_begun(job)  # or it could not go on, and would be taken over for nothing
            stack.enter_context(folder)
            job = msgspec.structs.replace(
                job,
                generation=folder.generation,
                alerts=None if alerted is None else alerted.begin(folder, work),
            )
        telling = alerting.sending(alerted, folder, partial(say, console))
        begun = folder is not None and folder.has_begun(job)
        if folder is not None and folder.complete:
            with telling:
                return _nothing_left(job, folder.path, console)
        with writing(folder.fence if folder else None):
            said = feedback.heard(job.settings["feedback"], folder.path if folder else work, begun)
            if not begun:
                _clear(job)
        job = msgspec.structs.replace(job, feedback=said)
        if folder is not None:
            told = folder.begin(job, begun)
            if told is not None:
                say(console, told)
        shared = stack.enter_context(shared_memory(job))
        job = msgspec.structs.replace(job, exchange=shared)
        # A file of this run alone: one that sleeps and wakes shall not read a later run's job.
        job_file = work / "job.json"
        jobs.write(job, job_file)
        board = Board.create(Path(job.board), names)
        workers = Workers(
            [*worker, str(job_file)],
            job.processes,
            work,
            reads_input="-" in job.inputs,
            keep_open=[*([folder.lock] if folder else []), *([] if shared is None else [shared])],
        )
        with signals(workers) as received, workers, telling:
            code = _watch(workers, board, job, folder, console, received)
        if folder is not None and code == 0:
            folder.finish()
        elif folder is not None:
            say(console, "The same command goes on from here.")
        return code


@contextmanager
def shared_memory(job: Job) -> Iterator[int | None]:
    """The descriptor of the memory that the workers share, where there are several."""
    size = job.settings["exchange_mb"] << 20
    shared = exchange.create(size) if job.processes > 1 and size else None
    try:
        yield shared
    finally:
        if shared is not None:
            os.close(shared)


def _clear(job: Job) -> None:
    """Empty the outputs. A sink opens its file at its first line only."""
    store.clear(_store(job))
    for lines in (job.to, job.rejects):
        if lines is not None:
            Path(lines).write_bytes(b"")


def _check(request: Request) -> list[str]:
    """The names of the partitions. Raises `InputError` or `OutputError` for what cannot work."""
    if "-" in request.inputs and request.state is not None:
        raise InputError("-: standard input cannot be read again, --state needs files")
    try:
        names = partitions([*request.inputs])
    except SourceError as error:
        raise InputError(str(error)) from None
    inputs = [Path(name).resolve() for name in request.inputs if name != "-"]
    outputs = [p for p in (request.to, request.store, request.rejects) if p is not None]
    for number, path in enumerate(outputs):
        if path.resolve() in (other.resolve() for other in outputs[:number]):
            raise OutputError(f"{path}: given for two outputs")
        if any(path.resolve().is_relative_to(one) for one in inputs):
            raise OutputError(f"{path}: is or lies in an input and would be read")
    for lines in (request.to, request.rejects):
        if lines is not None:
            jsonl.check(lines)
    if request.store is not None:
        store.check(request.store)
    if request.services:
        settings = every_setting.load()
        if not (settings.database_url or settings.redis_url):
            raise InputError("--services: neither database_url nor redis_url is set")
        sinks.check(settings)
    if request.alerts and request.state is None:
        raise InputError("--alerts: expected --state, the folder that keeps what was sent")
    if request.alerts and not every_setting.load().alert_rules:
        raise InputError("--alerts: alert_rules is not set")
    return names


def _job(request: Request, names: list[str], work: Path) -> Job:
    """The request as the workers get it. Raises `SettingsError`.

    Where no store is asked for there is still one, to show the trends of the moment from.
    """
    settings = every_setting.load(batch_size=request.batch_size, scopes=request.scopes)
    return Job(
        inputs=names,
        to=absolute(request.to),
        store=absolute(request.store or (request.state or work) / "trends.db"),
        rejects=absolute(request.rejects),
        state=absolute(request.state),
        board=str(work / "board"),
        processes=request.processes,
        addresses=free_addresses(request.processes) if request.processes > 1 else [],
        batch_size=settings.batch_size,
        settings=every_setting.told(settings),
        services=request.services,
        version=jobs.version(),
    )


def _watch(
    workers: Workers,
    board: Board,
    job: Job,
    folder: StateFolder | None,
    console: Console,
    received: list[int],
) -> int:
    """Show how far the workers are until they have ended; their exit code as one."""
    began = tidied = time.monotonic()
    codes = workers.codes()
    with Display(board, _store(job), console) as display:
        while None in codes and not received and not any(codes):
            display.show()
            time.sleep(POLL_S)
            if time.monotonic() - tidied > TIDY_S:
                for message in dict.fromkeys(record_of(one)["message"] for one in workers.news()):
                    say(console, plain(message))
                if folder is not None:
                    folder.tidy()
                tidied = time.monotonic()
            codes = workers.codes()
    if received:
        workers.stop(received[0])
        say(console, f"stopped by {signal.Signals(received[0]).name}")
        return 128 + received[0]
    if any(codes):
        workers.stop(signal.SIGTERM)
        show_failure(workers, codes)
        return 1
    progress = display.progress()
    say(console, f"{progress.line()}  in {time.monotonic() - began:,.1f} s")
    results(job, console)
    if progress.rejects and job.rejects is None:
        say(console, "--rejects FILE keeps the lines that were rejected, each with its reason")
    return 0


class Display:
    """Progress and current trends: a live picture in a terminal, else a line now and then."""

    def __init__(self, board: Board, path: Path, console: Console, line_s: float = LINE_S) -> None:
        self._line_s = line_s
        self._board = board
        self._store = path
        self._console = console
        self._began = time.monotonic()
        self._next = self._began + LIVE_S
        self._records = 0  # where a resumed run went on
        self._bytes = 0
        self._live = Live(console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> "Display":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def progress(self) -> Progress:
        """How far the run is; the clock begins with the first reel."""
        totals = self._board.totals()
        if not totals["bytes_read"]:
            self._began, self._records = time.monotonic(), totals["records"]
        elif self._records and not self._bytes:
            self._bytes = totals["bytes_read"]
        elapsed_s = time.monotonic() - self._began
        return Progress.of(
            totals, elapsed_s, records_before=self._records, bytes_before=self._bytes
        )

    def show(self) -> None:
        """Show the present state where it is time to."""
        progress, now = self.progress(), time.monotonic()
        if now < self._next:
            return
        if self._console.is_terminal:
            self._next = now + LIVE_S
            rows = max(3, min(ROWS, self._console.height - 8))
            picture = screen(progress, store.top(self._store, rows), self._console.width)
            self._live.update(picture, refresh=True)
        else:
            self._next = now + self._line_s
            say(self._console, progress.status())


def results(job: Job, console: Console) -> None:
    """The table of trends, and where all of them are."""
    trends, revisions = store.count(_store(job))
    shown: list[Trend] = store.top(_store(job), ROWS)
    if shown:
        title = f"{trends:,} trends" if trends <= ROWS else f"{ROWS} of {trends:,} trends"
        console.print(trends_table(shown, console.width, title))
    say(console, f"{trends:,} trends in {revisions:,} revisions")
    passing = Path(job.board).parent
    for what, path in (("trends", job.to), ("store", job.store), ("rejects", job.rejects)):
        if path is not None and Path(path).parent != passing:
            say(console, f"{what}: {path}")


def _nothing_left(job: Job, folder: Path, console: Console) -> int:
    """Say that the run in `folder` is complete. Raises `OutputError` where its output is gone."""
    for path in (job.to, job.store, job.rejects):
        if path is not None and not Path(path).exists():
            raise OutputError(
                f"{path}: is gone, and the run in {folder} is complete; "
                "remove that folder to run again"
            )
    say(console, f"The run in {folder} is complete; there is nothing left to do.")
    results(job, console)
    return 0


def show_failure(workers: Workers, codes: Sequence[int | None]) -> None:
    """The last lines of the workers that failed, on standard error."""
    for number, code in enumerate(codes):
        if not code:
            continue
        lines = workers.last_lines(number, LAST_LINES)
        if code == STOPPED and lines:
            print(f"groundswell: worker {number}: {plain(lines[-1])}", file=sys.stderr)
            continue
        how = f"ended with code {code}" if code > 0 else f"was killed by signal {-code}"
        print(f"groundswell: worker {number} {how}", file=sys.stderr)
        for line in lines:
            margin = len(line) - len(line.lstrip(" "))
            print("  " + " " * min(margin, 20) + plain(line), file=sys.stderr)


@contextmanager
def signals(workers: Workers) -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM instead of dying of them; the second kills the workers."""
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            workers.send(signal.SIGKILL)

    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(console: Console, text: str) -> None:
    """One line of plain text, not broken and not coloured."""
    console.print(Text(text), soft_wrap=True)


def _store(job: Job) -> Path:
    return Path(job.store or "")


def absolute(path: Path | None) -> str | None:
    """A path as it is known anywhere."""
    return None if path is None else str(path.absolute())
