"""What a run says: lines for people, or one JSON object a line for machines.

Workers write each record of their logs as such an object, after a mark, into the file that their
output goes to; the parent process reads it there and says it as its user wants it. Secrets of the
settings never come out, and what comes from the input cannot do anything to a terminal or a parser.
"""

import io
import json
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from rich.console import Console
from rich.text import Text

from flows.plain import plain
from flows.settings import SECRETS, Settings
from flows.supervisor import NEWS

HIDDEN: Final = "(hidden)"
REPEATED_S: Final = 10.0
"""For so long the same warning is not said again: several processes see the same trouble."""
SHORTEST: Final = 3
"""Characters of the shortest secret that is looked for."""


class Log:
    """Where a run says something. `form` is the setting `log_format`.

    With JSON `console` leads nowhere, so that what is drawn for people is not.
    """

    def __init__(self, console: Console, form: str, settings: Settings) -> None:
        self.is_json = form == "json"
        self.console = Console(file=_Nowhere()) if self.is_json else console
        self._secrets = secrets_of(settings)
        self._warned: dict[str, float] = {}

    def say(self, event: str, text: str, level: str = "info", **fields: object) -> None:
        """Say that something happened, in words, and for machines with more fields."""
        if level == "warning" and self._was_said(text):
            return
        if self.is_json:
            self.tell(event, level, {"message": text, **fields})
        else:
            self.console.print(Text(str(self._clean(text))), soft_wrap=True)

    def tell(self, event: str, level: str, fields: Mapping[str, object]) -> None:
        """Say something for machines alone."""
        if self.is_json:
            self._print({"time": now(), "level": level, "event": event, **fields})

    def hear(self, news: Sequence[str]) -> None:
        """Say what workers had to say: lines as `in_worker` makes them."""
        for said in map(record_of, news):
            message, level = str(said["message"]), str(said["level"])
            if not self.is_json:
                self.say(str(said["event"]), plain(message), level)
            elif level != "warning" or not self._was_said(message):
                self._print(said)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Say the warnings of this process too, until the block ends."""
        handler = _Own(self)
        root = logging.getLogger()
        root.addHandler(handler)
        try:
            yield
        finally:
            root.removeHandler(handler)

    def _was_said(self, text: str) -> bool:
        at = time.monotonic()
        self._warned = {one: then for one, then in self._warned.items() if at - then < REPEATED_S}
        return at - self._warned.setdefault(text, at) > 0

    def _print(self, said: Mapping[str, object]) -> None:
        cleaned = {name: self._clean(value) for name, value in said.items()}
        print(line(cleaned), file=sys.stderr, flush=True)

    def _clean(self, said: object) -> object:
        """The same without secrets: a text, or a list of them."""
        if isinstance(said, list):
            return [self._clean(one) for one in said]
        if not isinstance(said, str):
            return said
        for secret in self._secrets:
            said = said.replace(secret, HIDDEN)
        return said


class _Nowhere(io.StringIO):
    def write(self, text: str) -> int:
        """Keep nothing."""
        return len(text)


class _Own(logging.Handler):
    def __init__(self, log: Log) -> None:
        super().__init__(logging.WARNING)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        """Say a record as the run says things."""
        event, level = str(getattr(record, "event", "log")), record.levelname.lower()
        self._log.say(event, plain(record.getMessage()), level)


class _Marked(logging.Formatter):
    """A record as a line that the parent process reads."""

    def __init__(self, worker: int) -> None:
        super().__init__()
        self._worker = worker

    def format(self, record: logging.LogRecord) -> str:
        """Return the mark and the object; a traceback goes to the lines after it."""
        said = {
            "time": now(record.created),
            "level": record.levelname.lower(),
            "event": getattr(record, "event", "log"),
            "message": record.getMessage(),
            "worker": self._worker,
        }
        text = NEWS + line(said)
        return text + "\n" + self.formatException(record.exc_info) if record.exc_info else text


def in_worker(number: int) -> None:
    """Have this worker's logs written so that the parent process says them."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Marked(number))
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.WARNING)


def record_of(news: str) -> dict[str, Any]:
    """What a line of a worker says; `worker` is the event of a line that is no object of ours."""
    common = {"time": now(), "level": "info", "event": "worker", "message": news}
    try:
        said: dict[str, Any] = json.loads(news)
        return said if common.keys() <= said.keys() else common
    except (ValueError, AttributeError):
        return common


def line(said: Mapping[str, object]) -> str:
    """An object as one line of ASCII: what is not is escaped, control characters included."""
    return json.dumps(said, ensure_ascii=True, default=str)


def now(seconds: float | None = None) -> str:
    """A moment as the contract writes it, to the millisecond; the present one if not given."""
    at = datetime.now(UTC) if seconds is None else datetime.fromtimestamp(seconds, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def secrets_of(settings: Settings) -> list[str]:
    """What must never be said, the longest first: secrets, and the passwords in their URLs."""
    found: set[str] = set()
    for name in SECRETS:
        value = getattr(settings, name).get_secret_value()
        try:
            password = urlsplit(value).password or ""
        except ValueError:
            password = ""
        found |= {value, password, unquote(password)}
    return sorted((one for one in found if len(one) >= SHORTEST), key=len, reverse=True)
