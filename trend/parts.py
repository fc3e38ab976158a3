"""What a community consists of, as bytes: the label of its reports."""

import struct
from collections.abc import Iterable
from typing import Final, NamedTuple

_HEAD: Final = struct.Struct("<QBIH")


class Part(NamedTuple):
    """One of the signals of a community."""

    hash: int
    kind: int
    label: bytes
    """UTF-8, at most 65,535 bytes; as in `operators.blocks.ShardRows`."""
    reels: int
    """Of the community, with this signal and others of it."""


def packed(parts: Iterable[Part]) -> bytes:
    """Return parts as bytes.

    Example:
        >>> unpacked(packed([Part(7, 1, b"cat", 20)]))
        [Part(hash=7, kind=1, label=b'cat', reels=20)]
    """
    return b"".join(
        _HEAD.pack(part.hash, part.kind, part.reels, len(part.label)) + part.label for part in parts
    )


def unpacked(data: bytes) -> list[Part]:
    """Return the parts that `packed` wrote."""
    parts, at = [], 0
    while at < len(data):
        signal, kind, reels, length = _HEAD.unpack_from(data, at)
        at += _HEAD.size + length
        parts.append(Part(signal, kind, data[at - length : at], reels))
    return parts
