"""Prints new revisions from Kafka: python examples/kafka_topic.py localhost:9092 GROUP [TOPIC].

Of several programs of one group each gets a part of the trends; all revisions of a trend go to the
same one.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

from confluent_kafka import Consumer, KafkaException


def revisions(brokers: str, group: str, topic: str = "trends.v1") -> Iterator[dict[str, Any]]:
    """Each new revision, for as long as they are asked for."""
    consumer = Consumer(
        {
            "bootstrap.servers": brokers,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",  # or what a killed run took back would come too
            "enable.auto.offset.store": False,
        }
    )
    consumer.subscribe([topic])
    try:
        while True:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if message.error():
                raise KafkaException(message.error())
            yield json.loads(message.value())
            consumer.store_offsets(message)  # done with it: a restart goes on after it
    finally:
        consumer.close()


if __name__ == "__main__":
    for trend in revisions(*sys.argv[1:]):
        print(
            trend["event_time"], trend["stage"], trend["name"], trend["why"], sep="\t", flush=True
        )
