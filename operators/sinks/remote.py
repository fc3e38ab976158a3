"""Sinks that are services: written to in the background, waited for, never twice.

A thread of the sink takes what has come since its last write and writes it as one, so that the flow
goes on meanwhile and a slow service gets few large writes. A snapshot waits a moment until all is
written; what a service in trouble is still owed then is part of the snapshot, so that the others
get theirs. A service that cannot be reached, or refuses, is tried again until it takes it or the
time is up; then the run stops, and can go on later.
"""

import logging
import threading
import time
import uuid
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, NamedTuple, Protocol, TypeVar

from bytewax.outputs import StatefulSinkPartition

from operators import metrics
from operators.durable.faults import FencedError
from operators.durable.fence import Fence
from operators.sinks.jsonl import OutputError
from schemas.trends import decode, encode

log = logging.getLogger(__name__)

MOST: Final = 2_000
"""Revisions written at once at most."""
WAITING: Final = 10_000
"""Revisions that may wait to be written; the flow stands still while there are more."""
OWED: Final = 1_000
"""Revisions that a snapshot holds for a service in trouble; while it is owed more, all waits."""
PATIENCE_S: Final = 1.0
"""How long a snapshot waits for a write that goes on; it waits for none that has failed."""
PAUSE_S: Final = (0.1, 2.0)
"""The first and the longest pause between two attempts."""
SAY_S: Final = 10.0
"""Time between two lines of the log about the same trouble."""

GRACE_S: Final = 30.0
"""How much longer than it may refuse a service may take for one write without a word."""

Resume = tuple[str, int]
"""The id of a run, and how many revisions of it were written."""

Snapshot = tuple[str, int] | tuple[str, int, tuple[bytes, ...]]
"""The same, and the revisions that are owed beyond, where there are any."""


class UnavailableError(Exception):
    """The service does not take it now: what is wrong, and what its operator can do."""


T = TypeVar("T")
"""What is written: a revision, with what else the service takes of it."""


class Service(Protocol[T]):
    """One service, used by one thread.

    Raises `UnavailableError`, `OutputError` or `FencedError`.
    """

    name: str

    def put(self, resume: Resume, revisions: list[T]) -> None:
        """Write revisions, those of the run after the first `resume[1]`; all of them or none.

        The same again changes nothing. It connects where it is not connected.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class Coder(NamedTuple, Generic[T]):
    """How what is owed is kept in a snapshot."""

    encode: Callable[[T], bytes]
    decode: Callable[[bytes], T]


TRENDS: Final = Coder(encode, decode)


class ServicePart(StatefulSinkPartition[T, Snapshot], Generic[T]):
    """The writing end of a service. Its state is what was written of which run, and what was not.

    `wait_s`: how long the service may refuse, in seconds, before `OutputError` is raised. `sink`:
    its name among the metrics; of the service if not given.
    """

    def __init__(
        self,
        service: Service[T],
        resume_state: Snapshot | None,
        wait_s: float,
        coder: Coder[T],
        sink: str = "",
    ) -> None:
        self._service = service
        self._coder = coder
        self._sink = sink or service.name.split(" ", 1)[0].lower()
        self._wait_s = wait_s
        self._run, self._written, *owed = resume_state or (uuid.uuid4().hex, 0)
        self._queue: deque[T] = deque(coder.decode(body) for bodies in owed for body in bodies)
        self._taken = self._written + len(self._queue)
        self._writing: list[T] = []
        self._failing = False
        self._turn = threading.Condition()
        self._closing = False
        self._tried = 0.0  # when the present attempt began (s, monotonic); 0: there is none
        self._error: Exception | None = None
        metrics.SINK_UP.set(1, self._sink)
        metrics.SINK_WRITTEN.add(0, self._sink)
        metrics.SINK_FAILURES.add(0, self._sink)
        metrics.LIMIT.set(WAITING, f"sink-{self._sink}")
        self._thread = threading.Thread(target=self._work, name=service.name, daemon=True)
        self._thread.start()

    def write_batch(self, values: list[T]) -> None:
        """Have revisions written soon. Raises what the last write raised."""
        with self._turn:
            self._wait_until(lambda: len(self._queue) < WAITING)
            self._queue.extend(values)
            self._taken += len(values)
            metrics.USED.set(len(self._queue), f"sink-{self._sink}")
            self._turn.notify_all()

    def snapshot(self) -> Snapshot:
        """Wait a moment until everything is written. Raises what the last write raised."""
        asked = time.monotonic()
        with self._turn:
            self._wait_until(lambda: self._written == self._taken or self._may_owe(asked))
            owed = tuple(map(self._coder.encode, (*self._writing, *self._queue)))
            return (self._run, self._written, owed) if owed else (self._run, self._written)

    def flush(self) -> None:
        """Wait until everything is written. Raises what the last write raised."""
        with self._turn:
            self._wait_until(lambda: self._written == self._taken)

    def close(self) -> None:
        """Write everything and let go of the service."""
        self.flush()
        with self._turn:
            self._closing = True
            self._turn.notify_all()
        self._thread.join()

    def _may_owe(self, asked: float) -> bool:
        """Whether a snapshot that was asked for then need wait no longer."""
        late = self._failing or time.monotonic() - asked > PATIENCE_S
        return late and self._taken - self._written <= OWED

    def _wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait, with the lock held, for the thread. Raises its error, or one of a hung write."""
        while not self._error:
            if self._silent_s() > self._wait_s + GRACE_S:
                raise OutputError(
                    f"{self._service.name}: does not answer; waited {self._wait_s:g} s"
                )
            if condition():
                return
            self._turn.wait(timeout=1.0)
        raise self._error

    def _silent_s(self) -> float:
        """For how long the present attempt has been going on."""
        return time.monotonic() - self._tried if self._tried else 0.0

    def _work(self) -> None:
        try:
            while batch := self._next():
                self._deliver(batch)
                with self._turn:
                    self._written += len(batch)
                    self._writing = []
                    self._failing = False
                    metrics.USED.set(len(self._queue), f"sink-{self._sink}")
                    self._turn.notify_all()
        except Exception as error:  # raised again where the flow can see it
            with self._turn:
                self._error = error
                self._turn.notify_all()
        finally:
            self._service.close()

    def _next(self) -> list[T]:
        with self._turn:
            self._turn.wait_for(lambda: self._queue or self._closing)
            some = min(MOST, len(self._queue))
            self._writing = [self._queue.popleft() for _ in range(some)]
            return self._writing

    def _deliver(self, batch: list[T]) -> None:
        """Try until it is written. Raises `OutputError` when the time is up."""
        failed = said = 0.0
        began = time.monotonic()
        pause, longest = PAUSE_S
        while True:
            self._tried = time.monotonic()
            try:
                self._service.put((self._run, self._written), batch)
                break
            except UnavailableError as error:
                with self._turn:
                    self._failing = True
                    self._turn.notify_all()
                now = time.monotonic()
                metrics.SINK_FAILURES.add(1, self._sink)
                metrics.SINK_UP.set(0, self._sink)
                failed = failed or self._tried
                if now - failed > self._wait_s:
                    raise OutputError(f"{error}; waited {self._wait_s:g} s") from error
                if not said or now - said > SAY_S:
                    log.warning("%s; waiting", error, extra={"event": "sink_waits"})
                    said = now
            finally:
                self._tried = 0.0
            time.sleep(pause)
            pause = min(2 * pause, longest)
        metrics.SINK_UP.set(1, self._sink)
        metrics.SINK_SECONDS.observe(time.monotonic() - began, self._sink)
        metrics.SINK_WRITTEN.add(len(batch), self._sink)
        if said:
            away = time.monotonic() - failed
            told = {"event": "sink_goes_on"}
            log.warning("%s: goes on after %.0f s", self._service.name, away, extra=told)


def check_fence(fence: Fence | None) -> None:
    """Raise `FencedError` where another run has taken the state folder over."""
    if fence is not None:
        fence.check()


def fenced(name: str) -> FencedError:
    """The error of a writer that finds the number of a later one."""
    return FencedError(f"{name}: another run has taken over, so this one has stopped")
