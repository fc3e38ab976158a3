"""Visual formats: found, kept, merged, rested, and the same however they come."""

import pickle
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from trend.formats.clustering import clusters, linked
from trend.formats.formats import Change, Event, Formats, Found, Tuning
from trend.formats.nearest import Nearest, subspace
from trend.formats.vectors import LENGTH, cosines, directions

DIMENSIONS = 48
TUNING = Tuning(warm=200, every=60, waiting=400, least=8, rest_ticks=5)

F16 = npt.NDArray[np.float16]
F64 = npt.NDArray[np.float64]


class Scene:
    """Looks around which reels lie, and reels that look like nothing."""

    def __init__(self, seed: int, looks: int) -> None:
        self.draw = np.random.default_rng(seed)
        self.axis = np.eye(DIMENSIONS)[0] * 2
        self.looks = unit(self.draw.standard_normal((looks, DIMENSIONS)))
        self.next = 1

    def reels(self, look: int | F64, n: int, off: float = 0.3) -> F16:
        centre = self.looks[look] if isinstance(look, int) else look
        noise = off * unit(self.draw.standard_normal((n, DIMENSIONS)))
        return unit(self.axis + unit(centre + noise)).astype(np.float16)

    def noise(self, n: int) -> F16:
        return unit(self.axis + unit(self.draw.standard_normal((n, DIMENSIONS)))).astype(np.float16)

    def keys(self, n: int) -> npt.NDArray[np.uint64]:
        self.next += n
        return np.arange(self.next - n, self.next, dtype=np.uint64)

    def begun(self, tuning: Tuning = TUNING) -> Formats:
        """Formats that know the middle of all reels."""
        formats = Formats(DIMENSIONS, tuning)
        formats.advance(0, self.keys(250), self.noise(250))
        return formats


def unit(vectors: F64) -> F64:
    return vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)


def events(found: Found, change: Change) -> list[Event]:
    return [event for event in found.events if event.change is change]


def test_reels_that_look_alike_get_a_format_which_others_join() -> None:
    scene = Scene(1, 2)
    formats = scene.begun()
    keys = scene.keys(100)
    found = formats.advance(1, keys, np.concatenate([scene.reels(0, 40), scene.noise(60)]))
    (born,) = events(found, Change.BORN)
    assert set(found.keys) == set(keys[:40])
    assert set(found.formats) == {born.format} == set(formats.ids)
    assert born.reels[0] in keys[:40]
    later = scene.keys(30)
    found = formats.advance(2, later, np.concatenate([scene.reels(0, 20), scene.reels(1, 10)]))
    assert set(found.keys) == set(later[:20])
    assert set(found.formats) == {born.format}
    assert found.cosines.min() > TUNING.near
    assert not found.events


def test_a_format_keeps_its_id_while_its_look_drifts_to_another() -> None:
    scene = Scene(2, 2)
    formats = scene.begun()
    (born,) = events(formats.advance(1, scene.keys(80), scene.reels(0, 80)), Change.BORN)
    for step in range(1, 31):
        look = unit(scene.looks[0] * (30 - step) + scene.looks[1] * step)
        found = formats.advance(1 + step, scene.keys(40), scene.reels(look, 40))
        assert set(found.formats) == {born.format}
        assert not events(found, Change.BORN)
    assert cosine(scene.looks[0], scene.looks[1]) < 0.5


def cosine(a: F64, b: F64) -> float:
    return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))


def test_formats_depend_on_no_order_within_a_tick_and_go_on_after_pickling() -> None:
    def run(shuffle: bool, seed: int = 3) -> list[tuple[object, ...]]:
        scene = Scene(seed, 6)
        draw = np.random.default_rng(9)
        formats = scene.begun()
        told: list[tuple[object, ...]] = []
        for tick in range(1, 15):
            parts = [scene.reels(look, 15) for look in range(6) if (tick + look) % 3]
            embeddings = np.concatenate([*parts, scene.noise(40)])
            keys = scene.keys(len(embeddings))
            if shuffle:
                order = draw.permutation(keys.size)
                keys, embeddings = keys[order], embeddings[order]
                formats = pickle.loads(pickle.dumps(formats))
            found = formats.advance(tick, keys, embeddings)
            told.append(
                (*(a.tobytes() for a in (found.keys, found.formats, found.cosines)), found.events)
            )
        assert len(formats.ids) == 6
        return told

    assert run(shuffle=False) == run(shuffle=True)


def test_a_format_that_rests_comes_back_under_its_id() -> None:
    scene = Scene(4, 2)
    formats = scene.begun()
    (born,) = events(formats.advance(1, scene.keys(80), scene.reels(0, 80)), Change.BORN)
    found = formats.advance(7, scene.keys(1), scene.noise(1))
    assert [event.format for event in events(found, Change.RESTED)] == [born.format]
    assert formats.ids.size == 0
    keys = scene.keys(80)
    found = formats.advance(9, keys, scene.reels(0, 80))
    (revived,) = events(found, Change.REVIVED)
    assert revived.format == born.format
    assert set(revived.reels) <= set(keys.tolist())
    assert not events(found, Change.BORN)
    assert set(found.formats) == {born.format}


def test_formats_that_come_to_look_the_same_become_the_elder() -> None:
    scene = Scene(5, 2)
    formats = scene.begun(replace(TUNING, every=40))
    (elder,) = events(formats.advance(1, scene.keys(80), scene.reels(0, 80)), Change.BORN)
    (younger,) = events(formats.advance(2, scene.keys(80), scene.reels(1, 80)), Change.BORN)
    merged: list[Event] = []
    for step in range(1, 41):
        looks = [scene.looks[0] * (40 - step) + scene.looks[1] * step, scene.looks[1]]
        reels = [scene.reels(unit(look), 40) for look in looks]
        found = formats.advance(
            2 + step, scene.keys(120), np.concatenate([*reels, scene.noise(40)])
        )
        merged += events(found, Change.MERGED)
    assert merged == [Event(Change.MERGED, younger.format, elder.format)]
    assert list(formats.ids) == [elder.format]


def test_a_part_that_leaves_a_format_is_split_from_it() -> None:
    scene = Scene(6, 2)
    formats = scene.begun(replace(TUNING, near=0.5, link=0.75))
    (born,) = events(formats.advance(1, scene.keys(80), scene.reels(0, 80)), Change.BORN)
    aside = unit(
        0.6 * scene.looks[0]
        + 0.8 * unit(scene.looks[1] - scene.looks[0] * float(scene.looks[0] @ scene.looks[1]))
    )
    found = formats.advance(
        2, scene.keys(160), np.concatenate([scene.reels(aside, 80), scene.reels(0, 80)])
    )
    (split,) = events(found, Change.SPLIT)
    assert split.other == born.format
    found = formats.advance(3, scene.keys(40), scene.reels(aside, 40))
    assert set(found.formats) == {split.format}


def test_what_waits_and_what_is_known_have_an_end() -> None:
    scene = Scene(7, 12)
    formats = scene.begun(replace(TUNING, most=4, waiting=300, rest_ticks=100))
    rested: list[int] = []
    for look in range(12):
        embeddings = np.concatenate([scene.reels(look, 60), scene.noise(100)])
        found = formats.advance(1 + look, scene.keys(160), embeddings)
        rested += [event.format for event in events(found, Change.RESTED)]
        assert len(formats.ids) <= 4
    assert len(rested) == len(set(rested)) == 8
    assert len(pickle.dumps(formats)) < 4 * 300 * DIMENSIONS * 2


def test_embeddings_that_are_none_get_no_format() -> None:
    scene = Scene(8, 1)
    formats = scene.begun()
    formats.advance(1, scene.keys(80), scene.reels(0, 80))
    bad = scene.reels(0, 4)
    bad[0], bad[1], bad[2, 3] = 0, np.nan, np.inf
    keys = scene.keys(4)
    assert list(formats.advance(2, keys, bad).keys) == [keys[3]]
    with pytest.raises(ValueError, match="4097"):
        Formats(4097)


def test_products_are_exact_in_any_order() -> None:
    draw = np.random.default_rng(10)
    vectors, lengths = directions(draw.standard_normal((300, 512)), np.zeros(512))
    assert lengths.max() < 4096
    exact = vectors.astype(np.int64) @ vectors.astype(np.int64).T
    order = draw.permutation(512)
    for product in (vectors @ vectors.T, vectors[:, order] @ vectors[:, order].T):
        assert np.array_equal(product.astype(np.int64), exact)
    true = draw.standard_normal((300, 512))
    a, b = directions(true, np.zeros(512)), directions(true[::-1], np.zeros(512))
    wanted = np.einsum("nd,nd->n", unit(true), unit(true[::-1]))
    assert np.abs(cosines(*a, *b) - wanted).max() < 1e-3


def test_the_nearest_of_many_is_nearly_always_that_of_the_whole_product() -> None:
    draw = np.random.default_rng(11)
    spread = np.arange(1, 257) ** -0.5
    centres = unit(draw.standard_normal((2000, 256)) * spread)
    truth = draw.integers(0, 2000, 500)
    reels = unit(centres[truth] + 0.5 * unit(draw.standard_normal((500, 256)) * spread))
    centroids = directions(centres, np.zeros(256))
    vectors = directions(reels, np.zeros(256))
    whole, near = Nearest(*centroids)(*vectors)
    basis = subspace(centroids[0])
    assert np.abs(basis.T @ basis / LENGTH**2 - np.eye(basis.shape[1])).max() < 0.01
    found, cosine = Nearest(*centroids, basis)(*vectors)
    same = found == whole
    assert same.mean() > 0.98
    assert np.array_equal(cosine[same], near[same])
    nothing, at = Nearest(centroids[0][:0], centroids[1][:0])(*vectors)
    assert set(nothing) == {-1}
    assert set(at) == {-1.0}


def test_clusters_are_those_of_the_definition() -> None:
    """Beside one written with loops, on points among which some are as dense as others."""
    draw = np.random.default_rng(12)
    for _ in range(20):
        centres = unit(draw.standard_normal((4, 12)))
        points = np.concatenate(
            [
                centres[draw.integers(0, 4, 60)] + 0.25 * draw.standard_normal((60, 12)),
                draw.standard_normal((30, 12)),
            ]
        )
        vectors, lengths = directions(points, np.zeros(12))
        density = linked(vectors, lengths, vectors, lengths, 0.75)[0] - 1
        given = clusters(vectors, lengths, density, 0.75, 3, 6)
        assert np.array_equal(given, by_definition(vectors, lengths, 0.75, 3, 6))
        assert given.max() >= 1


def by_definition(
    vectors: npt.NDArray[np.float32], lengths: F64, link: float, neighbours: int, least: int
) -> npt.NDArray[np.int64]:
    n = lengths.size
    scale = (1.0 / lengths).astype(np.float32)
    near = (vectors @ vectors.T) * (scale[:, None] * scale[None, :])
    density = [sum(near[i, j] >= link for j in range(n)) - 1 for i in range(n)]
    dense = sorted((i for i in range(n) if density[i] >= neighbours), key=lambda i: -density[i])
    peak: dict[int, int] = {}
    for place, i in enumerate(dense):
        above = max(dense[:place], key=lambda j: near[i, j], default=None)
        peak[i] = peak[above] if above is not None and near[i, above] >= link else i
    for i in range(n):
        if density[i] < neighbours and dense:
            above = max(dense, key=lambda j: near[i, j])
            if near[i, above] >= link:
                peak[i] = peak[above]
    sizes = {one: list(peak.values()).count(one) for one in set(peak.values())}
    numbers: dict[int, int] = {}
    labels = np.full(n, -1, np.int64)
    for i in range(n):
        if i in peak and sizes[peak[i]] >= least:
            labels[i] = numbers.setdefault(peak[i], len(numbers))
    return labels
