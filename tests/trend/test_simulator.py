"""The simulated stream: what is in it, that it follows the contract, and that the truth is true."""

import json
from collections import Counter
from datetime import datetime, timedelta
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.evaluate import read_truth
from flows.simulate import lines, reel_ids, simulate_to
from operators.blocks import Poll
from operators.decode import decode
from operators.faults import classify
from schemas import reels as contract
from trend.simulator import Simulation, SimulatorSettings, simulate
from trend.simulator.catalogue import Catalogue, normal_form
from trend.simulator.draw import generator
from trend.simulator.malformed import MALFORMED
from trend.simulator.people import UTC_OFFSET_H
from trend.simulator.truth import Planted
from trend.simulator.words import LANGUAGES

QUICK = SimulatorSettings(days=3, reels_per_day=6_000)
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def stream() -> Simulation:
    return simulate(QUICK)


@pytest.fixture(scope="module")
def written(stream: Simulation) -> list[bytes]:
    return list(lines(stream))


@pytest.fixture(scope="module")
def good(written: list[bytes]) -> list[contract.Reel]:
    """The reels of all lines but the malformed ones, in the order of arrival."""
    return [contract.decode(line) for line in written if classify(line) is None]


@pytest.fixture(scope="module")
def once(good: list[contract.Reel]) -> dict[str, contract.Reel]:
    """Each reel as it came first."""
    return {reel.reel_id: reel for reel in reversed(good)}


@pytest.fixture(scope="module")
def fortnight() -> Simulation:
    return simulate(SimulatorSettings(days=14, reels_per_day=3_000))


def signals(reel: contract.Reel) -> set[tuple[str, str]]:
    """Sound and hashtags of a reel in normal form; phrases are looked for in `says`."""
    caption = normal_form(reel.caption or "")
    tags = [word[1:] for word in caption.split() if word.startswith("#")]
    found = {("hashtag", normal_form(tag)) for tag in (reel.hashtags or tags)}
    if reel.audio is not None and reel.audio.audio_id is not None:
        found.add(("sound", reel.audio.audio_id))
    return found


def says(reel: contract.Reel, phrase: str) -> bool:
    return f" {phrase} " in f" {normal_form(reel.caption or '')} "


def carries(reel: contract.Reel, trend: Planted) -> bool:
    have = signals(reel)
    return any(
        says(reel, x.id) if x.kind == "phrase" else (x.kind, x.id) in have for x in trend.members
    )


def test_the_same_settings_write_the_same_bytes(tmp_path: Path) -> None:
    small = SimulatorSettings(days=2, reels_per_day=1_000, malformed=0.02)
    for name in ("a", "b"):
        simulate_to(tmp_path / name, small)
    for file in ("reels.jsonl", "truth.json"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_two_seeds_give_two_streams(stream: Simulation) -> None:
    other = simulate(SimulatorSettings(seed=1, days=3, reels_per_day=6_000))
    assert not np.array_equal(other.reels.time, stream.reels.time)
    ours = {member for trend in stream.truth.trends for member in trend.members}
    assert ours.isdisjoint(member for trend in other.truth.trends for member in trend.members)


def test_files_summary_and_progress_agree_with_the_truth(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    settings = SimulatorSettings(days=2, reels_per_day=6_000)
    summary = simulate_to(
        tmp_path / "new", settings, lambda done, total: calls.append((done, total))
    )
    text = summary.reels_file.read_bytes()
    truth = read_truth(summary.truth_file)
    assert text.count(b"\n") == summary.lines == truth.lines
    assert calls == [(10_000, truth.lines), (truth.lines, truth.lines)]
    assert (summary.reels, summary.malformed) == (truth.reels, truth.malformed) == (12_000, 25)
    assert truth == simulate(settings).truth


def test_the_decode_step_refuses_the_malformed_lines_and_no_other(
    stream: Simulation, written: list[bytes], good: list[contract.Reel]
) -> None:
    poll = Poll(partition="p", record=0, offset=0, data=b"\n".join(written) + b"\n")
    decoded = decode(poll)
    assert len(written) == stream.truth.lines
    assert len(decoded.rejects) == stream.truth.malformed > len(MALFORMED)
    ids = [reel.reel_id for reel in good]
    assert decoded.reels.texts("reel_id") == ids
    assert set(ids) == set(reel_ids(stream))


def test_good_lines_do_not_depend_on_the_malformed_ones(written: list[bytes]) -> None:
    clean = list(lines(simulate(SimulatorSettings(days=3, reels_per_day=6_000, malformed=0.0))))
    bad = set(written) - set(clean)
    assert [line for line in written if line not in bad] == clean
    assert len(bad) == len(written) - len(clean) > len(MALFORMED)


def test_each_malformed_line_is_refused_for_its_reason() -> None:
    reel = {"reel_id": "r", "published_at": "2026-01-05T00:00:00Z", "author_id": "a"}
    faults = {name: classify(make(reel)) for name, make in MALFORMED.items()}
    assert {name: fault and fault.error for name, fault in faults.items()} == {
        "truncated": "invalid_json",
        "not_json": "invalid_json",
        "not_an_object": "wrong_type",
        "wrong_type": "wrong_type",
        "wrong_number": "invalid_value",
        "missing_reel_id": "missing_field",
        "missing_published_at": "missing_field",
        "missing_author_id": "missing_field",
        "unparseable_time": "invalid_time",
        "absurd_time": "absurd_time",
        "invalid_utf8": "invalid_utf8",
        "long_id": "id_too_long",
        "many_hashtags": "too_many_hashtags",
        "nesting_bomb": "too_deep",
        "oversized": "line_too_long",
    }


def test_planted_reels_are_in_the_lines_as_the_truth_counts_them(
    stream: Simulation, once: dict[str, contract.Reel]
) -> None:
    ids = np.array(reel_ids(stream))
    assert len(stream.truth.trends) == 6
    for index, trend in enumerate(stream.truth.trends):
        planted = [once[reel_id] for reel_id in ids[stream.reels.burst == index].tolist()]
        assert len(planted) == trend.reels >= 60
        assert all(carries(reel, trend) for reel in planted)
        times = [reel.published_at for reel in planted]
        assert (min(times), max(times)) == (trend.start, trend.end)
        assert sum(time < trend.peak for time in times) == trend.reels_before_peak
        assert len({reel.author_id for reel in planted}) == trend.authors > 0.9 * trend.reels
        if trend.region is not None:
            assert {reel.region for reel in planted} == {trend.region}
        others = sum(carries(reel, trend) for reel in once.values()) - trend.reels
        assert others <= 3 * 2 * 2 * 2  # known before: up to twice a day, a sound and a tag


def test_every_member_is_used_by_planted_reels(
    stream: Simulation, once: dict[str, contract.Reel]
) -> None:
    for trend in stream.truth.trends:
        for member in trend.members:
            uses = sum(
                says(reel, member.id)
                if member.kind == "phrase"
                else (member.kind, member.id) in signals(reel)
                for reel in once.values()
            )
            assert uses >= 10, (trend.key, member)


@pytest.mark.parametrize("seed", [0, 1, 2, 81])
def test_a_short_stream_has_several_kinds_that_mostly_peak_after_the_first_day(seed: int) -> None:
    truth = simulate(SimulatorSettings(seed=seed, days=3, reels_per_day=6_000)).truth
    late = [trend for trend in truth.trends if trend.peak > truth.start + 24 * HOUR]
    assert len(late) >= 4
    assert {trend.kind for trend in truth.trends} == {"challenge", "hashtag", "sound", "phrase"}
    assert all(truth.start <= x.start < x.peak < x.end < truth.end for x in truth.trends)


def test_the_peak_is_near_the_busiest_hours(fortnight: Simulation) -> None:
    for index, trend in enumerate(fortnight.truth.trends):
        if trend.reels < 150:
            continue
        times = fortnight.reels.time[fortnight.reels.burst == index]
        smooth = np.convolve(np.bincount(times // 600), np.ones(36), "same")  # six hours
        peak = (trend.peak - fortnight.truth.start) // timedelta(minutes=10)
        assert smooth[peak] >= 0.5 * smooth.max(), trend


def test_volume_has_a_daily_wave_by_the_clock_of_each_region(fortnight: Simulation) -> None:
    reels = fortnight.reels
    for code in (0, 2, 9):  # US, IN, JP
        local = (reels.time[reels.region == code] / 3600 + UTC_OFFSET_H[code]) % 24
        hours = np.bincount(local.astype(int), minlength=24)
        assert hours[18:22].sum() > 1.5 * hours[2:6].sum()


def test_nothing_is_published_in_an_outage_and_much_right_after_it(fortnight: Simulation) -> None:
    (outage,) = fortnight.truth.outages
    begin, end, settled = (
        int((x - fortnight.truth.start).total_seconds())
        for x in (outage.start, outage.end, outage.settled)
    )
    time = fortnight.reels.time
    assert not ((time > begin) & (time < end)).any()
    before = ((time > begin - (settled - end)) & (time <= begin)).sum()
    assert ((time >= end) & (time < settled)).sum() > 1.5 * before


def test_a_surge_lifts_the_volume(fortnight: Simulation) -> None:
    time = fortnight.reels.time
    assert len(fortnight.truth.surges) == 3
    for surge in fortnight.truth.surges:
        begin = (surge.start - fortnight.truth.start).total_seconds()
        length = (surge.end - surge.start).total_seconds()
        day = 86_400
        usual = [((time >= begin + at) & (time < begin + at + length)).sum() for at in (-day, day)]
        assert ((time >= begin) & (time < begin + length)).sum() > 1.2 * np.mean(usual)


def test_weekly_tags_come_on_their_day(fortnight: Simulation) -> None:
    for weekly in fortnight.truth.weekly:
        tag = fortnight.catalogue.tags.index(weekly.members[0].id)
        rows = (fortnight.reels.tags == tag).any(axis=1)
        local = fortnight.reels.time[rows] / 3600 + UTC_OFFSET_H[fortnight.reels.region[rows]]
        weekday = (local // 24).astype(int) % 7  # the stream starts on a Monday
        assert rows.sum() == weekly.reels > 10
        assert (weekday == weekly.weekday).mean() > 0.6


def test_fizzles_stay_small_and_spam_is_a_few_accounts_or_dozens(fortnight: Simulation) -> None:
    fizzles, spam = fortnight.truth.fizzles, fortnight.truth.spam
    sizes = [fizzle.reels for fizzle in fizzles]
    assert (min(sizes), max(sizes)) == (5, 60)
    assert np.median(sizes) < 15
    kinds = Counter(fizzle.kind for fizzle in fizzles)
    assert 0.3 < kinds["challenge"] / len(fizzles) < 0.4
    crews = [crew.authors for crew in spam]
    assert all(1 <= size <= 5 or 30 <= size <= 80 for size in crews)
    assert any(size > 5 for size in crews)
    others = fortnight.reels.author[fortnight.reels.burst < 0]
    accounts = fortnight.reels.author[fortnight.reels.burst >= len(fortnight.bursts) - len(spam)]
    assert not np.isin(accounts, others).any()


def test_lines_are_mostly_in_order_and_some_come_late(good: list[contract.Reel]) -> None:
    seen: set[str] = set()
    times = []
    for reel in good:
        if reel.reel_id not in seen:
            seen.add(reel.reel_id)
            times.append(reel.published_at)
    latest = list(accumulate(times, max))
    behind = [(high - time) / HOUR for high, time in zip(latest, times, strict=True)]
    assert 0.02 < np.mean(np.array(behind) > 1 / 60) < 0.05
    assert 1 < max(behind) < 6.5
    assert np.mean([a <= b for a, b in pairwise(times)]) > 0.8


def test_lines_are_ordered_by_when_they_were_observed(good: list[contract.Reel]) -> None:
    known: set[str] = set()
    last = datetime.min.replace(tzinfo=QUICK.start.tzinfo)
    for reel in good:
        if reel.reel_id in known:
            continue
        assert reel.observed_at is not None
        known.add(reel.reel_id)
        assert last <= reel.observed_at >= reel.published_at
        last = reel.observed_at


def test_a_reel_may_come_again_the_same_or_with_more(written: list[bytes]) -> None:
    first: dict[str, bytes] = {}
    seen: Counter[str] = Counter()
    for line in written:
        if classify(line) is not None:
            continue
        reel = contract.decode(line)
        if reel.reel_id not in first:
            first[reel.reel_id] = line
            continue
        before: dict[str, Any] = json.loads(first[reel.reel_id])
        after: dict[str, Any] = json.loads(line)
        if line == first[reel.reel_id]:
            seen["same"] += 1
            continue
        changed = {name for name in after if after[name] != before.get(name)}
        assert changed <= {"observed_at", "metrics", "transcript"}
        assert all(after["metrics"][x] >= before["metrics"][x] for x in before["metrics"])
        seen["transcript" if "transcript" in changed else "metrics"] += 1
    assert sum(seen.values()) == round(0.03 * QUICK.days * QUICK.reels_per_day)
    assert min(seen[x] for x in ("same", "metrics", "transcript")) > 100


def test_use_is_heavy_tailed_and_in_several_languages(stream: Simulation) -> None:
    reels = stream.reels
    assert 0.4 < np.mean(reels.sound == -2) < 0.6  # the author's own sound
    for column in (reels.sound[reels.sound >= 0], reels.tags[reels.tags >= 0], reels.author):
        counts = np.sort(np.bincount(column))[::-1]
        counts = counts[counts > 0]
        assert counts[: len(counts) // 10].sum() > 0.35 * counts.sum()
    assert (np.bincount(reels.language, minlength=4) / len(reels) > 0.04).all()


def test_names_do_not_run_out_and_are_never_coined_twice() -> None:
    catalogue = Catalogue(generator(0, "test"))
    for coin in (catalogue.coin_tag, catalogue.coin_phrase, catalogue.coin_sound):
        assert len({coin("pt") for _ in range(2_000)}) == 2_000
    ids = [x for phrase in range(2_000) for x in catalogue.phrase_ids(phrase)]
    assert len(set(ids)) == len(ids)


def test_a_quiet_stream_has_none_of_what_is_switched_off() -> None:
    quiet = SimulatorSettings(
        days=1,
        reels_per_day=500,
        trends=0,
        fizzles=0,
        spam=0,
        malformed=0,
        late=0,
        duplicates=0,
    )
    stream = simulate(quiet)
    assert (stream.truth.trends, stream.truth.fizzles, stream.truth.spam) == ((), (), ())
    assert len(list(lines(stream))) == 500


def test_pairs_are_together_on_their_days_alone_and_each_member_stays_flat() -> None:
    settings = SimulatorSettings(seed=3, days=9, reels_per_day=4000, pairs=6)
    stream = simulate(settings)
    truth = [one for one in stream.truth.trends if one.kind == "pair"]
    assert len(truth) == 6
    bursts = [one for one in stream.bursts if one.kind == "pair"]
    reels, growths = stream.reels, []
    for said, one in zip(truth, bursts, strict=True):
        tagged = (reels.tags == one.tag).any(axis=1)
        sounded = reels.sound == one.sound
        day = reels.time[tagged & sounded & (reels.burst >= 0)]
        busiest = (np.searchsorted(day, day + 86_400) - np.arange(day.size)).max()
        by_chance = np.count_nonzero(tagged) * np.count_nonzero(sounded) / len(reels)
        assert np.count_nonzero(tagged & sounded & (reels.burst < 0)) <= 1.5 * by_chance
        growths += [
            busiest / np.count_nonzero(used & (reels.burst < 0)) * 9 for used in (tagged, sounded)
        ]
        assert said.reels == day.size
        assert 0 < said.reels_before_peak < said.reels
    assert max(growths) < 0.3


@pytest.fixture(scope="module")
def varied() -> Simulation:
    return simulate(SimulatorSettings(seed=5, days=12, reels_per_day=8000, varied=True))


def test_a_varied_stream_has_slow_and_linear_trends_and_some_in_one_language(
    varied: Simulation,
) -> None:
    trends = varied.truth.trends
    assert {one.kind for one in trends} == {"challenge", "hashtag", "sound", "phrase", "linear"}
    spoken = [index for index, one in enumerate(trends) if one.language is not None]
    assert len(spoken) >= 2
    for index in spoken:
        of_it = varied.reels.language[varied.reels.burst == index]
        assert {LANGUAGES[code] for code in of_it.tolist()} == {trends[index].language}
    assert any(one.region is not None for one in trends)


def test_trends_of_a_varied_stream_double_in_two_hours_to_three_days() -> None:
    settings = SimulatorSettings(
        seed=5, days=14, reels_per_day=1000, trends=80, fizzles=0, spam=0, varied=True
    )
    trends = simulate(settings).truth.trends
    doublings = [one.doubling_h for one in trends if one.kind != "linear"]
    assert 2 <= min(doublings) < 4
    assert 48 < max(doublings) <= 72


def test_linear_trends_grow_by_as_much_every_day(varied: Simulation) -> None:
    risen, shares = 0, []
    for index, one in enumerate(varied.truth.trends):
        if one.kind != "linear":
            continue
        assert one.half_up is not None
        times = varied.reels.time[varied.reels.burst == index]
        half = (one.half_up - varied.truth.start).total_seconds()
        rise = 2 * one.doubling_h * 3600
        assert rise > 2.5 * 86_400
        # of a triangle's area a quarter is before its middle
        shares.append((times < half).sum() / (times < half + rise / 2).sum())
        risen += 1
    assert risen >= 3
    assert 0.15 < np.mean(shares) < 0.35


def test_cascades_of_a_varied_stream_are_at_most_half_of_a_small_trend(varied: Simulation) -> None:
    smallest = min(one.reels for one in varied.truth.trends if one.region is None)
    assert max(one.reels for one in varied.truth.fizzles) <= smallest / 2
    doublings = [one.doubling / 3600 for one in varied.bursts if one.key.startswith("fizzle")]
    assert 0.7 <= min(doublings) < 2
    assert 12 < max(doublings) <= 16


def test_spellings_of_a_tag_are_all_in_the_truth_and_in_the_reels(varied: Simulation) -> None:
    tags = np.array(varied.catalogue.tags)
    several = 0
    for index, trend in enumerate(varied.truth.trends):
        of_it = varied.reels.burst == index
        spelt = {one.id for one in trend.members if one.kind == "hashtag"}
        if len(spelt) < 2:
            continue
        several += 1
        first = varied.reels.tags[of_it, 0]
        second = varied.reels.tags[of_it, 1]
        assert {*tags[first[first >= 0]].tolist()} <= spelt
        both = np.isin(second, np.flatnonzero(np.isin(tags, [*spelt])))
        assert 0 < both.mean() < 0.4
        assert (first[both] != second[both]).all()
        counts = [np.count_nonzero(tags[first] == tag) for tag in spelt]
        assert max(counts) >= 0.3 * sum(counts)
    assert several >= 5


def test_tags_of_a_day_of_the_month_come_on_it(varied: Simulation) -> None:
    start = varied.truth.start
    on_their_day = [one for one in varied.truth.monthly if one.day in (8, 12, 15)]
    assert len(on_their_day) == 3
    for monthly in on_their_day:
        tag = varied.catalogue.tags.index(monthly.members[0].id)
        rows = (varied.reels.tags == tag).any(axis=1)
        shifts = UTC_OFFSET_H[varied.reels.region[rows]]
        days = [
            (start + timedelta(seconds=int(time)) + timedelta(hours=float(shift))).day
            for time, shift in zip(varied.reels.time[rows], shifts, strict=True)
        ]
        assert rows.sum() >= 10
        assert np.mean(np.array(days) == monthly.day) > 0.5
    assert simulate(QUICK).truth.monthly == ()


def test_spam_of_a_varied_stream_is_fast_or_slow() -> None:
    truth = simulate(
        SimulatorSettings(seed=5, days=10, reels_per_day=4000, spam=60, varied=True)
    ).truth
    for many in (False, True):
        hours = [(x.end - x.start) / HOUR for x in truth.spam if (x.authors > 5) == many]
        assert min(hours) < 6
        assert max(hours) > 48


def test_reels_of_trends_are_seen_and_passed_on_more_than_others(varied: Simulation) -> None:
    reels = varied.reels
    followers = varied.people.followers[reels.author]
    views, likes, _, shares, saves = reels.metrics.T.astype(float)
    reach = np.log((views + 1) / (followers + 1.0) ** 0.55)
    keys = np.array([one.key.split("-")[0] for one in varied.bursts] + ["none"])[reels.burst]
    means = {
        key: (
            reach[keys == key].mean(),
            (shares + saves)[keys == key].sum() / likes[keys == key].sum(),
        )
        for key in ("trend", "fizzle", "none")
    }
    spreads = reach[keys == "none"].std()
    for trend, fizzle, none in zip(*means.values(), strict=True):
        assert trend > 1.05 * fizzle > 1.05 * none
    assert means["trend"][0] - means["none"][0] < spreads  # one reel says little
    assert reach[keys == "spam"].mean() < means["none"][0]


@pytest.mark.parametrize(
    ("name", "value"),
    [("days", 0), ("reels_per_day", 10), ("seed", -1), ("late", 0.9), ("malformed", -0.1)],
)
def test_a_setting_out_of_range_is_named_with_what_was_expected(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"^{name} is {value}: expected "):
        SimulatorSettings(**{name: value})  # type: ignore[arg-type]


def test_a_start_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="start is 2026-01-05T00:00:00: expected a whole second"):
        SimulatorSettings(start=datetime(2026, 1, 5))  # noqa: DTZ001
