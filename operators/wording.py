"""A trend in plain words: its name, a sentence, and the reason for it."""

from collections.abc import Sequence
from math import log2
from typing import Final

from schemas.trends import Member
from trend.crowd import Crowd

MIN_TOLD: Final = 5
"""Reels from which on it is told who made them."""
MIN_BURST: Final = 4
"""People with one text within an hour that are worth a word."""
ENOUGH_NOW: Final = 10
ENOUGH_BEFORE: Final = 4
"""People from which on it is told how fast they become more."""
SLOWEST_DOUBLING_H: Final = 48.0
"""Growth that is slower is not worth a word."""
_SAID: Final = {"sound": "sound", "hashtag": "hashtag", "phrase": "phrase", "format": "look"}
_NAMED_FIRST: Final = ("hashtag", "sound", "phrase", "format")


def name_of(members: Sequence[Member], so_far: str = "") -> str:
    """Return the label of the most telling member: a hashtag before a sound before a phrase.

    A member of a better kind is taken only if it is used at least half as much as the strongest.
    The name so far stays while its member is used at least a third as much.
    """
    most = max(member.reels for member in members)
    if any(member.label == so_far and 3 * member.reels >= most for member in members):
        return so_far
    strong = [member for member in members if 2 * member.reels >= most]
    return min(strong, key=lambda member: _NAMED_FIRST.index(member.kind)).label


def summary_of(members: Sequence[Member], stage: str) -> str:
    """Return a sentence on what it is."""
    labels = [_quoted(member) for member in members[:4]]
    rest = len(members) - len(labels)
    what = ", ".join(labels) + (f" and {rest} more" if rest else "")
    return f"{stage.capitalize()}: {what}."


def why(
    members: Sequence[Member], authors: int, expected: float, hours: int, together: bool = False
) -> str:
    """Return the reason: who used it, how many were expected, and what rises together.

    `together`: they are the people who brought members together.
    """
    did = "brought it together" if together else "used it"
    reason = f"{authors} people {did} in {hours} h where {_number(expected)} were expected"
    kinds = list(dict.fromkeys(_SAID[member.kind] for member in members))
    if len(kinds) > 1:
        said = f"{', '.join(kinds[:-1])} and {kinds[-1]}"
        more = f"{len(members)} signals ({said})" if len(members) > len(kinds) else said
        return f"{reason}; {more} rise together"
    if len(members) > 1:
        return f"{reason}; {len(members)} {kinds[0]}s rise together"
    return reason


def behind(one: Crowd) -> str:
    """Return what to add to the reason: who made the reels that were looked at, if they are enough.

    Example:
        >>> behind(Crowd(31, 29, most=2, worded=28, alike=3, burst=2, common=0.06))
        '; 31 of its reels are by 29 people, none with more than 2, at most 3 with one text'
    """
    if one.reels < MIN_TOLD:
        return ""
    most = f"none with more than {one.most}" if one.most > 1 else "each with one"
    reason = f"; {one.reels} of its reels are by {one.authors} people, {most}"
    if one.worded >= max(MIN_TOLD, one.authors / 2):
        reason += f", at most {one.alike} with one text" if one.alike > 1 else ", all in own words"
    if one.burst >= MIN_BURST:
        reason += f" ({one.burst} within an hour)"
    return reason


def pace(authors: Sequence[int], before: Sequence[float], windows_h: Sequence[int]) -> str:
    """Return in how many hours the people double, if they do within two days.

    By the shortest window with enough of them in it and in the window before it.

    Args:
        authors: in each window.
        before: in the window before each, at the platform's volume in it.
        windows_h: lengths in hours, rising.

    Example:
        >>> pace([9, 24], [4.0, 12.0], [1, 3]), pace([9, 24], [4.0, 23.0], [1, 3])
        ('; doubling every 3 h', '')
    """
    for now, then, hours in zip(authors, before, windows_h, strict=True):
        if now >= ENOUGH_NOW and then >= ENOUGH_BEFORE:
            doublings = log2(now / then)
            if doublings * SLOWEST_DOUBLING_H < hours:
                return ""
            every = round(hours / doublings)
            return f"; doubling every {every} h" if every > 1 else "; doubling every hour"
    return ""


def chance(probability: float) -> str:
    """Return how many of ten things like it take off; nothing of what has.

    Example:
        >>> chance(0.84)
        '; 8 in 10 like it take off'
        >>> chance(0.97)
        '; more than 9 in 10 like it take off'
    """
    if probability >= 1.0:
        return ""
    tenths = round(10 * probability)
    return f"; {'more than 9' if tenths == 10 else tenths} in 10 like it take off"


def _quoted(member: Member) -> str:
    return f"“{member.label}”" if member.kind == "phrase" else member.label


def _number(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:.0f}"
