"""Why a line is not a reel.

One pure function of one line. The scanner of `operators.decode` only finds the lines that are in
doubt; what is wrong with them, if anything, is said here, so that a line's verdict can never depend
on the lines around it.

>>> fault = classify(b'{"reel_id":"r1","published_at":"now","author_id":"a1"}')
>>> fault.error, fault.reason
('invalid_time', "published_at: expected an RFC 3339 time with an offset, got 'now'")
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec
import numpy as np

from operators.blocks import LINE_LIMIT
from schemas.reels import MAX_HASHTAGS, Reel

ERRORS: Final = {
    "invalid_json": "not one JSON value",
    "invalid_utf8": "bytes that are not UTF-8, wherever they are",
    "wrong_type": "a field, or the line itself, is of another JSON type",
    "missing_field": "a required field is not there",
    "invalid_value": "right type, but out of the field's range, length or encoding",
    "invalid_time": "a time that cannot be read, or has no offset from UTC",
    "absurd_time": "published before 2005 or after 2049",
    "id_too_long": "reel_id, author_id or audio_id over 256 bytes",
    "too_many_hashtags": "more than 100 hashtags",
    "line_too_long": "a line over 1 MiB",
    "too_deep": "arrays and objects nested more than 500 deep",
    "no_value": "a message without a value, or of nothing but white space",
    "source_error": "the input broke off: a truncated or damaged file",
}
"""Every error class with its meaning."""

ID_LIMIT: Final = 256
"""Longest id in bytes of UTF-8."""

DEPTH_LIMIT: Final = 500
"""Deepest nesting. Half of what the interpreter's stack allows, so that the verdict is the same
wherever in the program, and under whichever Python, the line is decoded."""

EARLIEST: Final = datetime(2005, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2050, 1, 1, tzinfo=UTC)
"""A reel is published from `EARLIEST` on and before `LATEST`."""

_SHOWN = 60  # characters of a value that a reason shows
_decode = msgspec.json.Decoder(Reel).decode
_strings = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)
_missing = re.compile(r"Object missing required field `(\w+)`(?: - at `\$\.?(.*)`)?")
_expected = re.compile(r"(.*?)(?:, got `(\w+)`)?(?: - at `\$\.?(.*)`)?", re.DOTALL)
_step = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a line: a class from `ERRORS`, and the field, what was expected, what was
    found, for people."""

    error: str
    reason: str


def blank(line: bytes) -> bool:
    """Whether a line holds nothing but JSON's white space. Such a line is no record at all."""
    return not line.strip(b" \t\r\n")


def openers(line: bytes) -> int:
    """Number of opening brackets and braces, in strings too: never less than the nesting."""
    return line.count(b"[") + line.count(b"{")


def depth(line: bytes) -> int:
    """How deep arrays and objects are nested, for any bytes, without recursion.

    >>> depth(b'{"a": [[1], "[[[["]}')
    3
    """
    codes = np.frombuffer(_strings.sub(b"", line), np.uint8) | 0x20  # [ and { are one, ] and } too
    nesting = np.cumsum((codes == ord("{")).astype(np.int32) - (codes == ord("}")))
    return int(nesting.max(initial=0))


def judge(line: bytes) -> Reel | Fault | None:
    """The reel that one line without its newline is, or its fault; None for a blank line.

    Faults of the line as a whole come before those of its fields; of several, the first is told.
    """
    if blank(line):
        return None
    return _whole(line) or _record(line)


def classify(line: bytes) -> Fault | None:
    """The fault of one line without its newline, or None for a reel or a blank line."""
    found = judge(line)
    return found if isinstance(found, Fault) else None


def _whole(line: bytes) -> Fault | None:
    if len(line) > LINE_LIMIT:
        return too_long(len(line))
    try:
        line.decode()
    except UnicodeDecodeError as error:
        found = line[error.start : error.start + 4]
        return Fault("invalid_utf8", f"byte {error.start}: expected UTF-8, got {found!r}")
    if openers(line) > DEPTH_LIMIT and (levels := depth(line)) > DEPTH_LIMIT:
        return Fault("too_deep", f"expected at most {DEPTH_LIMIT} levels of nesting, got {levels}")
    return None


def _record(line: bytes) -> Reel | Fault:
    try:
        reel = _decode(line)
        return _limits(reel) or reel
    except msgspec.ValidationError as error:
        value, malformed = _untyped(line)
        return malformed or _field(str(error), value)
    except (ValueError, RecursionError) as error:
        return _malformed(line, error)


def _untyped(line: bytes) -> tuple[object, Fault | None]:
    """The line as plain values, to show them, or what is wrong with its JSON after the field."""
    try:
        return msgspec.json.decode(line), None
    except msgspec.ValidationError:  # it is JSON, but with a number that no type can hold
        return msgspec.UNSET, None
    except (ValueError, RecursionError) as error:
        return msgspec.UNSET, _malformed(line, error)


def _malformed(line: bytes, error: Exception) -> Fault:
    return Fault("invalid_json", f"expected one JSON object, got {_show(line)}: {error}")


def too_long(length: int) -> Fault:
    """The fault of a line of `length` bytes that is over the limit."""
    return Fault("line_too_long", f"expected at most {LINE_LIMIT} bytes, got {length}")


def _limits(reel: Reel) -> Fault | None:
    """What the contract asks of a reel beyond types and lengths in characters."""
    audio_id = reel.audio.audio_id if reel.audio else None
    named = (("reel_id", reel.reel_id), ("author_id", reel.author_id), ("audio.audio_id", audio_id))
    for field, text in named:
        if text is not None and (size := len(text.encode())) > ID_LIMIT:
            return _id_too_long(field, text, size)
    if not EARLIEST <= reel.published_at < LATEST:
        expected = f"a time from {EARLIEST:%Y} on and before {LATEST:%Y}"
        got = reel.published_at.isoformat()
        return Fault("absurd_time", f"published_at: expected {expected}, got {got}")
    return None


def _id_too_long(field: str, text: str, size: int) -> Fault:
    got = f"{size} bytes: {_show(text)}"
    return Fault("id_too_long", f"{field}: expected at most {ID_LIMIT} bytes of UTF-8, got {got}")


def _field(message: str, value: object) -> Fault:
    """The fault behind a validation error, with the value it is about."""
    if missing := _missing.fullmatch(message):
        field = ".".join(filter(None, (missing[2], missing[1])))
        return Fault("missing_field", f"{field}: expected a value, got none")
    match = _expected.fullmatch(message)
    assert match is not None  # every group is optional
    expected, kind, field = match[1], match[2], match[3] or ""
    found = _at(value, field)
    got = f"got {_show(found)}" + (f" ({kind})" if kind else "")
    name = field or "line"
    expected = expected[:1].lower() + expected[1:].replace("`", "")
    if field in ("reel_id", "author_id") and isinstance(found, str) and found and not kind:
        return _id_too_long(field, found, len(found.encode()))
    if field == "hashtags" and not kind:
        return Fault("too_many_hashtags", f"{name}: expected at most {MAX_HASHTAGS}, {got}")
    if "RFC3339" in expected or "timezone" in expected:
        return Fault("invalid_time", f"{name}: expected an RFC 3339 time with an offset, {got}")
    return Fault("wrong_type" if kind else "invalid_value", f"{name}: {expected}, {got}")


def _at(value: object, path: str) -> object:
    """The value at a path such as `audio.audio_id` or `hashtags[3]`."""
    for step in _step.findall(path):
        if isinstance(value, dict):
            value = value.get(step, msgspec.UNSET)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return msgspec.UNSET
    return value


def _show(value: object) -> str:
    """A value, shortened and escaped."""
    match value:
        case str() | bytes():
            text = repr(value[:_SHOWN])  # escapes what does not print
            return text if len(value) <= _SHOWN >= len(text) - 2 else text[:_SHOWN] + "…"
        case list() | dict():
            return f"{'an array' if isinstance(value, list) else 'an object'} of {len(value)}"
        case int() if value.bit_length() > 64:
            return f"an integer of {value.bit_length()} bits"
        case msgspec.UNSET:
            return "what cannot be shown"
        case _:
            return msgspec.json.encode(value).decode()
