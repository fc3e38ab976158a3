"""What a longer past costs: `python -m benchmarks.history`.

Replays the first days of one simulated stream, more and more of them, each in a process of its
own, and prints JSON: the processor time a reel, and its ratio to that of the shortest. History is
kept for fifteen days; a reel should cost the same however long the past is.
"""

import argparse
import json
import sys
from datetime import timedelta
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.event_time import simulated
from benchmarks.throughput import run_flow, timed
from trend.simulator import SimulatorSettings


def cost(warm_up: Path, file: Path, lines: int) -> float:
    """Return the processor time of the flow for one of so many lines, in microseconds."""
    run_flow(warm_up)
    with timed(lines) as took:
        run_flow(file)
    return took.cpu_s / lines * 1e6


def main() -> None:
    """Measure all lengths."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--days", type=int, nargs="+", default=[4, 8, 16, 32])
    parser.add_argument("--reels-per-day", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=2, help="of which the best counts")
    given = parser.parse_args()
    settings = SimulatorSettings(
        days=max(given.days), reels_per_day=given.reels_per_day, malformed=0
    )
    stream = simulated(settings)
    found: list[dict[str, Any]] = []
    with (
        TemporaryDirectory(prefix="groundswell-") as name,
        get_context("spawn").Pool(1, maxtasksperchild=1) as process,
    ):
        warm_up = Path(name, "warm-up.jsonl")
        warm_up.write_bytes(b"\n".join(stream.lines[:10_000]))
        for days in sorted(given.days):
            end = settings.start + timedelta(days=days)
            lines = stream.where(lambda _, time, end=end: time < end)  # type: ignore[misc]
            file = Path(name, f"{days}.jsonl")
            file.write_bytes(b"\n".join(lines))
            print(f"{days} days: {len(lines):,} lines", file=sys.stderr)
            rounds = [process.apply(cost, (warm_up, file, len(lines))) for _ in range(given.rounds)]
            found.append({"days": days, "lines": len(lines), "cpu_us_a_reel": min(rounds)})
    for one in found:
        one["ratio"] = round(one["cpu_us_a_reel"] / found[0]["cpu_us_a_reel"], 3)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
