"""The embedded store: the SQLite file that `replay --store` and `run` write (WAL).

Each thread has a connection of its own, which cannot write. A file that is replaced by another is
noticed by its inode.
"""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import quote

from api.reader import MAX_REVISIONS, Link, Point, StoreError, Told, Whole
from schemas.trends import decode

READS: Final = (1, 2)
"""Versions of a store that are read; 1 had no links."""
WAIT_S: Final = 5.0
CHUNK: Final = 500
"""Ids asked for at once: SQLite takes no more than 999 everywhere."""

NEWEST: Final = "SELECT trend_id, revision FROM trends ORDER BY event_time DESC LIMIT ?"
TOLD: Final = """
SELECT t.body, coalesce(r.event_time, t.event_time) FROM trends AS t
LEFT JOIN revisions AS r ON r.trend_id = t.trend_id AND r.revision = 1
WHERE t.trend_id IN ({})
"""
AFTER: Final = """
SELECT body FROM revisions WHERE trend_id = ? AND revision > ? ORDER BY revision LIMIT ?
"""
REVISIONS: Final = """
SELECT body FROM revisions WHERE trend_id = ? ORDER BY revision DESC LIMIT ?
"""
SERIES: Final = "SELECT t, reels, expected FROM series WHERE trend_id = ? ORDER BY t"
LINKS: Final = """
SELECT a_kind, a_id, b_kind, b_id, reels, authors, share, since,
    edge_reels, edge_authors, edge_since
FROM links WHERE trend_id = ? ORDER BY a_kind, a_id, b_kind, b_id
"""


class SqliteReader:
    """See `api.reader.Reader`."""

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self._path = path
        self._own = threading.local()
        self._all: list[sqlite3.Connection] = []
        self._lock = threading.Lock()
        self._numbers = count()

    def mark(self) -> object:
        """The connection, and what SQLite counts up for it when another has written."""
        with self._reading() as connection:
            if connection is None:
                return None
            (version,) = connection.execute("PRAGMA data_version").fetchone()
            return self._own.number, version

    def written(self) -> datetime | None:
        """When the file, or its write-ahead log, was last changed."""
        files = (self._path, self._path.with_name(self._path.name + "-wal"))
        times = [file.stat().st_mtime for file in files if file.exists() and file.stat().st_size]
        return datetime.fromtimestamp(max(times), UTC) if times else None

    def newest(self, most: int) -> dict[str, int]:
        """See `Reader`."""
        with self._reading() as connection:
            return dict(connection.execute(NEWEST, (most,)).fetchall()) if connection else {}

    def told(self, trends: list[str]) -> list[Told]:
        """See `Reader`."""
        found: list[Told] = []
        with self._reading() as connection:
            for at in range(0, len(trends), CHUNK):
                if connection is None:
                    break
                some = trends[at : at + CHUNK]
                query = TOLD.format(",".join("?" * len(some)))
                found += (Told(*row) for row in connection.execute(query, some))
        return found

    def after(self, trend_id: str, revision: int, most: int) -> list[bytes]:
        """See `Reader`."""
        with self._reading() as connection:
            rows = connection.execute(AFTER, (trend_id, revision, most)) if connection else ()
            return [body for (body,) in rows]

    def whole(self, trend_id: str) -> Whole | None:
        """See `Reader`; of one state of the store."""
        with self._reading() as connection:
            if connection is None:
                return None
            with _at_once(connection):
                rows = connection.execute(REVISIONS, (trend_id, MAX_REVISIONS)).fetchall()
                if not rows:
                    return None
                series = connection.execute(SERIES, (trend_id,)).fetchall()
                links = connection.execute(LINKS, (trend_id,)).fetchall() if self._own.links else []
        revisions = [body for (body,) in reversed(rows)]
        return Whole(
            decode(revisions[-1]),
            revisions,
            [Point(*row) for row in series],
            [Link(*row) for row in links],
        )

    def series(self, trend_id: str) -> list[Point]:
        """See `Reader`."""
        with self._reading() as connection:
            rows = connection.execute(SERIES, (trend_id,)) if connection else ()
            return [Point(*row) for row in rows]

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()
        self._own = threading.local()

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection | None]:
        """This thread's connection; None where the tables are not there yet."""
        try:
            yield self._connection()
        except sqlite3.Error as error:
            self._drop()
            raise StoreError(f"{self._path}: cannot be read ({error})") from error

    def _connection(self) -> sqlite3.Connection | None:
        try:
            inode = self._path.stat().st_ino
        except OSError:
            self._drop()
            return None
        if getattr(self._own, "inode", None) != inode:
            self._drop()
            connection = sqlite3.connect(
                f"file:{quote(str(self._path))}?mode=ro",
                uri=True,
                timeout=WAIT_S,
                check_same_thread=False,  # `close` closes those of other threads
            )
            try:
                version = _version(connection, self._path)
            except BaseException:
                connection.close()
                raise
            if not version:
                connection.close()
                return None
            with self._lock:
                self._all.append(connection)
            self._own.connection = connection
            self._own.links = version > 1
            self._own.inode = inode
            self._own.number = next(self._numbers)
        found: sqlite3.Connection = self._own.connection
        return found

    def _drop(self) -> None:
        if getattr(self._own, "inode", None) is not None:
            with self._lock:
                if self._own.connection in self._all:
                    self._all.remove(self._own.connection)
            self._own.connection.close()
            self._own.inode = None


@contextmanager
def _at_once(connection: sqlite3.Connection) -> Iterator[None]:
    """Read one state of the store, whatever is written meanwhile."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def _version(connection: sqlite3.Connection, path: Path) -> int:
    """Version of the store, 0 for an empty file. Raises `StoreError` for one we cannot read."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema")}
    if not tables:
        return 0
    if not tables >= {"meta", "trends", "revisions", "series"}:
        raise StoreError(f"{path}: a SQLite file, but not a store of Groundswell")
    found = connection.execute("SELECT value FROM meta WHERE key = 'version'").fetchone()
    version = int(found[0]) if found and str(found[0]).isdecimal() else 0
    if version not in READS:
        raise StoreError(f"{path}: a store of version {version}, this Groundswell reads {READS}")
    return version
