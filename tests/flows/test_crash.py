"""Kill -9 at any moment, give the same command again, and nothing shows that it happened."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from operators.durable import failpoints
from operators.durable.failpoints import PLACES
from tests.flows.conftest import Outcome, Replay, wait_until
from tests.processes import kill_all, workers

SMALL_EPOCHS = {"GROUNDSWELL_EPOCH_SECONDS": "0.2"}
BATCH = 15


@pytest.fixture
def replay(three_files: Path, tmp_path: Path) -> Replay:
    return Replay(tmp_path / "run", [three_files], state=True, settings=SMALL_EPOCHS)


def test_a_run_that_is_killed_often_ends_as_if_it_never_was(
    replay: Replay, of_three: Outcome, draw: random.Random
) -> None:
    kill_at_start(replay, 2, draw.uniform(0.1, 1.5), of_three)
    for share, processes in ((0.2, 1), (0.45, 2), (0.7, 4)):
        kill_at(replay, processes, share, draw, of_three)
    outcome = replay.run(1, BATCH)
    undisturbed(outcome, of_three)
    kill_at_start(replay, 1, 0.1, of_three)
    again = replay.run(2, BATCH)
    assert "there is nothing left to do" in again.out
    undisturbed(again, of_three)


def test_a_worker_that_is_killed_ends_the_run_which_can_go_on(
    replay: Replay, of_three: Outcome, draw: random.Random
) -> None:
    process = replay.start(2, BATCH)
    share = draw.uniform(0.3, 0.6)
    wait_until(lambda: replay.rejects_so_far() > share * len(of_three.rejects), process)
    both = workers(process)
    assert len(both) == 2
    os.kill(both[1], signal.SIGKILL)
    outcome = replay.end(process)
    assert outcome.code == 1
    assert "groundswell: worker 1 was killed by signal 9" in outcome.err
    assert "The same command goes on from here." in outcome.out
    assert not [one for one in both if Path(f"/proc/{one}").exists()]
    incomplete(outcome, of_three)
    undisturbed(replay.run(2, BATCH), of_three)


def test_a_run_that_is_told_to_stop_can_go_on(
    replay: Replay, of_three: Outcome, draw: random.Random
) -> None:
    for number, share in ((signal.SIGINT, 0.3), (signal.SIGTERM, 0.6)):
        process = replay.start(1, BATCH)
        least = max(replay.rejects_so_far(), share * len(of_three.rejects))
        wait_until(lambda least=least: replay.rejects_so_far() > least, process)  # type: ignore[misc]
        time.sleep(draw.uniform(0, 0.3))
        process.send_signal(number)
        outcome = replay.end(process)
        assert outcome.code == 128 + number
        assert f"stopped by {number.name}" in outcome.out
        assert "Traceback" not in outcome.err
        incomplete(outcome, of_three)
    undisturbed(replay.run(1, BATCH), of_three)


def test_a_run_that_was_stopped_and_wakes_after_another_took_over_changes_nothing(
    replay: Replay, of_three: Outcome, draw: random.Random
) -> None:
    first = replay.start(1, BATCH)
    wait_until(lambda: replay.rejects_so_far() > 0.3 * len(of_three.rejects), first)
    second = None
    while second is None:
        family = [first.pid, *workers(first)]
        time.sleep(draw.uniform(0, 0.1))
        send(family, signal.SIGSTOP)
        assert "another run is using this folder" in replay.end(replay.start(1, BATCH)).err
        second = replay.start(2, BATCH, more=["--take-over"])
        if not well_begun(second, replay):
            assert "in the middle of a write" in replay.end(second).err
            send(family, signal.SIGCONT)
            second = None
    send(family, signal.SIGCONT)
    outcome = replay.end(first)
    assert outcome.code in (1, 2)  # a worker noticed, or the process that watches it
    assert "another run has taken over" in outcome.err
    assert "Traceback" not in outcome.err
    undisturbed(replay.end(second), of_three)
    assert second.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.timeout(1800)
def test_twenty_five_kills_in_one_replay(
    three_files: Path, of_three: Outcome, tmp_path: Path, seed: int
) -> None:
    """At random moments, and at places where a kill would hurt, by 1, 2 and 4 processes."""
    draw = random.Random(seed)
    kills = 0
    replay = Replay(tmp_path / "run", [three_files], state=True, settings=SMALL_EPOCHS)
    while kills < 25:
        processes = draw.choice([1, 1, 2, 2, 4])
        place = draw.choice(PLACES)
        often = place.startswith(("segment-write", "handle", "base"))
        n = draw.randrange(1, 600 if often else 12)
        armed = {failpoints.VARIABLE: f"{place}:{n}:kill"} if draw.random() < 0.5 else {}
        before = replay.rejects_so_far()
        process = replay.start(processes, BATCH // 2, environment=armed)
        while process.poll() is None and replay.rejects_so_far() <= before:
            time.sleep(0.02)
        time.sleep(draw.uniform(0, 0.1))
        if process.poll() is None:
            if draw.random() < 0.5:
                kill_all(process)
            else:
                process.kill()  # the kernel sees to the workers
        outcome = replay.end(process)
        if outcome.code == 0:
            break
        kills += 1
        assert outcome.code == -signal.SIGKILL or "was killed by signal 9" in outcome.err
        assert of_three.trends.startswith(written(outcome))
    assert kills >= 15
    undisturbed(replay.run(1, BATCH), of_three)


@pytest.mark.slow
def test_a_disk_that_is_full_ends_the_run_which_can_go_on(
    replay: Replay, of_three: Outcome, tmp_path: Path
) -> None:
    limited = tmp_path / "limited.sh"
    limited.write_text('ulimit -f 100\nexec "$@"\n')  # blocks of 1 KiB a file
    outcome = replay.end(replay.start(1, BATCH, under=("bash", str(limited))))
    assert outcome.code == 1
    assert "worker 0: " in outcome.err
    assert "Traceback" not in outcome.err
    undisturbed(replay.run(1, BATCH), of_three)


def send(processes: list[int], number: signal.Signals) -> None:
    """Send a signal to each."""
    for process in processes:
        os.kill(process, number)


def well_begun(process: subprocess.Popen[str], replay: Replay) -> bool:
    """Wait until a run writes lines, and say whether it did."""
    before = replay.rejects_so_far()
    moved = False
    while process.poll() is None and not moved:
        now = replay.rejects_so_far()
        moved = now > before
        before = min(before, now)
        time.sleep(0.02)
    return moved


def kill_at_start(replay: Replay, processes: int, after_s: float, expected: Outcome) -> None:
    """Kill the whole tree so many seconds after its start."""
    process = replay.start(processes, BATCH)
    time.sleep(after_s)
    killed(replay, process, expected)


def kill_at(
    replay: Replay, processes: int, share: float, draw: random.Random, expected: Outcome
) -> None:
    """Kill the whole tree a moment after so much of the input was read, and some of it now."""
    process = replay.start(processes, BATCH)
    before = len(expected.rejects) * share
    moved = [replay.rejects_so_far()]

    def well_on() -> bool:
        now = replay.rejects_so_far()
        on = now > before and now > moved[0]
        moved[0] = min(moved[0], now)  # what the last run wrote after its snapshot is cut off
        return on

    wait_until(well_on, process)
    time.sleep(draw.uniform(0, 0.1))
    incomplete(killed(replay, process, expected), expected)


def killed(replay: Replay, process: subprocess.Popen[str], expected: Outcome) -> Outcome:
    """Kill a run that is alive; whatever it has written by then stays true."""
    assert process.poll() is None, "the run ended before it was killed"
    kill_all(process)
    outcome = replay.end(process)
    assert outcome.code == -signal.SIGKILL
    assert expected.trends.startswith(written(outcome))
    return outcome


def written(outcome: Outcome) -> bytes:
    """What is in the file of trends, if it is there."""
    path = outcome.folder / "t.jsonl"
    return path.read_bytes() if path.exists() else b""


def incomplete(outcome: Outcome, expected: Outcome) -> None:
    """It was stopped in the middle: some lines refused, and not all trends found."""
    assert 0 < len((outcome.folder / "r.jsonl").read_bytes().splitlines()) < len(expected.rejects)
    assert len(written(outcome)) < len(expected.trends)


def undisturbed(outcome: Outcome, expected: Outcome) -> None:
    """The outputs are those of a run that was left alone."""
    assert outcome.trends == expected.trends
    assert outcome.store == expected.store
    assert outcome.rejects == expected.rejects
