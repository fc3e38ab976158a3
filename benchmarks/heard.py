"""What it costs that sounds have no ids: `python -m benchmarks.heard`.

Each simulated stream is replayed twice: with the platform's ids of its sounds, and with a
fingerprint in each reel instead, of which up to a tenth of the bits are wrong. Prints a table of
recall, recall before the peak and precision, and the processor time that each took.
"""

import argparse
import resource
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import NamedTuple

from flows.evaluate import evaluate_files
from flows.simulate import simulate_to
from trend.simulator import SimulatorSettings


class Mark(NamedTuple):
    """What came of one replay."""

    recall: float
    before_peak: float
    precision: float
    alerts: float
    seconds: float
    """Of the processor, the start of the command included."""


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--days", type=int, default=6)
    parser.add_argument("--reels-per-day", type=int, default=10_000)
    given = parser.parse_args()
    named, heard = [], []
    print(_row("seed", Mark._fields))
    for seed in range(1, given.seeds + 1):
        settings = SimulatorSettings(seed=seed, days=given.days, reels_per_day=given.reels_per_day)
        named.append(_marked(settings))
        heard.append(_marked(replace(settings, fingerprints=True)))
        print(_row(f"{seed}, by id", _said(named[-1])), flush=True)
        print(_row(f"{seed}, by fingerprint", _said(heard[-1])), flush=True)
    print(_row("mean, by id", _said(_mean(named))))
    print(_row("mean, by fingerprint", _said(_mean(heard))))


def _marked(settings: SimulatorSettings) -> Mark:
    with TemporaryDirectory(prefix="groundswell-") as folder:
        written = simulate_to(Path(folder), settings)
        trends = Path(folder, "trends.jsonl")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "flows.cli", "replay", str(written.reels_file)]
        done = subprocess.run([*command, "--to", str(trends)], capture_output=True, check=False)
        if done.returncode:
            sys.exit(done.stderr.decode())
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        whole = evaluate_files(written.truth_file, trends).whole
    seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    shares = (whole.recall, whole.recall_before_peak, whole.precision)
    return Mark(*(share or 0.0 for share in shares), float(whole.alerts), seconds)


def _mean(marks: Sequence[Mark]) -> Mark:
    return Mark(*(mean(column) for column in zip(*marks, strict=True)))


def _said(mark: Mark) -> list[str]:
    return [f"{value:.3f}" for value in mark]


def _row(name: str, values: Sequence[str]) -> str:
    return f"{name:<22}" + "".join(f"{value:>13}" for value in values)


if __name__ == "__main__":
    main()
