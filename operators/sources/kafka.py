"""A Kafka topic as a source: whole polls, from offsets that the flow itself remembers.

Partitions are dealt to processes by the flow, not by a consumer group, so that a partition's state
and its reader are always in one place; positions are committed to the group all the same, so that
what measures lag sees them. All partitions of a process share one consumer.

Where the data is: the offsets in the flow's own recovery store. What the group says is never read.
"""

import contextlib
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition

from operators import metrics
from operators.blocks import LINE_LIMIT, Poll, Reject
from operators.decode import refused
from operators.faults import Fault, blank, too_long
from operators.kafka import FETCH_KB, BrokerError, Connection, lasting, partition_name
from operators.routing import PLACES, key_at
from operators.sources.board import Board
from operators.sources.pace import MICROSECOND, Pace
from schemas.base import Inbound

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message, TopicPartition

BEGINNING: Final = -2
"""The offset of the oldest message, as Kafka has it."""

STATISTICS_MS: Final = 5_000
"""Time between two looks at how much is fetched, where somebody wants to know."""
FETCHED: Final = "kafka-fetched"
"""What that is called among the metrics."""

COMMIT_S: Final = 1.0
"""Time between two commits of positions to the group."""

_PAUSE: Final = timedelta(milliseconds=5)
_FOLLOW_S: Final = 1.0
"""Time between two looks of a silent partition at where the others are."""
_UNKNOWN_S: Final = 60.0
"""How long brokers may not know the topic: they forget it for a moment when they start."""


@dataclass(frozen=True, slots=True)
class Span:
    """What is to be read of a partition: the offset of the first message, and that of the end."""

    start: int = BEGINNING
    until: int | None = None
    """The offset before which it ends; None: it never does."""
    added: bool = False
    """It came to the topic after the run had begun: it starts where the others are."""


@dataclass(frozen=True, slots=True)
class KafkaPosition:
    """Where a partition goes on."""

    offset: int  # of the next message
    messages: int  # that were handed over so far
    done: bool = False  # the end was handed over
    joined: bool = True  # whether it is known where the others are, for one that came later


def part_name(topic: str, number: int) -> str:
    """Return the name under which Bytewax knows a partition: names sort as numbers do."""
    return partition_name(topic, number).replace(f"[{number}]", f"[{number:06d}]")


def keys(topic: str, numbers: Sequence[int]) -> dict[str, str]:
    """Return the key of each partition, which stays when others are added.

    It goes where the partition is read: Bytewax deals partitions in turn, in the order of names.
    """
    names = {number: partition_name(topic, number) for number in numbers}
    return {name: key_at(name, number % PLACES) for number, name in names.items()}


class KafkaSource(FixedPartitionedSource[Poll, KafkaPosition]):
    """Reads partitions of one topic.

    Parameters
    ----------
    connection
        The brokers.
    topic, spans
        What to read: what is to be read of each partition, by its number.
    batch_size
        Most messages in a poll, 1 or more. No result depends on it.
    board
        Where progress is written, made for these partitions; None for nowhere.
    max_skew
        A partition waits while it is further than this ahead of the slowest in event time. With a
        board only.
    idle
        A partition that is silent for so long, and has an end nowhere, holds nothing back.
    """

    def __init__(
        self,
        connection: Connection,
        topic: str,
        spans: Mapping[int, Span],
        batch_size: int,
        board: Path | None = None,
        max_skew: timedelta = timedelta(hours=6),
        idle: timedelta = timedelta(seconds=60),
    ) -> None:
        self._connection = connection
        self._topic = topic
        self._spans = spans
        self._batch_size = batch_size
        self._board = board
        self._max_skew_us = max_skew // MICROSECOND
        self._idle_s = idle.total_seconds()
        self._reader: _Reader | None = None

    def list_parts(self) -> list[str]:
        """The partitions: all workers can read all of them."""
        return [part_name(self._topic, number) for number in self._spans]

    def build_part(
        self, step_id: str, for_part: str, resume_state: KafkaPosition | None
    ) -> "KafkaPartition":
        """Read one partition on from where it was. Raises `BrokerError`."""
        numbers = {part_name(self._topic, number): number for number in self._spans}
        number = numbers[for_part]
        if self._reader is None:
            self._reader = _Reader(self._connection, self._topic, self._batch_size)
        board = Board.open(self._board) if self._board else None
        pace = Pace(partition_name(self._topic, number), board, self._max_skew_us)
        span = self._spans[number]
        return KafkaPartition(self._reader, number, span, resume_state, pace, self._idle_s)


class KafkaPartition(StatefulSourcePartition[Poll, KafkaPosition]):
    """One partition."""

    def __init__(
        self,
        reader: "_Reader",
        number: int,
        span: Span,
        resume_state: KafkaPosition | None,
        pace: Pace,
        idle_s: float,
    ) -> None:
        self._reader = reader
        self._number = number
        self._name = partition_name(reader.topic, number)
        self._span = span
        self._position = resume_state or KafkaPosition(span.start, 0, joined=not span.added)
        self._pace = pace
        self._idle_s = idle_s
        self._bytes = 0
        self._heard = time.monotonic()
        self._followed = 0.0
        self._followed_us = 0
        self._awake: datetime | None = None
        pace.begin(self._position.messages, 0, self._position.done)
        pace.set("idle", int(not self._position.joined))
        pace.set("offset", self._position.offset)
        if not self._position.done:
            reader.add(number, self._position.offset)

    def next_batch(self) -> list[Poll]:
        """The next poll, or none while there is nothing. The last one says that it is."""
        if self._position.done or self._pace.get("stop"):
            self._reader.leave(self._number, self._position.offset)
            raise StopIteration
        self._awake = None
        if not self._position.joined:
            return self._follow()
        if self._pace.ahead():
            self._reader.hold(self._number)
            return self._later()
        messages, offset = self._reader.take(self._number), max(0, self._position.offset)
        caught_up = not messages and self._reader.is_at_end(self._number, offset)
        self._pace.set("caught_up", int(caught_up))
        end = self._is_end(messages)
        if messages or end:
            return [self._poll(messages, end)]
        if caught_up and self._span.until is None and self._silent_s() > self._idle_s:
            self._pace.set("idle", 1)
            return self._follow()
        return self._later()

    def next_awake(self) -> datetime | None:
        """When there may be something to do."""
        return self._awake

    def snapshot(self) -> KafkaPosition:
        """Where the next poll begins."""
        self._reader.epoch(self._number)
        self._reader.commit(self._number, self._position.offset)
        return self._position

    def close(self) -> None:
        """Commit where it is."""
        self._reader.leave(self._number, self._position.offset)

    def _later(self) -> list[Poll]:
        self._awake = datetime.now(UTC) + _PAUSE
        return []

    def _silent_s(self) -> float:
        return time.monotonic() - self._heard

    def _is_end(self, messages: "list[Message]") -> bool:
        """Whether the end has come; messages from there on are taken away."""
        until = self._span.until
        if until is None:
            return False
        over = bool(messages) and _offset(messages[-1]) >= until
        while messages and _offset(messages[-1]) >= until:
            messages.pop()
        at_end = self._reader.end_of(self._number)
        next_one = _offset(messages[-1]) + 1 if messages else self._position.offset
        return over or next_one >= until or (not messages and at_end >= until)

    def _poll(self, messages: "list[Message]", end: bool) -> Poll:
        self._heard = time.monotonic()
        self._pace.set("idle", 0)
        poll = poll_of(self._name, messages, max(0, self._position.offset), end)
        count = self._position.messages + len(messages)
        offset = _offset(messages[-1]) + 1 if messages else self._position.offset
        self._position = replace(self._position, offset=offset, messages=count, done=end)
        self._bytes += len(poll.data)
        self._pace.moved(poll.data, count, self._bytes, end)
        self._pace.set("offset", offset)
        return poll

    def _follow(self) -> list[Poll]:
        """Go where the others are in event time, for this partition has nothing to say of it."""
        now = time.monotonic()
        front = self._pace.board.front() if self._pace.board else None
        if front is None or front <= self._followed_us or now - self._followed < _FOLLOW_S:
            return self._later()
        self._followed, self._followed_us = now, front
        if not self._position.joined:
            self._position = replace(self._position, joined=True)
            self._pace.set("idle", 0)
        offset = max(0, self._position.offset)
        return [Poll(self._name, offset, offset, b"", idle_us=front)]


def poll_of(partition: str, messages: "Sequence[Message]", offset: int, end: bool = False) -> Poll:
    """Return messages of a partition as a poll.

    A message is a line, whatever its bytes. White space between the parts of its JSON may hold
    newlines: they become carriage returns, which are white space too, and as little allowed within
    strings; a refused message is handed on as it came. What has no value, or one that is over the
    limit, is refused here.
    """
    first = _offset(messages[0]) if messages else offset
    values: list[Any] = [message.value() for message in messages]
    data = _joined(values)
    if data is not None:
        return Poll(partition, first, first, data, end=end, messages=messages)
    lines: list[bytes] = []
    kept: list[Message] = []
    rejects: list[Reject] = []
    for message in messages:
        value = message.value()
        fault = _fault(value)
        if fault is None:
            assert value is not None
            lines.append(value.replace(b"\n", b"\r") + b"\n")
            kept.append(message)
        else:
            rejects.append(refused(partition, message, fault))
    data = b"".join(lines)
    return Poll(partition, first, first, data, (), end, kept, tuple(rejects))


def _joined(values: list[Any]) -> bytes | None:
    """Values as lines, where each of them can be one as it is."""
    if not values:
        return b""
    if None in values or any(map(bytes.isspace, values)) or not min(map(len, values)):
        return None
    data = b"\n".join([*values, b""])
    plain = max(map(len, values)) <= LINE_LIMIT and data.count(b"\n") == len(values)
    return data if plain else None


def _fault(value: bytes | None) -> Fault | None:
    if value is None or blank(value):
        return Fault("no_value", f"expected one JSON object, got {len(value or b'')} blank bytes")
    return too_long(len(value)) if len(value) > LINE_LIMIT else None


def _offset(message: "Message") -> int:
    offset = message.offset()
    assert offset is not None
    return offset


def _statistics() -> dict[str, Any]:
    """Properties of a consumer that tells how much it has fetched, where somebody counts it."""
    if not metrics.counting():
        return {}
    metrics.LIMIT.set(FETCH_KB << 10, FETCHED)

    def tell(said: str) -> None:
        topics = msgspec.json.decode(said, type=_Statistics).topics.values()
        parts = (part for topic in topics for part in topic.partitions.values())
        metrics.USED.set(sum(part.fetchq_size for part in parts), FETCHED)

    return {"statistics.interval.ms": STATISTICS_MS, "stats_cb": tell}


class _PartStatistics(Inbound, frozen=True):
    fetchq_size: int


class _TopicStatistics(Inbound, frozen=True):
    partitions: dict[str, _PartStatistics]


class _Statistics(Inbound, frozen=True):
    topics: dict[str, _TopicStatistics]


class _Reader:
    """One consumer for all partitions that a process reads."""

    def __init__(self, connection: Connection, topic: str, batch_size: int) -> None:
        from confluent_kafka import Consumer

        self.topic = topic
        self._batch_size = batch_size
        self._consumer: Consumer = Consumer(connection.consumer(**_statistics()))
        self._waiting: dict[int, deque[Message]] = {}
        self._ends: dict[int, int] = {}
        self._epoch = 0.0
        """When the last one ended (s, monotonic)."""
        self._held: set[int] = set()
        self._commits: dict[int, int] = {}
        self._committed = time.monotonic()
        self._unknown: tuple[float, float] | None = None
        """When the topic was not known for the first and for the last time."""
        self._closed = False

    def add(self, number: int, offset: int) -> None:
        """Begin to read a partition at an offset."""
        from confluent_kafka import TopicPartition

        self._waiting[number] = deque()
        self._consumer.incremental_assign([TopicPartition(self.topic, number, offset)])

    def take(self, number: int) -> "list[Message]":
        """The next messages of a partition, at most a batch; none where there are none yet."""
        self._release(number)
        waiting = self._waiting[number]
        if not waiting:
            self._fetch()
        return [waiting.popleft() for _ in range(min(len(waiting), self._batch_size))]

    def is_at_end(self, number: int, offset: int) -> bool:
        """Whether the broker had no more from an offset on when it was asked last."""
        return not self._waiting[number] and self.end_of(number) >= offset

    def end_of(self, number: int) -> int:
        """The offset of the end when the partition was there last, -1 where it never was."""
        return self._ends.get(number, -1)

    def hold(self, number: int) -> None:
        """Fetch no more of a partition for now."""
        if number not in self._held:
            self._held.add(number)
            self._consumer.pause(self._partitions([number]))

    def epoch(self, number: int) -> None:
        """Count an epoch, once for all partitions: when it ends they are all asked in turn."""
        if number == min(self._waiting, default=number):
            now = time.monotonic()
            if self._epoch:
                metrics.EPOCH.observe(now - self._epoch)
            self._epoch = now

    def commit(self, number: int, offset: int) -> None:
        """Have a position committed to the group, soon. Nothing depends on it."""
        if offset >= 0:
            self._commits[number] = offset
        if not self._closed and time.monotonic() - self._committed > COMMIT_S:
            self._commit(wait=False)

    def leave(self, number: int, offset: int) -> None:
        """Read a partition no more; after the last, commit all positions and close."""
        if self._waiting.pop(number, None) is None:
            return
        if offset >= 0:
            self._commits[number] = offset
        if self._waiting:
            self._consumer.incremental_unassign(self._partitions([number]))
        else:
            self._commit(wait=True)
            self._closed = True
            self._consumer.close()

    def _commit(self, wait: bool) -> None:
        from confluent_kafka import KafkaException, TopicPartition

        self._committed = time.monotonic()
        offsets = [TopicPartition(self.topic, *place) for place in self._commits.items()]
        # Where it fails, who measures lag sees an older position; ours is in the recovery store.
        with contextlib.suppress(KafkaException):
            if offsets and wait:
                self._consumer.commit(offsets=offsets, asynchronous=False)
            elif offsets:
                self._consumer.commit(offsets=offsets)

    def _release(self, number: int) -> None:
        if number in self._held:
            self._held.remove(number)
            self._consumer.resume(self._partitions([number]))

    def _partitions(self, numbers: Sequence[int]) -> "list[TopicPartition]":
        from confluent_kafka import TopicPartition

        return [TopicPartition(self.topic, number) for number in numbers]

    def _fetch(self) -> None:
        """Deal what has come in by partition. Raises `BrokerError` for what does not pass."""
        from confluent_kafka import KafkaError

        left: deque[Message] = deque()
        add: dict[Any, Callable[[Message], None]] = {
            number: waiting.append for number, waiting in self._waiting.items()
        }
        for message in self._consumer.consume(self._batch_size, timeout=0):
            error = message.error()
            if error is None:
                add.get(message.partition(), left.append)(message)
            elif error.code() == KafkaError._PARTITION_EOF:
                self._ends[message.partition() or 0] = _offset(message)
            else:
                self._judge(error, message.partition())

    def _judge(self, error: "KafkaError", number: int | None) -> None:
        """Let pass what mends itself."""
        from confluent_kafka import KafkaError

        name = self.topic if number is None else partition_name(self.topic, number)
        if error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise BrokerError(
                f"{name}: the messages to go on with are no longer there ({error.str()}); "
                "a new --state begins anew with those that are"
            )
        if error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_PARTITION):
            now, since = time.monotonic(), self._unknown
            if since is None or now - since[1] > _UNKNOWN_S:  # it was known in between
                since = (now, now)
            self._unknown = (since[0], now)
            if now - since[0] < _UNKNOWN_S:
                return
        if lasting(error.code()) or error.fatal():
            raise BrokerError(f"{name}: cannot be read ({error.str()})")
