"""`groundswell run` with all three services: they hold what a replay says, whatever dies."""

import json
import os
import random
import re
import signal
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

import pytest

from flows.simulate import lines
from operators.sinks import postgres as sink
from operators.sources.board import Board
from schemas.trends import decode
from tests.flows.conftest import Outcome, Replay, wait_until, write
from tests.flows.kafka import Run, Topics, lines_of, same_as_replay, wait_for
from tests.operators import test_postgres, test_redis
from tests.processes import kill_all, workers
from tests.services.broker import Broker, Given
from tests.services.postgres import Postgres, query
from tests.services.processes import Server
from tests.services.proxy import Proxy, proxy
from tests.services.redis import Redis
from trend.simulator import SimulatorSettings, simulate

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

BATCH = 15
"""Messages in a poll of a run to which something is to happen in the middle."""
TALKATIVE = {"GROUNDSWELL_FDR": "1"}
"""All that bursts is told, so that there is much to write."""
FETCH = re.compile(rb"\x00\x01\x00.{5}\x00\x0bgroundswell", re.DOTALL)
END_TXN = re.compile(rb"\x00\x1a\x00.{5}\x00\x0bgroundswell", re.DOTALL)
"""Heads of requests to Kafka, for messages and to end a transaction: number, our name as client."""


@dataclass(frozen=True)
class World:
    """A run with all three services, and what must be in them in the end."""

    run: Run
    parts: list[list[bytes]]
    expected: Outcome
    database: str
    redis: Redis
    boards: list[Path] = field(default_factory=list)
    processes: "list[Popen[str]]" = field(default_factory=list)

    @property
    def topics(self) -> Topics:
        return self.run.topics

    def feed(self, stages: int) -> Iterator[int]:
        """Send the reels in so many stages, one each time that the next is asked for."""
        for stage in range(stages):
            for number, part in enumerate(self.parts):
                slices = [len(part) * one // stages for one in (stage, stage + 1)]
                kind = ("zstd", "lz4", "gzip", "snappy")[number % 4]
                self.topics.send(number, part[slice(*slices)], kind)
            yield stage

    def begin_before_all_is_there(self, kafka: Proxy) -> None:
        """Have the run begin while there is but the first stage, and yet end with the last.

        Where it ends is in its job, which is changed before it has got a reel. So it cannot come to
        its end before something has happened to it, however fast it is.
        """
        kafka.cut_at, kafka.down = FETCH, True
        process = self.start()
        wait_for(lambda: kafka.cuts == 1)
        self.kill(process)
        path = self.run.folder / "state" / "job.json"
        job = json.loads(path.read_bytes())
        for number, part in enumerate(self.parts):
            job["kafka"]["spans"][str(number)]["until"] = len(part)
        path.write_text(json.dumps(job))
        kafka.down, kafka.cuts = False, 0

    def start(self, processes: int = 1, batch_size: int = BATCH) -> "Popen[str]":
        """Go on with the run."""
        process = self.begin(processes, batch_size=batch_size)
        assert process is not None
        return process

    def begin(self, processes: int, *more: str, batch_size: int = BATCH) -> "Popen[str] | None":
        """Start a run, and keep its board, which it removes in the end; None: it was refused."""
        work = self.run.folder / f"tmp-{len(self.boards)}"
        work.mkdir(parents=True, exist_ok=True)
        environment = {"TMPDIR": str(work)}
        process = self.run.start(
            *more, processes=processes, batch_size=batch_size, environment=environment
        )
        self.processes.append(process)
        kept = work / "board"
        while process.poll() is None:
            if found := [*work.glob("groundswell-*/board")]:
                os.link(found[0], kept)
                self.boards.append(kept)
                return process
            time.sleep(0.01)
        assert "in the middle of a write" in self.run.end(process).err
        return None

    def end(self, process: "Popen[str]") -> Outcome:
        """Have the run come to its end, and look whether everything is where it should be."""
        outcome = self.run.end(process)
        assert outcome.code == 0, outcome.err
        same_as_replay(self.topics, self.expected, self.parts)
        trends = [*map(decode, self.expected.trends.splitlines())]
        assert len(trends) > 50
        test_postgres.holds(self.database, trends)
        test_redis.holds(self.redis, trends, 2000)
        self.conserves()
        return outcome

    def conserves(self) -> None:
        """Of each partition all messages were counted, refused, or repeated."""
        board = Board.open(self.boards[-1])
        letters = Counter(int(one["partition"]) for one in self.topics.refused())
        refused = {(one["partition"], one["record"]) for one in self.expected.rejects}
        for number, part in enumerate(self.parts):
            file = next(name for name in _files(self.expected) if name.endswith(f"-{number}.jsonl"))
            good = [line for n, line in enumerate(part) if (file, n) not in refused]
            new = len({json.loads(line)["reel_id"] for line in good})
            name = f"{self.topics.reels}[{number}]"
            said = {what: board.get(name, what) for what in ("records", "rejects", "duplicates")}
            assert said == {
                "records": len(part),
                "rejects": letters[number],
                "duplicates": len(part) - letters[number] - new,
            }

    def kill(self, process: "Popen[str]") -> None:
        """SIGKILL; what has been said by then is the beginning of what is to be said."""
        kill_all(process)
        assert self.run.end(process).code == -signal.SIGKILL
        said = b"".join(line + b"\n" for line in self.topics.said_so_far())
        assert self.expected.trends.startswith(said)


def _files(outcome: Outcome) -> set[str]:
    return {one["partition"] for one in outcome.rejects}


@pytest.fixture(scope="session")
def parts(three_files: Path) -> list[list[bytes]]:
    """The lines of three files without blank ones, which a file may have and a topic may not."""
    return [
        [line for line in lines_of(path) if line.strip()] for path in sorted(three_files.iterdir())
    ]


@pytest.fixture(scope="session")
def expected(parts: list[list[bytes]], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What a replay makes of the same lines, a file a partition."""
    return replayed(parts, tmp_path_factory.mktemp("of-parts"))


def replayed(parts: list[list[bytes]], folder: Path) -> Outcome:
    files = [write(folder / f"part-{number}.jsonl", part) for number, part in enumerate(parts)]
    return Replay(folder / "replay", files, settings=TALKATIVE).run()


@pytest.fixture
def topics(kafka: Broker | Given, request: pytest.FixtureRequest) -> Iterator[Topics]:
    topics = Topics(kafka.address, f"faults.{os.getpid()}.{time.time_ns() % 10**9}")
    yield topics
    topics.close()


@pytest.fixture
def settings(database: str, redis: Redis) -> dict[str, str]:
    sink.migrate(database)
    return {
        "GROUNDSWELL_DATABASE_URL": database,
        "GROUNDSWELL_REDIS_URL": redis.url,
        "GROUNDSWELL_REDIS_PREFIX": "test",
        "GROUNDSWELL_REDIS_STREAM_LENGTH": "1000000",
        "GROUNDSWELL_REDIS_EXPIRY_HOURS": "2000",
        **TALKATIVE,
    }


@pytest.fixture
def world(
    topics: Topics,
    parts: list[list[bytes]],
    expected: Outcome,
    settings: dict[str, str],
    redis: Redis,
    tmp_path: Path,
) -> Iterator[World]:
    """The topic is empty and nothing runs yet; nor does anything run afterwards."""
    topics.make(len(parts))
    run = Run(tmp_path / "run", topics, settings)
    world = World(run, parts, expected, settings["GROUNDSWELL_DATABASE_URL"], redis)
    yield world
    for process in world.processes:
        if process.poll() is None:
            kill_all(process)
            process.communicate()


@dataclass(frozen=True)
class Fault:
    """A server that goes away for some seconds, and how."""

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]


@pytest.fixture
def outages(broker: Broker, postgres: Postgres, redis: Redis) -> Iterator[list[Fault]]:
    """Each of the three killed, and each of them stopped in its tracks."""
    if postgres.server is None or redis.server is None:
        pytest.skip("DATABASE_URL, REDIS_URL: servers that are not ours are not killed")
    found = [
        Fault("Kafka is killed", broker.kill, broker.start),
        Fault("Kafka is stopped", broker.pause, broker.resume),
    ]
    servers: list[Server] = [postgres.server, redis.server]
    for server in servers:
        found.append(Fault(f"{server.name} is killed", server.kill, server.start))
        found.append(Fault(f"{server.name} is stopped", server.freeze, server.thaw))
    yield found
    for server in servers:
        server.revive()


@pytest.fixture
def proxies(world: World, broker: Broker) -> Iterator[dict[str, Proxy]]:
    """A proxy before each service; through them the run speaks with all three."""
    with ExitStack() as stack:
        behind, front = (int(one.rpartition(":")[2]) for one in (broker.behind, broker.front))
        found = {"Kafka": stack.enter_context(proxy(behind, front))}
        world.run.settings["GROUNDSWELL_KAFKA_BOOTSTRAP"] = broker.front
        for name, setting in (("PostgreSQL", "DATABASE_URL"), ("Redis", "REDIS_URL")):
            url = world.run.settings[f"GROUNDSWELL_{setting}"]
            port = re.search(r":(\d+)/", url)
            assert port is not None
            found[name] = stack.enter_context(proxy(int(port[1])))
            changed = url.replace(port[0], f":{found[name].port}/")
            world.run.settings[f"GROUNDSWELL_{setting}"] = changed
        yield found


CUTS = {"Kafka": END_TXN, "PostgreSQL": b"COMMIT", "Redis": b"EVALSHA"}
"""In the middle of what the connection is reset."""


@pytest.mark.parametrize(
    ("kills", "away_s", "cuts"), [(2, 1, 2), pytest.param(10, 60, 8, marks=pytest.mark.slow)]
)
@pytest.mark.timeout(3600)
def test_whatever_dies_all_three_hold_everything_once(
    world: World,
    proxies: dict[str, Proxy],
    outages: list[Fault],
    draw: random.Random,
    kills: int,
    away_s: float,
    cuts: int,
) -> None:
    """Groundswell is killed, and once put to sleep and replaced; services go, connections too."""
    kill, sleep = "Groundswell is killed", "Groundswell sleeps"
    happens: list[Fault | str] = [*[kill] * kills, sleep, *outages]
    draw.shuffle(happens)
    stages = world.feed(len(happens) + 2)
    next(stages)
    world.begin_before_all_is_there(proxies["Kafka"])
    for name, one in proxies.items():
        one.plan.extend((CUTS[name], draw.random() < 0.5) for _ in range(cuts))
        one.cut_at, one.after = one.plan.popleft()
    process = world.start(draw.choice([1, 2]))
    asleep: list[Popen[str]] = []
    for what, _ in zip(happens, stages, strict=False):
        time.sleep(draw.uniform(0, 1.5))
        if isinstance(what, Fault):
            what.begin()
            time.sleep(away_s)
            assert process.poll() is None, what.name
            what.end()
        elif what == kill:
            world.kill(process)
            process = world.start(draw.choice([1, 2]))
        else:
            asleep.append(process)
            process = replaced(world, process, draw)
    assert [*stages] != []
    for one_asleep in asleep:
        awake(world, one_asleep)
    world.end(process)
    assert {name: one.cuts for name, one in proxies.items()} == dict.fromkeys(proxies, cuts)


def replaced(world: World, process: "Popen[str]", draw: random.Random) -> "Popen[str]":
    """Stop a run in its tracks and begin another in its place, where the first is in no write."""
    while True:
        family = [process.pid, *workers(process)]
        send(family, signal.SIGSTOP)
        second = world.begin(1, "--take-over")
        if second is not None:
            return second
        send(family, signal.SIGCONT)
        time.sleep(draw.uniform(0, 0.2))


def awake(world: World, process: "Popen[str]") -> None:
    """Wake a run in whose place another is; it writes nothing more, and says why."""
    send([process.pid, *workers(process)], signal.SIGCONT)
    outcome = world.run.end(process)
    assert outcome.code in (1, 2)
    assert "another run" in outcome.err
    assert "Traceback" not in outcome.err


def send(processes: list[int], number: signal.Signals) -> None:
    """Send a signal to each."""
    for process in processes:
        os.kill(process, number)


def test_what_a_service_refuses_is_told_and_the_others_get_theirs(
    world: World, proxies: dict[str, Proxy], postgres: Postgres
) -> None:
    """A full Redis; meanwhile a right that is taken away, and a read-only database."""
    name = world.database.rpartition("/")[2]
    owner = world.database
    query(owner, "CREATE ROLE faults_detector LOGIN IN ROLE groundswell_writer")
    writer = postgres.url(dbname=name, user="faults_detector")
    world.run.settings["GROUNDSWELL_DATABASE_URL"] = writer
    rights = "UPDATE ON groundswell.trends"
    trends = [*map(decode, world.expected.trends.splitlines())]
    stages = world.feed(5)
    next(stages)
    world.begin_before_all_is_there(proxies["Kafka"])
    client = world.redis.client()
    process = world.start()
    try:
        client.config_set("maxmemory", "1")
        next(stages)
        is_told(process, "it is full: raise maxmemory")
        query(owner, f"REVOKE {rights} FROM groundswell_writer")
        next(stages)
        is_told(process, "its role must be a member of groundswell_writer")
        query(owner, f"GRANT {rights} TO groundswell_writer")
        read_only(postgres, name, "on")
        next(stages)
        is_told(process, "the database is read-only")
        read_only(postgres, name, "off")
        next(stages)
        wait_until(lambda: rows(owner) == len(trends), process)
        test_postgres.holds(owner, trends)
        same_as_replay(world.topics, world.expected, world.parts)
        assert process.poll() is None  # for Redis has not got all
        client.config_set("maxmemory", "0")
        world.end(process)
    finally:
        client.config_set("maxmemory", "0")
        client.close()
        query(owner, "DROP OWNED BY faults_detector")
        query(owner, "DROP ROLE faults_detector")


def rows(database: str) -> int:
    """Revisions in the tables."""
    found: int = query(database, "SELECT count(*) FROM groundswell.trend_revisions")[0][0]
    return found


def read_only(postgres: Postgres, name: str, value: str) -> None:
    """Have a database take writes or not, in sessions that are there already too."""
    query(postgres.admin, f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s"
    query(postgres.admin, end, "faults_detector")


def is_told(process: "Popen[str]", words: str) -> None:
    """Wait until the user has been told so."""
    assert process.stdout is not None
    said: list[str] = []
    for line in process.stdout:
        said.append(line)
        if words in line:
            return
    raise AssertionError("".join(said))


@pytest.mark.slow
def test_a_run_that_was_cut_off_for_too_long_in_a_write_stops_and_goes_on(
    world: World, proxies: dict[str, Proxy]
) -> None:
    """The brokers give its transaction up; the same command sends again what was in it."""
    world.run.settings["GROUNDSWELL_KAFKA_TRANSACTION_SECONDS"] = "2"
    between = proxies["Kafka"]
    stages = world.feed(3)
    next(stages)
    world.begin_before_all_is_there(between)
    process = world.start()
    between.cut_at, between.down = END_TXN, True
    next(stages)
    wait_for(lambda: between.cuts == 1)
    time.sleep(6)
    between.down = False
    outcome = world.run.end(process)
    assert outcome.code == 1
    assert "was away for too long; it has stopped" in outcome.err
    assert "Traceback" not in outcome.err
    next(stages)
    world.end(world.start())


@pytest.mark.slow
def test_two_hundred_thousand_reels_go_where_a_replay_says(
    topics: Topics, settings: dict[str, str], redis: Redis, tmp_path: Path
) -> None:
    settings["GROUNDSWELL_EPOCH_SECONDS"] = "2"
    parts: list[list[bytes]] = [[] for _ in range(6)]
    stream = SimulatorSettings(seed=3, days=10, reels_per_day=20_000)
    for line in lines(simulate(stream)):
        if line.strip():
            parts[zlib.crc32(line[:40]) % len(parts)].append(line)
    assert sum(map(len, parts)) > 200_000
    expected = replayed(parts, tmp_path)
    topics.make(len(parts))
    run = Run(tmp_path / "run", topics, settings)
    world = World(run, parts, expected, settings["GROUNDSWELL_DATABASE_URL"], redis)
    assert [*world.feed(1)] == [0]
    world.end(world.start(2, batch_size=20_000))
