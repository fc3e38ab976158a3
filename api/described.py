"""What OpenAPI says of answers: their schemas, made from the contract, and examples."""

from typing import Any, Final

import msgspec

from api.feedback import Verdicts
from api.items import Brief
from schemas.trends import Trend

REF: Final = "#/components/schemas/{name}"
TREND: Final[dict[str, Any]] = {
    "trend_id": "01KEB2XB80Y2HHF59AM4A2G21Y", "revision": 3, "kind": "challenge",
    "stage": "emerging", "scopes": ["global"], "event_time": "2026-01-05T14:10:00Z",
    "started_at": "2026-01-05T09:20:00Z", "name": "#catdrop",
    "summary": "Emerging: Cat Drop, #catdrop.", "category": None, "reels": 31, "authors": 29,
    "expected": 2.4, "growth": 12.9, "velocity_per_h": 6.5, "acceleration_per_h2": 0.8,
    "score": 0.93, "q_value": 0.004,
    "members": [
        {"kind": "sound", "id": "s-1", "label": "Cat Drop", "weight": 0.6, "reels": 27},
        {"kind": "hashtag", "id": "catdrop", "label": "#catdrop", "weight": 0.4, "reels": 19},
    ],
    "examples": ["7592880027545448161"],
    "series": [{"t": "2026-01-05T13:00:00Z", "reels": 4, "expected": 0.7}],
    "forecast": [{"t": "2026-01-05T15:00:00Z", "reels": 40.0, "low": 22.0, "high": 71.0}],
    "why": "29 people used it in 3 h where 2.4 were expected; sound and hashtag rise together",
}  # fmt: skip
POINT: Final = {"t": "2026-01-05T13:00:00Z", "reels": 4, "expected": 0.7}
PAGE: Final = {"items": [TREND], "next": "WyJuZXdlc3QiLC0xLjAsIjAxSyJd"}
LIFE: Final = {
    "revision": 1, "event_time": "2026-01-05T11:00:00Z", "stage": "emerging", "reels": 14,
    "authors": 13, "expected": 1.9, "growth": 7.4, "score": 0.81, "name": "#catdrop",
    "why": "13 people used it in 3 h where 1.9 were expected",
}  # fmt: skip
DETAIL: Final[dict[str, Any]] = TREND | {
    "revisions": [LIFE],
    "links": [{
        "a_kind": "sound", "a_id": "s-1", "b_kind": "hashtag", "b_id": "catdrop", "reels": 17,
        "authors": 16, "share": 0.58, "since": "2026-01-05T09:20:00Z",
    }],
    "related": [{
        "trend_id": "01KEB2", "name": "#catfall", "stage": "peaking", "kind": "hashtag",
        "signals": 1, "examples": 0,
    }],
    "named": {"trend_id": "01KEB2XB80Y2HHF59AM4A2G21Y", "name": "Cats falling", "by": "person"},
    "feedback": {"real": 2, "noise": 0},
}  # fmt: skip
SERIES: Final = {
    "kind": "hashtag",
    "id": "catdrop",
    "series": [POINT],
    "trends": [{"trend_id": TREND["trend_id"], "name": "#catdrop", "leads": True}],
}
SAID: Final = {"trend_id": TREND["trend_id"], "verdict": "real", "by": "maria"}
NAMED: Final = {"trend_id": TREND["trend_id"], "name": "Cats falling", "category": "animals"}
ANYWHERE: Final = (401, 403, 413, 414, 421, 429)
"""What anything may be answered with, see `api.guard`."""
WRONG: Final = {"detail": "not a cursor of this list"}


def answer(what: str, example: object, schema: dict[str, Any] | None = None) -> dict[str, Any]:
    """An answer of JSON."""
    content = {"schema": schema or {"type": "object"}, "example": example}
    return {"description": what, "content": {"application/json": content}}


def wrong(*codes: int) -> dict[int | str, dict[str, Any]]:
    """The answers to what cannot be answered."""
    said = {
        400: "A cursor that is none of this list.",
        401: "A key is needed.",
        403: "It comes from another site.",
        404: "There is no such thing.",
        413: "The body is too long, or has no length.",
        414: "The address is too long.",
        421: "This host name is not served.",
        429: "Too many requests; `Retry-After` says when to come again.",
        501: "A package that it needs is not installed.",
        503: "The store cannot be read, or there are too many readers.",
        507: "There is no room for it.",
    }
    return {code: answer(said[code], WRONG) for code in sorted({*codes, *ANYWHERE})}


def ref(name: str) -> dict[str, Any]:
    """A schema by its name."""
    return {"$ref": REF.format(name=name)}


def schemas() -> dict[str, Any]:
    """The schemas of what is answered, by name."""
    _, components = msgspec.json.schema_components([Trend, Brief, Verdicts], ref_template=REF)
    items = {"oneOf": [ref("Trend"), ref("Brief")]}
    page = {
        "type": "object",
        "required": ["items", "next"],
        "properties": {
            "items": {"type": "array", "items": items},
            "next": {"type": ["string", "null"], "description": "Cursor of the next page."},
        },
    }
    return {**components, "Page": page}
