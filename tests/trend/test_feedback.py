"""What people say of alerts: it moves what is like them, to a bound, and can be taken back."""

import pickle

import numpy as np
import numpy.typing as npt
import pytest

from trend.feedback import BOUND, MAX_SAID, MAX_TOLD, Feedback
from trend.kinds import HASHTAG, PHRASE, SOUND
from trend.takeoff import FEATURES

KINDS = (SOUND, HASHTAG, PHRASE)


def drawn(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    """What is seen of some cascade."""
    x = rng.normal(0.0, 0.7, len(FEATURES))
    x[FEATURES.index("most_of_one")] = rng.uniform(0, 0.3)
    x[FEATURES.index("reels_an_author")] = rng.uniform(1, 1.5)
    x[FEATURES.index("together")] = 0.0
    return x


def judged(seed: int, noise: int, alerts: int = 40) -> tuple[Feedback, list[tuple[str, int, int]]]:
    """Alerts of all kinds, of which people call one kind noise; not said yet."""
    rng = np.random.default_rng(seed)
    feedback, words = Feedback(), []
    for number in range(alerts):
        kind = KINDS[number % 3]
        seen = feedback.seen(drawn(rng), [number], [kind])
        feedback.told(f"t{number}", seen, rng.uniform(1.0, 3.0), [number])
        words.append((f"t{number}", int(kind != noise), int(kind == noise)))
    return feedback, words


def added(feedback: Feedback, kind: int, seed: int = 99) -> float:
    """What is added on average to cascades of a kind whose signals nobody knows."""
    rng = np.random.default_rng(seed)
    seen = [feedback.seen(drawn(rng), [10**6], [kind]) for _ in range(50)]
    return float(np.mean([feedback.adds(one) for one in seen]))


def test_as_long_as_nothing_is_said_nothing_is_added() -> None:
    feedback, _ = judged(1, PHRASE)
    assert [added(feedback, kind) for kind in KINDS] == [0.0, 0.0, 0.0]
    feedback.hear([("never told", 1, 0)])
    assert [added(feedback, kind) for kind in KINDS] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("noise", KINDS)
def test_what_is_like_noise_is_less_likely_and_the_rest_hardly(seed: int, noise: int) -> None:
    feedback, words = judged(seed, noise)
    feedback.hear(words)
    others = [added(feedback, kind) for kind in KINDS if kind != noise]
    assert added(feedback, noise) < -1.0
    assert all(abs(other) < 0.7 for other in others)


def test_the_same_signal_again_is_judged_as_before() -> None:
    feedback, _ = judged(1, PHRASE)
    feedback.hear([("t0", 0, 3), ("t3", 3, 0)])
    seen = drawn(np.random.default_rng(5))
    noise, unknown, real = (
        feedback.adds(feedback.seen(seen, [signal], [SOUND])) for signal in (0, 77, 3)
    )
    assert noise < unknown - 1.0 < unknown + 1.0 < real


def test_what_is_taken_back_was_never_said() -> None:
    feedback, words = judged(1, PHRASE)
    feedback.hear(words)
    feedback.hear([(trend, -real, -noise) for trend, real, noise in words])
    assert [added(feedback, kind) for kind in KINDS] == [0.0, 0.0, 0.0]


def test_the_order_of_words_changes_nothing() -> None:
    one, words = judged(2, HASHTAG)
    other, _ = judged(2, HASHTAG)
    one.hear(words)
    for word in reversed(words):
        other.hear([word])
    assert [added(one, kind) for kind in KINDS] == [added(other, kind) for kind in KINDS]


def test_people_who_call_everything_noise_are_heard_to_a_bound() -> None:
    feedback, words = judged(3, PHRASE, alerts=900)
    feedback.hear([(trend, 0, 1) for trend, *_ in words])
    assert [added(feedback, kind) for kind in KINDS] == [-BOUND] * 3


def test_people_who_call_everything_real_change_little() -> None:
    feedback, words = judged(3, PHRASE, alerts=900)
    feedback.hear([(trend, 1, 0) for trend, *_ in words])
    assert all(abs(added(feedback, kind)) < 0.1 for kind in KINDS)


def test_alerts_of_long_ago_are_forgotten_with_what_was_said_of_them() -> None:
    feedback = Feedback()
    seen = feedback.seen(drawn(np.random.default_rng(1)), [1], [SOUND])
    for number in range(MAX_TOLD + 1):
        feedback.told(f"t{number}", seen, 2.0, [number])
        if number == 0:
            feedback.hear([("t0", 0, 1)])
            assert feedback.adds(seen) < 0
    feedback.hear([("t0", 0, 5), ("t5", 1, 0)])
    other = Feedback()
    other.told("t5", seen, 2.0, [5])
    other.hear([("t5", 1, 0)])
    assert feedback.adds(seen) == other.adds(seen)
    assert len(feedback._told) == MAX_TOLD
    feedback.hear([(f"none {number}", 0, 1) for number in range(MAX_SAID + 9)])
    assert len(feedback._said) == MAX_SAID
    feedback.hear([("t5", -1, 1)])  # the first half of which is forgotten


def test_what_is_said_before_a_trend_is_told_counts_when_it_is() -> None:
    early, late = Feedback(), Feedback()
    seen = early.seen(drawn(np.random.default_rng(1)), [1], [SOUND])
    early.hear([("t", 0, 1)])
    early.told("t", seen, 2.0, [1])
    late.told("t", seen, 2.0, [1])
    late.hear([("t", 0, 1)])
    assert early.adds(seen) == late.adds(seen) < 0


def test_it_goes_on_from_its_pickle() -> None:
    feedback, words = judged(4, SOUND)
    feedback.hear(words[:20])
    again = pickle.loads(pickle.dumps(feedback))
    for one in (feedback, again):
        one.hear(words[20:])
    assert [added(feedback, kind) for kind in KINDS] == [added(again, kind) for kind in KINDS]
