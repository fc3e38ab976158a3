"""`groundswell run` with all three services: they hold what a replay says, whatever dies."""

import json
import os
import random
import re
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen

import pytest

from operators.sinks import postgres as sink
from operators.sources.board import Board
from schemas.trends import decode
from tests.flows.conftest import Outcome, Replay, kill_all, wait_until, write
from tests.flows.kafka import Run, Topics, lines_of, same_as_replay
from tests.operators import test_postgres, test_redis
from tests.services.broker import Broker, Given
from tests.services.postgres import Postgres
from tests.services.processes import Server
from tests.services.proxy import Proxy, proxy
from tests.services.redis import Redis

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]

BATCH = 15
"""Messages in a poll of a run to which something is to happen in the middle."""
TALKATIVE = {"GROUNDSWELL_FDR": "1"}
"""All that bursts is told, so that there is much to write."""
END_TXN = re.compile(rb"\x00\x1a\x00.{5}\x00\x0bgroundswell", re.DOTALL)
"""The head of the request that ends a transaction: its number, and our name as a client."""


@dataclass(frozen=True)
class World:
    """A run with all three services, and what must be in them in the end."""

    run: Run
    parts: list[list[bytes]]
    expected: Outcome
    database: str
    redis: Redis
    boards: list[Path] = field(default_factory=list)

    @property
    def topics(self) -> Topics:
        return self.run.topics

    def start(self, processes: int = 1, batch_size: int = BATCH) -> "Popen[str]":
        """Go on with the run, and keep its board, which the run removes when it ends."""
        work = self.run.folder / f"tmp-{len(self.boards)}"
        work.mkdir(parents=True)
        environment = {"TMPDIR": str(work)}
        process = self.run.start(
            processes=processes, batch_size=batch_size, environment=environment
        )
        kept = work / "board"
        wait_until(lambda: _keep(work, kept), process)
        self.boards.append(kept)
        return process

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
        said = b"".join(line + b"\n" for line in self.topics.said())
        assert self.expected.trends.startswith(said)


def _keep(work: Path, kept: Path) -> bool:
    """Give the board of a run another name, once it is there."""
    found = [*work.glob("groundswell-*/board")]
    if not found:
        return False
    os.link(found[0], kept)
    return True


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
) -> World:
    """The reels are in the topic, and nothing runs yet."""
    feed(topics, parts)
    run = Run(tmp_path / "run", topics, settings)
    return World(run, parts, expected, settings["GROUNDSWELL_DATABASE_URL"], redis)


def feed(topics: Topics, parts: list[list[bytes]]) -> None:
    """Send reels, each partition compressed in another way."""
    topics.make(len(parts))
    for number, part in enumerate(parts):
        topics.send(number, part, ("zstd", "lz4", "gzip", "snappy")[number % 4])


@dataclass(frozen=True)
class Fault:
    """A server that goes away for some seconds, and how."""

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]


@pytest.fixture
def outages(broker: Broker, postgres: Postgres, redis: Redis) -> list[Fault]:
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
    return found


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
    """Groundswell is killed, one of it sleeps and wakes too late, services die, connections too."""
    for name, one in proxies.items():
        one.plan.extend((CUTS[name], draw.random() < 0.5) for _ in range(cuts))
        one.cut_at, one.after = one.plan.popleft()
    happens: list[Fault | None] = [None] * kills + outages
    draw.shuffle(happens)
    process = world.start(draw.choice([1, 2]))
    for number, what in enumerate(happens):
        world.topics.wait_until_read(process, (number + 1) / (len(happens) + 3))
        time.sleep(draw.uniform(0, 0.2))
        if what is None:
            world.kill(process)
            process = world.start(draw.choice([1, 2]))
            continue
        what.begin()
        time.sleep(away_s)
        assert process.poll() is None, what.name
        what.end()
    world.end(process)
    assert {name: one.cuts for name, one in proxies.items()} == dict.fromkeys(proxies, cuts)
