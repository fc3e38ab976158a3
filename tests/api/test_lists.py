"""Lists of trends: every trend once, in any order, as filtered, whatever is asked."""

import csv
import io
import re
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import msgspec
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.board import MAX_NEWS, Board
from api.items import KEYS, Order, cursor_of, key_at
from api.sqlite import READS, SqliteReader
from operators.sinks import store as sink
from schemas.trends import decode
from tests.api.client import Client
from tests.api.trends import START, application, challenge, later, put, trend

ORDERS = get_args(Order)
HOUR = timedelta(hours=1)


def walk(client: Client, **query: Any) -> list[dict[str, Any]]:
    """All pages of a list."""
    items: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = client.get("/v1/trends", params={**query, "cursor": cursor}).json()
        assert page.keys() == {"items", "next"}
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = page["next"]


@pytest.mark.parametrize("order", ORDERS)
def test_pages_hold_every_trend_once_in_order(client: Client, order: str) -> None:
    items = walk(client, sort=order, limit=17, view="brief")
    ids = [item["trend_id"] for item in items]
    assert len(ids) == len({*ids}) == 121
    at_once = client.get("/v1/trends", params={"sort": order, "limit": 500, "view": "brief"})
    assert [item["trend_id"] for item in at_once.json()["items"]] == ids
    if order in {"growth", "reels", "authors", "score"}:
        figures = [item[order] for item in items]
        assert figures == sorted(figures, reverse=True)


def test_a_page_holds_lines_of_the_contract(client: Client, store: Path) -> None:
    body = client.get("/v1/trends", params={"limit": 500}).json()
    with closing(sqlite3.connect(store)) as connection:
        stored = dict(connection.execute("SELECT trend_id, body FROM trends").fetchall())
    for item in body["items"]:
        assert decode(msgspec.json.encode(item)) == decode(stored[item["trend_id"]])


@pytest.mark.parametrize(
    ("query", "wanted"),
    [
        ({"kind": "sound"}, lambda t: t["kind"] == "sound"),
        ({"kind": ["sound", "phrase"]}, lambda t: t["kind"] in {"sound", "phrase"}),
        ({"stage": ["emerging", "peaking"]}, lambda t: t["stage"] in {"emerging", "peaking"}),
        ({"scope": "region:BR"}, lambda t: "region:BR" in t["scopes"]),
        ({"q": "TREND1 #trend"}, lambda t: "#trend1" in t["name"]),
        ({"q": "id 77"}, lambda t: t["name"] == "#trend77"),
        ({"since": "2026-01-06T00:00:00Z"}, lambda t: t["event_time"] >= "2026-01-06T00:00:00Z"),
        ({"since": "2026-01-06T00:00:00"}, lambda t: t["event_time"] >= "2026-01-06T00:00:00Z"),
        ({"until": "2026-01-05T01:00:00Z"}, lambda t: t["started_at"] < "2026-01-05T01:00:00Z"),
    ],
)
def test_a_filter_lets_through_what_is_asked_for(
    client: Client, query: dict[str, Any], wanted: Any
) -> None:
    every = walk(client, limit=500)
    expected = {item["trend_id"] for item in every if wanted(item)}
    found = {item["trend_id"] for item in walk(client, limit=7, **query)}
    assert found == expected
    assert 0 < len(found) < len(every)


def test_what_rises_comes_first_and_then_the_likeliest(client: Client) -> None:
    items = walk(client, view="brief")
    rising = [item["stage"] in {"emerging", "peaking"} for item in items]
    assert rising == sorted(rising, reverse=True)
    scores = [item["score"] for item in items if item["stage"] in {"emerging", "peaking"}]
    assert scores == sorted(scores, reverse=True)


def test_nothing_is_sent_again_until_something_changes(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    put(path, [trend(1)])
    with Client(application(path, poll_s=3600)) as client:
        first = client.get("/v1/trends")
        tag = {"if-none-match": first.headers["etag"]}
        again = client.get("/v1/trends", headers=tag)
        assert (again.status_code, again.content) == (304, b"")
        put(path, [trend(2)])
        client.look()
        changed = client.get("/v1/trends", headers=tag)
        assert changed.status_code == 200
        assert len(changed.json()["items"]) == 2


@pytest.mark.parametrize(
    "cursor",
    ["x", "é", "A" * 1000, cursor_of("growth", (-1.0, "a")), cursor_of("rising", (1.0, "a"))],
)
def test_a_cursor_of_another_list_is_refused(client: Client, cursor: str) -> None:
    answer = client.get("/v1/trends", params={"cursor": cursor})
    assert answer.status_code == 400
    assert answer.json() == {"detail": "not a cursor of this list"}


@pytest.mark.parametrize("order", ["rising", "growth"])
@settings(max_examples=30)
@given(numbers=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=3, max_size=3),
       trend_id=st.text(max_size=64))  # fmt: skip
def test_a_cursor_says_where_a_page_ended(order: str, numbers: list[float], trend_id: str) -> None:
    key = (*numbers[: len(KEYS[order])], trend_id.encode("utf-8", "replace").decode())
    assert key_at(order, cursor_of(order, key)) == key


@settings(max_examples=12)
@given(data=st.data())
def test_the_board_follows_the_store_whatever_happens(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Looked at after each change, it is as one that looks for the first time."""
    path = tmp_path_factory.mktemp("board") / "t.db"
    reader = SqliteReader(path)
    board = Board(reader, most=6)
    revisions: dict[int, Any] = {}
    for _ in range(data.draw(st.integers(1, 5))):
        if data.draw(st.integers(0, 9)) == 0 and path.exists():
            sink.clear(path)
            revisions.clear()
        for number in data.draw(st.lists(st.integers(0, 9), max_size=4)):
            one = revisions.get(number)
            stage = data.draw(st.sampled_from(["emerging", "fading"]))
            one = trend(number) if one is None else later(one, stage=stage, growth=one.growth + 1)
            revisions[number] = one
            put(path, [one])
        look = board.look()
        if look is not None:
            board.take(look)
        fresh_reader = SqliteReader(path)
        fresh = Board(fresh_reader, most=6)
        first = fresh.look()
        if first is not None:
            fresh.take(first)
        assert board.items == fresh.items
        for order in ORDERS:
            everything = board.page(lambda _: True, order, None, 99)
            assert everything == fresh.page(lambda _: True, order, None, 99)
        fresh_reader.close()
    reader.close()


def test_each_revision_is_told_once_in_order(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    one = trend(1)
    put(path, [one])
    reader = SqliteReader(path)
    board = Board(reader, most=10)
    first = board.look(telling=False)
    assert first is not None
    assert first.news == []
    board.take(first)
    assert board.look() is None
    second = later(one)
    third = later(second, stage="fading")
    put(path, [second, third, trend(0)])
    look = board.look()
    assert look is not None
    told = [(news.item.trend_id, news.item.revision) for news in look.news]
    assert told == [("01KT000000", 1), ("01KT000001", 2), ("01KT000001", 3)]
    assert [decode(news.body).stage for news in look.news[1:]] == [one.stage, "fading"]
    reader.close()


def test_more_news_than_can_be_told_is_not_told_one_by_one(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    reader = SqliteReader(path)
    board = Board(reader, most=10_000)
    put(path, [trend(number) for number in range(MAX_NEWS + 1)])
    look = board.look()
    assert look is not None
    assert look.too_many
    assert look.news == []
    board.take(look)
    assert len(board.items) == MAX_NEWS + 1
    reader.close()


def test_it_reads_what_the_sink_writes() -> None:
    assert sink.VERSION in READS


def test_tables_hold_all_that_is_wanted(client: Client) -> None:
    wanted = {"kind": "hashtag", "sort": "growth"}
    ids = [item["trend_id"] for item in walk(client, **wanted, limit=500)]
    table = client.get("/v1/export.csv", params=wanted)
    rows = [*csv.DictReader(io.StringIO(table.text))]
    assert [row["trend_id"] for row in rows] == ids
    assert table.headers["content-type"].startswith("text/csv")
    frame = pl.read_parquet(io.BytesIO(client.get("/v1/export.parquet", params=wanted).content))
    assert frame["trend_id"].to_list() == ids
    assert frame.schema["event_time"] == pl.Datetime("us", "UTC")
    assert frame["growth"].to_list() == [float(row["growth"]) for row in rows]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", "\n=", "\uff1d"])
def test_a_formula_is_a_text_in_a_table(tmp_path: Path, start: str) -> None:
    """In whatever column, and whoever gave it: a caption, or a person with a name for a trend."""
    path, formula = tmp_path / "t.db", f"{start}cmd|' /C calc'!A0,\"x\""
    [member] = trend(1).members
    texts = {"name": formula, "summary": formula, "why": formula, "category": "dance"}
    members = (msgspec.structs.replace(member, label=formula),)
    put(path, [trend(1, **texts, members=members), trend(2)])
    with Client(application(path, names=tmp_path / "names.jsonl")) as client:
        client.post("/v1/names", json={"trend_id": trend(2).trend_id, "name": f"{start}1"})
        client.look()
        table = client.get("/v1/export.csv").content.decode()
    rows = {row["trend_id"]: row for row in csv.DictReader(io.StringIO(table, newline=""))}
    told = {rows[trend(1).trend_id][name] for name in ("name", "summary", "why", "members")}
    assert told == {f"'{formula.replace(start[0], ' ') if start[0] < ' ' else formula}"}
    assert not rows[trend(2).trend_id]["name"].startswith(start)


def test_a_table_holds_nothing_that_a_terminal_obeys(client: Client) -> None:
    table = client.get("/v1/export.csv", params={"q": "drop table"}).content.decode()
    [row] = csv.DictReader(io.StringIO(table, newline=""))
    for name in ("name", "summary", "why", "members"):
        assert "<script>window.owned=1</script>" in row[name]
        assert "'; DROP TABLE trends; --" in row[name]
    assert not re.search("[\x00-\x09\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e]", table)


def test_what_stands_above_is_the_sum_of_what_is_below(client: Client) -> None:
    overview = client.get("/v1/overview").json()
    items = walk(client, view="brief", limit=500)
    assert overview["trends"] == len(items) == sum(overview["stages"].values())
    assert sum(one["alerts"] for one in overview["alerts"]) == len(items)
    assert overview["newest"] == max(item["event_time"] for item in items)
    assert overview["scopes"][0] == {"scope": "global", "trends": len(items)}
    assert START.date().isoformat() <= overview["alerts"][0]["day"]


def test_hostile_texts_come_as_they_are(client: Client) -> None:
    found = client.get("/v1/trends", params={"q": "drop table"}).json()["items"]
    assert [item["name"] for item in found] == [challenge().name]
    assert client.get("/healthz").json()["trends"] == 121
