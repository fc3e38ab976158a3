"""The edges between signals: a bounded table, decayed forward.

An edge weighs the authors who used its two signals together, older ones less:

    weight at tick t = sum of authors(s) * 2 ** -((t - s) / half_life)   over the ticks s

Forward decay keeps `authors(s) * 2 ** ((s - base) / half_life)` instead: what is old never changes,
a tick costs one exponential, and what the communities need (`trend.graph.communities`) depends on
the ratios of weights alone. Before numbers become too large the base moves by whole half-lives, a
multiplication by a power of two, which changes no digit.

A pair becomes an edge when it is significant (`trend.graph.pairs`); from then on all uses count.
At the limit the weakest edges go, the later signals first among equals.

Source: Cormode, Shkapenyuk, Srivastava & Xu, "Forward decay" (ICDE 2009).
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from trend.graph.arrays import F64, I32, I64, U64, Bools, Int, Records, longer
from trend.hashing import combine, mix64
from trend.parts import Bond

EDGE: Final = np.dtype(
    [
        ("a", np.int32),  # numbers of the signals, a's hash below b's
        ("b", np.int32),
        ("weight", np.float64),
        ("reels", np.int32),
        ("authors", np.int32),
        ("since", np.int32),  # first tick at which it was significant
    ]
)
RELIEF: Final = 0.9
"""Share of the edges allowed that stay when there are too many."""
REBASE_AT: Final = 256
"""Half-lives after which the base moves."""
NONE: Final = -1

# Places in `Edges.n`.
NODES: Final = 0
EDGES: Final = 1
BASE: Final = 2  # the tick whose uses weigh one
CLEANED: Final = 3  # tick


@dataclass(frozen=True)
class EdgeSettings:
    """How many edges, and how long they last.

    Raises:
        ValueError: if a value cannot be used, with its name.
    """

    max_edges: int = 1_000_000
    half_life_ticks: int = 144
    min_weight: float = 0.05
    """Decayed authors below which an edge goes when the table is cleaned."""

    def __post_init__(self) -> None:
        if self.max_edges < 1:
            raise ValueError(f"max_edges is {self.max_edges}, expected at least 1")
        if self.half_life_ticks < 1:
            raise ValueError(f"half_life_ticks is {self.half_life_ticks}, expected at least 1")


class Edges(NamedTuple):
    """Signals and their edges, numbered in the order in which they came."""

    n: I64
    signals: U64  # [N] hashes
    node_slots: I32  # signal number + 1, by open addressing
    edges: Records  # EDGE[E]
    edge_slots: I32


class Changes(NamedTuple):
    """What a tick did, in the order of the signals' hashes."""

    edge: I32
    """Numbers of the edges that were used, int32[k], new ones last numbered."""
    added: F64
    """How much each one's stored weight grew."""


def empty() -> Edges:
    """Return a table without edges."""
    n = np.zeros(4, np.int64)
    n[BASE] = NONE
    slots = np.zeros(64, np.int32)
    return Edges(n, np.zeros(16, np.uint64), slots, np.zeros(16, EDGE), slots.copy())


def add(
    e: Edges,
    settings: EdgeSettings,
    first: U64,
    second: U64,
    authors: I64,
    reels: I64,
    significant: Bools,
    tick: int,
) -> tuple[Edges, Changes, float]:
    """Count a tick's pairs into the edges; a significant one that is none yet becomes one.

    The order of the pairs does not matter.

    Args:
        first, second: hashes of the two signals of each pair, uint64[n], in either order; each pair
            comes once.
        authors: distinct authors of each in the tick, int64[n], >= 1.
        reels: int64[n].
        significant: bool[n].
        tick: not before that of the last call.

    Returns:
        The table, the changes, and the power of two by which all stored weights were multiplied
        (1.0 but for every `REBASE_AT` half-lives).

    Example:
        >>> one = np.ones(1, np.int64)
        >>> pair = np.array([7], np.uint64), np.array([5], np.uint64)
        >>> e, changes, _ = add(empty(), EdgeSettings(), *pair, 3 * one, 4 * one, one > 0, tick=10)
        >>> e, changes, _ = add(e, EdgeSettings(), *pair, one, one, one < 0, tick=154)
        >>> e.edges[0].item(), changes.added.tolist()
        ((0, 1, 5.0, 5, 4, 10), [2.0])
    """
    e, scale = _rebased(e, settings, tick)
    low, high = np.minimum(first, second), np.maximum(first, second)
    keep = np.flatnonzero((known(e, low, high) | significant) & (low != high))
    order = keep[np.lexsort((high[keep], low[keep]))]
    if order.size == 0:
        return e, Changes(np.zeros(0, np.int32), np.zeros(0)), scale
    e = _with_room(e, order.size, 2 * order.size)
    growth = 2.0 ** ((tick - int(e.n[BASE])) / settings.half_life_ticks)
    edge, added = _add(e, low[order], high[order], authors[order], reels[order], growth, tick)
    return e, Changes(edge, added), scale


def weights_at(e: Edges, settings: EdgeSettings, tick: int) -> F64:
    """Return the edges' weights as of a tick, in authors, float64[E]."""
    age = (tick - int(e.n[BASE])) / settings.half_life_ticks
    return np.ldexp(e.edges["weight"][: e.n[EDGES]], -int(age)) * 2.0 ** -(age - int(age))


class Kept(NamedTuple):
    """What is left after a cleaning, by numbers from before it."""

    nodes: I64  # ascending
    edges: I64


def cleaned(e: Edges, settings: EdgeSettings, tick: int) -> tuple[Edges, Kept]:
    """Return the table without edges that weigh nothing any more and, at the limit, the weakest.

    Signals without edges go too; what stays keeps its order.
    """
    weights = weights_at(e, settings, tick)
    stays = weights >= settings.min_weight
    excess = np.count_nonzero(stays) - settings.max_edges
    if excess > 0:
        room = max(int(RELIEF * settings.max_edges), 1)
        stays &= _strongest(e, np.where(stays, weights, -1.0), room)
    edges = np.flatnonzero(stays)
    left = e.edges[edges]
    used = np.zeros(int(e.n[NODES]), np.bool_)
    used[left["a"]] = used[left["b"]] = True
    nodes = np.flatnonzero(used)
    number = np.cumsum(used) - 1
    left["a"], left["b"] = number[left["a"]], number[left["b"]]
    fresh = _with_room(empty(), edges.size, nodes.size)
    fresh.n[:] = nodes.size, edges.size, e.n[BASE], tick
    fresh.signals[: nodes.size] = e.signals[nodes]
    fresh.edges[: edges.size] = left
    _index(fresh)
    return fresh, Kept(nodes, edges)


def _strongest(e: Edges, weights: F64, count: int) -> Bools:
    """Mark the `count` heaviest edges, the lower signals first among equals."""
    cut = np.partition(weights, weights.size - count)[weights.size - count]
    marked: Bools = weights > cut
    equal = np.flatnonzero(weights == cut)
    a, b = (e.signals[e.edges[end][equal]] for end in ("a", "b"))
    order = np.lexsort((b, a))
    marked[equal[order[: count - np.count_nonzero(marked)]]] = True
    return marked


def _rebased(e: Edges, settings: EdgeSettings, tick: int) -> tuple[Edges, float]:
    if e.n[BASE] == NONE:
        e.n[[BASE, CLEANED]] = tick
    half_lives = (tick - int(e.n[BASE])) // settings.half_life_ticks
    if half_lives < REBASE_AT:
        return e, 1.0
    scale = 2.0 ** -min(half_lives, 1000)
    e.edges["weight"] *= scale
    e.n[BASE] += half_lives * settings.half_life_ticks
    return e, scale


def _with_room(e: Edges, more_edges: int, more_nodes: int) -> Edges:
    """Return the table with room for so many more."""
    edges, nodes = int(e.n[EDGES]) + more_edges, int(e.n[NODES]) + more_nodes
    grown = e
    if edges > e.edges.size:
        room = max(edges, e.edges.size * 3 // 2)
        grown = grown._replace(edges=longer(e.edges, room))
    if nodes > e.signals.size:
        room = max(nodes, e.signals.size * 3 // 2)
        grown = grown._replace(signals=longer(e.signals, room))
    if 2 * edges > e.edge_slots.size:
        grown = grown._replace(edge_slots=_slots(edges))
    if 2 * nodes > e.node_slots.size:
        grown = grown._replace(node_slots=_slots(nodes))
    if grown.edge_slots is not e.edge_slots or grown.node_slots is not e.node_slots:
        grown.edge_slots[:] = 0
        grown.node_slots[:] = 0
        _index(grown)
    return grown


def _slots(count: int) -> I32:
    return np.zeros(1 << (3 * count).bit_length(), np.int32)


@njit(cache=True, inline="always")
def _node_slot(e: Edges, signal: np.uint64) -> np.int64:
    mask = e.node_slots.size - 1
    at = np.int64(mix64(signal) & np.uint64(mask))
    while e.node_slots[at] != 0 and e.signals[e.node_slots[at] - 1] != signal:
        at = (at + 1) & mask
    return at


@njit(cache=True, inline="always")
def _edge_slot(e: Edges, a: Int, b: Int) -> np.int64:
    mask = e.edge_slots.size - 1
    at = np.int64(combine(np.uint64(a), np.uint64(b)) & np.uint64(mask))
    while e.edge_slots[at] != 0:
        edge = e.edges[e.edge_slots[at] - 1]
        if edge.a == a and edge.b == b:
            break
        at = (at + 1) & mask
    return at


@njit(cache=True)
def _index(e: Edges) -> None:
    """Enter all signals and edges into their slots, which are empty."""
    for i in range(e.n[NODES]):
        e.node_slots[_node_slot(e, e.signals[i])] = i + 1
    for i in range(e.n[EDGES]):
        e.edge_slots[_edge_slot(e, e.edges[i].a, e.edges[i].b)] = i + 1


@njit(cache=True)
def known(e: Edges, low: U64, high: U64) -> Bools:
    """Say of each pair, its lower hash first, whether it is an edge."""
    found = np.zeros(low.size, np.bool_)
    for i in range(low.size):
        a = e.node_slots[_node_slot(e, low[i])]
        if a != 0:
            b = e.node_slots[_node_slot(e, high[i])]
            found[i] = b != 0 and e.edge_slots[_edge_slot(e, a - 1, b - 1)] != 0
    return found


def bonds(e: Edges, signals: U64) -> list[Bond]:
    """Return the edges among some signals, each given once, in the order of their hashes.

    Example:
        >>> one = np.ones(1, np.int64)
        >>> pair = np.array([7], np.uint64), np.array([5], np.uint64)
        >>> e = add(empty(), EdgeSettings(), *pair, 3 * one, 4 * one, one > 0, tick=10)[0]
        >>> bonds(e, np.array([5, 6, 7], np.uint64))
        [Bond(low=5, high=7, reels=4, authors=3, since=10)]
    """
    told = e.edges[_among(e, np.sort(signals))]
    ends = e.signals[told["a"]], e.signals[told["b"]]
    columns = (*ends, told["reels"], told["authors"], told["since"])
    return [Bond(*one) for one in zip(*(column.tolist() for column in columns), strict=True)]


def core(e: Edges, signals: U64, share: float) -> U64:
    """Return those of some signals that an edge among them holds, in their order.

    All of them where there is no edge.

    Args:
        share: of the heaviest of these edges; what weighs less than that holds nothing.

    Example:
        >>> one = np.ones(2, np.int64)
        >>> ends = np.array([5, 7], np.uint64), np.array([7, 9], np.uint64)
        >>> authors = np.array([9, 2])
        >>> e = add(empty(), EdgeSettings(), *ends, authors, authors, one > 0, tick=10)[0]
        >>> core(e, np.array([9, 7, 5], np.uint64), share=0.3).tolist()
        [7, 5]
    """
    return signals[_held(e, signals, share)]


@njit(cache=True)
def _held(e: Edges, signals: U64, share: float) -> Bools:
    """Say which of some signals have an edge among them of that share of the heaviest one."""
    heaviest = np.zeros(signals.size)
    for i in range(signals.size):
        for j in range(i):
            low, high = min(signals[i], signals[j]), max(signals[i], signals[j])
            a = e.node_slots[_node_slot(e, low)]
            b = e.node_slots[_node_slot(e, high)]
            edge = e.edge_slots[_edge_slot(e, a - 1, b - 1)] if a != 0 and b != 0 else 0
            if edge != 0:
                weight = e.edges[edge - 1].weight
                heaviest[i] = max(heaviest[i], weight)
                heaviest[j] = max(heaviest[j], weight)
    return heaviest >= share * heaviest.max()


@njit(cache=True)
def _among(e: Edges, signals: U64) -> I64:
    """Return the numbers of the edges among signals, which ascend, in the order of their ends."""
    nodes = np.empty(signals.size, np.int64)
    for i in range(signals.size):
        nodes[i] = e.node_slots[_node_slot(e, signals[i])] - 1
    found = np.empty(signals.size * (signals.size - 1) // 2, np.int64)
    count = 0
    for i in range(signals.size):
        for j in range(i + 1, signals.size):
            if nodes[i] >= 0 and nodes[j] >= 0:
                edge = e.edge_slots[_edge_slot(e, nodes[i], nodes[j])]
                if edge != 0:
                    found[count] = edge - 1
                    count += 1
    return found[:count]


@njit(cache=True)
def _node(e: Edges, signal: np.uint64) -> np.int64:
    at = _node_slot(e, signal)
    if e.node_slots[at] == 0:
        e.signals[e.n[NODES]] = signal
        e.n[NODES] += 1
        e.node_slots[at] = e.n[NODES]
    return np.int64(e.node_slots[at] - 1)


@njit(cache=True)
def _add(
    e: Edges, low: U64, high: U64, authors: I64, reels: I64, growth: float, tick: Int
) -> tuple[I32, F64]:
    """Count pairs, each once, into edges, which are made where there are none."""
    touched = np.empty(low.size, np.int32)
    added = np.empty(low.size, np.float64)
    for i in range(low.size):
        a, b = _node(e, low[i]), _node(e, high[i])
        at = _edge_slot(e, a, b)
        if e.edge_slots[at] == 0:
            new = e.n[EDGES]
            e.n[EDGES] = new + 1
            e.edge_slots[at] = new + 1
            e.edges[new].a = a
            e.edges[new].b = b
            e.edges[new].weight = 0.0
            e.edges[new].reels = 0
            e.edges[new].authors = 0
            e.edges[new].since = tick
        number = e.edge_slots[at] - 1
        added[i] = authors[i] * growth
        e.edges[number].weight += added[i]
        e.edges[number].reels += reels[i]
        e.edges[number].authors += authors[i]
        touched[i] = number
    return touched, added
