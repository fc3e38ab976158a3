"""Writes the answer key of a stream from its bursts and its finished reels."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np

from trend.simulator.bursts import NONE, Burst
from trend.simulator.catalogue import Catalogue
from trend.simulator.draw import IntArray
from trend.simulator.rhythm import HOUR, Rhythm
from trend.simulator.truth import (
    VERSION,
    Disruption,
    Distraction,
    MonthlyTag,
    Planted,
    Truth,
    TruthMember,
    WeeklyTag,
)
from trend.simulator.words import LANGUAGES, REGIONS, WEEKLY_TAGS


def answer_key(
    settings: Mapping[str, int | float | str | bool],
    start: datetime,
    rhythm: Rhythm,
    catalogue: Catalogue,
    bursts: tuple[Burst, ...],
    time: IntArray,
    author: IntArray,
    burst: IntArray,
    tags: IntArray,
    monthly: Mapping[int, int],
    *,
    lines: int,
    malformed: int,
) -> Truth:
    """Describe what was planted; times and counts are those of the reels as published.

    `time` (seconds from `start`, sorted), `author`, `burst` and `tags` are columns of the reels,
    `monthly` the days of the month of the tags that have one.
    """

    def at(seconds: float) -> datetime:
        return start + timedelta(seconds=int(seconds))

    groups = np.argsort(burst, kind="stable")
    edges = np.searchsorted(burst[groups], np.arange(len(bursts) + 1))
    trends: list[Planted] = []
    fizzles: list[Distraction] = []
    spam: list[Distraction] = []
    for index, one in enumerate(bursts):
        rows = groups[edges[index] : edges[index + 1]]
        first, last = at(time[rows[0]]), at(time[rows[-1]])
        people = len(np.unique(author[rows]))
        region = REGIONS[one.region].code if one.region >= 0 else None
        if one.key.startswith(("trend", "pair", "look")):
            peak = one.peak
            for outage in rhythm.outages:  # who would have come at the peak came right after it
                if outage.start <= peak < outage.end:
                    peak = outage.end + (outage.settled - outage.end) / 4
            trends.append(
                Planted(
                    key=one.key,
                    kind=one.kind,
                    members=one.members,
                    region=region,
                    start=first,
                    peak=at(peak),
                    end=last,
                    reels=len(rows),
                    reels_before_peak=int(np.count_nonzero(time[rows] < int(peak))),
                    authors=people,
                    doubling_h=round(one.doubling / HOUR, 2),
                    language=LANGUAGES[one.language] if one.language != NONE else None,
                    half_up=at(one.half[0]),
                    half_down=at(one.half[1]),
                )
            )
        else:
            (fizzles if one.key.startswith("fizzle") else spam).append(
                Distraction(
                    key=one.key,
                    kind=one.kind,
                    members=one.members,
                    region=region,
                    start=first,
                    end=last,
                    reels=len(rows),
                    authors=people,
                )
            )
    weekly = [
        WeeklyTag(
            key=f"weekly-{day}",
            members=(TruthMember(kind="hashtag", id=catalogue.tags[tag]),),
            weekday=day,
            reels=int(np.count_nonzero(tags[:, 1] == tag)),
        )
        for tag, day in zip(catalogue.weekly_tags.tolist(), WEEKLY_TAGS.values(), strict=True)
    ]
    of_months = [
        MonthlyTag(
            key=f"monthly-{day}",
            members=(TruthMember(kind="hashtag", id=catalogue.tags[tag]),),
            day=day,
            reels=int(np.count_nonzero(tags[:, 1] == tag)),
        )
        for tag, day in monthly.items()
    ]
    surges = [
        Disruption(
            key=f"surge-{number}",
            start=at(x.start),
            end=at(x.end),
            settled=at(x.end),
            factor=round(x.factor, 3),
        )
        for number, x in enumerate(rhythm.surges)
    ]
    outages = [
        Disruption(
            key=f"outage-{number}",
            start=at(x.start),
            end=at(x.end),
            settled=at(x.settled),
            factor=0.0,
        )
        for number, x in enumerate(rhythm.outages)
    ]
    return Truth(
        version=VERSION,
        settings=dict(settings),
        start=start,
        end=at(rhythm.seconds),
        reels=len(time),
        lines=lines,
        malformed=malformed,
        trends=tuple(trends),
        fizzles=tuple(fizzles),
        spam=tuple(spam),
        weekly=tuple(weekly),
        surges=tuple(surges),
        outages=tuple(outages),
        monthly=tuple(of_months),
    )
