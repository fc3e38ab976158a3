"""Dead letters: shown, and sent again to where they came from.

How far they were sent again is kept by the consumer group `GROUP-dlq`, so that each is sent once.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import msgspec

from flows import settings as every_setting
from flows.kafka import ANSWER_S, connection_of
from operators.kafka import BrokerError, Connection, named
from operators.sinks.kafka import headers_of

if TYPE_CHECKING:
    from confluent_kafka import Consumer, Message

_BATCH: Final = 1000


def show(limit: int, error: str | None) -> int:
    """Print dead letters that were not sent again, at most `limit`; the exit code."""
    settings = every_setting.load()
    left = limit
    with _letters(settings.kafka_dead_letters) as (consumer, _):
        for messages in _batches(consumer):
            for message in messages:
                said = headers_of(message)
                if left and error in (None, said.get("error")):
                    print(msgspec.json.encode(_shown(said, message)).decode())
                    left -= 1
            if not left:
                break
    return 0


def replay(error: str | None) -> int:
    """Send them again; the exit code. Raises `BrokerError` where one cannot be sent."""
    from confluent_kafka import Producer

    settings = every_setting.load()
    sent = passed = 0
    with _letters(settings.kafka_dead_letters) as (consumer, connection):
        producer = Producer(connection.admin() | {"enable.idempotence": True})
        for messages in _batches(consumer):
            failures: list[str] = []

            def delivered(failed: Any, message: Any, failures: list[str] = failures) -> None:
                if failed is not None:
                    failures.append(f"{message.topic()}: {failed.str()}")

            for message in messages:
                said = headers_of(message)
                topic = said.get("topic")
                if topic is None or error not in (None, said.get("error")):
                    passed += 1
                    continue
                _check(said, message)
                producer.produce(topic, message.value(), message.key(), on_delivery=delivered)
                sent += 1
            if producer.flush(ANSWER_S) or failures:
                raise BrokerError(f"not sent again: {(failures or ['no broker answers'])[0]}")
            consumer.commit(offsets=_after(messages), asynchronous=False)
    print(f"sent again: {sent:,}  passed over: {passed:,}")
    return 0


def _check(said: dict[str, str], message: "Message") -> None:
    size = len(message.value() or b"")
    if int(said.get("length", size)) > size:
        print(
            f"{said.get('topic')}[{said.get('partition')}] {said.get('offset')}: was cut to "
            f"{size} bytes, and is refused again",
            file=sys.stderr,
        )


def _shown(said: dict[str, str], message: "Message") -> dict[str, object]:
    numbers = ("partition", "offset", "length")
    value, key = message.value() or b"", message.key() or b""
    return {
        **{name: int(text) if name in numbers else text for name, text in said.items()},
        "key": key.decode("utf-8", "replace"),
        "value": value[:200].decode("utf-8", "replace"),
    }


@contextmanager
def _letters(topic: str) -> "Iterator[tuple[Consumer, Connection]]":
    """A consumer of the dead letters that were not sent again."""
    from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

    connection = connection_of(every_setting.load())
    connection = replace(connection, group=f"{connection.group}-dlq")
    consumer = Consumer(connection.consumer(**{"auto.offset.reset": "earliest"}))
    try:
        with named(topic):
            found = consumer.list_topics(topic, timeout=ANSWER_S).topics[topic]
            if found.error is not None:
                raise BrokerError(f"{topic}: {found.error.str()}")
            places = [TopicPartition(topic, number) for number in found.partitions]
            places = consumer.committed(places, timeout=ANSWER_S)
            for place in places:
                place.offset = place.offset if place.offset >= 0 else OFFSET_BEGINNING
            consumer.assign(places)
            yield consumer, connection
    finally:
        consumer.close()


def _batches(consumer: "Consumer") -> "Iterator[list[Message]]":
    """The messages until the end of each partition."""
    from confluent_kafka import KafkaError

    left = {place.partition for place in consumer.assignment()}
    while left:
        batch = []
        for message in consumer.consume(_BATCH, timeout=1.0):
            error = message.error()
            if error is None:
                batch.append(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                left.discard(message.partition() or 0)
            else:
                raise BrokerError(f"{message.topic()}: {error.str()}")
        if batch:
            yield batch


def _after(messages: "list[Message]") -> list[Any]:
    from confluent_kafka import TopicPartition

    ends: dict[tuple[str, int], int] = {}
    for message in messages:
        ends[message.topic() or "", message.partition() or 0] = (message.offset() or 0) + 1
    return [TopicPartition(*place, offset) for place, offset in ends.items()]
