"""Which hosts may be asked: those of which every address is anybody's to ask.

A name is resolved once, and what was looked at is what is dialled, so that no second answer of a
name server can lead elsewhere. An IPv6 address that holds an IPv4 one (mapped, compatible, 6to4,
Teredo, NAT64) is refused, for it leads to where we do not look.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from extractors.fetching.errors import FetchError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Lookup = Callable[[str, int], Awaitable[Sequence[str]]]
"""Returns the addresses of a host. Raises OSError."""

_HOLD_OTHERS: Final = tuple(
    ipaddress.ip_network(text)
    for text in (
        "::/96",  # IPv4-compatible
        "::ffff:0:0/96",  # IPv4-mapped
        "::ffff:0:0:0/96",  # translated
        "64:ff9b::/96",  # NAT64
        "64:ff9b:1::/48",  # NAT64 of one's own
        "2001::/32",  # Teredo
        "2002::/16",  # 6to4
    )
)


def networks(text: str) -> tuple[Network, ...]:
    """Return the networks of a list with commas. Raises ValueError.

    >>> networks("127.0.0.0/8, ::1")
    (IPv4Network('127.0.0.0/8'), IPv6Network('::1/128'))
    """
    return tuple(ipaddress.ip_network(one.strip()) for one in text.split(",") if one.strip())


def is_public(text: str, allowed: Iterable[Network] = ()) -> bool:
    """Whether an address is anybody's, or in a network that is allowed all the same.

    >>> [is_public(one) for one in ("93.184.216.34", "10.0.0.1", "::ffff:1.1.1.1", "fe80::1%eth0")]
    [True, False, False, False]
    >>> is_public("127.0.0.1", networks("127.0.0.0/8"))
    True
    """
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if any(address in network for network in allowed):
        return True
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    return not any(address in network for network in _HOLD_OTHERS)


class System:
    """Asks the system, in threads of its own: a name server that hangs holds up nothing else."""

    def __init__(self, at_once: int) -> None:
        self._threads = ThreadPoolExecutor(at_once, "resolve")

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a host. Raises OSError."""
        ask = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await asyncio.get_running_loop().run_in_executor(self._threads, ask)
        return [str(one[4][0]) for one in found]

    def close(self) -> None:
        """Ask nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


async def checked(host: str, port: int, allowed: Iterable[Network], lookup: Lookup) -> str:
    """Return the address to dial. Raises `FetchError` where any of the host's is not public."""
    try:
        found = await lookup(host, port)
    except (OSError, UnicodeError) as error:
        raise FetchError("unresolved", f"{host}: {error}") from None
    if not found:
        raise FetchError("unresolved", f"{host}: has no address")
    for one in found:
        if not is_public(one, allowed):
            raise FetchError("private", f"{host}: {one} is not public")
    return found[0]
