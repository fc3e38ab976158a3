"""What people's verdicts on alerts change: `python -m benchmarks.feedback [--seeds N]`.

Replays simulated streams (12 days, varied, with pairs), and again with verdicts on the alerts of
the first half, as people of two tastes would give them when they come: who call noise what has
phrases alone, and who call noise what is nothing planted. Of the second half, by what those people
would call it: how many alerts there were, how many candidates, and the mean score of these when
each was asked about last. Prints JSON.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple
from unittest.mock import patch

import msgspec
from bytewax.run import cli_main

from flows.detect import Ends, build
from flows.evaluate import read_truth
from flows.settings import load
from flows.simulate import simulate_to
from operators.feedback import Word
from operators.sinks.jsonl import TrendsFile
from operators.sources.files import FileSource
from trend import candidates
from trend.kinds import COMMUNITY, KINDS
from trend.simulator import SimulatorSettings
from trend.simulator.truth import Truth

FIRST_SEED: Final = 300
DAYS: Final = 12


class Asked(NamedTuple):
    """A candidate, as it was asked about last."""

    tick: int
    told: bool
    score: float
    members: frozenset[tuple[str, str]]


Taste = Callable[[Asked], bool]


def tastes(truth: Truth) -> dict[str, Taste]:
    """Who calls what real."""
    planted = {(member.kind, member.id) for one in truth.trends for member in one.members}
    return {
        "no phrases": lambda one: {kind for kind, _ in one.members} != {"phrase"},
        "no tags": lambda one: {kind for kind, _ in one.members} != {"hashtag"},
        "planted only": lambda one: bool(one.members & planted),
    }


def replayed(reels: Path, words: Sequence[Word]) -> dict[str, Asked]:
    """All that was asked about, by trend."""
    found: dict[str, Asked] = {}

    class Keeping(candidates.Candidates):
        def tells(self, trend: Any, row: int, followed: Any, started: int, *more: Any) -> bool:
            told = super().tells(trend, row, followed, started, *more)
            members = frozenset(
                (KINDS[one.kind], one.id)
                for signal in trend.signals.values()
                for one in (signal.parts if signal.kind == COMMUNITY else (signal,))
            )
            found[trend.id] = Asked(more[0], told, trend.probability, members)
            return told

    settings = load(graph=True)
    source = FileSource([str(reels)], settings.batch_size)
    sink = TrendsFile(reels.with_name("trends.jsonl"))
    ends = Ends(source, source.list_parts(), [sink], words=lambda: words)
    with patch("trend.synthesis.Candidates", Keeping):
        cli_main(build(settings, ends))  # type: ignore[no-untyped-call]
    return found


def main() -> None:
    """Replay all streams and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    sums: dict[str, Counter[str]] = {}
    for seed in range(FIRST_SEED, FIRST_SEED + given.seeds):
        stream = SimulatorSettings(seed=seed, days=DAYS, varied=True, pairs=4)
        with TemporaryDirectory(prefix="groundswell-feedback-") as folder:
            written = simulate_to(Path(folder), stream)
            before = replayed(written.reels_file, [])
            alerts = {name: one for name, one in before.items() if one.told}
            ticks = sorted(one.tick for one in alerts.values())
            middle = ticks[len(ticks) // 2]
            for taste, real in tastes(read_truth(written.truth_file)).items():
                words = [
                    Word((one.tick + 1) * 600, name, int(real(one)), int(not real(one)))
                    for name, one in alerts.items()
                    if one.tick <= middle
                ]
                after = replayed(written.reels_file, words)
                for when, asked in (("without", before), ("with", after)):
                    for one in asked.values():
                        if one.tick > middle:
                            called = "real" if real(one) else "noise"
                            sums.setdefault(f"{taste}: {called}, {when}", Counter()).update(
                                candidates=1, alerts=one.told, score=one.score
                            )
        print(f"seed {seed}", file=sys.stderr)
    for key, of in sorted(sums.items()):
        of["score"] = round(of["score"] / of["candidates"], 3)
        print(f"{key:30}{msgspec.json.encode(of).decode()}")


if __name__ == "__main__":
    main()
