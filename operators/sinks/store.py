"""The embedded store: trends, their revisions and their series in one SQLite file (WAL).

One writer, any number of readers. Writing the same revision again changes nothing, and an older
revision never replaces a newer one, so that a resumed run may repeat what it wrote.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from urllib.parse import quote

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from operators.durable import failpoints
from operators.durable.fence import Fence, writing
from operators.sinks.jsonl import OutputError
from schemas.trends import Trend, decode, encode

VERSION = 1
"""Of the tables below. A store of a newer version is refused."""

SERIES_POINTS = 2016
"""Points of its series kept for each trend: twelve weeks of hours."""

TABLES = """
CREATE TABLE IF NOT EXISTS meta (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS trends (   -- the newest revision of each trend
    trend_id TEXT PRIMARY KEY,
    revision INTEGER NOT NULL,
    kind TEXT NOT NULL,
    stage TEXT NOT NULL,
    name TEXT NOT NULL,
    event_time INTEGER NOT NULL,      -- microseconds since 1970 UTC, as are all times here
    started_at INTEGER NOT NULL,
    reels INTEGER NOT NULL,
    authors INTEGER NOT NULL,
    score REAL NOT NULL,
    body BLOB NOT NULL                -- the whole revision, a line of trends.v1
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS revisions (
    trend_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    event_time INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (trend_id, revision)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS series (
    trend_id TEXT NOT NULL,
    t INTEGER NOT NULL,
    reels INTEGER NOT NULL,
    expected REAL NOT NULL,
    revision INTEGER NOT NULL,        -- that said so
    PRIMARY KEY (trend_id, t)
) STRICT, WITHOUT ROWID;
"""

COUNT = "SELECT count(*) FROM revisions"

PUT_REVISION = "INSERT OR IGNORE INTO revisions VALUES (?, ?, ?, ?)"

PUT_TREND = """
INSERT INTO trends VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (trend_id) DO UPDATE SET
    revision = excluded.revision, kind = excluded.kind, stage = excluded.stage,
    name = excluded.name, event_time = excluded.event_time, started_at = excluded.started_at,
    reels = excluded.reels, authors = excluded.authors, score = excluded.score,
    body = excluded.body
WHERE trends.revision < excluded.revision
"""

PUT_POINT = """
INSERT INTO series VALUES (?, ?, ?, ?, ?)
ON CONFLICT (trend_id, t) DO UPDATE SET
    reels = excluded.reels, expected = excluded.expected, revision = excluded.revision
WHERE series.revision < excluded.revision
"""

CUT_SERIES = f"""
DELETE FROM series WHERE trend_id = ?1 AND t <= (
    SELECT t FROM series WHERE trend_id = ?1 ORDER BY t DESC LIMIT 1 OFFSET {SERIES_POINTS}
)
"""

TOP = """
SELECT body FROM trends
ORDER BY stage IN ('emerging', 'peaking') DESC, score DESC, authors DESC, trend_id
LIMIT ?
"""

SINCE = """
SELECT body FROM revisions WHERE event_time >= ? ORDER BY event_time, trend_id, revision
"""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


class StorePart(StatefulSinkPartition[Trend, int]):
    """The open store. Its state is the number of revisions in it.

    Raises `OutputError` where the file is no store, is of a newer version, or, resumed, holds
    fewer revisions than were written.
    """

    def __init__(self, path: Path, resume_state: int | None, fence: Fence | None = None) -> None:
        self._path = path
        self._fence = fence
        with writing(fence):
            self._connection = _open(path)
        self._revisions: int = self._connection.execute(COUNT).fetchone()[0]
        if resume_state is not None and self._revisions < resume_state:
            self._connection.close()
            raise OutputError(
                f"{path}: expected at least the {resume_state} revisions written before the run "
                f"was stopped, found {self._revisions}; it was changed and cannot be resumed"
            )

    def write_batch(self, values: list[Trend]) -> None:
        """Put all revisions in, in one transaction. Raises `OutputError` where none can be."""
        try:
            self._put(values)
        except sqlite3.OperationalError as error:
            raise OutputError(f"{self._path}: cannot be written ({error})") from error

    def _put(self, values: list[Trend]) -> None:
        failpoints.reach("sink-write.before")
        with writing(self._fence), self._connection as connection:
            rows = [(trend, encode(trend)) for trend in values]
            before = connection.total_changes
            connection.executemany(
                PUT_REVISION,
                [(t.trend_id, t.revision, _microseconds(t.event_time), body) for t, body in rows],
            )
            self._revisions += connection.total_changes - before
            connection.executemany(PUT_TREND, [_row(trend, body) for trend, body in rows])
            connection.executemany(PUT_POINT, chain.from_iterable(map(_points, values)))
            connection.executemany(CUT_SERIES, sorted({(trend.trend_id,) for trend in values}))
        failpoints.reach("sink-write.after")

    def snapshot(self) -> int:
        """The number of revisions; every commit is durable already."""
        return self._revisions

    def close(self) -> None:
        """Close the store; SQLite folds the write-ahead log into the file."""
        self._connection.close()


class Store(FixedPartitionedSink[Trend, int]):
    """A SQLite store of trends; items are `(key, Trend)`."""

    def __init__(self, path: Path, fence: Fence | None = None) -> None:
        self._path = path
        self._fence = fence

    def list_parts(self) -> list[str]:
        """The one part, whatever the number of workers."""
        return ["store"]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> StorePart:
        """Open the store; what is in it stays."""
        return StorePart(self._path, resume_state, self._fence)


def check(path: Path) -> None:
    """Say before a run starts that `path` cannot be a store. Raises `OutputError`."""
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist")
    if path.exists():
        _open(path).close()


def clear(path: Path) -> None:
    """Make `path` an empty store. Raises `OutputError` where it is a file of another kind."""
    connection = _open(path)
    with connection:
        for table in ("trends", "revisions", "series"):
            connection.execute(f"DELETE FROM {table}")
    connection.close()


def top(path: Path, limit: int) -> list[Trend]:
    """The newest revision of the first `limit` trends: rising ones first, then by score.

    Empty where there is no store yet. Raises `OutputError` where the file is no store.
    """
    with _reading(path) as connection:
        return [decode(body) for (body,) in connection.execute(TOP, (limit,))] if connection else []


def count(path: Path) -> tuple[int, int]:
    """Trends and revisions in the store, as far as it has been written."""
    query = "SELECT (SELECT count(*) FROM trends), (SELECT count(*) FROM revisions)"
    with _reading(path) as connection:
        trends, revisions = connection.execute(query).fetchone() if connection else (0, 0)
        return trends, revisions


def revisions(path: Path, since: datetime) -> Iterator[Trend]:
    """All revisions since an event time, in the order of it, as far as they have been written.

    Raises `OutputError` where the file is no store.
    """
    with _reading(path) as connection:
        if connection:
            for (body,) in connection.execute(SINCE, (_microseconds(since),)):
                yield decode(body)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection | None]:
    """A connection that cannot write; None where the tables are not there yet."""
    if not path.exists():
        yield None
        return
    connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)
    try:
        yield connection if _version(connection, path) else None
    finally:
        connection.close()


def _open(path: Path) -> sqlite3.Connection:
    """Open for writing, with its tables made."""
    try:
        connection = sqlite3.connect(path, timeout=30)
        if not _version(connection, path):
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript("BEGIN IMMEDIATE;" + TABLES)
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?)", (str(VERSION),))
            connection.commit()
        connection.execute("PRAGMA synchronous = FULL")
    except sqlite3.Error as error:
        raise OutputError(f"{path}: not usable as a store ({error})") from None
    return connection


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Version of the store, 0 for an empty file. Raises `OutputError` for one we cannot use."""
    try:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
        if not tables:
            return 0
        if not tables >= {"meta", "trends", "revisions", "series"}:
            raise OutputError(f"{path}: a SQLite file, but not a store of Groundswell")
        found = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    except sqlite3.DatabaseError as error:
        raise OutputError(f"{path}: not usable as a store ({error})") from None
    version = int(found[0]) if found and str(found[0]).isdecimal() else 0
    if version != VERSION:
        raise OutputError(
            f"{path}: a store of version {version}, this Groundswell reads and writes {VERSION}"
        )
    return version


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND


def _row(trend: Trend, body: bytes) -> tuple[object, ...]:
    return (
        trend.trend_id,
        trend.revision,
        trend.kind,
        trend.stage,
        trend.name,
        _microseconds(trend.event_time),
        _microseconds(trend.started_at),
        trend.reels,
        trend.authors,
        trend.score,
        body,
    )


def _points(trend: Trend) -> Iterator[tuple[object, ...]]:
    for point in trend.series:
        time = _microseconds(point.t)
        yield trend.trend_id, time, point.reels, point.expected, trend.revision
