"""Fits what is known of cascades before a stream is seen: `python -m benchmarks.takeoff_fit`.

Simulates streams of several sizes, standard and varied, with more and fewer cascades that fizzle,
and replays them with nothing told. Each time a candidate is asked about its features are kept, with
whether it names a planted trend. Trees (`trend.trees`) are fitted to what is seen without
engagement, others to what engagement adds to that, and written to `trend/takeoff_prior.py`; how
good they are is printed from five fits that each leave out a fifth of the streams, with what the
reels say of engagement, without it, and with that of other cascades of the stream, which tells
nothing. None of the seeds is one that `benchmarks.quality` uses.
"""

import argparse
import pickle
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from unittest.mock import patch

import numpy as np
import numpy.typing as npt
from bytewax.run import cli_main

from flows.detect import Ends, build
from flows.evaluate import read_truth
from flows.settings import load
from flows.simulate import simulate_to
from operators.sinks.jsonl import TrendsFile
from operators.sources.files import FileSource
from trend import candidates, takeoff, trees
from trend.evaluation import Alert, _Known
from trend.kinds import COMMUNITY, KINDS
from trend.simulator import SimulatorSettings
from trend.simulator.truth import TruthMember

FIRST_SEED: Final = 1000
SIZES: Final = (24_000, 24_000, 6_000, 24_000, 60_000, 24_000, 12_000, 24_000, 3_000)
"""Reels a day of the streams, in turns."""
FIZZLES: Final = (1.0, 1.0, 1.0, 0.6, 1.0, 1.5)
"""Fizzles of the streams against the standard, in turns."""
TREES: Final = 250
DEPTH: Final = 4
MORE_TREES: Final = 100
MORE_DEPTH: Final = 3
MIN_AUTHORS: Final = 6
"""Of the streams that are fitted on: those who set fewer than the default are served as well."""
DIGITS: Final = 4
LINE: Final = 100
FOLDS: Final = 5
ENGAGEMENTS: Final = ("given", "not given", "of others")
PRIOR: Final = Path(__file__).parent.parent / "trend" / "takeoff_prior.py"
F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Stream:
    """All that was asked of one stream, in its order: n times."""

    features: F64  # [n, p]
    trend: list[str]  # [n]
    tick: npt.NDArray[np.int64]  # [n]
    keys: list[frozenset[str]]  # [n] planted trends that it names
    cause: list[str]  # [n] of those that name none
    peaks: dict[str, float]  # planted trend -> tick of its peak
    starts: dict[str, float]


def asked(stream: SimulatorSettings) -> Stream:
    """Simulate a stream and keep all that is asked about its candidates."""
    kept: list[tuple[str, int, F64, tuple[TruthMember, ...]]] = []

    class Keeping(candidates.Candidates):
        def _features(self, trend: Any, row: int, followed: Any, started: int, *more: Any) -> F64:
            x = super()._features(trend, row, followed, started, *more)
            members = tuple(
                TruthMember(kind=KINDS[one.kind], id=one.id)
                for signal in trend.signals.values()
                for one in (signal.parts if signal.kind == COMMUNITY else (signal,))
            )
            kept.append((trend.id, more[0], x, members))
            return x

        def tells(self, *given: Any, **more: Any) -> bool:
            super().tells(*given, **more)
            return False

    with (
        TemporaryDirectory(prefix="groundswell-") as folder,
        patch("trend.synthesis.Candidates", Keeping),
    ):
        written = simulate_to(Path(folder), stream)
        settings = load(graph=True, min_authors=MIN_AUTHORS)
        source = FileSource([str(written.reels_file)], settings.batch_size)
        ends = Ends(source, source.list_parts(), [TrendsFile(Path(folder, "trends.jsonl"))])
        cli_main(build(settings, ends))  # type: ignore[no-untyped-call]
        truth = read_truth(written.truth_file)
    known = _Known(truth)
    seconds = settings.tick_seconds
    alerts = [
        Alert(trend_id=name, event_time=datetime.fromtimestamp((t + 1) * seconds, UTC), members=m)
        for name, t, _, m in kept
    ]
    keys = [known.named(alert) for alert in alerts]
    return Stream(
        features=np.array([x for _, _, x, _ in kept]),
        trend=[name for name, *_ in kept],
        tick=np.array([t for _, t, *_ in kept]),
        keys=keys,
        cause=["" if k else known.cause(alert) for k, alert in zip(keys, alerts, strict=True)],
        peaks={one.key: one.peak.timestamp() / seconds - 1 for one in truth.trends},
        starts={one.key: one.start.timestamp() / seconds - 1 for one in truth.trends},
    )


def fitted(streams: Sequence[Stream]) -> takeoff.Prior:
    """Fit trees; all that was asked of a candidate weighs as the root of how often it was asked."""
    x = np.concatenate([one.features for one in streams])
    y = np.concatenate([[float(bool(keys)) for keys in one.keys] for one in streams])
    weights = []
    for one in streams:
        _, which, times = np.unique(one.trend, return_inverse=True, return_counts=True)
        weights.append(times[which] ** -0.5)
    weight = np.concatenate(weights)
    kept = np.delete(np.arange(x.shape[1]), takeoff.ENGAGEMENT)
    first = trees.fit(x[:, kept], y, weight, TREES, DEPTH)
    first = first._replace(feature=kept[first.feature])
    start = np.array([trees.log_odds(first, row) for row in x])
    return takeoff.Prior(first, trees.fit(x, y, weight, MORE_TREES, MORE_DEPTH, start=start))


def probabilities(stream: Stream, prior: takeoff.Prior, engagement: str) -> F64:
    """Return P at each asking, float64[n], with engagement as one of `ENGAGEMENTS`."""
    x = stream.features.copy()
    columns = [*takeoff.ENGAGEMENT]
    if engagement == "not given":
        x[:, columns] = 0.0
    elif engagement == "of others":
        x[:, columns] = x[np.random.default_rng(0).permutation(len(x))][:, columns]
    log_odds = np.array([sum(takeoff.said(prior, row)) for row in x])
    p: F64 = 1 / (1 + np.exp(-log_odds))
    return p


def marked(stream: Stream, probability: F64, threshold: float) -> dict[str, float]:
    """Alerts at the first P above a threshold: how many, right, and before the peak."""
    told: set[str] = set()
    first: dict[str, float] = {}
    right = expected = 0.0
    for p, name, tick, keys in zip(
        probability.tolist(), stream.trend, stream.tick.tolist(), stream.keys, strict=True
    ):
        if name in told or p < threshold:
            continue
        told.add(name)
        right += bool(keys)
        expected += p
        for key in keys:
            first.setdefault(key, tick)
    early = sum(first.get(key, np.inf) <= peak for key, peak in stream.peaks.items())
    half = sum(
        first.get(key, np.inf) <= (peak + stream.starts[key]) / 2
        for key, peak in stream.peaks.items()
    )
    return {
        "alerts": len(told),
        "right": right,
        "expected": expected,
        "early": early,
        "half": half,
        "planted": len(stream.peaks),
    }


def _line(marks: Sequence[dict[str, float]]) -> str:
    """Return the figures of some streams together."""
    sums = {name: sum(one[name] for one in marks) for name in marks[0]}
    early, half = (sums[name] / sums["planted"] for name in ("early", "half"))
    right, expected = (sums[name] / max(sums["alerts"], 1) for name in ("right", "expected"))
    return f"  {early:11.3f}  {half:10.3f}  {right:9.3f}  {expected:18.3f}"


def source_of(prior: takeoff.Prior) -> str:
    """Return the module that holds the trees: one a line, questions and then leaves."""
    lines = [
        '"""What is known of cascades before any stream; `benchmarks.takeoff_fit` makes it."""',
        "",
        "from typing import Final",
        "",
        "from trend.takeoff import Prior",
        "from trend.trees import parsed",
        "",
        "# Each line a tree: column > threshold for each depth, then what its leaves add.",
        "# fmt: off",
    ]
    for name, some in (("TREES", prior.trees), ("ENGAGED", prior.engaged)):
        lines.append(f'{name}: Final = parsed({some.base:.{DIGITS}f}, """')
        trees_of = [
            f"{' '.join(f'{f}>{t:g}' for f, t in zip(feature, threshold, strict=True))} : "
            f"{' '.join(f'{v:.3f}' for v in value)}"
            for feature, threshold, value in zip(*some[1:], strict=True)
        ]
        long = max(map(len, trees_of)) > LINE
        lines += [*trees_of, '""")  # noqa: E501' if long else '""")']
    return "\n".join([*lines, "# fmt: on", "PRIOR: Final = Prior(TREES, ENGAGED)", ""])


def main() -> None:
    """Simulate, print how good the fits are, and write the last."""
    standard = SimulatorSettings()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--streams", type=int, default=45)
    parser.add_argument("--keep", type=Path, help="file to keep what was asked in, and to go on")
    given = parser.parse_args()
    streams: list[Stream] = []
    if given.keep and given.keep.exists():
        streams = pickle.loads(given.keep.read_bytes())
    for number in range(len(streams), given.streams):
        size = SIZES[number % len(SIZES)]
        stream = replace(standard, seed=FIRST_SEED + number, reels_per_day=size, pairs=10)
        fizzles = stream.planned()[1] * FIZZLES[number % len(FIZZLES)]
        stream = replace(stream, fizzles=round(fizzles), varied=number % 2 == 1)
        streams.append(asked(stream))
        print(f"stream {number} of {size} reels a day is done", file=sys.stderr)
        if given.keep:
            given.keep.write_bytes(pickle.dumps(streams))
    priors = [
        fitted([one for at, one in enumerate(streams) if at % FOLDS != fold])
        for fold in range(FOLDS)
    ]
    print("threshold  before peak  first half  precision  expected precision")
    for engagement in ENGAGEMENTS:
        held = [
            (one, probabilities(one, priors[at % FOLDS], engagement))
            for at, one in enumerate(streams)
        ]
        for threshold in (0.0, 0.3, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95):
            all_of = [marked(one, p, threshold) for one, p in held]
            for kind, part in (("standard", all_of[::2]), ("varied", all_of[1::2])):
                if part:
                    print(f"{threshold:9.2f}{_line(part)}  {kind}, engagement {engagement}")
    PRIOR.write_text(source_of(fitted(streams)), encoding="utf-8")


if __name__ == "__main__":
    main()
