"""How well planted trends are found, over several seeds: `python -m benchmarks.quality`.

Each seed is another simulated stream, replayed in this process with the settings as they are and
marked against its answer key; see `trend.evaluation` for what the figures mean. Prints mean,
standard deviation, least and greatest over the seeds, of the whole stream and of what comes after
its first day.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean, stdev
from tempfile import TemporaryDirectory
from typing import Any, Final

from bytewax.run import cli_main

from flows.detect import Ends, build
from flows.evaluate import evaluate_files
from flows.settings import load
from flows.simulate import simulate_to
from operators.sinks.jsonl import TrendsFile
from operators.sources.files import FileSource
from trend.evaluation import CAUSES, Figures, Report
from trend.simulator import SimulatorSettings

FIGURES: Final = (
    "recall",
    "recall_before_peak",
    "precision",
    "median_lead_h",
    "median_lead_share",
    "alerts_per_detected_trend",
    "alerts_per_day",
)


def marked(stream: SimulatorSettings, graph: bool = True) -> Report:
    """Simulate a stream, find its trends, with the graph or without, and mark them."""
    settings = load(graph=graph)
    with TemporaryDirectory(prefix="groundswell-") as folder:
        written = simulate_to(Path(folder), stream)
        trends = Path(folder, "trends.jsonl")
        source = FileSource([str(written.reels_file)], settings.batch_size)
        ends = Ends(source, source.list_parts(), [TrendsFile(trends)])
        cli_main(build(settings, ends))  # type: ignore[no-untyped-call]
        return evaluate_files(written.truth_file, trends)


def spread(figures: Sequence[Figures]) -> dict[str, dict[str, float] | None]:
    """Each figure over the seeds; None where no seed has it."""
    values = {name: [getattr(one, name) for one in figures] for name in FIGURES}
    values |= {f"false: {cause}": [one.false_alerts[cause] for one in figures] for cause in CAUSES}
    kinds = sorted({kind for one in figures for kind in one.kinds})
    values |= {
        f"recall before peak: {kind}": [
            one.kinds[kind].recall_before_peak for one in figures if kind in one.kinds
        ]
        for kind in kinds
    }
    return {name: _spread([x for x in some if x is not None]) for name, some in values.items()}


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    deviation = stdev(values) if len(values) > 1 else 0.0
    found = {"mean": mean(values), "stdev": deviation, "min": min(values), "max": max(values)}
    return {name: round(value, 3) for name, value in found.items()}


def lines(report: dict[str, Any]) -> list[str]:
    """The report as plain text."""
    columns = ("mean", "stdev", "min", "max")
    text: list[str] = []
    for part in ("whole", "after_first_day"):
        title = part.replace("_", " ")
        text.append(f"{title:<32}" + "".join(f"{column:>9}" for column in columns))
        for name, values in report[part].items():
            numbers = [f"{values[column]:>9.2f}" for column in columns] if values else ["        -"]
            text.append(f"  {name.replace('_', ' '):<30}" + "".join(numbers))
    return text


def main() -> None:
    """Mark all seeds and print the spread."""
    standard = SimulatorSettings()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, help="seeds 0, 1, … to mark")
    parser.add_argument("--days", type=int, default=standard.days)
    parser.add_argument("--reels-per-day", type=int, default=standard.reels_per_day)
    parser.add_argument("--pairs", type=int, default=standard.pairs, help="planted in each stream")
    parser.add_argument("--no-graph", action="store_true", help="without the co-occurrence graph")
    parser.add_argument("--json", action="store_true", help="print JSON, with each seed's report")
    given = parser.parse_args()
    stream = replace(standard, days=given.days, reels_per_day=given.reels_per_day)
    stream = replace(stream, pairs=given.pairs)
    reports = []
    for seed in range(given.seeds):
        reports.append(marked(replace(stream, seed=seed), not given.no_graph))
        print(f"seed {seed} is marked", file=sys.stderr)
    report: dict[str, Any] = {
        "seeds": given.seeds,
        "days": given.days,
        "reels_per_day": given.reels_per_day,
        "whole": spread([one.whole for one in reports]),
        "after_first_day": spread([one.after_first_day for one in reports]),
    }
    if given.json:
        report["by_seed"] = [one.as_dict() for one in reports]
    print(json.dumps(report, indent=2) if given.json else "\n".join(lines(report)))


if __name__ == "__main__":
    main()
