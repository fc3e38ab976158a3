"""The database: can it be reached, is its schema ours, and may our role write there."""

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from flows.doctor.finding import ANSWER_S, Finding, Findings, clock, ok, problem, warning
from operators.sinks import migrate as schema
from operators.sinks.jsonl import OutputError
from operators.sinks.postgres import CONNECTION, NEEDED, OLDEST, named

if TYPE_CHECKING:
    import psycopg

MEND_ROLE = "as its owner: `GRANT groundswell_writer TO {role}`"
LOGIN = {
    "28P01": "database_url must have the password of that user",
    "28000": "database_url must name a user that pg_hba.conf of the server lets in",
    "3D000": "`createdb NAME`, or name another database in database_url",
    "53300": "raise max_connections, or stop other clients",
    "42501": "as the owner: `GRANT groundswell_writer TO …`",
    "57P03": "wait until the server has started",
}
"""What to do when a connection is refused, by SQLSTATE or by words where there is none."""
WORDS = {
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    "no pg_hba.conf entry": "28000",
    "role": "28000",
    "does not exist": "3D000",
    "too many clients": "53300",
    "starting up": "57P03",
}


def postgres(url: str, ahead_s: float = 0.0) -> Findings:
    """Look at the database that a URL names. `ahead_s`: how far our clock is put forward."""
    import psycopg

    check = "PostgreSQL"
    try:
        check = named(url)
        with connection(url) as session:
            yield from _server(check, session, ahead_s)
            if (yield from _schema(check, session)):
                yield from _role(check, session)
    except OutputError as error:
        yield problem("database_url", str(error).removeprefix("database_url: "))
    except psycopg.Error as error:
        said = (str(error).strip() or type(error).__name__).splitlines()[0]
        state = error.sqlstate or next((WORDS[one] for one in WORDS if one in said), "")
        mend = LOGIN.get(state, "is it started, and are host and port in database_url right?")
        yield problem(check, said, mend)


def connection(url: str) -> "psycopg.Connection[Any]":
    """Return a connection whose statements have a time limit."""
    import psycopg
    from psycopg.conninfo import conninfo_to_dict

    limit = f"-c statement_timeout={ANSWER_S * 1000:.0f} -c lock_timeout={ANSWER_S * 1000:.0f}"
    given = conninfo_to_dict(url)
    chosen: dict[str, Any] = {
        **CONNECTION,
        "options": limit,
        **given,
        "connect_timeout": f"{ANSWER_S:.0f}",
    }
    return psycopg.connect(**chosen, autocommit=True, prepare_threshold=None)


def _one(session: "psycopg.Connection[Any]", query: str, *parameters: object) -> Any:
    row = session.execute(query, parameters).fetchone()
    return row[0] if row else None


def _server(check: str, session: "psycopg.Connection[Any]", ahead_s: float) -> Findings:
    number = session.info.server_version
    text = f"version {number // 10_000}.{number % 10_000}"
    if number < OLDEST * 10_000:
        yield problem(check, f"{text}, expected {OLDEST} or newer", "upgrade the server")
    else:
        yield ok(check, text)
    before = time.time()
    theirs = _one(session, "SELECT extract(epoch FROM clock_timestamp())::float8")
    yield clock(check, theirs, (before + time.time()) / 2 + ahead_s)
    if _one(session, "SELECT pg_is_in_recovery()"):
        yield problem(check, "is a standby, which takes no writes", "name the primary")
    elif _one(session, "SHOW transaction_read_only") == "on":
        yield problem(
            check,
            "sessions are read-only",
            "as its owner: `ALTER ROLE … RESET default_transaction_read_only`, and the same of "
            "the database",
        )
    if _one(session, "SHOW fsync") == "off":
        yield warning(check, "fsync is off: a crash may lose what was written", "`fsync = on`")


def _schema(check: str, session: "psycopg.Connection[Any]") -> Generator[Finding, None, bool]:
    """Say which schema there is; return whether it is ours."""
    if not _one(session, "SELECT to_regnamespace('groundswell') IS NOT NULL"):
        yield problem(check, "has no tables of Groundswell", "`groundswell migrate`")
        return False
    if not _one(session, "SELECT has_schema_privilege('groundswell', 'USAGE')"):
        role = _one(session, "SELECT quote_ident(current_user)")
        yield problem(
            check, f"{role} may not look into the schema groundswell", MEND_ROLE.format(role=role)
        )
        return False
    found, latest = schema.version(session), schema.latest()
    if found > latest:
        yield problem(
            check,
            f"schema version {found} is newer than this Groundswell, which knows {latest}",
            "upgrade Groundswell: `pip install --upgrade groundswell`",
        )
        return False
    if found < latest:
        yield problem(check, f"schema version {found}, expected {latest}", "`groundswell migrate`")
        return False
    kept = _one(session, "SELECT max(variant) FROM groundswell.migrations")
    loaded = _one(session, "SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'")
    with_what = f"TimescaleDB {loaded}" if loaded else "no TimescaleDB"
    if kept == schema.TIMESCALE and not loaded:
        yield problem(
            check, "its tables need TimescaleDB, which is gone", "`CREATE EXTENSION timescaledb`"
        )
    else:
        yield ok(check, f"schema version {found}, {kept} tables, {with_what}")
    return True


def _role(check: str, session: "psycopg.Connection[Any]") -> Findings:
    role = _one(session, "SELECT quote_ident(current_user)")
    missing = [
        f"{right} on {table}"
        for table, rights in NEEDED.items()
        for right in rights
        if not _one(session, "SELECT has_table_privilege(%s, %s)", f"groundswell.{table}", right)
    ]
    if not _one(session, "SELECT has_database_privilege(current_database(), 'TEMPORARY')"):
        missing.append("TEMPORARY on the database")
    if missing:
        shown = ", ".join(missing[:4]) + (" and more" if len(missing) > 4 else "")
        yield problem(check, f"{role} lacks {shown}", MEND_ROLE.format(role=role))
    else:
        yield ok(check, f"{role} may write")
