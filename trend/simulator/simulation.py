"""Puts one stream together: ordinary reels, what rises among them, their lines and the truth."""

from dataclasses import asdict, dataclass

import numpy as np

from trend.simulator import ordinary
from trend.simulator.answer import answer_key
from trend.simulator.bursts import NONE, Burst, BurstMaker, Uses
from trend.simulator.captions import PHRASE_WIDTH, CaptionWriter, edited, insert
from trend.simulator.catalogue import Catalogue, padded
from trend.simulator.draw import FloatArray, IntArray, generator
from trend.simulator.fingerprints import told_by_name
from trend.simulator.pairs import plant_pairs, use_steadily
from trend.simulator.people import People, make_people
from trend.simulator.rhythm import Rhythm, make_rhythm
from trend.simulator.schedule import Line, Schedule, make_schedule
from trend.simulator.settings import SimulatorSettings
from trend.simulator.truth import Truth
from trend.simulator.words import MONTHLY_TAGS

REELS_PER_AUTHOR = 5
LARGEST_CREW = 80


@dataclass(frozen=True, slots=True)
class Reels:
    """Reels in columns, in the order of `time` (whole seconds from the start).

    `author`, `tags` (rows, TAG_COLUMNS), `words` (rows, WIDTH) and `sound` are indices;
    `language` and `region` are the author's. `burst` is the index of the burst that a reel belongs
    to, -1 for none. `tagging` is 0 for tags in their field, 1 in the caption, 2 in both; `case` is
    0 for tags as they are, 1 capitalised, 2 in capitals. `metrics` are those of `draw_metrics`.
    """

    time: IntArray
    author: IntArray
    language: IntArray
    region: IntArray
    topic: IntArray
    sound: IntArray
    tags: IntArray
    words: IntArray
    burst: IntArray
    tagging: IntArray
    case: IntArray
    metrics: IntArray
    duration: FloatArray

    def __len__(self) -> int:
        """Number of reels."""
        return len(self.time)


@dataclass(frozen=True, slots=True)
class Simulation:
    """One stream: reels, the names they speak of, their lines and the answer key.

    `transcripts` (lines, WIDTH) are the words said, for the lines of `Line.TRANSCRIPT` in turn.
    `malformed_at` is, for each malformed line, the number of good lines before it.
    """

    settings: SimulatorSettings
    reels: Reels
    catalogue: Catalogue
    people: People
    schedule: Schedule
    transcripts: IntArray
    malformed_at: IntArray
    bursts: tuple[Burst, ...]
    truth: Truth


def simulate(settings: SimulatorSettings) -> Simulation:
    """Make one stream; the same settings give the same stream.

    >>> simulate(SimulatorSettings(days=1, reels_per_day=500)).truth.reels
    500
    """
    seed = settings.seed
    rhythm = make_rhythm(generator(seed, "rhythm"), settings.days, settings.start)
    catalogue = Catalogue(generator(seed, "catalogue"))
    writer = CaptionWriter(catalogue)
    trends, fizzles, crews = settings.planned()
    total = settings.days * settings.reels_per_day
    authors = max(2_000, total // REELS_PER_AUTHOR)
    people = make_people(generator(seed, "people"), authors, crews * LARGEST_CREW)

    maker = BurstMaker(generator(seed, "bursts"), catalogue, people, rhythm, settings.varied)
    planted = maker.trends(trends, settings.reels_per_day)
    fizzled = maker.fizzles(fizzles)
    accounts = _crews(generator(seed, "crews"), crews, authors)
    leaders = np.array([crew[0] for crew in accounts], np.int64)
    slogans = writer.write(
        generator(seed, "slogans"), people.language[leaders], people.topic[leaders]
    )
    spam = maker.spam(accounts, slogans)
    paired = plant_pairs(generator(seed, "pairs"), settings.pairs, catalogue, people, rhythm)
    bursts = (*planted, *fizzled, *spam, *paired)

    days = MONTHLY_TAGS if settings.varied else {}
    monthly = {catalogue.tag(name): day for name, day in days.items()}
    reels = _reels(settings, rhythm, catalogue, people, writer, bursts, monthly, total)
    schedule = make_schedule(
        generator(seed, "schedule"), reels.time, settings.late, settings.duplicates
    )
    lines = len(schedule.reel)
    said = schedule.reel[schedule.line == Line.TRANSCRIPT]
    transcripts = writer.write(
        generator(seed, "transcripts"), reels.language[said], reels.topic[said]
    )
    bad = round(settings.malformed / (1 - settings.malformed) * lines)
    malformed_at = np.sort(generator(seed, "malformed").integers(0, lines + 1, bad))
    described = asdict(settings) | {"start": settings.start.isoformat()}
    described |= {"trends": trends, "fizzles": fizzles, "spam": crews}
    truth = answer_key(
        described,
        settings.start,
        rhythm,
        catalogue,
        bursts,
        reels.time,
        reels.author,
        reels.burst,
        reels.tags,
        monthly,
        lines=lines + bad,
        malformed=bad,
    )
    if settings.fingerprints:
        truth = told_by_name(truth, catalogue)
    return Simulation(
        settings, reels, catalogue, people, schedule, transcripts, malformed_at, bursts, truth
    )


def _crews(rng: np.random.Generator, count: int, authors: int) -> list[IntArray]:
    """Accounts of each crew: one to five, and for every third crew 40 to 80."""
    sizes = [
        rng.integers(40, LARGEST_CREW + 1) if at % 3 == 2 else rng.integers(1, 6)
        for at in range(count)
    ]
    return [authors + at * LARGEST_CREW + np.arange(size) for at, size in enumerate(sizes)]


def _reels(
    settings: SimulatorSettings,
    rhythm: Rhythm,
    catalogue: Catalogue,
    people: People,
    writer: CaptionWriter,
    bursts: tuple[Burst, ...],
    monthly: dict[int, int],
    total: int,
) -> Reels:
    """Draw the ordinary reels, join the bursts' to them, and fill all columns."""
    rng = generator(settings.seed, "reels")
    sizes = np.array([len(burst.uses.time) for burst in bursts], np.int64)
    count = max(total - int(sizes.sum()), total // 2)
    times, region = rhythm.ordinary_times(rng, count)
    none = np.full(count, NONE)
    uses = [burst.uses for burst in bursts]
    time = np.concatenate([times, *(x.time for x in uses)])
    for outage in rhythm.outages:
        time = outage.hold_back(time, rng)
    time = np.minimum(np.floor(time), rhythm.seconds - 1)
    order = np.argsort(time, kind="stable")
    time = time[order]
    author = np.concatenate([people.post(rng, region), *(x.author for x in uses)])[order]
    sound = np.concatenate([none, *(x.sound for x in uses)])[order]
    tag = np.concatenate([none, *(x.tag for x in uses)])[order]
    phrase = np.concatenate([none, *(x.phrase for x in uses)])[order]
    burst = np.concatenate([none, np.repeat(np.arange(len(bursts)), sizes)])[order]

    language = people.language[author]
    topic = ordinary.choose_topics(rng, people.topic[author], time)
    tags = ordinary.choose_tags(rng, language, topic, catalogue)
    ordinary.add_weekly_tags(rng, tags, time, people.region[author], settings.start, catalogue)
    if monthly:
        purpose = generator(settings.seed, "monthly")
        ordinary.add_monthly_tags(
            purpose, tags, time, people.region[author], settings.start, monthly
        )
    tags[:, 0] = tag
    others = [none, *(_other_tags(x) for x in uses)]
    other = np.concatenate(others)[order]
    tags[other != NONE, 1] = other[other != NONE]
    sounds = ordinary.choose_sounds(rng, topic, time, catalogue)
    sounds = np.where(sound >= 0, sound, sounds)
    _use_rarely(rng, sounds, tags, burst, bursts, settings.days)
    known = [one for one in bursts if one.kind == "pair"]
    use_steadily(generator(settings.seed, "known"), known, time, burst == NONE, sounds, tags)

    words = writer.write(rng, language, topic)
    words[rng.random(len(words)) < 0.08] = -1
    _say(rng, words, phrase, burst, bursts, catalogue)
    tagging = rng.choice(3, len(time), p=(0.45, 0.30, 0.25))
    case = rng.choice(3, len(time), p=(0.88, 0.08, 0.04))
    metrics = ordinary.draw_metrics(rng, people.followers[author])
    lifts = np.array([*(ordinary.LIFTS[x.key.split("-")[0]] for x in bursts), (1.0, 1.0)])
    ordinary.lift_metrics(generator(settings.seed, "lift"), metrics, *lifts[burst].T)
    return Reels(
        time=time.astype(np.int64),
        author=author,
        language=language,
        region=people.region[author],
        topic=topic,
        sound=sounds,
        tags=tags,
        words=words,
        burst=burst,
        tagging=tagging,
        case=case,
        metrics=metrics,
        duration=np.round(np.exp(rng.normal(2.9, 0.7, len(time))) + 3, 1),
    )


def _other_tags(uses: Uses) -> IntArray:
    return np.full(len(uses.time), NONE) if uses.other_tag is None else uses.other_tag


def _use_rarely(
    rng: np.random.Generator,
    sound: IntArray,
    tags: IntArray,
    burst: IntArray,
    bursts: tuple[Burst, ...],
    days: int,
) -> None:
    """Let two in five of what rises be known before: up to two uses a day in ordinary reels."""
    free = np.flatnonzero(burst == NONE)
    for one in bursts:
        if not one.key.startswith("trend") or rng.random() >= 0.4:
            continue
        uses = rng.poisson(rng.uniform(0.2, 2.0) * days, 2)
        if one.sound != NONE:
            sound[rng.choice(free, uses[0])] = one.sound
        if one.tag != NONE:
            tags[rng.choice(free, uses[1]), 1] = one.tag


def _say(
    rng: np.random.Generator,
    words: IntArray,
    phrase: IntArray,
    burst: IntArray,
    bursts: tuple[Burst, ...],
    catalogue: Catalogue,
) -> None:
    """Put the bursts' phrases into the captions, and the crews' edited copies in their place."""
    table = padded(catalogue.phrases, PHRASE_WIDTH)
    whole = np.array([one.uses.alone for one in bursts], bool)
    alone = (phrase >= 0) & whole[burst] if len(bursts) else phrase >= 0
    within = (phrase >= 0) & ~alone
    words[within] = insert(rng, words[within], table[phrase[within]])
    if alone.any():
        crews = np.flatnonzero(whole)
        copies = table[phrase[alone]]
        large = np.array([len(np.unique(bursts[at].uses.author)) > 5 for at in crews.tolist()])
        copied = large[np.searchsorted(crews, burst[alone])]
        other = edited(rng, copies, catalogue.names.ravel(), 0.15)
        words[alone] = -1
        words[alone, :PHRASE_WIDTH] = np.where(copied[:, None], other, copies)
