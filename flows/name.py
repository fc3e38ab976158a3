"""`groundswell name`: has a language model name the trends of a store, beside everything else.

It reads the store and writes a file of names, so a server that is slow, wrong or away delays
nothing. What rises is named first. After failures in a row it asks no more for a while, each time
twice as long; in an hour it asks `name_requests` times at most.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from api.board import Board
from api.items import Filter, Item
from api.names import Names, add
from api.reader import StoreError
from flows.errors import UserError
from flows.naming import AnswerError, digest_of, name_in, request_of
from flows.plain import plain
from flows.serve import opened
from flows.settings import Settings, load
from schemas.trends import Trend, decode

log = logging.getLogger(__name__)

INSTALL: Final = "pip install 'groundswell[names]'"
LOOK_S: Final = 2.0
HOUR_S: Final = 3600.0
IN_A_ROW: Final = 3
"""Failures after which it pauses."""
PAUSE_S: Final = (30.0, 1800.0)
"""The first and the longest pause."""
TRIES: Final = 3
"""For one trend as it is; then it waits for a change of its members."""
MOST_BYTES: Final = 1 << 18
"""Of an answer."""

Ask = Callable[[dict[str, Any]], bytes]
"""Sends a request and gives the body of the answer. Raises `AnswerError`."""


@dataclass
class Breaker:
    """Whether the server may be asked; `now` is a clock in seconds."""

    per_hour: int
    now: Callable[[], float] = time.monotonic
    _asked: deque[float] = field(default_factory=deque)
    _failures: int = 0
    _until: float = 0.0

    def wait_s(self) -> float:
        """How long to wait before the next request; 0: none."""
        now = self.now()
        while self._asked and self._asked[0] <= now - HOUR_S:
            self._asked.popleft()
        full = self._asked[0] + HOUR_S - now if len(self._asked) >= self.per_hour else 0.0
        return max(self._until - now, full, 0.0)

    def asked(self, good: bool) -> None:
        """Note a request, and whether its answer could be taken."""
        now = self.now()
        self._asked.append(now)
        self._failures = 0 if good else self._failures + 1
        over = self._failures - IN_A_ROW
        if over >= 0:
            self._until = now + min(PAUSE_S[0] * 2**over, PAUSE_S[1])


@dataclass
class Namer:
    """Names what has no name yet. `ask`: the server."""

    board: Board
    path: Path
    ask: Ask
    breaker: Breaker
    model: str
    language: str
    named: int = 0
    _tries: dict[tuple[str, str], int] = field(default_factory=dict)
    _checked: dict[str, int] = field(default_factory=dict)
    """Revisions whose names are those of their members."""

    def look(self) -> None:
        """Look at the store. Raises `StoreError`."""
        look = self.board.look(telling=False)
        if look is not None:
            self.board.take(look)
            there = self.board.items
            self._tries = {key: tries for key, tries in self._tries.items() if key[0] in there}
            self._checked = {key: one for key, one in self._checked.items() if key in there}

    def step(self, read: Callable[[str], Trend | None]) -> bool:
        """Name one trend if one is to be named and the server may be asked; whether it did ask."""
        if self.breaker.wait_s():
            return False
        for trend, digest in self._unnamed(read):
            try:
                name = name_in(self.ask(request_of(trend, self.model, self.language)), trend)
            except AnswerError as error:
                self.breaker.asked(False)
                key = trend.trend_id, digest
                self._tries[key] = self._tries.get(key, 0) + 1
                log.warning("%s: %s", trend.trend_id, plain(str(error))[:300])
                return True
            self.breaker.asked(True)
            add(self.path, msgspec.structs.replace(name, at=datetime.now(UTC)))
            self.named += 1
            self.look()
            return True
        return False

    def _unnamed(self, read: Callable[[str], Trend | None]) -> Iterator[tuple[Trend, str]]:
        """Trends that are to be named: what rises first."""
        items, _ = self.board.page(Filter(), "rising", None, len(self.board.items))
        for item in filter(_may_be_named, items):
            if item.named is not None and self._checked.get(item.trend_id) == item.revision:
                continue
            trend = read(item.trend_id)
            if trend is None:
                continue
            digest = digest_of(trend)
            if item.named is not None and item.named.of == digest:
                self._checked[item.trend_id] = item.revision
            elif self._tries.get((trend.trend_id, digest), 0) < TRIES:
                yield trend, digest


def _may_be_named(item: Item) -> bool:
    return item.named is None or item.named.by == "model"


def name(store: Path | None, once: bool) -> int:
    """Name the trends of a store until SIGINT; with `once` those that are there now.

    Raises `UserError`.
    """
    settings = load()
    if not settings.name_url or not settings.name_model:
        raise UserError("name: expected the settings name_url and name_model")
    ask = server(settings)
    reader, options = opened(store, settings)
    if options.names is None:
        raise UserError("serve_names: expected a file for names, there is no store beside it")
    board = Board(reader, options.trends, Names(options.names))
    breaker = Breaker(settings.name_requests)
    namer = Namer(board, options.names, ask, breaker, settings.name_model, settings.name_language)

    def newest(trend_id: str) -> Trend | None:
        told = reader.told([trend_id])
        return decode(told[0].body) if told else None

    try:
        while True:
            namer.look()
            while namer.step(newest):
                pass
            if once:
                break
            time.sleep(LOOK_S)
    except KeyboardInterrupt:
        pass
    except StoreError as error:
        raise UserError(plain(str(error))) from None
    finally:
        reader.close()
    print(f"{options.names}: {namer.named:,} trends named")
    return 0


def server(settings: Settings) -> Ask:
    """A server of the OpenAI kind, as the settings name it. Raises `UserError`."""
    try:
        import httpx
    except ImportError as error:
        raise UserError(f"name: {error.name} is not installed; {INSTALL}") from None
    headers = {}
    if settings.name_key:
        headers["authorization"] = f"Bearer {settings.name_key.get_secret_value()}"
    address = settings.name_url.rstrip("/") + "/chat/completions"

    def ask(body: dict[str, Any]) -> bytes:
        try:
            with (
                httpx.Client(timeout=settings.name_timeout_seconds, headers=headers) as client,
                client.stream("POST", address, json=body) as answer,
            ):
                found = b""
                for part in answer.iter_bytes():
                    found += part
                    if len(found) > MOST_BYTES:
                        raise AnswerError(f"an answer of more than {MOST_BYTES:,} bytes")
                if answer.status_code != httpx.codes.OK:
                    raise AnswerError(f"the server says {answer.status_code}")
                return found
        except httpx.HTTPError as error:
            raise AnswerError(f"{type(error).__name__}: {error}") from None

    return ask
