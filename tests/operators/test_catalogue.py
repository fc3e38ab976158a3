"""Reel ids by hash: found while they are recent, whatever the blocks they came in."""

from dataclasses import replace

import numpy as np
import pytest

from operators.blocks import Fresh
from operators.catalogue import MERGE_UP_TO, Catalogue, Names, reel_ids
from operators.strings import Strings
from operators.synthesise import KnownReels
from tests.operators.reels import reels_of

Rows = list[tuple[int, int]]


def names(rows: Rows) -> Names:
    """Reels by hash and tick."""
    hashes, ticks = [reel for reel, _ in rows], [apply for _, apply in rows]
    ids = Strings.of(f"r{reel}" for reel in hashes)
    reel = np.array(hashes, np.uint64)
    engaged = np.stack([reel % np.uint64(90), reel % np.uint64(70)], axis=1).astype(np.int8)
    homes = np.stack([reel + 3, reel + 4], axis=1).astype(np.uint32)
    return Names(reel, np.array(ticks, np.int32), ids, reel + 1, reel + 2, engaged, homes)


def stream(seed: int, count: int, ticks: int) -> Rows:
    rng = np.random.default_rng(seed)
    hashes = rng.choice(2**40, count, replace=False)
    apply = np.sort(rng.integers(0, ticks, count))
    return list(zip(hashes.tolist(), apply.tolist(), strict=True))


def naive(reels: Rows, tick: int, ticks: int, limit: int) -> dict[int, str]:
    """The reels of the last ticks, as many whole ticks as the limit holds."""
    rows = [row for row in reels if tick - ticks <= row[1] <= tick]
    for oldest in sorted({apply for _, apply in rows} | {tick}):
        kept = [row for row in rows if row[1] >= oldest]
        if len(kept) <= limit:
            return {reel: f"r{reel}" for reel, _ in kept}
    return {}


@pytest.mark.parametrize("limit", [10, 333, 10**6])
@pytest.mark.parametrize("size", [1, 7, 300, 5000])
@pytest.mark.parametrize("ahead", [0, 40])
def test_what_is_found_hangs_on_neither_blocks_nor_how_far_was_read(
    limit: int, size: int, ahead: int
) -> None:
    reels = stream(1, 2000, ticks=100)
    catalogue = Catalogue(ticks=30, limit=limit)
    wanted = [reel for reel, _ in reels]
    added = 0
    for tick in range(0, 100, 9):
        while added < len(reels) and reels[added][1] <= tick + ahead:
            catalogue.add(names(reels[added : added + size]))
            added += size
        assert catalogue.find(wanted, tick) == naive(reels, tick, 30, limit)
        catalogue.forget(tick)


@pytest.mark.parametrize("top", [2**20, 2**64 - 9])
def test_reels_are_found_however_their_hashes_are_spread(top: int) -> None:
    rng = np.random.default_rng(3)
    hashes = np.unique(rng.integers(0, top, 3000, dtype=np.uint64))
    there = rng.random(hashes.size) < 0.5
    catalogue = Catalogue(ticks=20, limit=10**6)
    catalogue.add(names([(reel, 5) for reel in hashes[there].tolist()]))
    assert catalogue.known(hashes, 5).there.tolist() == there.tolist()
    assert sorted(catalogue.find(hashes.tolist(), 5)) == hashes[there].tolist()


@pytest.mark.parametrize("size", [1, 7, 300])
def test_texts_and_authors_are_those_of_the_reels_known_at_a_tick(size: int) -> None:
    reels = stream(2, 600, ticks=60)
    catalogue = Catalogue(ticks=20, limit=10**6)
    for first in range(0, len(reels), size):
        catalogue.add(names(reels[first : first + size]))
    wanted = np.unique(np.array([reel for reel, _ in reels[::3]], np.uint64))
    told = catalogue.known(wanted, 40)
    authors, texts, ticks, engaged, homes = (column[told.there] for column in told[1:])
    found = sorted((reel, tick) for reel, tick in reels[::3] if 20 <= tick <= 40)
    known = [reel for reel, _ in found]
    assert ticks.tolist() == [tick for _, tick in found]
    assert authors.tolist() == [reel + 1 for reel in known]
    assert texts.tolist() == [reel + 2 for reel in known]
    assert engaged.tolist() == [[reel % 90, reel % 70] for reel in known]
    assert homes.tolist() == [[(reel + 3) % 2**32, (reel + 4) % 2**32] for reel in known]
    again = KnownReels(catalogue, 40, 6).reels(wanted)
    assert again[0].tolist() == authors.tolist()


def test_a_reel_that_two_partitions_tell_of_has_the_same_text_whichever_comes_first() -> None:
    one = names([(5, 20)])
    other = replace(
        one,
        author=one.author + 7,
        text=one.text - 1,
        engaged=one.engaged + 1,
        homes=one.homes - 1,
    )
    told = []
    for order in ([one, other], [other, one]):
        catalogue = Catalogue(ticks=20, limit=100)
        for reels in order:
            catalogue.add(reels)
        told.append([column.tolist() for column in catalogue.known(one.reel, 20)])
    assert told[0] == told[1] == [[True], [6], [7], [20], [[6, 6]], [[8, 9]]]


def test_the_volume_is_that_of_the_ticks_up_to_now() -> None:
    catalogue = Catalogue(ticks=4, limit=100)
    catalogue.add(names([(1, 20), (2, 20), (3, 21), (4, 23)]))
    assert catalogue.volume(22, 4).tolist() == [0, 1, 2, 0]
    assert catalogue.volume(23, 8).tolist() == [1, 0, 1, 2, 0, 0, 0, 0]
    assert catalogue.volume(26, 8).tolist() == [0, 0, 0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("size", [1, 7, 600])
def test_how_reels_usually_are_hangs_on_neither_polls_nor_how_far_was_read(size: int) -> None:
    reels = stream(3, 600, ticks=60)
    catalogue = Catalogue(ticks=40, limit=10**6)
    for first in range(0, len(reels), size):
        catalogue.add(names(reels[first : first + size]))
    usual = catalogue.usual(52, 50, 12)
    within = [reel for reel, tick in reels if 39 <= tick <= 50]
    codes = [reel % 90 for reel in within]
    assert usual.engaged[0].tolist() == [len(codes), sum(codes), sum(one**2 for one in codes)]
    buckets = np.bincount([(reel + 4) % 256 for reel in within], minlength=256)
    assert usual.homes[1].tolist() == buckets.tolist()


@pytest.mark.parametrize("limit", [150, 10**6])
def test_how_reels_usually_are_is_the_same_asked_every_hour_or_once(limit: int) -> None:
    """From hour to hour only what came and went is summed; gaps, late reels and limits included."""
    reels = stream(4, 900, ticks=120)
    asked, added = Catalogue(ticks=30, limit=limit), 0
    for tick in [*range(5, 60, 3), *range(80, 120, 7)]:
        once = Catalogue(ticks=30, limit=limit)
        once.add(names([row for row in reels if row[1] <= tick]))
        while added < len(reels) and reels[added][1] <= tick:
            asked.add(names(reels[added : added + 1]))
            added += 1
        for found, expected in zip(
            asked.usual(tick, tick, 12), once.usual(tick, tick, 12), strict=True
        ):
            assert found.tolist() == expected.tolist()
        if tick % 2:
            asked.forget(tick)
    asked.add(names([(7, 115)]))
    once.add(names([(7, 115)]))
    assert asked.usual(tick, tick, 12).homes.tolist() == once.usual(tick, tick, 12).homes.tolist()


def test_a_reel_is_known_for_so_many_ticks() -> None:
    catalogue = Catalogue(ticks=10, limit=100)
    catalogue.add(names([(5, 20)]))
    assert [tick for tick in range(50) if catalogue.find([5, 6], tick)] == list(range(20, 31))
    assert catalogue.find([5], 25) == {5: "r5"}


def test_forgotten_blocks_are_gone() -> None:
    catalogue = Catalogue(ticks=10, limit=10**6)
    for tick in range(2000):
        catalogue.add(names([(tick * 100 + i, tick) for i in range(50)]))
        catalogue.forget(tick)
        kept = sum(block.reel.size for block in catalogue._blocks)
        assert kept <= 50 * 100
    assert len(catalogue._blocks) < 20
    assert len(catalogue._per_tick) <= 12


def test_blocks_are_merged_up_to_a_size() -> None:
    catalogue = Catalogue(ticks=10**6, limit=10**9)
    for i in range(40):
        catalogue.add(names(stream(i, 4000, ticks=5)))
    assert len(catalogue._blocks) < 12
    assert max(block.reel.size for block in catalogue._blocks) <= MERGE_UP_TO


@pytest.mark.parametrize("ticks", [(5, 20), (20, 5)])
@pytest.mark.parametrize("together", [False, True], ids=["two polls", "one poll"])
def test_a_reel_in_two_partitions_is_found_in_whatever_order(
    ticks: tuple[int, int], together: bool
) -> None:
    catalogue = Catalogue(ticks=10, limit=100)
    rows = [(7, ticks[0]), (7, ticks[1])]
    for part in [rows] if together else [[row] for row in rows]:
        catalogue.add(names(part))
    found = [tick for tick in range(40) if catalogue.find([7], tick)]
    assert found == [*range(5, 16), *range(20, 31)]


def test_only_reels_that_are_new_are_handed_over() -> None:
    one, two = np.array([1, 2], np.uint64), np.array([3, 4], np.int32)
    reels = reels_of([{"reel_id": "a"}, {"reel_id": "b"}])
    again = np.array([False, True])
    [ids] = reel_ids(Fresh("p", reels, one, one, two, two, again, 9, True))
    assert (ids.reels.reel.tolist(), ids.reels.apply.tolist()) == ([1], [3])
    assert list(ids.reels.ids) == ["a"]
    assert (ids.partition, ids.closed, ids.end) == ("p", 9, True)
