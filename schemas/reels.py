"""`reels.v1`: one short video, as it comes in. Keyed by `reel_id`.

The same reel may come several times: it counts once, newer metrics replace the old, and signals it
did not have before are added. `reels.enriched.v1` has the same shape, after extraction.

>>> reel = decode(b'{"reel_id":"r1","published_at":"2026-01-05T14:10:00Z","author_id":"a1"}')
>>> reel.author_id, reel.published_at.isoformat(), reel.hashtags
('a1', '2026-01-05T14:10:00+00:00', None)
"""

from typing import Annotated, Final

import msgspec

from schemas.base import Base64, Id, Inbound, Time, WholeNumber

MAX_HASHTAGS: Final = 100
"""Most hashtags a reel may have. More is spam or a broken producer: the reel is rejected."""

Seconds = Annotated[float, msgspec.Meta(ge=0, le=604_800)]
Hashtags = Annotated[list[str], msgspec.Meta(max_length=MAX_HASHTAGS)]
Version = (
    Annotated[int, msgspec.Meta(ge=0, le=65_535)]
    | Annotated[float, msgspec.Meta(ge=0, le=65_535, multiple_of=1)]
)


class Landmarks(Inbound, frozen=True, kw_only=True):
    """Pairs of spectral peaks, which recognise a sound that was sped up, slowed or talked over."""

    version: Version
    """Version of the way they were made; only equal versions can be compared."""

    data: Base64
    """The landmarks, base64."""


class Audio(Inbound, frozen=True, kw_only=True):
    """The sound a reel uses."""

    audio_id: str | None = None
    """The platform's own id of the sound."""

    title: str | None = None
    """Title of the sound."""

    artist: str | None = None
    """Who made it."""

    original: bool | None = None
    """True where the author of the reel recorded it for this reel."""

    uses: WholeNumber | None = None
    """How many reels use it, by the platform's count when the reel was observed."""

    url: str | None = None
    """Where the sound can be fetched."""

    fingerprint: str | None = None
    """Compressed Chromaprint fingerprint, as `fpcalc` prints it."""

    landmarks: Landmarks | None = None
    """Pairs of spectral peaks."""


class Metrics(Inbound, frozen=True, kw_only=True):
    """How a reel was doing when it was observed. Each is a running total since publication."""

    views: WholeNumber | None = None
    """Times it was played."""

    likes: WholeNumber | None = None
    """Likes."""

    comments: WholeNumber | None = None
    """Comments."""

    shares: WholeNumber | None = None
    """Times it was shared."""

    saves: WholeNumber | None = None
    """Times it was saved."""

    reach: WholeNumber | None = None
    """Accounts that saw it."""


class Embedding(Inbound, frozen=True, kw_only=True):
    """Where a reel lies in the space of a visual model."""

    model: str
    """Name of the model; only embeddings of one model can be compared."""

    f16: Base64
    """The vector: little-endian float16, of unit length, base64."""


class Reel(Inbound, frozen=True, kw_only=True):
    """One short video with what is known of it."""

    reel_id: Id
    """Id of the reel, unique on its platform; at most 256 bytes of UTF-8."""

    published_at: Time
    """When it was published. This is the event time of all its signals."""

    author_id: Id
    """Id of the account that published it; at most 256 bytes of UTF-8."""

    observed_at: Time | None = None
    """When the producer saw it in this state."""

    author_followers: WholeNumber | None = None
    """Accounts that follow the author."""

    platform: str | None = None
    """Where it was published, such as `tiktok`."""

    language: str | None = None
    """Language of the reel, BCP 47, such as `pt-BR`."""

    region: str | None = None
    """Region of the author, ISO 3166-1 alpha-2, such as `BR`."""

    caption: str | None = None
    """What the author wrote under it."""

    hashtags: Hashtags | None = None
    """Hashtags without `#`. Where the field is absent they are taken from the caption."""

    audio: Audio | None = None
    """The sound it uses."""

    media_url: str | None = None
    """Where the video can be fetched."""

    duration_s: Seconds | None = None
    """Length of the video in seconds."""

    metrics: Metrics | None = None
    """How it was doing when it was observed."""

    transcript: str | None = None
    """What is said in it."""

    ocr_text: str | None = None
    """What is written in its picture."""

    embedding: Embedding | None = None
    """Where it lies in the space of a visual model."""


_decoder = msgspec.json.Decoder(Reel)
_encoder = msgspec.json.Encoder()


def decode(line: bytes) -> Reel:
    """Read one reel from JSON.

    Raises
    ------
    msgspec.DecodeError
        Where the line is not JSON; its subclass `msgspec.ValidationError` where it is not a reel.
    """
    return _decoder.decode(line)


def encode(reel: Reel) -> bytes:
    """Write one reel as a line of JSON, without the newline."""
    return _encoder.encode(reel)
