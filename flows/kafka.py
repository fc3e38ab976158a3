"""Kafka as the settings say: the connection, the topics, and what of them is to be read."""

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from flows.errors import UserError
from flows.job import KafkaInput, KafkaSpan
from flows.settings import Settings
from operators.kafka import BrokerError, Connection, error_of, is_refusal, named
from operators.sources.kafka import BEGINNING
from schemas.topics import CURRENT, DEAD_LETTERS, TRENDS, Topic

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError
    from confluent_kafka.admin import AdminClient

T = TypeVar("T")

SETTING_OF: Final = {
    "ssl.ca.location": "kafka_ca_file",
    "ssl.certificate.location": "kafka_certificate_file",
    "ssl.key.location": "kafka_key_file",
}
"""What our settings are called by librdkafka when it finds fault with them."""

ANSWER_S: Final = 15.0
"""How long brokers may take to answer before a run begins."""


def connection_of(settings: Settings) -> Connection:
    """Return the connection that the settings speak of. Raises `UserError` without the package."""
    try:
        import confluent_kafka  # noqa: F401
    except ImportError:
        raise UserError(
            "Kafka needs the package confluent-kafka: `pip install confluent-kafka`"
        ) from None
    security: dict[str, str] = {"security.protocol": settings.kafka_security}
    if settings.kafka_security.startswith("sasl"):
        security |= {
            "sasl.mechanism": settings.kafka_mechanism,
            "sasl.username": settings.kafka_username,
            "sasl.password": settings.kafka_password.get_secret_value(),
        }
    if settings.kafka_security.endswith("ssl"):
        security |= {
            name: value
            for name, value in {
                "ssl.ca.location": _file("kafka_ca_file", settings.kafka_ca_file),
                "ssl.certificate.location": _file(
                    "kafka_certificate_file", settings.kafka_certificate_file
                ),
                "ssl.key.location": _file("kafka_key_file", settings.kafka_key_file),
                "ssl.key.password": settings.kafka_key_password.get_secret_value(),
            }.items()
            if value
        }
    return Connection(
        settings.kafka_bootstrap,
        settings.kafka_group,
        security,
        settings.kafka_transaction_seconds,
    )


def _file(name: str, path: str) -> str:
    """A file that is there. Raises `UserError`."""
    if path and not Path(path).is_file():
        raise UserError(f"{name} = {path}: expected a file")
    return path


def outputs(settings: Settings) -> dict[str, Topic]:
    """Return what the topics that are written to are called, and what each is."""
    return {
        settings.kafka_trends: TRENDS,
        settings.kafka_current: CURRENT,
        settings.kafka_dead_letters: DEAD_LETTERS,
    }


def prepare(
    settings: Settings, connection: Connection, earlier: KafkaInput | None, to_end: bool
) -> KafkaInput:
    """Make the topics that are missing, and say what is to be read.

    A run that goes on (`earlier`) reads what it read, and partitions that came since. Raises
    `BrokerError` where brokers do not answer, or the topic of reels is not there.
    """
    from confluent_kafka import Consumer

    with named(settings.kafka_bootstrap):
        admin, there = _topics(connection)
        reels = settings.kafka_reels
        if reels not in there or there[reels].error is not None:
            raise _no_reels(settings)
        _make(admin, {n: topic for n, topic in outputs(settings).items() if n not in there})
        consumer = Consumer(connection.consumer())
        try:
            numbers = sorted(there[reels].partitions)
            spans = earlier.spans if earlier else {}
            added = [number for number in numbers if number not in spans]
            ends = _ends(consumer, reels, added) if to_end else {}
            spans = spans | {
                number: KafkaSpan(BEGINNING, ends.get(number), added=earlier is not None)
                for number in added
                if earlier is None or not to_end
            }
            letters = settings.kafka_dead_letters
            since = earlier.letters if earlier else _ends(consumer, letters)
        finally:
            consumer.close()
    return KafkaInput(spans=spans, to_end=to_end, letters=since)


def ready(settings: Settings, connection: Connection, made: dict[str, Topic]) -> list[int]:
    """Make topics that are missing, and return the partitions of the topic of reels.

    Raises `BrokerError` where brokers do not answer, or the topic of reels is not there.
    """
    with named(settings.kafka_bootstrap):
        admin, there = _topics(connection)
        reels = settings.kafka_reels
        if reels not in there or there[reels].error is not None:
            raise _no_reels(settings)
        _make(admin, {name: topic for name, topic in made.items() if name not in there})
        return sorted(there[reels].partitions)


def _no_reels(settings: Settings) -> BrokerError:
    return BrokerError(
        f"{settings.kafka_reels}: there is no such topic at {settings.kafka_bootstrap}; "
        "make it, or name another by kafka_reels"
    )


def _topics(connection: Connection) -> "tuple[AdminClient, dict[str, Any]]":
    """One that can make topics, and those that there are.

    Raises `BrokerError` at once where brokers do not let us in, and KafkaException in the end where
    none answers.
    """
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import AdminClient

    refusals: list[KafkaError] = []

    def told(error: KafkaError) -> None:
        if is_refusal(error):
            refusals.append(error)

    try:
        admin = AdminClient(connection.admin(told))
    except KafkaException as error:
        raise _refused(connection, error_of(error)) from None
    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            return admin, admin.list_topics(timeout=1.0).topics
        except KafkaException:
            admin.poll(0)
            if refusals:
                raise _refused(connection, refusals[0]) from None
            if time.monotonic() > deadline:
                raise


def _refused(connection: Connection, error: "KafkaError") -> BrokerError:
    """Why there is no way in, with the names of our settings."""
    said = error.str()
    for theirs, ours in SETTING_OF.items():
        said = said.replace(theirs, ours)
    return BrokerError(f"{connection.bootstrap}: {said}")


def partitions(connection: Connection, topic: str) -> int:
    """Return the number of partitions of a topic; 0 where no broker says it now."""
    from confluent_kafka import KafkaException
    from confluent_kafka.admin import AdminClient

    try:
        found = AdminClient(connection.admin()).list_topics(topic, timeout=1.0).topics[topic]
    except KafkaException:
        return 0
    return 0 if found.error is not None else len(found.partitions)


def _ends(consumer: "Consumer", topic: str, numbers: Iterable[int] | None = None) -> dict[int, int]:
    """The offset after the last message that is committed, by partition."""
    from confluent_kafka import KafkaException, TopicPartition

    def end(number: int) -> int:
        place = TopicPartition(topic, number)
        return _answer(lambda: consumer.get_watermark_offsets(place, timeout=1.0))[1]

    def places() -> list[int]:
        found = consumer.list_topics(topic, timeout=1.0).topics[topic]
        if found.error is not None:
            raise KafkaException(found.error)
        return sorted(found.partitions)

    return {number: end(number) for number in (_answer(places) if numbers is None else numbers)}


def _answer(question: Callable[[], T]) -> T:
    """Ask again for a while: a topic that was just made is not known everywhere at once."""
    from confluent_kafka import KafkaException

    deadline = time.monotonic() + ANSWER_S
    while True:
        try:
            return question()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _make(admin: "AdminClient", topics: dict[str, Topic]) -> None:
    """Make topics as the contract has them, with as many partitions as the brokers choose."""
    from confluent_kafka import KafkaError, KafkaException
    from confluent_kafka.admin import NewTopic  # type: ignore[attr-defined] # it is there

    if not topics:
        return
    wanted = [
        NewTopic(
            name,
            config={
                "cleanup.policy": ",".join(topic.cleanup),
                "retention.ms": str(int(topic.retention.total_seconds() * 1000)),
            },
        )
        for name, topic in topics.items()
    ]
    made: dict[str, Any] = admin.create_topics(wanted)
    for name, future in made.items():
        try:
            future.result(timeout=ANSWER_S)
        except KafkaException as error:
            if error_of(error).code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise BrokerError(f"{name}: cannot be made ({error_of(error).str()})") from error
