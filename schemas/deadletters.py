"""What is said of a message that could not be read: the headers of `reels.v1.dlq`."""

from typing import Annotated

import msgspec

from schemas.base import Outbound

NotNegative = Annotated[int, msgspec.Meta(ge=0)]


class DeadLetterHeaders(Outbound, frozen=True, kw_only=True):
    """Why a message was refused and where it was. Numbers are decimal digits on the wire."""

    error: str
    """Class of the fault, such as `broken_json`; a short list that is safe to count by."""

    reason: str
    """What was found and what was expected, for people."""

    topic: str
    """Topic the message was on."""

    partition: NotNegative
    """Its partition there."""

    offset: NotNegative
    """Its offset there."""

    length: NotNegative
    """Length of its value in bytes; more than what is here where that was cut."""
