"""What a community consists of, as bytes: the label of its reports."""

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

_COUNT: Final = struct.Struct("<H")
_HEAD: Final = struct.Struct("<QBIH")
_BOND: Final = struct.Struct("<QQIII")


class Part(NamedTuple):
    """One of the signals of a community."""

    hash: int
    kind: int
    label: bytes
    """UTF-8, at most 65,535 bytes; as in `operators.blocks.ShardRows`."""
    reels: int
    """Of the community, with this signal and others of it."""


class Bond(NamedTuple):
    """An edge of the graph between two of them."""

    low: int
    """Hashes of the signals, this the lower one."""
    high: int
    reels: int
    """With both, since it is an edge."""
    authors: int
    """Distinct ones of each hour, summed."""
    since: int
    """Hour since 1970 in which the two were significant for the first time."""


def packed(parts: Sequence[Part], bonds: Sequence[Bond] = ()) -> bytes:
    """Return parts, and bonds of any of them, as bytes.

    Example:
        >>> data = packed([Part(7, 1, b"cat", 20)], [Bond(7, 9, 12, 11, 4)])
        >>> unpacked(data)
        [Part(hash=7, kind=1, label=b'cat', reels=20)]
        >>> bonds(data)
        [Bond(low=7, high=9, reels=12, authors=11, since=4)]
    """
    return b"".join(
        [
            _COUNT.pack(len(parts)),
            *(
                _HEAD.pack(part.hash, part.kind, part.reels, len(part.label)) + part.label
                for part in parts
            ),
            *(_BOND.pack(*bond) for bond in bonds),
        ]
    )


def unpacked(data: bytes) -> list[Part]:
    """Return the parts that `packed` wrote."""
    return _parts(data)[0]


def bonds(data: bytes) -> list[Bond]:
    """Return the bonds that `packed` wrote."""
    return [Bond(*one) for one in _BOND.iter_unpack(data[_parts(data)[1] :])]


def _parts(data: bytes) -> tuple[list[Part], int]:
    """Return the parts, and where they end; none of nothing."""
    if not data:
        return [], 0
    parts, at = [], _COUNT.size
    for _ in range(_COUNT.unpack_from(data)[0]):
        signal, kind, reels, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size + length
        parts.append(Part(signal, kind, data[at - length : at], reels))
    return parts, at
