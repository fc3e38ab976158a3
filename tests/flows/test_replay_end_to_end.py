"""Reels that come again, and runs that must not begin: the whole command, as its user sees it."""

import json
import resource
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import Outcome, Replay, write


def planted(number: int, **more: object) -> dict[str, Any]:
    """One of 40 reels with a new hashtag, within two hours of the second day."""
    minute = 600 + number * 3
    return {
        "reel_id": f"planted-{number}",
        "author_id": f"author-{number}",
        "published_at": f"2026-01-06T{minute // 60}:{minute % 60:02d}:00Z",
        "hashtags": ["newtag"],
        "metrics": {"views": 10},
        **more,
    }


def with_planted(clean_stream: list[bytes], again: dict[str, object] | None) -> list[bytes]:
    """The stream with the planted reels, each of which may come again at once with `again`."""
    reels = [(json.loads(line)["observed_at"], line) for line in clean_stream]
    for number in range(40):
        first = planted(number)
        reels.append((first["published_at"], json.dumps(first).encode()))
        if again is not None:
            second = json.dumps(planted(number, **again)).encode()
            reels.append((first["published_at"] + "again", second))
    return [line for _, line in sorted(reels)]


def run(tmp_path: Path, name: str, lines: list[bytes]) -> Outcome:
    return Replay(tmp_path / name, [write(tmp_path / f"{name}.jsonl", lines)]).run()


@pytest.fixture(scope="module")
def once(clean_stream: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    outcome = run(tmp_path_factory.mktemp("once"), "once", with_planted(clean_stream, None))
    assert of_member(outcome, "newtag")
    return outcome


def of_member(outcome: Outcome, member_id: str) -> dict[str, int]:
    """Event time -> reels of a member, over all revisions that name it."""
    return {
        revision["event_time"]: member["reels"]
        for revision in outcome.revisions
        for member in revision["members"]
        if member["id"] == member_id
    }


def test_a_reel_with_newer_metrics_counts_once(
    clean_stream: list[bytes], once: Outcome, tmp_path: Path
) -> None:
    again = with_planted(clean_stream, {"metrics": {"views": 9000, "likes": 800}})
    twice = run(tmp_path, "metrics", again)
    assert twice.trends == once.trends
    assert twice.store == once.store


def test_a_reel_with_a_transcript_adds_only_what_is_new(
    clean_stream: list[bytes], once: Outcome, tmp_path: Path
) -> None:
    assert not of_member(once, "purple moonwalk")
    again = with_planted(clean_stream, {"transcript": "Purple moonwalk"})
    twice = run(tmp_path, "transcript", again)
    phrase, tag = of_member(twice, "purple moonwalk"), of_member(twice, "newtag")
    assert 8 <= max(phrase.values()) <= 40
    assert max(tag.values()) <= 40
    before = of_member(once, "newtag")
    common = before.keys() & tag.keys()
    assert common
    windows = {(r["trend_id"], r["event_time"]): r["reels"] for r in once.revisions}
    for revision in twice.revisions:
        key = revision["trend_id"], revision["event_time"]
        if key in windows:
            assert revision["reels"] == windows[key]
    assert {at: tag[at] for at in common} == {at: before[at] for at in common}


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("FDR", "2", "a number above 0 and at most 1"),
        ("TICK_SECONDS", "675", "a number that divides an hour (3600)"),
        ("WINDOWS_H", "1,3,48", "rising whole hours from 1 to 24"),
        ("EPOCH_SECONDS", "soon", "a number above 0"),
        ("MEMORY_MB", "0", "a whole number at least 64"),
    ],
)
def test_a_bad_setting_stops_the_run_at_its_start(
    tmp_path: Path, name: str, value: str, expected: str
) -> None:
    reels = write(tmp_path / "reels.jsonl", [json.dumps(planted(0)).encode()])
    variable = f"GROUNDSWELL_{name}"
    refused = refusal(Replay(tmp_path / "out", [reels], settings={variable: value}))
    assert f"{variable} = {value}: expected {expected}" in refused


def test_an_input_that_is_not_there_stops_the_run_at_its_start(tmp_path: Path) -> None:
    refused = refusal(Replay(tmp_path / "out", [tmp_path / "none.jsonl"]))
    assert "none.jsonl: no such file or folder" in refused


@pytest.mark.parametrize("output", ["t.jsonl", "t.db", "r.jsonl"])
def test_an_output_that_cannot_be_written_stops_the_run_at_its_start(
    tmp_path: Path, output: str
) -> None:
    reels = write(tmp_path / "reels.jsonl", [json.dumps(planted(0)).encode()])
    (tmp_path / "out" / output).mkdir(parents=True)
    assert output in refusal(Replay(tmp_path / "out", [reels]))


def test_a_state_belongs_to_its_inputs(tmp_path: Path) -> None:
    reels = write(tmp_path / "reels.jsonl", [json.dumps(planted(0)).encode()])
    others = write(tmp_path / "others.jsonl", [json.dumps(planted(1)).encode()])
    Replay(tmp_path / "out", [reels], state=True).run()
    refused = refusal(Replay(tmp_path / "out", [others], state=True))
    assert "the input was" in refused
    assert "others.jsonl now" in refused


def test_a_run_without_trends_or_rejects_leaves_empty_files(tmp_path: Path) -> None:
    """Also where an earlier run has left lines: what is there is replaced."""
    reels = write(tmp_path / "reels.jsonl", [json.dumps(planted(0)).encode()])
    (tmp_path / "out").mkdir()
    for name in ("t.jsonl", "r.jsonl"):
        (tmp_path / "out" / name).write_text('{"of": "an earlier run"}\n')
    outcome = Replay(tmp_path / "out", [reels]).run()
    assert outcome.trends == b""
    assert outcome.rejects == []


def test_empty_inputs_are_no_mistake(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.jsonl", [])
    blank = write(tmp_path / "blank.jsonl", [b"", b"  "])
    bad = write(tmp_path / "bad.jsonl", [b"{}", b"no reel"])
    outcome = Replay(tmp_path / "out", [empty, blank, bad]).run(2)
    assert [reject["error"] for reject in outcome.rejects] == ["missing_field", "invalid_json"]
    assert "0 trends" in outcome.out


def refusal(replay: Replay) -> str:
    """The one line with which a command is refused, with exit code 2."""
    outcome = replay.end(replay.start())
    assert outcome.code == 2, outcome.err
    (line,) = outcome.err.splitlines()
    assert line.startswith("groundswell: ")
    assert outcome.out == ""
    return line


def test_a_folder_of_more_files_than_may_be_open_by_default(
    clean_stream: list[bytes], tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    for number, line in enumerate(clean_stream[:300]):
        write(folder / f"{number:03}.jsonl", [line])
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    try:
        outcome = Replay(tmp_path / "out", [folder]).run()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert outcome.code == 0, outcome.err
    assert "300 lines" in outcome.out
