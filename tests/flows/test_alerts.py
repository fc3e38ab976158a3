"""Alerts of a run, as its user has them: each told once whatever is killed; nothing waits."""

import os
import re
import signal
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from flows.cli import main
from operators.alerts.outbox import counts
from operators.durable.failpoints import VARIABLE
from tests.flows.conftest import Outcome, Replay, write
from tests.flows.kafka import Run, Topics, lines_of
from tests.services.broker import Broker, Given
from tests.services.receiver import Answer, Receiver, receiving

RULES = """
[receivers.hook]
kind = "webhook"
url_env = "HOOK_URL"
timeout_seconds = 1

[[rules]]
name = "all of it"
to = "hook"
rate_messages = 1000
max_age_hours = 0   # the stream is of another year
"""
OTHER = """
[receivers.other]
kind = "slack"
url_env = "OTHER_URL"

[[rules]]
name = "the same"
to = "other"
rate_messages = 1000
max_age_hours = 0
"""
SECRET = "verysecrettoken"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


@pytest.fixture
def settings(receiver: Receiver, tmp_path: Path) -> dict[str, str]:
    rules = tmp_path / "alerts.toml"
    rules.write_text(RULES, "utf-8")
    return {
        "GROUNDSWELL_ALERT_RULES": str(rules),
        "GROUNDSWELL_EPOCH_SECONDS": "0.2",
        "HOOK_URL": f"{receiver.url}/{SECRET}",
    }


@pytest.fixture
def replay(three_files: Path, tmp_path: Path, settings: dict[str, str]) -> Replay:
    return Replay(tmp_path / "run", [three_files], True, settings, ["--alerts"])


def told(receiver: Receiver) -> dict[tuple[str, str], set[str]]:
    """Keys of the messages in which each trend was told, by trend and status."""
    keys: dict[tuple[str, str], set[str]] = defaultdict(set)
    for request in receiver.requests:
        for one in request.json["alerts"]:
            keys[one["labels"]["trend_id"], one["status"]].add(request.key)
    return keys


def due(outcome: Outcome) -> tuple[set[str], set[str]]:
    """Trends that are told under the rule, and those of them that are over."""
    firing: set[str] = set()
    over: set[str] = set()
    for revision in outcome.revisions:
        if revision["stage"] in ("emerging", "peaking"):
            firing.add(revision["trend_id"])
        elif revision["trend_id"] in firing:
            over.add(revision["trend_id"])
    return firing, over


def each_was_told_once(receiver: Receiver, state: Path, expected: Outcome) -> None:
    firing, over = due(expected)
    assert len(firing) > 5
    keys = told(receiver)
    assert {trend for trend, _ in keys} == firing
    assert {trend for trend, status in keys if status == "resolved"} == over
    assert {len(one) for one in keys.values()} == {1}  # so that a receiver can drop repeats
    found = counts(state / "alerts.db")["all of it"]
    assert found["sent"] == len(firing) + len(over)  # each is written down once
    assert found["waiting"] == found["failed"] == found["dropped"] == found["stale"] == 0


def test_a_run_that_is_killed_between_deliveries_tells_each_trend_once(
    replay: Replay, receiver: Receiver, of_three: Outcome
) -> None:
    for place, processes, requests in (("after:2", 2, 2), ("before:2", 1, 3)):
        failing = {VARIABLE: f"alert-send.{place}:kill"}
        outcome = replay.end(replay.start(processes, environment=failing))
        assert outcome.code == -signal.SIGKILL
        assert len(receiver.requests) == requests
    outcome = replay.end(replay.start(1))
    assert outcome.code == 0, outcome.err
    assert outcome.trends == of_three.trends
    each_was_told_once(receiver, replay.folder / "state", of_three)
    repeats = len(receiver.requests) - len({request.key for request in receiver.requests})
    assert repeats == 1  # delivered, and killed before it was written down
    written = [path.read_bytes() for path in replay.folder.rglob("*") if path.is_file()]
    assert not [one for one in written if SECRET.encode() in one]
    assert SECRET not in outcome.out + outcome.err


def test_detection_does_not_wait_for_a_receiver_that_hangs(
    replay: Replay, receiver: Receiver, of_three: Outcome
) -> None:
    receiver.usual = Answer(hangs=True)
    with receiving() as other:
        (replay.folder.parent / "alerts.toml").write_text(RULES + OTHER, "utf-8")
        outcome = replay.end(replay.start(1, environment={"OTHER_URL": other.url}))
    assert outcome.code == 0, outcome.err
    assert outcome.trends == of_three.trends
    firing, over = due(of_three)
    alerts = len(firing) + len(over)
    (line,) = re.findall("alerts: .*", outcome.out)  # nor do others wait for it
    assert line == f"alerts: sent {alerts}, failed 0, not told 0, waiting {alerts}"
    (replay.folder.parent / "alerts.toml").write_text(RULES, "utf-8")
    receiver.usual = Answer()
    receiver.requests.clear()
    with closing(sqlite3.connect(replay.folder / "state" / "alerts.db")) as outbox, outbox:
        outbox.execute("UPDATE messages SET next_at = first_at")  # its pause is over
    again = replay.end(replay.start(1))
    assert again.code == 0, again.err
    assert "there is nothing left to do" in again.out
    each_was_told_once(receiver, replay.folder / "state", of_three)


def test_a_replay_tells_nobody_unless_it_is_told_to(
    receiver: Receiver, one_reel: Path, settings: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    environment(monkeypatch, settings | {"HOOK_URL": "none that works"})
    state = one_reel.parent / "state"
    assert main(["replay", str(one_reel), "--state", str(state)]) == 0
    assert not (state / "alerts.db").exists()


@pytest.fixture
def one_reel(tmp_path: Path) -> Path:
    reel = b'{"reel_id":"r","author_id":"a","published_at":"2026-01-05T00:00:00Z"}'
    return write(tmp_path / "reels.jsonl", [reel])


def environment(monkeypatch: pytest.MonkeyPatch, settings: Mapping[str, str]) -> None:
    for name, value in {"COLUMNS": "100", **settings}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize(
    ("more", "changed", "message"),
    [
        ("min_authors = -1", {}, "rule 'all of it': min_authors = -1: expected a whole number"),
        ("", {"HOOK_URL": ""}, "receiver 'hook': url_env = HOOK_URL: is not in the environment"),
        ("", {"HOOK_URL": SECRET}, "url_env = HOOK_URL: expected an http or https URL in it"),
        ("", {"GROUNDSWELL_ALERT_RULES": "none.toml"}, "none.toml: cannot be read"),
        ("", {"GROUNDSWELL_ALERT_RULES": ""}, "--alerts: alert_rules is not set"),
    ],
)
def test_rules_that_cannot_work_stop_a_run_before_it_starts(
    one_reel: Path,
    settings: dict[str, str],
    more: str,
    changed: dict[str, str],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment(monkeypatch, settings | changed)
    Path(settings["GROUNDSWELL_ALERT_RULES"]).write_text(RULES + more, "utf-8")
    state = one_reel.parent / "state"
    assert main(["replay", str(one_reel), "--state", str(state), "--alerts"]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.err.count("\n") == 1
    assert SECRET not in said.err
    assert not state.exists()


def test_a_trial_says_what_would_be_sent_and_sends_nothing(
    of_three: Outcome,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    environment(monkeypatch, {})
    rules = tmp_path / "alerts.toml"
    rules.write_text(RULES + '[[rules]]\nname = "none"\nto = "hook"\nwords = ["x y z"]\n', "utf-8")
    store = of_three.folder / "t.db"
    assert main(["alerts", "test", str(rules), "--store", str(store), "--limit", "500"]) == 0
    said = capsys.readouterr().out
    firing, over = due(of_three)
    rows = [line for line in said.splitlines() if re.match(r" 20\d\d-", line)]
    assert len(rows) == len(firing) + len(over)
    assert rows == sorted(rows, key=lambda row: row[:17])
    assert of_three.revisions[0]["event_time"][:16].replace("T", " ") in rows[0]
    assert len([row for row in rows if "over: " in row]) == len(over)
    counted = f"messages {len(rows)}, trends {len(firing)}, of them over {len(over)}"
    assert f"all of it: {counted}\nnone: messages 0, " in said
    assert "receiver hook: HOOK_URL is not in this environment" in said
    assert main(["alerts", "test", str(rules), "--store", str(tmp_path / "none.db")]) == 2
    assert "none.db: there is no such store" in capsys.readouterr().err


@pytest.mark.services
def test_a_run_on_kafka_tells_people(
    kafka: Broker | Given,
    three_files: Path,
    of_three: Outcome,
    receiver: Receiver,
    settings: dict[str, str],
    tmp_path: Path,
) -> None:
    files = sorted(three_files.iterdir())
    topics = Topics(kafka.address, f"alerts.{os.getpid()}")
    try:
        topics.make(len(files))
        for number, path in enumerate(files):
            topics.send(number, [line for line in lines_of(path) if line.strip()])
        Run(tmp_path / "run", topics, settings=settings).run()
    finally:
        topics.close()
    each_was_told_once(receiver, tmp_path / "run" / "state", of_three)
