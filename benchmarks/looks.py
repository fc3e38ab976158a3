"""Trends that are nothing but a look, in whole streams: `python -m benchmarks.looks [--seeds N]`.

Simulated streams with embeddings are replayed with formats and without. Prints JSON, the mean over
the seeds: of trends that are nothing but a look the share that is told, and told before the peak;
of the challenges that are told those that name their look at some time; of the formats told those
that are no planted look; recall before the peak, precision and alerts a day of all; and seconds of
processor time.
"""

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Final

from benchmarks.quality import replay
from flows.evaluate import alerts_of, evaluate_files, members_of, read_revisions, read_truth
from flows.settings import load
from flows.simulate import simulate_to
from schemas.trends import Trend
from trend.simulator import SimulatorSettings
from trend.simulator.truth import Truth

DAYS: Final = 8
REELS_PER_DAY: Final = 12_000
LOOKS: Final = 12
DIMENSIONS: Final = 64

Figures = dict[str, float | None]


def challenges(truth: Truth, revisions: Sequence[Trend]) -> float | None:
    """Of the challenges that are told, the share whose look is named beside their other members."""
    looks = {reel: look.id for look in truth.looks for reel in look.reels}
    named: dict[str, set[str]] = {}
    for trend in revisions:
        ids = {one.id for member in trend.members for one in members_of(member, trend, looks)}
        named.setdefault(trend.trend_id, set()).update(ids)
    found = []
    for one in truth.trends:
        look = [member.id for member in one.members if member.kind == "format"]
        others = {member.id for member in one.members if member.kind != "format"}
        told = [ids for ids in named.values() if ids & others]
        if look and others and told:
            found.append(any(look[0] in ids for ids in told))
    return mean(found) if found else None


def measure(seed: int, formats: bool, folder: Path) -> Figures:
    """Figures of one stream."""
    settings = SimulatorSettings(
        seed=seed,
        days=DAYS,
        reels_per_day=REELS_PER_DAY,
        embeddings=DIMENSIONS,
        looks=LOOKS,
    )
    stream = folder / str(seed)
    if not stream.exists():
        simulate_to(stream, settings)
    trends = folder / "trends.jsonl"
    began = time.process_time()
    replay(stream / "reels.jsonl", trends, load(formats=formats))
    spent = time.process_time() - began
    truth, revisions = read_truth(stream / "truth.json"), read_revisions(trends)
    whole = evaluate_files(stream / "truth.json", trends).whole
    looks = whole.kinds["format"]
    told = [
        member.id
        for alert in alerts_of(revisions, truth)
        for member in alert.members
        if member.kind == "format" and len(alert.members) == 1
    ]
    return {
        "looks_told": looks.recall,
        "looks_before_peak": looks.recall_before_peak,
        "challenges_with_their_look": challenges(truth, revisions) if formats else None,
        "looks_told_that_are_none": mean([one.startswith("f-") for one in told]) if told else None,
        "before_peak": whole.recall_before_peak,
        "precision": whole.precision,
        "alerts_per_day": whole.alerts_per_day,
        "cpu_s": spent,
    }


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where streams are kept")
    arguments = parser.parse_args()
    with TemporaryDirectory(prefix="groundswell-") as made:
        for formats in (True, False):
            runs = []
            for seed in range(arguments.seeds):
                runs.append(measure(seed, formats, arguments.folder or Path(made)))
                print(json.dumps({f"formats: {formats}, seed {seed}": runs[-1]}), flush=True)
            every = {
                name: [value for run in runs if (value := run[name]) is not None]
                for name in runs[0]
            }
            figures = {name: round(mean(some), 4) for name, some in every.items() if some}
            print(json.dumps({f"formats: {formats}": figures}), flush=True)


if __name__ == "__main__":
    main()
