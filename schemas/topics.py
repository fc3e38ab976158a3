"""The topics: their names, what is in them, how it is keyed and how long it is kept.

>>> TRENDS.name, TRENDS.key, TRENDS.retention.days
('trends.v1', 'trend_id', 30)
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Literal

import msgspec

from schemas.deadletters import DeadLetterHeaders
from schemas.reels import Reel
from schemas.trends import Trend


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic.

    `key` is the field of the record that is the message's key (UTF-8), so that all messages about
    one thing are in one partition, in order. `retention` is how long a message is kept at least.
    """

    name: str
    record: type[msgspec.Struct]
    key: str
    retention: timedelta
    action: Literal["receive", "send"]  # what Groundswell does
    about: str
    headers: type[msgspec.Struct] | None = None
    cleanup: tuple[str, ...] = ("delete",)  # `compact`: of each key the newest message is kept
    opaque: bool = False  # the value is bytes as they came, and need not be a `record`


REELS: Final = Topic(
    name="reels.v1",
    record=Reel,
    key="reel_id",
    retention=timedelta(days=7),
    action="receive",
    about="Reels as they come in. A reel may come again with newer metrics or more signals.",
)

ENRICHED: Final = Topic(
    name="reels.enriched.v1",
    record=Reel,
    key="reel_id",
    retention=timedelta(days=7),
    action="receive",
    about="Reels after extraction: the same shape, with fingerprints, text and embedding.",
)

TRENDS: Final = Topic(
    name="trends.v1",
    record=Trend,
    key="trend_id",
    retention=timedelta(days=30),
    action="send",
    about="Trends, one message a revision.",
)

CURRENT: Final = Topic(
    name="trends.current.v1",
    record=Trend,
    key="trend_id",
    retention=timedelta(days=30),
    action="send",
    about="The newest revision of each trend: what a reader needs who begins now.",
    cleanup=("compact", "delete"),
)

DEAD_LETTERS: Final = Topic(
    name="reels.v1.dlq",
    record=Reel,
    key="reel_id",
    retention=timedelta(days=14),
    action="send",
    about="What came on a reel topic and is not a reel: key and value as they came, the fault in "
    "the headers.",
    headers=DeadLetterHeaders,
    opaque=True,
)

TOPICS: Final = (REELS, ENRICHED, TRENDS, CURRENT, DEAD_LETTERS)
"""All topics, in the order of the way of the data."""
