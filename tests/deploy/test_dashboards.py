"""Each panel's query is answered, by Grafana's own role, in the order and columns that it shows."""

from contextlib import closing
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from deploy.grafana.__main__ import main, stale
from deploy.grafana.looks import STAGES, WIDTH
from flows.doctor.postgres import postgres as examined
from tests.deploy.conftest import Filled
from tests.deploy.dashboards import POSTGRES, PROMETHEUS, Target, boards, targets, variables
from tests.deploy.macros import Asked, UnknownError
from tests.services.postgres import query

BOARDS = boards()
QUERIES = [*targets(POSTGRES)]
NUMBERS = {"int2", "int4", "int8", "float4", "float8"}
TEXTS = {"text", "varchar", "name"}
TIMES = {"timestamptz"}

Rows = list[dict[str, Any]]


def asked(filled: Filled, board: str, **chosen: str | list[str]) -> Asked:
    """The whole time, with all values of all variables but those that are `chosen`."""
    everything = Asked(filled.start, filled.end, {})
    values: dict[str, str | list[str]] = {}
    for name, variable in variables(BOARDS[board]).items():
        if variable["type"] == "query":
            _, rows = run(filled, everything.sql(variable["query"]))
            options = [row.get("__value", next(iter(row.values()))) for row in rows]
            assert options, name
            values[name] = options if variable.get("multi") else options[0]
        elif variable["type"] == "textbox":
            values[name] = variable["query"]
    return Asked(filled.start, filled.end, values | chosen)


def run(filled: Filled, statement: str) -> tuple[dict[str, str], Rows]:
    """The types of the columns, and the rows, as Grafana's role sees them."""
    with closing(psycopg.connect(filled.reader, autocommit=True)) as connection:
        cursor = connection.execute(statement.encode())
        columns = cursor.description or []
        types = {
            one.name: (psycopg.adapters.types.get(one.type_code) or one).name for one in columns
        }
        assert len(types) == len(columns), "a name twice"
        return types, [dict(zip(types, row, strict=True)) for row in cursor.fetchall()]


def answer(filled: Filled, target: Target, at: Asked) -> tuple[dict[str, str], Rows]:
    panel = target.panel
    points, least = panel.get("maxDataPoints", 1000), panel.get("interval", "1s")
    return run(filled, at.sql(target.said["rawSql"], points, least))


def of_panel(filled: Filled, board: str, title: str, ref: str = "A", **chosen: str) -> Rows:
    """The rows of one query."""
    found = [
        one
        for one in QUERIES
        if (one.board, one.panel["title"], one.said["refId"]) == (board, title, ref)
    ]
    assert len(found) == 1
    return answer(filled, found[0], asked(filled, board, **chosen))[1]


def test_the_files_are_what_the_code_makes(capsys: pytest.CaptureFixture[str]) -> None:
    assert stale() == []
    assert main(["--check"]) == 0
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", BOARDS)
def test_a_dashboard_says_what_each_panel_is(name: str) -> None:
    board = BOARDS[name]
    panels = board["panels"]
    ids = [panel["id"] for panel in panels]
    assert len({*ids}) == len(ids)
    for panel in panels:
        assert panel["title"]
        assert panel["description"]
        assert panel["targets"]
        refs = [target["refId"] for target in panel["targets"]]
        assert len({*refs}) == len(refs), panel["title"]
        for target in panel["targets"]:
            assert target["datasource"] == panel["datasource"]
            assert target["datasource"] in (POSTGRES, PROMETHEUS)
            assert target["datasource"]["uid"][2:-1] in variables(board)


@pytest.mark.parametrize("name", BOARDS)
def test_no_panel_lies_on_another(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[name]["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= WIDTH
        place = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not place & taken, panel["title"]
        taken |= place


@pytest.mark.services
@pytest.mark.parametrize("target", QUERIES, ids=str)
def test_a_panel_gets_the_columns_that_it_shows(filled: Filled, target: Target) -> None:
    types, rows = answer(filled, target, asked(filled, target.board))
    assert rows
    assert {*types.values()} <= NUMBERS | TEXTS | TIMES  # the rest would be shown as it is written
    if target.said["format"] == "time_series":
        assert next(iter(types)) == "time"
        assert types["time"] in TIMES
        assert NUMBERS & {*types.values()}
        times = [row["time"] for row in rows]
        assert None not in times
        assert times == sorted(times)
        labels = [name for name, kind in types.items() if kind in TEXTS]
        series = [(row["time"], *(row[name] for name in labels)) for row in rows]
        assert len({*series}) == len(series), "two values of one series at one time"


@pytest.mark.services
@pytest.mark.parametrize("target", QUERIES, ids=str)
def test_what_a_panel_says_of_columns_is_about_some_that_are_there(
    filled: Filled, target: Target
) -> None:
    there = {
        column
        for other in QUERIES
        if other.board == target.board and other.panel["id"] == target.panel["id"]
        for column in answer(filled, other, asked(filled, other.board))[0]
    }
    if target.panel.get("transformations"):
        there.add("Trend #B")  # what timeSeriesTable makes of the query B
    named = {
        one["matcher"]["options"]
        for one in target.panel["fieldConfig"].get("overrides", [])
        if one["matcher"]["id"] == "byName"
    }
    for one in target.panel.get("transformations", []):
        named |= {*one["options"].get("indexByName", {})}
        named |= {name for name in [one["options"].get("byField")] if name}
    assert named <= there


@pytest.mark.services
def test_no_panel_fails_while_there_are_no_trends(filled: Filled) -> None:
    nothing = replace(filled, reader=filled.empty)
    for target in QUERIES:
        values: dict[str, str | list[str]] = {
            name: [] if variable.get("multi") else ""  # as Grafana does where there is no option
            for name, variable in variables(BOARDS[target.board]).items()
        }
        _, rows = answer(nothing, target, Asked(filled.start, filled.end, values))
        assert all(not any(row.values()) for row in rows)  # but for counts, which are 0


@pytest.mark.services
def test_trends_come_by_stage_and_score_with_a_course_each(filled: Filled) -> None:
    rows = of_panel(filled, "trends", "Trends")
    order = [*STAGES]
    keys = [(order.index(row["stage"]), -row["score"], row["trend_id"]) for row in rows]
    assert keys == sorted(keys)
    held = query(filled.owner, "SELECT count(*) FROM groundswell.trends")[0][0]
    assert len(rows) == min(held, 100)
    courses = of_panel(filled, "trends", "Trends", "B")
    # The join in the browser leaves out what is on one side only.
    assert {row["trend_id"] for row in courses} == {row["trend_id"] for row in rows}
    assert sum(row["reels"] or 0 for row in courses) > 0
    times = {row["time"] for row in courses}
    assert len(courses) == len(times) * len(rows)  # so that each series is whole
    assert 10 < len(times) <= 61


@pytest.mark.services
def test_the_course_in_the_table_has_all_reels_of_the_trend(filled: Filled) -> None:
    courses = of_panel(filled, "trends", "Trends", "B")
    sums: dict[str, float] = {}
    for row in courses:
        sums[row["trend_id"]] = sums.get(row["trend_id"], 0) + (row["reels"] or 0)
    held = query(
        filled.owner,
        "SELECT trend_id, sum(reels) FROM groundswell.signal_counts WHERE t >= %s GROUP BY 1",
        filled.start,
    )
    assert {name: float(reels) for name, reels in held if name in sums} == sums


@pytest.mark.services
def test_variables_choose(filled: Filled) -> None:
    everything = of_panel(filled, "trends", "Trends")
    for column in ("stage", "kind"):
        for value in {row[column] for row in everything}:
            some = of_panel(filled, "trends", "Trends", **{column: value})
            assert {row[column] for row in some} == {value}
    assert of_panel(filled, "trends", "Trends", scope="region:XX") == []
    name = everything[0]["name"]
    found = of_panel(filled, "trends", "Trends", search=name[1:].upper())
    assert name in {row["name"] for row in found}
    assert all(name[1:].lower() in row["name"].lower() for row in found)
    assert of_panel(filled, "trends", "Trends", search="%' OR true --") == []


@pytest.mark.services
def test_the_page_of_a_trend_is_about_it_alone(filled: Filled) -> None:
    for trend_id, members, revisions in query(
        filled.owner,
        "SELECT trend_id, json_array_length(body->'members'), "
        "(SELECT count(*) FROM groundswell.trend_revisions AS r WHERE r.trend_id = t.trend_id) "
        "FROM groundswell.trends AS t ORDER BY revision DESC, trend_id LIMIT 3",
    ):
        assert len(of_panel(filled, "trend", "Members", trend=trend_id)) == members
        said = of_panel(filled, "trend", "Revisions", trend=trend_id)
        assert [row["revision"] for row in said] == [*range(revisions, 0, -1)]
        assert len(of_panel(filled, "trend", "Stages", trend=trend_id)) == revisions
        assert len(of_panel(filled, "trend", "Why", trend=trend_id)) == 1
    for title in ("Why", "Members", "Revisions", "Examples"):
        assert of_panel(filled, "trend", title, trend="' OR true --") == []


@pytest.mark.services
def test_the_forecast_goes_on_where_the_course_ends(filled: Filled) -> None:
    course = of_panel(filled, "trend", "Reels of its leading signal, hour by hour", "A")
    ahead = of_panel(filled, "trend", "Reels of its leading signal, hour by hour", "B")
    assert len(ahead) == 24
    assert all(row["low"] <= row["forecast"] <= row["high"] for row in ahead)
    assert 0 < (ahead[0]["time"] - course[-1]["time"]).total_seconds() <= 7200


@pytest.mark.services
def test_changes_are_first_revisions_and_other_stages(filled: Filled) -> None:
    rows = of_panel(filled, "trends", "What changed")
    assert all(row["before"] != row["stage"] for row in rows)
    times = [row["event_time"] for row in rows]
    assert times == sorted(times, reverse=True)
    told = of_panel(filled, "trends", "New trends")
    trends = query(filled.owner, "SELECT count(*) FROM groundswell.trends")[0][0]
    assert sum(row["trends"] for row in told) == trends


@pytest.mark.services
def test_the_role_of_the_writer_may_all_that_a_run_needs(filled: Filled) -> None:
    assert {one.level for one in examined(filled.writer)} <= {"ok", "warning"}


@pytest.mark.services
def test_the_role_of_the_board_may_look_and_nothing_else(filled: Filled) -> None:
    for statement in (
        "DELETE FROM groundswell.trends",
        "UPDATE groundswell.position SET fence = 0",
        "CREATE TABLE groundswell.mine (x int)",
        "SELECT groundswell.make_partitions('trend_revisions', ARRAY[now()])",
        "COPY groundswell.trends TO PROGRAM 'cat'",
    ):
        for first in ("", "SET default_transaction_read_only = off; "):
            with pytest.raises(
                (psycopg.errors.ReadOnlySqlTransaction, psycopg.errors.DatabaseError)
            ):
                run(filled, first + statement)
    left = query(filled.owner, "SELECT count(*) FROM groundswell.trends")[0][0]
    assert left > 0


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT $__timefilter(t)",
        "SELECT $__unheardOf(t)",
        "SELECT $nothing",
        "SELECT ${nothing:sqlstring}",
        "SELECT ${trend:pipe}",
        "SELECT $__timeGroup(t)",
        "SELECT $__timeGroup(t, 'soon')",
        "SELECT $__timeFilter()",
    ],
)
def test_what_grafana_does_not_know_is_an_error(filled_for_nothing: Asked, statement: str) -> None:
    with pytest.raises(UnknownError):
        filled_for_nothing.sql(statement)


@pytest.fixture
def filled_for_nothing() -> Asked:
    from datetime import UTC, datetime

    return Asked(datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC), {"trend": "x"})


@pytest.mark.parametrize(
    ("said", "sent"),
    [
        ("$__timeFilter(t)", "t BETWEEN '2026-01-01T00:00:00Z' AND '2026-01-02T00:00:00Z'"),
        ("$__timeFrom()::date", "'2026-01-01T00:00:00Z'::date"),
        ("$__interval_ms", "120000"),
        ("'$__interval'", "'2m'"),
        ("$__timeGroup(t, $__interval)", "floor(extract(epoch from t)/120)*120"),
        ("$__timeGroup(t,1h), x", 'floor(extract(epoch from t)/3600)*3600 AS "time", x'),
        ("IN (${trend:sqlstring})", "IN ('x')"),
    ],
)
def test_macros_are_replaced_as_grafana_does(
    filled_for_nothing: Asked, said: str, sent: str
) -> None:
    assert filled_for_nothing.sql(said) == sent
