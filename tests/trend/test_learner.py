"""What a stream teaches: probabilities follow what happens, and alerts are as wrong as asked."""

import pickle

import numpy as np
import pytest

from trend.learner import Learner


def outcomes(learner: Learner, truth_shift: float, cascades: int, seed: int) -> tuple[int, int]:
    """Ask about cascades whose true log-odds are shifted; return the alerts and the false ones."""
    rng = np.random.default_rng(seed)
    alerts = false = 0
    for at in range(cascades):
        said = rng.normal(0.0, 2.0)
        took_off = bool(rng.random() < 1 / (1 + np.exp(-(said + truth_shift))))
        z = learner.regressors(said, np.log(rng.uniform(10, 60)))
        if learner.tells(learner.probability(z)) and at >= cascades // 2:
            alerts += 1
            false += not took_off
        learner.learn([z], took_off)
    return alerts, false


@pytest.mark.parametrize("shift", [-1.5, 0.0, 1.5])
@pytest.mark.parametrize("fdr", [0.05, 0.1, 0.3])
def test_the_share_of_false_alerts_is_about_what_was_asked(fdr: float, shift: float) -> None:
    """Also where this stream's cascades take off more or less often than those fitted on."""
    told = [outcomes(Learner(fdr), shift, 3000, seed) for seed in range(4)]
    alerts, false = (sum(column) for column in zip(*told, strict=True))
    assert alerts > 100
    assert fdr / 1.5 < false / alerts < fdr * 1.5


def test_it_begins_with_what_was_fitted() -> None:
    learner = Learner(0.1)
    for said in (-3.0, 0.0, 2.0):
        p = learner.probability(learner.regressors(said, np.log(20.0)))
        assert p == pytest.approx(1 / (1 + np.exp(-said)))


def test_from_one_on_everything_is_told() -> None:
    assert Learner(1.0).tells(0.0)
    assert not Learner(0.1).tells(0.1)


def test_being_asked_often_counts_as_once() -> None:
    one, many = Learner(0.1), Learner(0.1)
    z = one.regressors(1.0, 3.0)
    one.learn([z], took_off=False)
    many.learn([z] * 8, took_off=False)
    assert many.probability(z) == pytest.approx(one.probability(z), abs=0.02)
    assert many.probability(z) < Learner(0.1).probability(z)


def test_what_takes_off_against_all_odds_turns_nothing_around() -> None:
    """A tag that comes back every week does, though nobody passes it on."""
    learner = Learner(0.1)
    tag = learner.regressors(-0.5, 4.0, engaged=-3.5)
    passed_on = learner.regressors(-0.5, 3.0, engaged=3.0)
    before = learner.probability(passed_on)
    for _ in range(3):
        learner.learn([tag], took_off=True)
    assert learner.probability(tag) < 0.05
    assert learner.probability(passed_on) > before - 0.1


def test_it_goes_on_from_its_pickle() -> None:
    learner = Learner(0.1)
    outcomes(learner, 0.5, 50, 1)
    again = pickle.loads(pickle.dumps(learner))
    assert outcomes(again, 0.5, 50, 2) == outcomes(learner, 0.5, 50, 2)
    assert again.threshold == learner.threshold
