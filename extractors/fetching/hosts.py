"""How often a host is asked: not too often at once, not before it wants, not while it is dead."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from extractors.fetching.errors import FetchError

MOST_HOSTS: Final = 10_000
"""Hosts that are remembered; of those nobody asks just now the oldest are forgotten."""
IN_A_ROW: Final = 5
"""Failures after which a host rests."""
REST_S: Final = 60.0
LONGEST_S: Final = 3600.0
"""How long a host may send us away at most."""

_DEAD: Final = frozenset(("unreachable", "slow", "unresolved"))
"""What says that a host is dead."""


@dataclass(slots=True)
class Host:
    """One host; times are those of `now`."""

    free: asyncio.Semaphore
    asked: int = 0
    """How many ask it or wait for that."""
    failures: int = 0
    not_before: float = 0.0
    rests_until: float = 0.0


@dataclass
class Hosts:
    """All hosts that were asked lately.

    `wait_s`: so long a host that sent us away is waited for; beyond, it is not asked.
    """

    per_host: int
    at_once: int
    wait_s: float
    now: Callable[[], float] = time.monotonic
    _hosts: dict[str, Host] = field(default_factory=dict)
    _free: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._free = asyncio.Semaphore(self.at_once)

    @asynccontextmanager
    async def asking(self, name: str) -> AsyncIterator[None]:
        """Ask a host within. Raises `FetchError` where it is not to be asked now."""
        host = self._host(name)
        host.asked += 1
        try:
            async with host.free:
                await self._may_ask(name, host)
                async with self._free:
                    try:
                        yield
                    except FetchError as error:
                        self._failed(host, error.kind)
                        raise
                    except TimeoutError:
                        self._failed(host, "slow")
                        raise
                    host.failures = 0
        finally:
            host.asked -= 1

    def later(self, name: str, seconds: float) -> None:
        """Do not ask a host for so long, as it said."""
        host = self._host(name)
        host.not_before = max(host.not_before, self.now() + min(seconds, LONGEST_S))

    async def _may_ask(self, name: str, host: Host) -> None:
        if host.rests_until > self.now():
            raise FetchError("unreachable", f"{name}: failed {IN_A_ROW} times in a row; it rests")
        wait = host.not_before - self.now()
        if wait > self.wait_s:
            raise FetchError("busy", f"{name}: wants to be asked in {wait:.0f} s")
        if wait > 0:
            await asyncio.sleep(wait)

    def _failed(self, host: Host, kind: str) -> None:
        if kind not in _DEAD:
            host.failures = 0
            return
        host.failures += 1
        if host.failures >= IN_A_ROW:
            host.rests_until = self.now() + REST_S

    def _host(self, name: str) -> Host:
        host = self._hosts.pop(name, None) or Host(asyncio.Semaphore(self.per_host))
        self._hosts[name] = host
        if len(self._hosts) > MOST_HOSTS:
            idle = next((one for one, found in self._hosts.items() if not found.asked), None)
            if idle is not None:
                del self._hosts[idle]
        return host
