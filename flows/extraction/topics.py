"""From a topic of reels to a topic of enriched reels, for as long as they come.

Several processes share the partitions as one consumer group. A reel's position is committed when
it, and all before it in its partition, have been written: a process that is killed has its last
reels done again, so that each is there at least once; whoever reads knows reels by their ids.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from extractors.media import MissingError
from flows.errors import UserError
from flows.extraction.files import Place
from flows.extraction.observing import observed
from flows.extraction.opening import pipeline_of
from flows.extraction.progress import Progress
from flows.extraction.repeats import Repeats
from flows.extraction.stopping import interrupted
from flows.kafka import connection_of, ready
from flows.replay import say
from flows.settings import Settings
from operators.blocks import LINE_LIMIT, Reject
from operators.extraction.gate import Gate
from operators.extraction.lines import enriched
from operators.extraction.pipeline import Done, Job
from operators.faults import Fault, blank, judge, too_long
from operators.kafka import BrokerError, Connection, error_of, lasting, partition_name
from operators.sinks.kafka import LETTER_BYTES, letter
from schemas.topics import DEAD_LETTERS, ENRICHED

if TYPE_CHECKING:
    from confluent_kafka import Consumer, KafkaError, Message, TopicPartition
    from rich.console import Console

READ: Final = 200
"""Messages that are asked for at once."""
WAIT_S: Final = 0.2
COMMIT_S: Final = 1.0
FLUSH_S: Final = 60.0
EARLIEST: Final = -2
UNSENT: Final = 10_000
"""Messages that wait to be sent."""
SILENT_MS: Final = 3_600_000
"""How long no message may be asked for, while reels wait, before the group does without us."""

T = TypeVar("T")


class Offsets:
    """What has been done of each partition, up to the first message that has not.

    >>> offsets = Offsets()
    >>> for offset in (4, 5, 6):
    ...     offsets.begin(0, offset)
    >>> offsets.end(0, 5)
    >>> offsets.next()
    {}
    >>> offsets.end(0, 4)
    >>> offsets.next()
    {0: 6}
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # partitions are given away in another thread
        self._begun: dict[int, deque[int]] = {}
        self._ended: dict[int, set[int]] = {}
        self._next: dict[int, int] = {}

    def begin(self, partition: int, offset: int) -> None:
        """Note a message that was read."""
        with self._lock:
            self._begun.setdefault(partition, deque()).append(offset)
            self._ended.setdefault(partition, set())

    def end(self, partition: int, offset: int) -> None:
        """Note that one is done. One of a partition that was given away is no longer ours."""
        with self._lock:
            if partition not in self._begun:
                return
            begun, ended = self._begun[partition], self._ended[partition]
            ended.add(offset)
            while begun and begun[0] in ended:
                ended.discard(begun[0])
                self._next[partition] = begun.popleft() + 1

    def drop(self, partitions: list[int]) -> None:
        """Forget partitions."""
        with self._lock:
            for one in partitions:
                self._begun.pop(one, None)
                self._ended.pop(one, None)
                self._next.pop(one, None)

    def next(self) -> dict[int, int]:
        """Return where each partition goes on that has moved since."""
        with self._lock:
            moved, self._next = self._next, {}
            return moved


def from_topics(
    settings: Settings,
    console: "Console",
    *,
    to_end: bool,
    counted: Path | None = None,
    tell: Callable[[str], None] | None = None,
) -> int:
    """Run it; 0 where it was told to stop, or came to the end.

    `counted` is as `observed` has it; `tell` is told what is missing, instead of `console`. Raises
    `UserError` or OSError.
    """
    connection = connection_of(settings)
    letters, reels = settings.kafka_dead_letters, settings.kafka_enriched
    if reels == settings.kafka_reels:
        raise UserError(f"kafka_enriched = {reels}: expected another topic than kafka_reels")
    numbers = ready(settings, connection, {reels: ENRICHED, letters: DEAD_LETTERS})
    with observed(settings, console, counted):
        try:
            one = _Topics(settings, connection, console, tell or partial(say, console))
            return asyncio.run(one.run(numbers if to_end else []))
        except MissingError as error:
            raise UserError(str(error)) from None


class _Topics:
    """One process of an extraction from a topic to another."""

    def __init__(
        self,
        settings: Settings,
        connection: Connection,
        console: "Console",
        tell: Callable[[str], None],
    ) -> None:
        from confluent_kafka import Consumer, Producer

        self._settings = settings
        self._tell = tell
        self._console = console
        self._topic = settings.kafka_reels
        group = f"{connection.group}-extract"
        ours = {
            "group.id": group,
            "auto.offset.reset": "earliest",
            "max.poll.interval.ms": SILENT_MS,
        }
        self._consumer: Consumer = Consumer(connection.consumer(**ours))
        self._thread = ThreadPoolExecutor(1, "kafka")
        sending = connection.producer("extract") | {
            "enable.idempotence": True,
            "queue.buffering.max.messages": UNSENT,
        }
        self._producer: Producer = Producer(
            {name: value for name, value in sending.items() if not name.startswith("transaction")}
        )
        self._offsets = Offsets()
        self._refused: list[KafkaError] = []
        self._committed = time.monotonic()
        self._gate = Gate(settings.extract_per_hour, settings.extract_by)
        self._repeats = Repeats(self._gate, settings.extract_remembered)

    async def run(self, numbers: list[int]) -> int:
        """Extract until told to stop; of the partitions `numbers`, if any, to their ends."""
        progress = Progress(self._console)
        say(self._console, f"reading {self._topic}, writing {self._settings.kafka_enriched}")
        try:
            with progress, interrupted():
                async with pipeline_of(self._settings, self._tell, fetches=True) as pipeline:
                    async for done in pipeline.run(self._jobs(numbers)):
                        await self._written(done)
                        progress.count(done)
            await self._ask(self._commit)
        finally:
            await self._ask(self._consumer.close)
            self._thread.shutdown()
        say(self._console, progress.line())
        return 0

    async def _jobs(self, numbers: list[int]) -> AsyncGenerator[Job, None]:
        from confluent_kafka import KafkaError

        ends = await self._ask(partial(self._begin, numbers))
        left = {number for number, end in ends.items() if end > 0}
        while left or not numbers:
            for message in await self._ask(partial(self._consumer.consume, READ, WAIT_S)):
                number, offset, error = message.partition(), message.offset(), message.error()
                assert number is not None
                if error is not None:
                    if error.code() == KafkaError._PARTITION_EOF:
                        left.discard(number)
                    elif lasting(error.code()) or error.fatal():
                        raise BrokerError(f"{self._topic}: cannot be read ({error.str()})")
                    continue
                assert offset is not None
                if numbers and offset >= ends[number]:
                    left.discard(number)
                    continue
                self._offsets.begin(number, offset)
                job = self._job(number, offset, message)
                if job is None:
                    self._offsets.end(number, offset)
                else:
                    yield job
            await self._soon()

    def _begin(self, numbers: list[int]) -> dict[int, int]:
        """Take up partitions, all of them by hand or as the group deals them; where they end."""
        from confluent_kafka import TopicPartition

        consumer = self._consumer
        if not numbers:
            consumer.subscribe([self._topic], on_revoke=self._revoked, on_lost=self._revoked)
            return {}
        places = consumer.committed([TopicPartition(self._topic, n) for n in numbers], FLUSH_S)
        for place in places:
            place.offset = place.offset if place.offset >= 0 else EARLIEST
        consumer.assign(places)
        return {
            place.partition: consumer.get_watermark_offsets(place, FLUSH_S)[1] for place in places
        }

    def _revoked(self, consumer: "Consumer", places: "list[TopicPartition]") -> None:
        """Commit what is done of partitions that go elsewhere; what is under way is done again."""
        self._commit()
        self._offsets.drop([place.partition for place in places])

    def _job(self, number: int, offset: int, message: "Message") -> Job | None:
        value: bytes = message.value() or b""
        fault: Any = None
        if blank(value):
            fault = Fault("no_value", f"expected one JSON object, got {len(value)} blank bytes")
        elif len(value) > LINE_LIMIT:
            fault = too_long(len(value))
        else:
            fault = judge(value)
        if isinstance(fault, Fault):
            name = partition_name(self._topic, number)
            said = (fault.error, fault.reason)
            key: Any = message.key()
            self._refuse(Reject(name, offset, offset, *said, value, len(value), key))
            return None
        place = Place(str(number), offset, value)
        return Job(fault, place, None, self._repeats.wanted(fault))

    def _refuse(self, reject: Reject) -> None:
        said = msgspec.to_builtins(letter(reject))
        headers = [(name, str(one).encode()) for name, one in said.items()]
        value = reject.original[:LETTER_BYTES]
        self._send(self._settings.kafka_dead_letters, reject.key, value, headers)

    async def _written(self, done: Done) -> None:
        place: Place = done.job.place
        if done.failed:
            self._repeats.forget(done.reel.reel_id)
        line = enriched(place.line, done.job.reel, done.reel)
        self._send(self._settings.kafka_enriched, done.reel.reel_id.encode(), line, [])
        self._offsets.end(int(place.source), place.record)
        await self._soon()

    def _send(self, topic: str, key: bytes | None, value: bytes, headers: Any) -> None:
        while True:
            try:
                self._producer.produce(
                    topic, value, key, headers=headers, on_delivery=self._delivered
                )
                return
            except BufferError:
                self._producer.poll(WAIT_S)

    def _delivered(self, error: "KafkaError | None", message: "Message") -> None:
        if error is not None:
            self._refused.append(error)

    async def _ask(self, question: Callable[[], T]) -> T:
        """Ask Kafka in the one thread that speaks with it."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, question)

    async def _soon(self) -> None:
        """Commit, now and then."""
        self._producer.poll(0)
        if time.monotonic() - self._committed > COMMIT_S:
            await self._ask(self._commit)

    def _commit(self) -> None:
        """Wait until all is written, and commit how far that is. Raises `BrokerError`."""
        from confluent_kafka import KafkaException, TopicPartition

        moved = self._offsets.next()
        left = self._producer.flush(FLUSH_S)
        if self._refused or left:
            why = self._refused[0].str() if self._refused else f"no answer in {FLUSH_S:g} s"
            raise BrokerError(f"{self._settings.kafka_enriched}: cannot be written ({why})")
        places = [TopicPartition(self._topic, *one) for one in moved.items()]
        try:
            if places:
                self._consumer.commit(offsets=places, asynchronous=False)
        except KafkaException as error:
            said = error_of(error)
            if lasting(said.code()):
                raise BrokerError(f"{self._topic}: {said.str()}") from error
        self._committed = time.monotonic()
