"""Compiles all kernels, once after installing: `python -m flows.warm`.

What is compiled is kept where the packages are, or in the user's cache where that cannot be
written. Later processes load it, so that the first command starts as soon as any other. Where all
of it is there it takes a few seconds.

A small simulated stream goes through the flow; what only much data asks for is asked for by hand.
"""

import pickle
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from numba.core.event import Listener, install_listener

from flows.settings import Settings

DAYS: Final = 4
REELS_PER_DAY: Final = 5000
PAIRS: Final = 8
LINES: Final = 3000
"""Of a poll: few, so that ticks are spread over several."""
SAY_EVERY: Final = 50
"""Kernels after which it is said how many are compiled."""


class Compiled(Listener):
    """Counts the kernels that are compiled, and says so."""

    def __init__(self) -> None:
        self.kernels = 0

    def on_start(self, event: Any) -> None:
        """Say why it takes a while, before the first."""
        if self.kernels == 0:
            _say("compiling for this machine; that is done once and takes a minute or two")
            self.kernels = 1

    def on_end(self, event: Any) -> None:
        """Count one more."""
        if self.kernels % SAY_EVERY == 0:
            _say(f"{self.kernels} kernels compiled")
        self.kernels += 1


def main() -> None:
    """Compile what is not compiled yet, and say how much that was."""
    compiled = Compiled()
    with install_listener("numba:compile", compiled):
        warm()
    if compiled.kernels:
        _say(f"{compiled.kernels - 1} kernels compiled, ready")


def _heard() -> None:
    """Have the sound of a reel looked at, as extraction does."""
    import numpy as np

    from extractors.media import RATE
    from trend.acoustics.peaks import peaks_of, spectrogram
    from trend.acoustics.qualities import qualities

    pcm = np.random.default_rng(1).normal(0, 0.1, 8 * RATE).astype(np.float32)
    power = spectrogram(pcm)
    peaks_of(power)
    qualities(pcm, power)


def warm() -> None:
    """Have every kernel of the flow in memory."""
    from flows.settings import load
    from flows.simulate import simulate_to
    from trend.simulator import SimulatorSettings

    simulated = SimulatorSettings(
        seed=1,
        days=DAYS,
        reels_per_day=REELS_PER_DAY,
        pairs=PAIRS,
        malformed=0.01,
        fingerprints=True,
    )
    settings = load(graph=True)
    _heard()
    with TemporaryDirectory(prefix="groundswell-") as folder:
        reels = simulate_to(Path(folder), simulated).reels_file
        _flow(settings, reels, Path(folder, "trends.jsonl"))
    _tables(settings)
    _landmarks()


def _flow(settings: Settings, reels: Path, trends: Path) -> None:
    from bytewax.run import cli_main

    from flows.detect import Ends, build
    from operators.sinks.jsonl import TrendsFile
    from operators.sources.files import FileSource

    source = FileSource([str(reels)], LINES)
    ends = Ends(source, source.list_parts(), [TrendsFile(trends)])
    cli_main(build(settings, ends))  # type: ignore[no-untyped-call]


def _tables(settings: Settings) -> None:
    """Have the tables of a shard grow, give room, and come back from a pickle."""
    from flows.detect import shard_settings
    from trend import tables
    from trend.shard import Shard

    of_shard = shard_settings(settings)
    shard: Shard = pickle.loads(pickle.dumps(Shard(of_shard)))
    counts = tables.with_pairs(shard.counts, 0, 1, of_shard)
    tables.with_pairs(counts, 0, counts.pairs.size, of_shard)


def _landmarks() -> None:
    """Have sounds known by landmarks, more than there is room for, and asked for."""
    import numpy as np

    from trend.acoustics.known import KnownSounds
    from trend.acoustics.peaks import Peaks

    rng = np.random.default_rng(1)
    times = np.arange(0, 4000, 16, dtype=np.int32)
    melodies = [Peaks(times, rng.integers(4000, 9000, 250).astype(np.int32)) for _ in range(12)]
    known = KnownSounds(most=8, dense=8)
    for melody in melodies:
        known.add(melody)
    known = pickle.loads(pickle.dumps(known))
    if (found := known.match(melodies[-1])) is not None:
        known.use(found.sound)


def _say(text: str) -> None:
    print(f"groundswell: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
