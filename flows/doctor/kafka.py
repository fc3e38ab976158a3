"""Kafka: do brokers answer, are the topics there and as they should be, and may we use them.

Nothing is written to a topic; a transactional id of its own is made known to the brokers, to see
whether that is permitted. Those of a run are left alone: it would be shut out.
"""

import logging
import shlex
import time
from collections.abc import Iterable
from concurrent.futures import Future
from typing import Any, Final

from flows.doctor.finding import ANSWER_S, SKEW_S, Finding, Findings, ok, problem, warning
from flows.kafka import connection_of, outputs
from flows.settings import Settings
from operators.kafka import Connection, error_of

SILENT: Final = logging.getLogger(f"{__name__}.silent")
"""For what librdkafka would write to standard error; what counts comes as an error as well."""
SILENT.addHandler(logging.NullHandler())
SILENT.propagate = False


class _Kafka:
    """One look at the brokers of the settings."""

    def __init__(self, settings: Settings, ahead_s: float) -> None:
        from confluent_kafka.admin import AdminClient

        self.settings = settings
        self.ahead_s = ahead_s
        self.connection: Connection = connection_of(settings)
        self.errors: list[str] = []
        self.admin = AdminClient(self.quiet(self.connection.admin()))

    def quiet(self, properties: dict[str, Any]) -> dict[str, Any]:
        """The same properties, but errors are kept and not told."""
        return properties | {
            "error_cb": lambda error: self.errors.append(error.str()),
            "logger": SILENT,
            "socket.connection.setup.timeout.ms": int(ANSWER_S * 1000),
            "socket.timeout.ms": int(2 * ANSWER_S * 1000),
        }

    def command(self, tool: str, more: str) -> str:
        """A command of Kafka's own, as its operator types it."""
        return f"`{tool} --bootstrap-server {self.settings.kafka_bootstrap} {more}`"

    def acl(self, operation: str, what: str) -> str:
        """The command that permits something to us."""
        user = self.settings.kafka_username or "ANONYMOUS"
        who = shlex.quote(f"User:{user}")
        return self.command(
            "kafka-acls.sh", f"--add --allow-principal {who} --operation {operation} {what}"
        )


def kafka(settings: Settings, ahead_s: float = 0.0) -> Findings:
    """Look at the brokers and topics. `ahead_s`: how far our clock is put forward."""
    from confluent_kafka import KafkaException

    look = _Kafka(settings, ahead_s)
    check = f"Kafka {settings.kafka_bootstrap}"
    try:
        found = look.admin.list_topics(timeout=ANSWER_S)
    except KafkaException as error:
        yield _unreached(look, check, error)
        return
    yield ok(check, f"answers, brokers: {len(found.brokers)}")
    try:
        yield from _reels(look, set(found.topics))
        for name in outputs(settings):
            yield from _output(look, name, set(found.topics))
        yield _group(look)
        yield _transactions(look)
    except KafkaException as error:
        yield problem(check, error_of(error).str(), "look at the log of the broker")


def _unreached(look: _Kafka, check: str, error: Any) -> Finding:
    said = " ".join([*look.errors, error_of(error).str()])
    settings = look.settings
    if any(word in said.lower() for word in ("sasl", "authentication")):
        mend = "kafka_username, kafka_password and kafka_mechanism must be those of the brokers"
    elif "ssl" in said.lower():
        mend = "kafka_ca_file must hold the authority of the brokers' certificates"
    else:
        mend = (
            "are host and port in kafka_bootstrap right, and is it started? If brokers want TLS, "
            f"kafka_security must say so (it is {settings.kafka_security})"
        )
    return problem(check, f"no broker answers: {(look.errors or [said])[0]}", mend)


def _described(look: _Kafka, name: str) -> Any:
    """A topic with what we may do to it. Raises `KafkaException`."""
    from confluent_kafka import TopicCollection

    told = look.admin.describe_topics(
        TopicCollection([name]), include_authorized_operations=True, request_timeout=ANSWER_S
    )
    return _result(told[name])


def _result(future: "Future[Any]") -> Any:
    return future.result(2 * ANSWER_S)


def _reels(look: _Kafka, there: set[str]) -> Findings:
    name = look.settings.kafka_reels
    check = f"topic {name}"
    topic, fault = _topic(look, name, there)
    if topic is None:
        mend = look.acl("READ", f"--topic {shlex.quote(name)}")
        if fault is None:
            make = f"--create --topic {shlex.quote(name)} --partitions 8"
            mend = look.command("kafka-topics.sh", make) + ", or name another by kafka_reels"
        yield problem(check, fault or "there is no such topic", mend)
        return
    yield from _permitted(look, topic, ("READ", "DESCRIBE"))
    places = [part.id for part in topic.partitions]
    leaderless = [part.id for part in topic.partitions if part.leader is None or part.leader.id < 0]
    if leaderless:
        yield problem(check, f"partitions {leaderless} have no leader", "start their brokers")
        return
    yield ok(check, f"partitions: {len(places)}")
    yield from _positions(look, name, places)


def _topic(look: _Kafka, name: str, there: set[str]) -> tuple[Any, str | None]:
    """A topic, or None and, if it is known, why it cannot be looked at."""
    from confluent_kafka import KafkaError, KafkaException

    if name not in there:
        try:
            return _described(look, name), None
        except KafkaException as error:
            denied = error_of(error).code() == KafkaError.TOPIC_AUTHORIZATION_FAILED
            return None, "may not be looked at" if denied else None
    try:
        return _described(look, name), None
    except KafkaException as error:
        return None, error_of(error).str()


def _permitted(look: _Kafka, topic: Any, wanted: Iterable[str]) -> Findings:
    operations = topic.authorized_operations
    if operations is None:
        return
    may = {operation.name for operation in operations}
    for name in wanted:
        if name not in may and "ALL" not in may:
            mend = look.acl(name, f"--topic {shlex.quote(topic.name)}")
            yield problem(f"topic {topic.name}", f"{name} is not permitted", mend)


def _output(look: _Kafka, name: str, there: set[str]) -> Findings:
    check = f"topic {name}"
    topic, fault = _topic(look, name, there)
    if topic is None:
        if fault is None:
            yield ok(check, "is not there yet; a run makes it")
        else:
            yield problem(check, fault, look.acl("WRITE", f"--topic {shlex.quote(name)}"))
        return
    # What was said before is read back when a run goes on.
    yield from _permitted(look, topic, ("WRITE", "READ", "DESCRIBE"))
    wanted = outputs(look.settings)[name]
    try:
        config = _config(look, name)
    except Exception as error:  # a Kafka one, or no answer in time
        yield warning(check, f"its configuration cannot be looked at: {error}")
        return
    policy = {one.strip() for one in config.get("cleanup.policy", "").split(",")}
    if "compact" in wanted.cleanup and "compact" not in policy:
        alter = (
            f"--alter --entity-type topics --entity-name {shlex.quote(name)} "
            f"--add-config cleanup.policy={','.join(wanted.cleanup)}"
        )
        yield problem(
            check,
            f"is not compacted (cleanup.policy is {','.join(sorted(policy))}), so that the newest "
            "revision of a trend may be lost",
            look.command("kafka-configs.sh", alter),
        )
        return
    if "compact" in policy and "compact" not in wanted.cleanup:
        yield problem(
            check,
            "is compacted, so that revisions are lost",
            look.command(
                "kafka-configs.sh",
                f"--alter --entity-type topics --entity-name {shlex.quote(name)} "
                "--add-config cleanup.policy=delete",
            ),
        )
        return
    copies = min(len(part.replicas) for part in topic.partitions)
    least = int(config.get("min.insync.replicas", "1"))
    if copies < least:
        yield problem(
            check,
            f"has {copies} replicas and wants {least} in sync: nothing can be written",
            "add replicas, or lower min.insync.replicas",
        )
        return
    yield ok(check, f"partitions: {len(topic.partitions)}, {', '.join(sorted(policy))}")


def _config(look: _Kafka, name: str) -> dict[str, str]:
    from confluent_kafka.admin._config import ConfigResource
    from confluent_kafka.admin._resource import ResourceType

    resource = ConfigResource(ResourceType.TOPIC, name)
    told = look.admin.describe_configs([resource], request_timeout=ANSWER_S)
    return {entry.name: entry.value for entry in _result(told[resource]).values()}


def _positions(look: _Kafka, topic: str, places: list[int]) -> Findings:
    """How far the group is behind, and whether what it goes on with is still there."""
    from confluent_kafka import Consumer, KafkaException, TopicPartition

    check = f"group {look.settings.kafka_group}"
    more = {"auto.offset.reset": "latest"}
    consumer = Consumer(look.quiet(look.connection.consumer(**more)))
    try:
        parts = [TopicPartition(topic, number) for number in places]
        bounds = {
            part.partition: consumer.get_watermark_offsets(part, timeout=ANSWER_S) for part in parts
        }
        committed = {
            one.partition: one.offset for one in consumer.committed(parts, timeout=ANSWER_S)
        }
        yield _time(look, consumer, topic, bounds)
    except KafkaException as error:
        mend = look.acl("READ", f"--group {shlex.quote(look.settings.kafka_group)}")
        yield problem(check, error_of(error).str(), mend)
        return
    finally:
        consumer.close()
    known = {number: offset for number, offset in committed.items() if offset >= 0}
    lost = [number for number, offset in known.items() if offset < bounds[number][0]]
    if lost:
        yield problem(
            check,
            f"in partitions {lost} the messages to go on with are gone",
            "raise retention.ms of the topic; a new --state begins with what is there",
        )
        return
    total = sum(high - max(low, known.get(number, low)) for number, (low, high) in bounds.items())
    yield ok(check, f"{total:,} messages to read")


def _time(look: _Kafka, consumer: Any, topic: str, bounds: dict[int, tuple[int, int]]) -> Finding:
    """Compare our clock with the newest message: Kafka itself does not tell the time."""
    from confluent_kafka import TopicPartition

    check = f"topic {topic} clock"
    last = [TopicPartition(topic, n, high - 1) for n, (low, high) in bounds.items() if high > low]
    if not last:
        return ok(check, "no message to compare with")
    consumer.assign(last)
    newest, deadline, left = 0.0, time.monotonic() + ANSWER_S, len(last)
    while left and time.monotonic() < deadline:
        for message in consumer.consume(1000, timeout=0.2):
            if message.error() is None:
                newest = max(newest, message.timestamp()[1] / 1000)
            else:
                left -= 1  # the end of a partition
    ahead = newest - time.time() - look.ahead_s
    if ahead > SKEW_S:
        return warning(
            check,
            f"the newest message is {ahead:,.0f} s ahead of this clock",
            "synchronise this machine and who sends reels by NTP: `chronyc tracking`",
        )
    return ok(check, "no message is ahead of this one")


def _group(look: _Kafka) -> Finding:
    from confluent_kafka import KafkaException

    name = look.settings.kafka_group
    check = f"group {name}"
    mend = look.acl("READ", f"--group {shlex.quote(name)}")
    try:
        told = look.admin.describe_consumer_groups(
            [name], include_authorized_operations=True, request_timeout=ANSWER_S
        )
        operations = _result(told[name]).authorized_operations
    except KafkaException as error:
        return problem(check, error_of(error).str(), mend)
    may = None if operations is None else {operation.name for operation in operations}
    if may is not None and not may & {"READ", "ALL"}:
        return problem(check, "READ is not permitted", mend)
    return ok(check, "may be used")


def _transactions(look: _Kafka) -> Finding:
    """Whether transactions can be had, under a name that no run has."""
    from confluent_kafka import KafkaException, Producer

    group = look.settings.kafka_group
    check = f"transactions of {group}-…"
    producer = Producer(look.quiet(look.connection.producer("doctor")))
    try:
        producer.init_transactions(2 * ANSWER_S)
    except KafkaException as error:
        mend = look.acl(
            "WRITE",
            f"--transactional-id {shlex.quote(group + '-')} --resource-pattern-type prefixed",
        )
        return problem(check, error_of(error).str(), mend)
    return ok(check, "may be used")
