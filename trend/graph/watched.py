"""Communities that are watched: hour by hour, who brings the members of each together.

An author counts again only after `DAY_H` hours without it, so that no crew that repeats itself
grows: over a window of up to a day the sum is of distinct authors, or less.

Of the last `REELS_H` hours each reel that holds several members is kept, as an event; an hour is
taken in one call, whatever the number of communities. Nothing depends on the order of its reels.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numba import njit

from trend.graph.arrays import I64, U64, Bools, Int, Records
from trend.graph.log import Past
from trend.hashing import combine

DAY_H: Final = 24
REELS_H: Final = 48
MOST: Final = 16
"""Members watched of a community, the heaviest: one bit each."""
NEVER: Final = -(1 << 40)
_SIEVE: Final = 4096

WATCHED: Final = np.dtype(
    [
        ("id", np.uint64),
        ("size", np.int64),  # members
        ("significant", np.int64),  # last hour in which two came together significantly often
        ("log10_p", np.float64),  # the least p-value of two of them then
        ("burst", np.int64),  # last hour in which it was reported as a burst
        ("told", np.int64),  # last hour in which its members and reels were told
        ("told_authors", np.int64),
    ]
)
EVENT: Final = np.dtype(
    [
        ("reel", np.uint64),
        ("author", np.uint64),
        ("community", np.int32),  # its place
        ("hour", np.int32),
        ("members", np.int64),  # bits, by the places of the members
    ]
)


class Hour(NamedTuple):
    """The n reels of an hour, in any order; those of reel i are from `bounds[i]` on."""

    reel: U64  # [n] hashes
    author: U64  # [n]
    bounds: I64  # [n + 1]
    signals: U64  # [.] each once a reel


class Watched(NamedTuple):
    """C communities by their ids, and H hours of each; hour h is in column h modulo H."""

    rows: Records  # WATCHED[C]
    members: U64  # [C, MOST] the heaviest first
    users: I64  # [C, H] authors who used any member
    together: I64  # [C, H] authors who brought members together
    events: Records  # EVENT[E] of the last `REELS_H` hours


def empty(hours: int) -> Watched:
    """Return no communities, with room for so many hours."""
    series = np.zeros((0, hours), np.int64)
    return Watched(
        np.zeros(0, WATCHED), np.zeros((0, MOST), np.uint64), series, series, np.zeros(0, EVENT)
    )


def chosen(w: Watched, ids: U64, members: list[U64], before: I64) -> Watched:
    """Return other communities, which take over what is known of those before.

    Args:
        ids: ascending.
        members: of each, at most `MOST`, the heaviest first.
        before: the place of each in `w`, -1 where it is new.
    """
    known = before >= 0
    rows = np.zeros(ids.size, WATCHED)
    for name in ("significant", "burst", "told"):
        rows[name] = NEVER
    rows[known] = w.rows[before[known]]
    rows["id"] = ids
    told = np.zeros((ids.size, MOST), np.uint64)
    for place, own in enumerate(members):
        told[place, : own.size] = own
        rows["size"][place] = own.size
    users, together = (np.zeros((ids.size, w.users.shape[1]), np.int64) for _ in range(2))
    users[known], together[known] = w.users[before[known]], w.together[before[known]]
    now = np.full(w.rows.size, -1, np.int32)
    now[before[known]] = np.flatnonzero(known)
    events = w.events[now[w.events["community"]] >= 0]
    events["community"] = now[events["community"]]
    return Watched(rows, told, users, together, events)


def without(w: Watched, fresh: Bools) -> Watched:
    """Return the same, where nothing is known of the hours of some, and their details untold."""
    w.users[fresh] = w.together[fresh] = 0
    w.rows["told"][fresh], w.rows["told_authors"][fresh] = NEVER, 0
    return w._replace(events=w.events[~fresh[w.events["community"]]])


def remembered(w: Watched, places: Sequence[int], pasts: Sequence[Past], hour: int) -> Watched:
    """Return the same, where some take their pasts, up to now, from the log."""
    hours = w.users.shape[1]
    columns = np.arange(hour - hours + 1, hour + 1) % hours
    added = [w.events]
    for place, past in zip(places, pasts, strict=True):
        of_users, of_together = _history(past.hour, past.author, past.members, hour, hours)
        w.users[place, columns], w.together[place, columns] = of_users, of_together
        lately = (past.members & (past.members - 1) > 0) & (past.hour > hour - REELS_H)
        events = np.zeros(np.count_nonzero(lately), EVENT)
        events["community"] = place
        for name, column in zip(("hour", "reel", "author", "members"), past, strict=True):
            events[name] = column[lately]
        added.append(events)
    return w._replace(events=np.concatenate(added))


class Sought(NamedTuple):
    """The members of communities, as `taken` looks for them."""

    signals: U64  # ascending
    community: I64
    bit: I64
    sieve: Bools


def sought(w: Watched, which: Bools) -> Sought:
    """Return what to look for: the members of some communities."""
    sizes = np.where(which, w.rows["size"], 0)
    community, bit = np.nonzero(np.arange(MOST) < sizes[:, None])
    signals = w.members[community, bit]
    order = np.argsort(signals, kind="stable")
    sieve = np.zeros(_SIEVE, np.bool_)
    sieve[(signals & np.uint64(_SIEVE - 1)).astype(np.int64)] = True
    return Sought(signals[order], community[order], bit[order], sieve)


class Numbers(NamedTuple):
    """C communities at an hour."""

    authors: I64  # [C, W] who brought members together in each window
    reels: I64  # [C, REELS_H] in which they did, an hour, oldest first
    uses: I64  # [C, MOST] of these reels in the longest window, with each member


def taken(
    w: Watched, what: Sought, hour: int, reels: Hour, windows: I64
) -> tuple[Watched, Numbers]:
    """Take an hour of those that are sought; the others have it already (`remembered`).

    Args:
        hour: after the last one; those between had no reels.
        windows: hours, rising, at most `DAY_H`.
    """
    count = w.rows.size
    numbers = Numbers(
        np.zeros((count, windows.size), np.int64),
        np.zeros((count, REELS_H), np.int64),
        np.zeros((count, MOST), np.int64),
    )
    column = hour % w.users.shape[1]
    place, community, members = _holding(reels.bounds, reels.signals, *what)
    room = np.empty(w.events.size + place.size, EVENT)
    left = _take(
        w.events,
        room,
        reels.reel,
        reels.author,
        place,
        community,
        members,
        hour,
        windows,
        w.users[:, column],
        w.together[:, column],
        *numbers,
    )
    return w._replace(events=room[:left].copy()), numbers


def brought(w: Watched, place: int, hour: int) -> U64:
    """Return the reels of the last day that bring members of one together, ascending."""
    own = (w.events["community"] == place) & (w.events["hour"] > hour - DAY_H)
    return np.sort(w.events["reel"][own])


@njit(cache=True, nogil=True)
def _holding(
    bounds: I64, signals: U64, sought: U64, of: I64, bit: I64, sieve: Bools
) -> tuple[I64, I64, I64]:
    """Return which reels hold members of which communities: place, community and members' bits."""
    size = 16
    place, community = np.empty(size, np.int64), np.empty(size, np.int64)
    members = np.zeros(size, np.int64)
    found = 0
    for i in range(bounds.size - 1):
        start = found
        for j in range(bounds[i], bounds[i + 1]):
            signal = signals[j]
            if not sieve[signal & np.uint64(_SIEVE - 1)]:
                continue
            at = np.searchsorted(sought, signal)
            while at < sought.size and sought[at] == signal:
                if found == size:
                    size *= 2
                    place, community = _longer(place, size), _longer(community, size)
                    members = _longer(members, size)
                held = start
                while held < found and community[held] != of[at]:
                    held += 1
                if held == found:
                    place[held], community[held], members[held] = i, of[at], 0
                    found += 1
                members[held] |= np.int64(1) << bit[at]
                at += 1
    return place[:found], community[:found], members[:found]


@njit(cache=True, nogil=True)
def _longer(array: I64, size: Int) -> I64:
    longer = np.empty(size, np.int64)
    longer[: array.size] = array
    return longer


@njit(cache=True, inline="always")
def _slot(keys: U64, key: np.uint64) -> np.int64:
    """Return the place of a key by open addressing; 0 is no key."""
    mask = keys.size - 1
    at = np.int64(key >> np.uint64(1)) & mask
    while keys[at] != 0 and keys[at] != key:
        at = (at + 1) & mask
    return at


@njit(cache=True, nogil=True)
def _history(hours: I64, authors: U64, members: I64, now: Int, count: Int) -> tuple[I64, I64]:
    """Return users and who brought members together of the last `count` hours, oldest first."""
    users, together = np.zeros(count, np.int64), np.zeros(count, np.int64)
    size = 16
    while size < 2 * hours.size:
        size *= 2
    keys = np.zeros(size, np.uint64)
    used, last = np.full(size, NEVER), np.full(size, NEVER)
    for i in range(hours.size):
        hour = hours[i]
        key = combine(authors[i], np.uint64(0)) | np.uint64(1)
        at = _slot(keys, key)
        keys[at] = key
        if used[at] != hour:
            used[at] = hour
            users[hour - now + count - 1] += 1
        if members[i] & (members[i] - 1) > 0:
            if hour - last[at] >= DAY_H:
                together[hour - now + count - 1] += 1
            last[at] = hour
    return users, together


@njit(cache=True, nogil=True)
def _take(
    events: Records,
    room: Records,
    reel: U64,
    author: U64,
    place: I64,
    community: I64,
    members: I64,
    now: Int,
    windows: I64,
    users: I64,
    together: I64,
    authors: I64,
    reels: I64,
    uses: I64,
) -> Int:
    """Fill all from `users` on, and `room` with the events that stay; return how many."""
    size = 16
    while size < 2 * room.size:
        size *= 2
    keys, of = np.zeros(size, np.uint64), np.zeros(size, np.int64)
    used, last = np.zeros(size, np.bool_), np.full(size, NEVER)
    longest = windows[windows.size - 1]
    left = 0
    for i in range(events.size):
        age = now - events[i].hour
        if age >= REELS_H:
            continue
        room[left] = events[i]
        left += 1
        one = np.int64(events[i].community)
        key = combine(events[i].author, np.uint64(one)) | np.uint64(1)
        at = _slot(keys, key)
        keys[at], of[at] = key, one
        last[at] = max(last[at], np.int64(events[i].hour))
        reels[one, REELS_H - 1 - age] += 1
        if age < longest:
            _count_members(uses, one, events[i].members)
    for i in range(place.size):
        one = np.int64(community[i])
        key = combine(author[place[i]], np.uint64(one)) | np.uint64(1)
        at = _slot(keys, key)
        keys[at], of[at] = key, one
        if not used[at]:
            used[at] = True
            users[one] += 1
        if members[i] & (members[i] - 1) == 0:
            continue
        if now - last[at] >= DAY_H:
            together[one] += 1
        last[at] = now
        reels[one, REELS_H - 1] += 1
        _count_members(uses, one, members[i])
        room[left].reel, room[left].author = reel[place[i]], author[place[i]]
        room[left].community, room[left].hour = one, now
        room[left].members = members[i]
        left += 1
    for slot in np.flatnonzero(keys):
        for w in range(windows.size):
            authors[of[slot], w] += now - last[slot] < windows[w]
    return left


@njit(cache=True, inline="always")
def _count_members(uses: I64, one: Int, members: Int) -> None:
    for bit in range(MOST):
        uses[one, bit] += members >> bit & 1
