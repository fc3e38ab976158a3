"""The fields of `reels.v1` as tables: what each is called, where it is and what it holds.

A name of at most 16 bytes is known by its length, its first eight bytes and its last eight, so that
one look at a table of hashes without collisions finds a field. What the tables say is checked
against `schemas.reels` by a test, field by field.
"""

from typing import Any, Final

import numpy as np
import numpy.typing as npt
from numba import njit

from operators.blocks import LINE_LIMIT
from operators.faults import ID_LIMIT
from operators.reels import NUMBERS, TEXTS
from operators.scanner.memory import peek_word
from schemas.base import MAX_COUNT

REEL, AUDIO, METRICS, EMBEDDING, LANDMARKS = range(5)
"""The objects of a line."""

ID, NAME, TEXT, KEPT, UNKEPT, PUBLISHED, TIME, HASHTAGS, COUNT, SECONDS, FLAG, BASE64, OBJECT = (
    range(13)
)
"""What a field holds. `ID`, `NAME`, `TEXT` and `KEPT` are kept in the text column that `ARGUMENT`
says: an id has a byte at least, an id or a name `ID_LIMIT` at most, and `KEPT` is base64. `COUNT`
goes up to, and `SECONDS` ends below `ARGUMENT`; `OBJECT` is the object `ARGUMENT`."""

UNKNOWN: Final = -1
"""No field: of a key that `reels.v1` does not name."""

_COUNTS: Final = ("views", "likes", "comments", "shares", "saves", "reach")
FIELDS: Final = (
    (REEL, "reel_id", ID, TEXTS.index("reel_id")),
    (REEL, "published_at", PUBLISHED, 0),
    (REEL, "author_id", ID, TEXTS.index("author_id")),
    (REEL, "observed_at", TIME, 0),
    (REEL, "author_followers", COUNT, MAX_COUNT),
    *((REEL, name, UNKEPT, 0) for name in ("platform", "media_url")),
    *((REEL, name, TEXT, TEXTS.index(name)) for name in ("language", "region")),
    *((REEL, name, TEXT, TEXTS.index(name)) for name in ("caption", "transcript", "ocr_text")),
    (REEL, "hashtags", HASHTAGS, 0),
    (REEL, "audio", OBJECT, AUDIO),
    (REEL, "duration_s", SECONDS, 604_800),
    (REEL, "metrics", OBJECT, METRICS),
    (REEL, "embedding", OBJECT, EMBEDDING),
    (AUDIO, "audio_id", NAME, TEXTS.index("audio_id")),
    *((AUDIO, name, TEXT, TEXTS.index(name)) for name in ("title", "artist")),
    (AUDIO, "original", FLAG, 0),
    (AUDIO, "uses", COUNT, MAX_COUNT),
    (AUDIO, "url", UNKEPT, 0),
    (AUDIO, "fingerprint", TEXT, TEXTS.index("fingerprint")),
    (AUDIO, "landmarks", OBJECT, LANDMARKS),
    *((METRICS, name, COUNT, MAX_COUNT) for name in _COUNTS),
    (EMBEDDING, "model", UNKEPT, 0),
    (EMBEDDING, "f16", BASE64, 0),
    (LANDMARKS, "version", COUNT, 65_535),
    (LANDMARKS, "data", KEPT, TEXTS.index("landmarks")),
)
_REQUIRED: Final = {
    REEL: {"reel_id", "published_at", "author_id"},
    EMBEDDING: {"model", "f16"},
    LANDMARKS: {"version", "data"},
}

HOLDS: Final = np.array([holds for _, _, holds, _ in FIELDS])
"""By field: what it holds."""

ARGUMENT: Final = np.array([argument for *_, argument in FIELDS])
"""By field: column, limit or object; see `ID` and the others."""

NONE: Final = -1
NUMBER: Final = np.array(
    [NUMBERS.index(name) if name in NUMBERS else NONE for _, name, _, _ in FIELDS]
)
"""By field: the column of a count that is kept; `NONE` for all else."""

OPTIONAL: Final = np.array(
    [name not in _REQUIRED.get(object_, ()) for object_, name, _, _ in FIELDS]
)
"""By field: whether it may be null, or not be there."""

REQUIRED: Final = np.array(
    [
        sum(1 << i for i, field in enumerate(FIELDS) if field[0] == one and not OPTIONAL[i])
        for one in range(5)
    ]
)
"""By object: bit i is set where field i must be there."""

LEAST: Final = np.array([int(holds == ID) for holds in HOLDS])
MOST: Final = np.array([ID_LIMIT if holds in {ID, NAME} else LINE_LIMIT for holds in HOLDS])
"""By field: fewest and most bytes of its text."""

PARENT: Final = np.array([REEL, REEL, REEL, REEL, AUDIO])
"""By object: the one it is in."""

_SLOTS: Final = 256
_LONGEST: Final = 16


def _words(name: str) -> tuple[int, int]:
    text = name.encode()
    last = int.from_bytes(text[-8:], "little", signed=True) if len(text) >= 8 else 0
    return int.from_bytes(text[:8], "little", signed=True), last


_FIRST: Final = np.array([_words(name)[0] for _, name, _, _ in FIELDS])
_LAST: Final = np.array([_words(name)[1] for _, name, _, _ in FIELDS])
_PLACE: Final = np.array([len(name) << 3 | object_ for object_, name, _, _ in FIELDS])
_MASK: Final = np.array([(1 << 8 * size) - 1 for size in range(8)] + [-1] * (_LONGEST - 7))


def _slot(first: Any, last: Any, place: Any, factor: int) -> Any:
    return ((first + 3 * last ^ place) * factor >> 40) & (_SLOTS - 1)


def _table() -> tuple[int, npt.NDArray[np.int64]]:
    """The first factor without collisions, and the field of each slot."""
    for factor in range(0x9E3779B97F4B, 0x9E3779B98F4B, 2):
        slots = _slot(_FIRST, _LAST, _PLACE, factor)
        if np.unique(slots).size == slots.size:
            table = np.full(_SLOTS, UNKNOWN)
            table[slots] = np.arange(slots.size)
            return factor, table
    raise AssertionError("no hash function without collisions")


_FACTOR, _FIELD = _table()
_slot_of = njit(cache=True)(_slot)


@njit(cache=True)
def find(at: int, size: int, one: int) -> int:
    """The field of object `one` whose name are the `size` bytes from address `at` on."""
    if size > _LONGEST:
        return UNKNOWN
    first = peek_word(at) & _MASK[size]
    last = peek_word(at + size - 8) if size >= 8 else 0
    place = size << 3 | one
    field = _FIELD[_slot_of(first, last, place, _FACTOR)]
    same = _FIRST[field] == first and _LAST[field] == last and _PLACE[field] == place
    return field if same else UNKNOWN
