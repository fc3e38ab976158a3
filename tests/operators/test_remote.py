"""What a service in trouble is owed: it is in the snapshot, and nobody else waits for it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from operators.sinks import remote
from operators.sinks.jsonl import OutputError
from operators.sinks.remote import TRENDS, Resume, ServicePart, UnavailableError
from schemas.trends import Trend, encode
from tests.operators.test_sinks import trend

WAIT_S = 60.0


class Pretended:
    """A service that can be in trouble, or hang; it keeps what it is given, and where it was."""

    name = "Pretended"

    def __init__(self, *, refuses: bool = False, hangs: bool = False) -> None:
        self.refuses = refuses
        self.goes_on = threading.Event()
        if not hangs:
            self.goes_on.set()
        self.tried = threading.Semaphore(0)
        self.got: list[tuple[int, Trend]] = []

    def put(self, resume: Resume, trends: list[Trend]) -> None:
        self.tried.release()
        self.goes_on.wait()
        if self.refuses:
            raise UnavailableError("Pretended: not now")
        self.got += [(resume[1] + number, one) for number, one in enumerate(trends)]

    def close(self) -> None:
        pass


@contextmanager
def ended(part: ServicePart[Trend], service: Pretended) -> Iterator[ServicePart[Trend]]:
    """Have the thread of a part end, whatever happens."""
    try:
        yield part
    finally:
        service.refuses = False
        service.goes_on.set()
        part.close()


def revisions(first: int, last: int) -> list[Trend]:
    return [trend("a", revision) for revision in range(first, last + 1)]


def test_what_is_owed_is_in_the_snapshot_and_written_first_by_who_goes_on() -> None:
    broken = Pretended(refuses=True)
    part = ServicePart(broken, None, WAIT_S, TRENDS)
    with ended(part, broken):
        part.write_batch(revisions(1, 3))
        broken.tried.acquire()
        part.write_batch(revisions(4, 5))
        state = part.snapshot()
        run, written, *owed = state
        assert (written, owed) == (0, [tuple(map(encode, revisions(1, 5)))])
        mended = Pretended()
        later = ServicePart(mended, state, WAIT_S, TRENDS)
        later.write_batch(revisions(6, 6))
        later.close()
        assert mended.got == [*enumerate(revisions(1, 6))]
        assert later.snapshot() == (run, 6)
    assert broken.got == [*enumerate(revisions(1, 5))]  # it has them too, once it takes them
    assert part.snapshot() == (run, 5)


def test_a_write_that_hangs_is_waited_for_a_moment_and_then_owed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "PATIENCE_S", 0.01)
    service = Pretended(hangs=True)
    with ended(ServicePart(service, None, WAIT_S, TRENDS), service) as part:
        part.write_batch(revisions(1, 2))
        service.tried.acquire()
        part.write_batch(revisions(3, 3))
        assert part.snapshot()[1:] == (0, tuple(map(encode, revisions(1, 3))))
    assert service.got == [*enumerate(revisions(1, 3))]


def test_who_is_owed_too_much_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "OWED", 2)
    service = Pretended(refuses=True)
    with ended(ServicePart(service, None, WAIT_S, TRENDS), service) as part:
        part.write_batch(revisions(1, 3))
        states: list[object] = []
        waiting = threading.Thread(target=lambda: states.append(part.snapshot()[1:]))
        waiting.start()
        for _ in range(3):
            service.tried.acquire()
        assert states == []
        service.refuses = False
        waiting.join()
        assert states == [(3,)]


def test_a_service_that_refuses_or_hangs_for_too_long_stops_the_run_though_it_is_owed_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "GRACE_S", 0.0)
    for service in (Pretended(refuses=True), Pretended(hangs=True)):
        part = ServicePart(service, None, 0.2, TRENDS)
        part.write_batch(revisions(1, 1))
        with pytest.raises(OutputError, match=r"waited 0\.2 s"):
            part.flush()
        with pytest.raises(OutputError, match=r"waited 0\.2 s"):
            part.snapshot()
        service.goes_on.set()
