"""What `benchmarks.quality` makes of marks: means, comparisons at equal alerts, what it keeps."""

from contextlib import closing
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from benchmarks import quality
from benchmarks.curves import draw, points
from trend.simulator import SimulatorSettings

STREAM = SimulatorSettings(days=2, reels_per_day=2000, trends=4, fizzles=10, spam=2)


def point(rate: float, precision: float | None) -> dict[str, Any]:
    values = {name: [rate, 0.0] for name in (*quality.COLUMNS, "recall")}
    values["precision"] = [precision, 0.1] if precision is not None else None
    return values


def test_mean_and_deviation_are_over_the_seeds_that_have_a_figure() -> None:
    marks = [
        {"recall": 0.5, "lead_h": None, "kinds": {"sound": 1.0, "pair": None}},
        {"recall": 1.0, "lead_h": 3.0, "kinds": {"sound": 0.0}},
    ]
    found = quality.spread(marks)
    assert found["recall"] == [0.75, pytest.approx(0.3536)]
    assert found["lead_h"] == [3.0, 0.0]
    assert found["kinds"] == {"pair": None, "sound": [0.5, pytest.approx(0.7071)]}


def test_a_rival_is_read_between_two_of_its_marks_and_not_beyond() -> None:
    curve = [point(10, 0.6), point(30, 0.2), point(20, None)]
    assert quality.at_rate(curve, "precision", 20.0) == pytest.approx(0.4)
    assert quality.at_rate(curve, "precision", 10.0) == 0.6
    assert quality.at_rate(curve, "precision", 31.0) is None


def test_ours_is_compared_with_the_best_rival_at_as_many_alerts() -> None:
    report = {
        "ours": {"as set": point(20, 0.5)},
        "rivals": {"a": [point(10, 0.6), point(30, 0.2)], "b": [point(10, 0.1), point(30, 0.1)]},
    }
    (row,) = quality.margins(report)
    assert row["precision"] == {"ours": 0.5, "best": 0.4, "rival": "a"}
    assert row["alerts_per_day"] == 20


def test_what_was_marked_is_not_marked_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ours(stream: SimulatorSettings, value: float | None = None) -> quality.Mark:
        with closing(quality.Seed(stream, None, tmp_path)) as seed:
            return seed.ours(value)

    first = ours(STREAM)
    assert first["alerts_per_day"] >= 0
    assert set(quality.COLUMNS) <= set(first)

    def fail(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(quality, "simulate_to", fail)
    assert ours(STREAM) == first
    for other in (replace(STREAM, seed=1), replace(STREAM, varied=True)):
        with pytest.raises(AssertionError):
            ours(other)
    with pytest.raises(AssertionError):
        ours(STREAM, 0.2)
    monkeypatch.setattr(quality, "digest", lambda kind: f"changed {kind}")
    with pytest.raises(AssertionError):
        ours(STREAM)


def test_the_table_and_the_curves_are_made_of_a_report(tmp_path: Path) -> None:
    report = {
        "seeds": 2,
        "stream": {"days": 2, "reels_per_day": 2000},
        "ours": {quality.AS_SET: point(20, 0.5), "fdr 0.1": point(30, None)},
        "rivals": {"a": [point(budget, 0.3) for budget in quality.BUDGETS]},
    }
    console = Console(width=200, record=True, file=StringIO())
    console.print(quality.table(report))
    text = console.export_text()
    assert text.count("│ a ") == len(quality.SHOWN)
    assert "0.50 ± 0.10" in text
    assert points([*report["ours"].values()], "recall") == ([0.5], [20])  # type: ignore[index]
    pytest.importorskip("matplotlib")
    draw(report, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
