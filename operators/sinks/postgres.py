"""Trends in PostgreSQL or TimescaleDB: what they are now, their revisions and their counts.

A write is one transaction: binary COPY into temporary tables, then upserts that take only what is
newer, and the position of the run beside them. So it is all there or nothing is, and the same again
changes nothing. The row of the position holds the number of the writer (its fence): one that was
stopped, and wakes when another has taken its place, finds a later number and stops.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, LiteralString

import msgspec
from bytewax.outputs import FixedPartitionedSink

from operators.durable import failpoints
from operators.durable.fence import Fence
from operators.links import Linked, decode_linked, encode_linked
from operators.sinks import migrate as schema
from operators.sinks.jsonl import OutputError
from operators.sinks.remote import (
    Coder,
    Resume,
    ServicePart,
    Snapshot,
    UnavailableError,
    check_fence,
    fenced,
)
from schemas.trends import Trend, decode, encode

if TYPE_CHECKING:
    import psycopg

INSTALL: Final = "pip install 'groundswell[postgres]'"
OLDEST: Final = 15
"""Version of PostgreSQL."""

CONNECTION: Final = {
    "application_name": "groundswell",
    "connect_timeout": "10",
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}
"""Of libpq, where the URL says nothing else: a host that is gone is noticed within a minute."""

SESSION: Final[tuple[LiteralString, ...]] = (
    "SET synchronous_commit = on",  # or a crash of the server could lose what we say is written
    "SET lock_timeout = '30s'",
    # A process that is stopped within a transaction must not keep the next one waiting.
    "SET idle_in_transaction_session_timeout = '20s'",
    "SET timezone = 'UTC'",
    "CREATE TEMPORARY TABLE incoming_trends (LIKE groundswell.trends) ON COMMIT DELETE ROWS",
    "CREATE TEMPORARY TABLE incoming_counts (LIKE groundswell.signal_counts) ON COMMIT DELETE ROWS",
    "CREATE TEMPORARY TABLE incoming_links (LIKE groundswell.links) ON COMMIT DELETE ROWS",
)

COLUMNS: Final[dict[LiteralString, LiteralString]] = {
    "trend_id": "text",
    "revision": "int8",
    "kind": "text",
    "stage": "text",
    "scopes": "text[]",
    "event_time": "timestamptz",
    "started_at": "timestamptz",
    "name": "text",
    "summary": "text",
    "category": "text",
    "reels": "int8",
    "authors": "int8",
    "expected": "float8",
    "growth": "float8",
    "velocity_per_h": "float8",
    "acceleration_per_h2": "float8",
    "score": "float8",
    "q_value": "float8",
    "why": "text",
    "body": "text",  # json, which is sent as text is
}
COUNTS: Final = ("text", "timestamptz", "int8", "float8", "int8")
LINKS: Final[dict[LiteralString, LiteralString]] = {
    "a_kind": "text",
    "a_id": "text",
    "b_kind": "text",
    "b_id": "text",
    "reels": "int8",
    "authors": "int8",
    "share": "float8",
    "since": "timestamptz",
    "edge_reels": "int8",
    "edge_authors": "int8",
    "edge_since": "timestamptz",
}
"""The fields of a `Link`."""

LIST: Final[LiteralString] = ", ".join(COLUMNS)

COPY_TRENDS: Final[LiteralString] = (
    "COPY pg_temp.incoming_trends (" + LIST + ") FROM STDIN (FORMAT BINARY)"
)
COPY_COUNTS: Final[LiteralString] = (
    "COPY pg_temp.incoming_counts (trend_id, t, reels, expected, revision) "
    "FROM STDIN (FORMAT BINARY)"
)

LINK_LIST: Final[LiteralString] = "trend_id, place, revision, " + ", ".join(LINKS)
COPY_LINKS: Final[LiteralString] = (
    "COPY pg_temp.incoming_links (" + LINK_LIST + ") FROM STDIN (FORMAT BINARY)"
)

PUT_REVISIONS: Final[LiteralString] = (
    "INSERT INTO groundswell.trend_revisions (" + LIST + ") "
    "SELECT " + LIST + " FROM pg_temp.incoming_trends ON CONFLICT DO NOTHING"
)
PUT_TRENDS: Final[LiteralString] = (
    "INSERT INTO groundswell.trends AS old (" + LIST + ") "
    "SELECT DISTINCT ON (trend_id) " + LIST + " FROM pg_temp.incoming_trends "
    "ORDER BY trend_id, revision DESC "
    "ON CONFLICT (trend_id) DO UPDATE SET ("
    + LIST
    + ") = ROW ("
    + ", ".join("excluded." + name for name in COLUMNS)
    + ") WHERE old.revision < excluded.revision"
)
PUT_COUNTS: Final[LiteralString] = """
INSERT INTO groundswell.signal_counts AS old (trend_id, t, reels, expected, revision)
SELECT trend_id, t, reels, expected, revision FROM pg_temp.incoming_counts
ORDER BY trend_id, t
ON CONFLICT (trend_id, t) DO UPDATE SET
    reels = excluded.reels, expected = excluded.expected, revision = excluded.revision
WHERE old.revision < excluded.revision
"""
CUT_LINKS: Final[LiteralString] = """
DELETE FROM groundswell.links AS old USING groundswell.trends AS now
WHERE now.trend_id IN (SELECT trend_id FROM pg_temp.incoming_trends)
AND old.trend_id = now.trend_id AND old.revision < now.revision
"""
PUT_LINKS: Final[LiteralString] = (
    "INSERT INTO groundswell.links (" + LINK_LIST + ") "
    "SELECT " + LINK_LIST + " FROM pg_temp.incoming_links AS new WHERE revision = "
    "(SELECT revision FROM groundswell.trends AS now WHERE now.trend_id = new.trend_id) "
    "ON CONFLICT DO NOTHING"
)
PUT_POSITION: Final[LiteralString] = """
UPDATE groundswell.position SET
    position = greatest(position, %s), event_time = greatest(event_time, %s),
    written_at = clock_timestamp()
WHERE sink = 'trends'
"""

FIND: Final[LiteralString] = (
    "SELECT fence, run, position FROM groundswell.position WHERE sink = 'trends'"
)
BEGIN: Final[LiteralString] = (
    "INSERT INTO groundswell.position (sink, fence, run, position) VALUES ('trends', 0, '', 0) "
    "ON CONFLICT DO NOTHING"
)
CLAIM: Final[LiteralString] = """
UPDATE groundswell.position SET fence = fence + 1, run = %s, position = %s
WHERE sink = 'trends' AND fence = %s
"""

SINCE: Final[LiteralString] = (
    "SELECT body::text FROM groundswell.trend_revisions WHERE event_time >= %s "
    "ORDER BY event_time, trend_id, revision"
)

NEEDED: Final = {
    "trends": ("SELECT", "INSERT", "UPDATE"),
    "position": ("SELECT", "INSERT", "UPDATE"),
    "trend_revisions": ("SELECT", "INSERT"),
    "signal_counts": ("SELECT", "INSERT", "UPDATE"),
    "links": ("SELECT", "INSERT", "DELETE"),
}
"""What the role of a writer may do; `groundswell_writer` may."""

ROLE: Final = "its role must be a member of groundswell_writer: GRANT groundswell_writer TO …"

LINKED: Final = Coder(encode_linked, decode_linked)

MEND: Final = {
    "25006": "the database is read-only: database_url must name the primary, and "
    "default_transaction_read_only be off",
    "42501": ROLE,
    "42P01": "run `groundswell migrate`",
    "3F000": "run `groundswell migrate`",
    "53100": "the disk of the database is full",
    "53300": "raise max_connections, or stop other clients",
    "55P03": "another session holds the row of the position; is a second writer running?",
}
"""What its operator can do, by SQLSTATE."""

WAIT_FOR: Final = ("08", "25", "40", "53", "55", "57", "58")
"""Classes of errors that pass: of the connection, the transaction, resources, and the operator."""

NUL: Final = "\ufffd"
"""What stands for a NUL character, which PostgreSQL refuses in texts."""


class Postgres:
    """The service: one connection, one writer. `run` and its position are of the first `put`."""

    def __init__(self, url: str, fence: Fence | None = None) -> None:
        self.name = named(url)
        self._url = url
        self._local = fence
        self._connection: psycopg.Connection[Any] | None = None
        self._fence: int | None = None
        self._months: set[tuple[str, int, int]] = set()

    def put(self, resume: Resume, revisions: list[Linked]) -> None:
        """Write revisions in one transaction. See `operators.sinks.remote.Service`."""
        check_fence(self._local)
        with self._errors():
            connection = self._connection or self._open()
            if self._fence is None:
                self._claim(connection, resume)
            trends = [one.trend for one in revisions]
            counts = _counts(trends)
            self._make_partitions(connection, "trend_revisions", (t.event_time for t in trends))
            self._make_partitions(connection, "signal_counts", (count[1] for count in counts))
            failpoints.reach("sink-write.before")
            with connection.transaction():
                self._write(connection, resume, revisions, counts)
            failpoints.reach("sink-write.after")

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _write(
        self,
        connection: "psycopg.Connection[Any]",
        resume: Resume,
        revisions: list[Linked],
        counts: list[tuple[object, ...]],
    ) -> None:
        run, position = resume
        trends = [one.trend for one in revisions]
        cursor = connection.cursor()
        with cursor.copy(COPY_TRENDS) as copy:
            copy.set_types([*COLUMNS.values()])
            for trend in trends:
                copy.write_row(_row(trend))
        with cursor.copy(COPY_COUNTS) as copy:
            copy.set_types(COUNTS)
            for count in counts:
                copy.write_row(count)
        with cursor.copy(COPY_LINKS) as copy:
            copy.set_types(["text", "int2", "int8", *LINKS.values()])
            for one in revisions:
                for link in _links(one):
                    copy.write_row(link)
        # The lock is taken late, so that a client that is stopped while it sends holds none.
        found = cursor.execute(FIND + " FOR UPDATE").fetchone()
        if found is None:
            raise OutputError(f"{self.name}: the row of the position is gone")
        if found[0] != self._fence or found[1] != run:
            raise fenced(self.name)
        self._check_position(found[2], position)
        cursor.execute(PUT_REVISIONS)
        cursor.execute(PUT_TRENDS)
        cursor.execute(PUT_COUNTS)
        cursor.execute(CUT_LINKS)
        cursor.execute(PUT_LINKS)
        newest = max(trend.event_time for trend in trends)
        cursor.execute(PUT_POSITION, (position + len(trends), newest))

    def _open(self) -> "psycopg.Connection[Any]":
        connection = connect(self._url)
        try:
            schema.check_version(schema.version(connection))
            for statement in SESSION:
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        self._connection = connection
        return connection

    def _claim(self, connection: "psycopg.Connection[Any]", resume: Resume) -> None:
        """Let this writer write from now on, and none before it.

        No lock is held between the look at the folder's fence and the write: where another run
        claims in between, the number has moved and the claim is made anew.
        """
        run, position = resume
        connection.execute(BEGIN)
        while True:
            found, owner, written = connection.execute(FIND).fetchone() or (0, "", 0)
            check_fence(self._local)
            if owner == run:
                self._check_position(written, position)
            else:
                written = position
            if connection.execute(CLAIM, (run, written, found)).rowcount == 1:
                self._fence = found + 1
                return

    def _check_position(self, found: int, expected: int) -> None:
        if found < expected:
            raise OutputError(
                f"{self.name}: expected at least the {expected} revisions written before, found "
                f"{found}; was it restored from an older copy? Run from the beginning"
            )

    def _make_partitions(
        self, connection: "psycopg.Connection[Any]", table: str, times: Iterable[Any]
    ) -> None:
        new = {(table, time.year, time.month): time for time in times}
        missing = new.keys() - self._months
        if missing:
            ordered = [new[month] for month in sorted(missing)]
            connection.execute("SELECT groundswell.make_partitions(%s, %s)", (table, ordered))
            self._months |= missing

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Errors of psycopg as ours; after one of them the connection is made anew."""
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            self._months.clear()
            self.close()
            raise explained(self.name, error) from error


class PostgresSink(FixedPartitionedSink[Linked, Snapshot]):
    """The tables of a PostgreSQL; items are `(key, Linked)`."""

    def __init__(self, url: str, fence: Fence | None, wait_s: float) -> None:
        self._url = url
        self._fence = fence
        self._wait_s = wait_s

    def list_parts(self) -> list[str]:
        """The one part, whatever the number of workers."""
        return ["postgres"]

    def build_part(
        self, step_id: str, for_part: str, resume_state: Snapshot | None
    ) -> ServicePart[Linked]:
        """Begin to write; what is in the tables stays."""
        service = Postgres(self._url, self._fence)
        return ServicePart(service, resume_state, self._wait_s, LINKED, "postgres")


def connect(url: str) -> "psycopg.Connection[Any]":
    """A connection that commits each statement. Raises `OutputError`, `psycopg.Error`."""
    chosen: dict[str, Any] = {**CONNECTION, **_parts(url)}
    made: psycopg.Connection[Any] = _psycopg().connect(
        **chosen, autocommit=True, prepare_threshold=None
    )
    return made


def check(url: str) -> None:
    """Say before a run starts that trends cannot be written there. Raises `OutputError`."""
    psycopg = _psycopg()
    name = named(url)
    try:
        with connect(url) as connection:
            schema.check_version(schema.version(connection))
            for table, rights in NEEDED.items():
                for right in rights:
                    said = connection.execute(
                        "SELECT has_table_privilege(%s, %s)", (f"groundswell.{table}", right)
                    ).fetchone()
                    if not said or not said[0]:
                        raise OutputError(f"{name}: {right} on {table} is not permitted; {ROLE}")
            found = connection.execute("SHOW transaction_read_only").fetchone()
            if found and found[0] == "on":
                raise OutputError(f"{name}: {MEND['25006']}")
    except psycopg.Error as error:
        raise OutputError(str(explained(name, error))) from error


def migrate(url: str) -> list[str]:
    """Make the tables, or bring them to our version; the files that were applied.

    Raises `OutputError`.
    """
    psycopg = _psycopg()
    try:
        with connect(url) as connection:
            return schema.migrate(connection)
    except psycopg.Error as error:
        name = named(url)
        if error.sqlstate == "42501":
            raise OutputError(
                f"{name}: {_first_line(error)}; migrate as the owner of the database, with "
                "CREATEROLE or with roles groundswell_writer and groundswell_reader made before"
            ) from error
        raise OutputError(str(explained(name, error))) from error


def revisions(url: str, since: datetime) -> Iterator[Trend]:
    """All revisions since an event time, in the order of it. Raises `OutputError`."""
    psycopg = _psycopg()
    try:
        with (
            connect(url) as connection,
            connection.transaction(),
            connection.cursor("revisions") as cursor,
        ):
            cursor.execute(SINCE, (since,))
            for (body,) in cursor:
                yield decode(body.encode())
    except psycopg.Error as error:
        raise OutputError(str(explained(named(url), error))) from error


def named(url: str) -> str:
    """The server and the database as messages name them, without user and password."""
    parts = _parts(url)
    where = ":".join(str(parts[key]) for key in ("host", "port") if parts.get(key))
    return f"PostgreSQL {where}/{parts.get('dbname') or ''}"


def explained(name: str, error: "psycopg.Error") -> Exception:
    """An error of psycopg as `UnavailableError`, or `OutputError` where waiting cannot help."""
    psycopg = _psycopg()
    state = error.sqlstate or ""
    mend = MEND.get(state)
    said = f"{name}: {_first_line(error)}" + (f" ({mend})" if mend else "")
    lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not state
    return (
        UnavailableError(said) if mend or lost or state.startswith(WAIT_FOR) else OutputError(said)
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _psycopg() -> Any:
    try:
        import psycopg
    except ImportError:
        raise OutputError(f"database_url: psycopg is not installed; {INSTALL}") from None
    return psycopg


def _parts(url: str) -> dict[str, Any]:
    """The parts of the URL. Raises `OutputError`, which does not repeat it."""
    from_url = _psycopg().conninfo.conninfo_to_dict
    try:
        return dict(from_url(url))
    except _psycopg().Error:
        raise OutputError(
            "database_url: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
        ) from None


def _row(trend: Trend) -> tuple[object, ...]:
    body = encode(trend)
    if rb"\u0000" in body:
        body = msgspec.json.encode(_without_nul(msgspec.json.decode(body)))
        trend = decode(body)
    return *(
        getattr(trend, name) if name != "scopes" else [*trend.scopes] for name in _PLAIN
    ), body.decode()


_PLAIN: Final = tuple(name for name in COLUMNS if name != "body")


def _without_nul(value: Any) -> Any:
    """The same with another character for NUL in all texts."""
    if isinstance(value, str):
        return value.replace("\0", NUL)
    if isinstance(value, list):
        return [_without_nul(one) for one in value]
    if isinstance(value, dict):
        return {name: _without_nul(one) for name, one in value.items()}
    return value


def _links(one: Linked) -> Iterator[tuple[object, ...]]:
    """The rows of a revision's links."""
    name, revision = one.trend.trend_id.replace("\0", NUL), one.trend.revision
    for place, link in enumerate(one.links):
        values = (v.replace("\0", NUL) if isinstance(v, str) else v for v in link)
        yield name, place, revision, *values


def _counts(trends: list[Trend]) -> list[tuple[object, ...]]:
    """The points of all series, of each only what the newest revision says."""
    newest: dict[tuple[str, datetime], tuple[object, ...]] = {}
    for trend in sorted(trends, key=lambda one: one.revision):
        name = trend.trend_id.replace("\0", NUL)
        for point in trend.series:
            row = (name, point.t, point.reels, point.expected, trend.revision)
            newest[name, point.t] = row
    return [*newest.values()]
