"""Sounds known by what is heard give the same trends as sounds known by the platform's ids."""

from dataclasses import replace
from pathlib import Path

from flows.evaluate import evaluate_files
from flows.simulate import simulate_to
from tests.flows.conftest import Replay
from trend.evaluation import Report
from trend.simulator import SimulatorSettings

NAMED = SimulatorSettings(seed=1, days=2, reels_per_day=4000, trends=10, fizzles=30)


def marked(folder: Path, settings: SimulatorSettings) -> Report:
    written = simulate_to(folder / "stream", settings)
    outcome = Replay(folder, [written.reels_file]).run()
    return evaluate_files(written.truth_file, outcome.folder / "t.jsonl")


def test_the_same_trends_are_found_where_sounds_have_no_ids(tmp_path: Path) -> None:
    named = marked(tmp_path / "named", NAMED)
    heard = marked(tmp_path / "heard", replace(NAMED, fingerprints=True))
    assert named.whole.detected >= 8
    assert set(heard.missed) <= set(named.missed)
    assert heard.whole.alerts <= named.whole.alerts
    assert heard.whole.named >= named.whole.named
    later = [hours - named.alerted_h[key] for key, hours in heard.alerted_h.items()]
    assert sum(later) / len(later) <= 0.5
