"""Routes of lists: trends, their sums above all lists, and tables for other programs."""

from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request, Response

from api import described
from api.answers import CACHING, Wanted, matches, reading
from api.export import NotInstalledError, csv_of, parquet_of
from api.items import Item, Order, View, cursor_of, key_at
from api.radar import Radar

MAX_PAGE: Final = 500


def routes(radar: Radar) -> APIRouter:
    """The routes of one radar."""
    router = APIRouter()

    @router.get(
        "/trends",
        summary="Trends as they are now",
        responses={
            200: described.answer("A page of trends.", described.PAGE, described.ref("Page")),
            304: {"description": "Nothing has changed since the answer with this `ETag`."},
            **described.wrong(400, 503),
        },
    )
    async def trends(
        request: Request,
        wanted: Wanted,
        sort: Annotated[
            Order, Query(description="Descending. `rising`: what rises first, then by score.")
        ] = "rising",
        cursor: Annotated[str, Query(max_length=1000, description="`next` of a page.")] = "",
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
        view: Annotated[
            View, Query(description="`full`: lines of trends.v1; `brief`: what a list shows.")
        ] = "full",
    ) -> Response:
        board = radar.board
        headers = {"etag": board.tag, "cache-control": CACHING}
        if matches(request.headers.get("if-none-match", ""), board.tag):
            return Response(status_code=304, headers=headers)
        try:
            after = key_at(sort, cursor) if cursor else None
        except ValueError as error:
            raise HTTPException(400, str(error)) from None
        items, last = board.page(wanted, sort, after, limit)
        following = b"null" if last is None else msgspec.json.encode(cursor_of(sort, last))
        if view == "brief":
            bodies = [item.brief for item in items]
        else:
            bodies = await reading(radar, lambda: _bodies(radar, items))
        body = b'{"items":[' + b",".join(bodies) + b'],"next":' + following + b"}"
        return Response(body, media_type="application/json", headers=headers)

    @router.get(
        "/overview",
        summary="What stands above all lists",
        description="How many trends of which stage, alerts a day, what people say of them, and "
        "how fresh the store is.",
        responses={200: described.answer("The sums.", {"trends": 13}), **described.wrong()},
    )
    async def overview() -> Response:
        return Response(
            radar.overview(), media_type="application/json", headers={"cache-control": "no-cache"}
        )

    @router.get(
        "/export.{form}",
        response_class=Response,
        summary="All trends that are wanted, as a table",
        responses={
            200: {
                "description": "The table.",
                "content": {"text/csv": {}, "application/vnd.apache.parquet": {}},
            },
            **described.wrong(404, 501),
        },
    )
    async def export(form: str, wanted: Wanted, sort: Order = "rising") -> Response:
        writers = {
            "csv": (csv_of, "text/csv; charset=utf-8"),
            "parquet": (parquet_of, "application/vnd.apache.parquet"),
        }
        if form not in writers:
            raise HTTPException(404, "expected export.csv or export.parquet")
        items, _ = radar.board.page(wanted, sort, None, radar.options.trends)
        write, kind = writers[form]
        try:
            body = await reading(radar, lambda: write(items))
        except NotInstalledError as error:
            raise HTTPException(501, str(error)) from None
        headers = {"content-disposition": f'attachment; filename="trends.{form}"'}
        return Response(body, headers={**headers, "content-type": kind})

    return router


def _bodies(radar: Radar, items: list[Item]) -> list[bytes]:
    """The newest revisions of trends, in their order; of those that are still there."""
    told = radar.reader.told([item.trend_id for item in items])
    bodies = {msgspec.json.decode(one.body, type=Id).trend_id: one.body for one in told}
    return [bodies[item.trend_id] for item in items if item.trend_id in bodies]


class Id(msgspec.Struct):
    """The id in a line of `trends.v1`."""

    trend_id: str
