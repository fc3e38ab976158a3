"""The two kinds of record the contract is made of, and the types its fields share."""

from datetime import datetime
from typing import Annotated, Final

import msgspec

TIME_PATTERN: Final = (
    r"^(?!0000)(?!9999-12-31.23:59:59[.]999999[5-9])"
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    r"|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
    r"[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:[.][0-9]+)?"
    r"(?:[Zz]|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])$(?!\n)"
)
"""What msgspec reads as a time with an offset. `format` alone would only be a note (2020-12)."""

BASE64_PATTERN: Final = r"^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$(?!\n)"
"""What msgspec reads as base64. `contentEncoding` alone would only be a note (2020-12)."""

MAX_COUNT: Final = 2**53 - 1
"""Largest count: the last integer on which all readers of JSON agree."""

Time = Annotated[datetime, msgspec.Meta(tz=True, extra_json_schema={"pattern": TIME_PATTERN})]
"""A moment: RFC 3339 with an offset. What Groundswell writes is UTC and ends in `Z`."""

Base64 = Annotated[bytes, msgspec.Meta(extra_json_schema={"pattern": BASE64_PATTERN})]
"""Bytes, in JSON as standard base64 with padding."""

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
"""An opaque name: 1 to 256 characters (where a reel is decoded also at most 256 bytes)."""

WholeNumber = (
    Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]
    | Annotated[float, msgspec.Meta(ge=0, le=MAX_COUNT, multiple_of=1)]
)
"""A count as others write it: `31`, or `31.0`, which JSON Schema holds to be the same integer."""


class Inbound(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record that others write.

    Subclasses repeat `frozen` and `kw_only`: the one for type checkers, the other because it holds
    only for the fields of the class that says it.

    Unknown fields are ignored, so that a producer may send more than we read. A field that is
    `null` is absent. `frozen`: a record is a fact. `gc=False`: no record can hold a cycle, and
    a list of a million tracked ones makes the collector cost more than the decoding.
    """


class Outbound(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A record that Groundswell writes and reads again.

    `forbid_unknown_fields`: we own both ends, so a field that is not in the contract is a mistake
    of ours and must be loud. Every field is always written: a reader never has to know a default.
    """
