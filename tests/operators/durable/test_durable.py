"""A step that is killed at any epoch goes on from base and deltas as if it never was."""

import contextlib
import pickle
import random
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main
from bytewax.testing import TestingSink, TestingSource

from operators.durable import durable, handles, store
from operators.durable.durable import Book, Durable, Place, builder, restored
from operators.durable.faults import DamagedError, FencedError
from operators.durable.fence import Fence
from operators.durable.machine import Machine
from operators.durable.store import RecoveryStore
from operators.durable.sweep import sweep


class Chained(Machine[tuple[str, int], tuple[str, int, int]]):
    """Says a checksum of all that came so far, and holds some ballast."""

    def __init__(self, ballast: int = 0) -> None:
        self.sum = 0
        self.ballast = bytearray(ballast)

    def key_of(self, value: tuple[str, int]) -> str:
        return value[0]

    def apply(self, values: list[tuple[str, int]]) -> list[tuple[str, int, int]]:
        out = []
        for key, number in values:
            self.sum = zlib.crc32(b"%d" % number, self.sum)
            out.append((key, number, self.sum))
        return out


@pytest.fixture
def place(tmp_path: Path) -> Place:
    (tmp_path / "segments").mkdir()
    Fence.claim(tmp_path / "fence", 1)
    return Place(tmp_path, 1, 0)


def again(book: Book, logic: Durable[Any, Any]) -> Any:
    return restored(book.folder, handles.decode(logic.snapshot()))


@pytest.mark.parametrize("seed", range(5))
def test_every_snapshot_is_the_state_of_its_moment(
    place: Place, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However the bases fall, and though much is written before an epoch ends."""
    monkeypatch.setattr(durable, "SMALL", 300)
    monkeypatch.setattr(durable, "SPILL", (1 << 30, 500)[seed % 2])
    draw = random.Random(seed)
    book = Book(place, "chain")
    logics = {key: Durable(Chained(draw.randrange(500)), book) for key in "abc"}
    longest = 0
    for number in range(150):
        key = draw.choice("abc")
        logics[key].on_batch([(key, number)] * draw.randrange(1, 5))
        if draw.random() < 0.3:
            for logic in logics.values():
                if logic.key:
                    assert again(book, logic).sum == logic.machine.sum  # type: ignore[attr-defined]
                    longest = max(longest, len(handles.decode(logic.snapshot()).chain))
    assert 1 < longest <= durable.CHAIN


def test_an_epoch_is_one_segment_of_what_changed(place: Place) -> None:
    book = Book(place, "chain")
    a, b, c = (Durable(Chained(3000), book) for _ in range(3))
    for key, logic in zip("abc", (a, b, c), strict=True):
        logic.on_batch([(key, 1)])
    first = [logic.snapshot() for logic in (a, b, c)]
    assert len(list(book.folder.iterdir())) == 1
    a.on_batch([("a", 2)])
    c.on_batch([("c", 2)])
    second = [logic.snapshot() for logic in (a, b, c)]
    assert len(list(book.folder.iterdir())) == 2
    assert second[1] == first[1]
    small = max(book.folder.iterdir(), key=lambda path: path.name).stat().st_size
    assert small < 1500
    assert [logic.snapshot() for logic in (a, b, c)] == second
    assert len(list(book.folder.iterdir())) == 2


def test_a_long_chain_asks_for_a_base_not_all_at_once(place: Place) -> None:
    book = Book(place, "chain")
    keys = [f"{n:02d}" for n in range(8)]
    logics = {key: Durable(Chained(), book) for key in keys}
    based: dict[str, list[int]] = {key: [] for key in keys}
    for epoch in range(2 * durable.CHAIN):
        for key, logic in logics.items():
            logic.on_batch([(key, epoch)])
        for key, logic in logics.items():
            if len(handles.decode(logic.snapshot()).chain) == 1:
                based[key].append(epoch)
    assert all(len(epochs) >= 2 for epochs in based.values())
    assert len({epochs[1] for epochs in based.values()}) > 4


def test_a_step_without_a_place_keeps_nothing() -> None:
    logic = builder(Chained, None)(None)
    assert logic.on_batch([("a", 1)])[0] == Chained().apply([("a", 1)])
    assert logic.snapshot() == b""


def test_a_run_that_was_taken_over_writes_no_more(place: Place) -> None:
    book = Book(place, "chain")
    logic = Durable(Chained(), book)
    logic.on_batch([("a", 1)])
    Fence.claim(place.folder / "fence", 2)
    with pytest.raises(FencedError, match="another run has taken over"):
        logic.snapshot()
    assert not list(book.folder.iterdir())


def test_a_state_of_other_code_is_refused(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    book = Book(place, "chain")
    logic = Durable(Chained(), book)
    logic.on_batch([("a", 1)])
    handle = handles.decode(logic.snapshot())
    monkeypatch.delattr(f"{__name__}.Chained")
    with pytest.raises(DamagedError, match=r"state of chain a is not from this version"):
        restored(book.folder, handle)


KEYS = "abcde"
ITEMS = [(KEYS[n * n % 5], n) for n in range(60)]


def flow(place: Place, out: list[Any], stop: int | None) -> Dataflow:
    """Two steps, one behind the other; at `stop` it ends as a crash does."""

    def pairs() -> Iterator[Any]:
        for number, item in enumerate(ITEMS):
            yield item[0], item
            if number == stop:
                yield TestingSource.ABORT()

    dataflow = Dataflow("test")
    items = op.input("in", dataflow, TestingSource([*pairs()]))
    first = op.stateful_batch("one", items, builder(Chained, Book(place, "one")))
    told = op.map_value("short", first, lambda item: item[:2])
    second = op.stateful_batch("two", told, builder(Chained, Book(place, "two")))
    op.output("out", second, TestingSink(out))
    return dataflow


@pytest.mark.parametrize("seed", range(4))
def test_a_flow_that_is_stopped_often_goes_on_exactly(
    place: Place, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "SMALL", 200)
    monkeypatch.setattr(durable, "SPILL", (1 << 30, 60)[seed % 2])
    expected = {
        item[1]: item
        for key in KEYS
        for item in Chained().apply([one for one in ITEMS if one[0] == key])
    }
    draw = random.Random(seed)
    stops = [*sorted(draw.sample(range(len(ITEMS)), 5)), None]
    store.create(place.recovery)
    said: dict[int, Any] = {}
    for generation, stop in enumerate(stops, 1):
        place = Place(place.folder, generation, 0)
        out: list[Any] = []
        config = RecoveryConfig(str(place.recovery), backup_interval=timedelta(0))  # type: ignore[no-untyped-call]
        with contextlib.suppress(BaseException):
            cli_main(flow(place, out, stop), epoch_interval=timedelta(0), recovery_config=config)  # type: ignore[no-untyped-call]
        for _, item in out:
            assert said.setdefault(item[1], item) == item  # what is said twice is the same
        with RecoveryStore(place.recovery / store.NAME, recover=True) as last:
            last.check()
            epoch = max(last.epochs(), default=None)
            last.copy_to(Place(place.folder, generation + 1, 0).recovery, epoch)
            sweep(place.segments, last, generation)
        Fence.claim(place.folder / "fence", generation + 1)
    assert said == expected
    assert len([*place.segments.iterdir()]) < len(ITEMS)


def test_handles_are_told_from_other_states() -> None:
    handle = handles.Handle("count", "00", ())
    assert handles.unpickle(pickle.dumps(handles.encode(handle))) == handle
    for other in (7, b"bytes", None, Chained(), "text"):
        assert handles.unpickle(pickle.dumps(other)) is None
    assert handles.unpickle(None) is None
    assert handles.unpickle(b"\x80\x04no pickle") is None
