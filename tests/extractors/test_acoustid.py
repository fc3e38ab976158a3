"""Titles come from a service like AcoustID, and nothing depends on it."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from extractors.acoustid import AcoustId, Titled
from extractors.media import Failed
from tests.extractors.servers import Handler, Site, answer, says, serving

FOUND = {
    "status": "ok",
    "results": [
        {"score": 0.5, "id": "a", "recordings": [{"title": "Another"}]},
        {
            "score": 0.97,
            "id": "b",
            "recordings": [
                {"id": "x"},
                {
                    "id": "y",
                    "title": "Drop",
                    "artists": [{"name": "Ann", "joinphrase": " & "}, {"name": "Bo"}],
                },
            ],
        },
    ],
}


def asked(handler: Handler, ask: Callable[[Site, AcoustId], Awaitable[None]]) -> None:
    async def run() -> None:
        async with serving(handler) as site:
            titles = AcoustId("key", f"http://127.0.0.1:{site.port}/lookup", pause_s=0)
            try:
                await ask(site, titles)
            finally:
                await titles.close()

    asyncio.run(run())


def test_the_surest_result_says_title_and_artist_and_is_remembered() -> None:
    async def ask(site: Site, titles: AcoustId) -> None:
        for _ in range(2):
            assert await titles.titled("AQAA", 12.4) == Titled("Drop", "Ann & Bo")
        assert len(site.asked) == 1
        assert parse_qs(site.bodies[0].decode()) == {
            "client": ["key"],
            "format": ["json"],
            "meta": ["recordings"],
            "duration": ["12"],
            "fingerprint": ["AQAA"],
        }

    asked(says(lookup=answer(json.dumps(FOUND).encode(), kind="application/json")), ask)


def test_what_is_not_known_has_no_title() -> None:
    async def ask(site: Site, titles: AcoustId) -> None:
        assert await titles.titled("AQAA", 12) == Titled()

    asked(says(lookup=answer(b'{"status": "ok", "results": []}')), ask)


def test_a_service_that_fails_is_left_alone_after_a_while() -> None:
    for body in (answer(b"oh", "500 No"), answer(b"[1]"), answer(b"x" * 300_000), b"no"):

        async def ask(site: Site, titles: AcoustId) -> None:
            for i in range(9):
                found = await titles.titled(f"AQAA{i}", 12)
                assert isinstance(found, Failed)
                assert found.error == "acoustid"
            assert len(site.asked) == 5

        asked(says(lookup=body), ask)
