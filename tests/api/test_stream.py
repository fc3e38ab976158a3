"""The stream over a real connection: what is new, from where one was, to everyone, and its end."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.board import News
from api.hub import RESET, START, Hub
from api.items import Filter, item_of
from api.reader import Told
from api.stream import EventStream
from schemas.trends import encode
from tests.api.trends import later, put, serving, trend

ROOT = Path(__file__).parents[2]
WAIT_S = 30


class Reading:
    """A reader of the stream."""

    def __init__(self, response: httpx.Response) -> None:
        self._lines = response.iter_lines()

    def event(self) -> tuple[str, str, Any]:
        """Name, id and data of the next event; comments are passed over."""
        found: dict[str, str] = {}
        for line in self._lines:
            if line == "" and "event" in found:
                return found["event"], found.get("id", ""), json.loads(found["data"])
            name, _, value = line.partition(": ")
            if name:
                found[name] = value
        raise AssertionError("the stream ended")

    def comment(self) -> str:
        """The next comment."""
        return next(line for line in self._lines if line.startswith(":"))

    def ends(self) -> bool:
        """Read to the end."""
        for _ in self._lines:
            pass
        return True


@contextmanager
def reading(address: str, last: str = "", **query: str) -> Iterator[Reading]:
    """Read until the end of the block. When it begins the server knows of the reader."""
    headers = {"last-event-id": last} if last else {}
    with (
        httpx.Client(timeout=WAIT_S, trust_env=False) as client,
        client.stream("GET", f"{address}/v1/stream", params=query, headers=headers) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        yield Reading(response)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store with one trend."""
    path = tmp_path / "t.db"
    put(path, [trend(1)])
    return path


def test_a_revision_is_told_as_it_is_written(path: Path) -> None:
    second = later(trend(1), stage="fading")
    with serving(path) as server, reading(server.address) as stream:
        assert stream.comment() == ": still here"
        put(path, [second])
        name, one_id, data = stream.event()
        assert (name, data["trend_id"], data["revision"]) == ("trend", second.trend_id, 2)
        assert len(data["series"]) == 24
        assert one_id.endswith(f".2.{second.trend_id}")


def test_a_reader_gets_what_it_asked_for(path: Path) -> None:
    with serving(path) as server:
        wanted = reading(server.address, kind="sound", view="brief")
        with wanted as sounds, reading(server.address) as every:
            sounds.comment()
            every.comment()
            put(path, [trend(2), trend(3), trend(5), trend(6)])
            got = [sounds.event()[2] for _ in range(2)]
            assert [one["trend_id"] for one in got] == ["01KT000003", "01KT000006"]
            assert "spark" in got[0]
            assert [every.event()[2]["trend_id"][-1] for _ in range(4)] == ["2", "3", "5", "6"]


def test_a_reader_goes_on_where_it_was(path: Path) -> None:
    with serving(path) as server:
        with reading(server.address) as stream:
            stream.comment()
            put(path, [trend(2)])
            _, last, _ = stream.event()
        put(path, [trend(3), trend(4)])
        with reading(server.address, last) as stream:
            assert [stream.event()[2]["trend_id"][-1] for _ in range(2)] == ["3", "4"]
    put(path, [trend(5)])
    with serving(path) as server, reading(server.address, last) as stream:  # another server
        told = [stream.event()[2]["trend_id"][-1] for _ in range(4)]
        assert told == ["2", "3", "4", "5"]  # what is of the same event time comes again


@pytest.mark.parametrize("last", ["x", "999999999999999999999999.1.a", "-5.1.a", "é"])
def test_an_id_that_is_none_is_told_to_look_again(path: Path, last: str) -> None:
    with serving(path) as server, httpx.Client(timeout=WAIT_S, trust_env=False) as client:
        headers = {"last-event-id": last.encode()}
        with client.stream("GET", f"{server.address}/v1/stream", headers=headers) as response:
            assert Reading(response).event()[0] == "reset"


def news(*numbers: int) -> list[News]:
    """Revisions as the board finds them."""
    bodies = [encode(trend(number)) for number in numbers]
    return [News(item_of(Told(body, 0)), body) for body in bodies]


def test_a_reader_that_the_ring_has_passed_is_told_to_look_again() -> None:
    async def read() -> list[bytes]:
        hub = Hub(length=5, most=1)
        chunks = hub.read(Filter(), "brief", 60.0)
        found = [await anext(chunks)]
        hub.tell(news(1, 2))
        found.append(await anext(chunks))
        hub.tell(news(*range(3, 9)))  # six, while it was away
        found.append(await anext(chunks))
        hub.tell(news(9))
        found.append(await anext(chunks))
        hub.reset()
        found.append(await anext(chunks))
        hub.close()
        assert [chunk async for chunk in chunks] == []
        assert hub.readers == 0
        return found

    start, two, reset, one, again = asyncio.run(read())
    assert start == START
    assert two.count(b"event: trend") == 2
    assert reset == again == RESET
    assert one.count(b"event: trend") == 1


def test_a_reader_that_takes_nothing_is_cut_off() -> None:
    async def stall() -> int:
        hub = Hub(length=5, most=1)
        sent = 0

        async def send(_: object) -> None:
            nonlocal sent
            sent += 1
            if sent > 1:
                await asyncio.Event().wait()

        async def receive() -> dict[str, str]:
            await asyncio.Event().wait()
            return {}

        stream = EventStream(hub.read(Filter(), "brief", 60.0), stalled_s=0.05)
        await stream({}, receive, send)
        return hub.readers

    assert asyncio.run(stall()) == 0


def test_only_so_many_readers_are_let_in(path: Path) -> None:
    with serving(path, streams=1) as server, reading(server.address) as stream:
        stream.comment()
        second = httpx.get(f"{server.address}/v1/stream", timeout=WAIT_S, trust_env=False)
        assert second.status_code == 503
        assert second.headers["retry-after"]


def test_a_reader_that_leaves_makes_room(path: Path) -> None:
    with serving(path, streams=1) as server:
        for _ in range(3):
            with reading(server.address) as stream:
                stream.comment()
            deadline = time.monotonic() + WAIT_S
            while server.radar.hub.readers and time.monotonic() < deadline:
                time.sleep(0.02)
            assert server.radar.hub.readers == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_ends_in_good_order_though_streams_are_read(
    path: Path, number: signal.Signals
) -> None:
    command = [sys.executable, "-m", "flows.cli", "serve", "--store", str(path), "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline()
            address = said.split()[1].rstrip("/")
            with reading(address) as stream:
                process.send_signal(number)
                assert stream.ends()
            _, errors = process.communicate(timeout=WAIT_S)
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, "")


def test_a_port_that_is_taken_is_named(path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "flows.cli", "serve", "--store", str(path), "--port", port],
            capture_output=True, text=True, check=False, timeout=WAIT_S,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith(f"groundswell: serve: 127.0.0.1:{port}: Address already in use")
    assert done.stderr.count("\n") == 1
