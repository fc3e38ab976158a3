"""What rises: planted trends, cascades that fizzle and spam crews, as reels that carry a signal."""

from dataclasses import dataclass, replace

import numpy as np

from trend.simulator.catalogue import Catalogue
from trend.simulator.draw import FloatArray, IntArray, distinct_by_weight, log_uniform
from trend.simulator.people import REGION_LANGUAGE, REGION_SHARE, People
from trend.simulator.rhythm import DAY, EVERYWHERE, GRID_SECONDS, HOUR, Rhythm, draw_times
from trend.simulator.truth import TruthMember
from trend.simulator.words import LANGUAGES

NONE = -1
"""Index that says: no sound, no tag, no phrase."""

SMALLEST_TREND = 60
SMALLEST_VARIED_TREND = 120
LARGEST_TREND = 20_000
LARGEST_FIZZLE = 60

_SPOKEN_WITH_SPACES = (0.7, 0.15, 0.15, 0.0)  # languages of phrases; Japanese has no word breaks
_TREND_KINDS = ("challenge", "hashtag", "sound", "phrase", "challenge", "hashtag", "challenge")
_VARIED_KINDS = ("challenge", "hashtag", "sound", "linear", "phrase", "challenge", "hashtag")
_FIZZLE_KINDS = ("challenge", "hashtag", "sound") * 3 + ("challenge", "hashtag", "phrase")


@dataclass(frozen=True, slots=True)
class Uses:
    """Reels of one burst in columns: seconds from the start, author, and indices or NONE.

    `alone` says that the phrase is the whole caption.
    """

    time: FloatArray
    author: IntArray
    sound: IntArray
    tag: IntArray
    phrase: IntArray
    alone: bool = False
    other_tag: IntArray | None = None  # a second spelling in the same reel


@dataclass(frozen=True, slots=True)
class Burst:
    """One thing that rises, its signals and its reels.

    `peak` is in seconds from the start, and so is `half`: from when to when its rate, without the
    daily wave, is at least half of its highest.
    """

    key: str
    kind: str
    members: tuple[TruthMember, ...]
    region: int
    peak: float
    doubling: float
    sound: int
    tag: int
    uses: Uses
    half: tuple[float, float] = (0.0, 0.0)
    language: int = NONE  # of a burst in one language alone
    look: int = NONE  # that its reels have, see trend.simulator.looks


class BurstMaker:
    """Makes bursts of one kind after the other from one generator."""

    def __init__(
        self,
        rng: np.random.Generator,
        catalogue: Catalogue,
        people: People,
        rhythm: Rhythm,
        varied: bool = False,
    ) -> None:
        """Keep what all bursts are made from."""
        self._varied = varied
        self._rng = rng
        self._catalogue = catalogue
        self._people = people
        self._rhythm = rhythm

    def trends(self, count: int, reels_per_day: int) -> list[Burst]:
        """Plant trends: doubling times of 2 h to 2 days, 60 reels to an eighth of a day's.

        If varied, of 2 h to 3 days, from 120 reels, and some that grow linearly.
        """
        if self._varied:
            return self._varied_trends(count, reels_per_day)
        rng, end = self._rng, self._rhythm.seconds
        largest = min(LARGEST_TREND, max(SMALLEST_TREND, reels_per_day // 8))
        kinds = [_TREND_KINDS[at % len(_TREND_KINDS)] for at in range(count)]
        made = []
        for at, kind in enumerate(kinds):
            # evenly over the stream, so that a short one has them on every day
            share = (at + rng.random()) / count
            earliest = min(0.9 * DAY, 0.4 * end)
            peak = earliest + share * (end - 0.35 * DAY - earliest)
            doubling = log_uniform(rng, 2 * HOUR, min(48 * HOUR, (peak - 0.1 * DAY) / 4))
            halving = min(doubling * rng.uniform(0.7, 2.5), 3 * DAY)
            region = int(rng.choice(len(REGION_SHARE), p=REGION_SHARE))
            region = region if rng.random() < 0.35 else EVERYWHERE
            size = round(log_uniform(rng, SMALLEST_TREND, largest))
            burst = self._burst(f"trend-{at}", kind, region, size, peak, doubling, halving)
            for _ in range(6):  # its busiest evening would come after the stream: it was earlier
                if burst.peak <= end - 4 * HOUR:
                    break
                peak = max(peak - 4 * HOUR, 0.3 * end)
                burst = self._burst(f"trend-{at}", kind, region, size, peak, doubling, halving)
            made.append(burst)
        return made

    def _varied_trends(self, count: int, reels_per_day: int) -> list[Burst]:
        rng, end = self._rng, self._rhythm.seconds
        smallest = SMALLEST_VARIED_TREND
        largest = min(LARGEST_TREND, max(smallest, reels_per_day // 8))
        made = []
        for at in range(count):
            kind = _VARIED_KINDS[at % len(_VARIED_KINDS)]
            earliest = min(0.9 * DAY, 0.4 * end)
            peak = earliest + (at + rng.random()) / count * (end - 0.35 * DAY - earliest)
            region, language = EVERYWHERE, NONE
            where = rng.random()
            if where < 0.35:
                region = int(rng.choice(len(REGION_SHARE), p=REGION_SHARE))
            elif where < 0.5:
                language = int(rng.integers(len(LANGUAGES)))
            rise = 0.0
            if kind == "linear":
                peak = max(peak, min(4 * DAY, 0.6 * end))
                rise = min(rng.uniform(3, 8) * DAY, 0.9 * peak)
                doubling, halving = rise / 2, rng.uniform(0.5, 2) * DAY
                size = round(log_uniform(rng, smallest, max(smallest, largest / 4)))
            else:
                doubling = log_uniform(rng, 2 * HOUR, min(72 * HOUR, (peak - 0.1 * DAY) / 3))
                halving = min(doubling * rng.uniform(0.7, 2.5), 3 * DAY)
                size = round(log_uniform(rng, smallest, largest))
            what = ("challenge", "hashtag")[at % 2] if kind == "linear" else kind
            for _ in range(6):  # as above
                burst = self._burst(
                    f"trend-{at}", what, region, size, peak, doubling, halving, rise, language
                )
                if burst.peak <= end - 4 * HOUR:
                    break
                peak = max(peak - 4 * HOUR, 0.3 * end)
            made.append(replace(self._spelt(burst), kind=kind))
        return made

    def _spelt(self, burst: Burst) -> Burst:
        """Spell the hashtag of every other burst in up to four ways, some reels in two of them."""
        rng, uses = self._rng, burst.uses
        if burst.tag == NONE or rng.random() < 0.5:
            return burst
        spellings = self._catalogue.spell(burst.tag, int(rng.integers(1, 4)))
        every = np.array([burst.tag, *spellings])
        chance = np.array([1.0] + [rng.uniform(0.15, 0.6) for _ in spellings])
        size = len(uses.time)
        first, second = rng.choice(every, (2, size), p=chance / chance.sum())
        has = uses.tag != NONE
        both = has & (first != second) & (rng.random(size) < 0.25)
        spelt = replace(
            uses,
            tag=np.where(has, first, NONE),
            other_tag=np.where(both, second, NONE),
        )
        used = set(spelt.tag[has].tolist()) | set(second[both].tolist())
        members = [one for one in burst.members if one.id != self._catalogue.tags[burst.tag]]
        names = [TruthMember(kind="hashtag", id=self._catalogue.tags[tag]) for tag in every]
        said = [name for name, tag in zip(names, every.tolist(), strict=True) if tag in used]
        return replace(burst, members=(*members, *said), uses=spelt)

    def fizzles(self, count: int) -> list[Burst]:
        """Make cascades that stop early: 5 to 60 reels, heavy-tailed, doubling in 0.7 to 8 h.

        If varied, in up to 16 h.
        """
        rng = self._rng
        made = []
        for at in range(count):
            kind = _FIZZLE_KINDS[at % len(_FIZZLE_KINDS)]
            size = min(LARGEST_FIZZLE, int(5 * (1 - rng.random()) ** (-1 / 1.1)))
            peak = rng.uniform(0.02, 0.98) * self._rhythm.seconds
            doubling = log_uniform(rng, 0.7 * HOUR, (16 if self._varied else 8) * HOUR)
            halving = doubling * rng.uniform(0.3, 1.0)
            region = int(rng.choice(len(REGION_SHARE), p=REGION_SHARE))
            region = region if rng.random() < 0.5 else EVERYWHERE
            made.append(self._burst(f"fizzle-{at}", kind, region, size, peak, doubling, halving))
        return made

    def spam(self, accounts: list[IntArray], captions: IntArray) -> list[Burst]:
        """Make one crew for each array of accounts, each with its caption (crews, words).

        Up to five accounts post twenty times or more within a day; more of them one to three
        times each within two days, with edited copies of the caption. If varied, the few take up
        to three days, and the many from two hours to four days.
        """
        rng, catalogue, people = self._rng, self._catalogue, self._people
        made = []
        for at, crew in enumerate(accounts):
            language = LANGUAGES[people.language[crew[0]]]
            few = len(crew) <= 5
            repeats = (
                np.full(len(crew), -(-int(rng.integers(20, 150)) // len(crew)))
                if few
                else rng.integers(1, 4, len(crew))
            )
            author = np.repeat(crew, repeats)
            length = (rng.uniform(2, 24) if few else rng.uniform(6, 48)) * HOUR
            if self._varied:
                length = log_uniform(rng, 2 * HOUR, (72 if few else 96) * HOUR)
            length = min(length, 0.5 * self._rhythm.seconds)
            begin = rng.uniform(0.02, 0.98) * (self._rhythm.seconds - length)
            time = np.sort(begin + length * rng.random(len(author)))
            sound = catalogue.coin_sound(language) if rng.random() < 0.7 else NONE
            tag = catalogue.coin_tag(language) if rng.random() < 0.8 else NONE
            slogan = catalogue.phrases[catalogue.coin_phrase(language)]
            caption = tuple(word for word in captions[at].tolist() if word >= 0)[:10]
            phrase = catalogue.add_phrase(slogan + caption)
            ids = set(catalogue.phrase_ids(len(catalogue.phrases) - 2))
            ids |= {x for x in catalogue.phrase_ids(phrase) if x.count(" ") >= 2}
            uses = Uses(
                time,
                rng.permutation(author),
                np.full(len(author), sound),
                np.full(len(author), tag),
                np.full(len(author), phrase),
                alone=True,
            )
            members = self._members(sound, tag, sorted(ids))
            made.append(
                Burst(f"spam-{at}", "challenge", members, EVERYWHERE, begin, 0.0, sound, tag, uses)
            )
        return made

    def _burst(
        self,
        key: str,
        kind: str,
        region: int,
        size: int,
        peak: float,
        doubling: float,
        halving: float,
        rise: float = 0.0,
        tongue: int = NONE,
    ) -> Burst:
        """Make one that grows linearly for `rise` seconds if that is above 0; `tongue` is the one
        language that it is in.
        """
        rng, catalogue, people = self._rng, self._catalogue, self._people
        language = int(REGION_LANGUAGE[region]) if region >= 0 else max(tongue, 0)
        wordy = kind == "phrase" or (kind == "challenge" and rng.random() < 1 / 3)
        if wordy and (region < 0 or _SPOKEN_WITH_SPACES[language] == 0):
            region = EVERYWHERE
            if tongue == NONE or _SPOKEN_WITH_SPACES[tongue] == 0:
                tongue = NONE
                language = int(rng.choice(len(LANGUAGES), p=_SPOKEN_WITH_SPACES))
        name = LANGUAGES[language]
        weights = people.in_region(region)
        if kind == "phrase" or tongue != NONE:
            weights = np.where(people.language == language, weights, 0.0)
        # a quarter of those who could: more would be everybody
        size = max(5, min(size, int(np.count_nonzero(weights)) // 4))

        if rise > 0:
            rate = self._rhythm.linear(region, peak, rise, halving)
        else:
            rate = self._rhythm.burst(region, peak, doubling, halving)
            birth = max(0.0, peak - doubling * (np.log2(size) + 1))
            rate[: int(birth // GRID_SECONDS)] = 0.0
        time = draw_times(rng, rate, size)
        author = distinct_by_weight(rng, np.sqrt(weights), size)
        again = rng.random(size) < 0.04  # some do it twice
        author[again] = rng.choice(author, int(again.sum()))
        author = rng.permutation(author)

        sound = catalogue.coin_sound(name) if kind in ("challenge", "sound") else NONE
        tag = catalogue.coin_tag(name) if kind in ("challenge", "hashtag") else NONE
        phrase = catalogue.coin_phrase(name) if wordy else NONE
        sounds, tags = np.full(size, sound), np.full(size, tag)
        phrases = np.full(size, phrase)
        if kind == "challenge":
            tags = np.where(rng.random(size) < 0.75, tags, NONE)
            sounds = np.where((rng.random(size) < 0.9) | (tags == NONE), sounds, NONE)
            speaks = people.language[author] == language
            phrases = np.where(speaks & (rng.random(size) < 0.7), phrases, NONE)
        members = self._members(sound, tag, catalogue.phrase_ids(phrase) if wordy else [])
        uses = Uses(time, author, sounds, tags, phrases)
        top = (int(np.argmax(rate)) + 0.5) * GRID_SECONDS
        half = half_height(rate / self._rhythm.wave[region])
        return Burst(key, kind, members, region, top, doubling, sound, tag, uses, half, tongue)

    def _members(self, sound: int, tag: int, phrase_ids: list[str]) -> tuple[TruthMember, ...]:
        members = []
        if sound != NONE:
            members.append(TruthMember(kind="sound", id=self._catalogue.sounds[sound].audio_id))
        if tag != NONE:
            members.append(TruthMember(kind="hashtag", id=self._catalogue.tags[tag]))
        members += [TruthMember(kind="phrase", id=phrase_id) for phrase_id in phrase_ids]
        return tuple(members)


def half_height(rate: FloatArray) -> tuple[float, float]:
    """Seconds between which a rate per cell is at least half of its highest."""
    high = np.flatnonzero(rate >= rate.max() / 2)
    return float(high[0]) * GRID_SECONDS, float(high[-1] + 1) * GRID_SECONDS
