"""A run tells how it is: metrics that exist, whether it is ready, and what happens, in JSON."""

import io
import json
import logging
import socket
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from flows import health, metrics_doc
from flows.errors import UserError
from flows.health import Health
from flows.logs import HIDDEN, Log, in_worker, line
from flows.metrics import Facts, Run, gathered
from flows.observing import CONNECTIONS, Observer
from flows.settings import Settings
from operators import metrics
from operators.alerts import outbox
from operators.alerts.outbox import COUNTERS
from operators.kafka import Connection
from operators.metrics import METRICS
from operators.sources.board import Board

NAMES = ("reels.v1[0]", "reels.v1[1]")
HOUR_US = 3_600_000_000


@pytest.fixture
def watched(tmp_path: Path) -> Run:
    """A run that reads two partitions and has reached an hour."""
    (tmp_path / "counted").mkdir()
    (tmp_path / "segments").mkdir()
    (tmp_path / "segments" / "g1-w0-count-00000001.seg").write_bytes(bytes(100))
    board = Board.create(tmp_path / "board", NAMES)
    for name in NAMES:
        board.set(name, "assigned", 1)
        board.set(name, "reached_us", HOUR_US)
    return Run(board, {}, tmp_path, tmp_path / "counted")


@pytest.fixture
def up(monkeypatch: pytest.MonkeyPatch) -> dict[str, bool]:
    """The sinks of the workers, and whether they take what is written."""
    sinks = {"kafka-trends": True, "redis": True}
    monkeypatch.setattr(health.metrics, "up", lambda counted: sinks)
    return sinks


@pytest.fixture
def well() -> Health:
    one = Health(idle_s=60)
    one.answered()
    return one


def samples(run: Run | None) -> dict[tuple[str, ...], float]:
    """Name and values of the labels -> value."""
    return {
        (one.name, *one.labels.values()): one.value
        for family in gathered(run, Facts(0.1), ready=True)
        for one in family.samples
    }


def test_the_page_of_metrics_is_fresh_and_says_what_each_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert metrics_doc.main(["--check"]) == 0
    for metric in METRICS:
        assert f"| `{metric.full_name}` | {metric.type} |" in metrics_doc.page()
        assert metric.help.endswith(".")
    assert len({metric.name for metric in METRICS}) == len(METRICS)
    monkeypatch.setattr(metrics_doc, "PAGE", tmp_path / "metrics.md")
    assert metrics_doc.main(["--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert metrics_doc.main([]) == 0
    assert metrics_doc.main(["--check"]) == 0


def test_counters_begin_where_this_start_went_on(watched: Run) -> None:
    watched.board.set(NAMES[0], "late_before", 40)
    watched.board.set(NAMES[0], "late", 42)
    watched.board.set(NAMES[1], "late_before", 7)  # it has not told yet that it goes on
    found = samples(watched)
    assert found["groundswell_reels_late_total", "reels.v1", "0"] == 2
    assert found["groundswell_reels_late_total", "reels.v1", "1"] == 0
    assert found["groundswell_state_bytes", "count"] == 100


def test_lag_is_what_the_reader_has_not_read_of_what_the_broker_has(watched: Run) -> None:
    assert not [one for one in samples(watched) if one[0] == "groundswell_lag_messages"]
    watched.ends = {NAMES[0]: 100, NAMES[1]: 50}
    watched.board.set(NAMES[0], "offset", 70)
    watched.board.set(NAMES[1], "offset", -2)  # it begins at the beginning
    found = samples(watched)
    assert found["groundswell_lag_messages", "reels.v1", "0"] == 30
    assert found["groundswell_lag_messages", "reels.v1", "1"] == 50


def test_alerts_are_counted_by_rule_and_outcome(
    watched: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not [one for one in samples(watched) if one[0].startswith("groundswell_alerts")]
    counts = {"dances": {**dict.fromkeys(COUNTERS, 0), "sent": 3, "stale": 1, "waiting": 2}}
    monkeypatch.setattr(outbox, "counts", lambda path: counts)
    found = samples(watched)
    assert found["groundswell_alerts_total", "dances", "sent"] == 3
    assert found["groundswell_alerts_total", "dances", "stale"] == 1
    assert found["groundswell_alerts_total", "dances", "failed"] == 0
    assert found["groundswell_alerts_waiting", "dances"] == 2


def test_the_watermark_is_that_of_the_slowest_that_speaks(watched: Run) -> None:
    watched.board.set(NAMES[0], "reached_us", 5 * HOUR_US)
    assert samples(watched)["groundswell_watermark_seconds",] == 3600
    watched.board.set(NAMES[1], "idle", 1)
    found = samples(watched)
    assert found["groundswell_watermark_seconds",] == 5 * 3600
    age = found["groundswell_watermark_age_seconds",]
    assert age == pytest.approx(time.time() - 5 * 3600, abs=60)


def test_a_run_that_does_what_it_is_there_for_is_ready(
    watched: Run, up: dict[str, bool], well: Health
) -> None:
    assert well.faults(None) == ["starting: the workers have not begun"]
    assert well.faults(watched) == []
    up["redis"] = False
    assert [one.split(":")[0] for one in well.faults(watched)] == ["sink redis"]
    del up["redis"]  # nothing was to be written so far
    assert well.faults(watched) == []
    watched.board.set(NAMES[1], "assigned", 0)
    assert well.faults(watched) == [f"partition {NAMES[1]}: is not read yet"]
    well.stopping = True
    assert well.faults(watched) == ["stopping"]


def test_a_watermark_that_stands_still_is_a_fault_only_where_there_is_something_to_read(
    watched: Run, up: dict[str, bool], well: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    well.beat(watched)
    now = time.monotonic() + well.idle_s + health.STALLED_S + 1
    monkeypatch.setattr(health.time, "monotonic", lambda: now)
    well.answered()
    well.beat(watched)
    assert [one.split(":")[0] for one in well.faults(watched)] == ["watermark"]
    for name in NAMES:
        watched.board.set(name, "caught_up", 1)
    assert well.faults(watched) == []
    watched.ends = {NAMES[0]: 5}  # the reader does not know of those yet
    assert [one.split(":")[0] for one in well.faults(watched)] == ["watermark"]
    watched.board.set(NAMES[0], "reached_us", HOUR_US + 1)
    watched.board.set(NAMES[1], "reached_us", HOUR_US + 1)
    well.beat(watched)
    assert well.faults(watched) == []


def test_a_main_loop_that_hangs_and_brokers_that_are_silent_are_named(
    watched: Run, up: dict[str, bool], well: Health, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = time.monotonic() + health.SILENT_S + 1
    monkeypatch.setattr(health.time, "monotonic", lambda: later)
    well.beat(watched)
    assert [one.split(":")[0] for one in well.faults(watched)] == ["Kafka"]
    much_later = later + health.HUNG_S + 1
    monkeypatch.setattr(health.time, "monotonic", lambda: much_later)
    assert not well.is_alive()
    assert [one.split(":")[0] for one in well.faults(watched)] == ["main loop"]


def ask(address: str, path: str, method: str = "GET") -> tuple[int, bytes]:
    request = urllib.request.Request(f"http://{address}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_the_address_answers_what_it_is_asked_and_no_more() -> None:
    observer = Observer(Settings(), Connection("127.0.0.1:1", "nobody"))
    with observer.listening("127.0.0.1:0"):
        code, said = ask(observer.address, "/readyz")
        assert code == 503
        assert json.loads(said)["reasons"] == ["starting: the workers have not begun"]
        assert ask(observer.address, "/healthz?x=1") == (200, b'{"status": "alive"}\n')
        assert b"\ngroundswell_ready 0.0\n" in ask(observer.address, "/metrics")[1]
        assert ask(observer.address, "/etc/passwd")[0] == 404
        assert ask(observer.address, "/metrics", "POST")[0] == 501
        with pytest.raises(UserError, match=r"metrics_address = .*: Address already in use"):
            observer.listening(observer.address).__enter__()


def test_clients_that_say_nothing_are_few() -> None:
    observer = Observer(Settings(), Connection("127.0.0.1:1", "nobody"))
    with observer.listening("127.0.0.1:0"):
        host, _, port = observer.address.rpartition(":")
        silent = [socket.create_connection((host, int(port))) for _ in range(CONNECTIONS)]
        try:
            with socket.create_connection((host, int(port)), timeout=10) as one_more:
                assert one_more.recv(1) == b""
        finally:
            for one in silent:
                one.close()


SECRET = "hunter2-\x1b[31m"


@pytest.fixture
def settings() -> Settings:
    return Settings(database_url="postgresql://me:p%40ssword@host/db", kafka_password=SECRET)


def spoken(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    said = capsys.readouterr()
    assert said.out == ""
    return [json.loads(one) for one in said.err.splitlines()]


def test_in_json_each_event_is_one_line_of_ascii_without_secrets(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    log = Log(Console(), "json", settings)
    log.say("odd", "a\x1b[2Jb\n\u202ec\u2028 with p@ssword and p%40ssword", "warning", n=3)
    log.tell("failed", "error", {"lines": [f"it is {SECRET}"]})
    log.console.print("a table for people")
    said, failed = spoken(capsys)
    assert failed["lines"] == [f"it is {HIDDEN}"]
    assert (said["event"], said["level"], said["n"]) == ("odd", "warning", 3)
    assert said["message"] == f"a\x1b[2Jb\n\u202ec\u2028 with {HIDDEN} and {HIDDEN}"
    assert said["time"].endswith("Z")
    assert line(said).isascii()
    assert line(said).isprintable()


def test_what_workers_log_is_said_once_however_many_say_it(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    root = logging.getLogger()
    before, level = [*root.handlers], root.level
    try:
        in_worker(1)
        (handler,) = [one for one in root.handlers if one not in before]
        record = logging.LogRecord("x", logging.WARNING, "", 0, "%s \x1b[2Jaway", ("redis",), None)
        record.event = "sink_waits"
        marked = handler.format(record)
    finally:
        root.handlers[:], root.level = before, level
    assert "\n" not in marked
    news = [marked.removeprefix("groundswell: ")] * 2
    Log(Console(), "json", settings).hear([*news, "no object"])
    first, second = spoken(capsys)
    assert (first["event"], first["level"], first["worker"]) == ("sink_waits", "warning", 1)
    assert second["message"] == "no object"
    told = io.StringIO()
    Log(Console(file=told, width=80), "text", settings).hear(news)
    assert told.getvalue() == "redis away\n"


def test_a_process_that_nobody_asked_counts_nothing() -> None:
    assert not metrics.counting()
    metrics.TRENDS.add(1, "sound", "emerging")
    assert metrics._child.cache_info().currsize == 0
