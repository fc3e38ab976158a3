"""What people say of alerts: the lines of the file that the radar keeps and a run learns from."""

from typing import Annotated, Final, Literal

import msgspec

from schemas.base import MAX_COUNT, Time

MAX_LINE: Final = 8_192
MAX_BYTES: Final = 64 << 20
"""Of the file."""

Verdict = Literal["real", "noise", "none"]


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One word of one person on one trend."""

    trend_id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    verdict: Verdict
    """`none` takes back what was said before."""
    by: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """Who says so: any name that stays the same."""
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""
    revision: Annotated[int, msgspec.Meta(ge=1, le=MAX_COUNT)] | None = None
    """The revision that was looked at."""
    at: Time | None = None
    """When; the server sets it."""
    event_time: Time | None = None
    """How far the stream was then: the newest event time in the store. The server sets it."""
