"""Writes a simulated stream to a folder: `reels.jsonl` as in the contract, and `truth.json`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from trend.acoustics import chromaprint
from trend.simulator import Simulation, SimulatorSettings, simulate
from trend.simulator.fingerprints import Fingerprints
from trend.simulator.malformed import MALFORMED, malformed_classes
from trend.simulator.schedule import Line
from trend.simulator.words import LANGUAGES, ORIGINAL_SOUND, REGIONS

REELS = "reels.jsonl"
TRUTH = "truth.json"
BLOCK_LINES = 10_000

_IN_FIELD, _IN_CAPTION = 0, 1  # the third way of tagging is both
_CASES: tuple[Callable[[str], str], ...] = (str, str.capitalize, str.upper)
_METRICS = ("views", "likes", "comments", "shares", "saves")
_ODD = 0x9E3779B97F4B  # odd, so that multiplying by it modulo 2^48 keeps authors apart


@dataclass(frozen=True, slots=True)
class SimulationSummary:
    """What was written and where. `lines` includes copies and `malformed` ones."""

    reels_file: Path
    truth_file: Path
    reels: int
    lines: int
    malformed: int
    trends: int


def simulate_to(
    directory: Path,
    settings: SimulatorSettings,
    progress: Callable[[int, int], None] | None = None,
) -> SimulationSummary:
    """Simulate a stream and write `reels.jsonl` and `truth.json` into a folder, made if need be.

    The same settings write the same bytes. `progress` is called with the lines written so far and
    the lines in all.

    Raises
    ------
    OSError: the folder cannot be made or written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    simulation = simulate(settings)
    truth = simulation.truth
    reels_file, truth_file = directory / REELS, directory / TRUTH
    written = 0
    with reels_file.open("wb") as file:
        block: list[bytes] = []
        for line in lines(simulation):
            block.append(line)
            if len(block) == BLOCK_LINES:
                file.write(b"\n".join(block) + b"\n")
                written += len(block)
                block.clear()
                if progress is not None:
                    progress(written, truth.lines)
        if block:
            file.write(b"\n".join(block) + b"\n")
            written += len(block)
    if progress is not None:
        progress(written, truth.lines)
    truth_file.write_bytes(msgspec.json.format(msgspec.json.encode(truth), indent=1) + b"\n")
    return SimulationSummary(
        reels_file, truth_file, truth.reels, written, truth.malformed, len(truth.trends)
    )


def lines(simulation: Simulation) -> Iterator[bytes]:
    """Give the lines of a stream in the order of their arrival, without newlines."""
    encode = msgspec.json.Encoder().encode
    schedule = simulation.schedule
    reels = _Describer(simulation)
    observed = _rfc3339(simulation, schedule.arrival)
    transcripts = iter(simulation.transcripts.tolist())
    first = np.zeros(len(simulation.reels), np.int64)  # line on which a reel came first
    new = np.flatnonzero(schedule.line == Line.FIRST)
    first[schedule.reel[new]] = new
    bad = list(zip(simulation.malformed_at.tolist(), _malformed(simulation), strict=True))[::-1]
    for at, (reel, line) in enumerate(
        zip(schedule.reel.tolist(), schedule.line.tolist(), strict=True)
    ):
        while bad and bad[-1][0] <= at:
            yield bad.pop()[1]
        if line == Line.SAME:
            yield encode(reels.describe(reel, observed[first[reel]], 1))
        elif line == Line.TRANSCRIPT:
            described = reels.describe(reel, observed[at], 2)
            described["transcript"] = reels.sentence(next(transcripts), reel)
            yield encode(described)
        else:
            yield encode(reels.describe(reel, observed[at], 1 if line == Line.FIRST else 7))
    for _, broken in reversed(bad):
        yield broken


class _Describer:
    """Makes the contract's object of a reel from its columns."""

    def __init__(self, simulation: Simulation) -> None:
        reels, people = simulation.reels, simulation.people
        self._catalogue = simulation.catalogue
        self._reel_ids = reel_ids(simulation)
        self._published = _rfc3339(simulation, reels.time)
        self._author = reels.author.tolist()
        self._followers = people.followers[reels.author].tolist()
        self._language = [LANGUAGES[code] for code in reels.language.tolist()]
        self._region = [REGIONS[code].code for code in reels.region.tolist()]
        self._sound = reels.sound.tolist()
        self._tags = reels.tags
        self._words = reels.words
        self._tagging = reels.tagging.tolist()
        self._case = reels.case.tolist()
        self._metrics = reels.metrics
        self._duration = reels.duration.tolist()
        seed = simulation.settings.seed
        self._heard = Fingerprints(seed) if simulation.settings.fingerprints else None

    def describe(self, reel: int, observed: str, growth: int) -> dict[str, Any]:
        """Describe one reel, its numbers `growth` times what they were at first."""
        language = self._language[reel]
        author = f"u{self._author[reel] * _ODD % 2**48:012x}"
        numbers = (self._metrics[reel] * growth).tolist()
        described: dict[str, Any] = {
            "reel_id": self._reel_ids[reel],
            "published_at": self._published[reel],
            "observed_at": observed,
            "author_id": author,
            "author_followers": self._followers[reel],
            "platform": "simulated",
            "language": language,
            "region": self._region[reel],
            "duration_s": self._duration[reel],
            "metrics": dict(zip(_METRICS, numbers, strict=True)),
        }
        caption = self.sentence(self._words[reel].tolist(), reel)
        tagging, case = self._tagging[reel], _CASES[self._case[reel]]
        names = self._catalogue.tags
        tags = [case(names[tag]) for tag in self._tags[reel].tolist() if tag >= 0]
        if tagging != _IN_FIELD and tags:
            caption = f"{caption} {' '.join('#' + tag for tag in tags)}".lstrip()
        if tagging != _IN_CAPTION:
            described["hashtags"] = tags
        if caption:
            described["caption"] = caption
        sound = self._sound[reel]
        if sound >= 0:
            used = self._catalogue.sounds[sound]
            described["audio"] = {
                "audio_id": used.audio_id,
                "title": used.title,
                "artist": used.artist,
                "original": False,
            }
        elif sound == -2:
            described["audio"] = {
                "audio_id": f"o{self._reel_ids[reel]}",
                "title": f"{ORIGINAL_SOUND[language]} - {author}",
                "original": True,
            }
        if self._heard is not None and "audio" in described:
            name = described["audio"].pop("audio_id")
            heard = self._heard.of(name, reel) if sound >= 0 else self._heard.once(reel)
            described["audio"]["fingerprint"] = chromaprint.text(heard)
        return described

    def sentence(self, words: list[int], reel: int) -> str:
        """Write words (-1 is none) as the reel's language does, every other time with a capital."""
        names = self._catalogue.words
        between = "" if self._language[reel] == "ja" else " "
        text = between.join([names[word] for word in words if word >= 0])
        return text[:1].upper() + text[1:] if reel % 2 else text


def reel_ids(simulation: Simulation) -> list[str]:
    """Ids of the reels: the second of publication in the high bits, a number in the low ones."""
    start = int(simulation.settings.start.timestamp())
    numbers = (simulation.reels.time + start << 32) + np.arange(len(simulation.reels))
    return [str(number) for number in numbers.tolist()]


def _rfc3339(simulation: Simulation, seconds: npt.NDArray[np.int64]) -> list[str]:
    """Times of the contract from seconds after the start."""
    start = int(simulation.settings.start.timestamp())
    moments = np.datetime_as_string((seconds + start).astype("datetime64[s]"), timezone="UTC")
    times: list[str] = moments.tolist()
    return times


def _malformed(simulation: Simulation) -> Iterator[bytes]:
    """Give the malformed lines in turn, each made from a reel that is not in the stream."""
    at = np.minimum(simulation.malformed_at, len(simulation.schedule.arrival) - 1)
    times = _rfc3339(simulation, simulation.schedule.arrival[at])
    for number, name in enumerate(malformed_classes(len(times))):
        reel = {
            "reel_id": f"bad-{number}",
            "published_at": times[number],
            "author_id": f"u-bad-{number}",
            "caption": "this line cannot be read",
        }
        yield MALFORMED[name](reel)
