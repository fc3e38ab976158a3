"""Authors of communities are counted as the naive way does."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trend.graph.membership import usage

REELS = st.lists(st.tuples(st.integers(1, 4), st.sets(st.integers(1, 9))), max_size=15)


@given(REELS, st.dictionaries(st.integers(1, 9), st.integers(0, 2)), st.randoms())
def test_authors_count_once_whether_alone_or_together(
    reels: list[tuple[int, set[int]]], community: dict[int, int], random: np.random.Generator
) -> None:
    random.shuffle(reels)
    signals = np.array([signal for _, own in reels for signal in own], np.uint64)
    bounds = np.cumsum([0, *(len(own) for _, own in reels)])
    members = np.array(sorted(community), np.uint64)
    of = np.array([community[signal] for signal in sorted(community)], np.int32)
    authors = np.array([author for author, _ in reels], np.uint64)
    found = usage(signals, bounds, authors, members, of, count=3)
    for one in range(3):
        used = [(a, sum(community.get(s) == one for s in own)) for a, own in reels]
        assert found.users[one] == len({a for a, n in used if n})
        assert found.together[one] == len({a for a, n in used if n > 1})
