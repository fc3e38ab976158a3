"""The kinds of signal and their codes in arrays.

A code is an index into `KINDS`; codes are part of stored state and never change their meaning.
"""

from typing import Final

SOUND: Final = 0
HASHTAG: Final = 1
PHRASE: Final = 2
FORMAT: Final = 3

KINDS: Final = ("sound", "hashtag", "phrase", "format")

COMMUNITY: Final = 4
"""No kind of signal: several that come together (`trend.graph.challenges`), reported as one."""
