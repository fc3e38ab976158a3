"""A throw-away Redis or Valkey, or the one that `REDIS_URL` names."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis as client

from tests.services.processes import NotStartedError, Server, free_port, missing

KINDS = ("redis-server", "valkey-server")
PROGRAMS = [program for program in KINDS if shutil.which(program)] or [*KINDS[:1]]
HOW = (
    "Redis 7 or Valkey is not installed; `sudo apt-get install redis-server`, or set REDIS_URL to "
    "a server whose database may be emptied"
)


@dataclass(frozen=True)
class Redis:
    """A server, ours or given."""

    url: str
    server: Server | None

    def client(self) -> "client.Redis":
        """A new connection."""
        return client.Redis.from_url(self.url, socket_timeout=20)


@contextmanager
def running(kind: str = PROGRAMS[0]) -> Iterator[Redis]:
    """A server of a kind with its log written each second, stopped when the block ends."""
    program = shutil.which(kind)
    if program is None:
        missing("Redis", HOW)
    with tempfile.TemporaryDirectory(prefix="groundswell-redis-") as name:
        port = free_port()
        url = f"redis://127.0.0.1:{port}/0"
        options = {"port": port, "bind": "127.0.0.1", "dir": name, "save": "", "appendonly": "yes"}
        options["appendfsync"] = "everysec"
        command = [part for key, value in options.items() for part in (f"--{key}", str(value))]
        server = Server(
            kind, [program, *command], Path(name), lambda: _answers(url), dying=signal.SIGKILL
        )
        try:
            server.start()
        except NotStartedError as error:
            missing("Redis", str(error))
        try:
            yield Redis(url, server)
        finally:
            server.kill()


@pytest.fixture(scope="session", params=PROGRAMS)
def redis_server(request: pytest.FixtureRequest) -> Iterator[Redis]:
    """A server of each kind that is installed, or the one that `REDIS_URL` names."""
    if given := os.environ.get("REDIS_URL"):
        if request.param != PROGRAMS[0]:
            pytest.skip("REDIS_URL names the one to test with")
        yield Redis(given, None)
        return
    with running(request.param) as one:
        yield one


def _answers(url: str) -> bool:
    try:
        with client.Redis.from_url(url, socket_timeout=1) as one:
            return bool(one.ping())
    except client.RedisError:
        return False


@pytest.fixture
def redis(redis_server: Redis) -> Redis:
    """The server, emptied."""
    with redis_server.client() as one:
        one.flushdb()
    return redis_server
