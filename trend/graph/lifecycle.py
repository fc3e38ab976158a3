"""The lives of communities: ids that stay, and what happens to those who bear them.

After each tick the communities are held against those before by the weight of the nodes that they
share. A community takes over the id from whose members it has most, if it has at least `floor` of
their weight; an id goes to one community and a community gets one id, heaviest overlaps first. So
an id follows its members and not its number:

    birth   a community whose members come from nowhere, or from here and there
    growth  it has a quarter more members than when it was last told of
    merge   an id whose members went into a community that bears another one
    split   a new community whose members come from one that lives on
    death   an id whose members no longer are together

A new id is the hash of its heaviest signal and its tick: derived from content.

Source: the overlap of consecutive partitions, after Greene, Doyle & Cunningham, "Tracking the
evolution of communities in dynamic social networks" (2010).
"""

from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from trend.graph.arrays import F64, I32, I64, U64, Records
from trend.hashing import combine

BIRTH: Final = 0
GROWTH: Final = 1
MERGE: Final = 2
SPLIT: Final = 3
DEATH: Final = 4

EVENT: Final = np.dtype(
    [
        ("kind", np.int8),
        ("id", np.uint64),
        ("other", np.uint64),  # merge: into which; split: from which; else 0
        ("tick", np.int64),
        ("members", np.int64),
        ("before", np.int64),  # members when it was last told of
    ]
)
TOLD_GROWTH: Final = 1.25
LEAST_ALIVE: Final = 2
"""Members from which on a community may go on bearing its id."""
NONE: Final = -1


@dataclass(frozen=True)
class LifeSettings:
    """Who gets an id and who keeps it.

    Raises:
        ValueError: if a value cannot be used, with its name.
    """

    min_members: int = 2
    """Signals from which on a community gets an id, at least 2."""
    floor: float = 0.3
    """Share of its members' weight that an id must find together, above 0 and at most 1."""

    def __post_init__(self) -> None:
        if self.min_members < LEAST_ALIVE:
            raise ValueError(f"min_members is {self.min_members}, expected at least {LEAST_ALIVE}")
        if not 0 < self.floor <= 1:
            raise ValueError(f"floor is {self.floor}, expected above 0 and at most 1")


class Lives(NamedTuple):
    """The L ids alive, and whose the nodes are."""

    of_node: I32  # [N] its id's place, -1: none
    id: U64  # [L] ascending
    born: I64  # [L] tick
    told: I64  # [L] members when it was last told of


def empty() -> Lives:
    """Return no lives."""
    ids, ticks = np.zeros(0, np.uint64), np.zeros(0, np.int64)
    return Lives(np.zeros(0, np.int32), ids, ticks, ticks.copy())


def followed(
    lives: Lives, settings: LifeSettings, label: I32, weight: F64, signals: U64, tick: int
) -> tuple[Lives, Records]:
    """Return the lives after a tick, and what happened: EVENT[.], by kind and id.

    Args:
        label: the community of each node, int32[N]; nodes may have come, at the end.
        weight: of each node, such as its degree, float64[N], in any unit.
        signals: of each node, uint64[N].

    Example:
        >>> signals = np.array([11, 12, 13, 14], np.uint64)
        >>> one = np.ones(4)
        >>> lives, events = followed(
        ...     empty(), LifeSettings(), np.zeros(4, np.int32), one, signals, tick=1
        ... )
        >>> again, events = followed(
        ...     lives, LifeSettings(), np.array([2, 2, 2, 3], np.int32), one, signals, tick=2
        ... )
        >>> bool(again.id[0] == lives.id[0]), again.of_node.tolist(), events.size
        (True, [0, 0, 0, -1], 0)
    """
    before = np.full(label.size, NONE, np.int32)
    before[: lives.of_node.size] = lives.of_node
    label = _by_first(label)
    if _same(before, label, lives.id.size, settings.min_members):
        return lives._replace(of_node=before), np.zeros(0, EVENT)
    size = np.bincount(label)
    links = _links(before, label, weight, lives.id.size, size, settings.floor)
    born = np.flatnonzero((links.bears == NONE) & (size >= settings.min_members))
    alive = np.flatnonzero(links.heir != NONE)
    heirs = links.heir[alive]
    id_of = np.zeros(size.size, np.uint64)
    id_of[heirs] = lives.id[alive]
    id_of[born] = _new_ids(label, weight, signals, size.size, tick)[born]

    grown = size[heirs] >= TOLD_GROWTH * lives.told[alive]
    events = _events(lives, links, id_of, born, alive[grown], size, tick)
    told = np.where(grown, size[heirs], lives.told[alive])
    communities = np.concatenate([heirs, born])
    by_id = np.argsort(id_of[communities])
    communities = communities[by_id]
    place = np.full(size.size, NONE, np.int32)
    place[communities] = np.arange(communities.size)
    return Lives(
        of_node=place[label],
        id=id_of[communities],
        born=np.concatenate([lives.born[alive], np.full(born.size, tick)])[by_id],
        told=np.concatenate([told, size[born]])[by_id],
    ), events


class _Links(NamedTuple):
    """How the lives (L) before and the communities (C) after belong together; -1: not."""

    heir: I64  # [L] the community that takes over its id
    bears: I64  # [C] the life whose id it takes over
    went_to: I64  # [L] where the largest part of its members is, if it reaches the floor
    came_from: I64  # [C] whence the largest part of its members is, if it reaches the floor


def _links(before: I32, label: I32, weight: F64, lives: int, size: I64, floor: float) -> _Links:
    """Hold the communities against the lives before."""
    life, community, shared = _overlaps(before, label, weight, lives, size)
    had = before != NONE
    of_life = np.bincount(before[had], weights=weight[had], minlength=lives)
    of_community = np.bincount(label, weights=weight, minlength=size.size)
    order = np.lexsort((community, life, -shared))
    life, community, shared = life[order], community[order], shared[order]
    follows = shared >= floor * of_life[life]
    largely = shared >= floor * of_community[community]
    heir, bears = _inherit(life[follows], community[follows], lives, size.size)
    return _Links(
        heir,
        bears,
        went_to=_first(life[follows], community[follows], lives),
        came_from=_first(community[largely], life[largely], size.size),
    )


@njit(cache=True)
def _same(before: I32, label: I32, lives: int, least: int) -> bool:
    """Say whether all communities of `least` members are the lives before, and all lives those."""
    size = np.zeros(label.size, np.int64)
    life = np.full(label.size, NONE, np.int32)
    bears = np.full(lives, NONE, np.int32)
    for node in range(label.size):
        one = label[node]
        if size[one] == 0:
            life[one] = before[node]
            if before[node] != NONE:
                if bears[before[node]] != NONE:
                    return False
                bears[before[node]] = one
        elif life[one] != before[node]:
            return False
        size[one] += 1
        if life[one] == NONE and size[one] >= least:
            return False
    lived = True
    for one in bears:
        lived &= one != NONE and size[one] >= LEAST_ALIVE
    return lived


@njit(cache=True)
def _by_first(label: I32) -> I32:
    """Number the communities by their first nodes, so that what they are called decides nothing."""
    number = np.full(label.max() + 1 if label.size else 0, NONE, np.int32)
    renamed = np.empty_like(label)
    count = 0
    for node in range(label.size):
        if number[label[node]] == NONE:
            number[label[node]] = count
            count += 1
        renamed[node] = number[label[node]]
    return renamed


@njit(cache=True)
def _overlaps(before: I32, label: I32, weight: F64, lives: int, size: I64) -> tuple[I64, I64, F64]:
    """Return each (life, community) that share nodes, and the weight of those."""
    order = _by_label(label, size)
    toward = np.zeros(lives, np.float64)
    seen = np.empty(lives, np.int64)
    life = np.empty(label.size, np.int64)
    community = np.empty(label.size, np.int64)
    shared = np.empty(label.size, np.float64)
    count = 0
    stop = 0
    for one in range(size.size):
        start, stop = stop, stop + size[one]
        if size[one] < LEAST_ALIVE:
            continue
        found = 0
        for i in range(start, stop):
            node = order[i]
            if before[node] >= 0:
                if toward[before[node]] == 0.0:
                    seen[found] = before[node]
                    found += 1
                toward[before[node]] += weight[node]
        for i in range(found):
            life[count], community[count], shared[count] = seen[i], one, toward[seen[i]]
            toward[seen[i]] = 0.0
            count += 1
    return life[:count], community[:count], shared[:count]


@njit(cache=True)
def _by_label(label: I32, size: I64) -> I32:
    """Return the nodes by community, ascending in each: a counting sort."""
    place = np.cumsum(size) - size
    order = np.empty(label.size, np.int32)
    for node in range(label.size):
        order[place[label[node]]] = node
        place[label[node]] += 1
    return order


@njit(cache=True)
def _inherit(life: I64, community: I64, lives: int, communities: int) -> tuple[I64, I64]:
    """Give ids to communities, each once, in the order given."""
    heir = np.full(lives, NONE, np.int64)
    bears = np.full(communities, NONE, np.int64)
    for i in range(life.size):
        if heir[life[i]] == NONE and bears[community[i]] == NONE:
            heir[life[i]] = community[i]
            bears[community[i]] = life[i]
    return heir, bears


def _first(group: I64, value: I64, groups: int) -> I64:
    """Return the first value of each group, -1 where there is none."""
    first = np.full(groups, NONE, np.int64)
    first[group[::-1]] = value[::-1]
    return first


@njit(cache=True)
def _new_ids(label: I32, weight: F64, signals: U64, communities: int, tick: int) -> U64:
    """Return an id for each community, from its heaviest signal and the tick."""
    heaviest = np.full(communities, NONE, np.int64)
    ids = np.zeros(communities, np.uint64)
    for node in range(label.size):
        best = heaviest[label[node]]
        if (
            best < 0
            or weight[node] > weight[best]
            or (weight[node] == weight[best] and signals[node] < signals[best])
        ):
            heaviest[label[node]] = node
    for i in range(communities):
        if heaviest[i] >= 0:
            ids[i] = combine(signals[heaviest[i]], np.uint64(tick))
    return ids


def _events(
    lives: Lives, links: _Links, id_of: U64, born: I64, grown: I64, size: I64, tick: int
) -> Records:
    """Tell what happened, by kind and id."""
    gone = np.flatnonzero(links.heir == NONE)
    events = np.zeros(born.size + grown.size + gone.size, EVENT)
    events["tick"] = tick
    new, growing, lost = np.split(events, [born.size, born.size + grown.size])

    parent = links.came_from[born]
    parent = np.where(np.isin(parent, gone), NONE, parent)
    split = parent != NONE
    new["kind"] = np.where(split, SPLIT, BIRTH)
    new["id"], new["members"] = id_of[born], size[born]
    new["other"][split] = lives.id[parent[split]]

    growing["kind"], growing["id"] = GROWTH, lives.id[grown]
    growing["members"], growing["before"] = size[links.heir[grown]], lives.told[grown]

    into = links.went_to[gone]
    merged = into != NONE
    merged[merged] = id_of[into[merged]] != 0
    lost["kind"] = np.where(merged, MERGE, DEATH)
    lost["id"], lost["before"] = lives.id[gone], lives.told[gone]
    lost["other"][merged], lost["members"][merged] = id_of[into[merged]], size[into[merged]]
    return events[np.lexsort((events["id"], events["kind"]))]
