"""The rules file: which trends are told to whom, and when.

A TOML file with receivers, `[receivers.NAME]`, and rules, `[[rules]]`. What is secret (addresses
with tokens, keys) is not in it: it names the environment variables that hold it.
"""

import base64
import binascii
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import time
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, get_args
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Meta

from schemas.trends import Scope, Stage, TrendKind

MOST_BYTES: Final = 1 << 20
"""Of a rules file."""
MOST_RULES: Final = 100
MOST_RECEIVERS: Final = 16
"""Each has a thread and a connection."""
TELEGRAM: Final = "https://api.telegram.org"
LEAST_SECRET: Final = 16
"""Bytes of a key of signatures at least."""

T = TypeVar("T")

Kind = Literal["webhook", "alertmanager", "slack", "telegram"]
Name = Annotated[str, Meta(pattern=r"\A[^\x00-\x1f\x7f]{1,100}\Z", description="1 to 100 letters")]
Variable = Annotated[
    str,
    Meta(
        pattern=r"\A[A-Za-z_][A-Za-z0-9_]{0,99}\Z",
        description="the name of an environment variable",
    ),
]


def _whole(least: int, most: int) -> Meta:
    return Meta(ge=least, le=most, description=f"a whole number from {least:,} to {most:,}")


class RulesError(OSError):
    """A rules file that cannot be used: the rule, the field, its value and what was expected."""


class Receiver(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who is told: `[receivers.NAME]`."""

    kind: Annotated[Kind, Meta(description="webhook, alertmanager, slack or telegram")]
    """What it understands."""
    url: Annotated[str, Meta(description="an http or https URL without user and query")] = ""
    """Its address, where that is no secret."""
    url_env: Variable = ""
    """Variable with its address."""
    secret_env: Variable = ""
    """Variable with the key of signatures; for webhooks."""
    token_env: Variable = ""
    """Variable with the token of the bot; for Telegram."""
    chat: Annotated[
        str,
        Meta(pattern=r"\A(-?[0-9]{1,20}|@\w{1,64})?\Z", description='a text: "-100123" or "@name"'),
    ] = ""
    """Chat or channel; for Telegram."""
    timeout_seconds: Annotated[int, _whole(1, 60)] = 10
    """How long it may take to connect, and to answer."""
    give_up_minutes: Annotated[int, _whole(1, 10_080)] = 120
    """How long a message is tried again."""


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """Which trends are told to one receiver: `[[rules]]`. What is not given does not matter."""

    name: Name
    """What it is called; a trend is told once under a name."""
    to: Annotated[str, Meta(description="the name of a receiver")]
    """Who is told."""
    kinds: Annotated[
        tuple[TrendKind, ...], Meta(description=f"a list of {', '.join(get_args(TrendKind))}")
    ] = ()
    """Kinds of trends."""
    stages: Annotated[
        tuple[Stage, ...],
        Meta(min_length=1, description=f"a list of {', '.join(get_args(Stage))}"),
    ] = ("emerging", "peaking")
    """Stages in which a trend is told first."""
    scopes: Annotated[
        tuple[Scope, ...], Meta(description='a list of "global", "region:…", "language:…"')
    ] = ()
    """Where it must hold, in one of them."""
    min_score: Annotated[float, Meta(ge=0, le=1, description="a number from 0 to 1")] = 0.0
    """How likely it must be to take off."""
    min_authors: Annotated[int, _whole(0, 1_000_000_000)] = 0
    """People it must have."""
    words: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=100)], ...],
        Meta(max_length=1000, description="a list of at most 1,000 texts of 1 to 100 letters"),
    ] = ()
    """Words one of which must be in its name or its members."""
    resolve: Annotated[bool, Meta(description="true or false")] = True
    """Whether it is told that a trend is over."""
    quiet: Annotated[
        str,
        Meta(
            pattern=r"\A(([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9])?\Z",
            description='hours such as "22:00-07:00"',
        ),
    ] = ""
    """Hours in which nothing is sent."""
    time_zone: Annotated[str, Meta(description='a time zone such as "Europe/Berlin"')] = "UTC"
    """Of the quiet hours."""
    rate_messages: Annotated[int, _whole(1, 1_000)] = 20
    """Messages at most …"""
    rate_minutes: Annotated[int, _whole(1, 1_440)] = 60
    """… in so much time; then what comes goes together in one."""
    digest_minutes: Annotated[int, _whole(0, 10_080)] = 0
    """For how long alerts are gathered into one message."""
    max_age_hours: Annotated[int, _whole(0, 8_760)] = 24
    """Age of what is still told; 0: any."""
    most_waiting: Annotated[int, _whole(1, 100_000)] = 1_000
    """Alerts that wait at most; more are dropped."""

    @property
    def quiet_hours(self) -> tuple[time, time] | None:
        """When nothing is sent, in the local time of `time_zone`."""
        if not self.quiet:
            return None
        begins, _, ends = self.quiet.partition("-")
        return time.fromisoformat(begins), time.fromisoformat(ends)


HIDDEN: Final = {"url", "url_env", "secret_env", "token_env"}
"""Fields into which one may write a secret by mistake: their values are not shown."""

FIELDS: Final[dict[str, tuple[set[str], set[str]]]] = {
    "webhook": ({"url"}, {"secret_env"}),
    "alertmanager": ({"url"}, {"secret_env"}),
    "slack": ({"url_env"}, set()),
    "telegram": ({"token_env", "chat"}, {"url"}),
}
"""By kind of receiver: fields it must have (`url` or `url_env`), and may have."""


@dataclass(frozen=True, slots=True)
class Rules:
    """A rules file as it is used."""

    rules: tuple[Rule, ...]
    receivers: dict[str, Receiver]
    link: str = ""
    """Address of the page of a trend, with {trend_id} in it."""


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """Where a receiver is and what is needed to speak to it: secret, so it has no `repr`."""

    url: str
    key: bytes | None = None


def load(path: Path) -> Rules:
    """Read a rules file. Raises `RulesError`."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RulesError(f"{path}: cannot be read ({error.strerror})") from None
    return parse(data, str(path))


def parse(data: bytes, where: str) -> Rules:
    """Read rules from TOML; `where` names it in errors. Raises `RulesError`."""
    if len(data) > MOST_BYTES:
        raise RulesError(f"{where}: expected at most {MOST_BYTES:,} bytes, found {len(data):,}")
    try:
        table = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise RulesError(f"{where}: expected TOML ({error})") from None
    for name in table.keys() - {"rules", "receivers", "link"}:
        raise RulesError(f"{where}: {name!r}: expected link, [receivers.NAME] and [[rules]] only")
    receivers = _receivers(table.get("receivers"), where)
    return Rules(_rules(table.get("rules"), receivers, where), receivers, _link(table, where))


def address(name: str, receiver: Receiver, environment: Mapping[str, str]) -> Address:
    """Where a receiver is, with the secrets of the environment. Raises `RulesError`."""

    def secret(field: str) -> str:
        variable = getattr(receiver, field)
        found = environment.get(variable, "").strip()
        if not found:
            raise RulesError(f"receiver {name!r}: {field} = {variable}: is not in the environment")
        return found

    url = receiver.url
    if receiver.url_env:
        url = secret("url_env")
        if not _is_url(url):
            raise RulesError(
                f"receiver {name!r}: url_env = {receiver.url_env}: expected an http or https URL "
                "in it"
            )
    if receiver.kind == "alertmanager":
        url = url.rstrip("/") + "/api/v2/alerts"
    if receiver.kind == "telegram":
        token = secret("token_env")
        if not re.fullmatch(r"[A-Za-z0-9:_-]+", token):
            raise RulesError(
                f"receiver {name!r}: token_env = {receiver.token_env}: expected the token of a bot "
                "in it"
            )
        url = f"{(url or TELEGRAM).rstrip('/')}/bot{token}/sendMessage"
    return Address(url, _key(name, secret("secret_env")) if receiver.secret_env else None)


def _key(name: str, secret: str) -> bytes:
    """The key of signatures: base64 after `whsec_`, else the text itself. Raises `RulesError`."""
    key = secret.encode()
    if secret.startswith("whsec_"):
        try:
            key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
        except (binascii.Error, ValueError):
            key = b""
    if len(key) < LEAST_SECRET:
        raise RulesError(
            f"receiver {name!r}: secret_env: expected whsec_ and base64, or a text, of at least "
            f"{LEAST_SECRET} bytes in it"
        )
    return key


def _receivers(tables: object, where: str) -> dict[str, Receiver]:
    if not isinstance(tables, dict) or not 0 < len(tables) <= MOST_RECEIVERS:
        raise RulesError(f"{where}: expected [receivers.NAME], 1 to {MOST_RECEIVERS} of them")
    receivers = {}
    for name, table in tables.items():
        at = f"{where}: receiver {name!r}"
        if not isinstance(table, dict) or not name.isprintable() or not 0 < len(name) <= 100:
            raise RulesError(f"{at}: expected [receivers.NAME], a name of 1 to 100 letters")
        receivers[name] = _checked(_read(Receiver, table, at), at)
    return receivers


def _checked(receiver: Receiver, at: str) -> Receiver:
    """Whether it has what its kind needs, and nothing else. Raises `RulesError`."""
    needs, may = FIELDS[receiver.kind]
    either = {"url", "url_env"} if "url" in needs | may else set()
    for field in ("url", "url_env", "secret_env", "token_env", "chat"):
        given = bool(getattr(receiver, field))
        if given and field not in needs | may | either:
            raise RulesError(f"{at}: {field}: expected none where kind = {receiver.kind!r}")
        if not given and field in needs - {"url"}:
            raise RulesError(f"{at}: {field}: is missing, kind = {receiver.kind!r} needs it")
    if "url" in needs and bool(receiver.url) == bool(receiver.url_env):
        raise RulesError(f"{at}: expected either url or url_env")
    parts = urlsplit(receiver.url) if _is_url(receiver.url) else None
    if receiver.url and (parts is None or parts.query or "@" in parts.netloc):
        raise RulesError(
            f"{at}: url = (hidden): expected an http or https URL without user and query; what is "
            "secret goes into a variable, which url_env names"
        )
    return receiver


def _rules(tables: object, receivers: Mapping[str, Receiver], where: str) -> tuple[Rule, ...]:
    if not isinstance(tables, list) or not 0 < len(tables) <= MOST_RULES:
        raise RulesError(f"{where}: expected [[rules]], 1 to {MOST_RULES} of them")
    rules: dict[str, Rule] = {}
    for number, table in enumerate(tables, 1):
        named = isinstance(table, dict) and isinstance(table.get("name"), str)
        at = f"{where}: rule {table['name']!r}" if named else f"{where}: rule {number}"
        if not isinstance(table, dict):
            raise RulesError(f"{at}: expected a table, [[rules]]")
        rule = _read(Rule, table, at)
        if rule.to not in receivers:
            raise RulesError(f"{at}: to = {rule.to!r}: expected one of {', '.join(receivers)}")
        if rule.name in rules:
            raise RulesError(f"{at}: name = {rule.name!r}: expected a name of its own")
        try:
            ZoneInfo(rule.time_zone)
        except (KeyError, OSError, ValueError):
            raise RulesError(
                f"{at}: time_zone = {rule.time_zone!r}: expected a time zone that this system "
                "knows, such as 'Europe/Berlin'"
            ) from None
        if rule.quiet_hours and rule.quiet_hours[0] == rule.quiet_hours[1]:
            raise RulesError(f"{at}: quiet = {rule.quiet!r}: expected two different times")
        rules[rule.name] = rule
    return (*rules.values(),)


def _link(table: Mapping[str, Any], where: str) -> str:
    link = table.get("link", "")
    if not isinstance(link, str) or (link and not (_is_url(link) and "{trend_id}" in link)):
        raise RulesError(
            f"{where}: link = {link!r}: expected an http or https URL with {{trend_id}} in it"
        )
    return link


def _read(kind: type[T], table: Mapping[str, object], at: str) -> T:
    """A table as a struct, field by field, so that an error names the field and its value."""
    fields = {field.name: field for field in msgspec.structs.fields(kind)}  # type: ignore[arg-type]
    for name in table:
        if name not in fields:
            raise RulesError(f"{at}: {name}: expected one of {', '.join(fields)}")
    values = {}
    for name, field in fields.items():
        said = field.type.__metadata__[-1].description
        if name in table:
            try:
                values[name] = msgspec.convert(table[name], field.type)
            except msgspec.ValidationError:
                value = "(hidden)" if name in HIDDEN else repr(table[name])[:200]
                raise RulesError(f"{at}: {name} = {value}: expected {said}") from None
        elif field.required:
            raise RulesError(f"{at}: {name}: is missing, expected {said}")
    return kind(**values)


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018 — raises where it is none
    except ValueError:
        return False
    return (
        parts.scheme in ("http", "https")
        and bool(parts.hostname)
        and text.isascii()
        and text.isprintable()
        and " " not in text
    )
