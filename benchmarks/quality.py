"""How well planted trends are found, beside all rivals: `make bench-quality`.

Each seed is another simulated stream. Ours is replayed in this process as it is set, and once for
each value of its one knob; the rivals (`benchmarks.rivals`) get the same reels, and thresholds that
make the numbers of alerts a day that are asked for. All are marked against the answer key in the
same way; see `trend.evaluation` for what the figures mean. Prints the mean over the seeds and its
standard deviation, and draws how precision trades against lead and recall.

What is marked is kept in the temporary folder until the code that it depends on changes, so a run
that was stopped goes on where it was.

- reels seen: reels of a planted trend (with one of its members; of a pair with both) that came
  before its first alert, the median over those that have one;
- false a million: alerts that name nothing planted, over a million reels.
"""

import argparse
import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from functools import cached_property
from itertools import pairwise
from pathlib import Path
from statistics import mean, median, stdev
from tempfile import TemporaryDirectory, gettempdir
from typing import Any, Final

from bytewax.run import cli_main
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.rivals.every import RIVALS, Reach, Stream, told
from benchmarks.rivals.uses import read
from flows.detect import Ends, build
from flows.evaluate import evaluate_files, read_truth
from flows.settings import Settings, load
from flows.simulate import simulate_to
from operators.sinks.jsonl import TrendsFile
from operators.sources.files import FileSource
from trend.evaluation import Report, evaluate
from trend.simulator import SimulatorSettings
from trend.simulator.truth import Truth

ROOT: Final = Path(__file__).parents[1]
OURS: Final = "Groundswell"
AS_SET: Final = "as set"
KNOB: Final = "fdr"
VALUES: Final = (1.0, 0.5, 0.3, 0.2, 0.1, 0.05, 0.02)
BUDGETS: Final = (5, 10, 20, 50, 100, 200)
"""Alerts a day."""
SHOWN: Final = (10, 50, 200)
COLUMNS: Final = {
    "alerts_per_day": "alerts a day",
    "recall_before_peak": "before the peak",
    "recall_first_half": "in the first half",
    "precision": "precision",
    "lead_share": "lead, of the rise",
    "reels_seen": "reels seen",
    "alerts_per_trend": "alerts a trend",
    "false_per_million": "false a million",
    "stage_f1": "stages, F1",
}
CODE: Final = {
    "stream": ("trend/simulator/*.py", "flows/simulate.py"),
    "ours": ("benchmarks/quality.py", "trend/**/*.py", "operators/**/*.py", "flows/*.py"),
    "rivals": (
        "benchmarks/quality.py", "benchmarks/rivals/*.py", "trend/evaluation.py",
        "trend/words.py", "trend/signals.py", "trend/folding.py", "operators/explode.py",
    ),
}  # fmt: skip
"""What the marks of each depend on."""

Mark = dict[str, Any]
"""Figures of one way at one setting over one stream."""


class Seed:
    """One stream: what is known of it, and what has yet to be found."""

    def __init__(self, settings: SimulatorSettings, graph: bool | None, cache: Path) -> None:
        self.settings = settings
        self._graph = graph
        self._cache = cache
        self._folder: TemporaryDirectory[str] | None = None

    def ours(self, value: float | None) -> Mark:
        """Marks of ours with a value of the knob, or as it is set."""
        return self._known(
            "ours", f"{value}-{self._graph}", lambda: self._mark_ours(value)
        )  # fmt: skip

    def rivals(self) -> dict[str, list[Mark]]:
        """Marks of each rival at each budget."""
        return self._known("rivals", "-".join(map(str, BUDGETS)), self._mark_rivals)

    def close(self) -> None:
        """Delete the stream."""
        if self._folder is not None:
            self._folder.cleanup()

    def _known(self, kind: str, name: str, make: Callable[[], Any]) -> Any:
        what = f"{self.settings}{digest('stream')}{digest(kind)}{name}".encode()
        file = self._cache / f"{kind}-{hashlib.sha256(what).hexdigest()[:20]}.json"
        if file.exists():
            return json.loads(file.read_text())
        found = make()
        self._cache.mkdir(parents=True, exist_ok=True)
        part = file.with_suffix(".part")
        part.write_text(json.dumps(found))
        part.rename(file)
        return found

    @cached_property
    def _files(self) -> tuple[Path, Path]:
        self._folder = TemporaryDirectory(prefix="groundswell-")
        written = simulate_to(Path(self._folder.name), self.settings)
        return written.reels_file, written.truth_file

    @cached_property
    def _truth(self) -> Truth:
        return read_truth(self._files[1])

    @cached_property
    def _stream(self) -> Stream:
        return Stream(read(str(self._files[0])))

    @cached_property
    def _reach(self) -> Reach:
        return Reach(self._stream.uses)

    def _mark_ours(self, value: float | None) -> Mark:
        reels, truth = self._files
        trends = reels.with_name("trends.jsonl")
        chosen = {} if value is None else {KNOB: value}
        replay(reels, trends, load(graph=self._graph, **chosen))
        return mark(self._truth, evaluate_files(truth, trends), self._reach)

    def _mark_rivals(self) -> dict[str, list[Mark]]:
        wanted = [budget * self.settings.days for budget in BUDGETS]
        return {
            name: [mark(self._truth, evaluate(self._truth, some), self._reach) for some in alerts]
            for name, alerts in told(self._stream, wanted)
        }


def replay(reels: Path, trends: Path, settings: Settings) -> None:
    """Write the trends in a file of reels to another one."""
    source = FileSource([str(reels)], settings.batch_size)
    ends = Ends(source, source.list_parts(), [TrendsFile(trends)])
    cli_main(build(settings, ends))  # type: ignore[no-untyped-call]


def digest(kind: str) -> str:
    """Return a hash of the code that marks depend on."""
    files = sorted({file for pattern in CODE[kind] for file in ROOT.glob(pattern)})
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()


def mark(truth: Truth, report: Report, reach: Reach) -> Mark:
    """Return what the table and the curves are made of."""
    whole = report.whole
    seen = [
        reach.reels(
            planted.members,
            planted.kind,
            planted.start,
            report.alerted_h[planted.key] - (planted.start - truth.start) / timedelta(hours=1),
        )
        for planted in truth.trends
        if planted.key in report.alerted_h
    ]
    return {
        "alerts_per_day": whole.alerts_per_day,
        "recall": whole.recall,
        "recall_before_peak": whole.recall_before_peak,
        "recall_first_half": whole.recall_first_half,
        "precision": whole.precision,
        "lead_h": whole.median_lead_h,
        "lead_share": whole.median_lead_share,
        "reels_seen": median(seen) if seen else None,
        "alerts_per_trend": whole.alerts_per_detected_trend,
        "false_per_million": (whole.alerts - whole.named) / truth.reels * 1e6,
        "stage_f1": report.stage_f1,
        "kinds": {name: one.recall_before_peak for name, one in whole.kinds.items()},
        "false_alerts": whole.false_alerts,
    }


def spread(marks: Sequence[Mark]) -> Mark:
    """Return mean and standard deviation of each figure over the seeds, None where none has it."""
    first = marks[0]
    found: Mark = {}
    for name, value in first.items():
        if isinstance(value, dict):
            keys = sorted({key for one in marks for key in one[name]})
            found[name] = {
                key: _spread([one[name][key] for one in marks if one[name].get(key) is not None])
                for key in keys
            }
        else:
            found[name] = _spread([one[name] for one in marks if one[name] is not None])
    return found


def _spread(values: Sequence[float]) -> list[float] | None:
    if not values:
        return None
    return [round(mean(values), 4), round(stdev(values) if len(values) > 1 else 0.0, 4)]


def at_rate(curve: Sequence[Mark], figure: str, rate: float) -> float | None:
    """Return a figure of a rival at so many alerts a day, between two of its marks.

    None where they do not reach so far.
    """
    points = sorted(
        (one["alerts_per_day"][0], one[figure][0]) for one in curve if one[figure] is not None
    )
    for (low, left), (high, right) in pairwise(points):
        if low <= rate <= high:
            share = (rate - low) / (high - low) if high > low else 0.0
            return float(left + share * (right - left))
    return None


def margins(report: Mark) -> Iterator[dict[str, Any]]:
    """Compare each of our marks with the best rival at as many alerts a day, figure by figure."""
    for setting, ours in report["ours"].items():
        rate = ours["alerts_per_day"][0]
        row: dict[str, Any] = {"setting": setting, "alerts_per_day": rate}
        for figure in ("precision", "recall_before_peak", "recall_first_half", "lead_share"):
            values = {
                name: value
                for name, curve in report["rivals"].items()
                if (value := at_rate(curve, figure, rate)) is not None
            }
            if values and ours[figure] is not None:
                best = max(values, key=lambda name: values[name])
                row[figure] = {
                    "ours": ours[figure][0], "best": round(values[best], 3), "rival": best
                }  # fmt: skip
        yield row


def table(report: Mark) -> Table:
    """Return what is printed: mean and standard deviation over the seeds."""
    made = Table(title=f"{report['seeds']} streams of {report['stream']['reels_per_day']:,} a day")
    made.add_column("way")
    made.add_column("at")
    for title in COLUMNS.values():
        made.add_column(title, justify="right")
    for setting, ours in report["ours"].items():
        made.add_row(OURS, setting, *_cells(ours))
    made.add_section()
    for name, curve in report["rivals"].items():
        for budget, one in zip(BUDGETS, curve, strict=True):
            if budget in SHOWN:
                made.add_row(name, f"{budget} a day", *_cells(one))
    return made


def _cells(one: Mark) -> Iterator[str]:
    for name in COLUMNS:
        if one[name] is None:
            yield "-"
        else:
            middle, deviation = one[name]
            digits = 2 if abs(middle) < 10 else 0
            yield f"{middle:.{digits}f} ± {deviation:.{digits}f}"


def details(report: Mark) -> Table:
    """Return the recall before the peak of each kind, and what false alerts are of, as set."""
    ours = report["ours"][AS_SET]
    made = Table(title=f"{OURS}, {AS_SET}")
    made.add_column("")
    made.add_column("mean ± deviation", justify="right")
    for name, titles in (("kinds", "before the peak: {}"), ("false_alerts", "false: {}")):
        for key, value in ours[name].items():
            cell = "-" if value is None else f"{value[0]:.2f} ± {value[1]:.2f}"
            made.add_row(titles.format(key), cell)
    return made


def measure(
    seeds: Sequence[SimulatorSettings],
    graph: bool | None,
    values: Sequence[float],
    console: Console,
    rivals: bool = True,
) -> Mark:
    """Mark everything and return the report."""
    cache = Path(gettempdir(), "groundswell-quality")
    ours: dict[str, list[Mark]] = {}
    others: dict[str, list[list[Mark]]] = {}
    settings: Mapping[str, float | None] = {AS_SET: None} | {f"{KNOB} {x:g}": x for x in values}
    with Progress(console=console, transient=True) as progress:
        steps = len(settings) + rivals
        bar = progress.add_task("streams", total=steps * len(seeds))
        for stream in seeds:
            with closing(Seed(stream, graph, cache)) as seed:
                for name, value in settings.items():
                    progress.update(bar, description=f"seed {stream.seed}: {name}")
                    ours.setdefault(name, []).append(seed.ours(value))
                    progress.advance(bar)
                if rivals:
                    progress.update(bar, description=f"seed {stream.seed}: {len(RIVALS)} rivals")
                    for name, marks in seed.rivals().items():
                        others.setdefault(name, []).append(marks)
                    progress.advance(bar)
    one = seeds[0]
    return {
        "seeds": len(seeds),
        "stream": {
            "days": one.days,
            "reels_per_day": one.reels_per_day,
            "pairs": one.pairs,
            "varied": one.varied,
        },
        "budgets": list(BUDGETS),
        "ours": {name: spread(marks) for name, marks in ours.items()},
        "rivals": {
            name: [spread(at) for at in zip(*marks, strict=True)] for name, marks in others.items()
        },
        "by_seed": {"ours": ours, "rivals": others},
    }


def main() -> None:
    """Mark all seeds, print the table and draw the curves."""
    standard = SimulatorSettings()
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10, help="seeds 0, 1, … to mark")
    parser.add_argument("--days", type=int, default=standard.days)
    parser.add_argument("--reels-per-day", type=int, default=standard.reels_per_day)
    parser.add_argument("--pairs", type=int, default=8, help="planted in each stream")
    parser.add_argument(
        "--varied",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="with all kinds of trend, cascade and spam, or as `simulate` makes it unasked",
    )
    parser.add_argument(
        "--graph",
        action=argparse.BooleanOptionalAction,
        help="with the co-occurrence graph, or without it; as it is set if neither",
    )
    parser.add_argument("--values", help=f"of {KNOB}, with commas", default=VALUES)
    parser.add_argument("--no-rivals", action="store_true", help="ours alone")
    parser.add_argument("--json", type=Path, help="file for all figures, those of each seed too")
    parser.add_argument("--png", type=Path, default=Path("quality.png"), help="file for the curves")
    given = parser.parse_args()
    stream = replace(
        standard,
        days=given.days,
        reels_per_day=given.reels_per_day,
        pairs=given.pairs,
        varied=given.varied,
    )
    seeds = [replace(stream, seed=seed) for seed in range(given.seeds)]
    values = given.values
    if isinstance(values, str):
        values = [float(value) for value in values.split(",") if value]
    console = Console()
    report = measure(seeds, given.graph, values, console, not given.no_rivals)
    report["margins"] = [*margins(report)]
    if given.json:
        given.json.write_text(json.dumps(report, indent=1) + "\n")
    wide = console if console.is_terminal else Console(width=200)
    wide.print(table(report))
    wide.print(details(report))
    for row in report["margins"]:
        parts = [
            f"{figure.replace('_', ' ')} {one['ours']:.2f} (best rival {one['best']:.2f}, "
            f"{one['rival']})"
            for figure, one in row.items()
            if isinstance(one, dict)
        ]
        wide.print(f"{row['setting']}, {row['alerts_per_day']:.1f} a day: {'; '.join(parts)}")
    if not given.no_rivals:
        from benchmarks.curves import draw

        draw(report, given.png)
        wide.print(f"curves: {given.png}")


if __name__ == "__main__":
    main()
