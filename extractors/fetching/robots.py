"""What a host lets programs read: its `robots.txt`, as RFC 9309 has it.

Of the groups that name us, else of those for all, the rule with the longest pattern decides; of two
equally long the one that allows. `*` in a pattern is any text, `$` at its end the end.
"""

from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

MAX_BYTES: Final = 512 << 10
MAX_RULES: Final = 10_000


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules that hold for us: (allowed, pattern)."""

    rules: tuple[tuple[bool, str], ...] = ()

    def allows(self, path: str) -> bool:
        """Whether a path, with its query, may be read.

        >>> robots = parsed("User-agent: *\\nDisallow: /private\\nAllow: /private/*.mp4$", "us")
        >>> [robots.allows(one) for one in ("/", "/private/a", "/private/a.mp4", "/private/a.mp4?")]
        [True, False, True, False]
        """
        path = _plain(path)
        longest, allowed = -1, True
        for allow, pattern in self.rules:
            if (len(pattern), allow) > (longest, allowed) and _fits(pattern, path):
                longest, allowed = len(pattern), allow
        return allowed


NOTHING: Final = Robots(((False, "/"),))
"""Nothing may be read: what holds where a host cannot say."""


def parsed(text: str, agent: str) -> Robots:
    """Return the rules of a file for the program called `agent`."""
    ours: list[tuple[bool, str]] = []
    everyone: list[tuple[bool, str]] = []
    groups: list[list[tuple[bool, str]]] = []
    named = in_rules = False
    for line in text.splitlines():
        key, _, value = line.partition("#")[0].partition(":")
        key, value = key.strip().lower(), value.strip()
        if key == "user-agent":
            if in_rules:
                groups, in_rules = [], False
            if value.lower() == agent.lower():
                groups.append(ours)
                named = True
            elif value == "*":
                groups.append(everyone)
        elif key in ("allow", "disallow"):
            in_rules = True
            if value and len(ours) + len(everyone) < MAX_RULES:
                for group in groups:
                    group.append((key == "allow", _plain(value)))
    return Robots(tuple(ours if named else everyone))


def _plain(path: str) -> str:
    return quote(unquote(path), safe="/*$?=&;:@!'(),+~")


def _fits(pattern: str, path: str) -> bool:
    """Whether a pattern fits the beginning of a path; in linear time."""
    whole = pattern.endswith("$")
    first, *rest = pattern.removesuffix("$").split("*")
    if not path.startswith(first):
        return False
    if not rest:
        return not whole or path == first
    at = len(first)
    last = rest.pop() if whole else ""
    for piece in rest:
        found = path.find(piece, at)
        if found < 0:
            return False
        at = found + len(piece)
    return not whole or (len(path) - len(last) >= at and path.endswith(last))
