"""Lines that are not reels: one maker for each reason for which a line must be refused."""

import json
from collections.abc import Callable
from typing import Any

MAX_LINE_BYTES = 1 << 20
OVERSIZED_LINES = 2
"""Most lines over 1 MiB in a stream: more would only be weight."""


def _with(**changes: object) -> Callable[[dict[str, Any]], bytes]:
    return lambda reel: _json({**reel, **changes})


def _without(field: str) -> Callable[[dict[str, Any]], bytes]:
    return lambda reel: _json({name: value for name, value in reel.items() if name != field})


def _json(reel: dict[str, Any]) -> bytes:
    return json.dumps(reel, ensure_ascii=False).encode()


MALFORMED: dict[str, Callable[[dict[str, Any]], bytes]] = {
    "truncated": lambda reel: _json(reel)[:-9],
    "not_json": lambda reel: b"<html>502 Bad Gateway " + reel["reel_id"].encode() + b"</html>",
    "not_an_object": lambda reel: _json([reel["reel_id"]]),  # type: ignore[arg-type]
    "wrong_type": _with(hashtags="catdrop"),
    "wrong_number": _with(metrics={"views": -5}),
    "missing_reel_id": _without("reel_id"),
    "missing_published_at": _without("published_at"),
    "missing_author_id": _without("author_id"),
    "unparseable_time": _with(published_at="yesterday at noon"),
    "absurd_time": _with(published_at="0001-01-01T00:00:00Z"),
    "invalid_utf8": lambda reel: _json({**reel, "caption": "@"}).replace(b"@", b"\xff\xfe"),
    "long_id": _with(author_id="a" * 257),
    "many_hashtags": _with(hashtags=[f"tag{number}" for number in range(101)]),
    "nesting_bomb": lambda reel: _json(reel)[:-1] + b', "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    "oversized": _with(caption="a" * MAX_LINE_BYTES),
}
"""Makers by class. Each takes a valid reel and gives the bad line."""


def malformed_classes(count: int) -> list[str]:
    """Classes of `count` malformed lines: all in turn, but few that are oversized.

    >>> malformed_classes(2)
    ['truncated', 'not_json']
    """
    names = list(MALFORMED)
    light = [name for name in names if name != "oversized"]
    turns = [name for _ in range(OVERSIZED_LINES) for name in names]
    while len(turns) < count:
        turns += light
    return turns[:count]
