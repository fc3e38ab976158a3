"""Simulated looks: what was planted looks alike and is in the answer key, the rest does not."""

import numpy as np
import pytest

from flows.simulate import embeddings, reel_ids
from trend.simulator import Simulation, SimulatorSettings, simulate
from trend.simulator.looks import STANDING, UNSEEN

SETTINGS = SimulatorSettings(
    seed=5, days=2, reels_per_day=2000, trends=6, fizzles=24, spam=3, embeddings=64, looks=3
)


@pytest.fixture(scope="module")
def made() -> Simulation:
    return simulate(SETTINGS)


def test_what_is_planted_looks_alike_and_most_ordinary_reels_do_not(made: Simulation) -> None:
    look = made.reels.look
    assert look is not None
    rows = embeddings(made)
    assert [at for at, row in enumerate(rows) if row is None] == np.flatnonzero(
        look == UNSEEN
    ).tolist()
    seen = look != UNSEEN
    assert 0.93 < seen.mean() < 0.97
    vectors = np.stack([row for row in rows if row is not None]).astype(np.float64)
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 2e-3
    off = vectors - vectors.mean(0)
    off /= np.linalg.norm(off, axis=1, keepdims=True)
    of = look[seen]
    for one in np.unique(of[of >= STANDING]).tolist():
        alike = off[of == one]
        if len(alike) >= 10:
            middle = alike.mean(0) / np.linalg.norm(alike.mean(0))
            assert np.median(alike @ middle) > 0.8
    nothing = off[of < 0][:1000]
    near = (nothing @ nothing.T > 0.72).sum(1) - 1
    assert np.median(near) == 0
    ordinary = made.reels.burst[seen] < 0
    assert 0.6 < (of[ordinary] < 0).mean() < 0.7


def test_the_answer_key_names_the_looks_and_their_reels(made: Simulation) -> None:
    ids, look = reel_ids(made), made.reels.look
    assert look is not None
    planted = {one.id: one.reels for one in made.truth.looks}
    members = {
        member.id: one.key
        for some in (made.truth.trends, made.truth.fizzles, made.truth.spam)
        for one in some
        for member in one.members
        if member.kind == "format"
    }
    assert planted.keys() == members.keys()
    for name, reels in planted.items():
        rows = np.flatnonzero(look == int(name.removeprefix("look-")))
        assert [ids[row] for row in rows.tolist()] == list(reels)
    keys = list(members.values())
    assert sum(key.startswith("look-") for key in keys) == 3
    assert sum(key.startswith("fizzle-look-") for key in keys) == 3
    challenges = [one for one in made.truth.trends if one.kind == "challenge"]
    assert {one.key for one in challenges} <= set(keys)
    assert made.truth.settings["looks"] == 3


@pytest.mark.parametrize("bad", [{"embeddings": 7}, {"embeddings": 4097}, {"looks": 501}])
def test_what_is_out_of_range_is_refused(bad: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="expected"):
        SimulatorSettings(**bad)  # type: ignore[arg-type]
