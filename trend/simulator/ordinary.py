"""What a reel has without anything rising: a topic, a sound, hashtags, numbers."""

from datetime import datetime

import numpy as np

from trend.simulator.catalogue import TOPIC_TAGS, Catalogue
from trend.simulator.draw import FloatArray, IntArray, by_weight, zipf_weights
from trend.simulator.people import UTC_OFFSET_H
from trend.simulator.rhythm import DAY, local_weekday
from trend.simulator.words import TOPICS, WEEKLY_TAGS

NO_SOUND = -1
OWN_SOUND = -2
"""The author recorded it: the reel's sound is its own and nobody else's."""

TAG_COLUMNS = 8
"""Column 0 is for what rises, column 1 for weekly and occasional tags, the others as they come."""

TOPIC_SOUNDS = 200
_TAG_COUNT = np.array([0.12, 0.15, 0.20, 0.20, 0.15, 0.10, 0.08])  # of 0 to 6 tags


def choose_topics(rng: np.random.Generator, author_topic: IntArray, time: FloatArray) -> IntArray:
    """Choose the author's topic for most reels, for the rest what is talked of that day."""
    day = (time // DAY).astype(np.int64)
    talk = np.exp(_walk(rng, day, len(TOPICS), 0.2))
    topic = author_topic.copy()
    for today in np.unique(day):
        rows = np.flatnonzero((day == today) & (rng.random(len(day)) < 0.3))
        topic[rows] = by_weight(rng, talk[today], len(rows))
    return topic


def choose_sounds(
    rng: np.random.Generator, topic: IntArray, time: FloatArray, catalogue: Catalogue
) -> IntArray:
    """Choose sounds: half are the author's own, some none, the rest by Zipf with a daily drift."""
    size = len(topic)
    sound = np.full(size, OWN_SOUND, np.int64)
    draw = rng.random(size)
    sound[draw < 0.05] = NO_SOUND
    rows = np.flatnonzero((draw >= 0.05) & (draw < 0.27))
    sound[rows] = topic[rows] * TOPIC_SOUNDS + by_weight(
        rng, zipf_weights(TOPIC_SOUNDS, 0.9, 4.0), len(rows)
    )
    everyones = zipf_weights(catalogue.ordinary_sounds, 0.9, 8.0)
    everyones = rng.permutation(everyones)
    day = (time // DAY).astype(np.int64)
    drift = np.exp(_walk(rng, day, catalogue.ordinary_sounds, 0.12))
    shared = (draw >= 0.27) & (draw < 0.5)
    for today in np.unique(day):
        rows = np.flatnonzero(shared & (day == today))
        sound[rows] = by_weight(rng, everyones * drift[today], len(rows))
    return sound


def choose_tags(
    rng: np.random.Generator,
    language: IntArray,
    topic: IntArray,
    catalogue: Catalogue,
) -> IntArray:
    """Choose none to six hashtags: generic ones, the topic's, and those of small circles.

    Gives indices (rows, TAG_COLUMNS), -1 for none; columns 0 and 1 are left empty.
    """
    size = len(topic)
    tags = np.full((size, TAG_COLUMNS), -1, np.int64)
    count = by_weight(rng, _TAG_COUNT, size)
    for column in range(2, TAG_COLUMNS):
        rows = np.flatnonzero(count >= column - 1)
        draw = rng.random(len(rows))
        generic = by_weight(rng, zipf_weights(len(catalogue.generic_tags), 0.9), len(rows))
        own = by_weight(rng, zipf_weights(TOPIC_TAGS, 0.8), len(rows))
        tail = by_weight(rng, zipf_weights(len(catalogue.tail_tags), 0.7), len(rows))
        tags[rows, column] = np.select(
            [draw < 0.3, draw < 0.8],
            [
                catalogue.generic_tags[generic],
                catalogue.topic_tags[language[rows], topic[rows], own],
            ],
            catalogue.tail_tags[tail],
        )
        for before in range(2, column):
            tags[tags[:, before] == tags[:, column], column] = -1
    return tags


def add_weekly_tags(
    rng: np.random.Generator,
    tags: IntArray,
    time: FloatArray,
    region: IntArray,
    start: datetime,
    catalogue: Catalogue,
) -> None:
    """Write weekly tags into column 1 of `tags`: twenty to sixty times as many on their day."""
    weekday = local_weekday(time, start, UTC_OFFSET_H[region]).astype(np.int64)
    for tag, day in zip(catalogue.weekly_tags.tolist(), WEEKLY_TAGS.values(), strict=True):
        share = rng.uniform(0.003, 0.012)
        chance = np.where(weekday == day, share, share / rng.uniform(20, 60))
        tags[rng.random(len(time)) < chance, 1] = tag


def add_monthly_tags(
    rng: np.random.Generator,
    tags: IntArray,
    time: FloatArray,
    region: IntArray,
    start: datetime,
    monthly: dict[int, int],
) -> None:
    """Write the tags of `monthly` (index to day of the month) into column 1 of `tags`.

    Thirty to a hundred times as many come on their day as on another.
    """
    local = np.datetime64(start.replace(tzinfo=None), "s") + (
        time + UTC_OFFSET_H[region] * 3600
    ).astype("timedelta64[s]")
    day = (local.astype("datetime64[D]") - local.astype("datetime64[M]")).astype(np.int64) + 1
    for tag, its in monthly.items():
        share = rng.uniform(0.004, 0.012)
        chance = np.where(day == its, share, share / rng.uniform(30, 100))
        tags[rng.random(len(time)) < chance, 1] = tag


def draw_metrics(rng: np.random.Generator, followers: IntArray) -> IntArray:
    """Draw views, likes, comments, shares and saves (rows, 5) of reels that are hours old."""
    size = len(followers)
    views = np.exp(rng.normal(3.2, 1.4, size)) * (1 + followers) ** 0.55
    rates = np.exp(rng.normal(0.0, 0.5, (size, 4))) * np.array([0.06, 0.003, 0.005, 0.008])
    numbers = np.concatenate([views[:, None], views[:, None] * rates], axis=1)
    metrics: IntArray = np.minimum(numbers, 5e8).astype(np.int64)
    return metrics


LIFTS: dict[str, tuple[float, float]] = {
    "trend": (2.5, 1.6),
    "pair": (1.8, 1.4),
    "look": (2.5, 1.6),
    "fizzle": (1.3, 1.1),
    "spam": (0.3, 0.4),
}
"""How many more people see a reel of what rises, and how many more of them share or save it."""


def lift_metrics(
    rng: np.random.Generator, metrics: IntArray, views: FloatArray, passed_on: FloatArray
) -> None:
    """Raise numbers of reels by factors of each, and by chance.

    `views` raises all numbers of a reel, `passed_on` its shares and saves besides. One reel says
    little: its own luck is a factor of 2 either way.
    """
    luck = np.exp(rng.normal(0.0, 0.7, len(metrics)))
    factor = np.repeat((views * luck)[:, None], metrics.shape[1], axis=1)
    factor[:, 3:] *= passed_on[:, None]
    raised = (views != 1.0) | (passed_on != 1.0)
    metrics[raised] = np.minimum(metrics[raised] * factor[raised], 5e8).astype(np.int64)


def _walk(rng: np.random.Generator, day: IntArray, width: int, step: float) -> FloatArray:
    """Random walk over the days (days, width), which starts at 0."""
    steps = rng.normal(0.0, step, (int(day.max(initial=0)) + 1, width))
    steps[0] = 0.0
    return np.cumsum(steps, axis=0)
