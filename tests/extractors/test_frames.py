"""Of a video come the frames that stand for its scenes; of any file, no harm."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks.music import song
from extractors.audio import Decoded, Decoder
from extractors.decoding import Limits, UnheardError
from extractors.media import Failed
from extractors.picture import MAX_PIXELS
from tests.extractors.clips import clip

RED, GREEN, BLUE, GREY = (220, 20, 20), (20, 200, 20), (20, 20, 220), (90, 90, 90)


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(Limits(seconds=20, frames=4, side=64)) as opened:
        yield opened


def looked(decoder: Decoder, folder: Path, data: bytes) -> Decoded:
    path = folder / "file"
    path.write_bytes(data)
    file = os.open(path, os.O_RDONLY)
    try:
        return decoder.media(file)
    finally:
        os.close(file)


def colours(found: Decoded) -> list[tuple[int, ...]]:
    """The colour that each frame is nearest to."""
    means = found.frames.reshape(len(found.frames), -1, 3).mean(axis=1)
    known = np.array([RED, GREEN, BLUE, GREY])
    nearest = np.abs(means[:, None] - known).sum(axis=2).argmin(axis=1)
    return [tuple(map(int, known[one])) for one in nearest]


@pytest.mark.parametrize("keys", [1, 5, 200], ids=["all-keys", "keys", "one-key"])
@pytest.mark.parametrize(("form", "codec"), [("mp4", "mpeg4"), ("webm", "libvpx")])
def test_each_scene_gives_a_frame_whatever_the_key_frames(
    tmp_path: Path, decoder: Decoder, keys: int, form: str, codec: str
) -> None:
    scenes = [RED, GREEN, BLUE, GREY]
    data = clip(scenes, seconds=1.5, keys=keys, form=form, codec=codec)
    found = looked(decoder, tmp_path, data)
    assert colours(found) == scenes
    assert [int(time / 1.5) for time in found.times] == [0, 1, 2, 3]
    assert found.frames.shape == (4, 43, 64, 3)
    assert found.frames.dtype == np.uint8
    assert found.duration_s == pytest.approx(6, abs=0.2)
    assert found.unheard == Failed("mute", "has no sound, only video")
    assert found.unseen is None


def test_one_look_gives_sound_frames_and_when_it_was_made(tmp_path: Path, decoder: Decoder) -> None:
    made = {"creation_time": "2026-01-05T14:10:00Z"}
    data = clip([RED, BLUE], seconds=2, sound=song(1, 4), metadata=made)
    found = looked(decoder, tmp_path, data)
    assert found.pcm is not None
    assert found.pcm.size == pytest.approx(4 * 16_000, rel=0.05)
    assert colours(found) == [RED, RED, BLUE, BLUE]
    assert found.created.startswith("2026-01-05T14:10:00")


def test_a_small_picture_is_not_made_larger_and_its_proportions_stay(
    tmp_path: Path, decoder: Decoder
) -> None:
    found = looked(decoder, tmp_path, clip([RED], size=(32, 48)))
    assert found.frames.shape[1:] == (48, 32, 3)
    found = looked(decoder, tmp_path, clip([RED], size=(64, 256)))
    assert found.frames.shape[1:] == (64, 16, 3)


def test_of_what_nobody_asks_for_nothing_is_decoded(tmp_path: Path) -> None:
    data = clip([RED, BLUE], sound=song(1, 4))
    with Decoder(Limits(frames=0)) as ears:
        found = looked(ears, tmp_path, data)
        assert (found.pcm is None, len(found.frames)) == (False, 0)
    with Decoder(Limits(frames=2, listen=False)) as eyes:
        found = looked(eyes, tmp_path, data)
        assert (found.pcm is None, len(found.frames)) == (True, 2)
        assert found.unheard is None


def test_a_sound_without_a_picture_is_heard(tmp_path: Path, decoder: Decoder) -> None:
    from benchmarks.changes import encoded

    found = looked(decoder, tmp_path, encoded(song(1, 4), "mp3", "libmp3lame", 44_100))
    assert found.pcm is not None
    assert len(found.frames) == 0
    assert found.unseen == Failed("blind", "has no picture")


def test_only_the_beginning_of_a_long_video_is_looked_at(tmp_path: Path) -> None:
    with Decoder(Limits(seconds=3, frames=8)) as decoder:
        found = looked(decoder, tmp_path, clip([RED, GREEN, BLUE], seconds=2, keys=5))
        assert found.times.max() <= 3
        assert BLUE not in colours(found)


def test_a_picture_that_is_too_large_is_refused_and_its_sound_heard(tmp_path: Path) -> None:
    data = clip([RED], seconds=0.2, size=(4096, 2320), sound=song(1, 3), keys=1)
    assert MAX_PIXELS < 4096 * 2320
    with Decoder(Limits(frames=2)) as decoder:
        found = looked(decoder, tmp_path, data)
        assert found.unseen is not None
        assert found.unseen.error == "huge"
        assert found.pcm is not None


def test_damaged_videos_end_no_more_than_themselves(tmp_path: Path, decoder: Decoder) -> None:
    rng = np.random.default_rng(11)
    seen = 0
    for form, codec in (("mp4", "mpeg4"), ("webm", "libvpx")):
        whole = clip([RED, GREEN], keys=6, form=form, codec=codec)
        for _ in range(20):
            damaged = np.frombuffer(whole, np.uint8).copy()
            where = rng.integers(0, damaged.size, int(rng.integers(1, 6)))
            damaged[where] = rng.integers(0, 256, where.size)
            try:
                found = looked(decoder, tmp_path, damaged.tobytes())
            except UnheardError:
                continue
            seen += len(found.frames) > 0
            assert len(found.frames) == len(found.times) <= 4
            assert found.unseen is None or found.unseen.error in {"blind", "broken", "huge"}
    assert seen > 10
    assert colours(looked(decoder, tmp_path, clip([RED]))) == [RED] * 4
