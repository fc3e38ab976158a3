"""Simulated fingerprints: uses of a sound are alike, and all else is as without them."""

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np

from flows.simulate import lines
from trend.acoustics.chromaprint import U32, items
from trend.simulator import SimulatorSettings, simulate
from trend.simulator.fingerprints import ITEMS, MOST_NOISE, PART, Fingerprints

NAMED = SimulatorSettings(days=1, reels_per_day=500, malformed=0)
HEARD = Fingerprints(seed=3)


def different(one: U32, two: U32) -> float:
    """Share of bits that differ where two lie on each other best."""
    shares = []
    for shift in range(-two.size + 60, one.size - 60):
        first, last = max(0, shift), min(one.size, shift + two.size)
        bits = np.bitwise_count(one[first:last] ^ two[first - shift : last - shift])
        shares.append(float(bits.mean()) / 32)
    return min(shares)


def test_uses_of_a_sound_are_alike_and_other_sounds_are_not() -> None:
    uses = [HEARD.of("a", reel) for reel in range(6)]
    shares = [different(one, two) for one, two in pairwise(uses)]
    assert max(shares) <= 2 * MOST_NOISE + 0.02
    assert min(shares) > 0
    assert different(uses[0], HEARD.of("b", 0)) > 0.35
    assert different(HEARD.once(1), HEARD.once(2)) > 0.35
    assert all(PART * ITEMS[0] - 1 <= use.size <= ITEMS[1] for use in uses)


def test_a_reel_has_the_same_fingerprint_each_time() -> None:
    again = Fingerprints(seed=3)
    assert again.of("a", 5).tolist() == HEARD.of("a", 5).tolist()
    assert Fingerprints(seed=4).of("a", 5).tolist() != HEARD.of("a", 5).tolist()


def test_a_stream_with_fingerprints_differs_in_nothing_but_its_sounds() -> None:
    named, heard = simulate(NAMED), simulate(replace(NAMED, fingerprints=True))
    sounds = 0
    for one, two in zip(lines(named), lines(heard), strict=True):
        first, second = json.loads(one), json.loads(two)
        if "audio" in first:
            sounds += 1
            assert items(second["audio"].pop("fingerprint")).size >= PART * ITEMS[0] - 1
            del first["audio"]["audio_id"]
        assert first == second
    assert sounds > 100
    names = {f"{sound.title} – {sound.artist}" for sound in heard.catalogue.sounds}
    told = [m.id for trend in heard.truth.trends for m in trend.members if m.kind == "sound"]
    assert set(told) <= names
    assert [len(trend.members) for trend in heard.truth.trends] == [
        len(trend.members) for trend in named.truth.trends
    ]
