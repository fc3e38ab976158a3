"""The commands: what they write, what they refuse in a line, and how they look after workers."""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from flows import job as jobs
from flows.cli import main
from flows.replay import InputError, Request, replay
from flows.state import StateError, StateFolder
from operators.durable import fence
from operators.durable.faults import DurableError, FencedError
from operators.sinks import store
from operators.sinks.jsonl import OutputError
from tests.processes import start

ROOT = Path(__file__).parents[2]

WORKER = """
    import os, signal, sys, time
    from datetime import UTC, datetime
    from pathlib import Path
    from flows import job as jobs
    from operators.blocks import Reject
    from operators.links import Linked
    from operators.sinks.jsonl import TrendsFile
    from operators.sinks.rejects import RejectsFile
    from operators.sinks.store import Store
    from operators.sources.board import Board
    from schemas.trends import Member, SeriesPoint, Trend

    mode, job, number = sys.argv[1], jobs.read(Path(sys.argv[2])), int(sys.argv[3])
    Path(sys.argv[2]).with_name(f"started-{number}").touch()
    if job.state:
        Path(job.state, "runs").open("a").write("x")
    if mode == "die" and number == 1:
        raise RuntimeError("\\x1b[2Jboom")
    if mode == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if mode in ("wait", "die"):
        time.sleep(60)
    if mode == "deaf":
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        Path(job.to).touch()
        time.sleep(60)
    board = Board.open(Path(job.board))
    when = datetime(2026, 1, 5, tzinfo=UTC)
    trends = TrendsFile(Path(job.to)).build_part("", "", None) if job.to else None
    rejects = RejectsFile(Path(job.rejects)).build_part("", "", None) if job.rejects else None
    kept = Store(Path(job.store)).build_part("", "", None)
    for name in job.inputs[number :: job.processes]:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
        for at, line in enumerate(data.splitlines()):
            if line == b"bad":
                if rejects:
                    rejects.write_batch([Reject(name, at, 0, "invalid_json", "bad", line, 3)])
                board.add(name, "rejects", 1)
                continue
            word = line.decode()
            trend = Trend(
                trend_id=word, revision=1, kind="hashtag", stage="emerging", scopes=("global",),
                event_time=when, started_at=when, name="#" + word, summary="", category=None,
                reels=3, authors=3, expected=1.0, growth=3.0, velocity_per_h=1.0,
                acceleration_per_h2=0.0, score=0.5, q_value=0.01,
                members=(Member(kind="hashtag", id=word, label=word, weight=1.0, reels=3),),
                examples=(), series=(SeriesPoint(t=when, reels=3, expected=1.0),), forecast=(),
                why="because",
            )
            kept.write_batch([Linked(trend)])
            if trends:
                trends.write_batch([trend])
            board.add(name, "records", 1)
        board.set(name, "bytes_total", len(data))
        board.set(name, "bytes_read", len(data))
        board.set(name, "done", 1)
    for part in (trends, rejects, kept):
        if part:
            part.close()
"""


@pytest.fixture(autouse=True)
def _here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))


@pytest.fixture
def reels(tmp_path: Path) -> str:
    path = tmp_path / "in.jsonl"
    path.write_text("cat\nbad\ndog\n")
    return str(path)


def command(tmp_path: Path, mode: str) -> list[str]:
    script = tmp_path / "worker.py"
    script.write_text(textwrap.dedent(WORKER))
    return [sys.executable, str(script), mode]


def run(request: Request, worker: Sequence[str]) -> tuple[int, str]:
    output = io.StringIO()
    code = replay(request, Console(file=output, width=100), worker)
    return code, output.getvalue()


def refusal(arguments: Sequence[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("groundswell: ")
    return line


def test_help_is_quick_for_it_imports_nothing_heavy() -> None:
    script = (
        "import sys; from flows.cli import main; main(['--help']); "
        "heavy = {'polars', 'numba', 'numpy', 'scipy', 'bytewax', 'rich', 'pydantic', 'msgspec'}; "
        "sys.exit(', '.join(heavy & sys.modules.keys()) or None)"
    )
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("demo", "replay", "simulate", "evaluate"):
        assert f"\n  {name} " in done.stdout


def test_without_a_command_there_is_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Usage: groundswell" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["unknown"], "No such command 'unknown'"),
        (["replay"], "Missing argument 'FILE"),
        (["replay", "--no"], "No such option: --no"),
        (["replay", "x.jsonl", "--processes", "0"], "--processes"),
        (["replay", "missing.jsonl"], "missing.jsonl"),
        (["replay", "in.jsonl", "--to", "no/t.jsonl"], "the folder no does not exist"),
        (["replay", "in.jsonl", "--to", "t.jsonl.gz"], "expected an uncompressed file"),
        (["replay", "in.jsonl", "--to", "in.jsonl"], "in.jsonl: is or lies in an input"),
        (["replay", ".", "--to", "t.jsonl"], "t.jsonl: is or lies in an input"),
        (["replay", "in.jsonl", "--to", "t", "--rejects", "t"], "t: given for two outputs"),
        (["replay", "in.jsonl", "--store", "in.db"], "in.db: not usable as a store"),
        (["replay", "-", "--state", "s"], "standard input cannot be read again"),
        (["replay", "-", "--take-over"], "expected the --state to take over"),
        (["simulate", "d", "--days", "0"], "days is 0: expected 1 to 400"),
        (["evaluate", "none.json", "t.jsonl"], "none.json: No such file"),
        (["evaluate", "in.jsonl", "in.jsonl"], "in.jsonl: not an answer key"),
        (["demo", "--days", "x"], "--days"),
    ],
)
@pytest.mark.usefixtures("reels")
def test_what_cannot_be_done_is_refused_in_a_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], expected: str, tmp_path: Path
) -> None:
    (tmp_path / "in.db").write_text("no database " * 100)
    before = sorted(tmp_path.iterdir())
    assert expected in refusal(arguments, capsys)
    assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "in.jsonl").read_text() == "cat\nbad\ndog\n"


def test_a_bad_setting_is_refused_in_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, reels: str
) -> None:
    monkeypatch.setenv("GROUNDSWELL_FDR", "2\x1b[2J\n")
    assert "GROUNDSWELL_FDR = 2 : expected a number" in refusal(["replay", reels], capsys)


def test_a_replay_ends_with_the_table_and_where_its_files_are(tmp_path: Path, reels: str) -> None:
    request = Request((reels,), Path("t.jsonl"), Path("t.db"), Path("r.jsonl"))
    code, text = run(request, command(tmp_path, "fine"))
    assert code == 0
    assert [json.loads(line)["trend_id"] for line in Path("t.jsonl").read_text().splitlines()] == [
        "cat",
        "dog",
    ]
    assert json.loads(Path("r.jsonl").read_text())["record"] == 1
    assert store.count(Path("t.db")) == (2, 2)
    assert "100%  2 lines" in text
    assert "1 rejected" in text
    assert "#cat" in text
    for name in ("t.jsonl", "t.db", "r.jsonl"):
        assert str(tmp_path / name) in text


def test_a_new_replay_replaces_what_the_last_one_found(tmp_path: Path, reels: str) -> None:
    request = Request((reels,), store=Path("t.db"))
    run(request, command(tmp_path, "fine"))
    Path(reels).write_text("fox\n")
    run(request, command(tmp_path, "fine"))
    assert [trend.name for trend in store.top(Path("t.db"), 9)] == ["#fox"]


def test_a_replay_without_outputs_still_shows_its_trends(tmp_path: Path, reels: str) -> None:
    code, text = run(Request((reels,)), command(tmp_path, "fine"))
    assert code == 0
    assert "#dog" in text
    assert "store:" not in text


def test_two_processes_share_the_files(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for name in "abc":
        (tmp_path / "in" / f"{name}.jsonl").write_text(name)
    code, text = run(Request(("in",), store=Path("t.db"), processes=2), command(tmp_path, "fine"))
    assert code == 0
    assert store.count(Path("t.db")) == (3, 3)
    assert "3 lines" in text


def test_a_worker_that_fails_stops_the_others(
    tmp_path: Path, reels: str, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    code, _ = run(Request((reels,), processes=3), command(tmp_path, "die"))
    assert code == 1
    assert time.monotonic() - began < 30
    error = capsys.readouterr().err
    assert "worker 1 ended with code 1" in error
    assert "RuntimeError: boom" in error
    assert "\x1b" not in error


def test_a_worker_that_is_killed_is_an_error(
    tmp_path: Path, reels: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _ = run(Request((reels,)), command(tmp_path, "killed"))
    assert code == 1
    assert "worker 0 was killed by signal 9" in capsys.readouterr().err


def test_a_complete_run_given_again_does_nothing_more(tmp_path: Path, reels: str) -> None:
    request = Request((reels,), Path("t.jsonl"), Path("t.db"), state=Path("s"))
    assert run(request, command(tmp_path, "fine"))[0] == 0
    before = Path("t.jsonl").stat().st_mtime_ns
    code, text = run(request, command(tmp_path, "die"))
    assert code == 0
    assert "is complete; there is nothing left to do" in text
    assert "#cat" in text
    assert Path("t.jsonl").stat().st_mtime_ns == before
    assert Path("s/runs").read_text() == "x"
    Path("t.jsonl").unlink()
    with pytest.raises(OutputError, match=r"t.jsonl: is gone, and the run in s is complete"):
        run(request, command(tmp_path, "fine"))


def test_a_stopped_run_goes_on_with_what_it_has(
    tmp_path: Path, reels: str, capsys: pytest.CaptureFixture[str]
) -> None:
    request = Request((reels,), store=Path("t.db"), state=Path("s"))
    code, text = run(request, command(tmp_path, "killed"))
    assert code == 1
    assert "The same command goes on from here" in text
    assert list(Path("s/recovery.1").iterdir())
    run(Request((reels,), store=Path("u.db")), command(tmp_path, "fine"))
    Path("u.db").replace("t.db")  # as if the killed run had written them
    Path(reels).write_text("fox\n")
    assert run(request, command(tmp_path, "fine"))[0] == 0
    assert store.count(Path("t.db")) == (3, 3)
    assert capsys.readouterr().err.count("killed") == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": ("other.jsonl",)}, "the input was .*in.jsonl .* is other.jsonl now"),
        ({"to": Path("u.jsonl")}, "--to was not given"),
        ({"rejects": Path("u.jsonl")}, "--rejects was not given"),
        ({"store": Path("u.db")}, "--store was .*trends.db"),
    ],
)
def test_another_command_is_not_taken_for_the_same(
    tmp_path: Path, reels: str, change: dict[str, Path], message: str
) -> None:
    (tmp_path / "other.jsonl").write_text("fox\n")
    run(Request((reels,), state=Path("s")), command(tmp_path, "killed"))
    other = Request(**{"inputs": (reels,), "state": Path("s")} | change)  # type: ignore[arg-type]
    with pytest.raises(StateError, match=message):
        run(other, command(tmp_path, "fine"))


def test_other_settings_are_not_taken_for_the_same(
    tmp_path: Path, reels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = Request((reels,), state=Path("s"))
    run(request, command(tmp_path, "killed"))
    monkeypatch.setenv("GROUNDSWELL_EPOCH_SECONDS", "3")  # changes no result
    run(Request((reels,), state=Path("s"), batch_size=7), command(tmp_path, "killed"))
    monkeypatch.setenv("GROUNDSWELL_FDR", "0.2")
    with pytest.raises(StateError, match=r"setting fdr was 0.1 .* and is 0.2 now"):
        run(request, command(tmp_path, "fine"))


def test_two_runs_never_share_a_state(tmp_path: Path, reels: str) -> None:
    with (
        StateFolder(Path("s")),
        pytest.raises(StateError, match="s: another run is using this folder"),
    ):
        run(Request((reels,), state=Path("s")), command(tmp_path, "fine"))
    assert run(Request((reels,), state=Path("s")), command(tmp_path, "fine"))[0] == 0


def test_a_run_that_hangs_is_taken_over_and_can_write_no_more(tmp_path: Path, reels: str) -> None:
    with StateFolder(Path("s")) as hanging:
        request = Request((reels,), state=Path("s"), take_over=True)
        assert run(request, command(tmp_path, "fine"))[0] == 0
        with pytest.raises(FencedError, match="s: another run has taken over"):
            hanging.finish()
        with pytest.raises(FencedError):
            hanging.tidy()


def test_a_write_is_not_taken_over_from(
    tmp_path: Path, reels: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fence, "WAIT_S", 0.1)
    request = Request((reels,), state=Path("s"), take_over=True)
    with (
        StateFolder(Path("s")) as hanging,
        hanging.fence.writing(),
        pytest.raises(DurableError, match="in the middle of a write"),
    ):
        run(request, command(tmp_path, "fine"))


def test_the_state_of_another_version_is_refused(tmp_path: Path, reels: str) -> None:
    request = Request((reels,), state=Path("s"))
    run(request, command(tmp_path, "killed"))
    job = jobs.read(Path("s/job.json"))
    jobs.write(msgspec.structs.replace(job, version="0.0.1, state format 0"), Path("s/job.json"))
    with pytest.raises(
        StateError, match=r"of version 0\.0\.1, state format 0, this is .*choose another"
    ):
        run(request, command(tmp_path, "fine"))


def test_a_folder_of_something_else_is_no_state(tmp_path: Path, reels: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "a.txt").touch()
    with pytest.raises(StateError, match="docs: expected an empty folder"):
        run(Request((reels,), state=Path("docs")), command(tmp_path, "fine"))
    with pytest.raises(StateError, match="expected a folder"):
        run(Request((reels,), state=Path(reels)), command(tmp_path, "fine"))
    with pytest.raises(InputError):
        run(Request(("none",), state=Path("docs")), command(tmp_path, "fine"))


START = """
    import sys
    from pathlib import Path
    from rich.console import Console
    from flows.replay import Request, replay
    request = Request((sys.argv[1],), Path("t.jsonl"), state=Path("s"), processes=2)
    sys.exit(replay(request, Console(), sys.argv[2:]))
"""


def started(tmp_path: Path, reels: str, mode: str) -> subprocess.Popen[str]:
    """A replay in a process of its own whose two workers have started."""
    script = tmp_path / "start.py"
    script.write_text(textwrap.dedent(START))
    process = start([sys.executable, str(script), reels, *command(tmp_path, mode)])
    deadline = time.monotonic() + 60
    runs = tmp_path / "s" / "runs"
    while not (runs.exists() and runs.read_text() == "xx"):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_run_with_its_workers(
    tmp_path: Path, reels: str, number: signal.Signals
) -> None:
    process = started(tmp_path, reels, "wait")
    process.send_signal(number)
    text, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert f"stopped by {number.name}" in text
    assert "The same command goes on from here" in text
    assert run_is_gone(tmp_path)


def test_a_second_signal_kills_workers_that_do_not_obey(tmp_path: Path, reels: str) -> None:
    process = started(tmp_path, reels, "deaf")
    while not (tmp_path / "t.jsonl").exists():
        time.sleep(0.02)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT
    assert time.monotonic() - began < 8
    assert run_is_gone(tmp_path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the Linux kernel")
def test_workers_do_not_outlive_a_run_that_is_killed(tmp_path: Path, reels: str) -> None:
    process = started(tmp_path, reels, "wait")
    process.kill()
    process.communicate(timeout=30)
    assert run_is_gone(tmp_path)


def run_is_gone(tmp_path: Path) -> bool:
    """Whether no worker holds the state any more: the lock of `StateFolder` is theirs too."""
    with StateFolder(tmp_path / "s") as folder:
        return os.fstat(folder.lock).st_nlink == 1


def test_simulate_then_evaluate(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "d", "--days", "1", "--reels-per-day", "500", "--trends", "2"]) == 0
    assert "d/truth.json (2 trends)" in capsys.readouterr().out
    Path("t.jsonl").touch()
    assert main(["evaluate", "d/truth.json", "t.jsonl", "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)
    assert main(["evaluate", "d/truth.json", "t.jsonl"]) == 0
    assert "recall" in capsys.readouterr().out
