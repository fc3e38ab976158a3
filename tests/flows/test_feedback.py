"""What people say is an input like the reels: the same of both gives the same trends."""

import json
from pathlib import Path

import pytest

from flows import feedback
from flows.errors import UserError
from operators.durable import failpoints
from tests.flows.conftest import Outcome, Replay

pytestmark = pytest.mark.timeout(300)


def verdicts(outcome: Outcome) -> list[bytes]:
    """What people say of the alerts of the first half, when they come: all noise."""
    alerts = [one for one in outcome.revisions if one["revision"] == 1]
    return [
        json.dumps(
            {
                "trend_id": one["trend_id"],
                "verdict": "noise",
                "by": str(number % 3),
                "event_time": one["event_time"],
            }
        ).encode()
        for number, one in enumerate(alerts[: len(alerts) // 2])
    ]


@pytest.fixture(scope="module")
def said(of_one: Outcome, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of feedback on the trends of a run without any."""
    path = tmp_path_factory.mktemp("said") / "said.jsonl"
    path.write_bytes(b"\n".join([*verdicts(of_one), b"no feedback", b""]))
    return path


@pytest.fixture(scope="module")
def heard(one_file: Path, said: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What an undisturbed run that learns from it makes of `one_file`."""
    settings = {"GROUNDSWELL_FEEDBACK": str(said)}
    return Replay(tmp_path_factory.mktemp("heard"), [one_file], settings=settings).run()


def test_where_people_call_all_noise_later_alerts_are_fewer_and_later(
    of_one: Outcome, heard: Outcome, said: Path
) -> None:
    """And nothing changes that was told before the first of them said so."""
    first = json.loads(said.read_bytes().splitlines()[0])["event_time"]
    before = [[one for one in of.revisions if one["event_time"] <= first] for of in (of_one, heard)]
    assert before[0] == before[1]
    without, with_it = (
        {one["trend_id"]: one["event_time"] for one in of.revisions if one["revision"] == 1}
        for of in (of_one, heard)
    )
    assert with_it.keys() < without.keys()
    assert all(with_it[trend] >= without[trend] for trend in with_it)
    assert any(with_it[trend] > without[trend] for trend in with_it)


def test_the_same_feedback_gives_the_same_trends(
    one_file: Path, said: Path, heard: Outcome, tmp_path: Path
) -> None:
    settings = {"GROUNDSWELL_FEEDBACK": str(said)}
    again = Replay(tmp_path, [one_file], settings=settings).run(2, 300)
    assert again.trends == heard.trends
    assert again.store == heard.store


def test_a_run_that_is_killed_goes_on_with_what_had_been_said_when_it_began(
    one_file: Path, said: Path, heard: Outcome, tmp_path: Path
) -> None:
    growing = tmp_path / "said.jsonl"
    growing.write_bytes(said.read_bytes())
    settings = {"GROUNDSWELL_FEEDBACK": str(growing), "GROUNDSWELL_EPOCH_SECONDS": "0.05"}
    replay = Replay(tmp_path / "run", [one_file], state=True, settings=settings)
    armed = {failpoints.VARIABLE: "handle.after:100:kill"}
    killed = replay.end(replay.start(1, 500, environment=armed))
    assert "was killed by signal 9" in killed.err
    with growing.open("ab") as file:  # meanwhile people say more
        file.writelines(line.replace(b"noise", b"real") + b"\n" for line in verdicts(heard))
    refused = replay.end(replay.start(environment={"GROUNDSWELL_FEEDBACK": ""}))
    assert refused.code == 2
    assert f"setting feedback was {growing} when this run began and is not given now" in refused.err
    outcome = replay.run(2, 500)
    assert outcome.trends == heard.trends
    assert outcome.store == heard.store


def test_a_copy_grows_by_whole_lines_and_only_where_the_file_goes_on(tmp_path: Path) -> None:
    source, folder = tmp_path / "said.jsonl", tmp_path / "state"
    folder.mkdir()
    assert feedback.heard("", folder, begun=False) is None
    kept = feedback.heard(str(source), folder, begun=False)
    assert kept == str(folder / feedback.NAME)
    source.write_bytes(b"one\ntw")
    assert feedback.has_more(str(source), folder)
    feedback.hear_more(str(source), folder)
    assert (folder / feedback.NAME).read_bytes() == b"one\n"
    assert not feedback.has_more(str(source), folder)
    source.write_bytes(b"one\ntwo\n")
    assert feedback.heard(str(source), folder, begun=True) == kept
    assert (folder / feedback.NAME).read_bytes() == b"one\n"
    feedback.hear_more(str(source), folder)
    assert (folder / feedback.NAME).read_bytes() == b"one\ntwo\n"
    source.write_bytes(b"another\nfile\n")
    with pytest.raises(feedback.FeedbackError, match="another file than when this run began"):
        feedback.has_more(str(source), folder)
    assert feedback.heard("", folder, begun=True) == kept  # what was heard stays heard
    assert feedback.heard("", folder, begun=False) is None


@pytest.mark.parametrize("name", ["none/said.jsonl", "."])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=f"^feedback = {name}: "):
        feedback.heard(name, tmp_path, begun=False)
