"""Speech: only where somebody speaks, in batches over reels, within a budget."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from extractors.media import F32, RATE, Media
from extractors.runtime import ModelError
from extractors.speech import Heard, Speech, limited, packed, repeats
from schemas.reels import Reel
from tests.extractors.small_whisper import whisper
from tests.extractors.voice import voice

REEL = Reel(reel_id="r", published_at=datetime(2026, 1, 5, tzinfo=UTC), author_id="a")
SAID = "do the cat drop"


def quiet(seconds: float) -> F32:
    return np.zeros(int(seconds * RATE), np.float32)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "whisper"
    whisper(folder, SAID.split(), language="pt")
    return folder


@pytest.fixture
def speech(model: Path) -> Iterator[Speech]:
    made = Speech(model, "small", batch=2, threads=1)
    yield made
    made.close()


def test_only_where_somebody_speaks_is_listened_to(speech: Speech) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 3 * RATE).astype(np.float32)
    spoken = np.concatenate([quiet(2), voice(3), quiet(2)])
    found = speech.hear([quiet(4), spoken, noise, np.empty(0, np.float32)])
    assert [one.text for one in found] == ["", SAID, "", ""]
    assert found[1].language == "pt"
    assert 2 < found[1].speech_s < 5
    assert found[0] == found[2] == found[3] == Heard()


def test_a_reel_gets_its_transcript_and_its_language(speech: Speech) -> None:
    found = speech.extract([Media(REEL, pcm=voice(2)), Media(REEL), Media(REEL, pcm=quiet(2))])
    assert found == [{"transcript": SAID, "language": "pt"}, {}, {}]


def test_many_reels_in_a_batch_are_as_each_alone(speech: Speech) -> None:
    sounds = [voice(2, seed) for seed in range(3)]
    sounds.insert(1, quiet(1))
    together = speech.hear(sounds, words=True)
    assert together == [speech.hear([one], words=True)[0] for one in sounds]
    assert [word.text for word in together[0].words] == SAID.split()


def test_times_of_words_are_those_of_the_reel(speech: Speech) -> None:
    found = speech.hear([np.concatenate([quiet(4), voice(3)])], words=True)[0]
    assert all(3 < word.start <= word.end < 7.1 for word in found.words)
    assert found.words


def test_a_reel_has_a_budget(model: Path) -> None:
    made = Speech(model, "small", seconds=1.5, threads=1)
    found = made.hear([voice(4), voice(1)])
    made.close()
    assert found[0].speech_s == 1.5
    assert 0 < found[1].speech_s <= 1.5


def test_long_speech_is_heard_in_chunks_of_half_a_minute(speech: Speech) -> None:
    speech.spans = lambda pcm: [(0, pcm.size)]  # type: ignore[method-assign]
    found = speech.hear([quiet(65)], words=True)[0]
    assert found.speech_s == 60  # the budget
    assert found.text == f"{SAID} {SAID}"
    assert [word.start >= 30 for word in found.words] == [False] * 4 + [True] * 4


def test_what_repeats_itself_is_not_believed(tmp_path: Path) -> None:
    whisper(tmp_path / "stuck", ["thanks", "for", "watching"] * 12)
    made = Speech(tmp_path / "stuck", "stuck", threads=1)
    found = made.extract([Media(REEL, pcm=voice(2))])
    made.close()
    assert found == [{}]
    assert repeats("thanks for watching " * 12)


def test_spans_are_packed_without_losing_a_sample() -> None:
    rng = np.random.default_rng(3)
    for _ in range(50):
        ends = np.cumsum(rng.integers(1, 40, 2 * rng.integers(1, 9)))
        spans = [*zip(ends[::2].tolist(), ends[1::2].tolist(), strict=True)]
        budget = int(rng.integers(1, 200))
        chunks = [*packed(limited(spans, budget), 30)]
        assert all(sum(end - start for start, end in chunk) <= 30 for chunk in chunks)
        kept = [n for chunk in chunks for start, end in chunk for n in range(start, end)]
        assert kept == [n for start, end in spans for n in range(start, end)][:budget]


def test_a_model_that_cannot_be_used_is_named(tmp_path: Path, model: Path) -> None:
    with pytest.raises(ModelError, match=r"model tiny: .*config.json is missing"):
        Speech(tmp_path, "tiny")
    for file in model.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.bin").write_bytes(b"no model")
    with pytest.raises(ModelError, match="model tiny: cannot be loaded"):
        Speech(tmp_path, "tiny")
