"""Who posts: authors with a home, a language, a topic, followers and a very uneven diligence."""

from dataclasses import dataclass

import numpy as np

from trend.simulator.draw import FloatArray, IntArray, by_weight, zipf_weights
from trend.simulator.words import LANGUAGES, REGIONS, TOPICS

REGION_SHARE = np.array([region.share for region in REGIONS])
REGION_LANGUAGE = np.array([LANGUAGES.index(region.language) for region in REGIONS])
UTC_OFFSET_H = np.array([region.utc_offset_h for region in REGIONS])


@dataclass(frozen=True, slots=True)
class People:
    """Authors in columns; the last `bots` of them post only when a spam crew makes them.

    `region`, `language` and `topic` are indices; `activity` is a weight, 0 for a bot.
    """

    region: IntArray
    language: IntArray
    topic: IntArray
    followers: IntArray
    activity: FloatArray
    bots: int

    def in_language(self, language: int) -> FloatArray:
        """Weights of the authors who write a language, 0 for the others."""
        return np.where(self.language == language, self.activity, 0.0)

    def in_region(self, region: int) -> FloatArray:
        """Weights of the authors of a region, 0 for the others; below 0 is everywhere."""
        return self.activity if region < 0 else np.where(self.region == region, self.activity, 0.0)

    def post(self, rng: np.random.Generator, region: IntArray) -> IntArray:
        """Choose an author for each reel that comes from a region."""
        author = np.zeros(len(region), np.int64)
        for code in range(len(REGIONS)):
            rows = np.flatnonzero(region == code)
            author[rows] = by_weight(rng, self.in_region(code), len(rows))
        return author


def make_people(rng: np.random.Generator, count: int, bots: int) -> People:
    """Draw `count` authors and `bots` spam accounts."""
    everybody = count + bots
    region = by_weight(rng, REGION_SHARE, everybody)
    region[: len(REGIONS)] = np.arange(len(REGIONS))  # nobody's region stays empty
    diligence = rng.normal(0.0, 1.1, everybody)
    fame = 0.5 * diligence + rng.normal(0.0, 1.9, everybody)
    activity = np.exp(diligence)
    activity[count:] = 0.0
    followers = np.minimum(np.exp(6.2 + fame), 2e8).astype(np.int64)
    followers[count:] = rng.integers(0, 60, bots)
    english = rng.random(everybody) < 0.05
    return People(
        region=region,
        language=np.where(english, LANGUAGES.index("en"), REGION_LANGUAGE[region]),
        topic=by_weight(rng, zipf_weights(len(TOPICS), 0.7), everybody),
        followers=followers,
        activity=activity,
        bots=bots,
    )
