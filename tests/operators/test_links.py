"""Links of a trend's members: the same however the stream is cut, and true to the reels."""

import pickle
from datetime import UTC, datetime

import numpy as np
import pytest

from operators.links import LOOKED_AT, Link, Linked, Links, Sight
from operators.synthesise import Synthesise
from tests.operators.test_synthesise import (
    DAY,
    DAYS,
    REELS,
    SETTINGS,
    START,
    USES,
    items,
)
from trend.crowd import Crowd
from trend.kinds import COMMUNITY, HASHTAG, SOUND
from trend.parts import Bond
from trend.together import Looked
from trend.trends import Height, Revision, Signal, Trend


def run(step: int, crash: bool = False) -> list[Linked]:
    synthesise = Synthesise(SETTINGS, ["p"])
    told = []
    for batch in items(step):
        told += synthesise(batch)
        synthesise = pickle.loads(pickle.dumps(synthesise)) if crash else synthesise
    return told


WHOLE = run(DAYS * DAY)


@pytest.mark.parametrize(("step", "crash"), [(7, False), (100, True)])
def test_links_hang_on_neither_batches_nor_crashes(step: int, crash: bool) -> None:
    assert run(step, crash) == WHOLE


def test_links_join_members_in_their_order_and_each_pair_once() -> None:
    assert any(one.links for one in WHOLE)
    for told in WHOLE:
        place = {(m.kind, m.id): at for at, m in enumerate(told.trend.members)}
        ends = [(place[one.a_kind, one.a_id], place[one.b_kind, one.b_id]) for one in told.links]
        assert ends == sorted(set(ends))
        assert all(a < b for a, b in ends)
        if len(told.trend.members) == 1:
            assert told.links == ()


def test_figures_of_a_link_are_those_of_the_reels() -> None:
    """The sound is in all reels of the one trend, each by another author; the tag in some."""
    ticks = {int(row["reel"]): int(row["tick"]) for rows, _ in USES.values() for row in rows}
    tag = next(rows for rows, label in USES.values() if label == b"catdrop")
    checked = 0
    for told in WHOLE:
        for link in told.links:
            if {link.a_id, link.b_id} != {"s-cat", "catdrop"}:
                continue
            end = told.trend.event_time.timestamp() // 600
            day = [t for t in tag["tick"].tolist() if end - 2 * DAY < t < end]
            assert link.reels is not None
            assert link.share is not None
            assert 0 < link.reels <= 1.3 * len(day)
            assert link.authors is not None
            assert abs(link.authors - link.reels) <= 1
            assert 0.5 < link.share < 0.9
            assert link.since is not None
            first = min(ticks[int(reel)] for reel in tag["reel"])
            assert link.since >= datetime.fromtimestamp(first * 600, UTC)
            assert link.since < told.trend.event_time
            checked += 1
    assert checked


def test_a_link_is_since_its_first_reel_in_all_revisions() -> None:
    since: dict[tuple[str, tuple[str, ...]], list[datetime]] = {}
    for told in WHOLE:
        for link in told.links:
            assert link.since is not None
            since.setdefault((told.trend.trend_id, link[:4]), []).append(link.since)
    assert any(len(times) > 1 for times in since.values())
    for times in since.values():
        assert times == sorted(times, reverse=True)


def test_the_reason_says_who_made_how_many_reels() -> None:
    for told in WHOLE:
        head, found, tail = told.trend.why.rpartition(" of its reels are by ")
        if found:
            reels = int(head.split()[-1])
            assert reels <= min(LOOKED_AT, REELS.height)
            assert tail.startswith(f"{reels} people, each with one")  # every reel has its author
    assert any("of its reels are by" in told.trend.why for told in WHOLE)


def community(bonds: tuple[Bond, ...]) -> tuple[Revision, Sight]:
    """A trend of a community alone, whose members were never told by their shards."""
    no_reels = np.zeros(0, np.uint64)
    parts = (Signal(7, SOUND, "s", "Song", -1, 9), Signal(5, HASHTAG, "tag", "tag", -1, 8))
    whole = Signal(99, COMMUNITY, "", "", 0, parts=parts, bonds=bonds)
    revision = Revision(
        Trend("T", 0, {99: whole}, revision=1),
        stage="emerging",
        window=0,
        started=START,
        height=Height(START, 12, 1.0, 0),
        authors=[12],
        reels=[12],
        expected=[1.0],
        before=[0.0],
        series=[],
        members=[(parts[0], 9), (parts[1], 8)],
        samples=[whole.sample],
        together=True,
    )
    nobody = Crowd(0, 0, 0, 0, 0, 0, 0.0)
    empty = Synthesise(SETTINGS, ["p"])._catalogue.known(no_reels, START)
    return revision, Sight(no_reels, np.zeros(0, np.int64), Looked(no_reels, 1.0), empty, nobody)


def test_members_known_from_the_graph_alone_have_the_figures_of_its_edge() -> None:
    since = START // 6
    told = Links(600).of(*community((Bond(5, 7, 30, 29, since), Bond(5, 11, 3, 3, since))))
    assert told == (
        Link(
            "sound", "s", "hashtag", "tag", None, None, None, None,
            30, 29, datetime.fromtimestamp(since * 3600, UTC),
        ),
    )  # fmt: skip
    assert Links(600).of(*community(())) == ()


def test_trends_that_are_gone_are_forgotten() -> None:
    synthesise = Synthesise(SETTINGS, ["p"])
    for batch in items(DAYS * DAY):
        synthesise(batch)
    links = synthesise._links
    assert set(links._since) <= set(synthesise._synthesis.trends)
    links.keep([])
    assert not links._since
