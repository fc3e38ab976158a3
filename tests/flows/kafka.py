"""Topics for tests, what is in them, and `groundswell run` as its user runs it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from tests.flows.conftest import ROOT, TIMEOUT_S, Outcome, wait_until
from tests.processes import kill_all, start

T = TypeVar("T")

LARGE = 8 << 20
"""Bytes of a message: lines that are too long are to come through."""


@dataclass(frozen=True)
class Topics:
    """The topics of one test, by a name of its own."""

    address: str
    name: str
    _askers: dict[str, Consumer] = field(default_factory=dict, repr=False)

    @property
    def reels(self) -> str:
        return f"{self.name}.reels"

    @property
    def trends(self) -> str:
        return f"{self.name}.trends"

    @property
    def current(self) -> str:
        return f"{self.name}.current"

    @property
    def letters(self) -> str:
        return f"{self.name}.dlq"

    @property
    def settings(self) -> dict[str, str]:
        """What `groundswell run` reads of its environment."""
        return {
            "GROUNDSWELL_KAFKA_BOOTSTRAP": self.address,
            "GROUNDSWELL_KAFKA_GROUP": self.name,
            "GROUNDSWELL_KAFKA_REELS": self.reels,
            "GROUNDSWELL_KAFKA_TRENDS": self.trends,
            "GROUNDSWELL_KAFKA_CURRENT": self.current,
            "GROUNDSWELL_KAFKA_DEAD_LETTERS": self.letters,
            "GROUNDSWELL_EPOCH_SECONDS": "0.2",
        }

    def make(self, partitions: int) -> None:
        """Make the topic of reels."""
        config = {"max.message.bytes": str(LARGE)}
        topic = NewTopic(self.reels, partitions, 1, config=config)
        admin = self._admin()
        for future in admin.create_topics([topic]).values():
            future.result()

    def add_partitions(self, until: int) -> None:
        """Have so many partitions of reels."""
        wanted = [NewPartitions(self.reels, until)]
        admin = self._admin()
        for future in admin.create_partitions(wanted).values():
            future.result()

    def send(
        self, partition: int, values: Iterable[bytes | None], compression: str = "none"
    ) -> None:
        """Send messages to a partition of the reels."""
        self.send_keyed(partition, ((None, value) for value in values), compression)

    def send_keyed(
        self,
        partition: int,
        messages: Iterable[tuple[bytes | None, bytes | None]],
        compression: str = "none",
    ) -> None:
        """Send keys and values."""
        producer = Producer(
            {
                "bootstrap.servers": self.address,
                "compression.type": compression,
                "message.max.bytes": LARGE,
                "linger.ms": 20,
                "enable.idempotence": True,  # or what is sent again comes out of order
            }
        )
        for key, value in messages:
            producer.produce(self.reels, value, key, partition)
            producer.poll(0)
        assert producer.flush(60) == 0

    def read(self, topic: str, *, settled: bool = True) -> list[Message]:
        """All that is committed, partition by partition in order.

        A transaction is committed a moment before it is shown: the marks for that come later, and
        `settled` waits for them. One that was open when its run was killed stays so until the next.
        """

        def is_settled() -> bool:
            return self._ends(topic, "read_committed") == self._ends(topic, "read_uncommitted")

        if settled:
            wait_for(is_settled)
        consumer = Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": f"{self.name}-test",
                "isolation.level": "read_committed",
                "enable.partition.eof": True,
                "auto.offset.reset": "earliest",
                "fetch.message.max.bytes": LARGE,
            }
        )
        try:
            left = self._numbers(topic)
            consumer.assign([TopicPartition(topic, number, 0) for number in left])
            messages: list[Message] = []
            while left:
                for message in consumer.consume(1000, 0.05):
                    error = message.error()
                    if error is None:
                        messages.append(message)
                    else:
                        assert error.code() == KafkaError._PARTITION_EOF, error
                        left.discard(message.partition())
            return sorted(messages, key=lambda one: (one.partition(), one.offset()))
        finally:
            consumer.close()

    def lag(self) -> dict[int, int]:
        """Messages of each partition of the reels that the group has not committed."""
        ends = self._ends(self.reels, "read_committed")
        places = [TopicPartition(self.reels, number) for number in ends]
        committed = answer(lambda: self._asking("read_committed").committed(places, 30))
        return {one.partition: ends[one.partition] - max(0, one.offset) for one in committed}

    def wait_until_read(self, process: subprocess.Popen[str], share: float = 1.0) -> None:
        """Wait until so much of the reels was read by a run that goes on."""

        def is_read() -> bool:
            time.sleep(0.2)  # to ask is work for a broker
            total = sum(self._ends(self.reels, "read_committed").values())
            return total - sum(self.lag().values()) >= share * total

        wait_until(is_read, process)

    def wait_until_said(self, process: subprocess.Popen[str], more_than: int) -> None:
        """Wait until there are more revisions than so many."""

        def is_said() -> bool:
            time.sleep(0.2)
            return len(self.said()) > more_than

        wait_until(is_said, process)

    def close(self) -> None:
        """Ask nothing more."""
        for consumer in self._askers.values():
            consumer.close()

    def _asking(self, isolation: str) -> Consumer:
        """A consumer that is only asked where things are."""
        if isolation not in self._askers:
            self._askers[isolation] = Consumer(
                {
                    "bootstrap.servers": self.address,
                    "group.id": self.name,
                    "isolation.level": isolation,
                    "log_level": 0,  # a broker that is killed is no news
                }
            )
        return self._askers[isolation]

    def _ends(self, topic: str, isolation: str) -> dict[int, int]:
        consumer = self._asking(isolation)

        def end(number: int) -> int:
            place = TopicPartition(topic, number)
            return answer(lambda: consumer.get_watermark_offsets(place, 30))[1]

        return {number: end(number) for number in self._numbers(topic)}

    def _numbers(self, topic: str) -> set[int]:
        """The partitions of a topic; none where there is no such topic."""

        def numbers() -> set[int]:
            found = self._asking("read_committed").list_topics(topic, 30).topics[topic]
            if found.error is None:
                return set(found.partitions)
            if found.error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
                return set()
            raise KafkaException(found.error)

        return answer(numbers)

    def said(self) -> list[bytes]:
        """The revisions in the topic of trends."""
        return [message.value() for message in self.read(self.trends)]

    def said_so_far(self) -> list[bytes]:
        """The same, though a run was killed in the middle of a transaction."""
        return [message.value() for message in self.read(self.trends, settled=False)]

    def newest(self) -> dict[str, int]:
        """Trend -> its newest revision, in the compacted topic."""
        found = [json.loads(message.value()) for message in self.read(self.current)]
        return {trend["trend_id"]: trend["revision"] for trend in found}

    def refused(self) -> list[dict[str, Any]]:
        """The dead letters, by their places."""
        return sorted(
            (
                {name: value.decode() for name, value in message.headers()}
                | {"key": message.key(), "value": message.value()}
                for message in self.read(self.letters)
            ),
            key=lambda letter: (int(letter["partition"]), int(letter["offset"])),
        )

    def _admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.address})


@dataclass(frozen=True)
class Run:
    """One `groundswell run` on a state folder; the same again goes on."""

    folder: Path
    topics: Topics
    settings: dict[str, str] = field(default_factory=dict)

    def start(
        self,
        *more: str,
        processes: int = 1,
        batch_size: int = 5000,
        to_end: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Begin to run."""
        how = ["--processes", str(processes), "--batch-size", str(batch_size)]
        end = ["--to-end"] if to_end else []
        return self.command("run", "--state", "state", *how, *end, *more, environment=environment)

    def command(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> subprocess.Popen[str]:
        """Begin any command."""
        self.folder.mkdir(exist_ok=True)
        return start(
            [sys.executable, "-m", "flows.cli", *arguments],
            self.folder,
            {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120"}
            | self.topics.settings
            | self.settings
            | dict(environment or {}),
        )

    def end(self, process: subprocess.Popen[str]) -> Outcome:
        """Wait for the end."""
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            kill_all(process)
            raise
        return Outcome(process.returncode, out, err, self.folder)

    def run(self, *more: str, processes: int = 1, batch_size: int = 5000) -> Outcome:
        """Run to the end of the topic, which must be a good one."""
        outcome = self.end(self.start(*more, processes=processes, batch_size=batch_size))
        assert outcome.code == 0, outcome.err
        assert outcome.err == ""
        return outcome

    def do(self, *arguments: str) -> Outcome:
        """Run any command to its end."""
        return self.end(self.command(*arguments))


def answer(question: Callable[[], T]) -> T:
    """Ask until there is an answer: a broker that has just come back sends askers away."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return question()
        except KafkaException:
            assert time.monotonic() < deadline
            time.sleep(0.1)


def wait_for(condition: Callable[[], bool], seconds: float = 60) -> None:
    """Wait for a condition that must come true."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def lines_of(path: Path) -> list[bytes]:
    """The lines of a file, each of them a message."""
    return path.read_bytes().split(b"\n")[:-1]


def same_as_replay(topics: Topics, expected: Outcome, parts: Sequence[list[bytes]]) -> None:
    """In the topics is what a replay of files with the same lines has written, and nothing else."""
    lines = topics.said()
    said = [json.loads(line) for line in lines]
    names = [(one["trend_id"], one["revision"]) for one in said]
    assert names == [(one["trend_id"], one["revision"]) for one in expected.revisions]
    assert b"".join(line + b"\n" for line in lines) == expected.trends
    newest = {trend["trend_id"]: trend["revision"] for trend in expected.revisions}
    assert topics.newest() == newest
    letters = topics.refused()
    places = [(int(one["partition"]), int(one["offset"])) for one in letters]
    assert places == [
        (int(Path(one["partition"]).stem[-1]), one["record"]) for one in expected.rejects
    ]
    assert [one["error"] for one in letters] == [one["error"] for one in expected.rejects]
    for (partition, offset), one in zip(places, letters, strict=True):
        original = parts[partition][offset]
        assert original.startswith(one["value"])
        assert len(one["value"]) == len(original) or len(original) > 900 << 10
        assert int(one["length"]) == len(original)
