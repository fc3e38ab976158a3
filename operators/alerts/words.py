"""Watch-lists: whole words in texts of any script."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Final

UNSPACED: Final = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\U00020000-\U0003ffff]"
)
"""Thai, Lao, Myanmar, Khmer, Japanese and Chinese: words have no space between them."""


def fold(text: str) -> str:
    """Text in one form for one meaning: NFKC, case-folded, no invisible characters.

    >>> fold("  STRASSE\\u200b  Ｃａｔ ")
    'strasse cat'
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join("".join(c for c in folded if unicodedata.category(c) != "Cf").split())


class Watch:
    """Finds any of some words; `*` at an end of one stands for the rest of a word.

    A word is whole where no letter, digit or mark stands beside it. In scripts without spaces it is
    found anywhere.

    >>> watch = Watch(["Cat", "nike*"])
    >>> [watch.finds([text]) for text in ("a CAT!", "#cat_drop", "concatenate", "#NikeShoes")]
    [True, True, False, True]
    """

    def __init__(self, words: Sequence[str]) -> None:
        self._words = [
            (word.strip("*"), word.startswith("*"), word.endswith("*"))
            for word in map(fold, words)
            if word.strip("*")
        ]

    def finds(self, texts: Iterable[str]) -> bool:
        """Whether one of the words is in one of the texts."""
        folded = [fold(text) for text in texts]
        return any(_is_in(text, *word) for word in self._words for text in folded)


def _is_in(text: str, word: str, any_before: bool, any_after: bool) -> bool:
    at = text.find(word)
    while at >= 0:
        end = at + len(word)
        begins = any_before or at == 0 or not _joined(text[at - 1], word[0])
        ends = any_after or end == len(text) or not _joined(word[-1], text[end])
        if begins and ends:
            return True
        at = text.find(word, at + 1)
    return False


def _joined(one: str, other: str) -> bool:
    """Whether two neighbours are of one word."""
    if UNSPACED.match(one) or UNSPACED.match(other):
        return False
    return all(unicodedata.category(c)[0] in "LMN" for c in (one, other))
