"""The embedded store: trends, their revisions, series and links in one SQLite file (WAL).

One writer, any number of readers. Writing the same revision again changes nothing, and an older
revision never replaces a newer one, so that a resumed run may repeat what it wrote.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from urllib.parse import quote

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from operators.durable import failpoints
from operators.durable.fence import Fence, writing
from operators.links import Link, Linked
from operators.sinks.jsonl import OutputError
from schemas.trends import Trend, decode, encode

VERSION = 2
"""Of the tables below; 1 had no links. A store of a newer version is refused."""

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

CREATE TABLE IF NOT EXISTS links (    -- of the members of each trend, as of its newest revision
    trend_id TEXT NOT NULL,
    a_kind TEXT NOT NULL,
    a_id TEXT NOT NULL,
    b_kind TEXT NOT NULL,
    b_id TEXT NOT NULL,
    revision INTEGER NOT NULL,
    reels INTEGER,                    -- of a day, with both; what is not known is NULL
    authors INTEGER,
    share REAL,                       -- of the reels with any of the two
    since INTEGER,                    -- first reel known with both
    edge_reels INTEGER,               -- since they are an edge of the co-occurrence graph
    edge_authors INTEGER,
    edge_since INTEGER,
    PRIMARY KEY (trend_id, a_kind, a_id, b_kind, b_id)
) STRICT, WITHOUT ROWID;
"""
TABLE_NAMES = ("trends", "revisions", "series", "links")

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

CUT_LINKS = """
DELETE FROM links WHERE trend_id = ?1
AND revision < (SELECT revision FROM trends WHERE trend_id = ?1)
"""

PUT_LINK = """
INSERT OR IGNORE INTO links SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13
WHERE ?6 = (SELECT revision FROM trends WHERE trend_id = ?1)
"""

LINKS = """
SELECT a_kind, a_id, b_kind, b_id, reels, authors, share, since,
    edge_reels, edge_authors, edge_since
FROM links WHERE trend_id = ? ORDER BY a_kind, a_id, b_kind, b_id
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


class StorePart(StatefulSinkPartition[Linked, int]):
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

    def write_batch(self, values: list[Linked]) -> None:
        """Put all revisions in, in one transaction. Raises `OutputError` where none can be."""
        try:
            self._put(values)
        except sqlite3.OperationalError as error:
            raise OutputError(f"{self._path}: cannot be written ({error})") from error

    def _put(self, values: list[Linked]) -> None:
        failpoints.reach("sink-write.before")
        with writing(self._fence), self._connection as connection:
            trends = [value.trend for value in values]
            rows = [(trend, encode(trend)) for trend in trends]
            ids = sorted({(trend.trend_id,) for trend in trends})
            before = connection.total_changes
            connection.executemany(
                PUT_REVISION,
                [(t.trend_id, t.revision, _microseconds(t.event_time), body) for t, body in rows],
            )
            self._revisions += connection.total_changes - before
            connection.executemany(PUT_TREND, [_row(trend, body) for trend, body in rows])
            connection.executemany(PUT_POINT, chain.from_iterable(map(_points, trends)))
            connection.executemany(CUT_SERIES, ids)
            connection.executemany(CUT_LINKS, ids)
            connection.executemany(PUT_LINK, chain.from_iterable(map(_links, values)))
        failpoints.reach("sink-write.after")

    def snapshot(self) -> int:
        """The number of revisions; every commit is durable already."""
        return self._revisions

    def close(self) -> None:
        """Close the store; SQLite folds the write-ahead log into the file."""
        self._connection.close()


class Store(FixedPartitionedSink[Linked, int]):
    """A SQLite store of trends; items are `(key, Linked)`."""

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
        for table in TABLE_NAMES:
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


def find(path: Path, trend_id: str) -> Linked | None:
    """The newest revision of a trend with its links; None where the store has none of this id."""
    with _reading(path) as connection:
        if connection is None:
            return None
        found = connection.execute(
            "SELECT body FROM trends WHERE trend_id = ?", (trend_id,)
        ).fetchone()
        if found is None:
            return None
        linked = _version(connection, path) > 1
        rows = connection.execute(LINKS, (trend_id,)).fetchall() if linked else []
    return Linked(decode(found[0]), tuple(map(_link, rows)))


def starting_with(path: Path, start: str, limit: int) -> list[str]:
    """The ids of the first `limit` trends whose ids start so, in their order."""
    query = "SELECT trend_id FROM trends WHERE substr(trend_id, 1, ?) = ? ORDER BY 1 LIMIT ?"
    with _reading(path) as connection:
        if connection is None:
            return []
        return [one for (one,) in connection.execute(query, (len(start), start, limit))]


def every(path: Path) -> Iterator[Trend]:
    """The newest revision of each trend, by their ids."""
    with _reading(path) as connection:
        if connection is not None:
            for (body,) in connection.execute("SELECT body FROM trends ORDER BY trend_id"):
                yield decode(body)


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
        if _version(connection, path) < VERSION:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.executescript("BEGIN IMMEDIATE;" + TABLES)
            connection.execute("INSERT OR REPLACE INTO meta VALUES ('version', ?)", (str(VERSION),))
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
        if not tables >= {"meta", *TABLE_NAMES} - {"links"}:
            raise OutputError(f"{path}: a SQLite file, but not a store of Groundswell")
        found = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    except sqlite3.DatabaseError as error:
        raise OutputError(f"{path}: not usable as a store ({error})") from None
    version = int(found[0]) if found and str(found[0]).isdecimal() else 0
    if not 0 < version <= VERSION:
        raise OutputError(
            f"{path}: a store of version {version}, this Groundswell reads and writes {VERSION}"
        )
    return version


def _microseconds(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else EPOCH + microseconds * MICROSECOND


def _link(row: tuple[Any, ...]) -> Link:
    link = Link(*row)
    return link._replace(since=_moment(row[7]), edge_since=_moment(row[10]))


def _links(value: Linked) -> Iterator[tuple[object, ...]]:
    for link in value.links:
        yield (
            value.trend.trend_id,
            *link[:4],
            value.trend.revision,
            link.reels,
            link.authors,
            link.share,
            None if link.since is None else _microseconds(link.since),
            link.edge_reels,
            link.edge_authors,
            None if link.edge_since is None else _microseconds(link.edge_since),
        )


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
