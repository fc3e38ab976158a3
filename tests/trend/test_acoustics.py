"""A sound is told again whatever was done to it, another is not, and memory stays bounded."""

from collections.abc import Callable

import numpy as np
import pytest

from benchmarks import changes
from benchmarks.music import RATE, song, speech
from trend.acoustics.index import (
    HALF,
    Buckets,
    add,
    bucket_of,
    empty,
    entry,
    last_of,
    sweep,
    used_bytes,
)
from trend.acoustics.known import BY_SHAPE, KnownSounds, windows
from trend.acoustics.landmarks import DENSE, THIN, Landmarks, landmarks, landmarks_around
from trend.acoustics.peaks import (
    F32,
    FRAME,
    FRAMES_PER_SECOND,
    OCTAVE,
    WINDOW,
    Peaks,
    pack,
    peaks,
    unpack,
)
from trend.acoustics.peaks import (
    RATE as HEARD_RATE,
)
from trend.acoustics.proposals import propose, scratch
from trend.acoustics.squeezed import squeeze, stretch

SECONDS = 20
KNOWN = 6

Change = Callable[[F32], F32]
CHANGES: dict[str, tuple[Change, float, float]] = {
    "as it was": (lambda x: x, 1.0, 0.0),
    "mp3 of 64 kbit/s": (
        lambda x: changes.decoded(changes.encoded(x, "mp3", "libmp3lame", 44_100, 64_000)),
        1.0,
        0.0,
    ),
    "speed 1.25": (lambda x: changes.speed(x, 1.25), 1.25, 12 * np.log2(1.25)),
    "speed 0.75": (lambda x: changes.speed(x, 0.75), 0.75, 12 * np.log2(0.75)),
    "tempo 0.8": (lambda x: changes.tempo(x, 0.8), 0.8, 0.0),
    "two semitones up": (lambda x: changes.pitch(x, 2), 1.0, 2.0),
    "under a voice": (lambda x: changes.under_voice(x, speech(1, 10), 0), 1.0, 0.0),
    "faster under a voice": (
        lambda x: changes.under_voice(changes.speed(x, 1.25), speech(2, 10), 3),
        1.25,
        12 * np.log2(1.25),
    ),
}


@pytest.fixture(scope="module")
def songs() -> list[F32]:
    return [song(seed, SECONDS) for seed in range(KNOWN + 3)]


@pytest.fixture(scope="module")
def heard(songs: list[F32]) -> list[Peaks]:
    return [peaks(one) for one in songs]


@pytest.fixture(scope="module")
def known(heard: list[Peaks]) -> KnownSounds:
    sounds = KnownSounds()
    for one in heard[:KNOWN]:
        sounds.add(one)
    return sounds


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_sound_is_told_with_how_it_was_changed(
    name: str, songs: list[F32], known: KnownSounds
) -> None:
    change, speed, semitones = CHANGES[name]
    for number in (1, 4):
        match = known.match(peaks(change(songs[number][5 * RATE : 15 * RATE])))
        assert match is not None
        assert (match.sound, match.known) == (number, True)
        assert match.score > 0.5
        assert match.speed == pytest.approx(speed, rel=0.005)
        assert 12 * match.pitch == pytest.approx(semitones, abs=0.15)
        assert match.begin == pytest.approx(5, abs=0.1)


def test_a_sound_nobody_made_known_is_new(heard: list[Peaks], known: KnownSounds) -> None:
    for one in heard[KNOWN:]:
        match = known.match(one)
        assert match is None or (not match.known and match.score < 0.5)


def test_nothing_and_next_to_nothing_are_no_sound(known: KnownSounds) -> None:
    for samples in (np.zeros(0), np.zeros(WINDOW + 100), np.zeros(5 * RATE)):
        found = peaks(samples.astype(np.float32))
        assert found.time.size == 0
        assert known.match(found) is None


def test_noise_is_no_known_sound(known: KnownSounds) -> None:
    noise = np.random.default_rng(3).normal(0, 0.1, 10 * RATE).astype(np.float32)
    match = known.match(peaks(noise))
    assert match is None or not match.known


@pytest.mark.parametrize("pitch", [220.0, 1000.0, 1003.5, 5000.0])
def test_a_peak_is_where_its_tone_is(pitch: float) -> None:
    """To a fiftieth of a semitone, and a beep to a quarter of a frame."""
    at = 1.5
    t = np.arange(3 * RATE) / RATE
    beep = np.sin(2 * np.pi * pitch * t) * np.exp(-(((t - at) / 0.05) ** 2))
    found = peaks(beep.astype(np.float32))
    octaves = np.log2(pitch / (HEARD_RATE / WINDOW))
    assert found.pitch / OCTAVE == pytest.approx(octaves, abs=1 / 600 + 2 / OCTAVE)
    middle = at * FRAMES_PER_SECOND - WINDOW / 2 / (HEARD_RATE / FRAMES_PER_SECOND)
    assert found.time / FRAME == pytest.approx(middle, abs=0.25)


def test_packed_peaks_come_back(heard: list[Peaks]) -> None:
    for one in heard:
        again = unpack(pack(one))
        assert np.array_equal(again.time, one.time)
        assert np.array_equal(again.pitch, one.pitch)


@pytest.mark.parametrize(
    "packed", [[5 << 14 | 5000, 4 << 14 | 5000], [1 << 14 | 100], [1 << 14 | 12_000]]
)
def test_packed_peaks_that_cannot_be_are_refused(packed: list[int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        unpack(np.array(packed, np.uint32))


def test_a_query_changes_nothing(heard: list[Peaks], known: KnownSounds) -> None:
    before = [pack(one).tobytes() for one in heard]
    first = [known.match(one) for one in heard]
    assert [known.match(one) for one in reversed(heard)] == first[::-1]
    assert [pack(one).tobytes() for one in heard] == before


def test_adds_between_queries_give_what_adds_alone_give(heard: list[Peaks]) -> None:
    quiet, asked = KnownSounds(), KnownSounds()
    for one in heard[:KNOWN]:
        quiet.add(one)
        asked.match(one)
        asked.add(one)
    assert [quiet.match(one) for one in heard] == [asked.match(one) for one in heard]


def test_the_sounds_used_least_go_when_there_are_too_many(heard: list[Peaks]) -> None:
    sounds = KnownSounds(most=8, dense=8)
    numbers = [sounds.add(one) for one in heard[:8]]
    for number in numbers[1:]:
        sounds.use(number)
    sounds.add(heard[8])
    assert len(sounds) == 8
    gone = sounds.match(heard[0])
    assert gone is None or not gone.known
    for one in heard[1:9]:
        found = sounds.match(one)
        assert found is not None
        assert found.known


def test_a_sound_that_is_used_less_is_thinned_out_and_becomes_whole_again(
    songs: list[F32], heard: list[Peaks]
) -> None:
    sounds = KnownSounds(most=64, dense=8)
    for one in heard[:9]:
        sounds.add(one)
    assert sounds.dense() == 8
    thin = sounds.match(heard[0])
    assert thin is not None
    assert (thin.sound, thin.known) == (0, True)
    sounds.use(0)
    assert sounds.dense() <= 8, "others are thinned out for it"
    faster = sounds.match(peaks(changes.speed(songs[0][: 10 * RATE], 1.25)))
    assert faster is not None
    assert (faster.sound, faster.known) == (0, True)


def contents(buckets: Buckets) -> dict[int, list[int]]:
    """The landmarks in each bucket, in their order, read block by block."""
    found = {}
    for bucket in np.flatnonzero(buckets.heads).tolist():
        size = int(buckets.heads[bucket]) & 0xFFFFFF
        block, here = int(buckets.heads[bucket]) >> 24, last_of(size)
        words: list[int] = []
        while block:
            words = buckets.words[block + 1 : block + 1 + here].tolist() + words
            block, here = int(buckets.words[block]) >> 8, int(buckets.words[block]) & 0xFF
        assert len(words) == size
        found[bucket] = words
    return found


def test_buckets_hold_what_was_added_in_its_order_however_large_they_are() -> None:
    expected: dict[int, list[int]] = {}
    buckets = empty()
    for sound in range(400):
        n = 7 if sound % 3 else 2
        marks = Landmarks(*(np.full(n, value, np.int32) for value in (34, 80, 5000, 9000)))
        marks.shape[:] = 34 * (np.arange(n) % 5)
        buckets = add(buckets, sound, marks)
        for shape in marks.shape.tolist():
            word = int(entry(sound, 80, 5000, 9000))
            expected.setdefault(int(bucket_of(shape, 5000 // HALF)), []).append(word)
    assert max(len(words) for words in expected.values()) > 500
    assert contents(buckets) == expected


def test_a_sweep_leaves_what_is_kept_in_its_order_and_nothing_else(heard: list[Peaks]) -> None:
    every = np.array([DENSE, 0, THIN, DENSE, 0], np.int32)
    both, one = empty(), empty()
    for sound, peaks_of_it in enumerate(heard[:5]):
        both = add(both, sound, landmarks(peaks_of_it))
        if step := int(every[sound]):
            one = add(one, sound, landmarks(peaks_of_it, step))
    before = used_bytes(both)
    sweep(both, every)
    assert contents(both) == contents(one)
    assert used_bytes(both) < before


def test_what_is_swept_out_makes_room(heard: list[Peaks]) -> None:
    buckets = empty()
    for _ in range(6):
        buckets = add(buckets, 0, landmarks(heard[0]))
        taken, words = used_bytes(buckets), buckets.words.size
        sweep(buckets, np.zeros(1, np.int32))
        assert used_bytes(buckets) == 32
        assert contents(buckets) == {}
    assert words < 2 * taken / 8


@pytest.mark.parametrize(("most", "dense"), [(7, 7), (16, 4), (16, 17), (1 << 25, 100)])
def test_bounds_that_cannot_be_are_refused(most: int, dense: int) -> None:
    with pytest.raises(ValueError, match="expected"):
        KnownSounds(most, dense)


def test_what_is_told_does_not_depend_on_the_order_in_a_bucket(heard: list[Peaks]) -> None:
    forth, back = empty(), empty()
    room = scratch(300_000)
    for sound in range(KNOWN):
        forth = add(forth, sound, landmarks(heard[sound]))
    for sound in reversed(range(KNOWN)):
        marks = landmarks(heard[sound])
        back = add(back, sound, Landmarks(*(column[::-1].copy() for column in marks)))
    for one in heard:
        asked = landmarks(one)
        for most in (1_000, 300_000):
            for ours, theirs in zip(
                propose(forth, asked, room, most), propose(back, asked, room, most), strict=True
            ):
                assert np.array_equal(ours, theirs)


def test_an_index_made_as_it_is_asked_tells_what_a_whole_one_tells(heard: list[Peaks]) -> None:
    """The first queries have only their own shapes indexed, whatever happens between them."""
    lazy, whole = KnownSounds(most=64, dense=8), KnownSounds(most=64, dense=8)
    for sounds in (lazy, whole):
        for one in heard[:4]:
            sounds.add(one)
    for _ in range(BY_SHAPE + 1):
        whole.match(heard[8])
    assert lazy.memory() < whole.memory()
    for number, one in enumerate(heard):
        assert lazy.match(one) == whole.match(one)
        for sounds in (lazy, whole):
            sounds.use(number % 4)
            sounds.add(heard[4 + number % 5])
    assert lazy.memory() == whole.memory()


def test_a_long_query_is_found_by_any_part_and_told_from_its_beginning(songs: list[F32]) -> None:
    long = np.concatenate([songs[0], songs[1], songs[2]])
    sounds = KnownSounds()
    for one in songs[2:5]:
        sounds.add(peaks(one))
    number = sounds.add(peaks(long))
    match = sounds.match(peaks(changes.speed(long, 0.8)))
    assert match is not None
    assert (match.sound, match.known) == (number, True)
    assert match.speed == pytest.approx(0.8, rel=0.002)
    assert match.begin == pytest.approx(0, abs=0.2)
    parts = windows(peaks(long))
    assert 2 <= len(parts) <= 4
    assert parts[0].time[0] < FRAMES_PER_SECOND * FRAME
    assert parts[-1].time[-1] > (3 * SECONDS - 1) * FRAMES_PER_SECOND * FRAME


@pytest.mark.parametrize("gap", [1, 1022, 1023, 1024, 5000])
def test_squeezed_peaks_come_back(gap: int, heard: list[Peaks]) -> None:
    times = np.arange(1, 40, dtype=np.int32) * gap
    for one in (*heard, Peaks(times, np.full(39, 5000, np.int32)), Peaks(times[:0], times[:0])):
        again = stretch(squeeze(one))
        assert np.array_equal(again.time, one.time)
        assert np.array_equal(again.pitch, one.pitch)


def test_landmarks_around_those_of_a_query_have_them_and_their_neighbours(
    heard: list[Peaks],
) -> None:
    exact, around = landmarks(heard[0], THIN), landmarks_around(heard[0], THIN)
    have = {*zip(*(column.tolist() for column in around), strict=True)}
    assert {*zip(*(column.tolist() for column in exact), strict=True)} <= have
    assert 4 < around.shape.size / exact.shape.size < 12
