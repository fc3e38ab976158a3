"""With real services: whatever is killed or stopped, they hold what `--to` holds, each once."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

import api.postgres as postgres_reader
from operators.sinks import postgres as sink
from schemas.trends import decode
from tests.flows.conftest import ROOT, Outcome, Replay, wait_until
from tests.flows.test_crash import kill_at, killed, send, well_begun
from tests.operators import test_postgres, test_redis
from tests.processes import workers
from tests.services.postgres import Postgres, query
from tests.services.processes import Server
from tests.services.redis import Redis

pytestmark = pytest.mark.services

BATCH = 30
SMALL_BATCH = 3
"""For a run that goes on while one server after the other is away: it does not wait for them."""
US = postgres_reader.MICROSECONDS
LINKS = f"""
SELECT trend_id, a_kind, a_id, b_kind, b_id, revision, reels, authors, share,
    {US.format("since")}, edge_reels, edge_authors, {US.format("edge_since")}
FROM groundswell.links
"""
"""The columns of the embedded store."""
SERVICES = ("--services",)
TALKATIVE = {"GROUNDSWELL_FDR": "1"}
"""All that bursts is told, so that there is much to write."""


@pytest.fixture
def settings(database: str, redis: Redis) -> dict[str, str]:
    sink.migrate(database)
    return {
        "GROUNDSWELL_DATABASE_URL": database,
        "GROUNDSWELL_REDIS_URL": redis.url,
        "GROUNDSWELL_REDIS_PREFIX": "test",
        "GROUNDSWELL_REDIS_STREAM_LENGTH": "1000000",
        "GROUNDSWELL_REDIS_EXPIRY_HOURS": "2000",
        "GROUNDSWELL_EPOCH_SECONDS": "0.2",
        **TALKATIVE,
    }


@pytest.fixture(scope="module")
def of_three(three_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What an undisturbed run makes of `three_files`, with the same settings."""
    folder = tmp_path_factory.mktemp("of-three")
    return Replay(folder, [three_files], settings=TALKATIVE).run()


@pytest.fixture
def replay(three_files: Path, tmp_path: Path, settings: dict[str, str]) -> Replay:
    return Replay(tmp_path / "run", [three_files], True, settings, SERVICES)


@pytest.fixture
def servers(postgres: Postgres, redis: Redis) -> list[Server]:
    if postgres.server is None or redis.server is None:
        pytest.skip("DATABASE_URL, REDIS_URL: servers that are not ours are not killed")
    return [postgres.server, redis.server]


def undisturbed(
    outcome: Outcome, expected: Outcome, replay: Replay, redis: Redis, most_h: int = 2000
) -> None:
    """The file, the tables and the keys are those of a run that nothing happened to."""
    assert outcome.code == 0, outcome.err
    assert outcome.trends == expected.trends
    trends = [*map(decode, outcome.trends.splitlines())]
    assert len(trends) > 50
    test_postgres.holds(replay.settings["GROUNDSWELL_DATABASE_URL"], trends)
    test_redis.holds(redis, trends, most_h)
    links = query(replay.settings["GROUNDSWELL_DATABASE_URL"], LINKS)
    assert links
    assert sorted(map(repr, links)) == sorted(repr((*row,)) for row in outcome.store["links"])


@pytest.mark.parametrize("processes", [1, 2])
def test_the_services_hold_what_the_file_holds(
    replay: Replay, of_three: Outcome, redis: Redis, processes: int
) -> None:
    outcome = replay.end(replay.start(processes))
    undisturbed(outcome, of_three, replay, redis)
    again = replay.end(replay.start(1, more=["--state", "other"]))
    undisturbed(again, of_three, replay, redis)  # another run of the same changes nothing


@pytest.mark.parametrize("kills", [3, pytest.param(10, marks=pytest.mark.slow)])
@pytest.mark.timeout(1800)
def test_a_run_that_is_killed_again_and_again_writes_everything_once(
    replay: Replay, of_three: Outcome, redis: Redis, draw: random.Random, kills: int
) -> None:
    for number in range(kills):
        kill_at(replay, draw.choice([1, 1, 2]), (number + 1) / (kills + 2), draw, of_three)
    undisturbed(replay.end(replay.start(1)), of_three, replay, redis)


def restarted(server: Server, _: Callable[[], None]) -> None:
    server.restart()


def away(server: Server, wait: Callable[[], None]) -> None:
    server.kill()
    wait()
    server.start()


def frozen(server: Server, wait: Callable[[], None]) -> None:
    server.freeze()
    wait()
    server.thaw()


def test_servers_that_are_killed_and_stopped_meanwhile_lose_nothing(
    replay: Replay,
    of_three: Outcome,
    redis: Redis,
    servers: list[Server],
    draw: random.Random,
) -> None:
    process = replay.start(2, SMALL_BATCH)
    faults = [(fault, server) for fault in (restarted, away, frozen) for server in servers]
    draw.shuffle(faults)
    for number, (fault, server) in enumerate(faults):
        begin, end = ((number + share) / (len(faults) + 2) for share in (1.0, 1.5))
        has_come_to(begin, replay, process, of_three)
        fault(server, partial(has_come_to, end, replay, process, of_three))
    undisturbed(replay.end(process), of_three, replay, redis)


def test_everything_is_killed_at_once_and_goes_on(
    replay: Replay,
    of_three: Outcome,
    redis: Redis,
    servers: list[Server],
    draw: random.Random,
) -> None:
    for share in (0.2, 0.5, 0.8):
        process = replay.start(1, BATCH)
        has_come_to(share, replay, process, of_three)
        time.sleep(draw.uniform(0, 0.2))
        for server in servers:
            server.kill()
        killed(replay, process, of_three)
        for server in servers:
            server.start()
    undisturbed(replay.end(replay.start(2)), of_three, replay, redis)


def has_come_to(
    share: float, replay: Replay, process: subprocess.Popen[str], expected: Outcome
) -> None:
    """Wait until a run has read so much of the input, and some of it now."""
    moved = [replay.rejects_so_far()]

    def well_on() -> bool:
        now = replay.rejects_so_far()
        on = now > share * len(expected.rejects) and now > moved[0]
        moved[0] = min(moved[0], now)
        return on

    wait_until(well_on, process)


def test_a_run_that_wakes_after_another_took_over_changes_nothing(
    replay: Replay, of_three: Outcome, redis: Redis, draw: random.Random
) -> None:
    first = replay.start(1, BATCH)
    wait_until(lambda: replay.rejects_so_far() > 0.3 * len(of_three.rejects), first)
    second = None
    while second is None:
        family = [first.pid, *workers(first)]
        time.sleep(draw.uniform(0, 0.1))
        send(family, signal.SIGSTOP)
        second = replay.start(1, BATCH, more=["--take-over"])
        if not well_begun(second, replay):
            assert "in the middle of a write" in replay.end(second).err
            send(family, signal.SIGCONT)
            second = None
    send(family, signal.SIGCONT)
    outcome = replay.end(first)
    assert outcome.code in (1, 2)
    assert "another run has taken over" in outcome.err
    undisturbed(replay.end(second), of_three, replay, redis)


def groundswell(*arguments: str, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *arguments],
        env={**os.environ, "PYTHONPATH": str(ROOT), **settings},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture
def with_password(database: str) -> Iterator[str]:
    """URL of the database as a user with a password, who owns it."""
    query(database, "CREATE ROLE test_owner LOGIN SUPERUSER PASSWORD 'hidden'")
    yield f"postgresql://test_owner:hidden@{database.partition('@')[2]}"
    query(database, "REASSIGN OWNED BY test_owner TO CURRENT_USER")
    query(database, "DROP OWNED BY test_owner")
    query(database, "DROP ROLE test_owner")


def test_migrate_says_what_it_did(with_password: str) -> None:
    settings = {"GROUNDSWELL_DATABASE_URL": with_password}
    first = groundswell("migrate", settings=settings)
    assert first.returncode == 0, first.stderr
    assert [line.split("-")[0] for line in first.stdout.splitlines()[:-1]] == [
        "applied 0001",
        "applied 0002",
        "applied 0003",
    ]
    again = groundswell("migrate", settings=settings)
    assert again.stdout == first.stdout.splitlines()[-1] + "\n"
    assert again.stdout.endswith("schema version 3\n")
    assert "hidden" not in first.stdout + first.stderr
    none = groundswell("migrate", settings={"GROUNDSWELL_DATABASE_URL": ""})
    assert (none.returncode, none.stderr) == (
        2,
        "groundswell: database_url: not set, there is no database to migrate\n",
    )


def test_what_is_wrong_with_a_service_is_said_before_anything_is_done(
    replay: Replay, database: str, with_password: str
) -> None:
    unset = {"GROUNDSWELL_DATABASE_URL": "", "GROUNDSWELL_REDIS_URL": ""}
    for settings, message in (
        ({}, "neither database_url nor redis_url is set"),
        ({"GROUNDSWELL_DATABASE_URL": with_password}, "run `groundswell migrate`"),
        ({"GROUNDSWELL_REDIS_URL": "redis://:hidden@127.0.0.1:1"}, "Redis 127.0.0.1:1/0: "),
    ):
        if message.startswith("run"):
            query(database, "DROP SCHEMA groundswell CASCADE")
        bad = replace(replay, settings=unset | settings)
        outcome = bad.end(bad.start(1))
        assert outcome.code == 2
        assert message in outcome.err
        assert outcome.err.count("\n") == 1
        assert "hidden" not in outcome.err + outcome.out
        assert not (replay.folder / "t.jsonl").exists()


def test_no_secret_is_written_down(
    three_files: Path, tmp_path: Path, settings: dict[str, str], with_password: str
) -> None:
    known = settings | {"GROUNDSWELL_DATABASE_URL": with_password}
    run = Replay(tmp_path / "run", [three_files], True, known, SERVICES)
    outcome = run.end(run.start(2))
    assert outcome.code == 0, outcome.err
    written = [path.read_bytes() for path in (tmp_path / "run").rglob("*") if path.is_file()]
    assert len(written) > 5
    assert not [one for one in written if b"hidden" in one]
