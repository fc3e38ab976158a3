"""What the routes share: which trends are wanted, waiting for the store, and forms of answers."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, TypeVar

import msgspec
from fastapi import Depends, HTTPException, Query, Request, Response

from api.items import Filter, microseconds, words_of
from api.radar import Radar
from api.reader import StoreError
from schemas.trends import Stage, TrendKind

T = TypeVar("T")
CACHING = "private, no-cache"

Several = Query(max_length=50)


def filter_of(
    kind: Annotated[list[TrendKind], Several] = [],  # noqa: B006
    stage: Annotated[list[Stage], Several] = [],  # noqa: B006
    scope: Annotated[
        list[Annotated[str, Query(max_length=300)]],
        Query(max_length=50, description="`global`, `region:…` or `language:…`; any of them."),
    ] = [],  # noqa: B006
    since: Annotated[
        datetime | None, Query(description="Told at or after it; UTC where nothing else is said.")
    ] = None,
    until: Annotated[datetime | None, Query(description="Begun before it.")] = None,
    q: Annotated[
        str, Query(max_length=200, description="Words, all of which are in names or members.")
    ] = "",
) -> Filter:
    """Which trends are wanted."""
    return Filter(
        frozenset(kind),
        frozenset(stage),
        frozenset(scope),
        _microseconds(since),
        _microseconds(until),
        words_of(q),
    )


Wanted = Annotated[Filter, Depends(filter_of)]


async def reading(radar: Radar, work: Callable[[], T]) -> T:
    """What `work` reads from the store, in a thread; 503 where the store cannot be read."""
    try:
        return await radar.reading(work)
    except StoreError as error:
        raise HTTPException(503, str(error)) from None


async def body_of(request: Request, kind: type[T]) -> T:
    """The body of a request, as JSON of one kind."""
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise HTTPException(415, "expected application/json")
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise HTTPException(422, str(error)) from None


def matches(given: str, tag: str) -> bool:
    """Whether `If-None-Match` names the tag."""
    return tag in (one.strip() for one in given.split(","))


def as_json(value: object, status: int = 200) -> Response:
    """An answer made now."""
    return Response(
        msgspec.json.encode(value),
        status,
        media_type="application/json",
        headers={"cache-control": CACHING},
    )


def _microseconds(time: datetime | None) -> int | None:
    """A time of a request; one without an offset is UTC."""
    if time is None:
        return None
    return microseconds(time.replace(tzinfo=UTC) if time.tzinfo is None else time)
