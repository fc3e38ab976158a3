"""Reels get the id of the sound that is heard in them."""

import json
import pickle
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from benchmarks import changes
from benchmarks.music import song
from operators.blocks import Decoded, Fresh, Poll
from operators.decode import decode
from operators.dedupe import Dedupe, EventTime
from operators.heard import Heard, heard
from operators.identify import Identifying, SoundSettings
from operators.listening import Landmarking, Listening, content_of
from operators.waiting import Asked
from trend.acoustics.chromaprint import U32, text
from trend.acoustics.peaks import Peaks, pack, peaks
from trend.simulator.fingerprints import Fingerprints

DAY = 144
MEMORY = 16 << 20
SOUNDS = Fingerprints(seed=4)
NOTHING = np.zeros(0, np.uint32)
RNG = np.random.default_rng(2)


class Steps:
    """All steps that identify, one after the other."""

    def __init__(self, parts: int = 2, memory: int = MEMORY, log_reels: int = 10_000) -> None:
        self.listening = Listening(memory, ["p"])
        self.parts = [Landmarking(memory, parts) for _ in range(parts)]
        self.identifying = Identifying(SoundSettings(parts, DAY, log_reels))

    def apply(self, asked: Asked[Heard]) -> Fresh:
        (listened,) = self.listening.apply([asked])
        told = [listened.told()]
        for number, part in enumerate(self.parts):
            told += part.apply([listened.queries(number)])
        (found,) = self.identifying.apply(told)
        return found


def recording(items: int = 240) -> U32:
    return RNG.integers(0, 1 << 32, items, np.uint32)


def noisy(items: U32, share: float) -> U32:
    """The items with a share of their bits changed, in a sixth of them."""
    flips = (RNG.random((items.size, 32)) < 6 * share) & (RNG.random(items.size) < 1 / 6)[:, None]
    return items ^ (flips << np.arange(32)).sum(axis=1).astype(np.uint32)


def landmarks(of: Peaks, version: int = 1) -> dict[str, Any]:
    return {"version": version, "data": b64encode(pack(of).astype("<u4").tobytes()).decode()}


def fresh(audios: Sequence[dict[str, Any]], tick: int = 1000) -> Fresh:
    """Reels with these sounds, all in one tick, as they come from dedupe."""
    rows = [
        {
            "reel_id": f"{tick}-{number}",
            "published_at": f"2026-01-05T00:{number // 60:02d}:{number % 60:02d}Z",
            "author_id": f"a{number}",
            "caption": "words",
            "audio": audio,
        }
        for number, audio in enumerate(audios)
    ]
    lines = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
    decoded: Decoded = decode(Poll("p", 0, 0, lines, end=True))
    assert not decoded.rejects
    found = Dedupe(EventTime(600, 600, 300, 1), 1000)(decoded)
    assert found is not None
    ticks = np.full(len(rows), tick, np.int32)
    return replace(found, tick=ticks, apply=ticks, closed=tick + 1, end=False)


def ids(sounds: Steps, audios: Sequence[dict[str, Any]], tick: int = 1000) -> list[str | None]:
    """The ids of the sounds of some reels that are all heard; of those that count again, too."""
    return identified(sounds, audios, tick).reels.texts("audio_id")


def identified(sounds: Steps, audios: Sequence[dict[str, Any]], tick: int) -> Fresh:
    rest, asked = heard(fresh(audios, tick))
    assert not len(rest.reels)
    return sounds.apply(asked)


def test_the_uses_of_a_sound_have_one_id_and_other_sounds_have_others() -> None:
    sounds = Steps()
    told = ids(sounds, [{"fingerprint": text(SOUNDS.of(f"s{n % 7}", n))} for n in range(70)])
    assert [told[n % 7] for n in range(70)] == told
    assert len(set(told)) == 7


def test_a_sound_keeps_the_platforms_id_unless_its_fingerprint_says_otherwise() -> None:
    one, two, three = recording(), recording(), recording()
    audios = [
        {"audio_id": "m1", "fingerprint": text(one)},
        {"audio_id": "m2", "fingerprint": text(noisy(one, 0.05))},
        {"fingerprint": text(two)},
        {"audio_id": "m3", "fingerprint": text(two)},
        {"audio_id": " ", "fingerprint": text(three)},
    ]
    content = f"s-{content_of(two, NOTHING):016x}"
    assert ids(Steps(), audios)[:4] == ["m1", "m1", content, content]


def test_a_known_sound_in_less_than_half_of_a_reel_is_not_its_sound() -> None:
    known = recording(100)
    longer = np.append(known, recording(150))
    shorter = np.append(known, recording(60))
    audios = [{"audio_id": f"m{n}", "fingerprint": text(x)} for n, x in enumerate([known, longer])]
    assert ids(Steps(), audios) == ["m0", "m1"]
    audios[1]["fingerprint"] = text(shorter)
    assert ids(Steps(), audios) == ["m0", "m0"]


def apart() -> tuple[U32, U32, U32]:
    """Two recordings too far from each other to be told as one, and one in between."""
    middle = recording()
    return noisy(middle, 0.11), noisy(middle, 0.11), middle


def test_two_sounds_that_prove_to_be_one_count_as_the_older_one() -> None:
    one, two, middle = apart()
    sounds = Steps()
    first = [{"audio_id": "m1", "title": "Drop", "artist": "DJ", "fingerprint": text(one)}]
    second = [{"audio_id": "m2", "title": "x", "fingerprint": text(two)}] * 3
    assert ids(sounds, first + second, 1000) == ["m1", "m2", "m2", "m2"]
    found = identified(sounds, [{"fingerprint": text(middle)}], 1010)
    assert found.reels.texts("audio_id") == ["m1"] * 4
    assert found.again.tolist() == [False, True, True, True]
    assert found.reels.texts("title")[1:] == ["Drop"] * 3
    assert found.reels.texts("caption")[1:] == [None] * 3
    assert (found.tick.tolist(), found.apply.tolist()) == ([1010, *[1000] * 3], [1010] * 4)
    before = fresh(first + second, 1000)
    assert found.reel[1:].tolist() == before.reel[1:].tolist()
    assert found.author[1:].tolist() == before.author[1:].tolist()
    assert ids(sounds, second, 1020) == ["m1"] * 3


@pytest.mark.parametrize(("later", "again"), [(DAY - 1, 1), (DAY + 1, 0)])
def test_reels_of_the_last_day_count_again(later: int, again: int) -> None:
    one, two, middle = apart()
    sounds = Steps()
    ids(sounds, [{"fingerprint": text(one)}, {"fingerprint": text(two)}], 1000)
    found = identified(sounds, [{"fingerprint": text(middle)}], 1000 + later)
    assert np.count_nonzero(found.again) == again


def test_reels_to_count_again_are_bounded() -> None:
    one, two, middle = apart()
    sounds = Steps(log_reels=4)
    ids(sounds, [{"fingerprint": text(one)}, *[{"fingerprint": text(two)}] * 4], 1000)
    ids(sounds, [{"fingerprint": text(two)}] * 3, 1001)
    found = identified(sounds, [{"fingerprint": text(middle)}], 1002)
    assert found.again.tolist() == [False, True, True, True]
    assert set(found.tick[1:].tolist()) == {1001}


def test_memory_is_bounded_and_the_sounds_in_use_stay() -> None:
    memory = 1 << 18
    sounds = Steps(memory=memory)
    used = recording()
    for tick in range(40):
        new = [{"fingerprint": text(recording())} for _ in range(10)]
        told = ids(sounds, [{"audio_id": f"m{tick}", "fingerprint": text(used)}, *new], tick)
        assert told[0] == "m0"
        assert len(set(told)) == 11
        assert sounds.listening._uploads.memory() <= memory
    assert sounds.listening._evicted > 100
    assert len(sounds.listening._uploads) + sounds.listening._evicted == 401


def test_a_state_that_was_written_and_read_goes_on_the_same() -> None:
    audios = [
        {"fingerprint": text(SOUNDS.of(f"s{n % 5}", n)), **mark}
        for n in range(60)
        for mark in ({"landmarks": landmarks(_melody(n % 9))} if n % 3 else {},)
    ]
    whole, parts = Steps(), Steps()
    for tick in range(6):
        some = audios[10 * tick : 10 * tick + 10]
        parts = pickle.loads(pickle.dumps(parts))
        assert ids(parts, some, tick) == ids(whole, some, tick)


def _melody(number: int) -> Peaks:
    rng = np.random.default_rng(number)
    return Peaks(
        np.arange(0, 8000, 16, dtype=np.int32), rng.integers(4000, 9000, 500).astype(np.int32)
    )


def test_a_song_that_was_sped_up_is_the_same_and_then_known_by_its_fingerprint() -> None:
    played = [song(seed, 12) for seed in (1, 2)]
    fast = changes.speed(played[0], 1.25)
    prints = [recording() for _ in range(3)]
    marks = [landmarks(peaks(one)) for one in (*played, fast)]
    sounds = Steps()
    audios = [
        {"audio_id": f"m{n}", "fingerprint": text(one), "landmarks": mark}
        for n, (one, mark) in enumerate(zip(prints, marks, strict=True))
    ]
    assert ids(sounds, audios) == ["m0", "m1", "m0"]
    assert ids(sounds, [{"fingerprint": text(prints[2])}], 1001) == ["m0"]
    assert ids(sounds, [{"audio_id": "m9", "landmarks": marks[2]}], 1002) == ["m0"]


def test_a_fingerprint_and_landmarks_of_two_sounds_show_that_they_are_one() -> None:
    played = song(3, 12)
    fast = landmarks(peaks(changes.speed(played, 1.25)))
    upload = recording()
    sounds = Steps()
    assert ids(sounds, [{"audio_id": "m1", "landmarks": landmarks(peaks(played))}], 1) == ["m1"]
    assert ids(sounds, [{"audio_id": "m2", "fingerprint": text(upload)}], 2) == ["m2"]
    both = {"fingerprint": text(upload), "landmarks": fast}
    assert ids(sounds, [both], 3) == ["m1", "m1"]
    assert ids(sounds, [{"fingerprint": text(upload)}], 4) == ["m1"]


SILENCE = text(np.full(200, 627964279, np.uint32))
BAD: dict[str, dict[str, Any]] = {
    "not base64": {"fingerprint": "not base64!"},
    "empty": {"fingerprint": ""},
    "a lie about its length": {"fingerprint": "AQD___"},
    "absurdly long": {"fingerprint": "A" * 500_000},
    "not ASCII": {"fingerprint": "ÄQAA"},
    "short": {"fingerprint": text(recording(10))},
    "silence": {"fingerprint": SILENCE},
    "another version": {"landmarks": landmarks(_melody(1), version=2)},
    "not in order": {"landmarks": {"version": 1, "data": b64encode(b"\xff" * 400).decode()}},
    "not in words": {"landmarks": {"version": 1, "data": b64encode(b"abc").decode()}},
    "too many": {"landmarks": {"version": 1, "data": b64encode(bytes(4 << 16)).decode()}},
    "few": {"landmarks": {"version": 1, "data": b64encode(bytes(4)).decode()}},
    "nothing": {"landmarks": {"version": 1, "data": ""}},
}


@pytest.mark.parametrize("name", BAD)
def test_what_says_nothing_is_as_good_as_nothing(name: str) -> None:
    rest, asked = heard(fresh([{"audio_id": "m1", **BAD[name]}]))
    assert rest.reels.texts("audio_id") == ["m1"]
    assert asked.features is None


def test_one_bad_field_leaves_the_other() -> None:
    good = text(recording())
    audios = [{"audio_id": "m1", "fingerprint": good, **BAD["another version"]}]
    rest, asked = heard(fresh([*audios, {"audio_id": "m2", **BAD["short"]}, {"title": "t"}]))
    assert rest.reels.texts("audio_id") == ["m2", None]
    assert asked.fresh.reels.texts("audio_id") == ["m1"]
    assert isinstance(asked.features, Heard)
    assert asked.features.peaks(0).time.size == 0
    assert text(asked.features.items[0]) == good
    assert asked.fresh.reels.data.size < 100
