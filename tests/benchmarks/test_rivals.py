"""The rivals of `benchmarks.rivals` see what they should see and nothing that is yet to come."""

from itertools import pairwise

import numpy as np
import pytest

from benchmarks.rivals.alerts import Grouping, crossings
from benchmarks.rivals.every import RIVALS, Reach, Rival, Stream
from benchmarks.rivals.series import Series, counted
from benchmarks.rivals.uses import PAIR, Uses, exploded
from flows.simulate import lines
from operators.blocks import Poll
from trend.evaluation import evaluate
from trend.simulator import Simulation, SimulatorSettings, simulate
from trend.simulator.truth import TruthMember

HOUR, DAY = 6, 144
QUIET = 2 * DAY
COUNTING = sorted(name for name in RIVALS if "river" not in name)


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(SimulatorSettings(seed=2, days=5, reels_per_day=3000, trends=12, pairs=2))


@pytest.fixture(scope="module")
def uses(simulation: Simulation) -> Uses:
    data = b"".join(line + b"\n" for line in lines(simulation))
    return exploded([Poll("p", 0, 0, data, end=True)], pairs=True, max_phrases=64)


@pytest.fixture(scope="module")
def stream(uses: Uses) -> Stream:
    return Stream(uses)


def cut(whole: Series, ticks: int) -> Series:
    return Series(whole.signals, whole.kind, whole.counts[:, :ticks], whole.volume[:ticks])


@pytest.mark.parametrize("name", RIVALS)
def test_no_score_depends_on_what_comes_later(stream: Stream, name: str) -> None:
    if name not in COUNTING:
        pytest.importorskip("river")
    rival = RIVALS[name]
    part = stream.counted.part(slice(0, 60))
    ticks = 3 * DAY + 37
    whole = rival.score(part, rival.window_h * HOUR)[:, :ticks]
    early = rival.score(cut(part, ticks), rival.window_h * HOUR)
    assert np.isfinite(whole).any()
    np.testing.assert_allclose(whole, early)


@pytest.mark.parametrize("name", COUNTING)
def test_what_rises_most_scores_highest(name: str) -> None:
    rng = np.random.default_rng(0)
    counts = rng.poisson(0.05, (20, 6 * DAY)).astype(float)
    counts[7, 5 * DAY :] += np.minimum(np.arange(DAY) / HOUR, 12)
    given = Series(np.arange(20), np.zeros(20, np.uint8), counts, np.full(6 * DAY, 300.0))
    rival = RIVALS[name]
    scores = rival.score(given, rival.window_h * HOUR)[:, -HOUR:].max(axis=1)
    assert np.argmax(scores) == 7 or name == "random"


def test_uses_are_counted_once_an_author_and_day(simulation: Simulation, uses: Uses) -> None:
    trend = next(one for one in simulation.truth.trends if one.kind == "hashtag")
    row = uses.names.index((("hashtag", trend.members[0].id),))
    at = slice(*uses.bounds[row : row + 2])
    assert np.unique(uses.reel[at]).size == uses.bounds[row + 1] - uses.bounds[row] >= trend.reels
    dense = counted(uses)
    place = dense.signals.tolist().index(row)
    counts = dense.part(slice(place, place + 1)).counts
    assert trend.authors <= counts.sum() <= uses.bounds[row + 1] - uses.bounds[row]
    crew = max(simulation.truth.spam, key=lambda one: one.reels / one.authors)
    loud = uses.names.index(((crew.members[0].kind, crew.members[0].id),))
    assert loud not in dense.signals  # a few accounts, however often they post


def test_a_pair_has_the_reels_that_hold_both(simulation: Simulation, uses: Uses) -> None:
    pair = next(one for one in simulation.truth.trends if one.kind == "pair")
    members = [(one.kind, one.id) for one in pair.members]
    rows = [uses.names.index((one,)) for one in members]
    both = [at for at in np.flatnonzero(uses.kind == PAIR) if set(uses.names[at]) == {*members}]
    reels = [set(uses.reel[slice(*uses.bounds[row : row + 2])].tolist()) for row in [*rows, *both]]
    assert len(both) == 1
    assert reels[2] == reels[0] & reels[1]
    assert len(reels[2]) >= pair.reels


def test_the_number_of_crossings_is_that_of_a_threshold_with_a_cool_down() -> None:
    rng = np.random.default_rng(3)
    scores = 100 + rng.normal(size=(5, 4 * QUIET)).cumsum(axis=1)
    found = crossings(np.arange(5), scores, np.ones(scores.shape, bool), 10, QUIET)
    for threshold in (95.0, 100.0, 108.0):
        expected = []
        for signal, row in enumerate(scores):
            last = -10 * QUIET
            for tick in range(10, row.size):
                if row[tick] >= threshold:
                    expected += [(tick, signal)] if tick - last > QUIET else []
                    last = tick
        signals, ticks = found.at(threshold)
        assert sorted(zip(ticks.tolist(), signals.tolist(), strict=True)) == sorted(expected)


def test_a_threshold_for_more_alerts_is_never_higher() -> None:
    scores = np.random.default_rng(4).random((50, 2 * QUIET))
    found = crossings(np.arange(50), scores, np.ones(scores.shape, bool), 0, QUIET)
    thresholds = [found.threshold(many) for many in (1, 5, 20, 50)]
    assert all(high >= low for high, low in pairwise(thresholds))
    for many, threshold in zip((1, 5, 20, 50), thresholds, strict=True):
        assert found.at(threshold)[0].size >= many
        assert found.at(np.nextafter(threshold, 2))[0].size < many
    most = max(found.at(threshold)[0].size for threshold in np.linspace(0, 1, 2001))
    assert found.at(found.threshold(10**9))[0].size >= most > 50


def test_what_does_not_rise_never_alerts() -> None:
    scores = np.zeros((3, 2 * QUIET))
    scores[1] = -1.0
    scores[2, 40] = 1.0
    found = crossings(np.arange(3), scores, np.ones(scores.shape, bool), 0, QUIET)
    assert [column.tolist() for column in found.at(found.threshold(1))] == [[2], [40]]
    assert [column.tolist() for column in found.at(found.threshold(99))] == [[2], [40]]
    nothing = crossings(np.arange(2), scores[:2], np.ones((2, 2 * QUIET), bool), 0, QUIET)
    assert nothing.at(nothing.threshold(5))[0].size == 0


def test_signals_of_the_same_reels_are_one_alert() -> None:
    reel = np.array([0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6])
    bounds = np.array([0, 4, 8, 11])
    names = [(("sound", str(at)),) for at in range(3)]
    uses = Uses(
        names, np.zeros(3, np.uint8), bounds, reel * 0, reel, reel, np.ones(9 * DAY, int), 0
    )
    grouping = Grouping(uses)
    assert grouping.near(0, 0) == {1}
    assert grouping.near(2, 0) == frozenset()
    alerts = grouping.alerts(np.array([0, 1, 2]), np.array([0, 1, 2]))
    assert alerts == [(0, 0), (2, 2)]


def test_as_many_alerts_as_are_wanted_and_they_name_trends(
    simulation: Simulation, stream: Stream
) -> None:
    found = stream.crossings(RIVALS["bursts (Kleinberg)"])
    few, many, all_ = (stream.alerts(found, wanted) for wanted in (10, 30, 10_000))
    assert 8 <= len(few) <= 10
    assert 27 <= len(many) <= 30
    assert 100 < len(all_) < 1000  # there are no more
    report = evaluate(simulation.truth, many)
    assert report.whole.recall is not None
    assert report.whole.recall > 0.5
    assert report.stage_f1 is None


def test_reels_seen_are_those_of_the_trend_up_to_then(simulation: Simulation, uses: Uses) -> None:
    trend = max(simulation.truth.trends, key=lambda one: one.reels)
    reach = Reach(uses)
    hours = [0.0, 1.0, 24.0, 240.0]
    seen = [reach.reels(trend.members, trend.kind, trend.start, h) for h in hours]
    assert 1 <= seen[0] <= seen[1] < seen[2] <= seen[3]
    assert trend.reels <= seen[3] <= trend.reels + 40
    assert reach.reels([TruthMember(kind="sound", id="none")], "sound", trend.start, 9.0) == 0


def test_a_rival_without_pairs_has_none(stream: Stream, uses: Uses) -> None:
    plain = stream.crossings(Rival(RIVALS["top by volume"].score, 24))
    paired = stream.crossings(Rival(RIVALS["top by volume"].score, 24, pairs=True))
    assert not (uses.kind[plain.signal] == PAIR).any()
    assert (uses.kind[paired.signal] == PAIR).any()
