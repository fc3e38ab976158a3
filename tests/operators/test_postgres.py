"""PostgreSQL gets each revision once, whatever is repeated, torn, hostile, or taken away."""

import logging
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from msgspec.structs import replace

from operators.durable.faults import FencedError
from operators.durable.fence import Fence
from operators.links import Linked
from operators.sinks import migrate as schema
from operators.sinks import postgres as sink
from operators.sinks.jsonl import OutputError
from operators.sinks.remote import ServicePart
from schemas.trends import Member, Trend, decode, encode
from tests.operators.streams import batches, counts, current, linked, stream
from tests.operators.test_sinks import START, trend
from tests.services.postgres import Postgres, query
from tests.services.processes import Server
from tests.services.proxy import proxy

pytestmark = pytest.mark.services

WAIT_S = 60.0


@pytest.fixture
def tables(database: str) -> str:
    """URL of a database with the tables, as its owner."""
    sink.migrate(database)
    return database


@pytest.fixture
def server(postgres: Postgres) -> Server:
    if postgres.server is None:
        pytest.skip("DATABASE_URL: a server that is not ours is not killed")
    return postgres.server


def part(
    url: str,
    resume: tuple[str, int] | None = None,
    *,
    fence: Fence | None = None,
    wait_s: float = WAIT_S,
) -> ServicePart[Linked]:
    return sink.PostgresSink(url, fence, wait_s).build_part("s", "postgres", resume)


def put(url: str, *written: list[Trend], resume: tuple[str, int] | None = None) -> tuple[str, int]:
    """Write batches, each as a transaction of its own, and return the state."""
    one = part(url, resume)
    for batch in written:
        one.write_batch(linked(batch))
        one.flush()
    one.close()
    run, written = one.snapshot()
    return run, written


def holds(url: str, trends: list[Trend]) -> None:
    """The tables hold exactly these revisions."""
    revisions = query(url, "SELECT body::text FROM groundswell.trend_revisions")
    assert sorted(body for (body,) in revisions) == sorted(encode(t).decode() for t in trends)
    columns = [*sink.COLUMNS]
    rows = query(url, f"SELECT {', '.join(columns)}, body::text FROM groundswell.trends")
    expected = current(trends)
    assert {row[0] for row in rows} == expected.keys()
    for row in rows:
        said = dict(zip(columns, row, strict=False))
        assert decode(row[-1].encode()) == expected[row[0]]
        for name in columns[:-1]:
            value = getattr(expected[row[0]], name)
            assert said[name] == ([*value] if name == "scopes" else value)
    points = query(
        url, "SELECT trend_id, t, reels, expected, revision FROM groundswell.signal_counts"
    )
    assert {(name, t.astimezone(UTC)): tuple(rest) for name, t, *rest in points} == counts(trends)
    assert len(points) == len(counts(trends))


def holds_links(url: str, trends: list[Trend]) -> None:
    """The tables hold the links of the newest revisions, as `linked` makes them."""
    links = query(url, f"SELECT {sink.LINK_LIST} FROM groundswell.links")
    said = {
        (one.trend.trend_id, place, one.trend.revision, *_without_nul(link))
        for one in linked([*current(trends).values()])
        for place, link in enumerate(one.links)
    }
    assert {(*_without_nul(link),) for link in links} == said
    assert len(links) == len(said) > 0


def _without_nul(values: Iterable[object]) -> Iterator[object]:
    return (one.replace("\0", sink.NUL) if isinstance(one, str) else one for one in values)


def waited_for(caplog: pytest.LogCaptureFixture, words: str) -> None:
    """Wait until the sink has said so."""
    deadline = time.monotonic() + WAIT_S
    while words not in caplog.text:
        assert time.monotonic() < deadline, caplog.text
        time.sleep(0.02)


def run_as(url: str, statement: str) -> None:
    query(url, statement)


def test_the_tables_hold_each_revision_once_whatever_is_repeated(tables: str) -> None:
    trends, draw = stream(1), random.Random(1)
    state = put(tables, *batches(trends, draw))
    holds(tables, trends)
    holds_links(tables, trends)
    assert state[1] == len(trends)
    before = dump(tables)
    put(tables, *batches(trends, draw))  # another run writes the same
    put(tables, trends[len(trends) // 2 :])
    put(tables, trends[: len(trends) // 3])
    assert dump(tables) == before


def test_batches_change_nothing(postgres: Postgres, tables: str) -> None:
    trends = stream(2)
    put(tables, trends)
    other = postgres.database()
    sink.migrate(other)
    put(other, *([one] for one in trends))
    assert dump(other) == dump(tables)


def dump(url: str) -> list[list[object]]:
    return [
        query(url, f"SELECT one::text FROM groundswell.{table} AS one ORDER BY 1")
        for table in ("trends", "trend_revisions", "signal_counts", "links")
    ]  # type: ignore[return-value]


HOSTILE = "'; DROP TABLE groundswell.trends; --\\ \x01\x1b[2J \U0001f30a \ufffe {}%s $1 \\u0000 \\N"


def test_hostile_texts_are_only_texts(tables: str) -> None:
    nasty = replace(
        trend("a"),
        name=HOSTILE,
        why=HOSTILE,
        scopes=(f"region:{HOSTILE}", 'region:{"a",NULL}'),
        members=(Member(kind="hashtag", id=HOSTILE, label=HOSTILE, weight=1.0, reels=1),),
    )
    put(tables, [nasty])
    holds(tables, [nasty])


def test_a_nul_becomes_another_character_and_stops_nothing(tables: str) -> None:
    members = (Member(kind="phrase", id="a\0b", label="\0", weight=1.0, reels=1),)
    put(tables, [replace(trend("a\0"), name="x\0y \\u0000", members=members), trend("b")])
    kept = replace(
        trend("a\ufffd"),
        name="x\ufffdy \\u0000",
        members=(Member(kind="phrase", id="a\ufffdb", label="\ufffd", weight=1.0, reels=1),),
    )
    holds(tables, [kept, trend("b")])
    label = "SELECT body->'members'->0->>'label' FROM groundswell.trends ORDER BY trend_id LIMIT 1"
    assert query(tables, label) == [("\ufffd",)]


def test_hours_and_days_are_summed_in_utc(tables: str) -> None:
    trends = stream(3)
    put(tables, trends)
    for view, cut in (("1h", {"minute": 0}), ("1d", {"minute": 0, "hour": 0})):
        expected: dict[tuple[str, datetime], int] = {}
        for (name, t), (reels, *_) in counts(trends).items():
            key = name, t.replace(**cut)
            expected[key] = expected.get(key, 0) + reels
        rows = query(
            tables, f"SELECT trend_id, bucket, reels FROM groundswell.signal_counts_{view}"
        )
        assert {(name, t.astimezone(UTC)): reels for name, t, reels in rows} == expected


def test_months_get_partitions_which_the_owner_can_drop(tables: str) -> None:
    if timescale(tables):
        pytest.skip("hypertables have chunks")
    moved = [
        replace(
            one, event_time=one.event_time + timedelta(days=40 * n), trend_id=f"m{n}", series=()
        )
        for n, one in enumerate([trend("a")] * 5)
    ]
    put(tables, [moved[4]], moved[:4])
    names = query(
        tables, "SELECT relname FROM pg_inherits JOIN pg_class ON oid = inhrelid ORDER BY 1"
    )
    months = ["202601", "202602", "202603", "202605", "202606"]
    assert (
        [name[-6:] for (name,) in names if re.fullmatch(r"trend_revisions_\d+", name)]
        == [f"{moved[n].event_time:%Y%m}" for n in range(5)]
        == months
    )
    query(tables, "CALL groundswell.drop_before('2026-03-01T00:00:00Z')")
    assert query(tables, "SELECT count(*) FROM groundswell.trend_revisions") == [(3,)]
    assert query(tables, "SELECT count(*) FROM groundswell.trends") == [(5,)]


def timescale(url: str) -> bool:
    return bool(query(url, "SELECT FROM pg_extension WHERE extname = 'timescaledb'"))


@pytest.fixture
def roles(postgres: Postgres, tables: str) -> Iterator[dict[str, str]]:
    """URLs of two roles that may no more than they must."""
    urls = {}
    for role in ("writer", "reader"):
        name = f"test_{role}"
        query(tables, f"CREATE ROLE {name} LOGIN PASSWORD 'of {role}' IN ROLE groundswell_{role}")
        urls[role] = sink_url(tables, name, f"of%20{role}")
    yield urls
    for role in ("writer", "reader"):
        query(tables, f"DROP OWNED BY test_{role} CASCADE")
        query(tables, f"DROP ROLE test_{role}")


def sink_url(url: str, user: str, password: str) -> str:
    return f"postgresql://{user}:{password}@{url.partition('@')[2]}"


def test_a_writer_may_write_and_nothing_else(roles: dict[str, str], tables: str) -> None:
    trends, draw = stream(4), random.Random(4)
    sink.check(roles["writer"])
    put(roles["writer"], *batches(trends, draw))
    holds(tables, trends)
    holds_links(tables, trends)
    assert [*sink.revisions(roles["writer"], START)] == sorted(
        trends, key=lambda one: (one.event_time, one.trend_id)
    )
    for statement in (
        "DELETE FROM groundswell.trends",
        "DELETE FROM groundswell.position",
        "TRUNCATE groundswell.signal_counts",
        "UPDATE groundswell.trend_revisions SET name = ''",
        "DELETE FROM groundswell.trend_revisions",
        "INSERT INTO groundswell.migrations VALUES (9, '', '', '')",
        "CREATE TABLE groundswell.mine (a int)",
        "DROP TABLE groundswell.trends",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            query(roles["writer"], statement)


def test_a_reader_reads_all_and_writes_nothing(roles: dict[str, str], tables: str) -> None:
    trends = stream(5)
    put(tables, trends)
    for table in ("trends", "trend_revisions", "signal_counts", "signal_counts_1h",
                  "signal_counts_1d", "links", "position", "migrations"):  # fmt: skip
        assert query(roles["reader"], f"SELECT count(*) FROM groundswell.{table}") != [(0,)]
    with pytest.raises(OutputError, match=r"INSERT on trends is not permitted.*groundswell_writer"):
        sink.check(roles["reader"])
    for statement in (
        "INSERT INTO groundswell.position VALUES ('x', 1, '', 1)",
        "UPDATE groundswell.trends SET name = ''",
        "SELECT groundswell.make_partitions('signal_counts', '{}')",
        "CALL groundswell.drop_before(now())"
        if not timescale(tables)
        else "DELETE FROM groundswell.trends",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            query(roles["reader"], statement)


def test_migrations_are_applied_once(database: str) -> None:
    assert [name[:4] for name in sink.migrate(database)] == ["0001", "0002", "0003"]
    put(database, [trend("a")])
    assert sink.migrate(database) == []
    holds(database, [trend("a")])


def test_migrations_that_begin_together_are_applied_once(database: str) -> None:
    with ThreadPoolExecutor(8) as pool:
        applied = [*pool.map(lambda _: sink.migrate(database), range(8))]
    assert sorted(map(len, applied)) == [0] * 7 + [3]
    sink.check(database)


def test_a_newer_schema_is_refused(tables: str) -> None:
    query(tables, "INSERT INTO groundswell.migrations VALUES (99, 'x', 'plain', 'x')")
    for refused in (sink.migrate, sink.check, put_one):
        with pytest.raises(
            OutputError, match=r"version 99, this Groundswell knows 3; use the newer"
        ):
            refused(tables)  # type: ignore[operator]


def put_one(url: str) -> None:
    put(url, [trend("a")])


def test_a_migration_that_was_changed_is_refused(tables: str) -> None:
    query(tables, "UPDATE groundswell.migrations SET digest = 'x' WHERE number = 1")
    with pytest.raises(OutputError, match=r"another 0001-tables\.sql than ours"):
        sink.migrate(tables)


def test_a_migration_that_fails_leaves_nothing(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = schema.Migration(4, "0004-broken.sql", None, "CREATE TABLE groundswell.x (a int); x")
    whole = schema.migrations()
    monkeypatch.setattr(schema, "migrations", lambda: [*whole, broken])
    with pytest.raises(OutputError, match="syntax error"):
        sink.migrate(database)
    assert query(database, "SELECT to_regnamespace('groundswell')") == [(None,)]


def test_statements_of_migrations_are_not_prepared(database: str) -> None:
    with (
        psycopg.connect(database, autocommit=True) as connection,
        pytest.raises(ValueError, match="prepare_threshold"),
    ):
        schema.migrate(connection)


def test_who_may_not_migrate_is_told(postgres: Postgres, database: str) -> None:
    query(database, "CREATE ROLE test_nobody LOGIN")
    try:
        with pytest.raises(OutputError, match=r"permission denied.*as the owner of the database"):
            sink.migrate(sink_url(database, "test_nobody", ""))
    finally:
        query(database, "DROP ROLE test_nobody")


def test_without_tables_the_command_is_named(database: str) -> None:
    for refused in (sink.check, put_one):
        with pytest.raises(OutputError, match=r"no tables of Groundswell.*groundswell migrate"):
            refused(database)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("postgresql://u:hidden@127.0.0.1:1/d", r"PostgreSQL 127\.0\.0\.1:1/d: .*refused"),
        ("mysql://u:hidden@h/d", "expected postgresql://USER"),
        ("postgresql://u:hidden@h:port/d", "PostgreSQL h:port/d: "),
        ("hidden", "expected postgresql://USER"),
    ],
)
def test_a_database_that_is_not_there_is_named_without_its_password(url: str, message: str) -> None:
    for refused in (sink.check, sink.migrate):
        with pytest.raises(OutputError, match=message) as caught:
            refused(url)  # type: ignore[operator]
        assert "hidden" not in str(caught.value)


def test_a_login_that_is_refused_is_waited_for_without_showing_its_password(
    tables: str, roles: dict[str, str]
) -> None:
    query(tables, "ALTER ROLE test_writer CONNECTION LIMIT 0")
    one = part(roles["writer"], wait_s=0.5)
    one.write_batch(linked([trend("a")]))
    with pytest.raises(OutputError, match=r"too many connections.*; waited 0\.5 s") as caught:
        one.flush()
    assert "of writer" not in str(caught.value)


def restarted(server: Server) -> None:
    server.restart()


def frozen(server: Server) -> None:
    server.freeze()
    time.sleep(1)
    server.thaw()


def frozen_and_killed(server: Server) -> None:
    server.freeze()
    time.sleep(0.3)
    server.restart()


@pytest.mark.parametrize("fault", [restarted, frozen, frozen_and_killed])
def test_a_server_that_dies_again_and_again_loses_and_repeats_nothing(
    tables: str, server: Server, fault: Callable[[Server], None]
) -> None:
    trends, draw = stream(6, ticks=400), random.Random(6)
    one = part(tables)
    written = batches(trends, draw, most=30)
    faults = set(draw.sample(range(len(written)), 5))
    for number, batch in enumerate(written):
        one.write_batch(linked(batch))
        if number % 10 == 0:
            one.flush()
        if number in faults:
            time.sleep(draw.uniform(0, 0.01))
            fault(server)
    one.close()
    holds(tables, trends)


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("statement", [b"COMMIT", b"COPY", b"trend_revisions", b"UPDATE"])
def test_a_connection_that_is_reset_in_a_transaction_loses_and_repeats_nothing(
    tables: str, server: Server, statement: bytes, after: bool
) -> None:
    trends = stream(7)
    port = tables.rpartition(":")[2].partition("/")[0]
    with proxy(int(port)) as between:
        one = part(tables.replace(f":{port}/", f":{between.port}/"))
        for batch in batches(trends, random.Random(7), most=60):
            between.cut_at, between.after = statement, after
            one.write_batch(linked(batch))
            one.flush()
        one.close()
    assert between.cuts >= 3
    holds(tables, trends)
    assert query(tables, "SELECT position FROM groundswell.position") == [(len(trends),)]


def test_what_a_service_does_not_take_for_too_long_stops_the_run(
    tables: str, server: Server
) -> None:
    one = part(tables, wait_s=1)
    put(tables, [trend("b")])
    server.kill()
    try:
        one.write_batch(linked([trend("a")]))
        with pytest.raises(OutputError, match=r"PostgreSQL 127\.0\.0\.1.*; waited 1 s"):
            one.flush()
        with pytest.raises(OutputError):
            one.write_batch(linked([trend("c")]))
    finally:
        server.start()


def test_a_read_only_database_is_named_and_waited_for(
    tables: str, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    name = tables.rpartition("/")[2]
    with caplog.at_level(logging.WARNING):
        query(postgres.admin, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        with pytest.raises(OutputError, match="read-only: database_url must name the primary"):
            sink.check(tables)
        one = part(tables)
        one.write_batch(linked([trend("a")]))
        waited_for(caplog, "default_transaction_read_only be off")
        query(postgres.admin, f"ALTER DATABASE {name} SET default_transaction_read_only = off")
        one.close()
    holds(tables, [trend("a")])
    assert "goes on after" in caplog.text


def test_a_permission_that_is_revoked_is_named_and_waited_for(
    tables: str, roles: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    one = part(roles["writer"])
    one.write_batch(linked([trend("a")]))
    one.flush()
    with caplog.at_level(logging.WARNING):
        query(tables, "REVOKE groundswell_writer FROM test_writer")
        one.write_batch(linked([trend("b")]))
        waited_for(caplog, "GRANT groundswell_writer TO")
        assert "permission denied" in caplog.text
        query(tables, "GRANT groundswell_writer TO test_writer")
        one.close()
    holds(tables, [trend("a"), trend("b")])


def test_a_later_writer_fences_the_earlier_one(tables: str) -> None:
    first = part(tables)
    first.write_batch(linked([trend("a")]))
    first.flush()
    state = first.snapshot()
    second = part(tables, state)
    second.write_batch(linked([trend("b")]))
    second.flush()
    first.write_batch(linked([trend("c")]))
    with pytest.raises(FencedError, match="another run has taken over"):
        first.flush()
    with pytest.raises(FencedError):
        first.write_batch(linked([trend("d")]))
    second.close()
    holds(tables, [trend("a"), trend("b")])


def test_a_writer_whose_folder_was_taken_over_cannot_claim(tables: str, tmp_path: Path) -> None:
    stale = Fence.claim(tmp_path / "fence", 1)
    Fence.claim(tmp_path / "fence", 2)
    one = part(tables, fence=stale)
    one.write_batch(linked([trend("a")]))
    with pytest.raises(FencedError, match="another run has taken over"):
        one.flush()
    assert query(tables, "SELECT count(*) FROM groundswell.trends") == [(0,)]


def test_a_claim_that_another_comes_between_is_made_anew(
    tables: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between its look at the folder and its claim, the earlier writer comes too late."""
    looked, go_on = threading.Event(), threading.Event()
    original = sink.check_fence

    def stop_here(fence: Fence | None) -> None:
        if threading.current_thread() is first._thread and not looked.is_set():
            calls.append(1)
            if len(calls) == 2:  # once at the put, once in the claim
                looked.set()
                assert go_on.wait(WAIT_S)
        original(fence)

    calls: list[int] = []
    monkeypatch.setattr(sink, "check_fence", stop_here)
    first = part(tables)
    first.write_batch(linked([trend("a")]))
    assert looked.wait(WAIT_S)
    second = part(tables)
    second.write_batch(linked([trend("b")]))
    second.flush()
    go_on.set()
    first.flush()  # it has a later number now, and the second is shut out
    second.write_batch(linked([trend("c")]))
    with pytest.raises(FencedError):
        second.flush()
    assert query(tables, "SELECT fence FROM groundswell.position") == [(2,)]


def test_a_database_that_lost_what_was_written_is_refused(tables: str) -> None:
    state = put(tables, [trend("a"), trend("b")])
    query(tables, "UPDATE groundswell.position SET position = 1")
    one = part(tables, state)
    one.write_batch(linked([trend("c")]))
    with pytest.raises(OutputError, match=r"at least the 2 revisions .* found 1; was it restored"):
        one.flush()


def test_a_run_that_goes_on_after_another_wrote_may(tables: str) -> None:
    state = put(tables, [trend("a")])
    put(tables, [trend("x")])
    put(tables, [trend("b")], resume=state)
    holds(tables, [trend("a"), trend("x"), trend("b")])
    assert query(tables, "SELECT fence, position FROM groundswell.position") == [(3, 2)]


def test_a_session_that_hangs_in_a_transaction_does_not_hold_the_next_one_up(
    tables: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        sink,
        "SESSION",
        tuple(one.replace("'20s'", "'1s'").replace("'30s'", "'200ms'") for one in sink.SESSION),
    )
    hanging = sink.Postgres(tables)
    hanging.put(("r", 0), linked([trend("a")]))
    assert hanging._connection is not None
    hanging._connection.execute("BEGIN")
    hanging._connection.execute(sink.FIND + " FOR UPDATE")
    put(tables, [trend("b")])
    holds(tables, [trend("a"), trend("b")])
    with closing(hanging), pytest.raises(FencedError):
        try_twice(hanging)


def try_twice(hanging: sink.Postgres) -> None:
    """The first finds its session gone, the second that another writes."""
    with pytest.raises(sink.UnavailableError):
        hanging.put(("r", 1), linked([trend("c")]))
    hanging.put(("r", 1), linked([trend("c")]))
