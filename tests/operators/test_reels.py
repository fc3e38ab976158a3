"""Reels in columns: chosen, joined and packed without a change in what they say."""

import pickle
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numba.core.dispatcher import Dispatcher

from operators.blocks import Decoded
from operators.catalogue import reel_ids
from operators.dedupe import Dedupe, EventTime
from operators.explode import Explode
from operators.identify import identify
from operators.reels import NUMBERS, TEXTS, Reels, joined
from operators.strings import Strings
from tests.operators.reels import reels_of, rows_of
from trend import engagement, folding, hashing, homes, seen, signals, slices, sounds

Rows = list[dict[str, Any]]
TEXT = st.text(max_size=20)
ROWS = st.lists(
    st.fixed_dictionaries(
        {name: st.none() | TEXT for name in TEXTS}
        | {name: st.integers(-1, 2**53) for name in NUMBERS}
        | {"hashtags": st.lists(TEXT, max_size=3), "time": st.integers(-(2**62), 2**62)}
    ),
    max_size=6,
)


@given(ROWS)
def test_rows_come_back(rows: Rows) -> None:
    assert rows_of(reels_of(rows)) == rows


@given(ROWS, st.data())
def test_some_rows_are_taken(rows: Rows, data: st.DataObject) -> None:
    reels = reels_of(rows)
    mask = data.draw(st.lists(st.booleans(), min_size=len(rows), max_size=len(rows)))
    chosen = [row for row, kept in zip(rows, mask, strict=True) if kept]
    assert rows_of(reels.take(np.array(mask, np.bool_))) == chosen
    assert rows_of(reels.take(np.flatnonzero(mask))) == chosen
    assert rows_of(reels.take(slice(1, 4))) == rows[1:4]
    assert reels.take(slice(1, 4)).data is reels.data


@given(ROWS, st.integers(0, 6), st.integers(0, 6))
def test_a_pickle_holds_what_the_rows_refer_to_and_no_more(
    rows: Rows, start: int, stop: int
) -> None:
    some = reels_of(rows).take(slice(start, stop))
    loaded = pickle.loads(pickle.dumps(some, pickle.HIGHEST_PROTOCOL))
    assert rows_of(loaded) == rows[start:stop]
    texts = [row[name] or "" for row in rows[start:stop] for name in TEXTS]
    tags = [tag for row in rows[start:stop] for tag in row["hashtags"]]
    assert loaded.data.tobytes().decode() == "".join([*texts, *tags])
    assert loaded.tag_starts.size == len(tags)


@given(ROWS, ROWS, st.integers(0, 6))
def test_reels_are_joined(first: Rows, then: Rows, start: int) -> None:
    some = reels_of(first).take(slice(start, None))
    assert rows_of(joined(some, reels_of(then))) == first[start:] + then
    assert rows_of(joined(Reels.none(), some)) == first[start:]


@given(st.lists(TEXT), st.lists(TEXT))
def test_strings_are_joined(first: list[str], then: list[str]) -> None:
    both = Strings.joined([Strings.of(first), Strings.of(then)])
    assert list(pickle.loads(pickle.dumps(both))) == first + then


def compiled() -> dict[str, int]:
    """For how many types of arguments each kernel was compiled."""
    modules = (engagement, folding, hashing, homes, seen, signals, slices, sounds)
    return {
        f"{module.__name__}.{name}": len(kernel.signatures)
        for module in modules
        for name, kernel in vars(module).items()
        if isinstance(kernel, Dispatcher)
    }


def test_a_poll_of_any_size_is_of_the_same_types_to_the_kernels() -> None:
    dedupe, explode = Dedupe(EventTime(600, 600, 300, 1), 100), Explode()
    reel = {"author_id": "a", "caption": "x #y", "audio_id": "s", "title": "t", "hashtags": ["b"]}

    def go(names: str) -> None:
        reels = reels_of([reel | {"reel_id": name} for name in names])
        fresh = dedupe(Decoded("p", pickle.loads(pickle.dumps(reels)), (), True))
        assert fresh is not None
        assert len(fresh.reels) == len(names)
        explode(identify(fresh))
        reel_ids(fresh)

    go("abcd")
    before = compiled()
    for names in ("efgh", "i", "j", "", "kl"):
        go(names)
    assert compiled() == before
    assert sum(before.values()) > 10
