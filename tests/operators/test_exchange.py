"""Large items between processes: each arrives whole, once, by whichever way there is room for."""

import os
import pickle
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from operators import exchange
from operators.blocks import ShardRows
from operators.exchange import ALIGNED, PARTS, SMALL, Exchange, Parcel, opened
from operators.routing import key_at
from trend.records import USE, VOLUME

SIZE = 1 << 20
THERE = key_at("there", 1)
"""A key of the second of two workers, or of four."""
HERE = key_at("here", 0)


@pytest.fixture
def shared() -> Iterator[int]:
    """Memory of 1 MiB, and no exchange joined when the test has ended."""
    file = exchange.create(SIZE)
    assert file is not None
    yield file
    exchange.join(None)
    os.close(file)


def over_there(item: object) -> Any:
    """What another process makes of an item, which Bytewax pickles twice."""
    sent, again = pickle.dumps(item), pickle.dumps(item)
    assert sent == again
    return pickle.loads(again)


def two(file: int) -> Exchange:
    """The sender; the receiver is joined."""
    exchange.join(Exchange(file, 1, 2))
    return Exchange(file, 0, 2)


def rows_of(count: int, seed: int = 0) -> ShardRows:
    """Some rows with labels and volume."""
    draw = np.random.default_rng(seed)
    rows = np.frombuffer(draw.bytes(count * USE.itemsize), USE)
    volume = np.frombuffer(draw.bytes(3 * VOLUME.itemsize), VOLUME)
    return ShardRows("07", "p", rows, draw.bytes(count * 9), 12, True, volume)


def same(one: ShardRows, other: ShardRows) -> None:
    """They say the same."""
    assert one.rows.tobytes() == other.rows.tobytes()
    assert one.volume.tobytes() == other.volume.tobytes()
    assert (one.rows.dtype, one.volume.dtype) == (other.rows.dtype, other.volume.dtype)
    for name in ("shard", "partition", "labels", "closed", "end"):
        assert getattr(one, name) == getattr(other, name)


def test_rows_arrive_as_they_were_and_can_be_written_to(shared: int) -> None:
    sender, rows = two(shared), rows_of(1000)
    item = sender.send(THERE, rows)
    assert isinstance(item, Parcel)
    assert len(pickle.dumps(item)) < 200
    arrived = over_there(item)
    same(arrived, rows)
    assert arrived.rows.flags.writeable


@pytest.mark.parametrize("protocol", [4, 5])
def test_rows_can_be_pickled_without_an_exchange(protocol: int) -> None:
    rows = rows_of(1000)
    arrived = pickle.loads(pickle.dumps(rows, protocol))
    same(arrived, rows)
    assert arrived.rows.flags.writeable
    assert arrived.volume.flags.writeable


def test_arrays_arrive_aligned(shared: int) -> None:
    arrays = [np.arange(n, dtype=np.float64) for n in (1, 1001, 77)]
    arrived = over_there(two(shared).send(THERE, arrays))
    assert [a.tolist() for a in arrived] == [a.tolist() for a in arrays]
    assert all(a.flags.aligned for a in arrived)


def test_what_is_small_or_stays_goes_as_it_is(shared: int) -> None:
    sender = two(shared)
    small, large = b"x" * (SMALL // 2), b"x" * SMALL
    assert sender.send(THERE, small) is small
    assert sender.send(HERE, large) is large
    assert isinstance(sender.send(THERE, large), Parcel)


def test_a_parcel_that_never_left_is_opened(shared: int) -> None:
    value = b"x" * SMALL
    assert opened([1, two(shared).send(THERE, value), value]) == [1, value, value]


def test_where_there_is_no_room_the_value_itself_is_sent(shared: int) -> None:
    sender, value = two(shared), bytes(20_000)
    items = [sender.send(THERE, value) for _ in range(100)]
    parcels = [item for item in items if isinstance(item, Parcel)]
    lane = SIZE // 2
    assert lane // 2 < len(parcels) * len(value) < lane
    assert sender.send(THERE, bytes(lane)) == bytes(lane)
    assert all(over_there(item) == value for item in items)


def test_room_is_used_again_when_all_of_a_part_was_taken_in_any_order(shared: int) -> None:
    sender = Exchange(shared, 0, 2)
    receiver = Exchange(shared, 1, 2)
    draw = random.Random(0)
    waiting: list[tuple[Parcel, bytes]] = []
    sent = inline = 0
    for _ in range(3000):
        value = draw.randbytes(draw.randrange(SMALL, 20_000))
        item = sender.send(THERE, value)
        if isinstance(item, Parcel):
            sent += len(value)
            waiting.append((item, value))
        else:
            assert item is value
            inline += 1
        while len(waiting) > draw.randrange(40):
            parcel, value = waiting.pop(draw.randrange(min(len(waiting), 10)))
            assert receiver.take(*parcel._place) == value
    assert sent > 20 * SIZE
    assert 0 < inline < 1500
    assert os.fstat(shared).st_blocks * 512 <= SIZE + (1 << 16)


def test_lanes_of_several_workers_do_not_touch(shared: int) -> None:
    workers = [Exchange(shared, worker, 4) for worker in range(4)]
    keys = [key_at("to", worker) for worker in range(4)]
    sent = {}
    for worker, own in enumerate(workers):
        for other in range(4):
            value = bytes([16 * worker + other]) * SMALL
            item = own.send(keys[other], value)
            assert isinstance(item, Parcel) == (worker != other)
            sent[worker, other] = item, value
    for (_, other), (item, value) in sent.items():
        exchange.join(workers[other])
        assert over_there(item) == value


def test_memory_has_no_name_and_is_taken_as_it_is_filled(shared: int) -> None:
    assert os.fstat(shared).st_nlink == 0
    assert os.fstat(shared).st_size == SIZE
    assert os.fstat(shared).st_blocks == 0


def test_without_memory_files_there_is_no_exchange(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> int:
        raise OSError

    monkeypatch.setattr(os, "memfd_create", refuse)
    assert exchange.create(SIZE) is None
    monkeypatch.delattr(os, "memfd_create")
    assert exchange.create(SIZE) is None


def test_what_cannot_be_written_is_sent_itself(shared: int, monkeypatch: Any) -> None:
    def refuse(*_: object) -> int:
        raise OSError

    sender, value = two(shared), b"x" * SMALL
    monkeypatch.setattr(os, "pwritev", refuse)
    assert sender.send(THERE, value) is value
    monkeypatch.setattr(os, "pwritev", lambda *_: SMALL // 2)
    assert sender.send(THERE, value) is value
    monkeypatch.undo()
    assert over_there(sender.send(THERE, value)) == value


def test_a_memory_too_small_for_its_workers_sends_everything_as_ever() -> None:
    file = exchange.create(PARTS * ALIGNED)
    assert file is not None
    value = b"x" * SMALL
    assert Exchange(file, 0, 12).send(key_at("there", 7), value) is value
    os.close(file)
