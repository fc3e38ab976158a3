"""`groundswell run` as its operator sees it: metrics, readiness, logs, and how it ends."""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from operators.metrics import (
    ALERTS,
    ALERTS_WAITING,
    BUFFERS,
    EXTRACT_FAILED,
    EXTRACT_SECONDS,
    EXTRACTED,
    FORMAT_CHANGES,
    METRICS,
    SINKS,
    STEPS,
    UNHEARD,
)
from schemas.trends import decode
from tests.flows.kafka import Run, Topics
from tests.operators import test_redis
from tests.processes import kill_all
from tests.services.broker import Broker, Given
from tests.services.redis import Redis

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

WAIT_S = 120
Values = dict[tuple[str, ...], float]


class Observed:
    """A run that serves its metrics, and says what happens in JSON."""

    def __init__(self, run: Run) -> None:
        how = ("--log-format", "json")
        self.process = run.start(*how, processes=2, batch_size=500, to_end=False)
        self.events: list[dict[str, Any]] = []
        self.address = ""

    def hear_address(self) -> None:
        """Wait until it says where it serves."""
        assert self.process.stderr is not None
        while not self.address:
            line = self.process.stderr.readline()
            assert line, "it has ended"
            self.events.append(json.loads(line))
            self.address = self.events[-1].get("address", "")

    def ask(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://{self.address}{path}", timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def ready(self) -> list[str]:
        """Why it is not ready."""
        code, said = self.ask("/readyz")
        reasons: list[str] = json.loads(said)["reasons"]
        assert code == (503 if reasons else 200)
        return reasons

    def metrics(self) -> Values:
        """Name and values of the labels -> value."""
        return {
            (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
            for family in text_string_to_metric_families(self.ask("/metrics")[1])
            for sample in family.samples
        }

    def types(self) -> dict[str, str]:
        """Type of each metric, by its name without `_total`."""
        families = text_string_to_metric_families(self.ask("/metrics")[1])
        return {family.name: family.type for family in families}

    def wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while not condition():
            assert self.process.poll() is None, "it has ended"
            assert time.monotonic() < deadline, (self.ready(), self.metrics())
            time.sleep(0.1)

    def stop(self) -> int:
        """Have it end in good order, hear what it says, and return its code."""
        self.process.send_signal(signal.SIGTERM)
        assert self.process.stderr is not None
        self.events += map(json.loads, self.process.stderr.read().splitlines())
        return self.process.wait(WAIT_S)

    def close(self) -> None:
        """Leave nothing of it."""
        if self.process.poll() is None:
            kill_all(self.process)
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe is not None
            pipe.close()


def total(found: Values, name: str, label: str = "") -> float:
    """The sum of a metric, over what has this value of a label."""
    return sum(value for key, value in found.items() if key[0] == name and label in ("", *key[1:]))


@pytest.fixture
def topics(kafka: Broker | Given) -> Iterator[Topics]:
    topics = Topics(kafka.address, f"operate.{os.getpid()}.{time.time_ns() % 10**6}")
    yield topics
    topics.close()


@pytest.fixture
def start() -> Iterator[Callable[[Run], Observed]]:
    """Starts runs, of which none outlives the test."""
    begun: list[Observed] = []

    def run(how: Run) -> Observed:
        begun.append(Observed(how))
        begun[-1].hear_address()
        return begun[-1]

    yield run
    for one in begun:
        one.close()


def is_listed(found: Values, types: dict[str, str]) -> None:
    """What is served is what the page says, with the values of labels that it says."""
    listed = {metric.full_name.removesuffix("_total"): metric for metric in METRICS}
    for name, kind in types.items():
        assert listed[name.removesuffix("_total")].type == kind
    for key in found:
        name, _, _ = key[0].partition("_bucket")
        if name.startswith("groundswell_sink_"):
            assert key[-1] in SINKS
        if name.startswith("groundswell_buffer_"):
            assert key[-1] in BUFFERS
        if name.startswith("groundswell_state_"):
            assert key[-1] in STEPS


def test_a_run_is_observed_and_ends_in_good_order_also_while_a_sink_is_away(
    topics: Topics,
    redis: Redis,
    clean_stream: list[bytes],
    start: Callable[[Run], Observed],
    tmp_path: Path,
) -> None:
    if redis.server is None:
        pytest.skip("REDIS_URL: a server that is not ours is not killed")
    half = len(clean_stream) // 2
    topics.make(2)
    for number in range(2):
        topics.send(number, clean_stream[:half][number::2])
    settings = {
        "GROUNDSWELL_REDIS_URL": redis.url,
        "GROUNDSWELL_REDIS_PREFIX": "test",
        "GROUNDSWELL_METRICS_ADDRESS": "127.0.0.1:0",
        "GROUNDSWELL_FDR": "1",  # all that bursts is told, so that there is much to write
        "GROUNDSWELL_STOP_SECONDS": "1",
    }
    one = start(Run(tmp_path / "run", topics, settings))
    absent = {ALERTS, ALERTS_WAITING}  # there are no rules
    absent |= {EXTRACTED, EXTRACT_FAILED, EXTRACT_SECONDS}  # nor is anything extracted
    absent |= {UNHEARD, FORMAT_CHANGES}  # all fingerprints are good, and looks are few
    names = {one.full_name for one in {*METRICS} - absent if one.type != "histogram"}
    one.wait(lambda: not one.ready())
    one.wait(lambda: total(one.metrics(), "groundswell_reels_read_total") == half)
    one.wait(lambda: names <= {key[0] for key in one.metrics()})

    def is_written() -> bool:
        found = one.metrics()
        told = total(found, "groundswell_revisions_total")
        return 0 < told == total(found, "groundswell_sink_written_total", "redis") and (
            2 * told == total(found, "groundswell_sink_written_total", "kafka-trends")
        )

    one.wait(is_written)
    found, types = one.metrics(), one.types()
    is_listed(found, types)
    listed = {*METRICS} - absent
    assert types.keys() >= {metric.full_name.removesuffix("_total") for metric in listed}
    assert total(found, "groundswell_lag_messages") == 0
    away = ("rejected", "duplicate", "counted")
    went = sum(total(found, f"groundswell_reels_{name}_total") for name in away)
    assert half - 2 * 32 <= went <= half  # some wait until their time is confirmed
    assert total(found, "groundswell_revisions_total") == len(topics.said())
    assert found["groundswell_sink_up", "redis"] == 1
    for buffer in BUFFERS:
        if ("groundswell_buffer_used", buffer) in found:
            used = found["groundswell_buffer_used", buffer]
            assert 0 <= used <= found["groundswell_buffer_limit", buffer]

    redis.server.kill()
    for number in range(2):
        topics.send(number, clean_stream[half:][number::2])
    one.wait(lambda: any(reason.startswith("sink redis: the last") for reason in one.ready()))
    assert one.ask("/healthz")[0] == 200
    assert one.stop() == 1
    events = [event["event"] for event in one.events]
    assert events[:2] == ["listening", "reading"]
    assert {"sink_waits", "stopping", "not_sent", "ended"} <= {*events}
    assert all(event["time"] and event["level"] for event in one.events)

    redis.server.start()
    other = start(Run(tmp_path / "run", topics, settings | {"GROUNDSWELL_STOP_SECONDS": "60"}))
    other.wait(lambda: not other.ready())
    other.wait(lambda: total(other.metrics(), "groundswell_lag_messages") == 0)
    assert other.stop() == 0
    assert other.events[-1]["event"] == "stopped"
    assert other.events[-1]["level"] == "info"
    trends = [*map(decode, topics.said())]
    assert len(trends) > 10
    test_redis.holds(redis, trends)
