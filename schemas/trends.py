"""`trends.v1`: one revision of one trend, as it goes out. Keyed by `trend_id`.

(`trend_id`, `revision`) is unique, and what a revision says never changes. Nothing in a revision
depends on data after its `event_time`.
"""

from collections.abc import Callable
from typing import Annotated, Final, Literal

import msgspec

from schemas.base import Id, Outbound, Time

MAX_EXAMPLES: Final = 10
"""Most example reels a revision names."""

SignalKind = Literal["sound", "hashtag", "phrase", "format"]
TrendKind = Literal["sound", "hashtag", "phrase", "format", "challenge"]
Stage = Literal["emerging", "peaking", "fading", "evergreen"]

Count = Annotated[int, msgspec.Meta(ge=0)]
CountFromOne = Annotated[int, msgspec.Meta(ge=1)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Scope = Annotated[str, msgspec.Meta(pattern="^(?:global|region:.+|language:.+)$")]


class Member(Outbound, frozen=True, kw_only=True):
    """One signal of a trend."""

    kind: SignalKind
    """What is counted."""

    id: str
    """Id of the signal among those of its kind. A sound: the platform's `audio_id`, or the id
    its fingerprint gave it. A hashtag: normalised, without `#`. A phrase: its words, lower-cased,
    with single spaces."""

    label: str
    """How it is shown to people."""

    weight: Share
    """Its part in the trend; the weights of all members sum to 1 (to rounding)."""

    reels: Count
    """Reels that used it in the window the revision was decided on."""


class SeriesPoint(Outbound, frozen=True, kw_only=True):
    """Use of the trend in one step of its history."""

    t: Time
    """Start of the step."""

    reels: Count
    """Reels that used it in the step."""

    expected: NotNegative
    """Reels that were expected in the step."""


class ForecastPoint(Outbound, frozen=True, kw_only=True):
    """Use of the trend in one step ahead."""

    t: Time
    """Start of the step."""

    reels: NotNegative
    """Reels forecast in the step: as likely to be more as to be fewer."""

    low: NotNegative
    """Lower end of the forecast's interval, reels in the step: four steps in five are to be in it,
    one in ten below."""

    high: NotNegative
    """Upper end of the forecast's interval, reels in the step: one step in ten is to be above."""


class Trend(Outbound, frozen=True, kw_only=True):
    """One or more signals rising together, with an id that stays."""

    trend_id: Id
    """Id of the trend, derived from what it was when it was first seen."""

    revision: CountFromOne
    """Number of the revision, from 1."""

    kind: TrendKind
    """The kind of its one signal, or `challenge` for several."""

    stage: Stage
    """`emerging` (small, growing abnormally), `peaking` (large, growth slowing), `fading`
    (falling) or `evergreen` (steady for long)."""

    scopes: Annotated[tuple[Scope, ...], msgspec.Meta(min_length=1)]
    """Where it holds: `global`, `region:` with a region, or `language:` with a language."""

    event_time: Time
    """The watermark at which the revision was decided."""

    started_at: Time
    """When its growth began."""

    name: str
    """What people would call it."""

    summary: str
    """What it is, in a sentence or two; may be empty."""

    category: str | None
    """Field of life it belongs to, such as `dance`; null where not known."""

    reels: Count
    """Reels in the window the revision was decided on."""

    authors: Count
    """Distinct authors of those reels."""

    expected: NotNegative
    """Reels that were expected in that window."""

    growth: NotNegative
    """`reels` over `expected`: how many times the expectation was seen."""

    velocity_per_h: float
    """Reels per hour now."""

    acceleration_per_h2: float
    """Change of the velocity, reels per hour per hour."""

    score: Share
    """How likely it was to take off when it was told first, from 0 to 1; 1: it had."""

    q_value: Share
    """False-discovery rate at which it would just be reported, from 0 to 1."""

    members: Annotated[tuple[Member, ...], msgspec.Meta(min_length=1)]
    """Its signals, heaviest first."""

    examples: Annotated[tuple[str, ...], msgspec.Meta(max_length=MAX_EXAMPLES)]
    """Ids of reels, most telling first."""

    series: tuple[SeriesPoint, ...]
    """Its recent history, oldest first."""

    forecast: tuple[ForecastPoint, ...]
    """What is to come in the hours that begin after `event_time`, of what `series` is of, soonest
    first; may be empty."""

    why: str
    """Why it is reported, in plain words."""

    def __reduce__(self) -> tuple[Callable[[bytes], "Trend"], tuple[bytes]]:
        """Go to other processes as JSON, which is made far sooner than a pickle of its parts."""
        return decode, (encode(self),)


_decoder = msgspec.json.Decoder(Trend)
_encoder = msgspec.json.Encoder()


def decode(line: bytes) -> Trend:
    """Read one trend from JSON.

    Raises
    ------
    msgspec.DecodeError
        Where the line is not JSON; its subclass `msgspec.ValidationError` where it is not a trend.
    """
    return _decoder.decode(line)


def encode(trend: Trend) -> bytes:
    """Write one trend as a line of JSON, without the newline; the same trend, the same bytes."""
    return _encoder.encode(trend)
