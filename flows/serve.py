"""`groundswell serve`: the radar over a store, as the settings say."""

import ipaddress
import sys
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from flows.errors import UserError
from flows.plain import plain
from flows.settings import Settings, keys_of, load

if TYPE_CHECKING:
    from api.radar import Options
    from api.reader import Reader

INSTALL: Final = "pip install 'groundswell[serve]'"
POSTGRES: Final = "pip install 'groundswell[postgres]'"
DEFAULT: Final = Path("trends.db")


def serve(store: Path | None, port: int | None, console: Console, *, any_port: bool = False) -> int:
    """Serve until SIGINT or SIGTERM.

    Args:
        store: of SQLite; None: the database of the settings, else `trends.db`.
        port: None: that of the settings.
        console: gets the address.
        any_port: take another port where that one is taken.

    Raises:
        UserError: what is served cannot be, or not there.
    """
    try:
        from api import server
    except ImportError as error:
        raise UserError(f"serve: {error.name} is not installed; {INSTALL}") from None
    from api.radar import Radar

    settings = load(serve_port=port)
    host = settings.serve_host
    reader, options = opened(store, settings)
    try:
        at = server.listen(host, settings.serve_port)
    except server.ListenError as error:
        if not any_port:
            reader.close()
            raise UserError(f"serve: {error}; --port names another port") from None
        at = server.listen(host, 0)
    if not options.keys and not _is_loopback(host):
        print(f"groundswell: {host}: anyone may read it; serve_keys is not set", file=sys.stderr)
    with at:
        number = at.getsockname()[1]
        shown = f"[{host}]" if ":" in host else host

        def ready() -> None:
            _say(console, f"Radar: http://{shown}:{number}/  (Ctrl-C ends it)")
            if reader.mark() is None:
                _say(console, f"{plain(reader.name)} is not there yet; a run or replay makes it")

        server.serve(Radar(reader, options), version("groundswell"), at, ready)
    return 0


def opened(store: Path | None, settings: Settings) -> "tuple[Reader, Options]":
    """The store that is read, and how it is served. Raises `UserError`."""
    from api.radar import Options
    from api.reader import StoreError

    feedback = Path(settings.serve_feedback) if settings.serve_feedback else None
    names = Path(settings.serve_names) if settings.serve_names else None
    reader: Reader
    if store is None and settings.database_url:
        try:
            from api.postgres import PostgresReader
        except ImportError as error:
            raise UserError(f"database_url: {error.name} is not installed; {POSTGRES}") from None

        reader = PostgresReader(settings.database_url.get_secret_value())
    else:
        from api.sqlite import SqliteReader

        path = store or DEFAULT
        if not path.parent.is_dir():
            raise UserError(f"{path}: the folder {path.parent} does not exist")
        feedback = feedback or path.with_name(f"{path.name}.feedback.jsonl")
        names = names or path.with_name(f"{path.name}.names.jsonl")
        reader = SqliteReader(path)
    try:
        reader.mark()
    except StoreError as error:
        reader.close()
        raise UserError(plain(str(error))) from None
    return reader, Options(
        trends=settings.serve_trends,
        events=settings.serve_events,
        streams=settings.serve_streams,
        poll_s=settings.serve_poll_seconds,
        heartbeat_s=settings.serve_heartbeat_seconds,
        feedback=feedback,
        names=names,
        keys=keys_of(settings.serve_keys),
        rate=settings.serve_rate,
        hosts=_names(settings),
        reel_url=settings.serve_reel_url,
    )


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _names(settings: Settings) -> frozenset[str]:
    """Names under which the radar is asked for; none: any."""
    from api.guard import LOOPBACK

    given = {name.strip().casefold() for name in settings.serve_hosts.split(",") if name.strip()}
    if _is_loopback(settings.serve_host):
        return LOOPBACK | given | {settings.serve_host.casefold()}
    return frozenset(given)
