"""A reel as a line again: what came in it stays as it was, byte for byte, and what is new is added.

>>> line = b'{"reel_id":"r","published_at":"2026-01-05T14:10:00Z","author_id":"a","x":1.50}'
>>> before = decode(line)
>>> enriched(line, before, msgspec.structs.replace(before, transcript="hello")).decode()
'{"reel_id":"r","published_at":"2026-01-05T14:10:00Z","author_id":"a","x":1.50,"transcript":"hello"}'
"""

from typing import Any

import msgspec

from schemas.reels import Reel, decode

__all__ = ["decode", "enriched", "line_of"]

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


def enriched(line: bytes, before: Reel, after: Reel) -> bytes:
    """Return the line of a reel, without its newline, with the fields that changed."""
    if before is after:
        return line
    fields: dict[str, Any] = dict(_fields(line))
    for name in Reel.__struct_fields__:
        was, now = getattr(before, name), getattr(after, name)
        if now is was:
            continue
        if was is not None and isinstance(now, msgspec.Struct):
            fields[name] = _fields(fields[name]) | _changed(was, now)
        else:
            fields[name] = _plain(now)
    return msgspec.json.encode(fields)


def line_of(reel: Reel) -> bytes:
    """Return a reel as a line without its newline, and without what it does not have."""
    return msgspec.json.encode(_plain(reel))


def _changed(was: Any, now: Any) -> dict[str, Any]:
    return {
        name: _plain(value)
        for name in now.__struct_fields__
        if (value := getattr(now, name)) is not getattr(was, name)
    }


def _plain(value: Any) -> Any:
    """Structs as objects without what is None."""
    if not isinstance(value, msgspec.Struct):
        return value
    found = {name: getattr(value, name) for name in value.__struct_fields__}
    return {name: _plain(one) for name, one in found.items() if one is not None}
