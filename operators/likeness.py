"""What a visual format is called: by the hashtags of its reels, or else by one of them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from operators.normalise import in_full
from operators.reels import Reels

MOST_TAGS: Final = 8
"""Hashtags of a reel that are looked at."""
LONGEST: Final = 64
"""Characters of a hashtag, or of a reel's id, that a label may hold."""
OFTEN: Final = 0.3
"""Share of a format's reels that have a hashtag it is called by."""
FEWEST: Final = 4
"""Reels that have it, at least."""
LIFT: Final = 4.0
"""How many times as often it is among them as among all reels that wait, at least."""
NAMED: Final = 2
"""Hashtags in a label at most."""

_IN_CAPTION: Final = re.compile(r"[#＃](\w+)")
_WORD: Final = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Shown:
    """A reel as people know it."""

    reel_id: str
    tags: tuple[str, ...]


def shown(reels: Reels) -> list[Shown]:
    """Ids and hashtags of reels; without any in their field, those of the caption."""
    starts, lengths, bounds = reels.tags()
    data = reels.data
    tags = [
        data[start : start + length].tobytes().decode()
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
    ]
    ids, captions = reels.texts("reel_id"), reels.texts("caption")
    found = []
    for at, (reel_id, caption) in enumerate(zip(ids, captions, strict=True)):
        own: Sequence[str] = tags[bounds[at] : bounds[at + 1]]
        if not own:
            own = [match[1] for match in _IN_CAPTION.finditer(caption or "")]
        words = (in_full(tag).removeprefix("#") for tag in own[:MOST_TAGS])
        plain = (tag for tag in words if len(tag) <= LONGEST and _WORD.fullmatch(tag))
        found.append(Shown(reel_id or "", tuple(dict.fromkeys(plain))))
    return found


def label_of(name: str, reels: Sequence[Shown], others: Iterable[Shown]) -> str:
    """What a format is called.

    Args:
        name: its id, for want of anything better.
        reels: of it, the most telling first.
        others: reels of any look, to tell what is said everywhere.

    >>> cats = [Shown(str(n), ("cats", "fyp")) for n in range(9)]
    >>> rest = [Shown(str(n), ("fyp",)) for n in range(99)]
    >>> label_of("f-1", cats, rest)
    'look of #cats'
    >>> label_of("f-1", rest, rest)
    'look of reel 0'
    """
    usual: Counter[str] = Counter()
    size = 0
    for one in others:
        usual.update(one.tags)
        size += 1
    own = Counter(tag for one in reels for tag in one.tags)
    found = []
    for tag, count in own.items():
        share = count / len(reels)
        lift = share / (max(usual[tag], 1) / max(size, 1))
        if count >= FEWEST and share >= OFTEN and (lift >= LIFT or not size):
            found.append((-count, tag))
    if found:
        return "look of " + " ".join(f"#{tag}" for _, tag in sorted(found)[:NAMED])
    medoid = reels[0].reel_id if reels else ""
    return f"look of reel {medoid}" if medoid.isprintable() and 0 < len(medoid) <= LONGEST else name
