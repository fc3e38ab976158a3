"""Chromaprint's text is read as its own library reads it, and re-uploads are found by it."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trend.acoustics.chromaprint import MAX_ITEMS, items
from trend.acoustics.reuploads import FEWEST, Reuploads

RNG = np.random.default_rng(5)
RECORDINGS = [RNG.integers(0, 1 << 32, 240, np.uint32) for _ in range(300)]


@pytest.fixture(scope="module")
def known() -> Reuploads:
    found = Reuploads()
    for number, recording in enumerate(RECORDINGS):
        assert found.add(recording) == number
    return found


def noisy(recording: np.ndarray, share: float) -> np.ndarray:
    """The recording with a share of its bits changed."""
    flips = RNG.random((recording.size, 32)) < share
    return recording ^ (flips << np.arange(32)).sum(axis=1).astype(np.uint32)


def test_a_recording_is_found_at_its_place(known: Reuploads) -> None:
    for number in (0, 17, 299):
        for begin, end in ((0, 240), (50, 130), (200, 240)):
            match = known.match(RECORDINGS[number][begin:end])
            assert match is not None
            assert (match.sound, match.begin, match.different) == (number, begin, 0.0)


def test_a_recording_with_a_beginning_of_its_own_is_found(known: Reuploads) -> None:
    longer = np.append(RNG.integers(0, 1 << 32, 60, np.uint32), RECORDINGS[3])
    match = known.match(longer)
    assert match is not None
    assert (match.sound, match.begin) == (3, -60)


def test_a_few_bits_may_differ_and_half_of_them_may_not(known: Reuploads) -> None:
    found = [known.match(noisy(one, 0.03)) for one in RECORDINGS[:100]]
    assert sum(one is not None and one.sound == n for n, one in enumerate(found)) >= 99
    for _ in range(100):
        assert known.match(RNG.integers(0, 1 << 32, 200, np.uint32)) is None


def test_items_in_common_are_not_enough(known: Reuploads) -> None:
    other = RNG.integers(0, 1 << 32, 240, np.uint32)
    other[::8] = RECORDINGS[5][::8]
    assert known.match(other) is None


def test_what_is_too_short_is_not_found(known: Reuploads) -> None:
    assert known.match(RECORDINGS[0][: FEWEST - 1]) is None
    assert known.match(RECORDINGS[0][:0]) is None


def test_a_grown_table_finds_what_it_found_when_it_was_small() -> None:
    small, grown = Reuploads(), Reuploads()
    recordings = [RNG.integers(0, 300, 100, np.uint32) for _ in range(20)]
    for one in recordings:
        small.add(one)
        grown.add(one)
    before = [small.match(one) for one in recordings]
    for other in RECORDINGS:
        grown.add(other)
    assert grown.memory() > 4 * small.memory()
    assert [grown.match(one) for one in recordings] == before
    assert [one.sound for one in before if one] == list(range(20))


def test_silence_and_steady_tones_do_not_fill_the_table() -> None:
    known = Reuploads()
    for _ in range(2000):
        known.add(np.full(200, 627964279, np.uint32))
    assert known.match(np.full(200, 627964279, np.uint32)) is not None


def library() -> Any:
    return pytest.importorskip("chromaprint", reason="needs libchromaprint1", exc_type=ImportError)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=60))
def test_a_fingerprint_is_read_as_its_library_reads_it(values: list[int]) -> None:
    signed = [value - (1 << 32) if value >> 31 else value for value in values]
    text = library().encode_fingerprint(signed, 1)
    assert items(text.decode()).tolist() == values


@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda b: "AQAA" + b.hex()))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = items(text)
    except ValueError as error:
        assert str(error).startswith("fingerprint: ")  # noqa: PT017 - either may be
    else:
        assert found.size <= MAX_ITEMS


@pytest.mark.parametrize("text", ["", "AQ", "AQAAZA", "AQD___", "not base64!", "ÄQAA"])
def test_text_that_is_no_fingerprint_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="fingerprint: "):
        items(text)
