"""`groundswell sound`: one line of JSON a file, whatever the file is."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.changes import encoded, speed
from benchmarks.music import RATE, song
from flows.cli import main


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sounds")
    one, other = song(10, 12), song(11, 12)
    (folder / "one.mp4").write_bytes(encoded(one, "mp4", "aac", 44_100))
    (folder / "one.webm").write_bytes(encoded(one, "webm", "libopus", 48_000))
    fast = speed(one[: 10 * RATE], 1.25)
    (folder / "fast.mp3").write_bytes(encoded(fast, "mp3", "libmp3lame", 44_100, 64_000))
    (folder / "other.flac").write_bytes(encoded(other, "flac", "flac", 22_050))
    (folder / "empty.mp3").touch()
    return folder


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


def test_a_sound_that_was_added_is_identified_however_it_comes(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    catalogue = ["--catalog", str(tmp_path / "sounds.db")]
    assert main(["sound", "add", str(folder / "one.mp4"), *catalogue, "--title", "One"]) == 0
    (added,) = lines(capsys)
    assert [*added] == ["file", "sound_id", "known", "score", "speed", "pitch_semitones"]
    assert (added["file"], added["known"]) == (str(folder / "one.mp4"), False)
    asked = [folder / "one.webm", folder / "fast.mp3", folder / "other.flac"]
    assert main(["sound", "identify", *map(str, asked), *catalogue]) == 0
    same, fast, other = lines(capsys)
    assert same["sound_id"] == fast["sound_id"] == added["sound_id"] != other["sound_id"]
    assert (same["known"], fast["known"], other["known"]) == (True, True, False)
    assert (same["speed"], same["pitch_semitones"]) == pytest.approx((1.0, 0.0), abs=0.01)
    assert (fast["speed"], fast["pitch_semitones"]) == pytest.approx((1.25, 3.86), abs=0.05)
    assert same["score"] > 0.5 > other["score"]


def test_a_file_that_cannot_be_heard_has_a_reason_and_the_rest_goes_on(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [folder / "empty.mp3", folder / "none.mp3", folder, folder / "one.mp4"]
    command = ["sound", "add", *map(str, files), "--catalog", str(tmp_path / "sounds.db")]
    assert main(command) == 1
    empty, none, directory, one = lines(capsys)
    assert empty == {"file": str(files[0]), "error": "empty", "reason": "has no bytes"}
    assert (none["error"], none["reason"]) == ("unreadable", "No such file or directory")
    assert (directory["error"], directory["reason"]) == ("broken", "is no regular file")
    assert one["sound_id"].startswith("s-")


def test_a_catalogue_that_is_missing_is_said_in_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "none.db"
    assert main(["sound", "identify", str(folder / "one.mp4"), "--catalog", str(missing)]) == 2
    assert capsys.readouterr().err == f"groundswell: {missing}: no such catalogue\n"
    assert not missing.exists()
