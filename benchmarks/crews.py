"""How many spam crews become a trend, by their accounts: `python -m benchmarks.crews`.

Each seed is another simulated stream with crews of 1 to 5 accounts that repeat themselves and of 40
to 80 that post edited copies of one text a few times each. A crew became a trend if any alert has
one of its signals, also beside those of a planted trend. Prints crews and their share by seed and
in all.
"""

import argparse
import json
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bytewax.run import cli_main

from flows.detect import Ends, build
from flows.evaluate import read_alerts, read_truth
from flows.settings import load
from flows.simulate import simulate_to
from operators.sinks.jsonl import TrendsFile
from operators.sources.files import FileSource
from trend.evaluation import CrewFigures, crew_figures
from trend.simulator import SimulatorSettings


def alerted(stream: SimulatorSettings, graph: bool) -> dict[str, CrewFigures]:
    """Simulate a stream, find its trends, and look for its crews among them."""
    settings = load(graph=graph)
    with TemporaryDirectory(prefix="groundswell-") as folder:
        written = simulate_to(Path(folder), stream)
        trends = Path(folder, "trends.jsonl")
        source = FileSource([str(written.reels_file)], settings.batch_size)
        ends = Ends(source, source.list_parts(), [TrendsFile(trends)])
        cli_main(build(settings, ends))  # type: ignore[no-untyped-call]
        return crew_figures(read_truth(written.truth_file), read_alerts(trends))


def main() -> None:
    """Look at all seeds and print them."""
    standard = SimulatorSettings()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="seeds 0, 1, … to look at")
    parser.add_argument("--days", type=int, default=standard.days)
    parser.add_argument("--reels-per-day", type=int, default=standard.reels_per_day)
    parser.add_argument("--spam", type=int, help="crews in each stream; by its size if absent")
    parser.add_argument("--pairs", type=int, default=standard.pairs, help="planted in each stream")
    parser.add_argument("--varied", action="store_true", help="with spam that is slow too")
    parser.add_argument("--graph", action="store_true", help="with the co-occurrence graph")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    stream = replace(
        standard,
        days=given.days,
        reels_per_day=given.reels_per_day,
        spam=given.spam,
        pairs=given.pairs,
        varied=given.varied,
    )
    crews, hits = Counter[str](), Counter[str]()
    by_seed: list[dict[str, Any]] = []
    for seed in range(given.seeds):
        found = alerted(replace(stream, seed=seed), given.graph)
        for size, figures in found.items():
            crews[size] += figures.crews
            hits[size] += figures.alerted
        by_seed.append({size: asdict(figures) for size, figures in found.items()})
        if not given.json:
            told = (f"{size}: {one.alerted} of {one.crews}" for size, one in found.items())
            print(f"seed {seed:<4}{'   '.join(told)}", flush=True)
    if given.json:
        print(json.dumps({"seeds": given.seeds, "by_seed": by_seed}, indent=2))
        return
    for size, count in crews.items():
        share = f"{hits[size] / count:.3f}" if count else "-"
        print(f"accounts {size:<8}{hits[size]:>4} of {count:<5} became a trend: {share}")


if __name__ == "__main__":
    main()
