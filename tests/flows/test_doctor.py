"""`groundswell doctor` names what is wrong with a set-up, and how to mend it."""

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)

from flows.doctor import command, local
from flows.doctor import kafka as doctor_kafka
from flows.doctor.command import examine
from flows.doctor.finding import Finding, ok
from flows.doctor.redis import redis as doctor_redis
from flows.settings import Settings
from flows.state import StateFolder
from operators.sinks import migrate as schema
from operators.sinks import postgres as sink
from tests.flows.conftest import ROOT
from tests.operators.test_redis import LEAST
from tests.services.broker import Broker, Given
from tests.services.postgres import query
from tests.services.processes import free_port
from tests.services.redis import Redis

HOUR_S = 3600.0
RULES = """
[receivers.team]
kind = "slack"
url_env = "NOWHERE"

[[rules]]
name = "dances"
to = "team"
"""
Planted = tuple[str, str, str]
"""How the check, what was seen and how to mend it begin, or what is in them."""


def names(found: list[Finding], planted: list[Planted]) -> None:
    """Each planted fault is named, with what to do about it."""
    wrong = [one for one in found if one.level != "ok"]
    for check, seen, mend in planted:
        assert any(
            one.check.startswith(check) and seen in one.seen and mend in one.mend for one in wrong
        ), (check, seen, mend, wrong)


@pytest.fixture
def topics(kafka: Broker | Given) -> "KafkaTopics":
    return KafkaTopics(kafka.address)


class KafkaTopics:
    """Topics of a name of their own."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.name = f"doctor.{os.getpid()}.{time.time_ns() % 10**9}"
        self.admin = AdminClient({"bootstrap.servers": address})
        self.settings: dict[str, Any] = {
            "kafka_bootstrap": address,
            "kafka_group": self.name,
            "kafka_reels": f"{self.name}.reels",
            "kafka_trends": f"{self.name}.trends",
            "kafka_current": f"{self.name}.current",
            "kafka_dead_letters": f"{self.name}.dlq",
        }

    def make(self, what: str, **config: str) -> None:
        topic = NewTopic(f"{self.name}.{what}", 2, 1, config=config)
        for future in self.admin.create_topics([topic]).values():
            future.result()

    @contextmanager
    def forbidden(self, *what: tuple[ResourceType, str, AclOperation]) -> Iterator[None]:
        """Forbid some operations to everybody, until the block ends."""
        like, everybody, anywhere = ResourcePatternType.PREFIXED, "User:*", "*"
        made = []
        for kind, name, operation in what:
            about = (kind, name, like, everybody, anywhere)
            made.append(AclBinding(*about, operation, AclPermissionType.DENY))
            # Where there is a rule for something, what no rule permits is forbidden.
            made.append(AclBinding(*about, AclOperation.ALL, AclPermissionType.ALLOW))
        for future in self.admin.create_acls(made).values():
            future.result()
        try:
            yield
        finally:
            every = (everybody, anywhere, AclOperation.ANY, AclPermissionType.ANY)
            filters = [AclBindingFilter(kind, name, like, *every) for kind, name, _ in what]
            for future in self.admin.delete_acls(filters).values():
                future.result()


@pytest.fixture
def role(database: str) -> Iterator[str]:
    """URL of a user of the database who may log in, and nothing else."""
    sink.migrate(database)
    name = f"doctor_{os.getpid()}"
    query(database, f"CREATE ROLE {name} LOGIN")
    yield database.replace("//admin@", f"//{name}@")
    query(database, f"DROP OWNED BY {name}")
    query(database, f"DROP ROLE {name}")


@contextmanager
def full(redis: Redis) -> Iterator[None]:
    """A server that has no room."""
    with closing(redis.client()) as client:
        client.set("ballast", bytes(4 << 20))
        client.config_set("maxmemory", str(2 << 20))
        try:
            yield
        finally:
            client.config_set("maxmemory", "0")
            client.delete("ballast")


@contextmanager
def locked(redis: Redis) -> Iterator[None]:
    """A server that wants a password."""
    with closing(redis.client()) as client:
        client.config_set("requirepass", "right")
        try:
            yield
        finally:
            client.execute_command("AUTH", "right")
            client.config_set("requirepass", "")


@pytest.mark.services
def test_a_set_up_that_is_broken_everywhere_has_each_fault_named(
    topics: KafkaTopics,
    role: str,
    redis: Redis,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    topics.make("trends")
    topics.make("current", **{"cleanup.policy": "delete"})
    user = role.split("//")[1].partition("@")[0]
    owner = role.replace(f"//{user}@", "//admin@")
    query(owner, f"ALTER ROLE {user} SET default_transaction_read_only = on")
    query(owner, f"GRANT USAGE ON SCHEMA groundswell TO {user}")
    query(owner, f"GRANT SELECT ON groundswell.migrations TO {user}")
    monkeypatch.setenv("GROUNDSWELL_FDRR", "0.2")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = Settings(
            **topics.settings,
            database_url=role,
            redis_url=redis.url,
            metrics_address=f"127.0.0.1:{taken.getsockname()[1]}",
            memory_mb=1 << 20,
        )
        denied = (
            (ResourceType.TOPIC, f"{topics.name}.trends", AclOperation.WRITE),
            (ResourceType.TRANSACTIONAL_ID, f"{topics.name}-", AclOperation.WRITE),
        )
        with StateFolder(tmp_path / "state"), topics.forbidden(*denied), full(redis):
            found = examine(settings, tmp_path / "state", ahead_s=HOUR_S)
    names(
        found,
        [
            ("settings", "GROUNDSWELL_FDRR: there is no such", "mean GROUNDSWELL_FDR?"),
            ("memory", "this machine has", "set memory_mb to"),
            ("metrics_address", "Address already in use", "ss -ltnp"),
            (f"state {tmp_path}", f"held by a run: process {os.getpid()}", "--take-over"),
            (f"topic {topics.name}.reels", "there is no such topic", "--create --topic"),
            (f"topic {topics.name}.trends", "WRITE is not permitted", "kafka-acls.sh"),
            (f"topic {topics.name}.current", "is not compacted", "cleanup.policy=compact"),
            (f"transactions of {topics.name}-", "authoriz", "--transactional-id"),
            ("PostgreSQL", "sessions are read-only", "default_transaction_read_only"),
            ("PostgreSQL", f"{user} lacks SELECT on trends", "GRANT groundswell_writer TO"),
            ("PostgreSQL 127.0.0.1", "3,600 s behind", "NTP"),
            ("Redis", "is full", "CONFIG SET maxmemory"),
            ("Redis 127.0.0.1", "3,600 s behind", "NTP"),
        ],
    )


@pytest.mark.services
def test_services_that_do_not_let_us_in_are_named(
    database: str, redis: Redis, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink.migrate(database)
    query(database, "UPDATE groundswell.migrations SET number = 99 WHERE number = 1")
    port = free_port()
    monkeypatch.setattr(doctor_kafka, "ANSWER_S", 1.0)
    with locked(redis):
        (tmp_path / "alerts.toml").write_text(RULES)
        settings = Settings(
            kafka_bootstrap=f"127.0.0.1:{port}",
            alert_rules=str(tmp_path / "alerts.toml"),
            database_url=database,
            redis_url=redis.url.replace("//", "//:wrong-password@"),
        )
        found = examine(settings, Path("/proc/state"))
    names(
        found,
        [
            (f"Kafka 127.0.0.1:{port}", "no broker answers", "kafka_bootstrap"),
            (
                "PostgreSQL",
                f"newer than this Groundswell, which knows {schema.latest()}",
                "upgrade",
            ),
            ("Redis", "invalid username-password", "redis_url must have its user and password"),
            ("state /proc/state", "cannot be written", "chown"),
            ("alert rules", "url_env = NOWHERE: is not in the environment", "alerts test"),
        ],
    )
    assert "wrong-password" not in str(found)
    monkeypatch.setitem(sys.modules, "psycopg", None)
    other = Settings(database_url=database, redis_url="http://nowhere")
    names(
        [*local.packages(other), *doctor_redis(other.redis_url.get_secret_value(), "test")],
        [
            ("package psycopg", "database_url is set", "pip install 'groundswell[postgres]'"),
            ("redis_url", "expected redis://", ""),
        ],
    )


@pytest.mark.services
def test_a_set_up_that_a_run_can_use_has_no_problem(
    topics: KafkaTopics, database: str, redis: Redis, tmp_path: Path
) -> None:
    topics.make("reels")
    sink.migrate(database)
    name = f"fit_{os.getpid()}"
    query(database, f"CREATE ROLE {name} LOGIN IN ROLE groundswell_writer")
    try:
        with closing(redis.client()) as client:
            client.execute_command("ACL", "SETUSER", "least", ">hidden", *LEAST)
            settings = Settings(
                **topics.settings,
                database_url=database.replace("//admin@", f"//{name}@"),
                redis_url=redis.url.replace("redis://", "redis://least:hidden@"),
                redis_prefix="test",
                memory_mb=64,
            )
            found = examine(settings, tmp_path / "state")
            assert client.keys() == []  # nothing is left of it
            client.execute_command("ACL", "DELUSER", "least")
    finally:
        query(database, f"DROP ROLE {name}")
    assert [one for one in found if one.level == "problem"] == []
    assert {one.check.split()[0] for one in found} >= {"Kafka", "PostgreSQL", "Redis", "state"}
    assert not (tmp_path / "state").exists()


def test_a_check_that_hangs_is_named_and_holds_nothing_back() -> None:
    never = threading.Event()

    def hangs() -> Iterator[Finding]:
        yield ok("first", "was seen")
        never.wait()

    def breaks() -> Iterator[Finding]:
        raise RuntimeError("of its own")
        yield

    found = command.run({"one": hangs, "other": breaks}, limit_s=0.2)
    never.set()
    assert [(one.check, one.level) for one in found] == [
        ("first", "ok"),
        ("one", "problem"),
        ("other", "problem"),
    ]
    assert "no answer within 0.2 s" in found[1].seen
    assert found[2].seen == "RuntimeError: of its own"


def test_settings_that_cannot_be_used_are_each_named_and_the_code_is_1(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "flows.cli", "doctor", "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "GROUNDSWELL_FDR": "2",
             "GROUNDSWELL_BATCH_SIZE": "none"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    said = json.loads(done.stdout)
    assert said["problems"] == 2
    seen = [one["seen"] for one in said["findings"]]
    assert any("GROUNDSWELL_FDR = 2" in one for one in seen)
    assert any("GROUNDSWELL_BATCH_SIZE = none" in one for one in seen)
