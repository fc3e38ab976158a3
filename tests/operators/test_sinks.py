"""The sinks write each trend once, whatever is repeated, torn or hostile."""

import base64
import json
import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from bytewax import operators as op
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSource, cluster_main, run_main

from operators.blocks import Reject
from operators.links import Link, Linked
from operators.sinks import jsonl, store
from operators.sinks.jsonl import OutputError, TrendsFile
from operators.sinks.rejects import RejectsFile
from operators.sinks.store import SERIES_POINTS, TABLE_NAMES, VERSION, Store
from schemas.trends import Member, SeriesPoint, Trend, decode, encode

START = datetime(2026, 1, 5, tzinfo=UTC)
HOUR = timedelta(hours=1)


def trend(
    name: str = "a",
    revision: int = 1,
    *,
    points: int = 3,
    score: float = 0.5,
    stage: str = "emerging",
) -> Trend:
    return Trend(
        trend_id=f"id-{name}",
        revision=revision,
        kind="hashtag",
        stage=stage,  # type: ignore[arg-type]
        scopes=("global",),
        event_time=START + timedelta(hours=revision),
        started_at=START,
        name=name,
        summary="",
        category=None,
        reels=10 * revision,
        authors=9 * revision,
        expected=1.5,
        growth=6.7,
        velocity_per_h=2.0,
        acceleration_per_h2=0.1,
        score=score,
        q_value=0.001,
        members=(Member(kind="hashtag", id=name, label=name, weight=1.0, reels=10),),
        examples=("r1",),
        series=tuple(
            SeriesPoint(t=START + timedelta(minutes=10 * n), reels=n + revision, expected=0.5)
            for n in range(points)
        ),
        forecast=(),
        why="because",
    )


def dump(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in TABLE_NAMES
        }


def write(path: Path, *batches: list[Trend]) -> None:
    part = Store(path).build_part("s", "store", None)
    for batch in batches:
        part.write_batch([Linked(one) for one in batch])
    part.close()


def test_a_file_of_trends_is_its_lines_in_order(tmp_path: Path) -> None:
    trends = [trend("a"), trend("b"), trend("a", 2)]
    part = TrendsFile(tmp_path / "t.jsonl").build_part("s", "trends", None)
    part.write_batch(trends[:1])
    part.write_batch([])
    part.write_batch(trends[1:])
    part.close()
    lines = (tmp_path / "t.jsonl").read_bytes().splitlines()
    assert [decode(line) for line in lines] == trends


@pytest.mark.parametrize("torn", [b"", b'{"trend_id": "id-', b"x" * 5000])
def test_a_resumed_file_is_cut_back_to_the_snapshot(tmp_path: Path, torn: bytes) -> None:
    path = tmp_path / "t.jsonl"
    first = TrendsFile(path).build_part("s", "trends", None)
    first.write_batch([trend("a")])
    state = first.snapshot()
    first.write_batch([trend("b")])  # after the snapshot, so lost with a kill
    first.close()
    with path.open("ab") as file:
        file.write(torn)
    again = TrendsFile(path).build_part("s", "trends", state)
    again.write_batch([trend("b"), trend("c")])
    assert again.snapshot() == path.stat().st_size
    again.close()
    expected = b"".join(encode(trend(name)) + b"\n" for name in "abc")
    assert path.read_bytes() == expected


def test_a_file_that_lost_what_was_written_is_not_resumed(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    part = TrendsFile(path).build_part("s", "trends", None)
    part.write_batch([trend()])
    state = part.snapshot()
    part.close()
    path.write_bytes(b"short")
    with pytest.raises(OutputError, match=f"at least the {state} bytes .* found 5"):
        TrendsFile(path).build_part("s", "trends", state)
    assert path.read_bytes() == b"short"


def test_a_run_from_the_start_replaces_the_file(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b"of yesterday\n")
    TrendsFile(path).build_part("s", "trends", None).close()
    assert path.read_bytes() == b""


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/t.jsonl", "the folder .*missing does not exist"),
        ("t.jsonl.gz", "expected an uncompressed file such as t.jsonl"),
        ("t.jsonl.zst", "expected an uncompressed file"),
        ("folder", "expected a plain file"),
        ("-", "expected a file"),
    ],
)
def test_what_cannot_be_written_is_said_before_the_start(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match=message):
        jsonl.check(tmp_path / name)


def test_a_reject_keeps_its_bytes(tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    original = bytes(range(256))
    part = RejectsFile(path).build_part("s", "rejects", None)
    part.write_batch([Reject("a.jsonl", 7, 1234, "invalid_utf8", "byte 0x80", original, 2_000_000)])
    part.close()
    line = json.loads(path.read_bytes())
    assert base64.b64decode(line.pop("original")) == original
    assert line == {
        "partition": "a.jsonl",
        "record": 7,
        "offset": 1234,
        "error": "invalid_utf8",
        "reason": "byte 0x80",
        "length": 2_000_000,
    }


def test_repeats_change_nothing_in_the_store(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    write(path, [trend("a"), trend("b")], [trend("a", 2)])
    before = dump(path)
    write(path, [trend("a"), trend("b"), trend("a", 2)], [trend("a")])
    assert dump(path) == before
    assert store.count(path) == (2, 3)


def test_an_older_revision_never_replaces_a_newer_one(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    write(path, [trend("a", 3)], [trend("a", 1)], [trend("a", 2, points=5)])
    (current,) = store.top(path, 10)
    assert current.revision == 3
    points = [(reels, revision) for _, _, reels, _, revision in dump(path)["series"]]
    assert points == [(3, 3), (4, 3), (5, 3), (5, 2), (6, 2)]  # new points only from the older


@pytest.mark.parametrize("seed", range(5))
def test_the_store_is_the_same_whatever_the_order_and_the_batches(
    tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    trends = [
        trend(name, revision, points=revision + 2) for name in "abc" for revision in (1, 2, 3)
    ]
    write(tmp_path / "straight.db", trends)
    mixed = dice.sample(trends, len(trends)) + dice.choices(trends, k=6)
    write(tmp_path / "mixed.db", *([one] for one in mixed))
    assert dump(tmp_path / "mixed.db") == dump(tmp_path / "straight.db")


def link(a: str, b: str, reels: int | None = 9) -> Link:
    return Link("hashtag", a, "sound", b, reels, 8, 0.25, START, 12, None, START + HOUR)


@pytest.mark.parametrize("seed", range(5))
def test_links_are_those_of_the_newest_revision_whatever_the_order(
    tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    values = [
        Linked(trend(name, revision), tuple(link(str(n), "s", revision) for n in range(revision)))
        for name in "ab"
        for revision in (1, 2, 3, 4)
    ]
    values.append(Linked(trend("a", 5), (link("1", "s", None), link("7", "s"))))
    values.append(Linked(trend("b", 5)))
    for path, told in (("straight", values), ("mixed", dice.sample(values, len(values)) + values)):
        part = Store(tmp_path / path).build_part("s", "store", None)
        for one in told:
            part.write_batch([one])
        part.close()
    assert dump(tmp_path / "mixed") == dump(tmp_path / "straight")
    found = store.find(tmp_path / "mixed", "id-a")
    assert found == values[-2]
    assert store.find(tmp_path / "mixed", "id-b") == values[-1]
    assert len(dump(tmp_path / "mixed")["links"]) == 2


def test_a_trend_is_found_by_its_id_and_by_how_it_begins(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    assert store.find(path, "id-a") is None
    assert store.starting_with(path, "id", 9) == []
    write(path, [trend("b%"), trend("ba"), trend("a_")])
    assert store.find(path, "id-") is None
    assert store.starting_with(path, "id-b", 9) == ["id-b%", "id-ba"]
    assert store.starting_with(path, "id-", 2) == ["id-a_", "id-b%"]
    assert store.starting_with(path, "id_", 9) == store.starting_with(path, "%", 9) == []
    assert [one.trend_id for one in store.every(path)] == ["id-a_", "id-b%", "id-ba"]


def test_a_store_from_before_there_were_links_is_read_and_written(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    write(path, [trend("a"), trend("b")])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("DROP TABLE links")
        connection.execute("UPDATE meta SET value = '1'")
    assert store.find(path, "id-a") == Linked(trend("a"))
    assert store.count(path) == (2, 2)
    part = Store(path).build_part("s", "store", 2)
    part.write_batch([Linked(trend("a", 2), (link("x", "s"),))])
    part.close()
    assert store.find(path, "id-a") == Linked(trend("a", 2), (link("x", "s"),))
    assert store.find(path, "id-b") == Linked(trend("b"))


def test_series_are_bounded(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    write(path, [trend("a", points=SERIES_POINTS + 100), trend("b", points=4)])
    times = [row[1] for row in dump(path)["series"] if row[0] == "id-a"]
    assert len(times) == SERIES_POINTS
    newest = START + timedelta(minutes=10 * (SERIES_POINTS + 99))
    assert max(times) == newest.timestamp() * 1_000_000
    assert len(dump(path)["series"]) == SERIES_POINTS + 4


def test_rising_trends_come_first_and_the_score_decides(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    write(
        path,
        [
            trend("old", score=0.99, stage="fading"),
            trend("low", score=0.2),
            trend("high", score=0.9, stage="peaking"),
        ],
    )
    assert [one.name for one in store.top(path, 10)] == ["high", "low", "old"]
    assert [one.name for one in store.top(path, 1)] == ["high"]


def test_hostile_text_is_only_text(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    hostile = "'); DROP TABLE trends; -- \x00 \u202e \x1b[2J"
    write(path, [trend(hostile)])
    (found,) = store.top(path, 1)
    assert found == trend(hostile)


def test_what_was_committed_survives_a_kill(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    part = Store(path).build_part("s", "store", None)
    part.write_batch([Linked(trend("a"))])
    state = part.snapshot()
    part.write_batch([Linked(trend("b"))])
    assert len(store.top(path, 10)) == 2  # a reader beside the writer
    del part  # never closed
    again = Store(path).build_part("s", "store", state)
    again.write_batch([Linked(trend("b")), Linked(trend("c"))])
    again.close()
    assert store.count(path) == (3, 3)


def test_a_failing_batch_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    part = Store(path).build_part("s", "store", None)
    with closing(sqlite3.connect(path)) as other, other:
        other.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON series BEGIN SELECT RAISE(FAIL, 'full'); END"
        )
    with pytest.raises(sqlite3.IntegrityError):
        part.write_batch([Linked(trend("a"))])
    part.close()
    assert store.count(path) == (0, 0)


def test_a_store_that_lost_revisions_is_not_resumed(tmp_path: Path) -> None:
    write(tmp_path / "t.db", [trend("a")])
    with pytest.raises(OutputError, match=r"at least the 2 revisions .* found 1"):
        Store(tmp_path / "t.db").build_part("s", "store", 2)


def test_a_store_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    write(path, [trend()])
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE meta SET value = ?", (str(VERSION + 1),))
    before = path.read_bytes()
    for use in (store.check, store.clear, lambda one: store.top(one, 1), write):
        with pytest.raises(OutputError, match=f"a store of version {VERSION + 1}"):
            use(path)
    assert path.read_bytes() == before


def test_other_files_are_no_store_and_stay_as_they_are(tmp_path: Path) -> None:
    text, other = tmp_path / "notes.txt", tmp_path / "other.db"
    text.write_text("not a database, but long enough to have a header " * 9)
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE users (name)")
    for path in (text, other):
        before = path.read_bytes()
        with pytest.raises(OutputError, match=path.name):
            store.clear(path)
        assert path.read_bytes() == before
    with pytest.raises(OutputError, match=r"the folder .* does not exist"):
        store.check(tmp_path / "missing" / "t.db")


def test_a_store_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert store.top(tmp_path / "none.db", 5) == []
    assert store.count(tmp_path / "none.db") == (0, 0)
    assert not (tmp_path / "none.db").exists()


def test_clearing_keeps_the_store_and_empties_it(tmp_path: Path) -> None:
    write(tmp_path / "t.db", [trend()])
    store.clear(tmp_path / "t.db")
    assert store.top(tmp_path / "t.db", 5) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_the_sinks_run_in_a_dataflow(tmp_path: Path, workers: int) -> None:
    trends = [trend(name) for name in "abcdefgh"]
    flow = Dataflow("sinks")
    items = op.input("in", flow, TestingSource([(one.trend_id, one) for one in trends]))
    op.output("file", items, TrendsFile(tmp_path / "t.jsonl"))
    op.output("store", op.map_value("linked", items, Linked), Store(tmp_path / "t.db"))
    if workers == 1:
        run_main(flow)
    else:
        cluster_main(flow, [], 0, worker_count_per_proc=workers)
    lines = (tmp_path / "t.jsonl").read_bytes().splitlines()
    assert [decode(line) for line in lines] == trends
    assert store.count(tmp_path / "t.db") == (8, 8)
