"""How well sounds are recognised, and how fast: `python -m benchmarks.sounds [FOLDER]`.

FOLDER holds music in any format, a track a file; without one, songs are made of numbers
(`benchmarks.music`). Two thirds of the tracks are made known in sections of a minute, the others
stay unknown. Excerpts of all are changed as people and platforms change them and asked for; an
unknown one that is taken for a known sound is a false match. Chromaprint alone stands beside, with
the threshold at which a hundredth of its unknown ones would be false matches.

`--crowd N` puts N more sounds into the index: the peaks of the known ones backwards, four seconds
each in another order, transposed and stretched, so that landmarks are as unevenly spread as real
ones. `--dense N` keeps so many sounds with all their landmarks, the newest: with a larger crowd
after them the known ones are thin. The voice is espeak-ng's if it is installed, else babble.

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
from trend.acoustics.chromaprint import U32
from trend.acoustics.chromaprint import items as items_of
from trend.acoustics.known import BY_SHAPE, KnownSounds
from trend.acoustics.peaks import FRAME, FRAMES_PER_SECOND, Peaks, peaks
from trend.acoustics.reuploads import Reuploads

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


class Answer(NamedTuple):
    """What became of a query: ours, re-uploads alone, and Chromaprint alone."""

    new: bool
    known: bool
    right: bool
    same: bool
    same_right: bool
    theirs: bool
    votes: int


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
        items = [items_of(fingerprint(samples)).astype(np.int64) for samples in sections]
        values = np.concatenate(items)
        self._order = np.argsort(values, kind="stable")
        self._values = values[self._order]
        self._section = np.repeat(np.arange(len(items)), [len(one) for one in items])
        self._place = np.concatenate([np.arange(len(one)) for one in items])

    def match(self, asked: U32) -> tuple[int, int]:
        """The section with most votes, and how many."""
        items = asked.astype(np.int64)
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


def reuploads(sections: list[F32], others: int, rng: np.random.Generator) -> Reuploads:
    """The index of re-uploads: the sections, and others made of seconds of them."""
    found = Reuploads()
    items = [items_of(fingerprint(samples)) for samples in sections]
    for one in items:
        found.add(one)
    for number in range(others):
        one = items[number % len(items)][:240]
        seconds = one[: one.size // 8 * 8].reshape(-1, 8)
        changed = rng.permutation(seconds) ^ np.uint32(1 << int(rng.integers(32)))
        found.add(changed.reshape(-1).astype(np.uint32))
    return found


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
    sounds = KnownSounds(dense=arguments.dense)
    heard = [peaks(samples) for samples in sections]
    for one in heard:
        sounds.add(one)
    chroma = Chromaprints(sections)
    again = reuploads(sections, arguments.crowd, rng)
    for one in crowd(heard, arguments.crowd, rng):
        sounds.add(one)
        owners.append(-1)
    voice = spoken_words(120)
    for _ in range(2 + BY_SHAPE):  # the first few do without an index
        sounds.match(heard[0])
    table: dict[str, list[Answer]] = defaultdict(list)
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
            items = items_of(fingerprint(asked))
            began = time.process_time()
            same = again.match(items)
            spent["re-upload"].append(time.process_time() - began)
            section, votes = chroma.match(items)
            table[name].append(
                Answer(
                    new=query.section < 0,
                    known=match is not None and match.known,
                    right=match is not None and owners[match.sound] == query.track,
                    same=same is not None,
                    same_right=same is not None and owners[same.sound] == query.track,
                    theirs=section >= 0 and owners[section] == query.track,
                    votes=votes,
                )
            )
    found = told(table, spent, len(sections), len(tracks) - len(unknown), len(unknown))
    memory = {"sounds": len(sounds), "dense": sounds.dense(), "bytes": sounds.memory()}
    return found | memory


def told(
    table: dict[str, list[Answer]],
    spent: dict[str, list[float]],
    sections: int,
    known: int,
    unknown: int,
) -> dict[str, Any]:
    """Recall of both, false matches and milliseconds a query, by kind."""
    strange = [row for rows in table.values() for row in rows if row.new]
    least = float(np.quantile([row.votes for row in strange], 0.99))
    rows = {}
    for name, all_rows in table.items():
        asked = [row for row in all_rows if not row.new]
        rows[name] = {
            "recall": float(np.mean([row.known and row.right for row in asked])),
            "chromaprint": float(np.mean([row.theirs and row.votes > least for row in asked])),
            "re-upload": float(np.mean([row.same_right for row in asked])),
            "new": float(np.mean([not row.known for row in all_rows if row.new])),
            "ms": 1e3 * float(np.mean(spent[name])),
        }
    mine = [row for rows in table.values() for row in rows if not row.new]
    return {
        "sections": sections,
        "tracks": known,
        "unknown tracks": unknown,
        "unknown queries": len(strange),
        "false matches": float(np.mean([row.known for row in strange])),
        "false re-uploads": float(np.mean([row.same for row in strange])),
        "wrong sound": float(np.mean([row.known and not row.right for row in mine])),
        "ms a query": 1e3 * float(np.mean([value for name in table for value in spent[name]])),
        "us a re-upload": 1e6 * float(np.mean(spent["re-upload"])),
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
    parser.add_argument(
        "--dense", type=int, default=1_000_000, help="sounds with all their landmarks in memory"
    )
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
    print("| change | recall | Chromaprint alone | re-uploads | unknown told new | ms |")
    print("|---|--:|--:|--:|--:|--:|")
    for name, row in figures["kinds"].items():
        print(
            f"| {name} | {row['recall']:.1%} | {row['chromaprint']:.1%} | {row['re-upload']:.1%} |"
            f" {row['new']:.1%} | {row['ms']:.1f} |"
        )
    print(
        f"false matches {figures['false matches']:.2%} of {figures['unknown queries']} queries; "
        f"another sound {figures['wrong sound']:.2%}; {figures['ms a query']:.1f} ms a query; "
        f"false re-uploads {figures['false re-uploads']:.2%}, "
        f"{figures['us a re-upload']:.0f} us a query"
    )
    print(
        f"{figures['sounds']:,} sounds, {figures['dense']:,} of them dense: "
        f"{figures['bytes'] / figures['sounds'] / 1e3:.1f} kB each"
    )
    for name, value in figures["times real time"].items():
        print(f"{name}: {value:,.0f} times real time")


if __name__ == "__main__":
    main()
