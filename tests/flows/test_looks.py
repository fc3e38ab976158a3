"""What reels look like and what is said in them, from media on disk to lines of JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from extractors.models import Store
from flows.cli import main
from schemas.reels import decode
from tests.extractors.clips import clip
from tests.extractors.small_models import clip as small_clip
from tests.extractors.small_whisper import whisper
from tests.extractors.voice import voice

RED, BLUE, GREEN, WHITE = (220, 20, 20), (20, 20, 220), (20, 200, 20), (240, 240, 240)
FILES = ["config.json", "model.bin", "tokenizer.json"]


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    whisper(folder / "small-whisper", ["this", "is", "how"], language="pt")
    small_clip(folder).record("small-whisper", "speech", "made", "", FILES)
    return folder


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    spoken = voice(4)
    (folder / "a.mp4").write_bytes(clip([RED, BLUE], seconds=2, sound=spoken))
    (folder / "b.webm").write_bytes(clip([RED, BLUE], seconds=2, form="webm", codec="libvpx"))
    (folder / "c.mp4").write_bytes(clip([GREEN, WHITE], seconds=2))
    return folder


@pytest.fixture
def chosen(models: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = {
        "MODELS_DIR": models,
        "VISUAL_MODEL": "small-clip",
        "SPEECH_MODEL": "small-whisper",
        "MODEL_THREADS": "1",
        "OCR_FRAMES": "0",
    }
    for name, value in given.items():
        monkeypatch.setenv(f"GROUNDSWELL_{name}", str(value))
    monkeypatch.chdir(tmp_path)


def extracted(videos: Path, to: Path) -> dict[str, dict[str, Any]]:
    assert main(["extract", str(videos), "--to", str(to)]) == 0
    read = [json.loads(line) for line in to.read_text().splitlines()]
    return {Path(one["media_url"]).name: one for one in read}


def vector(line: dict[str, Any]) -> np.ndarray:
    reel = decode(json.dumps(line).encode())
    assert reel.embedding is not None
    assert reel.embedding.model == "small-clip"
    return np.frombuffer(reel.embedding.f16, "<f2").astype(np.float32)


@pytest.mark.usefixtures("chosen")
def test_reels_get_their_looks_and_their_words(videos: Path, tmp_path: Path) -> None:
    found = extracted(videos, tmp_path / "f.jsonl")
    one, same, other = (vector(found[name]) for name in ("a.mp4", "b.webm", "c.mp4"))
    assert one @ same > 0.99 > one @ other
    assert (found["a.mp4"]["transcript"], found["a.mp4"]["language"]) == ("this is how", "pt")
    assert "transcript" not in found["b.webm"]


@pytest.mark.usefixtures("chosen")
def test_without_a_whole_model_it_is_said_once_and_the_rest_goes_on(
    videos: Path,
    models: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    image = models / "small-clip" / "image.onnx"
    whole = image.read_bytes()
    image.write_bytes(whole[:-1] + b"x")
    monkeypatch.setenv("GROUNDSWELL_SPEECH_MODEL", "whisper-base")
    try:
        found = extracted(videos, tmp_path / "f.jsonl")
    finally:
        image.write_bytes(whole)
    assert Store(models).wrong("small-clip") == []
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("without visual: model small-clip:") == 1
    assert said.count("without speech: needs the model whisper-base") == 1
    assert "groundswell models pull whisper-base" in said
    assert len(found) == 3
    assert not any("embedding" in one or "transcript" in one for one in found.values())
