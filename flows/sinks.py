"""The services that trends go to, as the settings name them."""

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bytewax.outputs import Sink

from flows.settings import Settings
from operators.durable.durable import Place
from operators.durable.fence import Fence
from operators.links import Linked
from schemas.trends import Trend

if TYPE_CHECKING:
    from operators.sinks.redis import History, Keeping


def configured(
    settings: Settings, place: Place | None = None, store: Path | None = None
) -> tuple[list[Sink[tuple[str, Linked]]], list[Sink[tuple[str, Trend]]]]:
    """A sink for each service that is set: those that take links too, and the others.

    `place` is that of the state, whose fence they stand behind. `store` is a SQLite store that the
    run writes too: Redis is filled from the database or from it where it has lost what it had.
    """

    def fence() -> Fence | None:
        return place.fence() if place else None

    stores: list[Sink[tuple[str, Linked]]] = []
    sinks: list[Sink[tuple[str, Trend]]] = []
    if settings.database_url:
        from operators.sinks.postgres import PostgresSink

        url = settings.database_url.get_secret_value()
        stores.append(PostgresSink(url, fence(), settings.sink_wait_seconds))
    if settings.redis_url:
        from operators.sinks.redis import RedisSink

        sinks.append(
            RedisSink(
                settings.redis_url.get_secret_value(),
                keeping(settings),
                fence(),
                settings.sink_wait_seconds,
                history(settings, store),
            )
        )
    return stores, sinks


def keeping(settings: Settings) -> "Keeping":
    """What is kept in Redis."""
    from operators.sinks.redis import Keeping

    return Keeping(settings.redis_prefix, settings.redis_stream_length, settings.redis_expiry_hours)


def history(settings: Settings, store: Path | None) -> "History | None":
    """Where revisions can be read again: the database, or a SQLite store; None: nowhere."""
    if settings.database_url:
        from operators.sinks.postgres import revisions

        return partial(revisions, settings.database_url.get_secret_value())
    if store is not None:
        from operators.sinks.store import revisions as of_store

        return partial(of_store, store)
    return None


def check(settings: Settings) -> None:
    """Say before a run starts what is wrong with a service that is set. Raises `OutputError`."""
    if settings.database_url:
        from operators.sinks import postgres

        postgres.check(settings.database_url.get_secret_value())
    if settings.redis_url:
        from operators.sinks import redis

        redis.check(settings.redis_url.get_secret_value(), settings.redis_prefix)
