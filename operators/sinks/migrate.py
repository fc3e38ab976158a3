"""Makes and changes the tables of the PostgreSQL store: numbered SQL files, each applied once.

All that is missing is applied in one transaction under an advisory lock, so that any number of
processes may begin at once. Files named `.timescaledb.sql` and `.plain.sql` are two ways to the
same tables; which was taken is kept, and later files follow it.
"""

import hashlib
import importlib.resources
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from operators.sinks.jsonl import OutputError

if TYPE_CHECKING:
    import psycopg
    from psycopg.rows import TupleRow

    Connection = psycopg.Connection[TupleRow]

TIMESCALE: Final = "timescaledb"
PLAIN: Final = "plain"
HYPERTABLES: Final = {"trend_revisions", "signal_counts"}
LOCK_S: Final = 60
"""How long another migration, or a reader, may hold what we need."""

_NAME: Final = re.compile(r"(?P<number>\d{4})-[a-z-]+(?:\.(?P<variant>plain|timescaledb))?\.sql")

TABLE: Final = """
CREATE SCHEMA IF NOT EXISTS groundswell;
CREATE TABLE IF NOT EXISTS groundswell.migrations (
    number integer PRIMARY KEY,
    name text NOT NULL,
    variant text NOT NULL,          -- plain or timescaledb
    digest text NOT NULL,           -- of the file, SHA-256
    applied_at timestamptz NOT NULL DEFAULT now()
);
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file."""

    number: int
    name: str
    variant: str | None
    """The kind of database it is for; None: both."""
    text: str

    @property
    def digest(self) -> str:
        """SHA-256 of the file."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All files, in order.

    >>> [(one.number, one.variant) for one in migrations()]
    [(1, None), (2, 'plain'), (2, 'timescaledb'), (3, None)]
    """
    found = []
    for file in importlib.resources.files("operators.sinks.migrations").iterdir():
        if match := _NAME.fullmatch(file.name):
            text = file.read_text("utf-8")
            found.append(Migration(int(match["number"]), file.name, match["variant"], text))
    return sorted(found, key=lambda one: one.name)


def latest() -> int:
    """The version of the schema that this Groundswell reads and writes."""
    return migrations()[-1].number


def version(connection: "Connection") -> int:
    """The version of the schema in a database; 0 where there is none, or none we may see."""
    query = "SELECT to_regclass('groundswell.migrations') IS NOT NULL"
    row = connection.execute(query).fetchone()
    if row is None or not row[0]:
        return 0
    row = connection.execute(
        "SELECT coalesce(max(number), 0) FROM groundswell.migrations"
    ).fetchone()
    return int(row[0]) if row else 0


def check_version(found: int) -> None:
    """Raise `OutputError` where the schema is another than ours."""
    if found < latest():
        there = f"a schema of version {found}" if found else "no tables of Groundswell"
        raise OutputError(
            f"database_url: {there}, expected version {latest()}; run `groundswell migrate`"
        )
    _refuse_newer(found)


def migrate(connection: "Connection") -> list[str]:
    """Apply what is missing, in one transaction, and return the names of the files.

    The connection must not prepare statements: the seventh `CREATE TABLE` of a prepared one has
    made a plain table of a hypertable. Raises `OutputError` for a newer schema or a changed file,
    and `psycopg.Error`.
    """
    if connection.prepare_threshold is not None:
        raise ValueError("prepare_threshold: expected None")
    with connection.transaction():
        connection.execute(f"SET LOCAL lock_timeout = '{LOCK_S}s'")
        connection.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('groundswell.migrations', 0))"
        )
        _refuse_newer(version(connection))
        connection.execute(TABLE)
        applied = {
            number: (name, variant, digest)
            for number, name, variant, digest in connection.execute(
                "SELECT number, name, variant, digest FROM groundswell.migrations"
            )
        }
        before = {variant for _, variant, _ in applied.values()}
        variant = before.pop() if before else _variant(connection)
        chosen = [one for one in migrations() if one.variant in (None, variant)]
        _refuse_changed(chosen, applied)
        missing = [one for one in chosen if one.number not in applied]
        for one in missing:
            connection.execute(one.text.encode())
            connection.execute(
                "INSERT INTO groundswell.migrations (number, name, variant, digest) "
                "VALUES (%s, %s, %s, %s)",
                (one.number, one.name, variant, one.digest),
            )
        if variant == TIMESCALE:
            _assert_hypertables(connection)
        return [one.name for one in missing]


def _variant(connection: "Connection") -> str:
    """Which way to go: hypertables where TimescaleDB can be had."""
    row = connection.execute(
        "SELECT (SELECT true FROM pg_extension WHERE extname = %s), "
        "(SELECT true FROM pg_available_extensions WHERE name = %s)",
        (TIMESCALE, TIMESCALE),
    ).fetchone()
    installed, available = row or (None, None)
    if not installed and available:
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    return TIMESCALE if installed or available else PLAIN


def _assert_hypertables(connection: "Connection") -> None:
    rows = connection.execute(
        "SELECT hypertable_name FROM timescaledb_information.hypertables "
        "WHERE hypertable_schema = 'groundswell'"
    )
    if plain := HYPERTABLES - {name for (name,) in rows}:
        raise OutputError(f"database_url: {', '.join(sorted(plain))}: no hypertable was made")


def _refuse_newer(found: int) -> None:
    if found > latest():
        raise OutputError(
            f"database_url: a schema of version {found}, this Groundswell knows {latest()}; "
            "use the newer Groundswell"
        )


def _refuse_changed(chosen: Iterable[Migration], applied: dict[int, tuple[str, str, str]]) -> None:
    for one in chosen:
        name, _, digest = applied.get(one.number, (one.name, "", one.digest))
        if (name, digest) != (one.name, one.digest):
            raise OutputError(
                f"database_url: was made by another {name} than ours; expected the same file"
            )
