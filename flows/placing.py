"""Where the nodes of a small graph are drawn: linked ones near, no two boxes over each other.

Distances on the paper follow those in the graph (stress majorisation); then boxes are pushed off
the links of others, as far as that can be, and in the end apart from each other along the shorter
way. The same graph is always placed alike.

Source: Gansner, Koren & North, "Graph drawing by stress majorization" (GD 2004).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

F64 = npt.NDArray[np.float64]
I64 = npt.NDArray[np.int64]

ROUNDS: Final = 300
PUSHES: Final = 3000
ASIDE: Final = 120
"""Rounds in which boxes are pushed off links,"""
FEW: Final = 80
"""where there are at most so many boxes: of more nobody could follow the links."""
FAR: Final = 1.6
"""Distance in links beyond the farthest there is, for what no way leads to."""
WIDE: Final = 1.25
"""How much wider than high the picture is before boxes are pushed."""


def placed(boxes: F64, links: Sequence[tuple[int, int]], length: float, margin: float) -> F64:
    """Return the centres of n boxes, float64[n, 2].

    Args:
        boxes: half widths and half heights, float64[n, 2].
        links: pairs of boxes that belong together; the first box is the middle.
        length: of a link.
        margin: room between boxes, at least.

    Example:
        >>> at = placed(np.full((3, 2), 10.0), [(0, 1), (0, 2)], length=50.0, margin=4.0)
        >>> bool((np.abs(at[1] - at[2]) >= 24.0 - 1e-6).any()), at[0].tolist()
        (True, [0.0, 0.0])
    """
    count = len(boxes)
    wanted = _distances(count, links) * length
    wanted += np.add.outer(boxes.mean(axis=1), boxes.mean(axis=1)) * 0.5
    angle = 2.0 * np.pi * np.arange(count) / max(count - 1, 1)
    at = np.stack([np.cos(angle), np.sin(angle)], axis=1) * wanted[0][:, None]
    at[0] = 0.0
    at = _stressed(at, wanted)
    at = (at - at[0]) * [WIDE, 1.0 / WIDE]
    ends = np.array(links, np.int64).reshape(-1, 2)
    _pushed(at, boxes + margin / 2, PUSHES)
    for _ in range(ASIDE if count <= FEW else 0):
        if not _aside(at, boxes.min(axis=1) + margin / 2, ends):
            break
        _pushed(at, boxes + margin / 2, 4)
    _pushed(at, boxes + margin / 2, PUSHES)
    middle: F64 = at - at[0]
    return middle


def _distances(count: int, links: Sequence[tuple[int, int]]) -> F64:
    """Return how many links lie between any two boxes."""
    between = np.full((count, count), np.inf)
    np.fill_diagonal(between, 0.0)
    for a, b in links:
        between[a, b] = between[b, a] = 1.0
    for via in range(count):
        np.minimum(between, np.add.outer(between[:, via], between[via]), out=between)
    reached = np.isfinite(between)
    between[~reached] = between[reached].max(initial=1.0) + FAR
    return between


def _stressed(at: F64, wanted: F64) -> F64:
    """Move the places so that their distances come near those wanted; near ones matter most."""
    count = len(at)
    if count < 3:
        return at
    weight = np.zeros_like(wanted)
    others = ~np.eye(count, dtype=bool)
    weight[others] = wanted[others] ** -2.0
    laplacian = np.diag(weight.sum(axis=1)) - weight
    inverse = np.linalg.inv(laplacian + 1.0 / count) - 1.0 / count
    for _ in range(ROUNDS):
        apart = at[:, None] - at[None]
        now = np.sqrt((apart**2).sum(axis=2))
        ratio = np.divide(weight * wanted, now, out=np.zeros_like(now), where=now > 1e-9)
        pull = np.diag(ratio.sum(axis=1)) - ratio
        at = inverse @ (pull @ at)
    return at


def _aside(at: F64, radius: F64, ends: I64) -> bool:
    """Push nodes off the links of others, in place; say whether any was on one."""
    begin, way = at[ends[:, 0]], at[ends[:, 1]] - at[ends[:, 0]]
    long = np.maximum((way**2).sum(axis=1), 1e-9)
    moved = np.zeros_like(at)
    for node in range(len(at)):
        along = ((at[node] - begin) * way).sum(axis=1) / long
        off = at[node] - begin - along[:, None] * way
        far = np.sqrt((off**2).sum(axis=1))
        near = (along > 0) & (along < 1) & (far < radius[node]) & (ends != node).all(axis=1)
        for link in np.flatnonzero(near).tolist():
            across = np.array([-way[link, 1], way[link, 0]]) / np.sqrt(long[link])
            aside = off[link] / far[link] if far[link] > 1e-6 else across
            step = aside * (radius[node] - far[link] + 1.0) / 2
            moved[node] += step
            moved[ends[link]] -= step / 4
    at += np.clip(moved, -12.0, 12.0)
    return bool(moved.any())


def _pushed(at: F64, boxes: F64, rounds: int) -> None:
    """Push boxes that overlap apart, in place, until none do or the rounds are over."""
    room = boxes[:, None] + boxes[None]
    order = np.arange(len(at))
    for _ in range(rounds):
        apart = at[None] - at[:, None]
        over = room - np.abs(apart)
        over[order, order] = -1.0
        least = over.min(axis=2)
        if least.max(initial=-1.0) <= 1e-6:
            return
        move = np.zeros_like(at)
        hit = np.argwhere(np.triu(least > 1e-6))
        for a, b in hit.tolist():
            axis = int(over[a, b, 1] <= over[a, b, 0])
            sign = 1.0 if apart[a, b, axis] >= 0 else -1.0
            step = sign * (over[a, b, axis] / 2 + 1e-3)
            move[a, axis] -= step
            move[b, axis] += step
        at += move * 0.6
