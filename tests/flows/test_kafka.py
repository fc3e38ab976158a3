"""`groundswell run` with a real Kafka: what comes out is what a replay says."""

import json
import os
import signal
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows.simulate import lines
from tests.flows.conftest import Outcome, Replay, kill_all, wait_until, write
from tests.flows.kafka import Run, Topics, lines_of, same_as_replay
from tests.services.broker import Broker, Given
from trend.simulator import SimulatorSettings, simulate

pytestmark = [pytest.mark.services, pytest.mark.timeout(600)]


@pytest.fixture
def topics(kafka: Broker | Given, request: pytest.FixtureRequest) -> Iterator[Topics]:
    name = request.node.name.replace("[", ".").replace("]", "")[:150]
    topics = Topics(kafka.address, f"{name}.{os.getpid()}.{time.time_ns() % 10**6}")
    yield topics
    topics.close()


@pytest.fixture(scope="session")
def parts(three_files: Path) -> list[list[bytes]]:
    """The lines of three files without blank ones, which a file may have and a topic may not."""
    return [
        [line for line in lines_of(path) if line.strip()] for path in sorted(three_files.iterdir())
    ]


@pytest.fixture(scope="session")
def expected(parts: list[list[bytes]], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What a replay makes of the same lines, a file a partition."""
    folder = tmp_path_factory.mktemp("parts")
    files = [write(folder / f"part-{n}.jsonl", part) for n, part in enumerate(parts)]
    return Replay(tmp_path_factory.mktemp("of-parts"), files).run()


@pytest.fixture
def fed(topics: Topics, parts: list[list[bytes]]) -> Topics:
    """Topics with the reels in them."""
    feed(topics, parts)
    return topics


def feed(topics: Topics, parts: list[list[bytes]]) -> None:
    """Send reels, each partition compressed in another way."""
    topics.make(len(parts))
    for number, part in enumerate(parts):
        topics.send(number, part, ("zstd", "lz4", "gzip", "snappy")[number % 4])


@pytest.fixture(scope="session")
def many_parts() -> list[list[bytes]]:
    """Twenty thousand lines in four partitions."""
    settings = SimulatorSettings(
        seed=2, days=4, reels_per_day=5000, trends=20, fizzles=40, malformed=0.01
    )
    parts: list[list[bytes]] = [[], [], [], []]
    for line in lines(simulate(settings)):
        if line.strip():
            parts[zlib.crc32(line[:40]) % 4].append(line)
    return parts


@pytest.mark.parametrize("processes", [1, 2])
def test_a_topic_gives_what_a_replay_of_its_partitions_gives(
    topics: Topics, many_parts: list[list[bytes]], tmp_path: Path, processes: int
) -> None:
    parts = many_parts
    files = [write(tmp_path / f"part-{n}.jsonl", part) for n, part in enumerate(parts)]
    expected = Replay(tmp_path / "replay", files).run()
    feed(topics, parts)
    run = Run(tmp_path / "run", topics)
    outcome = run.run("--store", "t.db", processes=processes, batch_size=700)
    same_as_replay(topics, expected, parts)
    assert outcome.store == expected.store
    assert f"{sum(map(len, parts)):,} lines" in outcome.out  # all of them were read, and
    assert f"{len(expected.rejects):,} rejected" in outcome.out
    assert set(topics.lag().values()) == {0}  # those who measure lag know it
    again = run.run("--store", "t.db", processes=processes)
    assert "there is nothing left to do" in again.out
    same_as_replay(topics, expected, parts)


def test_a_run_that_loses_its_state_says_nothing_again(
    fed: Topics, expected: Outcome, parts: list[list[bytes]], tmp_path: Path
) -> None:
    Run(tmp_path / "one", fed).run()
    before = len(fed.refused())
    Run(tmp_path / "other", fed).run()
    assert b"".join(line + b"\n" for line in fed.said()) == expected.trends
    assert len(fed.refused()) == 2 * before  # those are told by each run anew


def test_a_run_that_is_told_to_stop_ends_well_and_goes_on(
    topics: Topics, parts: list[list[bytes]], expected: Outcome, tmp_path: Path
) -> None:
    """A live one: it reads as reels come, until SIGTERM, and never thinks that they have ended."""
    topics.make(len(parts))
    run = Run(tmp_path / "run", topics, {"GROUNDSWELL_IDLE_SECONDS": "3600"})
    half = [len(part) // 2 for part in parts]
    for number, part in enumerate(parts):
        topics.send(number, part[: half[number]])
    first = stopped_when_read(run, topics, signal.SIGTERM)
    early = topics.said()
    assert 0 < len(early) < len(expected.revisions)
    assert b"\n".join(expected.trends.splitlines()[: len(early)]) == b"\n".join(early)
    assert "Traceback" not in first.err
    for number, part in enumerate(parts):
        topics.send(number, part[half[number] :])
    stopped_when_read(run, topics, signal.SIGINT)
    said = topics.said()
    assert len(said) > len(early)
    assert expected.trends.startswith(b"".join(line + b"\n" for line in said))
    assert len(said) > 0.8 * len(expected.revisions)  # but those of the last ticks, still open
    assert len(topics.refused()) == len(expected.rejects)


def test_a_run_of_the_same_group_elsewhere_shuts_the_earlier_out(
    topics: Topics, parts: list[list[bytes]], tmp_path: Path
) -> None:
    """Two machines, two state folders, one group: the one that came later writes."""
    topics.make(len(parts))
    for number, part in enumerate(parts):
        topics.send(number, part[: len(part) // 2])
    first = Run(tmp_path / "one", topics, {"GROUNDSWELL_IDLE_SECONDS": "3600"})
    process = first.start(to_end=False)
    topics.wait_until_read(process)
    Run(tmp_path / "other", topics).run()
    before = topics.said()
    for number, part in enumerate(parts):
        topics.send(number, part[len(part) // 2 :])
    outcome = first.end(process)
    assert outcome.code == 1
    assert f"another run of the group {topics.name} writes there" in outcome.err
    assert "Traceback" not in outcome.err
    assert topics.said() == before


def test_poison_becomes_dead_letters_that_can_be_sent_again(topics: Topics, tmp_path: Path) -> None:
    topics.make(2)
    good = b'{"reel_id":"r%d",\n"published_at":"2026-01-05T10:00:00Z",\n"author_id":"a"}'
    poison = [(b"k1", b'{"reel_id":\n1}'), (b"k2", None), (b"k3", b"\xff\xfe"), (None, b"  ")]
    for number in range(2):
        topics.send_keyed(number, [(b"k", good % n) for n in range(40)] + poison)
    run = Run(tmp_path / "run", topics)
    outcome = run.run()
    assert "88 lines" in outcome.out
    assert "8 rejected" in outcome.out
    assert "40 repeated" not in outcome.out  # a reel is known in its own partition
    letters = topics.refused()
    assert [(int(one["partition"]), int(one["offset"])) for one in letters] == [
        (number, 40 + n) for number in range(2) for n in range(4)
    ]
    assert [one["error"] for one in letters[:4]] == [
        "wrong_type", "no_value", "invalid_utf8", "no_value",
    ]  # fmt: skip
    assert [(one["key"], one["value"] or None) for one in letters[:4]] == poison
    assert {one["topic"] for one in letters} == {topics.reels}

    listed = [json.loads(line) for line in run.do("dlq", "list").out.splitlines()]
    assert len(listed) == 8
    assert {one["error"] for one in listed} == {"wrong_type", "no_value", "invalid_utf8"}
    assert len(run.do("dlq", "list", "--limit", "3").out.splitlines()) == 3
    again = run.do("dlq", "replay", "--error", "wrong_type")
    assert again.out == "sent again: 2  passed over: 6\n"
    assert run.do("dlq", "replay").out == "sent again: 0  passed over: 0\n"
    assert [one.value() for one in topics.read(topics.reels)].count(b'{"reel_id":\n1}') == 4


def test_what_cannot_be_is_said_in_one_line(topics: Topics, tmp_path: Path) -> None:
    run = Run(tmp_path / "run", topics)
    outcome = run.end(run.start())
    assert (outcome.code, outcome.out) == (2, "")
    assert f"{topics.reels}: there is no such topic at {topics.address}" in outcome.err
    assert outcome.err.count("\n") == 1
    topics.make(1)
    run.run()
    other = run.end(run.start(to_end=False))
    assert other.code == 2
    assert "--to-end was given when this run began and is not given now" in other.err


def test_a_partition_that_is_silent_holds_nobody_back(
    topics: Topics, parts: list[list[bytes]], tmp_path: Path
) -> None:
    """And when it speaks again, of times long past, nothing that was said changes."""
    topics.make(len(parts) + 1)
    quick = {"GROUNDSWELL_IDLE_SECONDS": "1", "GROUNDSWELL_EPOCH_SECONDS": "1"}
    run = Run(tmp_path / "run", topics, quick)
    for number, part in enumerate(parts):
        topics.send(number, part[: len(part) // 2])
    process = run.start(to_end=False)
    topics.wait_until_said(process, 5)
    for number, part in enumerate(parts):
        topics.send(number, part[len(part) // 2 :])
    topics.send(len(parts), parts[0][:200])
    topics.wait_until_read(process)
    process.terminate()
    outcome = run.end(process)
    assert outcome.code == 0, outcome.err
    said = [json.loads(line) for line in topics.said()]
    names = [(one["trend_id"], one["revision"]) for one in said]
    assert len(set(names)) == len(names) > 20
    times = [one["event_time"] for one in said]
    assert times == sorted(times)


def test_partitions_that_are_added_are_found(
    topics: Topics, parts: list[list[bytes]], tmp_path: Path
) -> None:
    topics.make(2)
    quick = {"GROUNDSWELL_KAFKA_LOOK_SECONDS": "0.5", "GROUNDSWELL_IDLE_SECONDS": "1"}
    run = Run(tmp_path / "run", topics, quick)
    for number in range(2):
        topics.send(number, parts[number][: len(parts[number]) // 2])
    process = run.start(to_end=False)
    topics.wait_until_said(process, 2)
    topics.wait_until_read(process)
    topics.add_partitions(3)
    before = len(topics.said())  # what is sent now has more to say than what may be said by then
    for number in range(3):
        topics.send(number, parts[number][len(parts[number]) // 2 :])
    topics.wait_until_read(process)
    topics.wait_until_said(process, before)
    process.terminate()
    outcome = run.end(process)
    assert outcome.code == 0, outcome.err
    assert "has more partitions" in outcome.out
    said = [json.loads(line) for line in topics.said()]
    names = [(one["trend_id"], one["revision"]) for one in said]
    assert len(set(names)) == len(names)


def test_what_people_say_while_it_runs_is_heard(
    topics: Topics, parts: list[list[bytes]], tmp_path: Path
) -> None:
    topics.make(1)
    said = tmp_path / "said.jsonl"
    settings = {"GROUNDSWELL_FEEDBACK": str(said), "GROUNDSWELL_FEEDBACK_SECONDS": "1"}
    run = Run(tmp_path / "run", topics, settings)
    half = len(parts[0]) // 2
    topics.send(0, parts[0][:half])
    process = run.start(to_end=False)
    topics.wait_until_said(process, 1)
    topics.wait_until_read(process)
    words = [
        {"trend_id": one["trend_id"], "verdict": "noise", "event_time": one["event_time"]}
        for one in map(json.loads, topics.said())
    ]
    said.write_bytes(b"".join(json.dumps(word).encode() + b"\n" for word in words))
    heard = tmp_path / "run" / "state" / "heard.jsonl"
    try:
        wait_until(lambda: heard.read_bytes() == said.read_bytes(), process)
        topics.send(0, parts[0][half:])
        topics.wait_until_read(process)
    except BaseException:
        kill_all(process)
        raise
    process.terminate()
    outcome = run.end(process)
    assert outcome.code == 0, outcome.err
    assert "people said more of trends; going on with that" in outcome.out
    names = [(one["trend_id"], one["revision"]) for one in map(json.loads, topics.said())]
    assert len(set(names)) == len(names) > len(words)


def stopped_when_read(run: Run, topics: Topics, number: signal.Signals) -> Outcome:
    """Run until all that is in the topic was read, and stop it."""
    process = run.start(to_end=False, processes=2)
    topics.wait_until_read(process)
    process.send_signal(number)
    outcome = run.end(process)
    assert outcome.code == 0, outcome.err
    return outcome
