"""The examples do what they say, run as programs."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from operators.sinks.redis import Keeping, RedisSink
from schemas.trends import encode
from tests.api.trends import later, put, serving, trend
from tests.services.broker import Broker, Given
from tests.services.redis import Redis

ROOT = Path(__file__).parents[1]
WAIT_S = 30


@contextmanager
def example(name: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Run an example until the end of the block."""
    with subprocess.Popen(
        [sys.executable, str(ROOT / "examples" / name), *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: "subprocess.Popen[str]") -> list[str]:
    """The next line that it prints."""
    assert process.stdout is not None
    return process.stdout.readline().rstrip("\n").split("\t")


def test_server_sent_events(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    put(path, [trend(1)])
    with serving(path) as server, example("events.py", server.address, "hashtag") as process:
        deadline = time.monotonic() + WAIT_S
        while server.radar.hub.readers == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        put(path, [trend(2), later(trend(1), stage="fading")])
        assert line(process)[1:] == ["fading", "#trend1", trend(1).why]


@pytest.mark.services
def test_redis(redis: Redis) -> None:
    part = RedisSink(redis.url, Keeping("groundswell"), None, 30.0, None).build_part(
        "s", "redis", None
    )
    part.write_batch([trend(1), trend(2), later(trend(1))])
    part.close()
    with example("redis_stream.py", redis.url, "0") as process:
        lines = sorted(line(process)[2] for _ in range(3))
    assert lines == ["#trend1", "#trend1", "#trend2"]


@pytest.mark.services
def test_kafka(kafka: Broker | Given) -> None:
    topic = f"examples-{os.getpid()}"
    broker = {"bootstrap.servers": kafka.address}
    admin = AdminClient(broker)
    for made in admin.create_topics([NewTopic(topic, 1, 1)]).values():
        made.result(WAIT_S)
    producer = Producer(broker)
    for one in (trend(1), trend(2)):
        producer.produce(topic, encode(one), one.trend_id)
    assert producer.flush(WAIT_S) == 0
    with example("kafka_topic.py", kafka.address, f"{topic}-readers", topic) as process:
        assert sorted(line(process)[2] for _ in range(2)) == ["#trend1", "#trend2"]
