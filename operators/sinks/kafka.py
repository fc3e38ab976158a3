"""Kafka topics as sinks: each item is there once, whatever was killed and when.

What a batch of items becomes is sent in one transaction, by a thread of its own, so that the flow
goes on meanwhile; the snapshot waits until all is committed. Of two processes with the same
transactional id the later shuts the earlier out, and undoes what that had begun. Then it reads back
what came to the topic since the snapshot, and does not say it again: see docs/decisions/0014.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

import msgspec
from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from operators import metrics
from operators.blocks import Reject
from operators.durable import failpoints
from operators.durable.fence import Fence, writing
from operators.kafka import BrokerError, Connection, error_of, lasting, place_of
from schemas.base import Inbound
from schemas.deadletters import DeadLetterHeaders
from schemas.trends import Trend, encode

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message

Headers = list[tuple[str, str | bytes | None]]
Positions = dict[int, int]
"""Partition of the topic -> offset from which the next process has to look for what it says."""

LETTER_BYTES: Final = 900 << 10
"""Of the value of a dead letter so much is kept at most: with its headers it fits into a topic."""

_WAITING: Final = 10_000
"""Messages that wait to be sent before the flow has to."""
_ASK_S: Final = 5.0
"""How long librdkafka is asked for something before we look whether to go on asking."""
_AGAIN_S: Final = 0.2
_AWAIT_S: Final = 0.02
"""How long many messages are waited for; where there are few this passes in vain."""
_BEGINNING: Final = -2

X = TypeVar("X")


class Outgoing(NamedTuple):
    """A message that is to be sent."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers


class Wording(NamedTuple, Generic[X]):
    """How items become messages, and are known again in the topic."""

    messages: Callable[[X], list[Outgoing]]
    of_item: Callable[[X], Hashable]
    of_message: Callable[["Message"], Hashable | None]
    """None for a message that is not one of ours."""


class TopicPart(StatefulSinkPartition[X, Positions], Generic[X]):
    """The writer of one topic. Its state is where to read the topic from to know what is in it.

    Raises `BrokerError` where the brokers refuse, and `FencedError` where another run took over.
    """

    def __init__(
        self,
        connection: Connection,
        name: str,
        topic: str,
        wording: Wording[X],
        since: Positions,
        fence: Fence | None = None,
    ) -> None:
        self._wording = wording
        self._transactions = Transactions(connection, name, topic, fence)
        self._since = since
        self._known = self._transactions.read_back(topic, since, wording.of_message)

    def write_batch(self, values: list[X]) -> None:
        """Have all that is not in the topic sent."""
        new = [value for value in values if not self._was_sent(value)]
        if new:
            self._transactions.put([one for value in new for one in self._wording.messages(value)])

    def snapshot(self) -> Positions:
        """Wait until all is committed, and say from where to look."""
        self._transactions.wait()
        if not self._known:
            self._since = dict(self._transactions.ends)
        return self._since

    def close(self) -> None:
        """Send nothing more."""
        self._transactions.close()

    def _was_sent(self, value: X) -> bool:
        if not self._known:
            return False
        identity = self._wording.of_item(value)
        known = identity in self._known
        self._known.discard(identity)
        return known


class Transactions:
    """A thread that sends messages in transactions, in the order in which it was given them."""

    def __init__(
        self, connection: Connection, name: str, topic: str, fence: Fence | None = None
    ) -> None:
        from confluent_kafka import Producer

        self.ends: Positions = {}
        """Of the topic: the offset after the last message that was sent or read back."""
        self._connection = connection
        self._topic = topic
        self._sink = f"kafka-{name}"
        self._fence = fence
        self._refused: list[KafkaError] = []
        self._error: BaseException | None = None
        self._waiting: deque[Outgoing] = deque()
        self._sending = 0
        self._closing = False
        self._changed = threading.Condition()
        self._producer: Producer = Producer(connection.producer(name))
        with writing(fence):  # or an earlier run that wakes now would shut us out
            self._ask(self._producer.init_transactions)
        metrics.SINK_UP.set(1, self._sink)
        metrics.SINK_WRITTEN.add(0, self._sink)
        metrics.SINK_FAILURES.add(0, self._sink)
        metrics.LIMIT.set(_WAITING, f"sink-{self._sink}")
        self._thread = threading.Thread(target=self._run, name=f"sends {topic}", daemon=True)
        self._thread.start()

    def put(self, messages: list[Outgoing]) -> None:
        """Have messages sent in one transaction; waits while too many do."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or len(self._waiting) < _WAITING)
            self._raise()
            self._waiting += messages
            self._note_waiting()
            self._changed.notify_all()

    def wait(self) -> None:
        """Return when all is committed. Raises what went wrong."""
        with self._changed:
            self._changed.wait_for(lambda: self._error or not (self._waiting or self._sending))
            self._raise()

    def close(self) -> None:
        """End the thread. What is not committed by now is not waited for, and nothing is raised.

        The last snapshot has waited; but this is called as well while another error ends the flow,
        where one more would abort the process without a word.
        """
        with self._changed:
            self._closing = True
            self._waiting.clear()
            self._changed.notify_all()

    def read_back(
        self, topic: str, since: Positions, identity: Callable[["Message"], Hashable | None]
    ) -> set[Hashable]:
        """What is in a topic from some offsets on. Raises `BrokerError`.

        Called before anything is sent: nobody else's transactions of this name are open any more.
        """
        from confluent_kafka import Consumer, KafkaError, TopicPartition

        consumer = Consumer(self._connection.consumer(**{"auto.offset.reset": "earliest"}))
        try:
            numbers = self._numbers(consumer, topic)
            self.ends |= since
            found: set[Hashable] = set()
            left = set(numbers)
            consumer.assign([TopicPartition(topic, n, since.get(n, _BEGINNING)) for n in numbers])
            while left:
                for message in consumer.consume(10_000, timeout=_AWAIT_S):
                    error, number, offset = message.error(), message.partition(), message.offset()
                    if error is not None and error.code() != KafkaError._PARTITION_EOF:
                        self._check(error)
                        continue
                    assert number is not None
                    assert offset is not None
                    if error is not None:
                        left.discard(number)
                        self.ends[number] = offset
                        continue
                    found.add(identity(message))
            return found - {None}
        finally:
            consumer.close()

    def _numbers(self, consumer: "Consumer", topic: str) -> list[int]:
        """The partitions of a topic; waits for a broker that knows them."""
        from confluent_kafka import KafkaException

        while True:
            try:
                found = consumer.list_topics(topic, timeout=_ASK_S).topics[topic]
            except KafkaException as error:
                self._check(error_of(error))
                continue
            if found.error is None:
                return sorted(found.partitions)
            self._check(found.error)
            time.sleep(_AGAIN_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                batch = [*self._waiting]
                self._waiting.clear()
                self._sending = len(batch)
            try:
                began = time.monotonic()
                self._send(batch)
                metrics.SINK_UP.set(1, self._sink)
                metrics.SINK_SECONDS.observe(time.monotonic() - began, self._sink)
                metrics.SINK_WRITTEN.add(len(batch), self._sink)
            except BaseException as error:  # it is raised where the flow is
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return
            with self._changed:
                self._sending = 0
                self._note_waiting()
                self._changed.notify_all()

    def _send(self, batch: Sequence[Outgoing]) -> None:
        """Send a batch in one transaction, as often as it takes."""
        from confluent_kafka import KafkaException

        while True:
            self._refused.clear()
            try:
                self._producer.begin_transaction()
                for message in batch:
                    self._produce(message)
                failpoints.reach("sink-write.before")
                self._ask(self._producer.commit_transaction)
                failpoints.reach("sink-write.after")
                return
            except KafkaException as error:
                self._failed()
                for one in (*self._refused, error_of(error)):
                    self._check(one)
                if not error_of(error).txn_requires_abort():
                    raise BrokerError(f"{self._topic}: {error_of(error).str()}") from error
                self._ask(self._producer.abort_transaction)
                time.sleep(_AGAIN_S)

    def _produce(self, message: Outgoing) -> None:
        while True:
            try:
                self._producer.produce(
                    message.topic,
                    message.value,
                    message.key,
                    headers=message.headers,
                    on_delivery=self._delivered,
                )
                return
            except BufferError:
                self._producer.poll(_AGAIN_S)

    def _delivered(self, error: "KafkaError | None", message: "Message") -> None:
        if error is not None:
            self._refused.append(error)
        elif message.topic() == self._topic:
            number, offset = message.partition(), message.offset()
            assert number is not None
            assert offset is not None
            self.ends[number] = max(self.ends.get(number, 0), offset + 1)

    def _ask(self, question: Callable[[float], object]) -> None:
        """Ask again while brokers cannot answer. Raises `KafkaException` or `BrokerError`."""
        from confluent_kafka import KafkaException

        while True:
            try:
                question(_ASK_S)
                return
            except KafkaException as error:
                self._failed()
                self._check(error_of(error))
                if not error_of(error).retriable():
                    raise

    def _check(self, error: "KafkaError") -> None:
        """Raise what no trying mends."""
        from confluent_kafka import KafkaError

        if error.code() in (
            KafkaError._FENCED,
            KafkaError.PRODUCER_FENCED,
            KafkaError.INVALID_PRODUCER_EPOCH,
        ):
            if self._fence is not None:
                self._fence.check()
            raise BrokerError(
                f"{self._topic}: another run of the group {self._connection.group} writes there, "
                "or this one was away for too long; it has stopped"
            )
        if lasting(error.code()):
            raise BrokerError(f"{self._topic}: cannot be written ({error.str()})")

    def _note_waiting(self) -> None:
        metrics.USED.set(len(self._waiting) + self._sending, f"sink-{self._sink}")

    def _failed(self) -> None:
        metrics.SINK_FAILURES.add(1, self._sink)
        metrics.SINK_UP.set(0, self._sink)

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error


class KafkaTrends(FixedPartitionedSink[Trend, Positions]):
    """A topic of revisions, and one of the newest of each trend; items are `(key, Trend)`.

    Where there is no snapshot, all of the first topic is read: what it says is not said again.
    """

    def __init__(
        self, connection: Connection, topic: str, current: str, fence: Fence | None = None
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._current = current
        self._fence = fence

    def list_parts(self) -> list[str]:
        """The one part, whatever the number of workers."""
        return ["trends"]

    def build_part(
        self, step_id: str, for_part: str, resume_state: Positions | None
    ) -> TopicPart[Trend]:
        """Begin to write where another process may have stopped."""
        wording = Wording(self._messages, _of_trend, _of_revision)
        since = resume_state or {}
        return TopicPart(self._connection, "trends", self._topic, wording, since, self._fence)

    def _messages(self, trend: Trend) -> list[Outgoing]:
        key, value = trend.trend_id.encode(), encode(trend)
        return [Outgoing(topic, key, value, []) for topic in (self._topic, self._current)]


class _Revision(Inbound, frozen=True, kw_only=True):
    trend_id: str
    revision: int


_revision = msgspec.json.Decoder(_Revision).decode


def _of_trend(trend: Trend) -> Hashable:
    return trend.trend_id, trend.revision


def _of_revision(message: "Message") -> Hashable | None:
    try:
        found = _revision(message.value() or b"")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return found.trend_id, found.revision


class KafkaDeadLetters(FixedPartitionedSink[Reject, Positions]):
    """A topic of refused messages; items are `(key, Reject)`.

    `since`: the ends of the topic's partitions when the run began.
    """

    def __init__(
        self,
        connection: Connection,
        topic: str,
        since: Mapping[int, int],
        fence: Fence | None = None,
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._since = since
        self._fence = fence

    def list_parts(self) -> list[str]:
        """The one part, whatever the number of workers."""
        return ["dead-letters"]

    def build_part(
        self, step_id: str, for_part: str, resume_state: Positions | None
    ) -> TopicPart[Reject]:
        """Begin to write where another process may have stopped."""
        wording = Wording(self._messages, _of_reject, _of_letter)
        since = resume_state or dict(self._since)
        return TopicPart(self._connection, "dead-letters", self._topic, wording, since, self._fence)

    def _messages(self, reject: Reject) -> list[Outgoing]:
        said = msgspec.to_builtins(letter(reject))
        headers: Headers = [(name, str(value).encode()) for name, value in said.items()]
        return [Outgoing(self._topic, reject.key, reject.original[:LETTER_BYTES], headers)]


def letter(reject: Reject) -> DeadLetterHeaders:
    """What is said of a refused message."""
    topic, number = place_of(reject.partition)
    return DeadLetterHeaders(
        error=reject.error,
        reason=reject.reason,
        topic=topic,
        partition=number,
        offset=reject.offset,
        length=reject.length,
    )


def _of_reject(reject: Reject) -> Hashable:
    return (*place_of(reject.partition), reject.offset)


def _of_letter(message: "Message") -> Hashable | None:
    said = headers_of(message)
    try:
        return said["topic"], int(said["partition"]), int(said["offset"])
    except (KeyError, ValueError):
        return None


def headers_of(message: "Message") -> dict[str, str]:
    """The headers of a message as texts."""
    found: Any = message.headers() or ()
    return {name: (value or b"").decode("utf-8", "replace") for name, value in found}
