"""Every setting of the detection flow and its sinks, with its unit, its range and its default.

A setting comes from an environment variable (`GROUNDSWELL_` and the name in capitals; the command
line takes those of `.env` too, see `flows.dotenv`) or from the TOML file that `GROUNDSWELL_CONFIG`
names; the environment wins. `docs/settings.md` is made from
this file by `python -m flows.settings_doc`.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from ipaddress import ip_network
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
NETWORKS = "networks such as 10.0.0.0/8, with commas; or none"
WINDOWS = "rising whole hours from 1 to 24, such as 1,3,6,12,24"


SHORTEST_KEY = 16


def keys_of(value: SecretStr) -> tuple[str, ...]:
    """The keys in a setting that lists some."""
    return tuple(key.strip() for key in value.get_secret_value().split(",") if key.strip())


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
    sounds_mb: int = Field(
        256,
        ge=0,
        le=1_048_576,
        description="Memory beside `memory_mb` for sounds that reels are recognised by, a quarter "
        "for fingerprints, 4 kB each; those used least go first. 0: sounds are not recognised.",
        json_schema_extra=_unit("MiB"),
    )
    sounds_parts: int = Field(
        2,
        ge=1,
        le=64,
        description="Parts of the sounds known by landmarks, which processes share. A sound that "
        "is new is looked for in all.",
        json_schema_extra=_unit("parts"),
    )
    sounds_reels: int = Field(
        500_000,
        ge=0,
        le=100_000_000,
        description="Reels of the last day, of sounds not older than it, that count anew where two "
        "sounds prove to be one; 40 bytes each.",
        json_schema_extra=_unit("reels"),
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
        40_000,
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
    kafka_transaction_seconds: float = Field(
        300.0,
        ge=1,
        le=900,
        description="How long a run may be cut off in the middle of a write to Kafka: what lasts "
        "longer is given up by the brokers, and the run stops and has to be started again.",
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
    feedback: str = Field(
        "",
        description="File of what people say of trends, as the radar keeps it, which is learned "
        "from: see [feedback](radar.md#feedback); empty: none.",
        json_schema_extra=_unit("path"),
    )
    feedback_seconds: float = Field(
        3600.0,
        ge=1,
        le=30 * DAY_S,
        description="How often `groundswell run` looks for more of it; its workers then end in "
        "good order and start anew.",
        json_schema_extra=_unit("seconds", result=False),
    )
    alert_rules: str = Field(
        "",
        description="File of rules by which `groundswell run`, and `replay --alerts`, tell people "
        "of trends: see [alerts](alerts.md); empty: nobody is told.",
        json_schema_extra=_unit("path", result=False),
    )
    sink_wait_seconds: float = Field(
        600.0,
        ge=0,
        le=604_800,
        description="How long a service may be away, or refuse, before the run stops.",
        json_schema_extra=_unit("seconds", result=False),
    )
    stop_seconds: float = Field(
        60.0,
        ge=0,
        le=DAY_S,
        description="How long a run that is told to stop may take to send what it has; what it "
        "has not sent by then it sends when it goes on.",
        json_schema_extra=_unit("seconds", result=False),
    )
    metrics_address: str = Field(
        "",
        description="Where `groundswell run` serves `/metrics`, `/healthz` and `/readyz`, such as "
        "127.0.0.1:9464; port 0: a free one.",
        json_schema_extra=_unit("", result=False)
        | {"accepted": "host:port, or [host]:port in IPv6; empty: nowhere"},
    )
    log_format: Literal["text", "json"] = Field(
        "text",
        description="What `groundswell run` says: lines for people on standard output, or one JSON "
        "object a line on standard error.",
        json_schema_extra=_unit("", result=False),
    )
    sound_seconds: float = Field(
        300.0,
        ge=5,
        le=500,
        description="How much of a media file is listened to.",
        json_schema_extra=_unit("seconds", result=False),
    )
    sound_file_mb: int = Field(
        512,
        ge=1,
        le=65_536,
        description="Size of a media file from which on it is refused.",
        json_schema_extra=_unit("MiB", result=False),
    )
    sound_memory_mb: int = Field(
        1024,
        ge=256,
        le=16_384,
        description="Address space of the process that decodes a media file.",
        json_schema_extra=_unit("MiB", result=False),
    )
    sounds_known: int = Field(
        1_000_000,
        ge=1000,
        le=16_000_000,
        description="Sounds that are looked for at once; beyond, those used least are not.",
        json_schema_extra=_unit("sounds", result=False),
    )
    sounds_dense: int = Field(
        30_000,
        ge=1000,
        le=1_000_000,
        description="Of these, those with all their landmarks in memory, 60 kB each for half a "
        "minute; of the others a sixteenth, 6 kB. A million and 20,000 take 8 GB.",
        json_schema_extra=_unit("sounds", result=False),
    )
    sound_cpu_seconds: int = Field(
        30,
        ge=1,
        le=3600,
        description="Processor time that decoding a media file may take; twice that by the clock.",
        json_schema_extra=_unit("seconds", result=False),
    )

    extract_per_hour: int = Field(
        0,
        ge=0,
        le=100_000_000,
        description="Reels an hour of event time whose media `groundswell extract` looks at, those "
        "that promise most; the others pass as they came. 0: all.",
        json_schema_extra=_unit("reels an hour", result=False),
    )
    extract_by: Literal["either", "engagement", "burst"] = Field(
        "burst",
        description="What a reel promises something by: a sound or hashtag that is used more in "
        "the last six hours than in three days; likes, comments, shares and saves; or either.",
        json_schema_extra=_unit("", result=False),
    )
    extract_frames: int = Field(
        8,
        ge=1,
        le=32,
        description="Frames of a video that are looked at.",
        json_schema_extra=_unit("frames", result=False),
    )
    extract_side: int = Field(
        768,
        ge=64,
        le=1536,
        description="Longer side that frames are scaled down to.",
        json_schema_extra=_unit("pixels", result=False),
    )
    extract_window: int = Field(
        512,
        ge=1,
        le=100_000,
        description="Reels under way at once, those that wait for an earlier one included.",
        json_schema_extra=_unit("reels", result=False),
    )
    extract_decoded: int = Field(
        16,
        ge=1,
        le=4096,
        description="Reels whose decoded media is in memory: 2 to 27 MB each.",
        json_schema_extra=_unit("reels", result=False),
    )
    extract_decoders: int = Field(
        2,
        ge=1,
        le=256,
        description="Processes that decode media.",
        json_schema_extra=_unit("processes", result=False),
    )
    extract_seconds: float = Field(
        300.0,
        gt=0,
        le=3600,
        description="How long an extractor may take for a reel, its queue included.",
        json_schema_extra=_unit("seconds", result=False),
    )
    extract_remembered: int = Field(
        200_000,
        ge=0,
        le=100_000_000,
        description="Reels whose media was looked at and is not looked at again when they come "
        "again.",
        json_schema_extra=_unit("reels", result=False),
    )
    fetch_file_mb: int = Field(
        128,
        ge=1,
        le=65_536,
        description="Size of what is fetched, from which on it is refused. Twice `fetch_at_once` "
        "such files may lie on disk.",
        json_schema_extra=_unit("MiB", result=False),
    )
    fetch_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="How long one request may take.",
        json_schema_extra=_unit("seconds", result=False),
    )
    fetch_stall_seconds: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="How long a server may send nothing.",
        json_schema_extra=_unit("seconds", result=False),
    )
    fetch_at_once: int = Field(
        32,
        ge=1,
        le=1024,
        description="Requests at once.",
        json_schema_extra=_unit("requests", result=False),
    )
    fetch_per_host: int = Field(
        4,
        ge=1,
        le=1024,
        description="Requests at once to one host.",
        json_schema_extra=_unit("requests", result=False),
    )
    fetch_wait_seconds: float = Field(
        30.0,
        ge=0,
        le=3600,
        description="How long a host that asks to come later (`Retry-After`) is waited for; "
        "beyond, its reels pass as they came until then.",
        json_schema_extra=_unit("seconds", result=False),
    )
    fetch_private: str = Field(
        "",
        max_length=2_000,
        description="Networks whose hosts are asked though they are not public, with commas.",
        json_schema_extra=_unit("", result=False)
        | {"accepted": "networks such as 10.0.0.0/8, with commas; empty: none"},
    )
    fetch_folders: str = Field(
        "",
        max_length=10_000,
        description="Folders whose files `media_url` may name (`file:///…`), with colons; empty: "
        "none.",
        json_schema_extra=_unit("paths", result=False),
    )
    fetch_cache: str = Field(
        "",
        description="Folder that keeps what was fetched; empty: nothing is kept.",
        json_schema_extra=_unit("path", result=False),
    )
    fetch_cache_mb: int = Field(
        1024,
        ge=1,
        le=16_777_216,
        description="Size of that folder; what was used longest ago goes first.",
        json_schema_extra=_unit("MiB", result=False),
    )
    kafka_enriched: str = Field(
        "reels.enriched.v1",
        min_length=1,
        max_length=249,
        description="Topic that `groundswell extract` writes to; as `kafka_reels` of a run it is "
        "what that run reads.",
        json_schema_extra=_unit("", result=False),
    )
    acoustid_key: SecretStr = Field(
        SecretStr(""),
        description="Key of AcoustID, to look up titles and artists of sounds; empty: none are "
        "looked up. Never shown and never written down.",
        json_schema_extra=_unit("", result=False),
    )
    acoustid_url: str = Field(
        "https://api.acoustid.org/v2/lookup",
        pattern="^https?://.+",
        description="Where AcoustID is asked.",
        json_schema_extra=_unit("URL", result=False) | {"accepted": "`https://HOST/…`"},
    )

    serve_host: str = Field(
        "127.0.0.1",
        min_length=1,
        max_length=255,
        description="Address at which the radar listens; set `serve_keys` too if not loopback.",
        json_schema_extra=_unit("", result=False),
    )
    serve_port: int = Field(
        8787,
        ge=0,
        le=65_535,
        description="Port of the radar; 0: any that is free.",
        json_schema_extra=_unit("", result=False),
    )
    serve_hosts: str = Field(
        "",
        max_length=2_000,
        description="Names under which a proxy in front asks for the radar, with commas; on "
        "loopback its own names are accepted besides, elsewhere any if this is empty.",
        json_schema_extra=_unit("", result=False),
    )
    serve_keys: SecretStr = Field(
        SecretStr(""),
        description="Keys of which a request to the radar needs one, with commas; never shown.",
        json_schema_extra=_unit("", result=False)
        | {"accepted": "keys of 16 characters or more, with commas; empty: none is needed"},
    )
    serve_rate: int = Field(
        0,
        ge=0,
        le=1_000_000,
        description="Requests that a key or an address may make; 0: any number.",
        json_schema_extra=_unit("requests a minute", result=False),
    )
    serve_trends: int = Field(
        20_000,
        ge=1,
        le=1_000_000,
        description="Trends that lists of the radar hold, those told last.",
        json_schema_extra=_unit("trends", result=False),
    )
    serve_streams: int = Field(
        1_000,
        ge=0,
        le=100_000,
        description="Readers of the stream at once.",
        json_schema_extra=_unit("readers", result=False),
    )
    serve_events: int = Field(
        2_000,
        ge=1,
        le=1_000_000,
        description="Revisions that a reader of the stream may be behind before it must look anew.",
        json_schema_extra=_unit("revisions", result=False),
    )
    serve_poll_seconds: float = Field(
        0.5,
        ge=0.05,
        le=3600,
        description="Time between two looks of the radar at the store.",
        json_schema_extra=_unit("seconds", result=False),
    )
    serve_heartbeat_seconds: float = Field(
        15.0,
        ge=0.05,
        le=3600,
        description="How often a stream says that it is alive when nothing is new.",
        json_schema_extra=_unit("seconds", result=False),
    )
    serve_feedback: str = Field(
        "",
        description="File of what people say of trends, JSON lines; empty: beside the SQLite "
        "store, none for a database.",
        json_schema_extra=_unit("", result=False),
    )
    serve_names: str = Field(
        "",
        description="File of names given to trends by people or `groundswell name`, JSON lines; "
        "empty: beside the SQLite store, none for a database.",
        json_schema_extra=_unit("", result=False),
    )
    serve_reel_url: str = Field(
        "",
        pattern="^(https?://.*[{]reel_id[}].*)?$",
        description="Address of a reel on its platform, to link examples.",
        json_schema_extra=_unit("URL", result=False)
        | {"accepted": "`https://…{reel_id}…`; empty: no links"},
    )

    name_url: str = Field(
        "",
        pattern="^(https?://.+)?$",
        description="Server that names trends, as OpenAI's: `/chat/completions` is added.",
        json_schema_extra=_unit("URL", result=False)
        | {"accepted": "`https://HOST/v1`; empty: none"},
    )
    name_model: str = Field(
        "",
        max_length=200,
        description="Model that it is asked for.",
        json_schema_extra=_unit("", result=False),
    )
    name_key: SecretStr = Field(
        SecretStr(""),
        description="Key of that server; never shown and never written down.",
        json_schema_extra=_unit("", result=False),
    )
    name_language: str = Field(
        "English",
        min_length=1,
        max_length=50,
        description="Language of names and summaries.",
        json_schema_extra=_unit("", result=False),
    )
    name_requests: int = Field(
        600,
        ge=1,
        le=1_000_000,
        description="Requests to that server in an hour at most.",
        json_schema_extra=_unit("requests an hour", result=False),
    )
    name_timeout_seconds: float = Field(
        20.0,
        gt=0,
        le=600,
        description="Time that one answer may take.",
        json_schema_extra=_unit("seconds", result=False),
    )

    models_dir: str = Field(
        "",
        description="Folder of the models that features are made with.",
        json_schema_extra=_unit("folder", result=False)
        | {"accepted": "a path; empty: `groundswell/models` in the user's cache"},
    )
    model_hub: str = Field(
        "https://huggingface.co",
        pattern="^https?://",
        description="Where `groundswell models pull` fetches models: a hub of Hugging Face's kind.",
        json_schema_extra=_unit("URL", result=False) | {"accepted": "`https://…`"},
    )
    model_file_mb: int = Field(
        4096,
        ge=1,
        le=1_048_576,
        description="Size of one file of a model that is fetched at most.",
        json_schema_extra=_unit("MiB", result=False),
    )
    model_devices: str = Field(
        "tensorrt,cuda,cpu",
        pattern="^(tensorrt|cuda|cpu)(,(tensorrt|cuda|cpu))*$",
        description="What models of ONNX may run on; the first that works is taken.",
        json_schema_extra=_unit("devices", result=False)
        | {"accepted": "some of `tensorrt`, `cuda` and `cpu`, with commas"},
    )
    model_threads: int = Field(
        0,
        ge=0,
        le=1024,
        description="Threads of each model on the processor; 0: one a core.",
        json_schema_extra=_unit("threads", result=False),
    )
    visual_model: str = Field(
        "clip-vit-b-32",
        pattern=r"^(\w[\w.-]*)?$",
        description="Model of what reels look like: a name that `groundswell models list` shows.",
        json_schema_extra=_unit("name", result=False) | {"accepted": "a name; empty: none"},
    )
    visual_batch: int = Field(
        0,
        ge=0,
        le=1024,
        description="Frames that the model gets at once; 0: what is measured to be best, once.",
        json_schema_extra=_unit("frames", result=False),
    )
    categories_file: str = Field(
        "",
        description="Descriptions of what reels are about, as in `extractors/categories.toml`.",
        json_schema_extra=_unit("TOML file", result=False)
        | {"accepted": "a path; empty: those that come with Groundswell"},
    )
    speech_model: str = Field(
        "whisper-base",
        pattern=r"^(\w[\w.-]*)?$",
        description="Model of what is said in reels: a name that `groundswell models list` shows.",
        json_schema_extra=_unit("name", result=False) | {"accepted": "a name; empty: none"},
    )
    speech_seconds: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="Speech of one reel that is listened to at most.",
        json_schema_extra=_unit("seconds", result=False),
    )
    speech_batch: int = Field(
        8,
        ge=1,
        le=256,
        description="Chunks of 30 s that the model of speech gets at once.",
        json_schema_extra=_unit("chunks", result=False),
    )
    ocr_frames: int = Field(
        3,
        ge=0,
        le=64,
        description="Frames of one reel that text is looked for in at most; 0: none.",
        json_schema_extra=_unit("frames", result=False),
    )
    ocr_side: int = Field(
        768,
        ge=64,
        le=2000,
        description="Longer side that text is looked for at, at most; smaller is quicker.",
        json_schema_extra=_unit("pixels", result=False),
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
        """Arguments, the environment, the TOML file; no secrets folder."""
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

    @field_validator("serve_keys")
    @classmethod
    def _long_enough(cls, value: SecretStr) -> SecretStr:
        if any(len(key) < SHORTEST_KEY for key in keys_of(value)):
            raise ValueError(f"keys of {SHORTEST_KEY} characters or more, with commas")
        return value

    @field_validator("metrics_address")
    @classmethod
    def _is_address(cls, value: str) -> str:
        if value:
            host_and_port(value)
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

    @field_validator("fetch_private")
    @classmethod
    def _networks(cls, value: str) -> str:
        try:
            for one in filter(None, (one.strip() for one in value.split(","))):
                ip_network(one)
        except ValueError:
            raise ValueError(NETWORKS) from None
        return value

    @field_validator("windows_h")
    @classmethod
    def _rising(cls, value: tuple[int, ...]) -> tuple[int, ...]:
        bounds = (0, *value, 25)
        if not value or any(low >= high for low, high in pairwise(bounds)):
            raise ValueError(WINDOWS)
        return value


def host_and_port(address: str) -> tuple[str, int]:
    """Return the parts of an address. Raises ValueError.

    >>> host_and_port("127.0.0.1:9464"), host_and_port("[::]:0")
    (('127.0.0.1', 9464), ('::', 0))
    """
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):(\d{1,5})", address)
    if match is None or int(match[2]) > 65_535:
        raise ValueError("host:port, such as 127.0.0.1:9464")
    return match[1].strip("[]"), int(match[2])


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
