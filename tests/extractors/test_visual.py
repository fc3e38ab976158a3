"""Frames become embeddings: prepared as open_clip does, in batches, pooled per reel."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from extractors.media import Failed, Media
from extractors.models import Card
from extractors.runtime import ModelError, Session
from extractors.visual import Preparation, Visual, unit
from schemas.reels import Embedding, Reel
from tests.extractors import small_models

REEL = Reel(reel_id="r", published_at=datetime(2026, 1, 5, tzinfo=UTC), author_id="a")
ROW = (3, 32, 32)


def picture(seed: int, height: int = 90, width: int = 50) -> np.ndarray:
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (5, 4, 3), dtype=np.uint8))
    return np.asarray(coarse.resize((width, height), Image.Resampling.BILINEAR))


def media(*seeds: int) -> Media:
    frames = np.stack([picture(seed) for seed in seeds]) if seeds else np.empty((0, 0, 0, 3))
    return Media(REEL, frames=frames.astype(np.uint8), times=np.arange(len(seeds), dtype=float))


def vector(fields: object) -> np.ndarray:
    assert isinstance(fields, dict)
    embedding = fields["embedding"]
    assert isinstance(embedding, Embedding)
    return np.frombuffer(embedding.f16, "<f2").astype(np.float32)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    small_models.clip(folder)
    return folder


@pytest.fixture
def tower(models: Path) -> Path:
    return models / "small-clip" / "image.onnx"


@pytest.fixture
def visual(tower: Path) -> Iterator[Visual]:
    made = Visual(Session(tower, "small", ROW, batch=4), Card(size=32), "small")
    yield made
    made.close()


def bicubic(length: int, to: int) -> np.ndarray:
    """Pillow's published filter as a matrix [to, length]: a = -0.5, widened when it shrinks."""
    scale = length / to
    support = 2 * max(scale, 1.0)
    found = np.zeros((to, length))
    for row in range(to):
        centre = (row + 0.5) * scale
        first = max(int(centre - support + 0.5), 0)
        last = min(int(centre + support + 0.5), length)
        x = np.abs((np.arange(first, last) + 0.5 - centre) / max(scale, 1.0))
        near = (1.5 * x - 2.5) * x * x + 1
        far = ((-0.5 * x + 2.5) * x - 4) * x + 2
        weights = np.where(x < 1, near, np.where(x < 2, far, 0))
        found[row, first:last] = weights / weights.sum()
    return found


def published(frame: np.ndarray, size: int) -> np.ndarray:
    """The published steps, in floats: shorter side by bicubic, centre, mean and deviation."""
    height, width = frame.shape[:2]
    tall, wide = (
        (size, int(size * width / height))
        if height <= width
        else (int(size * height / width), size)
    )
    across = np.einsum("ow,hwc->hoc", bicubic(width, wide), frame)
    across = np.clip(np.round(across), 0, 255)  # Pillow keeps bytes between its two passes
    down = np.clip(np.round(np.einsum("oh,hwc->owc", bicubic(height, tall), across)), 0, 255)
    top, left = round((tall - size) / 2), round((wide - size) / 2)
    seen = down[top : top + size, left : left + size] / 255
    return ((seen - np.array(Card().mean)) / np.array(Card().std)).transpose(2, 0, 1)


@pytest.mark.parametrize(
    ("height", "width"), [(90, 50), (50, 90), (32, 32), (32, 57), (20, 31), (301, 299)]
)
def test_frames_are_prepared_by_the_published_steps(height: int, width: int) -> None:
    frame = picture(height, height, width)
    made = np.empty(ROW, np.float32)
    Preparation(Card(size=32))(frame, made)
    one_level = 1 / 255 / min(Card().std)
    off = np.abs(made - published(frame, 32))
    assert off.max() <= 1.01 * one_level  # a byte may be rounded the other way
    assert (off > 0.5 * one_level).mean() < 0.01


def test_a_very_long_picture_takes_little_memory() -> None:
    made = np.empty(ROW, np.float32)
    Preparation(Card(size=32))(np.full((1, 100_000, 3), 255, np.uint8), made)
    assert np.allclose(made[0], (1 - Card().mean[0]) / Card().std[0])


def test_an_embedding_is_the_mean_of_the_frames_unit_vectors(visual: Visual, tower: Path) -> None:
    with_all = vector(visual.extract([media(1, 2, 3)])[0])
    alone = [vector(visual.extract([media(seed)])[0]) for seed in (1, 2, 3)]
    expected = unit(np.mean(alone, axis=0, keepdims=True))[0]
    assert with_all.shape == (small_models.WIDTH,)
    assert abs(float(np.linalg.norm(with_all)) - 1) < 2e-3
    assert np.abs(with_all - expected).max() < 2e-3


def test_what_is_batched_together_does_not_matter(visual: Visual) -> None:
    reels = [media(1, 2, 3), media(), media(4), media(5, 6, 7, 8, 9, 10), media(11)]
    together = visual.extract(reels)
    assert together[1] == {}
    for one, found in zip(reels, together, strict=True):
        if len(one.frames):
            assert np.abs(vector(found) - vector(visual.extract([one])[0])).max() < 1e-3


def test_what_looks_alike_is_near_and_else_is_not(visual: Visual) -> None:
    frames = np.stack([picture(3, 120, 68)])
    noise = np.random.default_rng(0).integers(-6, 7, frames.shape)
    like = np.clip(frames.astype(int) + noise, 0, 255).astype(np.uint8)
    found = visual.extract([Media(REEL, frames=frames), Media(REEL, frames=like), media(8)])
    first, second, other = map(vector, found)
    assert first @ second > 0.99 > first @ other


def test_frames_that_point_nowhere_fail_their_reel_alone(tower: Path) -> None:
    class Opposed(Session):
        def run(self, slot: int, n: int) -> np.ndarray:
            return super().run(slot, n) * np.array([[1], [-1], [1], [1]], np.float32)[:n]

    made = Visual(Opposed(tower, "small", ROW, batch=4), Card(size=32), "small")
    same = Media(REEL, frames=np.stack([picture(1), picture(1)]))
    found = made.extract([same, media(2)])
    made.close()
    assert isinstance(found[0], Failed)
    assert found[0].error == "nowhere"
    assert abs(float(np.linalg.norm(vector(found[1]))) - 1) < 2e-3


def test_a_model_in_float16_is_fed_float16(tmp_path: Path, visual: Visual) -> None:
    small_models.image_tower(tmp_path / "half.onnx", half=True)
    session = Session(tmp_path / "half.onnx", "half", ROW, batch=2)
    assert session.slots[0].dtype == np.float16
    made = Visual(session, Card(size=32), "half")
    found = vector(made.extract([media(1, 2)])[0])
    made.close()
    assert np.abs(found - vector(visual.extract([media(1, 2)])[0])).max() < 5e-3


def test_an_embedding_is_as_the_contract_says(visual: Visual) -> None:
    from schemas.reels import decode, encode

    fields = visual.extract([media(1)])[0]
    assert isinstance(fields, dict)
    line = json.loads(
        encode(
            Reel(
                reel_id="r",
                published_at=REEL.published_at,
                author_id="a",
                embedding=fields["embedding"],
            )
        )
    )
    assert len(base64.b64decode(line["embedding"]["f16"])) == 2 * small_models.WIDTH
    assert decode(json.dumps(line).encode()).embedding == fields["embedding"]


def test_the_best_batch_is_measured_once_and_kept(tower: Path, tmp_path: Path) -> None:
    profile = tmp_path / "batches.json"
    first = Session(tower, "small", ROW, max_batch=8, profile=profile, digest="d1")
    first.close()
    assert list(json.loads(profile.read_text()).values()) == [first.batch]
    assert 1 <= first.batch <= 8
    key = next(iter(json.loads(profile.read_text())))
    profile.write_text(json.dumps({key: 3}))
    for digest, expected in (("d1", 3), ("d2", None)):
        again = Session(tower, "small", ROW, max_batch=8, profile=profile, digest=digest)
        again.close()
        assert expected is None or again.batch == expected
    assert len(json.loads(profile.read_text())) == 2


@pytest.mark.parametrize("kept", ["", "[]", "{", '{"x": 1}', "\x00"])
def test_a_damaged_profile_is_measured_anew(tower: Path, tmp_path: Path, kept: str) -> None:
    (tmp_path / "batches.json").write_text(kept)
    made = Session(tower, "small", ROW, max_batch=2, profile=tmp_path / "batches.json", digest="d")
    made.close()
    assert made.batch in (1, 2)
    assert made.batch in json.loads((tmp_path / "batches.json").read_text()).values()


def test_any_number_of_rows_goes_through_in_batches(tower: Path) -> None:
    session = Session(tower, "small", ROW, batch=4)
    rows = np.random.default_rng(1).normal(size=(11, *ROW)).astype(np.float32)
    found = session(rows)
    one = np.concatenate([session(rows[i : i + 1]) for i in range(11)])
    assert found.shape == (11, small_models.WIDTH)
    assert np.allclose(found, one, atol=1e-5)
    assert session(rows[:0]).shape == (0, small_models.WIDTH)
    session.close()


def test_errors_name_the_model_and_the_input(tower: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"model clip: its input 'pixels' is .*\[3, 224, 224\]"):
        Session(tower, "clip", (3, 224, 224))
    with pytest.raises(ModelError, match="model clip: has no output 'x', only embedding"):
        Session(tower, "clip", ROW, output="x")
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    with pytest.raises(ModelError, match="model clip: cannot be loaded"):
        Session(tmp_path / "bad.onnx", "clip", ROW)
    session = Session(tower, "clip", ROW, batch=2)
    with pytest.raises(ModelError, match=r"model clip on cpu, input 'pixels' .*got \[1, 3, 8, 8\]"):
        session(np.zeros((1, 3, 8, 8), np.float32))
    session.slots[0][:] = np.nan
    with pytest.raises(ModelError, match=r"model clip on cpu, input 'pixels' \[1, 3, 32, 32\]"):
        session.run(0, 1)
    session.close()
    with pytest.raises(ModelError, match="none of cuda is there"):
        Session(tower, "clip", ROW, devices=["cuda"])
