"""History of a signal: how many authors and reels at which place, for places with any.

A place is a tick or an hour. Most signals are used in a few places of the many that are kept, so a
history holds only those, in the order of time, on pages of `PAGE` places that are linked both ways.
A place is one number, so that the usual case, one more reel where the last one was, is an addition:

    place << 32 | authors << 16 | reels

Places leave at the old end when they are out of reach and a page that is empty is used again. All
pages of a shard are in one pool. A counter of reels that is `FULL` stays.
"""

from typing import Final

import numpy as np

from trend.compiled import inlined, kernel
from trend.layout import (
    FREE_PAGE,
    FRESH_PAGE,
    FULL,
    I64,
    NEVER,
    NEWER,
    NONE,
    OLDER,
    PAGE,
    PAGES,
    Counts,
    Int,
)

PLACE: Final = 32  # bits to the right of the place
_AUTHOR: Final = 1 << 16
_REEL: Final = 1


@inlined
def authors_in(entry: Int) -> Int:
    """Return the authors of a place."""
    return (entry >> 16) & FULL


@inlined
def reels_in(entry: Int) -> Int:
    """Return the reels of a place."""
    return entry & FULL


@inlined
def add_reel(c: Counts, row: Int, which: Int, place: Int, new_author: Int) -> Int:
    """Count a reel, and its author if `new_author` is 1; return 1, or 0 where the place is full."""
    page = c.chains[row, which].newest
    more = new_author * _AUTHOR + _REEL
    counted: Int = 1
    if page == NONE:
        _append(c, row, which, place << PLACE | more)
    else:
        at = c.chains[row, which].fill - 1
        entry = c.pages[page, at]
        if entry >> PLACE == place:
            if reels_in(entry) < FULL:
                c.pages[page, at] = entry + more
            else:
                counted = 0
        elif entry >> PLACE < place:
            _append(c, row, which, place << PLACE | more)
        else:
            counted = _add_late(c, row, which, place, more)
    return counted


@kernel
def _append(c: Counts, row: Int, which: Int, entry: Int) -> None:
    """Add a place at the new end."""
    n, links = c.n, c.links
    newest = c.chains[row, which].newest
    if newest == NONE or c.chains[row, which].fill == PAGE:
        page = n[FREE_PAGE]
        if page != NONE:
            n[FREE_PAGE] = links[page, OLDER]
        else:
            page = n[FRESH_PAGE]
            n[FRESH_PAGE] += 1
        n[PAGES] += 1
        links[page, OLDER] = newest
        links[page, NEWER] = NONE
        if newest == NONE:
            c.chains[row, which].oldest = page
            c.chains[row, which].start = 0
            c.chains[row, which].first = entry >> PLACE
        else:
            links[newest, NEWER] = page
        c.chains[row, which].newest = page
        c.chains[row, which].fill = 0
        newest = page
    c.pages[newest, c.chains[row, which].fill] = entry
    c.chains[row, which].fill += 1


@inlined
def newest(c: Counts, row: Int, which: Int) -> tuple[Int, Int]:
    """Return the page of the last place, or NONE, and where on it."""
    return np.int64(c.chains[row, which].newest), np.int64(c.chains[row, which].fill) - 1


@inlined
def older(c: Counts, row: Int, which: Int, page: Int, at: Int) -> tuple[Int, Int]:
    """Return where the place before one is, page NONE where there is none."""
    chains = c.chains
    if page == chains[row, which].oldest and at == chains[row, which].start:
        page, at = np.int64(NONE), np.int64(0)
    elif at > 0:
        at -= 1
    else:
        page, at = np.int64(c.links[page, OLDER]), np.int64(PAGE - 1)
    return page, at


@kernel
def _add_late(c: Counts, row: Int, which: Int, place: Int, more: Int) -> Int:
    """Count at a place before the newest, which may be a new one between others."""
    pages = c.pages
    page, at = newest(c, row, which)
    while page != NONE and pages[page, at] >> PLACE > place:
        page, at = older(c, row, which, page, at)
    if page != NONE and pages[page, at] >> PLACE == place:
        if reels_in(pages[page, at]) == FULL:
            return 0
        pages[page, at] += more
        return 1
    _append(c, row, which, place << PLACE | more)
    page, at = newest(c, row, which)
    before, before_at = older(c, row, which, page, at)
    while before != NONE and pages[before, before_at] >> PLACE > place:
        pages[page, at] = pages[before, before_at]
        page, at = before, before_at
        before, before_at = older(c, row, which, page, at)
    pages[page, at] = place << PLACE | more
    c.chains[row, which].first = min(c.chains[row, which].first, place)
    return 1


@kernel
def authors_between(c: Counts, row: Int, which: Int, first: Int, last: Int) -> Int:
    """Return the authors of the places `first` to `last`, both included."""
    authors = np.int64(0)
    page, at = newest(c, row, which)
    while page != NONE:
        stop = c.chains[row, which].start if page == c.chains[row, which].oldest else 0
        if c.pages[page, stop] >> PLACE <= last:
            while at >= stop:
                entry = c.pages[page, at]
                if entry >> PLACE < first:
                    return authors
                if entry >> PLACE <= last:
                    authors += authors_in(entry)
                at -= 1
        page, at = np.int64(c.links[page, OLDER]), np.int64(PAGE - 1)
    return authors


@kernel
def authors_since(c: Counts, row: Int, which: Int, sums: I64, start: Int, authors: I64) -> None:
    """Fill `authors[w]` with the authors from place `sums[w, start]` on, which falls with w."""
    w = 0
    bound = sums[0, start]
    found = np.int64(0)
    page, at = newest(c, row, which)
    oldest, first = c.chains[row, which].oldest, c.chains[row, which].start
    while page != NONE:
        stop = np.uint64(first if page == oldest else 0)
        here, after = np.uint64(page), np.uint64(at + 1)
        while after > stop:
            after -= np.uint64(1)
            entry = c.pages[here, after]
            while entry >> PLACE < bound:
                authors[w] = found
                w += 1
                if w == authors.size:
                    return
                bound = sums[w, start]
            found += authors_in(entry)
        page, at = np.int64(c.links[here, OLDER]), np.int64(PAGE - 1)
    authors[w:] = found


@kernel
def drop_until(c: Counts, row: Int, which: Int, place: Int) -> tuple[Int, Int]:
    """Let go of all places up to `place`; return the authors and reels that they held."""
    authors = reels = 0
    while c.chains[row, which].first <= place:
        page = c.chains[row, which].oldest
        last = page == c.chains[row, which].newest
        fill = c.chains[row, which].fill if last else PAGE
        at = c.chains[row, which].start
        while at < fill and c.pages[page, at] >> PLACE <= place:
            authors += authors_in(c.pages[page, at])
            reels += reels_in(c.pages[page, at])
            at += 1
        if at < fill:
            c.chains[row, which].start = at
            c.chains[row, which].first = c.pages[page, at] >> PLACE
        elif last:
            release(c, row, which)
        else:
            oldest = c.links[page, NEWER]
            c.links[page, OLDER] = c.n[FREE_PAGE]
            c.n[FREE_PAGE] = page
            c.n[PAGES] -= 1
            c.links[oldest, OLDER] = NONE
            c.chains[row, which].oldest = oldest
            c.chains[row, which].start = 0
            c.chains[row, which].first = c.pages[oldest, 0] >> PLACE
    return authors, reels


@kernel
def release(c: Counts, row: Int, which: Int) -> None:
    """Let go of a whole history, its newest page first to be used again."""
    page = c.chains[row, which].oldest
    while page != NONE:
        newer = c.links[page, NEWER]
        c.links[page, OLDER] = c.n[FREE_PAGE]
        c.n[FREE_PAGE] = page
        c.n[PAGES] -= 1
        page = newer
    clear(c, row, which)


@inlined
def clear(c: Counts, row: Int, which: Int) -> None:
    """Begin a history without any place."""
    c.chains[row, which].newest = NONE
    c.chains[row, which].oldest = NONE
    c.chains[row, which].first = NEVER
    c.chains[row, which].start = 0
    c.chains[row, which].fill = 0


@kernel
def pages_of(c: Counts, row: Int, which: Int) -> Int:
    """Return how many pages a history takes."""
    count = 0
    page = c.chains[row, which].newest
    while page != NONE:
        count += 1
        page = c.links[page, OLDER]
    return count
