"""Routes of one thing: a trend with all that is known of it, the hours of a signal."""

from hashlib import blake2b
from typing import Annotated, Final

from fastapi import APIRouter, HTTPException, Path, Request, Response

from api import described
from api.answers import CACHING, as_json, matches, reading
from api.radar import Radar
from api.reader import Point
from api.whole import brief_of, detail_of, points_of
from schemas.trends import SignalKind

TrendId = Annotated[str, Path(min_length=1, max_length=256)]
MOST_TRENDS: Final = 500
"""Trends of one signal that are looked at."""


def routes(radar: Radar) -> APIRouter:
    """The routes of one radar."""
    router = APIRouter()

    @router.get(
        "/trends/{trend_id}",
        summary="All about one trend",
        description="Its newest revision, a line of `trends.v1`, whose `series` is all that is "
        "kept; with its revisions, the links of its members, and trends that share something.",
        responses={
            200: described.answer("The trend.", described.DETAIL),
            **described.wrong(404, 503),
        },
    )
    async def trend(
        request: Request, trend_id: Annotated[str, Path(min_length=1, max_length=256)]
    ) -> Response:
        def work() -> bytes | None:
            whole = radar.reader.whole(trend_id)
            return None if whole is None else detail_of(radar, whole)

        body = await reading(radar, work)
        if body is None:
            raise HTTPException(404, "there is no trend of this id")
        tag = f'W/"{blake2b(body, digest_size=8).hexdigest()}"'
        headers = {"etag": tag, "cache-control": CACHING}
        if matches(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    @router.get(
        "/signals/{kind}/{signal_id:path}/series",
        summary="Use of one signal, hour by hour",
        description="As the trends tell it that it leads; those it is only a member of are named.",
        responses={
            200: described.answer("The hours.", described.SERIES),
            **described.wrong(404, 503),
        },
    )
    async def series(
        kind: SignalKind, signal_id: Annotated[str, Path(min_length=1, max_length=1024)]
    ) -> Response:
        signal = (kind, signal_id)
        having = [item for item in radar.board.items.values() if signal in item.signals]
        if not having:
            raise HTTPException(404, "no trend has this signal")
        having.sort(key=lambda item: (item.event_us, item.trend_id))
        leading = [item for item in having if item.leading == signal]

        def work() -> list[Point]:
            found: dict[int, Point] = {}
            for item in leading[-MOST_TRENDS:]:
                found |= {point.t_us: point for point in radar.reader.series(item.trend_id)}
            return [found[t] for t in sorted(found)]

        points = await reading(radar, work)
        named = [
            {"trend_id": item.trend_id, "name": brief_of(item)["name"], "leads": item in leading}
            for item in reversed(having)
        ]
        body = {"kind": kind, "id": signal_id, "series": points_of(points), "trends": named}
        return as_json(body)

    return router
