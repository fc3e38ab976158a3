"""Text of unknown origin, made fit for a terminal."""

import re
import unicodedata

ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|$)"  # OSC and the like: titles, links, clipboard
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn"}
JOINERS = "\u200c\u200d"  # needed by some scripts and by emoji
MAX_TEXT = 1000
"""Characters that are looked at; longer text is cut."""


def plain(text: str) -> str:
    """One line of text without anything that a terminal would obey.

    Escape sequences, control characters and overrides of the writing direction are removed; white
    space becomes a single space.

    >>> plain("cat\\x1b[2Jdrop \\u202e[bold]\\n2026")
    'catdrop [bold] 2026'
    """
    text = " ".join(ESCAPES.sub("", text[:MAX_TEXT]).split())
    kept = [c for c in text if c in JOINERS or unicodedata.category(c) not in INVISIBLE]
    return "".join(kept).strip()
