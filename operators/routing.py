"""Keys that Bytewax gives to the worker we mean.

Bytewax sends a key to worker `hash(key) % workers`, by the hash of Rust's standard library:
SipHash-1-3 without a secret, of the key's bytes and one byte 0xff. So a key's *place*, its hash
modulo 12, says where it goes among 1, 2, 3, 4, 6 or 12 workers, and a letter or two at its end can
choose the place. No result depends on a place, only who does the work:

- a partition is deduped where it is read, so that no poll's texts cross between processes (Bytewax
  deals partitions to workers in turn, in the order of their names);
- the worker that has the one step for all shards gets fewer shards.

Source: Aumasson & Bernstein, "SipHash: a fast short-input PRF" (2012).
"""

from collections.abc import Sequence
from functools import cache
from itertools import count
from typing import Final

PLACES: Final = 12
_MASK: Final = (1 << 64) - 1
_START: Final = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def place_of(key: str) -> int:
    """Return the place of a key, from 0 to 11."""
    return _siphash_1_3(key.encode() + b"\xff") % PLACES


@cache
def key_at(name: str, place: int) -> str:
    """Return a key that begins with a name and has a place.

    >>> key_at("07", 3), place_of(key_at("07", 3))
    ('07~31', 3)
    """
    return next(key for n in count() if place_of(key := f"{name}~{n}") == place)


def keys_of(partitions: Sequence[str]) -> dict[str, str]:
    """Return a key for each partition of a source: it goes where the partition is read."""
    return {name: key_at(name, i % PLACES) for i, name in enumerate(sorted(partitions))}


def spread(weights: Sequence[float], items: int) -> list[int]:
    """Deal items to places in proportion to their weights; return the place of each item.

    >>> spread([1, 3], 8)
    [1, 1, 0, 1, 1, 1, 0, 1]
    """
    dealt = [0.0] * len(weights)
    places = []
    for _ in range(items):
        place = min(range(len(weights)), key=lambda at: ((dealt[at] + 0.5) / weights[at], -at))
        dealt[place] += 1
        places.append(place)
    return places


def _siphash_1_3(data: bytes) -> int:
    """SipHash with one round a word and three at the end, under the key of zeros."""
    v = [*_START]
    whole = len(data) - len(data) % 8
    words = [int.from_bytes(data[at : at + 8], "little") for at in range(0, whole, 8)]
    words.append(int.from_bytes(data[whole:], "little") | (len(data) & 0xFF) << 56)
    for word in words:
        v[3] ^= word
        _round(v)
        v[0] ^= word
    v[2] ^= 0xFF
    for _ in range(3):
        _round(v)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _round(v: list[int]) -> None:
    a, b, c, d = v
    a = (a + b) & _MASK
    b = _rotated(b, 13) ^ a
    a = _rotated(a, 32)
    c = (c + d) & _MASK
    d = _rotated(d, 16) ^ c
    a = (a + d) & _MASK
    d = _rotated(d, 21) ^ a
    c = (c + b) & _MASK
    b = _rotated(b, 17) ^ c
    c = _rotated(c, 32)
    v[:] = a, b, c, d


def _rotated(x: int, bits: int) -> int:
    return (x << bits | x >> (64 - bits)) & _MASK
