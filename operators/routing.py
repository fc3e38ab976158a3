"""Keys that Bytewax gives to the worker we mean.

Bytewax sends a key to worker `hash(key) % workers`, by the hash of Rust's standard library:
SipHash-1-3 without a secret, of the key's bytes and one byte 0xff. So a key's *place*, its hash
modulo 12, says where it goes among 1, 2, 3, 4, 6 or 12 workers, and a letter or two at its end can
choose the place. No result depends on a place, only who does the work:

- a partition is deduped where it is read, so that no poll's texts cross between processes (Bytewax
  deals partitions to workers in turn, in the order of their names);
- shards are dealt so that workers have equally much to do, whatever else they have.

Source: Aumasson & Bernstein, "SipHash: a fast short-input PRF" (2012).
"""

from collections.abc import Sequence
from functools import cache
from itertools import count
from typing import Final

PLACES: Final = 12
_WORKERS: Final = (2, 3, 4, 6, 12)
_MASK: Final = (1 << 64) - 1
_START: Final = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def place_of(key: str) -> int:
    """Return the place of a key, from 0 to 11."""
    return worker_of(key, PLACES)


@cache
def worker_of(key: str, workers: int) -> int:
    """Return which of so many workers gets a key."""
    return _siphash_1_3(key.encode() + b"\xff") % workers


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


def deal(loads: Sequence[float], items: int, load: float) -> list[int]:
    """Deal items that are all of one load to places; return the place of each.

    `loads` is what each place has beside them. Two workers come out as even as can be, then 3, 4, 6
    and 12, as far as those before leave a choice.

    >>> deal([0.5, *[0.0] * 11], 6, 0.1)
    [1, 11, 5, 7, 1, 2]
    """
    loaded = list(loads)
    places = []
    for _ in range(items):
        place = min(range(PLACES), key=lambda at: _loads_of_workers(loaded, at))
        loaded[place] += load
        places.append(place)
    return places


def _loads_of_workers(loads: Sequence[float], place: int) -> list[float]:
    """The loads of the workers that a place falls to; rounded, so that equal ones are equal."""
    return [round(sum(loads[place % workers :: workers]), 9) for workers in _WORKERS]


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
