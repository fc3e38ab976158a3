"""The way to Kafka: who speaks to which brokers, and what a partition is called here."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, KafkaException

log = logging.getLogger(__name__)

FETCH_KB: Final = 64 << 10
"""Messages that wait in a process, in KiB: beyond it no more are fetched."""

_SAY_S: Final = 10.0
"""Time between two words about being refused; brokers are asked again every two seconds."""
_told_at: Final = [-_SAY_S]


class BrokerError(OSError):
    """Something of Kafka that its user can mend: what it is about, and what is wrong with it."""


def partition_name(topic: str, number: int) -> str:
    """Return what a partition is called in the flow.

    >>> partition_name("reels.v1", 3)
    'reels.v1[3]'
    """
    return f"{topic}[{number}]"


def place_of(partition: str) -> tuple[str, int]:
    """Return the topic and the number of a partition. ValueError for another name.

    >>> place_of("reels.v1[3]")
    ('reels.v1', 3)
    """
    topic, _, number = partition.rpartition("[")
    return topic, int(number.removesuffix("]"))


@dataclass(frozen=True, slots=True)
class Connection:
    """Brokers, and what they want to know of us."""

    bootstrap: str
    """host:port of some of them, with commas."""
    group: str
    """The name under which positions are committed, and which transactions begin with."""
    security: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Properties of librdkafka for TLS and SASL. Never shown."""
    uncommitted_s: float = 300.0
    """A transaction that is open for so long is given up by the broker."""

    def consumer(self, **more: Any) -> dict[str, Any]:
        """The properties of a consumer that is told what to read, and tells where it is."""
        return self._common() | {
            "group.id": self.group,
            "enable.auto.commit": False,
            "enable.auto.offset.store": False,
            "auto.offset.reset": "error",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "queued.max.messages.kbytes": FETCH_KB,
            "fetch.message.max.bytes": 4 << 20,
            "fetch.wait.max.ms": 100,
            "fetch.queue.backoff.ms": 10,  # a full queue lasts for less than the usual second
            "fetch.error.backoff.ms": 100,
            **more,
        }

    def producer(self, transactional_id: str) -> dict[str, Any]:
        """The properties of a producer of transactions; of two of one name the later writes."""
        return self._common() | {
            "transactional.id": f"{self.group}-{transactional_id}",
            "transaction.timeout.ms": round(self.uncommitted_s * 1000),
            "compression.type": "lz4",
            "linger.ms": 5,
            "partitioner": "murmur2_random",  # the one of Java: a key goes where others look for it
        }

    def admin(self, told: "Callable[[KafkaError], None] | None" = None) -> dict[str, Any]:
        """The properties of one that looks at topics and makes them; `told` hears its troubles."""
        return self._common() | ({"error_cb": told} if told else {})

    def _common(self) -> dict[str, Any]:
        return {
            "bootstrap.servers": self.bootstrap,
            "client.id": "groundswell",
            "log_level": 2,  # each attempt to connect is not news
            "error_cb": _told,
            "reconnect.backoff.max.ms": 2000,
            "topic.metadata.refresh.interval.ms": 30_000,
            **self.security,
        }


def _told(error: "KafkaError") -> None:
    """Say that no broker can be reached, or lets us in; librdkafka goes on trying."""
    from confluent_kafka import KafkaError

    if error.code() == KafkaError._ALL_BROKERS_DOWN:
        log.warning("no Kafka broker can be reached; waiting", extra={"event": "brokers_away"})
    elif is_refusal(error) and time.monotonic() - _told_at[0] > _SAY_S:
        _told_at[0] = time.monotonic()
        log.warning("%s; waiting", error.str(), extra={"event": "brokers_refuse"})


def is_refusal(error: "KafkaError") -> bool:
    """Whether a broker does not let us in, or we do not trust it."""
    from confluent_kafka import KafkaError

    return error.code() in {
        KafkaError._AUTHENTICATION,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError._SSL,
    }


def lasting(code: int) -> bool:
    """Whether an error stays until its user mends it."""
    from confluent_kafka import KafkaError

    return code in {
        KafkaError._AUTHENTICATION,
        KafkaError._SSL,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
        KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
        KafkaError.SASL_AUTHENTICATION_FAILED,
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_TRANSACTION_TIMEOUT,
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_REQUIRED_ACKS,
    }


def error_of(error: "KafkaException") -> "KafkaError":
    """The error in an exception."""
    found: KafkaError = error.args[0]
    return found


@contextmanager
def named(what: str) -> Iterator[None]:
    """Turn an error of Kafka into a `BrokerError` that says what it is about."""
    from confluent_kafka import KafkaException

    try:
        yield
    except KafkaException as error:
        raise BrokerError(f"{what}: {error_of(error).str()}") from error
