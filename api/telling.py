"""Routes of what is told: new revisions to readers, and by people what they think of trends."""

from datetime import UTC, datetime
from typing import Any, Final

import msgspec
from fastapi import APIRouter, HTTPException, Request, Response

from api import described
from api.answers import Wanted, as_json, body_of, reading
from api.feedback import FeedbackError
from api.guard import COOKIE, Guard
from api.hub import RESET, TooManyError
from api.items import View
from api.names import Name, add
from api.radar import Radar
from api.stream import EventStream
from schemas.feedback import Said

SIX_DAYS_S: Final = 6 * 86_400


class Key(msgspec.Struct, forbid_unknown_fields=True):
    """What opens the page."""

    key: str


def _takes(struct: type[msgspec.Struct], example: object) -> dict[str, Any]:
    """What OpenAPI says of a body."""
    schema = msgspec.json.schema_components([struct])[1][struct.__name__]
    content = {"application/json": {"schema": schema, "example": example}}
    return {"requestBody": {"required": True, "content": content}}


def routes(radar: Radar, guard: Guard) -> APIRouter:
    """The routes of one radar."""
    router = APIRouter()

    @router.get(
        "/stream",
        response_class=Response,
        summary="Each new revision as it is told",
        description="Server-sent events: `trend`, whose data is a line of `trends.v1` (`full`) or "
        "what a list shows (`brief`); `reset`: more happened than is kept, look at the list again. "
        "`Last-Event-ID` goes on after an event; what is of the same event time may come again.",
        responses={
            200: {
                "description": "Events without an end.",
                "content": {
                    "text/event-stream": {
                        "schema": {"type": "string"},
                        "example": "id: 1767622200000000.3.01KEB2XB80Y2HHF59AM4A2G21Y\n"
                        'event: trend\ndata: {"trend_id":"01KEB2XB80Y2HHF59AM4A2G21Y"}\n\n',
                    }
                },
            },
            **described.wrong(503),
        },
    )
    async def stream(request: Request, wanted: Wanted, view: View = "full") -> Response:
        last = request.headers.get("last-event-id", "")
        place, before = None, list[bytes]()
        if last:
            place = radar.hub.place(last)
            if place is None:
                now = radar.hub.place_now
                missed = await reading(radar, lambda: radar.missed(last, wanted, view))
                before, place = [RESET] if missed is None else missed, now
        try:
            chunks = radar.hub.read(wanted, view, radar.options.heartbeat_s, place, before)
        except TooManyError:
            raise HTTPException(503, "too many readers", {"retry-after": "30"}) from None
        return EventStream(chunks)

    @router.post(
        "/feedback",
        status_code=201,
        summary="Say that a trend is real or noise",
        description="Kept in a file; the last word of each person counts, `none` takes it back. "
        "A run whose setting `feedback` names the file learns from it. `at` and `event_time`, how "
        "far the stream is, are set here.",
        openapi_extra=_takes(Said, described.SAID),
        responses={
            201: described.answer("What is said of it now.", {"real": 2, "noise": 0}),
            **described.wrong(404, 507),
            415: {"description": "The body is not said to be JSON."},
            422: {"description": "The body is no feedback."},
        },
    )
    async def feedback(request: Request) -> Response:
        said = await body_of(request, Said)
        if said.trend_id not in radar.board.items:
            raise HTTPException(404, "there is no trend of this id")
        said = msgspec.structs.replace(said, at=datetime.now(UTC), event_time=radar.newest)
        try:
            verdicts = await reading(radar, lambda: radar.feedback.add(said))
        except FeedbackError as error:
            raise HTTPException(507, str(error)) from None
        return as_json(verdicts, 201)

    @router.post(
        "/names",
        status_code=201,
        summary="Call a trend something else",
        description="Shown in place of its own name, and before one by a model; an empty name "
        "takes it back. Lines of `trends.v1` stay as they are.",
        openapi_extra=_takes(Name, described.NAMED),
        responses={
            201: described.answer("The name.", described.NAMED),
            **described.wrong(404, 507),
            415: {"description": "The body is not said to be JSON."},
            422: {"description": "The body is no name."},
        },
    )
    async def rename(request: Request) -> Response:
        given = await body_of(request, Name)
        name = msgspec.structs.replace(given, by="person", of="", at=datetime.now(UTC))
        path = radar.options.names
        if name.trend_id not in radar.board.items:
            raise HTTPException(404, "there is no trend of this id")
        if path is None:
            raise HTTPException(507, "there is no file for names: set serve_names")
        try:
            await reading(radar, lambda: add(path, name))
        except OSError as error:
            raise HTTPException(507, f"{path}: {error.strerror}") from None
        return as_json(name, 201)

    @router.get(
        "/feedback",
        summary="What people say of trends",
        responses={
            200: described.answer(
                "The sums, by trend.", {"items": {"01KEB2": {"real": 2, "noise": 0}}}
            ),
            **described.wrong(),
        },
    )
    async def verdicts() -> Response:
        return as_json({"items": radar.feedback.sums()})

    @router.post("/session", status_code=204, include_in_schema=False)
    async def session(request: Request) -> Response:
        key = (await body_of(request, Key)).key
        if not guard.opens(key):
            raise HTTPException(401, "not a key of this radar")
        response = Response(status_code=204)
        response.set_cookie(
            COOKIE, key, max_age=SIX_DAYS_S, httponly=True, samesite="strict", path="/",
            secure=request.url.scheme == "https",
        )  # fmt: skip
        return response

    return router
