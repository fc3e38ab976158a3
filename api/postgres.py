"""The tables of `groundswell migrate` in PostgreSQL or TimescaleDB, as the radar reads them.

Each thread has a connection of its own, read-only. A role that is a member of `groundswell_reader`
is enough.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, LiteralString

import psycopg
from psycopg.conninfo import conninfo_to_dict

from api.reader import MAX_REVISIONS, Link, Point, StoreError, Told, Whole
from schemas.trends import decode

CONNECTION: Final = {
    "application_name": "groundswell radar",
    "connect_timeout": "5",
    "tcp_user_timeout": "10000",
    "options": "-c default_transaction_read_only=on -c statement_timeout=10000 -c timezone=UTC",
}
"""Of libpq, where the URL says nothing else."""

MICROSECONDS: Final[LiteralString] = "(extract(epoch FROM {}) * 1000000)::bigint"
MARK: Final[LiteralString] = (
    "SELECT fence, run, position, written_at FROM groundswell.position WHERE sink = 'trends'"
)
NEWEST: Final[LiteralString] = (
    "SELECT trend_id, revision FROM groundswell.trends ORDER BY event_time DESC LIMIT %s"
)
TOLD: Final[LiteralString] = (
    "SELECT t.body::text, "
    + MICROSECONDS.format("coalesce(r.event_time, t.event_time)")
    + " FROM groundswell.trends AS t LEFT JOIN groundswell.trend_revisions AS r "
    "ON r.trend_id = t.trend_id AND r.revision = 1 WHERE t.trend_id = ANY(%s)"
)
AFTER: Final[LiteralString] = (
    "SELECT body::text FROM groundswell.trend_revisions "
    "WHERE trend_id = %s AND revision > %s ORDER BY revision LIMIT %s"
)
REVISIONS: Final[LiteralString] = (
    "SELECT body::text FROM groundswell.trend_revisions "
    "WHERE trend_id = %s ORDER BY revision DESC LIMIT %s"
)
LINKS: Final[LiteralString] = (
    "SELECT a_kind, a_id, b_kind, b_id, reels, authors, share, "
    + MICROSECONDS.format("since")
    + ", edge_reels, edge_authors, "
    + MICROSECONDS.format("edge_since")
    + " FROM groundswell.links WHERE trend_id = %s "
    'ORDER BY a_kind, a_id COLLATE "C", b_kind, b_id COLLATE "C"'
)
SERIES: Final[LiteralString] = (
    "SELECT "
    + MICROSECONDS.format("t")
    + ", reels, expected FROM groundswell.signal_counts WHERE trend_id = %s ORDER BY t"
)


class PostgresReader:
    """See `api.reader.Reader`. Raises `StoreError` where the URL is none."""

    def __init__(self, url: str) -> None:
        try:
            parts: dict[str, Any] = dict(conninfo_to_dict(url))
        except psycopg.Error:
            raise StoreError(
                "database_url: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE"
            ) from None
        where = ":".join(str(parts[key]) for key in ("host", "port") if parts.get(key))
        self.name = f"PostgreSQL {where}/{parts.get('dbname') or ''}"
        self._chosen = {**CONNECTION, **parts}
        self._own = threading.local()
        self._all: list[psycopg.Connection[Any]] = []
        self._lock = threading.Lock()

    def mark(self) -> object:
        """Where the writer is."""
        return self._rows(MARK, ())

    def written(self) -> datetime | None:
        """When the writer wrote last, by the clock of the database."""
        rows = self._rows(MARK, ())
        return rows[0][3] if rows else None

    def newest(self, most: int) -> dict[str, int]:
        """See `Reader`."""
        return dict(self._rows(NEWEST, (most,)))

    def told(self, trends: list[str]) -> list[Told]:
        """See `Reader`."""
        return [Told(body.encode(), us) for body, us in self._rows(TOLD, (trends,))]

    def after(self, trend_id: str, revision: int, most: int) -> list[bytes]:
        """See `Reader`."""
        return [body.encode() for (body,) in self._rows(AFTER, (trend_id, revision, most))]

    def whole(self, trend_id: str) -> Whole | None:
        """See `Reader`."""
        if "\0" in trend_id:  # PostgreSQL takes no such text
            return None
        rows = self._rows(REVISIONS, (trend_id, MAX_REVISIONS))
        if not rows:
            return None
        revisions = [body.encode() for (body,) in reversed(rows)]
        links = [Link(*row) for row in self._rows(LINKS, (trend_id,))]
        return Whole(decode(revisions[-1]), revisions, self.series(trend_id), links)

    def series(self, trend_id: str) -> list[Point]:
        """See `Reader`."""
        return [Point(*row) for row in self._rows(SERIES, (trend_id,))]

    def close(self) -> None:
        """Close the connections of all threads."""
        with self._lock:
            for connection in self._all:
                connection.close()
            self._all.clear()
        self._own = threading.local()

    def _rows(self, query: LiteralString, values: tuple[object, ...]) -> list[tuple[Any, ...]]:
        with self._reading() as connection:
            return connection.execute(query, values).fetchall()

    @contextmanager
    def _reading(self) -> Iterator[psycopg.Connection[Any]]:
        """This thread's connection, made anew after an error."""
        try:
            connection: psycopg.Connection[Any] | None = getattr(self._own, "connection", None)
            if connection is None:
                connection = psycopg.connect(**self._chosen, autocommit=True)
                self._own.connection = connection
                with self._lock:
                    self._all.append(connection)
            yield connection
        except psycopg.Error as error:
            self._drop()
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            mend = " (run `groundswell migrate`)" if error.sqlstate in {"42P01", "3F000"} else ""
            raise StoreError(f"{self.name}: {said}{mend}") from error

    def _drop(self) -> None:
        connection = getattr(self._own, "connection", None)
        if connection is not None:
            with self._lock:
                if connection in self._all:
                    self._all.remove(connection)
            connection.close()
            self._own.connection = None
