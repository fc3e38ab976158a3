"""What stands before every request: hosts, keys, rates, and headers that keep browsers safe.

On the loopback interface only its own names are accepted as hosts, so that no page of elsewhere
reaches the radar through a name that it points at this machine.
"""

import hashlib
import hmac
import json
import math
import time
from collections import OrderedDict
from collections.abc import Sequence
from http.cookies import CookieError, SimpleCookie
from typing import Final

from api.stream import Asgi, Message, Receive, Scope, Send

COOKIE: Final = "groundswell_key"
CLIENTS: Final = 10_000
"""Whose rates are remembered; those that were not seen longest are forgotten first."""
MAX_TARGET: Final = 8_000
"""Bytes of a path and its query."""
MAX_BODY: Final = 65_536
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), geolocation=(), microphone=()"),
]
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

Refusal = tuple[int, str, list[tuple[bytes, bytes]]]
"""Status, why, and more headers."""


class Rates:
    """A bucket of tokens for each client: `per_minute` in a minute, as many at once."""

    def __init__(self, per_minute: int) -> None:
        self._per_minute = per_minute
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait_s(self, client: str, now_s: float) -> float:
        """How long the client has to wait, in seconds; 0: it may go on."""
        left, then = self._clients.pop(client, (float(self._per_minute), now_s))
        left = min(left + (now_s - then) * self._per_minute / 60, self._per_minute)
        goes = left >= 1
        self._clients[client] = (left - goes, now_s)
        while len(self._clients) > CLIENTS:
            self._clients.popitem(last=False)
        return 0.0 if goes else (1 - left) * 60 / self._per_minute


class Keys:
    """Which keys open the API; none: it is open."""

    def __init__(self, keys: Sequence[str]) -> None:
        self._digests = [_digest(key) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._digests)

    def opens(self, key: str) -> bool:
        """Whether it is one of them, in the same time for any."""
        digest = _digest(key)
        return any([hmac.compare_digest(digest, one) for one in self._digests])  # noqa: C419


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


class Guard:
    """ASGI middleware. `hosts` empty: any host name is accepted."""

    def __init__(
        self, app: Asgi, hosts: frozenset[str], keys: Sequence[str], per_minute: int
    ) -> None:
        self._app = app
        self._hosts = hosts
        self._keys = Keys(keys)
        self._rates = Rates(per_minute) if per_minute else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def safely(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *HEADERS]
            await send(message)

        headers = {name: value.decode("latin-1") for name, value in scope["headers"]}
        refusal = self._refusal(scope, headers)
        if refusal is not None:
            await _refuse(safely, *refusal)
            return
        await self._app(scope, receive, safely)

    def _refusal(self, scope: Scope, headers: dict[bytes, str]) -> Refusal | None:
        return self._shape(scope, headers) or (
            self._right(scope, headers) if _guarded(scope["path"]) else None
        )

    def _shape(self, scope: Scope, headers: dict[bytes, str]) -> Refusal | None:
        """Why a request is refused by anyone."""
        host = headers.get(b"host", "").casefold()
        name = host.rsplit(":", 1)[0] if not host.endswith("]") else host
        if self._hosts and name not in self._hosts:
            return 421, "this host name is not served", []
        if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > MAX_TARGET:
            return 414, "the address is too long", []
        length = headers.get(b"content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY or b"transfer-encoding" in headers:
            return 413, f"a body of more than {MAX_BODY:,} bytes, or without a length", []
        return None

    def _right(self, scope: Scope, headers: dict[bytes, str]) -> Refusal | None:
        """Why a request is refused by who makes it."""
        key = _key(headers)
        known = bool(self._keys) and self._keys.opens(key)
        client = _digest(key).hex() if known else _address(scope)
        if self._rates is not None and (wait := self._rates.wait_s(client, time.monotonic())):
            return 429, "too many requests", [(b"retry-after", b"%d" % math.ceil(wait))]
        if self._keys and not known and scope["path"] != "/v1/session":
            return 401, "a key is needed", [(b"www-authenticate", b"Bearer")]
        site = headers.get(b"sec-fetch-site", "same-origin")
        if scope["method"] not in {"GET", "HEAD"} and site not in {"same-origin", "none"}:
            return 403, "not from another site", []
        return None

    def opens(self, key: str) -> bool:
        """Whether a key opens the API."""
        return not self._keys or self._keys.opens(key)


def _guarded(path: str) -> bool:
    return path.startswith("/v1/") or path == "/openapi.json"


def _key(headers: dict[bytes, str]) -> str:
    """The key of a request: a bearer token, `X-API-Key`, or the cookie of the page."""
    scheme, _, token = headers.get(b"authorization", "").partition(" ")
    if scheme.casefold() == "bearer":
        return token.strip()
    if b"x-api-key" in headers:
        return headers[b"x-api-key"]
    try:
        cookie = SimpleCookie(headers.get(b"cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie else ""


def _address(scope: Scope) -> str:
    return str((scope.get("client") or ("",))[0])


async def _refuse(send: Send, status: int, why: str, more: list[tuple[bytes, bytes]]) -> None:
    body = json.dumps({"detail": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    start = {"type": "http.response.start", "status": status, "headers": [*headers, *more]}
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})
