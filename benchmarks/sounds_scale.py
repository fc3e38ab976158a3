"""What a million sounds take: `python -m benchmarks.sounds_scale [FOLDER] [--sounds N]`.

FOLDER holds music as for `benchmarks.sounds`. Sections of two thirds of the tracks are made known
first, then so many more sounds that only a part of the landmarks of those sections is kept; after
excerpts of all tracks were asked for, the sections are used again, so that they are whole, and the
same is asked once more. Memory is that of the process. The other sounds are made of the peaks of
the sections: 4 seconds at a time of any of them, backwards, each moved a little and transposed.

Re-uploads are asked for by Chromaprint's items alone, of as many recordings: 10 seconds of which a
fiftieth of the bits differ, and as many that nobody knows. The others are seconds of the sections
in any order, with four bits of each second changed.
"""

import argparse
import time
from collections import defaultdict
from pathlib import Path

import numpy as np

from benchmarks.music import RATE
from benchmarks.sounds import F32, SECTION, kinds, spoken_words, tracks_of
from extractors.fingerprint import fingerprint
from trend.acoustics.chromaprint import U32
from trend.acoustics.chromaprint import items as items_of
from trend.acoustics.known import KnownSounds
from trend.acoustics.peaks import FRAME, FRAMES_PER_SECOND, OCTAVE, Peaks, peaks
from trend.acoustics.reuploads import Reuploads

BLOCK = int(4 * FRAMES_PER_SECOND * FRAME)
BLOCKS = 8
MOVED = 40
SEMITONE = OCTAVE // 12
ITEMS = 220


def memory() -> str:
    """Memory of the process now, and at most so far."""
    told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    now, most = (int(told[name].split()[0]) / 1e6 for name in ("VmRSS", "VmHWM"))
    return f"{now:.2f} GB, at most {most:.2f} GB so far"


class Maker:
    """Sounds that nobody knows, with landmarks as unevenly spread as those of some that are."""

    def __init__(self, known: list[Peaks], rng: np.random.Generator) -> None:
        self._rng = rng
        self._blocks = []
        for one in known:
            for begin in range(0, int(one.time.max()) - BLOCK, BLOCK // 2):
                low, high = np.searchsorted(one.time, [begin, begin + BLOCK])
                if high - low > 40:
                    back = BLOCK - 1 - (one.time[low:high] - begin)
                    self._blocks.append((back[::-1], one.pitch[low:high][::-1]))

    def sound(self) -> Peaks:
        """About half a minute."""
        rng = self._rng
        times, pitches = [], []
        key = int(rng.integers(-400, 400))
        for number in range(BLOCKS):
            time_of, pitch_of = self._blocks[int(rng.integers(len(self._blocks)))]
            times.append(time_of + number * BLOCK + rng.integers(-MOVED, MOVED + 1, time_of.size))
            pitches.append(pitch_of + key + SEMITONE * int(rng.integers(-3, 4)))
        at, pitch = np.concatenate(times), np.concatenate(pitches)
        kept = (at >= 0) & (at < BLOCKS * BLOCK) & (pitch > 3_700) & (pitch < 9_800)
        at, pitch = at[kept], pitch[kept]
        order = np.lexsort((pitch, at))
        return Peaks(at[order].astype(np.int32), pitch[order].astype(np.int32))


def asked(tracks: list[F32], rng: np.random.Generator) -> list[tuple[str, int, Peaks]]:
    """Excerpts of 10 seconds of all tracks, changed: how, of which track, and their peaks."""
    found = []
    voice = spoken_words(120)
    for number, samples in enumerate(tracks):
        for begin in range(0, samples.size - 30 * RATE, SECTION * RATE):
            part = samples[begin : begin + SECTION * RATE]
            for name, (times, change) in kinds(voice).items():
                n = int(10 * times * RATE)
                at = int(rng.integers(0, max(1, part.size - n)))
                heard = np.ascontiguousarray(change(part[at : at + n]), np.float32)
                found.append((name, number, peaks(heard)))
    return found


def told(sounds: KnownSounds, queries: list[tuple[str, int, Peaks]], owners: list[int]) -> None:
    """Print recall by kind of change, false matches, and what a query takes."""
    found: dict[str, list[bool]] = defaultdict(list)
    false, spent = [], []
    for name, track, query in queries:
        began = time.process_time()
        match = sounds.match(query)
        spent.append(time.process_time() - began)
        known = match is not None and match.known
        if track in owners:
            of = owners[match.sound] if match is not None and match.sound < len(owners) else -1
            found[name].append(known and of == track)
        else:
            false.append(known)
    print(" · ".join(f"{name} {np.mean(right):.0%}" for name, right in found.items()))
    print(
        f"false matches {sum(false)} of {len(false)}, {1e3 * np.mean(spent):.1f} ms a query, "
        f"{sounds.dense():,} of {len(sounds):,} whole, {memory()}",
        flush=True,
    )


def landmarks(tracks: list[F32], count: int, dense: int, rng: np.random.Generator) -> None:
    """Print what sounds take, and how well those are found of which a part or all is kept."""
    unknown = set(rng.permutation(len(tracks))[: len(tracks) // 3].tolist())
    sections, owners = [], []
    for number, samples in enumerate(tracks):
        if number not in unknown:
            for begin in range(0, samples.size - 30 * RATE, SECTION * RATE):
                sections.append(peaks(samples[begin : begin + SECTION * RATE]))
                owners.append(number)
    queries = asked(tracks, rng)
    print(f"before any sound: {memory()}")
    maker = Maker(sections, rng)
    sounds = KnownSounds(most=max(8, count * 21 // 20), dense=dense)
    for one in sections:
        sounds.add(one)
    began = time.process_time()
    for _ in range(count - len(sections)):
        sounds.add(maker.sound())
    print(f"{len(sounds):,} sounds in {time.process_time() - began:.0f} s: {memory()}", flush=True)
    for _ in range(5):
        sounds.match(sections[0])
    print(f"indexed after {time.process_time() - began:.0f} s: {memory()}")
    print(f"{sounds.memory() / 1e9:.2f} GB of it peaks and landmarks", flush=True)
    told(sounds, queries, owners)
    began = time.process_time()
    for number in range(len(sections)):
        sounds.use(number)
    print(f"{len(sections)} used again in {time.process_time() - began:.1f} s")
    told(sounds, queries, owners)


def reuploads(tracks: list[F32], count: int, rng: np.random.Generator) -> None:
    """Print what a query takes by Chromaprint's items, and how many are found."""
    real = [
        items_of(fingerprint(samples[begin : begin + 30 * RATE]))
        for samples in tracks
        for begin in range(0, samples.size - 30 * RATE, 30 * RATE)
    ]
    seconds = np.concatenate([one[: one.size // 8 * 8].reshape(-1, 8) for one in real])
    known = Reuploads()
    began = time.process_time()
    queries: list[tuple[int, U32]] = []
    for number in range(count):
        bits = np.bitwise_or.reduce(np.uint32(1) << rng.integers(0, 32, (4, ITEMS // 8), np.uint32))
        items = seconds[rng.integers(0, seconds.shape[0], ITEMS // 8)] ^ bits[:, None]
        known.add(items.reshape(-1))
        if number % max(1, count // 2000) == 0:
            flips = (rng.random((80, 32)) < 0.02) << np.arange(32)
            changed = items.reshape(-1)[40:120] ^ flips.sum(axis=1).astype(np.uint32)
            queries.append((number, changed))
    print(f"{count:,} recordings in {time.process_time() - began:.0f} s")
    strange = [seconds[rng.integers(0, seconds.shape[0], 10)].reshape(-1) for _ in queries]
    strange = [one ^ np.uint32(0x10410041) for one in strange]
    known.match(queries[0][1])
    began = time.process_time()
    right = [(match := known.match(one)) is not None and match.sound == n for n, one in queries]
    ours = time.process_time() - began
    began = time.process_time()
    false = [known.match(one) is not None for one in strange]
    theirs = time.process_time() - began
    print(
        f"{len(queries) / ours:,.0f} queries a second of known ones, {np.mean(right):.1%} found; "
        f"{len(strange) / theirs:,.0f} of others, {np.mean(false):.1%} of them; "
        f"{known.memory() / 1e9:.2f} GB, {memory()}",
        flush=True,
    )


def main() -> None:
    """Measure and print."""
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--songs", type=int, default=45, help="made where there is no folder")
    parser.add_argument("--sounds", type=int, default=1_000_000)
    parser.add_argument("--dense", type=int, default=20_000, help="sounds with all landmarks")
    parser.add_argument("--only", choices=["landmarks", "reuploads"])
    arguments = parser.parse_args()
    tracks = tracks_of(arguments.folder, arguments.songs)
    if arguments.only != "landmarks":
        for count in (min(30_000, arguments.sounds), arguments.sounds):
            reuploads(tracks, count, np.random.default_rng(1))
    if arguments.only != "reuploads":
        landmarks(tracks, arguments.sounds, arguments.dense, np.random.default_rng(0))


if __name__ == "__main__":
    main()
