"""Where reels come from: codes of texts, and how far a few are from all others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.strings import Strings
from trend.homes import UNKNOWN, apart, home, homes, sums

CODES = np.array([home(name) for name in ("BR", "US", "IN", "DE")], np.uint32)


@given(st.lists(st.text(max_size=8), max_size=5))
def test_texts_have_the_same_code_however_they_come(texts: list[str]) -> None:
    column = Strings.of(texts)
    starts, lengths = column.starts.astype(np.int32), column.lengths.astype(np.int32)
    assert homes(column.data, starts, lengths).tolist() == [home(text) for text in texts]


@pytest.mark.parametrize(("one", "other"), [("pt-BR", "pt"), ("PT", "pt"), ("zh_Hant", "zh")])
def test_a_primary_subtag_is_a_home(one: str, other: str) -> None:
    assert home(one) == home(other) != UNKNOWN


def test_a_text_that_names_nothing_has_none() -> None:
    assert home("") == home("-x") == UNKNOWN
    data = np.zeros(1, np.uint8)
    assert homes(data, np.zeros(1, np.int32), np.full(1, -1, np.int32)).tolist() == [UNKNOWN]


def platform(shares: list[int]) -> np.ndarray:
    code = np.repeat(CODES, shares)
    return np.stack([code, np.full(code.size, UNKNOWN, np.uint32)], axis=1)


def test_what_comes_from_one_place_is_apart_and_what_comes_from_all_is_not() -> None:
    every = platform([100, 300, 300, 300])
    usual = sums(every, np.zeros(1000, np.int64), 1)[0]
    local, wide = platform([20, 0, 0, 0]), platform([2, 6, 6, 6])
    assert apart(local, usual)[0] > 1.0
    assert apart(wide, usual)[0] < 0.05
    assert apart(local[:3], usual)[0] < apart(local, usual)[0]
    assert apart(local, usual)[1] == 0.0  # no language is known


def test_nothing_known_is_nowhere() -> None:
    nobody = platform([0, 0, 0, 0])
    usual = sums(nobody, np.zeros(0, np.int64), 1)[0]
    assert apart(nobody, usual).tolist() == [0, 0]
    assert apart(platform([3, 0, 0, 0]), usual).tolist() == [0, 0]
