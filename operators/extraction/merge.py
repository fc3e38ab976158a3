"""What is found is merged into a reel: fields that it lacks, and no others.

>>> reel = decode(
...     b'{"reel_id":"r","published_at":"2026-01-05T14:10:00Z","author_id":"a",'
...     b'"transcript":"hello","audio":{"audio_id":"7"}}'
... )
>>> found = merged(reel, {"transcript": "goodbye", "audio": Audio(fingerprint="AQAA")})
>>> found.transcript, found.audio.audio_id, found.audio.fingerprint
('hello', '7', 'AQAA')
>>> lacks(reel, "audio.fingerprint"), lacks(reel, "audio.audio_id"), lacks(reel, "ocr_text")
(True, False, True)
"""

from typing import Any

import msgspec

from extractors.media import Fields
from schemas.reels import Audio, Reel, decode

__all__ = ["Audio", "decode", "lacks", "merged"]


def lacks(reel: Reel, name: str) -> bool:
    """Whether a field, such as `transcript` or `audio.landmarks`, is absent."""
    value: Any = reel
    for part in name.split("."):
        value = getattr(value, part)
        if value is None:
            return True
    return False


def merged(reel: Reel, fields: Fields) -> Reel:
    """Return a reel with those of `fields` that it lacks; within `audio` too."""
    more: dict[str, Any] = {}
    for name, value in fields.items():
        here = getattr(reel, name)
        if here is None:
            more[name] = value
        elif isinstance(here, Audio):
            lacking = {
                one: found
                for one in Audio.__struct_fields__
                if getattr(here, one) is None and (found := getattr(value, one)) is not None
            }
            more[name] = msgspec.structs.replace(here, **lacking)
    return msgspec.structs.replace(reel, **more) if more else reel
