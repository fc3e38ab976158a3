"""How well sounds are recognised, and how fast: `python -m benchmarks.sounds [FOLDER]`.

FOLDER holds music in any format, a track a file; without one, songs are made of numbers
(`benchmarks.music`). Two thirds of the tracks are made known in sections of a minute, the others
stay unknown. Excerpts of all are changed as people and platforms change them and asked for; an
unknown one that is taken for a known sound is a false match. Chromaprint alone stands beside, with
the threshold at which a hundredth of its unknown ones would be false matches.

`--crowd N` puts N more sounds into the index: the peaks of the known ones backwards, four seconds
each in another order, transposed and stretched, so that landmarks are as unevenly spread as real
ones. The voice is espeak-ng's if it is installed, else babble.

With `--json FILE` the figures are written too.
"""

import argparse
import json
import shutil
import subprocess
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from benchmarks import changes
from benchmarks.music import RATE, song, speech
from extractors.audio import Decoder
from extractors.decoding import Limits, UnheardError
from extractors.fingerprint import fingerprint
from trend.acoustics.known import KnownSounds
from trend.acoustics.peaks import FRAME, FRAMES_PER_SECOND, Peaks, peaks

SECTION = 60
TRACK_SECONDS = 200
WORDS = (
    "The way of the data goes through eight steps. A poll of lines travels as one item, and none "
    "of them makes a string. Wait for it, this part is the best one, tell me in the "
    "comments what you think of it. Time is that of the event, in ticks of ten minutes, and each "
    "partition has a clock of its own. Here is what I do every morning before I leave the house. "
)

F32 = npt.NDArray[np.float32]
Change = Callable[[F32], F32]


class Query(NamedTuple):
    """An excerpt of a track, and the section it is from (-1 where the track is unknown)."""

    track: int
    section: int
    begin: int


def codec(*form: Any) -> Change:
    """As it comes out of a file of that form."""
    return lambda x: changes.decoded(changes.encoded(x, *form))


def kinds(voice: F32) -> dict[str, tuple[float, Change]]:
    """What is done to excerpts, and how much faster they are afterwards."""
    rng = np.random.default_rng(3)

    def spoken(x: F32, louder_db: float) -> F32:
        return changes.under_voice(x, np.roll(voice, -int(rng.integers(voice.size))), louder_db)

    found: dict[str, tuple[float, Change]] = {
        "clean": (1.0, lambda x: x),
        "mp3 64k": (1.0, codec("mp3", "libmp3lame", 44_100, 64_000)),
        "opus 32k": (1.0, codec("ogg", "libopus", 48_000, 32_000)),
        "trimmed": (1.0, lambda x: x[: x.size * 3 // 5]),
        "voice +3 dB": (1.0, lambda x: spoken(x, 3)),
        "voice -3 dB": (1.0, lambda x: spoken(x, -3)),
    }
    for times in (0.75, 0.9, 0.98, 1.02, 1.1, 1.25):
        found[f"speed {times}"] = times, lambda x, s=times: changes.speed(x, s)
    for times in (0.8, 1.25):
        found[f"tempo {times}"] = times, lambda x, s=times: changes.tempo(x, s)
    for semitones in (-2, 2):
        found[f"pitch {semitones:+}"] = 1.0, lambda x, s=semitones: changes.pitch(x, s)
    for times in (0.8, 1.25):
        found[f"{times} under voice"] = times, lambda x, s=times: spoken(changes.speed(x, s), 3)
    return found


def tracks_of(folder: Path | None, count: int) -> list[F32]:
    """The tracks of a folder that are long enough, or songs of our own."""
    if folder is None:
        return [song(seed, SECTION) for seed in range(count)]
    found = []
    with Decoder(Limits(seconds=TRACK_SECONDS)) as decoder:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            try:
                samples = decoder.samples(file)
            except UnheardError:
                continue
            if samples.size >= 40 * RATE:
                found.append(samples)
    return found


def spoken_words(seconds: int) -> F32:
    """Somebody who talks for so long, in four voices."""
    if shutil.which("espeak-ng") is None:
        return np.concatenate([speech(seed, seconds / 4) for seed in range(4)])
    parts = []
    with TemporaryDirectory() as folder, Decoder() as decoder:
        for number, voice in enumerate(("en-us", "en-gb+f3", "en+m3", "en-us+f5")):
            file = Path(folder, f"{number}.wav")
            subprocess.run(["espeak-ng", "-v", voice, "-w", file, WORDS * 3], check=True)
            parts.append(decoder.samples(file))
    return np.concatenate(parts)[: seconds * RATE]


class Chromaprints:
    """Chromaprint alone: items that are equal vote for a section and an offset."""

    def __init__(self, sections: list[F32]) -> None:
        items = [self.items(samples) for samples in sections]
        values = np.concatenate(items)
        self._order = np.argsort(values, kind="stable")
        self._values = values[self._order]
        self._section = np.repeat(np.arange(len(items)), [len(one) for one in items])
        self._place = np.concatenate([np.arange(len(one)) for one in items])

    @staticmethod
    def items(samples: F32) -> npt.NDArray[np.int64]:
        """The 32-bit items of a fingerprint."""
        import chromaprint

        return np.array(chromaprint.decode_fingerprint(fingerprint(samples).encode())[0], np.int64)

    def match(self, samples: F32) -> tuple[int, int]:
        """The section with most votes, and how many."""
        items = self.items(samples)
        first = np.searchsorted(self._values, items, "left")
        count = np.searchsorted(self._values, items, "right") - first
        if not count.sum():
            return -1, 0
        at = np.repeat(first - np.append(0, np.cumsum(count)[:-1]), count) + np.arange(count.sum())
        hit = self._order[at]
        offset = self._place[hit] - np.repeat(np.arange(len(items)), count)
        votes, counts = np.unique(self._section[hit] * 65_536 + offset, return_counts=True)
        best = int(counts.argmax())
        return int(votes[best] + 32_768) // 65_536, int(counts[best])


def crowd(known: list[Peaks], count: int, rng: np.random.Generator) -> list[Peaks]:
    """Sounds of half a minute that nobody knows, with landmarks as unevenly spread as real ones."""
    found = []
    for number in range(count):
        one = known[number % len(known)]
        last = int(one.time.max())
        block = int(4 * FRAMES_PER_SECOND * FRAME)
        order = rng.permutation(last // block + 1)
        back = last - one.time
        at = (order[back // block] * block + back % block) * rng.uniform(0.85, 1.18)
        pitch = one.pitch + int(rng.integers(-500, 500))
        kept = (at < 30 * FRAMES_PER_SECOND * FRAME) & (pitch > 3_700) & (pitch < 9_800)
        when, high = at[kept].astype(np.int32), pitch[kept].astype(np.int32)
        sorted_by = np.lexsort((high, when))
        found.append(Peaks(when[sorted_by], high[sorted_by]))
    return found


def recall(arguments: argparse.Namespace) -> dict[str, Any]:
    """The table of recall by kind of change, and what queries cost."""
    rng = np.random.default_rng(arguments.seed)
    tracks = tracks_of(arguments.folder, arguments.songs)
    order = rng.permutation(len(tracks))
    unknown = set(order[: len(tracks) // 3].tolist())
    sections, owners, queries = [], [], []
    for track in order.tolist():
        samples = tracks[track]
        for begin in range(0, samples.size - 30 * RATE, SECTION * RATE):
            number = -1 if track in unknown else len(sections)
            if track not in unknown:
                sections.append(samples[begin : begin + SECTION * RATE])
                owners.append(track)
            queries.append(Query(track, number, begin))
    sounds = KnownSounds()
    heard = [peaks(samples) for samples in sections]
    for one in heard:
        sounds.add(one)
    chroma = Chromaprints(sections)
    for one in crowd(heard, arguments.crowd, rng):
        sounds.add(one)
        owners.append(-1)
    voice = spoken_words(120)
    sounds.match(heard[0])
    table: dict[str, list[tuple[bool, bool, bool, bool, int]]] = defaultdict(list)
    spent: dict[str, list[float]] = defaultdict(list)
    for query in queries:
        samples = tracks[query.track][query.begin : query.begin + SECTION * RATE]
        for name, (times, change) in kinds(voice).items():
            n = int(arguments.seconds * times * RATE)
            at = int(rng.integers(0, max(1, samples.size - n)))
            asked = np.ascontiguousarray(change(samples[at : at + n]), np.float32)
            found = peaks(asked)
            began = time.process_time()
            match = sounds.match(found)
            spent[name].append(time.process_time() - began)
            said = match is not None and match.known
            right = match is not None and owners[match.sound] == query.track
            section, votes = chroma.match(asked)
            theirs = section >= 0 and owners[section] == query.track
            table[name].append((query.section < 0, said, right, theirs, votes))
    return told(table, spent, len(sections), len(tracks) - len(unknown), len(unknown))


def told(
    table: dict[str, list[tuple[bool, bool, bool, bool, int]]],
    spent: dict[str, list[float]],
    sections: int,
    known: int,
    unknown: int,
) -> dict[str, Any]:
    """Recall of both, false matches and milliseconds a query, by kind."""
    strange = [row for rows in table.values() for row in rows if row[0]]
    least = float(np.quantile([row[4] for row in strange], 0.99))
    rows = {}
    for name, all_rows in table.items():
        asked = [row for row in all_rows if not row[0]]
        rows[name] = {
            "recall": float(np.mean([said and right for _, said, right, _, _ in asked])),
            "chromaprint": float(np.mean([row[3] and row[4] > least for row in asked])),
            "new": float(np.mean([not row[1] for row in all_rows if row[0]])),
            "ms": 1e3 * float(np.mean(spent[name])),
        }
    wrong = [
        said and not right for rows in table.values() for new, said, right, *_ in rows if not new
    ]
    return {
        "sections": sections,
        "tracks": known,
        "unknown tracks": unknown,
        "unknown queries": len(strange),
        "false matches": float(np.mean([row[1] for row in strange])),
        "wrong sound": float(np.mean(wrong)),
        "ms a query": 1e3 * float(np.mean([value for one in spent.values() for value in one])),
        "kinds": rows,
    }


def speeds() -> dict[str, float]:
    """How many times real time: decoding and fingerprinting a minute, on one core."""
    minute = song(0, 60)
    best: dict[str, float] = {}
    with TemporaryDirectory() as folder, Decoder() as decoder:
        file = Path(folder, "minute.mp3")
        file.write_bytes(changes.encoded(minute, "mp3", "libmp3lame", 44_100, 128_000))
        decoder.samples(file)
        for _ in range(5):
            began, theirs = time.process_time(), decoder.seconds()
            samples = decoder.samples(file)
            decoded = time.process_time() - began + decoder.seconds() - theirs
            began = time.process_time()
            peaks(samples)
            peaked = time.process_time() - began
            began = time.process_time()
            fingerprint(samples)
            printed = time.process_time() - began
            for name, value in (
                ("decode", decoded),
                ("peaks", peaked),
                ("decode and peaks", decoded + peaked),
                ("chromaprint", printed),
            ):
                best[name] = max(best.get(name, 0.0), 60 / value)
    return best


def main() -> None:
    """Measure and print."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--songs", type=int, default=45, help="made where there is no folder")
    parser.add_argument("--seconds", type=float, default=10, help="of a query")
    parser.add_argument("--crowd", type=int, default=0, help="more sounds in the index")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    figures = recall(arguments) | {"times real time": speeds()}
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=2))
    print(
        f"{figures['sections']} sections of {figures['tracks']} tracks known, "
        f"{figures['unknown tracks']} tracks unknown, {arguments.crowd} sounds beside, "
        f"{arguments.seconds:g} s a query"
    )
    print("| change | recall | Chromaprint alone | unknown told new | ms |\n|---|--:|--:|--:|--:|")
    for name, row in figures["kinds"].items():
        print(
            f"| {name} | {row['recall']:.1%} | {row['chromaprint']:.1%} | {row['new']:.1%} |"
            f" {row['ms']:.1f} |"
        )
    print(
        f"false matches {figures['false matches']:.2%} of {figures['unknown queries']} queries; "
        f"another sound {figures['wrong sound']:.2%}; {figures['ms a query']:.1f} ms a query"
    )
    for name, value in figures["times real time"].items():
        print(f"{name}: {value:,.0f} times real time")


if __name__ == "__main__":
    main()
