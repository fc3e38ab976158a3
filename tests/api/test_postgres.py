"""The radar over PostgreSQL answers as over the embedded store."""

import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from api.app import Application
from api.board import Board
from api.postgres import PostgresReader
from api.radar import Radar
from api.reader import MAX_REVISIONS, StoreError
from api.sqlite import SqliteReader
from operators.sinks import postgres as sink
from schemas.trends import Trend
from tests.api.client import Client
from tests.api.trends import challenge, later, linked, options, put, trend
from tests.services.postgres import query

pytestmark = pytest.mark.services


@pytest.fixture
def tables(database: str) -> str:
    """URL of a database with the tables."""
    sink.migrate(database)
    return database


@pytest.fixture
def reader(tables: str) -> Iterator[PostgresReader]:
    with closing(PostgresReader(tables)) as one:
        yield one


def write(url: str, trends: list[Trend]) -> None:
    one = sink.PostgresSink(url, None, 30.0).build_part("s", "postgres", None)
    one.write_batch([*map(linked, trends)])
    one.close()


def test_both_stores_answer_alike(tables: str, reader: PostgresReader, tmp_path: Path) -> None:
    first = trend(1)
    second = later(first, stage="fading")
    told = [first, second, later(second), trend(2), trend(3), challenge()]
    before = reader.mark()
    write(tables, told)
    put(tmp_path / "t.db", told)
    assert reader.mark() != before
    assert reader.mark() == reader.mark()
    assert reader.written() is not None
    with closing(SqliteReader(tmp_path / "t.db")) as other:
        assert reader.newest(100) == other.newest(100)
        assert reader.newest(2) == other.newest(2)
        ids = [*reader.newest(100), "none", "nul\0"]
        assert sorted(reader.told(ids[:-1])) == sorted(other.told(ids[:-1]))
        assert reader.after(first.trend_id, 1, 9) == other.after(first.trend_id, 1, 9)
        for one in ids:
            ours, theirs = reader.whole(one), other.whole(one)
            assert (ours is None) == (theirs is None) == (one in {"none", "nul\0"})
            if ours is not None and theirs is not None:
                assert ours == theirs
    assert len(reader.whole(challenge().trend_id).links) == 1  # type: ignore[union-attr]


def test_the_board_follows_it(tables: str, reader: PostgresReader) -> None:
    board = Board(reader, most=10)
    first = board.look(telling=False)
    assert first is not None
    board.take(first)
    write(tables, [trend(1), later(trend(1))])
    look = board.look()
    assert look is not None
    assert [news.item.revision for news in look.news] == [1, 2]
    board.take(look)
    assert board.look() is None


def test_it_writes_nothing(tables: str, reader: PostgresReader) -> None:
    with reader._reading() as connection, pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        connection.execute("DELETE FROM groundswell.trends")
    reader.close()


def test_what_is_wrong_is_told_without_the_password(database: str) -> None:
    empty = PostgresReader(database)
    with closing(empty), pytest.raises(StoreError, match="groundswell migrate"):
        empty.mark()
    gone = PostgresReader("postgresql://me:secret@127.0.0.1:1/none")
    with pytest.raises(StoreError, match=r"PostgreSQL 127\.0\.0\.1:1/none: ") as caught:
        gone.mark()
    assert "secret" not in str(caught.value)
    with pytest.raises(StoreError, match="expected postgresql://") as caught:
        PostgresReader("postgresql://me:secret@[")
    assert "secret" not in str(caught.value)


def test_a_long_life_is_cut(tables: str, reader: PostgresReader) -> None:
    one = trend(1)
    told = [one]
    for _ in range(MAX_REVISIONS + 3):
        told.append(later(told[-1], series=(), forecast=()))
    write(tables, told)
    whole = reader.whole(one.trend_id)
    assert whole is not None
    assert len(whole.revisions) == MAX_REVISIONS
    assert whole.newest == told[-1]


def test_who_may_only_read_can_serve_it(tables: str, tmp_path: Path) -> None:
    write(tables, [trend(1), later(trend(1)), trend(2)])
    query(tables, "CREATE ROLE looks LOGIN IN ROLE groundswell_reader")
    try:
        url = re.sub("//[^@]*@", "//looks@", tables)
        radar = Radar(PostgresReader(url), options(tmp_path / "none.db"))
        with Client(Application(radar, "0")) as client:
            assert client.get("/healthz").status_code == 200
            items = client.get("/v1/trends?sort=newest").json()["items"]
            assert [item["trend_id"] for item in items] == ["01KT000002", "01KT000001"]
            whole = client.get("/v1/trends/01KT000001").json()
            assert (whole["revision"], len(whole["revisions"]), whole["links"]) == (2, 2, [])
            assert len(whole["series"]) == 24
            assert client.get("/v1/overview").json()["written_at"]
    finally:
        query(tables, "DROP ROLE looks")
