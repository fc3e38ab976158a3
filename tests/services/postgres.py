"""A throw-away PostgreSQL cluster, or the one that `DATABASE_URL` names."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.services.processes import NotStartedError, Server, free_port, missing

OLDEST = 15
HOW = (
    f"PostgreSQL {OLDEST} or newer is not installed; `sudo apt-get install postgresql`, or set "
    "DATABASE_URL to a database whose user may create databases and roles"
)
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "40",
    "shared_buffers": "64MB",
    "fsync": "off",  # what a killed process has written the kernel still has
    "timezone": "America/St_Johns",  # nothing may depend on it
}

_numbers = count()


@dataclass(frozen=True)
class Postgres:
    """A cluster whose superuser we are, and its server where it is ours."""

    admin: str
    """URL of a database in which others can be made."""
    server: Server | None

    def database(self) -> str:
        """URL of a new empty database, as its owner, who may also make roles."""
        name = f"groundswell_test_{os.getpid()}_{next(_numbers)}"
        with closing(psycopg.connect(self.admin, autocommit=True)) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(dbname=name)

    def url(self, **change: str) -> str:
        """The URL of the cluster with other parts."""
        return as_url(make_conninfo(self.admin, **change))

    def drop(self) -> None:
        """Remove the databases that were made: a small cluster starts and ends sooner."""
        with closing(psycopg.connect(self.admin, autocommit=True)) as connection:
            like = f"groundswell_test_{os.getpid()}_%"
            names = connection.execute(
                "SELECT datname FROM pg_database WHERE datname LIKE %s", [like]
            )
            for (name,) in names.fetchall():
                query = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
                connection.execute(query)


def as_url(conninfo: str) -> str:
    """The same as a URL, as users write it."""
    parts = conninfo_to_dict(conninfo)
    who = f"{parts.get('user', '')}:{parts['password']}" if parts.get("password") else parts["user"]
    return f"postgresql://{who}@{parts['host']}:{parts['port']}/{parts['dbname']}"


def query(url: str, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """The rows of one statement in a transaction of its own; none where it has none."""
    with closing(psycopg.connect(url, autocommit=True)) as connection:
        cursor = connection.execute(statement, parameters)  # type: ignore[call-overload]
        return cursor.fetchall() if cursor.description else []


def binaries() -> Path | None:
    """The folder with the newest `initdb` and `postgres`."""
    found = [
        (int(match[1]), path.parent)
        for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")
        if (match := re.search(r"/(\d+)/bin/", str(path))) and (path.parent / "postgres").exists()
    ]
    if found:
        version, folder = max(found)
        return folder if version >= OLDEST else None
    initdb = shutil.which("initdb")
    if initdb is None:
        return None
    said = subprocess.run([initdb, "--version"], capture_output=True, text=True, check=True).stdout
    match = re.search(r"(\d+)", said)
    return Path(initdb).parent if match and int(match[1]) >= OLDEST else None


@contextmanager
def running(**more: str) -> Iterator[Postgres]:
    """A cluster of the newest PostgreSQL that is installed, stopped when the block ends.

    Its settings are `SETTINGS` and `more`.
    """
    folder_of_binaries = binaries()
    if folder_of_binaries is None:
        missing("PostgreSQL", HOW)
    user = "postgres" if os.getuid() == 0 else None  # it refuses to run as root
    with tempfile.TemporaryDirectory(prefix="groundswell-postgres-") as name:
        folder = Path(name)
        if user:
            shutil.chown(folder, user, user)
        port = free_port()
        done = subprocess.run(
            [folder_of_binaries / "initdb", "--auth=trust", "--username=admin", "--encoding=UTF8",
             "--locale=C", "-D", folder / "data"],
            user=user,
            group=user,
            extra_groups=[] if user else None,
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )  # fmt: skip
        if done.returncode:
            missing("PostgreSQL", f"initdb failed:\n{done.stderr[-2000:]}")
        settings = {**SETTINGS, **more, "port": str(port)}
        if (folder_of_binaries.parent / "lib" / "timescaledb.so").exists():
            settings["shared_preload_libraries"] = "timescaledb"
            settings["timescaledb.telemetry_level"] = "off"
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        admin = f"postgresql://admin@127.0.0.1:{port}/postgres"
        server = Server(
            "PostgreSQL",
            [str(folder_of_binaries / "postgres"), "-D", str(folder / "data"), *options],
            folder,
            lambda: _answers(admin),
            user,
            signal.SIGQUIT,  # an immediate shutdown, which takes all its processes with it
        )
        try:
            server.start()
        except NotStartedError as error:
            missing("PostgreSQL", str(error))
        try:
            yield Postgres(admin, server)
        finally:
            server.kill()


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The cluster of all tests: the one that `DATABASE_URL` names, or one of our own."""
    if given := os.environ.get("DATABASE_URL"):
        yield Postgres(given, None)
        return
    with running() as one:
        yield one


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    """URL of a new empty database."""
    yield postgres.database()
    postgres.drop()
