"""`groundswell extract` as its user runs it: from media, from reels, from a topic."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.changes import encoded
from benchmarks.music import song, speech
from extractors.sound import VERSION
from flows.cli import main
from schemas.reels import decode
from tests.extractors import small_models
from tests.extractors.clips import clip
from tests.flows.conftest import ROOT
from tests.flows.kafka import Topics
from tests.services.broker import Broker, Given

RED, BLUE = (220, 20, 20), (20, 20, 220)
MADE = "2026-01-05T14:10:00Z"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Media: a song twice, another one, a silent video, and what is no media."""
    folder = tmp_path_factory.mktemp("clips")
    made = {"creation_time": MADE}
    one = song(10, 12)
    (folder / "a-one.mp4").write_bytes(clip([RED, BLUE], seconds=6, sound=one, metadata=made))
    (folder / "b-one.mp3").write_bytes(encoded(one, "mp3", "libmp3lame", 44_100, 64_000))
    (folder / "c-other.ogg").write_bytes(encoded(song(11, 12), "ogg", "libopus", 48_000))
    (folder / "d-mute.webm").write_bytes(clip([RED, BLUE], form="webm", codec="libvpx"))
    (folder / "e-broken.mp4").write_bytes(b"no media")
    (folder / "readme.txt").write_bytes(b"not taken")
    return folder


@pytest.fixture(autouse=True)
def plainly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without models, for what they find is shown elsewhere."""
    for name, value in PLAIN.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)


PLAIN = {
    "GROUNDSWELL_VISUAL_MODEL": "",
    "GROUNDSWELL_SPEECH_MODEL": "",
    "GROUNDSWELL_OCR_FRAMES": "0",
}


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_folder_of_media_becomes_reels_with_their_sounds(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to, rejects = tmp_path / "f.jsonl", tmp_path / "r.jsonl"
    command = ["extract", str(folder), "--to", str(to), "--rejects", str(rejects)]
    assert main(command) == 0
    assert "5 reels, 4 looked at" in capsys.readouterr().out
    one, again, other, mute, broken = lines(to)
    for line in to.read_bytes().splitlines():
        decode(line)
    assert one["published_at"] == MADE
    assert broken["published_at"] == "2005-01-01T00:00:00Z"
    assert {line["author_id"] for line in lines(to)} == {folder.name}
    assert one["media_url"] == (folder / "a-one.mp4").as_uri()
    assert one["audio"]["audio_id"] == again["audio"]["audio_id"] != other["audio"]["audio_id"]
    assert one["audio"]["landmarks"]["version"] == VERSION
    assert one["audio"]["fingerprint"].startswith("AQ")
    assert one["duration_s"] == pytest.approx(12, abs=0.2)
    assert "audio" not in mute
    assert mute["duration_s"] == pytest.approx(2, abs=0.2)
    assert len({line["reel_id"] for line in lines(to)}) == 5
    (refused,) = lines(rejects)
    assert (refused["partition"], refused["error"]) == (str(folder / "e-broken.mp4"), "broken")


def test_the_same_command_goes_on_where_it_was_killed(folder: Path, tmp_path: Path) -> None:
    whole, killed = tmp_path / "whole.jsonl", tmp_path / "killed.jsonl"
    assert main(["extract", str(folder), "--to", str(whole)]) == 0
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "extract", str(folder), "--to", str(killed)],
        env={**os.environ, **PLAIN, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while process.poll() is None and not (killed.exists() and killed.stat().st_size):
            time.sleep(0.01)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert whole.read_bytes().startswith(killed.read_bytes())
    with killed.open("ab") as file:
        file.write(b'{"reel_id":"torn')
    assert main(["extract", str(folder), "--to", str(killed)]) == 0
    assert killed.read_bytes() == whole.read_bytes()
    assert main(["extract", str(folder), "--to", str(killed)]) == 0
    assert killed.read_bytes() == whole.read_bytes()


def test_a_file_of_other_reels_is_left_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "f.jsonl"
    for text, said in (
        ('{"reel_id":"mine"}\n', "line 1 is of mine"),
        ("hello\n", "line 1 is no reel"),
    ):
        to.write_text(text)
        assert main(["extract", str(folder), "--to", str(to)]) == 2
        assert said in capsys.readouterr().err
        assert to.read_text() == text


def test_what_cannot_be_done_is_said_before_anything_is(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    clip_ = str(folder / "a-one.mp4")
    for arguments, said in (
        ([str(tmp_path / "none")], "no such file or folder"),
        ([str(tmp_path / "empty")], "expected media or .jsonl files"),
        ([clip_, "--to", clip_], "is an input"),
        ([clip_, "--at", "soon"], "expected a time"),
        ([clip_, "--to", str(tmp_path / "none" / "f.jsonl")], "does not exist"),
        (["--to", str(tmp_path / "f.jsonl")], "expected files"),
    ):
        assert main(["extract", *arguments]) == 2
        assert said in capsys.readouterr().err


class Site(BaseHTTPRequestHandler):
    """Serves a folder; `/busy` is busy, `/talk` talks."""

    folder: Path

    def do_GET(self) -> None:
        path = self.folder / self.path[1:]
        self.send_response(200 if path.is_file() else 404)
        body = path.read_bytes() if path.is_file() else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def site(folder: Path) -> Iterator[str]:
    """The address of a server that has the folder."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Of", (Site,), {"folder": folder}))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


def reel(name: str, url: str | None = None, **more: object) -> bytes:
    made = {"reel_id": name, "published_at": MADE, "author_id": "a", "mine": 1} | more
    return json.dumps(made | ({"media_url": url} if url else {})).encode()


def hostile(site: str, folder: Path) -> list[bytes]:
    return [
        reel("good", f"{site}/a-one.mp4"),
        reel("none"),
        b"no reel",
        reel("gone", f"{site}/none.mp4"),
        reel("broken", f"{site}/e-broken.mp4"),
        reel("inside", "http://169.254.169.254/latest/meta-data"),
        reel("file", "file:///etc/passwd"),
        reel("titled", f"{site}/c-other.ogg", audio={"audio_id": "7", "title": "Drop"}),
        reel("good", f"{site}/a-one.mp4"),
        reel("allowed", (folder / "b-one.mp3").as_uri()),
    ]


def test_of_reels_the_media_is_fetched_and_what_is_wrong_costs_only_them(
    site: str,
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GROUNDSWELL_FETCH_PRIVATE", "127.0.0.0/8")
    monkeypatch.setenv("GROUNDSWELL_FETCH_FOLDERS", str(folder))
    source, to, rejects = tmp_path / "reels.jsonl", tmp_path / "f.jsonl", tmp_path / "r.jsonl"
    given = hostile(site, folder)
    source.write_bytes(b"".join(line + b"\n" for line in given))
    command = ["extract", str(source), "--to", str(to), "--rejects", str(rejects)]
    assert main(command) == 0
    found = {line["reel_id"]: line for line in lines(to)}
    assert [line["reel_id"] for line in lines(to)] == [
        json.loads(line)["reel_id"] for line in given if line != b"no reel"
    ]
    assert all(line["mine"] == 1 for line in lines(to))
    assert "audio" in lines(to)[0]
    for name in ("none", "gone", "broken", "inside", "file"):
        assert "audio" not in found[name]
    assert found["titled"]["audio"]["audio_id"] == "7"
    assert found["titled"]["audio"]["landmarks"]
    assert found["allowed"]["audio"]["audio_id"] == lines(to)[0]["audio"]["audio_id"]
    assert [(line["record"], line["error"]) for line in sorted(lines(rejects), key=place)] == [
        (2, "invalid_json"),
        (3, "gone"),
        (4, "broken"),
        (5, "private"),
        (6, "private"),
    ]
    assert "1 that had come before" in capsys.readouterr().out


def place(line: dict[str, Any]) -> int:
    return int(line["record"])


def test_talk_is_no_sound(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "talk.ogg").write_bytes(encoded(speech(1, 20), "ogg", "libopus", 48_000))
    assert main(["extract", str(tmp_path / "talk.ogg")]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert "audio" not in json.loads(line)


def test_clips_that_look_alike_are_nearest_whatever_their_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_models.clip(tmp_path / "models")
    monkeypatch.setenv("GROUNDSWELL_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("GROUNDSWELL_VISUAL_MODEL", "small-clip")
    clips = tmp_path / "clips"
    clips.mkdir()
    green, grey = (20, 200, 20), (90, 90, 90)
    for name, scenes in {"a": [RED, BLUE], "b": [green, grey], "c": [BLUE, green, grey]}.items():
        (clips / f"{name}.mp4").write_bytes(clip(scenes))
        (clips / f"{name}.webm").write_bytes(clip(scenes, form="webm", codec="libvpx"))
    to = tmp_path / "f.jsonl"
    assert main(["extract", str(clips), "--to", str(to)]) == 0
    found = [decode(line).embedding for line in to.read_bytes().splitlines()]
    vectors = np.array([np.frombuffer(one.f16, "<f2") for one in found if one], np.float32)
    alike = vectors @ vectors.T - 2 * np.eye(6)
    assert alike.argmax(axis=1).tolist() == [1, 0, 3, 2, 5, 4]
    assert {one.model for one in found if one} == {"small-clip"}


def test_a_model_that_is_missing_is_said_and_the_rest_is_found(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("GROUNDSWELL_MODELS_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("GROUNDSWELL_SPEECH_MODEL", "whisper-tiny")
    assert main(["extract", str(folder / "b-one.mp3")]) == 0
    told = capsys.readouterr()
    assert "without speech: needs the model whisper-tiny" in told.err
    assert "landmarks" in told.out


def test_without_a_package_the_command_names_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["extract", str(folder)]) == 2
    assert "pip install 'groundswell[audio]'" in capsys.readouterr().err


@pytest.fixture
def topics(kafka: Broker | Given, request: pytest.FixtureRequest) -> Iterator[Topics]:
    with closing(Topics(kafka.address, f"extract-{os.getpid()}-{time.monotonic_ns()}")) as topics:
        yield topics


@pytest.mark.services
def test_a_topic_of_reels_becomes_one_of_enriched_reels(
    topics: Topics,
    site: str,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    enriched = f"{topics.name}.enriched"
    settings = topics.settings | {
        "GROUNDSWELL_KAFKA_ENRICHED": enriched,
        "GROUNDSWELL_FETCH_PRIVATE": "127.0.0.0/8",
        "GROUNDSWELL_FETCH_FOLDERS": str(folder),
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    topics.make(2)
    given = hostile(site, folder)
    topics.send(0, given[:5])
    topics.send(1, given[5:])
    assert main(["extract", "--to-end"]) == 0
    first = [json.loads(message.value()) for message in topics.read(enriched)]
    assert sorted(line["reel_id"] for line in first) == sorted(
        json.loads(line)["reel_id"] for line in given if line != b"no reel"
    )
    assert all(line["mine"] == 1 for line in first)
    good = [line for line in first if line["reel_id"] == "good"]
    assert sum("audio" in line for line in good) == 1
    (letter,) = topics.refused()
    assert (letter["error"], letter["partition"], letter["offset"]) == ("invalid_json", "0", "2")
    assert letter["value"] == b"no reel"
    keys = [message.key() for message in topics.read(enriched)]
    assert sorted(keys) == sorted(line["reel_id"].encode() for line in first)

    topics.send(0, [reel("later", f"{site}/c-other.ogg")])  # what was done is not done again
    assert main(["extract", "--to-end"]) == 0
    second = [json.loads(message.value()) for message in topics.read(enriched)]
    assert [line["reel_id"] for line in second if line not in first] == ["later"]
    assert len(second) == len(first) + 1
    assert len(topics.refused()) == 1


@pytest.mark.services
def test_a_run_reads_what_is_extracted_beside_it(
    topics: Topics,
    site: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    enriched = f"{topics.name}.enriched"
    more = {"GROUNDSWELL_KAFKA_ENRICHED": enriched, "GROUNDSWELL_FETCH_PRIVATE": "127.0.0.0/8"}
    for name, value in (topics.settings | more).items():
        monkeypatch.setenv(name, value)
    topics.make(1)
    topics.send(0, [reel("one", f"{site}/b-one.mp3"), b"no reel", reel("two")])
    command = ["run", "--state", str(tmp_path / "state"), "--to-end", "--extract"]
    assert main(command) == 0
    assert "2 lines" in capsys.readouterr().out
    one, two = (json.loads(message.value()) for message in topics.read(enriched))
    assert (one["reel_id"], "audio" in one) == ("one", True)
    assert two == json.loads(reel("two"))
    assert [letter["error"] for letter in topics.refused()] == ["invalid_json"]
    monkeypatch.setenv("GROUNDSWELL_KAFKA_ENRICHED", topics.reels)
    assert main(command) == 2
    assert "expected another topic than kafka_reels" in capsys.readouterr().err
