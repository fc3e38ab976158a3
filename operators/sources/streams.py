"""The bytes of an input, decompressed, in bounded blocks.

Blocks are cut at the same places whenever the same file is read from its start, so that where a
damaged file stops being readable is the same in every run.
"""

import os
import select
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import zstandard

BLOCK: Final = 1 << 18
"""Most bytes in a block."""

_PACKED = 1 << 16  # bytes of .gz read at a time
_FRAME_BYTES = 1 << 10  # of .zst: no input this short grows to more than 32 MiB
_WINDOW = 1 << 27  # memory a .zst may ask for, what the zstd command allows


class BrokenError(Exception):
    """The input breaks off here. What was readable has been handed over."""


def read(file: BinaryIO, path: Path, offset: int = 0) -> Iterator[bytes]:
    """The bytes of an open file from `offset` on, counted after decompression.

    `.gz` and `.zst` are decompressed, several members or frames as one input; anything else is
    read as it is. Raises `BrokenError` at the end of what is readable of a damaged file.
    """
    match path.suffix.lower():
        case ".gz":
            yield from _after(_gunzip(file), offset)
        case ".zst":
            yield from _after(_unzstd(file), offset)
        case _:
            file.seek(offset)
            while block := file.read(BLOCK):
                yield block


def read_pipe(descriptor: int) -> Iterator[bytes]:
    """The bytes of a pipe or terminal. An empty block means that there is nothing to read yet."""
    while True:
        if not select.select([descriptor], [], [], 0)[0]:
            yield b""
        elif block := os.read(descriptor, BLOCK):
            yield block
        else:
            return


def _after(blocks: Iterator[bytes], offset: int) -> Iterator[bytes]:
    for block in blocks:
        if offset < len(block):
            yield block[offset:] if offset else block
        offset = max(0, offset - len(block))


def _gunzip(file: BinaryIO) -> Iterator[bytes]:
    member = None
    while packed := file.read(_PACKED):
        while packed:
            if member is None:
                packed = packed.lstrip(b"\0")  # members may be padded
                if not packed:
                    break
                member = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
            try:
                block = member.decompress(packed, BLOCK)
            except zlib.error as error:
                raise BrokenError(f"damaged gzip: {error}") from None
            if block:
                yield block
            packed = member.unused_data if member.eof else member.unconsumed_tail
            if member.eof:
                member = None
    if member is not None:
        if block := member.flush():
            yield block
        raise BrokenError("truncated gzip: expected the end of a member, got the end of the file")


def _unzstd(file: BinaryIO) -> Iterator[bytes]:
    decompressor = zstandard.ZstdDecompressor(max_window_size=_WINDOW)
    frame = None
    while packed := file.read(_FRAME_BYTES):
        while packed:
            if frame is None:
                frame = decompressor.decompressobj()
            try:
                unpacked = frame.decompress(packed)
            except zstandard.ZstdError as error:
                raise BrokenError(f"damaged zstd: {error}") from None
            for start in range(0, len(unpacked), BLOCK):
                yield unpacked[start : start + BLOCK]
            packed = frame.unused_data if frame.eof else b""
            if frame.eof:
                frame = None
    if frame is not None:
        raise BrokenError("truncated zstd: expected the end of a frame, got the end of the file")
