"""Loudness, tempo, brightness, and talk told from music."""

import numpy as np
import pytest

from benchmarks.changes import under_voice
from benchmarks.music import RATE, song, speech
from trend.acoustics.peaks import F32, spectrogram
from trend.acoustics.qualities import SILENT, Qualities, loudness, qualities


def of(samples: np.ndarray) -> Qualities:
    samples = samples.astype(np.float32)
    return qualities(samples, spectrogram(samples))


def tone(pitch: float, loud: float = 1.0) -> np.ndarray:
    return loud * np.sin(2 * np.pi * pitch * np.arange(5 * RATE) / RATE)


def test_half_as_loud_is_six_decibels_less() -> None:
    whole, half = of(tone(1000)), of(tone(1000, 0.5))
    assert whole.level == pytest.approx(-3.01, abs=0.01)
    assert half.level == pytest.approx(whole.level - 6.02, abs=0.01)
    assert half.loudness == pytest.approx(whole.loudness - 6.02, abs=0.01)


def test_loudness_hears_little_of_the_deepest_and_no_pauses() -> None:
    assert loudness(tone(30, 0.5).astype(np.float32)) < of(tone(1000, 0.5)).loudness - 6
    paused = np.concatenate([tone(1000), np.zeros(20 * RATE)])
    assert of(paused).loudness == pytest.approx(of(tone(1000)).loudness, abs=0.3)


def test_a_tone_is_as_bright_as_it_is_high_and_crosses_zero_twice_a_period() -> None:
    for pitch in (440.0, 3000.0):
        found = of(tone(pitch))
        assert found.brightness == pytest.approx(pitch, rel=0.01)
        assert found.crossings == pytest.approx(2 * pitch, rel=0.01)


def test_silence_has_no_qualities() -> None:
    for samples in (np.zeros(0), np.zeros(100), np.zeros(5 * RATE)):
        assert of(samples) == (SILENT, SILENT, 0.0, 0.0, 0.0, False)


@pytest.mark.parametrize("bpm", [75.0, 96.0, 120.0, 150.0])
def test_the_tempo_is_that_of_the_beats(bpm: float) -> None:
    rng = np.random.default_rng(1)
    samples = 0.01 * rng.standard_normal(15 * RATE)
    for beat in np.arange(0, 14.5, 60 / bpm):
        at = int(beat * RATE)
        samples[at : at + 800] += rng.standard_normal(800) * np.exp(-np.arange(800) / 150)
    assert of(samples).tempo == pytest.approx(bpm, rel=0.02)


def test_noise_has_no_beat() -> None:
    assert of(np.random.default_rng(0).normal(0, 0.1, 10 * RATE)).tempo == 0


def test_talk_is_told_from_music_and_from_music_under_talk() -> None:
    voices: list[F32] = [speech(seed, 10) for seed in range(4)]
    songs: list[F32] = [song(seed, 10) for seed in range(4)]
    assert all(of(voice).talk for voice in voices)
    assert not any(of(one).talk for one in songs)
    both = zip(songs, voices, strict=True)
    assert not any(of(under_voice(one, voice, 0)).talk for one, voice in both)
