"""Bytewax's recovery store is read as Bytewax reads it, and damage to it is seen."""

import pickle
import random
import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main
from bytewax.testing import TestingSink, TestingSource

from operators.durable import handles, store
from operators.durable.faults import DamagedError
from operators.durable.handles import Handle
from operators.durable.segments import Ref
from operators.durable.store import RecoveryStore
from operators.durable.sweep import Name, sweep


class Counted(StatefulBatchLogic[int, int, bytes]):
    """Hands out a handle that says how many values came."""

    def __init__(self, said: bytes | None) -> None:
        self.count = handles.decode(said).chain[0].offset if said else 0
        self.key = ""

    def on_batch(self, values: list[int]) -> tuple[list[int], bool]:
        self.count += len(values)
        self.key = str(values[0] % 3)
        return [self.count], self.RETAIN

    def snapshot(self) -> bytes:
        return handles.encode(Handle("count", self.key, (Ref("f", self.count, 0, 0),)))


def run(folder: Path, numbers: list[Any], out: list[Any]) -> None:
    flow = Dataflow("test")
    items = op.input("in", flow, TestingSource(numbers))
    keyed = op.key_on("key", items, lambda number: str(number % 3))
    op.output("out", op.stateful_batch("count", keyed, Counted), TestingSink(out))
    config = RecoveryConfig(str(folder), backup_interval=timedelta(0))  # type: ignore[no-untyped-call]
    cli_main(flow, epoch_interval=timedelta(0), recovery_config=config)  # type: ignore[no-untyped-call]


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """The store of a run of one number an epoch that was aborted after the eighth."""
    folder = tmp_path / "recovery.1"
    store.create(folder)
    run(folder, [*range(8), TestingSource.ABORT(), *range(8, 12)], [])
    return folder


def known(folder: Path, before: int | None = None) -> list[tuple[str, int]]:
    with RecoveryStore(folder / store.NAME) as opened:
        return sorted((one.key, one.chain[0].offset) for one in opened.handles(before))


def test_a_run_goes_on_from_a_copy_wound_back(made: Path, tmp_path: Path) -> None:
    with RecoveryStore(made / store.NAME, recover=True) as opened:
        opened.check()
        epoch = opened.epochs()[-1]
        opened.copy_to(tmp_path / "recovery.2", epoch)
    seen = sum(count for _, count in known(made, before=epoch))
    assert 5 <= seen <= 8
    assert known(tmp_path / "recovery.2") == known(tmp_path / "recovery.2", before=epoch)
    out: list[Any] = []
    run(tmp_path / "recovery.2", [*range(12)], out)
    assert [count for _, count in out] == [number // 3 + 1 for number in range(12)][seen:]


def test_a_store_in_which_nothing_began_has_no_epochs(tmp_path: Path) -> None:
    store.create(tmp_path / "recovery.1")
    with RecoveryStore(tmp_path / "recovery.1" / store.NAME) as opened:
        opened.check()
        assert not opened.epochs()
        assert not [*opened.handles()]


@pytest.mark.parametrize("seed", range(4))
def test_any_flipped_bit_is_found_or_does_not_matter(made: Path, seed: int) -> None:
    copy = made.with_name("copy")
    with RecoveryStore(made / store.NAME, recover=True) as opened:
        opened.copy_to(copy, None)
        epochs = opened.epochs()
    good = (copy / store.NAME).read_bytes()
    expected = known(copy)
    draw = random.Random(seed)
    used = [at for at, byte in enumerate(good) if byte]
    found = 0
    for _ in range(300):
        bad = bytearray(good)
        bad[draw.choice(used)] ^= 1 << draw.randrange(8)
        shutil.rmtree(copy)
        copy.mkdir()
        (copy / store.NAME).write_bytes(bad)
        try:
            with RecoveryStore(copy / store.NAME, recover=True) as opened:
                opened.check()
                assert opened.epochs() == epochs
            assert known(copy) == expected
        except DamagedError:
            found += 1
    assert found > 100


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE fronts SET worker_frontier = worker_frontier + 1",
        "UPDATE commits SET commit_epoch = 1",
        "UPDATE snaps SET snap_epoch = snap_epoch + 20 WHERE state_key = '1'",
        "UPDATE exs SET resume_epoch = 2",
    ],
)
def test_a_value_that_changed_under_its_index_is_found(made: Path, change: str) -> None:
    """As a flipped bit changes it: the row, and not the copy of it in the index."""
    path = made / store.NAME
    query = "SELECT rootpage FROM sqlite_schema WHERE name = ?"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (root,) = connection.execute(query, (f"guard_{change.split()[1]}",)).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    index = slice(size * (root - 1), size * root)
    before = path.read_bytes()[index]
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(change)
    data = bytearray(path.read_bytes())
    assert data[index] != before
    data[index] = before
    path.write_bytes(data)
    with RecoveryStore(path) as opened, pytest.raises(DamagedError, match="damaged"):
        opened.check()


def test_names_say_who_wrote_a_segment() -> None:
    name = Name(3, 1, "count", 17)
    assert str(name) == "g3-w1-count-00000017.seg"
    assert Name.of(str(name)) == name
    assert Name.of(str(name) + ".part") == name
    assert Name.of("notes.txt") is None


def test_what_may_still_be_needed_is_not_deleted(tmp_path: Path) -> None:
    """A segment whose snapshots have not come to the store yet looks as if nobody needed it."""
    folder, place = tmp_path / "segments", tmp_path / "recovery.2"
    folder.mkdir()
    store.create(place)
    names = [Name(1, 0, "count", 9), *(Name(2, 0, "count", n) for n in (1, 2, 3, 4))]
    for name in names:
        (folder / str(name)).touch()
    with closing(sqlite3.connect(place / store.NAME)) as connection, connection:
        connection.execute("INSERT INTO exs VALUES ('', 0, 1, 1)")
        connection.execute("INSERT INTO fronts VALUES ('', 0, 0, 3)")
        for epoch, name in ((1, names[2]), (2, names[3]), (3, names[4])):
            handle = Handle("count", "00", (Ref(str(names[2]), 0, 0, 0), Ref(str(name), 0, 0, 0)))
            change = pickle.dumps(handles.encode(handle))
            connection.execute(
                "INSERT INTO snaps VALUES ('', 'count', '00', ?, ?)", (epoch, change)
            )
    with RecoveryStore(place / store.NAME, recover=True) as opened:
        sweep(folder, opened, 2)
    assert {path.name for path in folder.iterdir()} == {str(name) for name in names[2:]}
