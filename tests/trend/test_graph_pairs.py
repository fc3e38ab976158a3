"""Pairs: counted as the naive way does, bursts found, evergreens and surges not."""

from collections import defaultdict
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom

from trend.graph.pairing import pair_key, tick_pairs
from trend.graph.pairs import (
    Buckets,
    PairSettings,
    count,
    empty,
    significance,
    uses,
)

REELS = st.lists(st.tuples(st.integers(1, 4), st.sets(st.integers(1, 7))), max_size=12)


def columns(reels: list[tuple[int, list[int]]]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    signals = np.array([signal for _, own in reels for signal in own], np.uint64)
    bounds = np.cumsum([0, *(len(own) for _, own in reels)])
    return signals, bounds, np.array([author for author, _ in reels], np.uint64)


@given(REELS, st.randoms())
def test_pairs_of_a_tick_are_counted_once_an_author(
    reels: list[tuple[int, set[int]]], random: np.random.Generator
) -> None:
    naive = defaultdict(list)
    for author, own in reels:
        for pair in combinations(sorted(own), 2):
            naive[pair].append(author)
    shuffled = [(author, random.sample(sorted(own), len(own))) for author, own in reels]
    random.shuffle(shuffled)
    found = tick_pairs(*columns(shuffled), most=16)
    ours = zip(*(found[i].tolist() for i in range(1, 5)), strict=True)
    assert {(a, b): rest for a, b, *rest in ours} == {
        pair: [len(set(authors)), len(authors)] for pair, authors in naive.items()
    }
    assert found.key.tolist() == sorted(int(pair_key(np.uint64(a), np.uint64(b))) for a, b in naive)


def test_of_a_long_reel_the_lowest_are_paired() -> None:
    found = tick_pairs(*columns([(1, [9, 3, 7, 5])]), most=3)
    assert sorted(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [
        (3, 5),
        (3, 7),
        (5, 7),
    ]


WINDOWS = st.lists(
    st.tuples(
        st.integers(0, 4), st.lists(st.tuples(st.integers(1, 3), st.integers(1, 9)), max_size=4)
    ),
    max_size=14,
)


@given(WINDOWS)
def test_a_bucket_holds_the_naive_mean_and_square(
    ticks: list[tuple[int, list[tuple[int, int]]]],
) -> None:
    settings = PairSettings(buckets=1 << 12, window_ticks=3, half_life_windows=5)
    b = empty(settings)
    tick = 50
    totals: dict[int, dict[int, int]] = {key: defaultdict(int) for key in (1, 2, 3)}
    for step, some in ticks:
        tick += step
        keys = np.array([key for key, _ in some], np.uint64)
        count(b, settings, keys, np.array([n for _, n in some], np.int64), 10, tick)
        for key, n in some:
            totals[key][tick // 3] += n
    count(b, settings, np.zeros(0, np.uint64), np.zeros(0, np.int64), 0, tick)
    now = tick // 3
    keys = np.array([1, 2, 3], np.uint64)
    assert uses(b, settings, keys).tolist() == [
        totals[key][now] + totals[key][now - 1] for key in (1, 2, 3)
    ]
    slots = b.slots[b.slots["window"] == now]
    assert b.slots.nbytes == settings.buckets * 20
    for key in (1, 2, 3):
        mean = square = 0.0
        for window in range(10, now - 1):
            x = totals[key][window]
            mean = settings.decay * mean + (1 - settings.decay) * x
            square = settings.decay * square + (1 - settings.decay) * x * x
        same = np.isclose(slots["mean"], mean, rtol=1e-5, atol=1e-30)
        assert np.count_nonzero(same & np.isclose(slots["square"], square, rtol=1e-5)) >= 2


def test_parts_and_order_of_a_tick_change_no_bit() -> None:
    rng = np.random.default_rng(1)
    settings = PairSettings(buckets=256, window_ticks=2)
    one, other = empty(settings), empty(settings)
    for tick in range(20):
        keys = rng.integers(1, 900, 200).astype(np.uint64)
        authors = rng.integers(1, 5, 200)
        count(one, settings, keys, authors, 100, tick)
        order = rng.permutation(200)
        for part in np.array_split(order, 7):
            count(other, settings, keys[part], authors[part], 0, tick)
        count(other, settings, keys[:0], authors[:0], 100, tick)
    for a, b in zip(one, other, strict=True):
        assert np.array_equal(a, b)


def nb_tail(x: int, mean: float, evidence: float) -> float:
    return nbinom.logsf(x - 1, evidence, evidence / (evidence + mean)) / np.log(10)


@pytest.mark.parametrize(
    ("past", "members", "x"),
    [
        ([0] * 9, (100, 100), 24),  # explained by chance before all
        ([0] * 9, (30, 25), 24),
        ([2, 3, 2, 1, 2, 3, 2, 2, 2], (50, 60), 24),
        ([0, 0, 40, 0, 0, 0, 0, 0, 0], (50, 60), 24),  # it has done so before
        ([3] * 9, (100, 100), 60),
    ],
)
def test_significance_is_the_weaker_of_two_tails(
    past: list[int], members: tuple[int, int], x: int
) -> None:
    settings = PairSettings(buckets=64, window_ticks=1, half_life_windows=4)
    b, key = empty(settings), np.array([9], np.uint64)
    volumes = [1000, 1100, 900, 1000, 800, 1200, 1000, 1000, 1000, 0, 2000]
    for tick, n in enumerate([*past, 0, x]):
        count(b, settings, key, np.array([n]), volumes[tick], tick)
    first, second = (np.array([n]) for n in members)
    found = significance(b, settings, key, first, second)
    weights = settings.decay ** np.arange(9)[::-1]
    counts = np.array(past, float)
    volume = np.average(volumes[:9], weights=weights)
    share = 2000 / volume
    mean, square = np.average(counts, weights=weights), np.average(counts**2, weights=weights)
    chance, habit = members[0] * members[1] / 2000, mean * share
    assert found.authors.tolist() == [x]
    assert found.expected[0] == pytest.approx(max(chance, habit), rel=1e-5)
    by_chance = nb_tail(x, max(chance, 0.4), min(0.8 + min(members), 30))
    seen = mean * weights.sum()
    dispersion = (square - mean**2 - mean) * share**2
    evidence = min(0.8 + seen, 30)
    if dispersion > 0:
        evidence = min(evidence, max(habit, 0.4) ** 2 / dispersion)
    by_habit = nb_tail(x, max(habit, 0.4), evidence)
    assert x >= 3 * max(chance, habit)
    assert found.log10_p[0] == pytest.approx(max(by_chance, by_habit), rel=1e-4)


class Platform:
    """A stream in which each signal is used with its own probability, and some together."""

    def __init__(self, settings: PairSettings, seed: int, volume: int = 300) -> None:
        self.settings = settings
        self.rng = np.random.default_rng(seed)
        self.pairs, self.signals = empty(settings), empty(settings)
        self.volume = volume
        self.share = np.array([0.4, 0.3, 0.02, 0.02, *([0.004] * 60)])

    def tick(self, at: int, surge: float = 1.0, together: dict[tuple[int, int], float] = {}) -> set:  # noqa: B006
        """Advance by a tick; return the pairs that are significant."""
        volume = int(self.rng.poisson(self.volume * surge))
        used = self.rng.random((volume, self.share.size)) < self.share
        for pair, authors in together.items():
            used[: self.rng.poisson(authors), list(pair)] = True
        reels, signals = np.nonzero(used)
        bounds = np.searchsorted(reels, np.arange(volume + 1))
        authors = self.rng.integers(1, 1 << 60, volume).astype(np.uint64)
        found = tick_pairs((signals + 1).astype(np.uint64), bounds, authors, most=32)
        count(self.pairs, self.settings, found.key, found.authors, volume, at)
        names, of = np.unique(signals + 1, return_counts=True)
        count(self.signals, self.settings, names.astype(np.uint64), of, volume, at)
        members = [uses(self.signals, self.settings, end) for end in (found.first, found.second)]
        p = significance(self.pairs, self.settings, found.key, *members)
        hit = p.log10_p <= -5
        return set(
            zip((found.first[hit] - 1).tolist(), (found.second[hit] - 1).tolist(), strict=True)
        )


SETTINGS = PairSettings(buckets=1 << 15, window_ticks=6, half_life_windows=40, min_windows=4)


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_of_flat_members_newly_used_together_is_found(seed: int) -> None:
    platform = Platform(SETTINGS, seed)
    quiet = [platform.tick(at) for at in range(60)]
    assert not set().union(*quiet)
    # 2 and 3 have 6 authors a tick each: 1.2 of them now together is a fifth.
    found = [platform.tick(at, together={(2, 3): 1.2}) for at in range(60, 84)]
    assert (2, 3) in set().union(*found)
    assert set().union(*found) == {(2, 3)}


def test_evergreens_pass_neither_by_chance_nor_by_habit() -> None:
    platform = Platform(SETTINGS, seed=5)
    habit = {(0, 1): 60.0, (4, 5): 1.0}  # far more together than independence explains
    found = [platform.tick(at, together=habit) for at in range(200)]
    assert not set().union(*found[60:])
    assert all((0, 1) not in some for some in found)


def test_a_surge_of_the_platform_makes_no_pair() -> None:
    platform = Platform(SETTINGS, seed=6)
    habit = {(4, 5): 0.7}
    for at in range(80):
        platform.tick(at, together=habit)
    surge = [platform.tick(at, surge=4, together={(4, 5): 2.8}) for at in range(80, 100)]
    assert not set().union(*surge)


def test_before_there_is_a_past_nothing_is_significant() -> None:
    platform = Platform(SETTINGS, seed=7)
    found = [platform.tick(at, together={(2, 3): 9.0}) for at in range(30)]
    assert not set().union(*found)


def test_full_buckets_hide_pairs_but_make_none() -> None:
    crowded = Platform(PairSettings(buckets=256, window_ticks=6, min_windows=4), seed=8)
    found = [crowded.tick(at, together={(2, 3): 3.0 * (at > 60)}) for at in range(90)]
    assert set().union(*found) <= {(2, 3)}


def test_uses_are_never_too_few() -> None:
    settings = PairSettings(buckets=64)
    rng = np.random.default_rng(9)
    keys, authors = rng.integers(1, 500, 3000).astype(np.uint64), rng.integers(1, 4, 3000)
    b: Buckets = empty(settings)
    count(b, settings, keys, authors, 1, tick=1)
    names = np.arange(1, 500, dtype=np.uint64)
    assert (uses(b, settings, names) >= np.bincount(keys, weights=authors, minlength=500)[1:]).all()


@pytest.mark.parametrize(("name", "value"), [("buckets", 100), ("hashes", 0), ("min_windows", 0)])
def test_settings_are_checked(name: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value}"):
        PairSettings(**{name: value})
