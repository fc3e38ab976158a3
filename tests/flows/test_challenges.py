"""Known sounds and tags newly used together: found with the graph, and in any run alike."""

import json
import random
import time
from pathlib import Path

import pytest

from flows.evaluate import evaluate_files
from flows.simulate import simulate_to
from operators.durable import failpoints
from operators.durable.failpoints import PLACES
from tests.flows.conftest import Outcome, Replay, wait_until
from tests.flows.test_invariant import same
from tests.processes import kill_all
from trend.simulator import SimulatorSettings

STREAM = SimulatorSettings(
    seed=4, days=7, reels_per_day=2500, trends=4, fizzles=10, spam=3, pairs=5
)


@pytest.fixture(scope="module")
def stream(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Reels and their answer key."""
    written = simulate_to(tmp_path_factory.mktemp("pairs"), STREAM)
    return written.reels_file, written.truth_file


@pytest.fixture(scope="module")
def found(stream: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What one process finds."""
    return Replay(tmp_path_factory.mktemp("one"), [stream[0]]).run(1, 5000)


def pairs_found(truth: Path, trends: Path) -> float:
    """Return the share of the planted pairs that an alert names."""
    recall = evaluate_files(truth, trends).whole.kinds["pair"].recall
    assert recall is not None
    return recall


def test_most_pairs_are_found_with_the_graph_and_none_without_it(
    stream: tuple[Path, Path], found: Outcome, tmp_path: Path
) -> None:
    with_graph = tmp_path / "trends.jsonl"
    with_graph.write_bytes(found.trends)
    assert pairs_found(stream[1], with_graph) >= 0.6
    off = {"GROUNDSWELL_GRAPH": "false"}
    without = Replay(tmp_path / "without", [stream[0]], settings=off).run(1, 5000)
    with_graph.write_bytes(without.trends)
    assert pairs_found(stream[1], with_graph) == 0


def test_a_challenge_names_its_members_and_says_why(
    stream: tuple[Path, Path], found: Outcome
) -> None:
    truth = json.loads(stream[1].read_bytes())
    planted = [
        {member["id"] for member in one["members"]}
        for one in truth["trends"]
        if one["kind"] == "pair"
    ]
    said = [
        revision
        for revision in found.revisions
        if any(ids <= {member["id"] for member in revision["members"]} for ids in planted)
    ]
    assert said
    assert {revision["kind"] for revision in said} == {"challenge"}
    assert any("people brought it together in" in revision["why"] for revision in said)
    assert all(revision["examples"] for revision in said)


@pytest.mark.parametrize(("processes", "batch_size"), [(1, 700), (2, 3000)])
def test_challenges_do_not_depend_on_how_the_stream_is_read(
    stream: tuple[Path, Path], found: Outcome, tmp_path: Path, processes: int, batch_size: int
) -> None:
    same(Replay(tmp_path, [stream[0]]).run(processes, batch_size), found)


def test_challenges_do_not_depend_on_a_kill(
    stream: tuple[Path, Path], found: Outcome, tmp_path: Path
) -> None:
    often = {"GROUNDSWELL_EPOCH_SECONDS": "0.05"}
    replay = Replay(tmp_path, [stream[0]], state=True, settings=often)
    for rejects in (12, 24):
        process = replay.start(1, 300)
        wait_until(lambda rejects=rejects: replay.rejects_so_far() >= rejects, process)
        kill_all(process)
        process.communicate()
    same(replay.run(1, 700), found)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.timeout(1800)
def test_challenges_do_not_depend_on_kills_anywhere(
    stream: tuple[Path, Path], found: Outcome, tmp_path: Path, seed: int
) -> None:
    """At random moments, and at places where a kill would hurt, by 1 and 2 processes."""
    draw = random.Random(seed)
    often = {"GROUNDSWELL_EPOCH_SECONDS": "0.05"}
    replay = Replay(tmp_path, [stream[0]], state=True, settings=often)
    killed = 0
    for _ in range(12):
        armed = {failpoints.VARIABLE: f"{draw.choice(PLACES)}:{draw.randrange(1, 40)}:kill"}
        before = replay.rejects_so_far()
        process = replay.start(draw.choice([1, 2]), 300, environment=armed)
        while process.poll() is None and replay.rejects_so_far() <= before + 3:
            time.sleep(0.02)
        if process.poll() is None:
            kill_all(process)
        killed += replay.end(process).code != 0
    assert killed >= 4
    same(replay.run(2, 700), found)
