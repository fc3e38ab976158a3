"""A database as a deployment has it: filled by a replay, and looked at by Grafana's own role."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from flows.simulate import lines
from operators.sinks import postgres as sink
from tests.flows.conftest import Replay, write
from tests.services.postgres import Postgres, binaries, query
from trend.simulator import SimulatorSettings, simulate

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
ROLES = {"detector": "d'etector", "grafana": "g'raf;ana"}
"""Who logs in, and a password that has to be quoted."""


@dataclass(frozen=True)
class Filled:
    """A database with trends."""

    owner: str
    """URL of it, as its owner."""
    writer: str
    """The same as the role of a run."""
    reader: str
    """The same as the role of Grafana."""
    empty: str
    """As the role of Grafana too, a database that has tables and nothing in them."""
    start: datetime
    """A little before the first trend began."""
    end: datetime
    """A little after the last revision."""


def make_roles(url: str) -> None:
    """Do what the compose file does after the migration."""
    folder = binaries()
    psql = str(folder / "psql") if folder and (folder / "psql").exists() else "psql"
    passwords = {
        "DETECTOR_PASSWORD": ROLES["detector"],
        "GRAFANA_DATABASE_PASSWORD": ROLES["grafana"],
    }
    done = subprocess.run(
        [psql, "--no-psqlrc", "--quiet", "--dbname", url, "--file", DEPLOY / "postgres/roles.sql"],
        env={**os.environ, **passwords},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def filled(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Filled]:
    """What a replay of two simulated days writes to a database, everything that bursts told."""
    url = postgres.database()
    sink.migrate(url)
    make_roles(url)
    make_roles(url)  # it is done again each time the services are started
    folder = tmp_path_factory.mktemp("deployed")
    settings = SimulatorSettings(
        seed=1, days=2, reels_per_day=1500, trends=5, fizzles=10, malformed=0
    )
    reels = write(folder / "reels.jsonl", lines(simulate(settings)))
    detector, reader = (
        postgres.url(dbname=url.rpartition("/")[2], user=name, password=password)
        for name, password in ROLES.items()
    )
    Replay(
        folder / "run",
        [reels],
        settings={"GROUNDSWELL_DATABASE_URL": detector, "GROUNDSWELL_FDR": "1"},
        options=["--services"],
    ).run()
    nothing = postgres.database()
    sink.migrate(nothing)
    empty = postgres.url(
        dbname=nothing.rpartition("/")[2], user="grafana", password=ROLES["grafana"]
    )
    first, last = query(
        url, "SELECT min(started_at), max(event_time) FROM groundswell.trend_revisions"
    )[0]
    hour = timedelta(hours=1)
    yield Filled(url, detector, reader, empty, first - 24 * hour, last + hour)
    postgres.drop()
    with closing(psycopg.connect(postgres.admin, autocommit=True)) as connection:
        for role in ROLES:
            connection.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
