"""Communities hour by hour: what is newly brought together is reported, by whomever and however."""

import pickle
from dataclasses import replace

import numpy as np
import pytest

from trend import bursts
from trend.graph import challenges, log, watched
from trend.graph.challenges import LOG_H, Challenges, ChallengeSettings, Name
from trend.graph.edges import EdgeSettings
from trend.graph.graph import GraphSettings
from trend.graph.watched import Hour
from trend.kinds import HASHTAG, SOUND
from trend.parts import bonds, unpacked
from trend.shard import ShardReports

WINDOWS = (1, 3, 6, 12, 24)
SETTINGS = ChallengeSettings(600, WINDOWS, min_authors=10, min_growth=2.0)
DAYS = 6
START = 4 * 24
FIRST = 490_000
COUPLE = (20, 21)


def named(signals: np.ndarray) -> dict[int, Name]:
    """Sounds have even numbers, hashtags odd ones; signals have one more."""
    return {
        one: (HASHTAG if one % 2 == 0 else SOUND, b"%03d" % (one - 1)) for one in signals.tolist()
    }


def hours(
    seed: int,
    crew: int = 0,
    planted: bool = True,
) -> list[Hour]:
    """Return 60 reels an hour with 40 signals, two of which come together from the last days on.

    `crew`: so many accounts do it; 0: everybody another.
    """
    rng = np.random.default_rng(seed)
    share = np.full(40, 0.05)
    share[:2] = 0.4
    made = []
    for at in range(24 * DAYS):
        used = rng.random((60, 40)) < share
        authors = rng.integers(1 << 20, 1 << 60, 60).astype(np.uint64)
        if planted and at >= START:
            reels = rng.integers(0, 60, rng.poisson(1.2))
            used[np.ix_(reels, COUPLE)] = True
            if crew:
                authors[reels] = rng.integers(1, 1 + crew, reels.size).astype(np.uint64)
        reel, signal = np.nonzero(used)
        bounds = np.searchsorted(reel, np.arange(61))
        of_reels = rng.integers(1, 1 << 60, 60).astype(np.uint64)
        made.append(Hour(of_reels, authors, bounds, (signal + 1).astype(np.uint64)))
    return made


def shuffled(hour: Hour, rng: np.random.Generator) -> Hour:
    """Return the same reels in another order, each with its signals in another order."""
    order = rng.permutation(hour.reel.size)
    uses = [rng.permutation(np.arange(*hour.bounds[i : i + 2])) for i in order]
    bounds = np.concatenate([[0], np.cumsum([one.size for one in uses])])
    return Hour(hour.reel[order], hour.author[order], bounds, hour.signals[np.concatenate(uses)])


def run(made: list[Hour], settings: ChallengeSettings = SETTINGS) -> list[ShardReports]:
    graph = Challenges(settings)
    return [graph.hour(FIRST + at, one, named) for at, one in enumerate(made)]


def told(reports: list[ShardReports]) -> list[bytes]:
    return [pickle.dumps(report) for report in reports]


def bursting(reports: list[ShardReports]) -> list[tuple[int, list[str]]]:
    """Return for each report of a burst the hour and the members' labels."""
    found = []
    for at, report in enumerate(reports):
        for numbers in report.numbers[report.numbers[:, bursts.BURST] > 0].tolist():
            label_at = numbers[bursts.LABEL_AT]
            parts = unpacked(report.labels[label_at : label_at + numbers[bursts.LABEL_LEN]])
            found.append((at, sorted(part.label.decode() for part in parts)))
    return found


@pytest.mark.parametrize("seed", range(3))
def test_a_couple_that_is_newly_used_together_is_reported_within_a_day(seed: int) -> None:
    found = bursting(run(hours(seed)))
    assert found
    assert START < found[0][0] <= START + 24
    told_of = [labels for _, labels in found if labels]
    assert all({"020", "021"} <= set(labels) for labels in told_of)
    assert told_of[0] == ["020", "021"]


def test_a_report_tells_the_edges_among_its_members() -> None:
    told = 0
    for at, report in enumerate(run(hours(0))):
        for numbers in report.numbers[report.numbers[:, bursts.LABEL_LEN] > 0].tolist():
            label_at = numbers[bursts.LABEL_AT]
            label = report.labels[label_at : label_at + numbers[bursts.LABEL_LEN]]
            members = {part.hash for part in unpacked(label)}
            for bond in bonds(label):
                assert {bond.low, bond.high} <= members
                assert bond.low < bond.high
                assert bond.reels >= bond.authors >= 1
                assert FIRST < bond.since <= FIRST + at
                told += 1
    assert told


def test_nothing_is_reported_where_nothing_is_new() -> None:
    reports = run(hours(1, planted=False))
    assert not bursting(reports)
    assert all(report.live.shape == (1, 2) for report in reports)


def test_a_crew_that_repeats_itself_is_no_burst() -> None:
    assert not bursting(run(hours(1, crew=5)))
    assert bursting(run(hours(1, crew=500)))


def test_the_order_of_reels_and_of_their_signals_changes_nothing() -> None:
    rng = np.random.default_rng(5)
    made = hours(2)
    again = [shuffled(one, rng) for one in made]
    assert told(run(again)) == told(run(made))


def test_it_goes_on_from_a_snapshot_at_any_hour() -> None:
    made = hours(2)
    graph = Challenges(SETTINGS)
    reports = []
    for at, one in enumerate(made):
        if at % 17 == 0:
            graph = pickle.loads(pickle.dumps(graph))
        reports.append(graph.hour(FIRST + at, one, named))
    assert told(reports) == told(run(made))


def test_hours_without_reels_are_hours_that_pass() -> None:
    made = hours(3)
    graph = Challenges(SETTINGS)
    silent = range(START - 30, START - 26)
    reports = [
        graph.hour(FIRST + at, one, named) for at, one in enumerate(made) if at not in silent
    ]
    assert bursting(reports)
    assert reports[-1].signal.size
    assert reports[-1].volume[0].tolist() == [60 * w for w in WINDOWS]


def test_a_report_tells_who_brought_members_together_and_in_which_reels() -> None:
    made = hours(0)
    reports = run(made)
    at = next(at for at, labels in reversed(bursting(reports)) if labels)
    report = reports[at]
    both = []
    for hour in made[at - 23 : at + 1]:
        for i in range(hour.reel.size):
            own = set(hour.signals[hour.bounds[i] : hour.bounds[i + 1]].tolist())
            if own >= {COUPLE[0] + 1, COUPLE[1] + 1}:
                both.append((int(hour.reel[i]), int(hour.author[i])))
    assert report.samples.tolist() == sorted({reel for reel, _ in both})
    assert report.authors[0, -1] == len({author for _, author in both})
    assert report.reels[0, -1] == len(both)
    assert (report.expected[0] > 0).all()
    assert report.volume[0].tolist() == [60 * w for w in WINDOWS]


@pytest.mark.parametrize("most", [1 << 11, 1 << 20])
def test_what_is_read_from_the_log_is_what_was_taken_hour_by_hour(most: int) -> None:
    made = hours(0, crew=40)[START - 12 : START + 40]
    members = [np.array(COUPLE, np.uint64) + 1]
    ids, before = np.ones(1, np.uint64), np.array([-1])
    by_hour = at_once = watched.chosen(watched.empty(LOG_H), ids, members, before)
    everything, windows = np.ones(1, np.bool_), np.array(WINDOWS)
    kept, last = log.empty(), len(made) - 1
    for at, hour in enumerate(made):
        kept = log.added(kept, at, *hour, LOG_H, most)
        what = watched.sought(by_hour, everything)
        by_hour, numbers = watched.taken(by_hour, what, at, hour, windows)
    since = int(kept.n[log.SINCE])
    assert (since > 0) == (most < 60 * len(made))
    assert kept.n[log.NEXT_REEL] - kept.n[log.FIRST_REEL] == 60 * (last - since + 1) <= most
    at_once = watched.remembered(at_once, [0], [log.past(kept, members[0], since)], last)
    at_once, again = watched.taken(
        at_once, watched.sought(at_once, ~everything), last, made[-1], windows
    )
    full = slice(since + 24, last + 1)
    assert by_hour.together[0, full].tolist() == at_once.together[0, full].tolist()
    assert (
        by_hour.users[0, since : last + 1].tolist() == at_once.users[0, since : last + 1].tolist()
    )
    assert by_hour.together[0, last - 23 : last + 1].sum() > 0
    assert numbers.authors.tolist() == again.authors.tolist()
    assert numbers.authors[0, -1] >= by_hour.together[0, last - 23 : last + 1].sum()
    assert numbers.uses.tolist() == again.uses.tolist()
    lately = slice(-min(last - since + 1, watched.REELS_H), None)
    assert numbers.reels[0, lately].tolist() == again.reels[0, lately].tolist()
    assert watched.brought(by_hour, 0, last).tolist() == watched.brought(at_once, 0, last).tolist()


@pytest.mark.parametrize(("max_edges", "min_weight"), [(1, 0.05), (3, 0.05), (100, 1000.0)])
def test_edges_may_go_in_the_hour_in_which_they_come(max_edges: int, min_weight: float) -> None:
    edges = EdgeSettings(max_edges=max_edges, half_life_ticks=24, min_weight=min_weight)
    settings = replace(SETTINGS, graph=GraphSettings(edges=edges, clean_every_ticks=1))
    reports = run(hours(2), settings)
    assert len(reports) == 24 * DAYS


def test_what_is_needed_of_a_burst_is_a_setting() -> None:
    made = hours(0)
    assert not bursting(run(made, replace(SETTINGS, min_authors=100)))
    assert not bursting(run(made, replace(SETTINGS, min_growth=1000.0)))


def test_a_burst_is_held_against_all_that_is_watched(monkeypatch: pytest.MonkeyPatch) -> None:
    made = hours(0)
    assert bursting(run(made))
    monkeypatch.setattr(challenges, "WATCHED_FDR", 1e-30)
    assert not bursting(run(made))


def test_what_nearly_everybody_uses_makes_no_challenge(monkeypatch: pytest.MonkeyPatch) -> None:
    made = hours(0)
    monkeypatch.setattr(challenges, "COMMON", 0.04)  # one of twenty reels has each of the two
    assert bursting(run(made))
    monkeypatch.setattr(challenges, "COMMON_USES", 100)
    assert not bursting(run(made))
    monkeypatch.setattr(challenges, "COMMON", 0.2)
    assert bursting(run(made))
