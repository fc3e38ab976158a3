"""One request to one receiver, and what its answer means."""

import base64
import hashlib
import hmac
import logging
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Final

import msgspec

from operators.alerts.messages import body, line
from operators.alerts.outbox import Message
from operators.alerts.rules import Address, Receiver, RulesError

if TYPE_CHECKING:
    import httpx

INSTALL: Final = "pip install 'groundswell[alerts]'"
MOST_ANSWER: Final = 4096
"""Bytes of an answer that are looked at."""
LONGEST_WAIT_S: Final = 3600.0
"""What a receiver may ask us to wait at most."""
PASSING: Final = (408, 425, 429)
"""Codes below 500 after which it is tried again."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one attempt."""

    taken: bool
    again: bool = False
    """Whether it makes sense to try again."""
    after_s: float = 0.0
    """How long the receiver wants to be left alone, s."""
    said: str = ""
    """What is wrong, without anything secret."""


class Delivery:
    """The connection to a receiver, by the proxy of the environment if any; used by one thread.

    Raises `RulesError` where httpx is not installed.
    """

    def __init__(self, name: str, receiver: Receiver, address: Address, link: str) -> None:
        self._name = name
        self._receiver = receiver
        self._address = address
        self._link = link
        self._client = _client(receiver.timeout_seconds)

    def __call__(self, message: Message) -> Outcome:
        """Send a message. Nothing that a receiver does makes it raise."""
        import httpx

        content = body(self._receiver, self._name, message, self._link)
        headers = {
            "Content-Type": "application/json",
            "Accept-Encoding": "identity",  # no answer grows when it is read
            "Idempotency-Key": message.key,
        }
        if self._receiver.kind in ("webhook", "alertmanager"):
            headers |= signed(message.key, content, int(time.time()), self._address.key)
        try:
            with self._client.stream(
                "POST", self._address.url, content=content, headers=headers
            ) as response:
                answer = self._beginning(response)
                return self._outcome(response.status_code, dict(response.headers), answer)
        except httpx.TimeoutException:
            said = f"no answer within {self._receiver.timeout_seconds} s"
            return Outcome(False, again=True, said=said)
        except Exception as error:  # its words may hold the address
            return Outcome(False, again=True, said=f"cannot be reached ({type(error).__name__})")

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _beginning(self, response: "httpx.Response") -> bytes:
        """The beginning of an answer, if it comes in time; the code alone says what counts."""
        import httpx

        deadline = time.monotonic() + self._receiver.timeout_seconds
        found = b""
        try:
            for part in response.iter_raw(1024):
                found += part
                if len(found) >= MOST_ANSWER or time.monotonic() > deadline:
                    break
        except httpx.HTTPError:
            pass
        return found[:MOST_ANSWER]

    def _outcome(self, code: int, headers: dict[str, str], answer: bytes) -> Outcome:
        if 200 <= code < 300:
            return Outcome(True)
        said = f"answered {code}"
        if 300 <= code < 400:
            return Outcome(False, said=f"{said}, and redirects are not followed")
        if words := self._words(answer):
            said += f" ({words})"
        after_s = max(_retry_after(headers.get("retry-after", "")), _asked_by_telegram(answer))
        again = code >= 500 or code in PASSING
        return Outcome(False, again, min(after_s, LONGEST_WAIT_S), said)

    def _words(self, answer: bytes) -> str:
        """What an answer says, if it repeats nothing of the address."""
        said = answer.decode("utf-8", "replace")
        parts = re.split("[^A-Za-z0-9_-]+", self._address.url)
        return "" if any(len(part) > 5 and part in said for part in parts) else line(said, 100)


def signed(key: str, content: bytes, now_s: int, secret: bytes | None) -> dict[str, str]:
    """The headers of Standard Webhooks: id, time and, with a secret, the signature of both and all.

    >>> secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    >>> content = b'{"test": 2432232314}'
    >>> signed("msg_p5jXN8AQM9LWM0D4loKWxJek", content, 1614265330, secret)["webhook-signature"]
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    headers = {"webhook-id": key, "webhook-timestamp": str(now_s)}
    if secret is not None:
        digest = hmac.digest(secret, b"%s.%d." % (key.encode(), now_s) + content, hashlib.sha256)
        headers["webhook-signature"] = f"v1,{base64.b64encode(digest).decode()}"
    return headers


def _client(timeout_s: int) -> "httpx.Client":
    try:
        import httpx
    except ImportError:
        raise RulesError(f"alert_rules: httpx is not installed; {INSTALL}") from None
    for name in ("httpx", "httpcore"):  # they would write addresses down, with their tokens
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.Client(
        timeout=timeout_s,
        follow_redirects=False,
        limits=httpx.Limits(max_connections=1, max_keepalive_connections=1),
        headers={"User-Agent": "groundswell"},
    )


def _retry_after(said: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> float:
    """Seconds that a Retry-After asks for, a number or a date; 0 where it is neither."""
    if said.strip().isdecimal():
        return float(said.strip()[:9])
    try:
        asked = parsedate_to_datetime(said)
    except (ValueError, TypeError, OverflowError):
        return 0.0
    if asked.tzinfo is None:
        asked = asked.replace(tzinfo=UTC)
    return max(0.0, (asked - now()).total_seconds())


class _Parameters(msgspec.Struct):
    retry_after: int = 0


class _Refusal(msgspec.Struct):
    parameters: _Parameters = msgspec.field(default_factory=_Parameters)


def _asked_by_telegram(answer: bytes) -> float:
    """Seconds that a bot is to wait, as its answer says."""
    try:
        return float(max(0, msgspec.json.decode(answer, type=_Refusal).parameters.retry_after))
    except (msgspec.DecodeError, OverflowError):
        return 0.0
