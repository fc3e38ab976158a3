"""Hashtags that are one tag in several spellings: #cat_drop, #catdrops and #theCatDrop.

A stem is what is left of a tag without separators, an article before it and the plural after it.
Two tags of one stem that rise within days of each other are one trend, though few reels have both.
"""

from typing import Final

SHORTEST: Final = 5
"""Letters that a stem has at least: shorter ones belong to many words."""
_ARTICLE: Final = "the"
_PLURAL: Final = "s"


def stem(tag: str) -> str:
    """Return the stem of a hashtag in its normal form; empty where it is too short to tell.

    Example:
        >>> stem("cat_drop"), stem("thecatdrops"), stem("thesis"), stem("cats")
        ('catdrop', 'catdrop', 'thesi', '')
    """
    letters = "".join(filter(str.isalnum, tag))
    if len(letters) >= len(_ARTICLE) + SHORTEST:
        letters = letters.removeprefix(_ARTICLE)
    letters = letters.removesuffix(_PLURAL)
    return letters if len(letters) >= SHORTEST else ""
