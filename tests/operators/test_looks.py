"""Embeddings of a poll's reels: the good ones as vectors, the others as good as absent."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from operators import looks as module
from operators.blocks import Fresh
from operators.looks import Looks, joined, looks, matrix
from tests.operators.reels import hashes, reels_of

UNIT = [0.6, 0.8, 0.0, 0.0]


def f16(vector: Sequence[float]) -> str:
    return b64encode(np.array(vector, "<f2").tobytes()).decode()


def fresh(rows: Sequence[dict[str, Any]], announce: bool = False) -> Fresh:
    """Reels with some embeddings."""
    named = [{"reel_id": f"r{i}", "author_id": f"a{i}"} | row for i, row in enumerate(rows)]
    ticks = np.arange(len(rows), dtype=np.int32)
    return Fresh(
        "p",
        reels_of(named),
        hashes(row["reel_id"] for row in named),
        hashes(row["author_id"] for row in named),
        ticks,
        ticks + np.int32(1),
        ticks % 2 == 1,
        3,
        False,
        announce=announce,
    )


def only(items: list[Looks]) -> Looks:
    (one,) = items
    return one


def test_reels_with_an_embedding_come_as_vectors_with_what_they_are_called() -> None:
    rows: list[dict[str, Any]] = [
        {"model": "clip", "embedding": f16(UNIT), "caption": "a #cat", "transcript": "long"},
        {},
        {"model": "clip", "embedding": f16([0, 0, -1, 0]), "hashtags": ["dog"]},
    ]
    seen = only(looks(fresh(rows)))
    assert np.array_equal(matrix(seen.vectors, 4), np.array([UNIT, [0, 0, -1, 0]], np.float16))
    assert list(seen.reel) == list(hashes(["r0", "r2"]))
    assert list(seen.author) == list(hashes(["a0", "a2"]))
    assert (seen.tick.tolist(), seen.apply.tolist()) == ([0, 2], [1, 3])
    assert seen.names.texts("caption") == ["a #cat", None]
    assert seen.names.texts("reel_id") == ["r0", "r2"]
    assert seen.names.texts("embedding") == seen.names.texts("transcript") == [None, None]
    assert len(seen.names.data) < 40
    assert np.unique(seen.model).size == 1
    both = joined([seen, seen.take(np.array([1]))])
    assert list(both.reel) == list(hashes(["r0", "r2", "r2"]))
    assert both.names.texts("reel_id") == ["r0", "r2", "r2"]
    assert both.digest[1] == both.digest[2] != both.digest[0]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        ("", "size"),
        ("AAA=", "not_unit"),
        (b64encode(b"abc").decode(), "size"),
        (f16([0.0] * 4098), "size"),
        (f16([0.6, 0.8, np.nan, 0.0]), "not_finite"),
        (f16([np.inf, 0.0, 0.0, 0.0]), "not_finite"),
        (f16([0.0, 0.0, 0.0, 0.0]), "not_unit"),
        (f16([0.6, 0.9, 0.0, 0.0]), "not_unit"),
        (f16([3000.0, 4000.0, 0.0, 0.0]), "not_unit"),
    ],
)
def test_an_embedding_that_is_none_is_as_good_as_absent_and_is_counted(
    bad: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: dict[str, float] = {}

    class Counter:
        def add(self, n: float, label: str) -> None:
            counted[label] = counted.get(label, 0) + n

    monkeypatch.setattr(module, "EMBEDDINGS_REFUSED", Counter())
    rows = [{"model": "m", "embedding": one} for one in (f16(UNIT), bad, f16(UNIT))]
    seen = only(looks(fresh(rows)))
    assert list(seen.reel) == list(hashes(["r0", "r2"]))
    assert {name: n for name, n in counted.items() if n} == {reason: 1}


def test_vectors_of_any_size_come_beside_each_other() -> None:
    draw = np.random.default_rng(1)
    sizes = [1, 4, 512, 4, 4096]
    vectors = [draw.standard_normal(size) for size in sizes]
    units = [vector / np.linalg.norm(vector) for vector in vectors]
    rows = [{"model": f"m{i % 2}", "embedding": f16(one)} for i, one in enumerate(units)]
    seen = only(looks(fresh(rows)))
    assert (seen.vectors.lengths // 2).tolist() == sizes
    for at, one in enumerate(units):
        found: npt.NDArray[np.float16] = matrix(seen.take(np.array([at])).vectors, sizes[at])
        assert np.array_equal(found[0], one.astype(np.float16))


def test_without_embeddings_only_what_is_complete_is_told() -> None:
    assert looks(fresh([{}, {"caption": "x"}])) == []
    told = only(looks(fresh([{}], announce=True)))
    assert (len(told), told.closed, told.end) == (0, 3, False)
