"""How often the name of a trend is what was planted: `python -m benchmarks.names [--seeds N]`.

Replays simulated streams (six days, varied, with pairs). Of the trends whose alert has a member
of a planted trend: in how many is the planted tag, sound title or phrase, or a phrase around it,
the name, or in the name or the summary; in the first and in the last revision. Prints JSON.
"""

import argparse
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from flows.evaluate import read_revisions, read_truth
from schemas.trends import Trend
from trend.simulator.truth import Planted, Truth

RUN: Final = (sys.executable, "-m", "flows.cli")
STREAM: Final = ("--days", "6", "--varied", "--pairs", "4")


def count(truth: Truth, revisions: Iterable[Trend]) -> Counter[str]:
    """Trends that are of something planted, and how many of them say so."""
    planted = {(member.kind, member.id): one for one in truth.trends for member in one.members}
    trends: dict[str, list[Trend]] = defaultdict(list)
    for revision in sorted(revisions, key=lambda one: one.revision):
        trends[revision.trend_id].append(revision)
    found: Counter[str] = Counter()
    for told in trends.values():
        of = [planted.get((member.kind, member.id)) for member in told[0].members]
        owners = [one for one in of if one is not None]
        if not owners:
            found["of nothing planted"] += 1
            continue
        found["trends"] += 1
        labels = _labels(owners[0], told)
        for which, revision in (("first", told[0]), ("last", told[-1])):
            name, summary = revision.name.casefold(), revision.summary.casefold()
            found[f"{which}: the name"] += any(label in name for label in labels)
            found[f"{which}: name or summary"] += any(
                label in f"{name}\n{summary}" for label in labels
            )
    return found


def _labels(planted: Planted, told: list[Trend]) -> set[str]:
    """What its members are called."""
    keys = {(member.kind, member.id) for member in planted.members}
    shown = {m.label for one in told for m in one.members if (m.kind, m.id) in keys}
    words = {member.id for member in planted.members if member.kind != "sound"}
    return {label.casefold() for label in shown | words if label}


def main() -> None:
    """Replay all streams and print the sums."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    given = parser.parse_args()
    sums: Counter[str] = Counter()
    for seed in range(given.seeds):
        with TemporaryDirectory(prefix="groundswell-names-") as name:
            folder = Path(name)
            for command in (
                ["simulate", name, "--seed", str(seed), *STREAM],
                ["replay", str(folder / "reels.jsonl"), "--to", str(folder / "trends.jsonl")],
            ):
                subprocess.run([*RUN, *command], check=True, stdout=subprocess.DEVNULL)
            sums += count(
                read_truth(folder / "truth.json"), read_revisions(folder / "trends.jsonl")
            )
    print(msgspec.json.format(msgspec.json.encode(dict(sums))).decode())


if __name__ == "__main__":
    main()
