"""Visual formats in the flow: trends that are nothing but a look, in any run alike."""

import json
from pathlib import Path
from typing import Any

import pytest

from flows.evaluate import evaluate_files
from flows.simulate import simulate_to
from tests.flows.conftest import Outcome, Replay, kill_all, wait_until, write
from tests.flows.test_invariant import same
from trend.simulator import SimulatorSettings

STREAM = SimulatorSettings(
    seed=3,
    days=3,
    reels_per_day=3500,
    trends=4,
    fizzles=10,
    spam=2,
    embeddings=48,
    looks=4,
    malformed=0.01,
)
CHANGES = ("--formats", "f.jsonl")


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Reels in three files, and their answer key."""
    written = simulate_to(tmp_path_factory.mktemp("looks"), STREAM)
    lines = written.reels_file.read_bytes().splitlines()
    folder = tmp_path_factory.mktemp("split")
    for part in range(3):
        write(folder / f"{part}.jsonl", lines[part::3])
    return folder, written.truth_file


@pytest.fixture(scope="module")
def found(stream: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What one process finds."""
    return Replay(tmp_path_factory.mktemp("one"), [stream[0]], options=CHANGES).run(1, 5000)


def test_trends_that_are_nothing_but_a_look_are_told(
    stream: tuple[Path, Path], found: Outcome
) -> None:
    figures = evaluate_files(stream[1], found.folder / "t.jsonl").whole.kinds["format"]
    assert figures.planted == 4
    assert figures.recall_before_peak is not None
    assert figures.recall_before_peak >= 0.5
    told = [one for one in found.revisions if one["kind"] == "format"]
    assert {one["members"][0]["label"].split(" ")[0] for one in told} == {"look"}
    assert all(one["members"][0]["id"].startswith("f-") for one in told)
    planted = {
        reel for look in json.loads(stream[1].read_bytes())["looks"] for reel in look["reels"]
    }
    examples = [reel for one in told for reel in one["examples"]]
    assert sum(reel in planted for reel in examples) > 0.9 * len(examples)


def test_the_look_of_a_challenge_is_one_of_its_members(
    stream: tuple[Path, Path], found: Outcome
) -> None:
    planted = [
        {member["id"] for member in one["members"] if member["kind"] != "format"}
        for one in json.loads(stream[1].read_bytes())["trends"]
        if one["kind"] == "challenge"
    ]
    named: dict[str, set[str]] = {}
    for one in found.revisions:
        kinds = named.setdefault(one["trend_id"], set())
        kinds |= {"format" if m["kind"] == "format" else m["id"] for m in one["members"]}
    told = [kinds for kinds in named.values() if any(ids & kinds for ids in planted)]
    assert told
    assert all("format" in kinds for kinds in told)


def test_what_happens_to_formats_is_told(found: Outcome) -> None:
    told = changes(found)
    born = {one["format"]: one for one in told if one["change"] == "born"}
    assert len(born) > 20
    assert [one["event_time"] for one in told] == sorted(one["event_time"] for one in told)
    assert all(one["reels"] for one in born.values())
    members = {
        (member["id"], member["label"])
        for one in found.revisions
        for member in one["members"]
        if member["kind"] == "format"
    }
    assert members <= {(one["format"], one["label"]) for one in told}


def test_formats_do_not_depend_on_a_kill_or_on_how_the_stream_is_read(
    stream: tuple[Path, Path], found: Outcome, tmp_path: Path
) -> None:
    often = {"GROUNDSWELL_EPOCH_SECONDS": "0.3"}
    replay = Replay(tmp_path, [stream[0]], state=True, settings=often, options=CHANGES)
    until_killed(replay, 1, 100, 0.5 * len(found.rejects))
    outcome = replay.run(2, 700)
    same(outcome, found)
    assert changes(outcome) == changes(found)


@pytest.mark.slow
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_formats_do_not_depend_on_many_kills(
    stream: tuple[Path, Path], found: Outcome, tmp_path: Path, processes: int
) -> None:
    often = {"GROUNDSWELL_EPOCH_SECONDS": "0.05"}
    replay = Replay(tmp_path, [stream[0]], state=True, settings=often, options=CHANGES)
    for share in (0.2, 0.4, 0.6, 0.8):
        until_killed(replay, processes, 40, share * len(found.rejects))
    outcome = replay.run(processes, 17)
    same(outcome, found)
    assert changes(outcome) == changes(found)


def until_killed(replay: Replay, processes: int, batch_size: int, rejects: float) -> None:
    """Run until so many lines were refused; then kill -9."""
    process = replay.start(processes, batch_size)
    try:
        wait_until(lambda: replay.rejects_so_far() >= rejects, process)
    finally:
        if process.poll() is None:
            kill_all(process)
        process.communicate()


def changes(outcome: Outcome) -> list[dict[str, Any]]:
    """What happened to formats."""
    lines = (outcome.folder / "f.jsonl").read_bytes().splitlines()
    return [json.loads(line) for line in lines]
