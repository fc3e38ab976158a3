"""The radar as a web application: the API, the page, and what stands before both."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import msgspec
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.openapi.utils import get_openapi

from api import described, details, lists, page, telling
from api.guard import Guard
from api.radar import Radar
from api.stream import Receive, Scope, Send

SUMMARY = "Which sounds, hashtags and phrases of short videos are taking off."


class Application:
    """An ASGI application for one radar; `radar` is closed with it."""

    def __init__(self, radar: Radar, version: str) -> None:
        self.radar = radar
        self.api = _api(radar, version)
        options = radar.options
        self._guard = Guard(self.api, options.hosts, options.keys, options.rate)
        for router in (
            lists.routes(radar),
            details.routes(radar),
            telling.routes(radar, self._guard),
        ):
            self.api.include_router(router, prefix="/v1")
        _pages(self.api, radar)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        await self._guard(scope, receive, send)


def _api(radar: Radar, version: str) -> FastAPI:
    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        await radar.start()
        fresh = asyncio.create_task(radar.keep_fresh())
        try:
            yield
        finally:
            radar.hub.close()
            fresh.cancel()
            with suppress(asyncio.CancelledError):
                await fresh
            radar.close()

    app = FastAPI(
        title="Groundswell",
        summary=SUMMARY,
        version=version,
        lifespan=life,
        docs_url=None,  # these pages load scripts from elsewhere
        redoc_url=None,
        openapi_url=None,
    )

    @app.get("/openapi.json", include_in_schema=False)
    async def openapi() -> Response:
        found = get_openapi(title=app.title, version=version, summary=SUMMARY, routes=app.routes)
        found.setdefault("components", {}).setdefault("schemas", {}).update(described.schemas())
        return Response(msgspec.json.encode(found), media_type="application/json")

    @app.get(
        "/healthz",
        summary="Whether the store can be read",
        responses={
            200: described.answer("It can.", {"status": "ok", "trends": 13, "streams": 2}),
            503: described.answer("It cannot, and why.", {"status": "trends.db: cannot be read"}),
        },
    )
    async def healthz() -> Response:
        body = {
            "status": radar.trouble or "ok",
            "store": radar.reader.name,
            "trends": len(radar.board.items),
            "streams": radar.hub.readers,
            "refused": radar.board.refused,
        }
        status = 503 if radar.trouble else 200
        return Response(msgspec.json.encode(body), status, media_type="application/json")

    return app


def _pages(app: FastAPI, radar: Radar) -> None:
    files = page.files()

    @app.api_route("/{name:path}", methods=["GET", "HEAD"], include_in_schema=False)
    async def static(request: Request, name: str) -> Response:
        found = files.get(name or "index.html")
        if found is None:
            raise HTTPException(404, "there is no such page")
        headers = {"etag": found.tag, "cache-control": found.caching}
        if found.tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        body, zipped = found.body, "gzip" in request.headers.get("accept-encoding", "")
        headers["vary"] = "accept-encoding"
        if zipped:
            body, headers["content-encoding"] = found.zipped, "gzip"
        return Response(body, media_type=found.kind, headers=headers)
