"""Every setting of the detection flow and its sinks, with its unit, its range and its default.

A setting comes from an environment variable (`GROUNDSWELL_` and the name in capitals) or from the
TOML file that `GROUNDSWELL_CONFIG` names; the environment wins. `docs/settings.md` is made from
this file by `python -m flows.settings_doc`.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from flows.errors import UserError

PREFIX = "GROUNDSWELL_"
CONFIG = "GROUNDSWELL_CONFIG"
DAY_S = 86_400
HOUR_S = 3_600
SCOPES = "at most 64 with commas, such as region:BR,language:pt; or none"
WINDOWS = "rising whole hours from 1 to 24, such as 1,3,6,12,24"


class SettingsError(UserError):
    """A setting that cannot be used: its name, its value and what was expected, in one line."""


def _unit(unit: str, *, result: bool = True) -> dict[str, Any]:
    """Unit of a setting, and whether another value gives another result."""
    return {"unit": unit, "result": result}


def _url(form: str) -> dict[str, Any]:
    """A URL of the given form; it may hold a password."""
    return {"unit": "URL", "result": False, "accepted": f"{form}; empty: none"}


class Settings(BaseSettings):
    """Settings of one run. Frozen, so that what a run started with is what it ends with.

    Raises `pydantic.ValidationError`; use `load` to get one line instead.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        extra="forbid",  # a misspelt name in the file must not silently do nothing
        frozen=True,
    )

    tick_seconds: int = Field(
        600,
        ge=60,
        le=3600,
        description="Smallest bucket of event time; must divide an hour.",
        json_schema_extra=_unit("seconds"),
    )
    lateness_seconds: int = Field(
        600,
        ge=0,
        le=DAY_S,
        description="How far a reel may lie behind the newest of its partition and be on time.",
        json_schema_extra=_unit("seconds"),
    )
    future_seconds: int = Field(
        300,
        ge=0,
        le=DAY_S,
        description="How far a reel may lie ahead of its partition's watermark unclamped.",
        json_schema_extra=_unit("seconds"),
    )
    look_ahead: int = Field(
        32,
        ge=1,
        le=1024,
        description="Reels looked ahead at; a quarter of them confirm a jump in time.",
        json_schema_extra=_unit("reels"),
    )
    dedupe_reels: int = Field(
        200_000,
        ge=1_000,
        le=100_000_000,
        description="Reels a partition remembers at least, to count one that comes again once.",
        json_schema_extra=_unit("reels"),
    )
    memory_mb: int = Field(
        2048,
        ge=64,
        le=1_048_576,
        description="Memory of a process that holds all shards; of it the counts get all but "
        "512 MiB, or half.",
        json_schema_extra=_unit("MiB"),
    )
    min_authors: int = Field(
        10,
        ge=2,
        le=1_000_000,
        description="Distinct authors a signal needs within a window before it can burst.",
        json_schema_extra=_unit("authors"),
    )
    fdr: float = Field(
        0.1,
        gt=0,
        le=1,
        description="Share of false alerts among all alerts that is accepted: of what ends small. "
        "With 1 all that bursts is told.",
        json_schema_extra=_unit("share"),
    )
    min_growth: float = Field(
        2.0,
        ge=1,
        le=1000,
        description="Authors over expected authors that a burst needs at least.",
        json_schema_extra=_unit("ratio"),
    )
    windows_h: Annotated[tuple[int, ...], NoDecode] = Field(
        (1, 3, 6, 12, 24),
        description="Window lengths over which growth is judged; rising, each from 1 to 24.",
        json_schema_extra=_unit("hours"),
    )
    max_phrases: int = Field(
        64,
        ge=0,
        le=1000,
        description="Phrases taken from one reel at most; 0 for none.",
        json_schema_extra=_unit("phrases"),
    )
    batch_size: int = Field(
        20_000,
        ge=1,
        le=1_000_000,
        description="Lines that a source reads at once.",
        json_schema_extra=_unit("lines", result=False),
    )
    exchange_mb: int = Field(
        256,
        ge=0,
        le=65_536,
        description="Memory through which the processes of a run send each other what is large. "
        "What finds no room in it goes through sockets; 0: everything.",
        json_schema_extra=_unit("MiB", result=False),
    )
    max_skew_hours: int = Field(
        6,
        ge=1,
        le=8760,
        description="How far in event time one partition may run ahead of the slowest; a poll and "
        "a half if that is further.",
        json_schema_extra=_unit("hours", result=False),
    )
    epoch_seconds: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="Time between two snapshots: what a killed run does again at most.",
        json_schema_extra=_unit("seconds", result=False),
    )
    catalogue_hours: int = Field(
        48,
        ge=24,
        le=8760,
        description="How long the ids of reels are remembered, to name examples of the last day.",
        json_schema_extra=_unit("hours"),
    )
    catalogue_reels: int = Field(
        2_000_000,
        ge=1_000,
        le=100_000_000,
        description="Reels whose ids are remembered at most; older ones go first.",
        json_schema_extra=_unit("reels"),
    )
    overlap: float = Field(
        0.3,
        gt=0,
        le=1,
        description="Share of its reels that a signal must have in common with a trend to join it.",
        json_schema_extra=_unit("share"),
    )
    max_examples: int = Field(
        10,
        ge=0,
        le=10,
        description="Reels a trend names as examples at most.",
        json_schema_extra=_unit("reels"),
    )

    scopes: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        max_length=64,
        description="Regions and languages that a trend's `scopes` may name beside `global`: those "
        "with `min_authors` people of its last day. One with nearly all of its people in one of "
        "them is local, and not global.",
        json_schema_extra=_unit("scopes") | {"accepted": SCOPES},
    )
    graph: bool = Field(
        True,
        description="Whether sounds and hashtags that are newly used together make trends. "
        "Takes a quarter of the processor time.",
        json_schema_extra=_unit("yes or no"),
    )

    idle_seconds: float = Field(
        60.0,
        gt=0,
        le=DAY_S,
        description="How long a partition of a topic is silent before the others go on without it.",
        json_schema_extra=_unit("seconds", result=False),
    )
    kafka_bootstrap: str = Field(
        "localhost:9092",
        min_length=1,
        description="Kafka brokers to begin with, host:port with commas.",
        json_schema_extra=_unit("", result=False),
    )
    kafka_group: str = Field(
        "groundswell",
        min_length=1,
        max_length=200,
        description="Consumer group under which positions are shown, and name of the one run that "
        "may write.",
        json_schema_extra=_unit("", result=False),
    )
    kafka_reels: str = Field(
        "reels.v1",
        min_length=1,
        max_length=249,
        description="Topic of reels.",
        json_schema_extra=_unit(""),
    )
    kafka_trends: str = Field(
        "trends.v1",
        min_length=1,
        max_length=249,
        description="Topic of revisions of trends.",
        json_schema_extra=_unit(""),
    )
    kafka_current: str = Field(
        "trends.current.v1",
        min_length=1,
        max_length=249,
        description="Compacted topic of the newest revision of each trend.",
        json_schema_extra=_unit(""),
    )
    kafka_dead_letters: str = Field(
        "reels.v1.dlq",
        min_length=1,
        max_length=249,
        description="Topic of messages that are no reels.",
        json_schema_extra=_unit(""),
    )
    kafka_look_seconds: float = Field(
        30.0,
        gt=0,
        le=DAY_S,
        description="Time between two looks for partitions that were added to the topic of reels.",
        json_schema_extra=_unit("seconds", result=False),
    )
    kafka_security: Literal["plaintext", "ssl", "sasl_plaintext", "sasl_ssl"] = Field(
        "plaintext",
        description="How brokers are spoken to.",
        json_schema_extra=_unit("", result=False),
    )
    kafka_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512",
        description="SASL mechanism.",
        json_schema_extra=_unit("", result=False),
    )
    kafka_username: str = Field(
        "",
        description="Name for SASL.",
        json_schema_extra=_unit("", result=False),
    )
    kafka_password: SecretStr = Field(
        SecretStr(""),
        description="Password for SASL; never shown and never written down.",
        json_schema_extra=_unit("", result=False),
    )
    kafka_ca_file: str = Field(
        "",
        description="Certificates of authorities to trust, PEM; empty: those of the system.",
        json_schema_extra=_unit("", result=False),
    )
    kafka_certificate_file: str = Field(
        "",
        description="Our certificate, PEM, where brokers ask for one.",
        json_schema_extra=_unit("", result=False),
    )
    kafka_key_file: str = Field(
        "",
        description="Its private key, PEM.",
        json_schema_extra=_unit("", result=False),
    )
    kafka_key_password: SecretStr = Field(
        SecretStr(""),
        description="Password of that key; never shown and never written down.",
        json_schema_extra=_unit("", result=False),
    )
    database_url: SecretStr = Field(
        SecretStr(""),
        description="PostgreSQL or TimescaleDB that trends go to; `groundswell migrate` makes its "
        "tables.",
        json_schema_extra=_url("`postgresql://USER:PASSWORD@HOST:PORT/DATABASE`"),
    )
    redis_url: SecretStr = Field(
        SecretStr(""),
        description="Redis 7 or Valkey that trends go to.",
        json_schema_extra=_url("`redis://USER:PASSWORD@HOST:PORT/NUMBER`, or `rediss://…`"),
    )
    redis_prefix: str = Field(
        "groundswell",
        pattern="^[!-~]{1,64}$",
        description="What the names of all keys in Redis begin with, before a colon.",
        json_schema_extra=_unit("text", result=False)
        | {"accepted": "1 to 64 characters of ASCII without spaces"},
    )
    redis_stream_length: int = Field(
        10_000,
        ge=1,
        le=100_000_000,
        description="Revisions that each stream in Redis keeps, or a few more.",
        json_schema_extra=_unit("revisions", result=False),
    )
    redis_expiry_hours: int = Field(
        168,
        ge=1,
        le=87_600,
        description="How long a trend stays in Redis after its last revision.",
        json_schema_extra=_unit("hours", result=False),
    )
    sink_wait_seconds: float = Field(
        600.0,
        ge=0,
        le=604_800,
        description="How long a service may be away, or refuse, before the run stops.",
        json_schema_extra=_unit("seconds", result=False),
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, the environment, the TOML file; no .env file and no secrets folder."""
        config = os.environ.get(CONFIG)
        if not config:
            return init_settings, env_settings
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls, Path(config))

    @field_validator("tick_seconds")
    @classmethod
    def _divides_an_hour(cls, value: int) -> int:
        if HOUR_S % value:
            raise ValueError("a number that divides an hour (3600)")
        return value

    @field_validator("windows_h", "scopes", mode="before")
    @classmethod
    def _from_commas(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        return [part.strip() for part in value.split(",")] if value.strip() else []

    @field_validator("scopes")
    @classmethod
    def _of_places(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        form = re.compile("(region|language):[A-Za-z0-9]{1,32}")
        if any(form.fullmatch(one) is None for one in value) or len({*value}) < len(value):
            raise ValueError(SCOPES)
        return value

    @field_validator("windows_h")
    @classmethod
    def _rising(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        bounds = (0, *value, 25)
        if not value or any(low >= high for low, high in pairwise(bounds)):
            raise ValueError(WINDOWS)
        return value


def extra(field: FieldInfo) -> dict[str, Any]:
    """What is said of a field: its `unit`, whether it changes the `result`, and more."""
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def load(**given: object) -> Settings:
    """Settings from `given`, the environment and the TOML file, in this order of precedence.

    Arguments that are None count as not given. Raises `SettingsError`.
    """
    config = os.environ.get(CONFIG)
    if config:
        try:
            tomllib.loads(Path(config).read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"{CONFIG} = {config}: expected a readable TOML file ({error})"
            ) from None
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    try:
        return Settings(**chosen)
    except ValidationError as error:
        raise SettingsError("; ".join(_said(part, chosen) for part in error.errors())) from None


def affecting_result(values: Mapping[str, object]) -> dict[str, object]:
    """Those of `values` (name to value) whose change would change which trends come out."""
    fields = Settings.model_fields
    return {n: v for n, v in values.items() if n not in fields or extra(fields[n])["result"]}


def accepted(name: str) -> str:
    """What a setting accepts, in words: `a number above 0 and below 1`."""
    field = Settings.model_fields[name]
    if said := extra(field).get("accepted"):
        return str(said)
    if field.annotation is bool:
        return "true or false"
    if field.annotation in (str, SecretStr):
        return text(field)
    choices = get_args(field.annotation)
    if choices and all(isinstance(choice, str) for choice in choices):
        return " or ".join(choices)
    if field.annotation not in (int, float):
        return WINDOWS
    kind = "a whole number" if field.annotation is int else "a number"
    words = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
    bounds = [
        f"{word} {getattr(constraint, key):,}"
        for constraint in field.metadata
        for key, word in words.items()
        if hasattr(constraint, key)
    ]
    return f"{kind} {' and '.join(bounds)}"


def text(field: FieldInfo) -> str:
    """What a setting that is a text accepts, in words."""
    least = any(getattr(constraint, "min_length", 0) for constraint in field.metadata)
    most = [c.max_length for c in field.metadata if hasattr(c, "max_length")]
    words = "a text" if least else "a text, or nothing"
    return f"{words} of at most {most[0]} characters" if most else words


def told(settings: Settings) -> dict[str, Any]:
    """All settings as plain values, without the secrets: each process looks for those itself."""
    return settings.model_dump(mode="json", exclude=SECRETS)


SECRETS = {n for n, field in Settings.model_fields.items() if field.annotation is SecretStr}
"""Settings that are neither shown nor written to a file."""


def _said(error: Any, given: Mapping[str, object]) -> str:
    """One validation error as `name = value: expected …`, by the name its user knows it by."""
    name = str(error["loc"][0]) if error["loc"] else "settings"
    if error["type"] == "extra_forbidden":
        return f"{name}: there is no such setting (see docs/settings.md)"
    cause = error.get("ctx", {}).get("error")
    wanted = str(cause) if cause else accepted(name)
    variable = PREFIX + name.upper()
    where = variable if variable in os.environ and name not in given else name
    found = "(hidden)" if name in SECRETS else error["input"]
    return f"{where} = {found}: expected {wanted}"
