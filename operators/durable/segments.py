"""Segments: the files that states are written to, each once and whole.

    magic, format version
    record, record, …        count of parts, their sizes, the parts
    index                    of each record: step, key, base or delta, offset, length, checksum
    length and checksum of the index, magic

Little-endian; checksums are CRC-32. A segment is written beside its place, made durable and then
renamed, so that one that is there is whole; what time and disks do to it later, reading finds.
A part is a buffer as pickle's protocol 5 hands it over: an array is written from where it lies and
read to where it stays.
"""

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from operators.durable import failpoints
from operators.durable.faults import DamagedError, DurableError

FORMAT: Final = 11
"""Of the files below and of what is pickled into them. Change it when either changes."""

Buffer = bytes | bytearray | memoryview

_MAGIC: Final = b"groundsw"
_HEAD: Final = struct.Struct("<8sII")  # magic, format, 0
_TAIL: Final = struct.Struct("<II8s")  # length of the index, its checksum, magic
_COUNT: Final = struct.Struct("<Q")
_CHUNK: Final = 1 << 20


class Ref(msgspec.Struct, frozen=True, array_like=True):
    """Where one record lies."""

    file: str
    offset: int
    length: int
    checksum: int


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    step: str
    key: str
    base: bool
    ref: Ref


@dataclass(frozen=True, slots=True)
class Record:
    """What is to be written for one key of a step: a base, which is the whole state, or a delta."""

    step: str
    key: str
    base: bool
    parts: Sequence[Buffer]


def write(folder: Path, name: str, records: Sequence[Record]) -> list[Ref]:
    """Write a segment, durable. Raises `DurableError` where the folder cannot take it."""
    part = folder / (name + ".part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o644)
        try:
            refs = _write(handle, name, records)
            failpoints.reach("segment-fsync.before")
            os.fsync(handle)
            failpoints.reach("segment-fsync.after")
        finally:
            os.close(handle)
        failpoints.reach("segment-rename.before")
        part.rename(folder / name)
        failpoints.reach("segment-rename.after")
        sync_folder(folder)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise DurableError(
            f"{folder.parent}: the state cannot be written ({error.strerror}); the run has stopped "
            "and goes on when that is mended"
        ) from error
    return refs


def read(folder: Path, ref: Ref) -> list[memoryview]:
    """Read the parts of a record, each to memory of its own. Raises `DamagedError`."""
    path = folder / ref.file
    with _open(path) as handle:
        (count,) = _COUNT.unpack(_exactly(handle, ref.offset, _COUNT.size, path))
        if count * _COUNT.size >= ref.length:
            raise DamagedError(f"{path}: not what was written at byte {ref.offset}")
        table = _exactly(handle, ref.offset + _COUNT.size, count * _COUNT.size, path)
        sizes = np.frombuffer(table, "<u8")
        at = ref.offset + _COUNT.size + len(table)
        checksum = zlib.crc32(table, zlib.crc32(_COUNT.pack(count)))
        if at + int((sizes >> np.uint64(1)).sum()) != ref.offset + ref.length:
            raise DamagedError(f"{path}: not what was written at byte {ref.offset}")
        parts = []
        for size in sizes.tolist():
            view = np.empty(size >> 1, np.uint8).data
            _fill(handle, at, view, path)
            checksum = zlib.crc32(view, checksum)
            parts.append(view.toreadonly() if size & 1 else view)
            at += len(view)
    if checksum != ref.checksum:
        raise DamagedError(f"{path}: not what was written at byte {ref.offset} (checksum)")
    return parts


def check(folder: Path, step: str, key: str, ref: Ref) -> None:
    """Read a record without keeping it. Raises `DamagedError` where it is not what was written."""
    path = folder / ref.file
    with _open(path) as handle:
        if not any((e.step, e.key, e.ref) == (step, key, ref) for e in _index(handle, path)):
            raise DamagedError(f"{path}: expected the state of {step} {key}, found other keys")
        checksum, at, end = 0, ref.offset, ref.offset + ref.length
        while at < end:
            chunk = _exactly(handle, at, min(_CHUNK, end - at), path)
            checksum = zlib.crc32(chunk, checksum)
            at += len(chunk)
    if checksum != ref.checksum:
        raise DamagedError(f"{path}: not what was written at byte {ref.offset} (checksum)")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable."""
    failpoints.reach("folder-fsync.before")
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    failpoints.reach("folder-fsync.after")


def write_all(handle: int, data: Buffer, place: str) -> None:
    """Write all of `data`, with the failpoints of `place` around it. Raises OSError."""
    left = memoryview(data).cast("B")
    failpoints.reach(f"{place}.before", lambda: os.write(handle, left[: len(left) // 2]))
    while left:
        left = left[os.write(handle, left) :]
    failpoints.reach(f"{place}.after")


def _write(handle: int, name: str, records: Sequence[Record]) -> list[Ref]:
    write_all(handle, _HEAD.pack(_MAGIC, FORMAT, 0), "segment-write")
    at = _HEAD.size
    entries = []
    for record in records:
        if record.base:
            failpoints.reach("base.before")
        length, checksum = 0, 0
        for piece in _pieces(record.parts):
            checksum = zlib.crc32(piece, checksum)
            length += len(piece)
            write_all(handle, piece, "segment-write")
        if record.base:
            failpoints.reach("base.after")
        ref = Ref(name, at, length, checksum)
        entries.append(_Entry(record.step, record.key, record.base, ref))
        at += length
    index = msgspec.msgpack.encode(entries)
    tail = _TAIL.pack(len(index), zlib.crc32(index), _MAGIC)
    write_all(handle, index + tail, "segment-write")
    return [entry.ref for entry in entries]


def _pieces(parts: Sequence[Buffer]) -> Iterator[memoryview]:
    """The table of a record's parts (twice the size, and one where it is read-only), the parts."""
    views = [memoryview(part).cast("B") for part in parts]
    table = [len(views), *(len(view) << 1 | view.readonly for view in views)]
    yield np.array(table, "<u8").data.cast("B")
    yield from (view for view in views if len(view))


def _index(handle: int, path: Path) -> list[_Entry]:
    magic, version, _ = _HEAD.unpack(_exactly(handle, 0, _HEAD.size, path))
    if magic != _MAGIC or version != FORMAT:
        raise DamagedError(f"{path}: expected a segment of format {FORMAT}")
    size = os.fstat(handle).st_size
    length, checksum, magic = _TAIL.unpack(_exactly(handle, size - _TAIL.size, _TAIL.size, path))
    if magic != _MAGIC or length > size:
        raise DamagedError(f"{path}: does not end as it was written")
    index = _exactly(handle, size - _TAIL.size - length, length, path)
    if zlib.crc32(index) != checksum:
        raise DamagedError(f"{path}: its index is not what was written (checksum)")
    return msgspec.msgpack.decode(index, type=list[_Entry])


@contextmanager
def _open(path: Path) -> Iterator[int]:
    """The open file. Raises `DamagedError` where there is none or the disk does not give it."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        raise DamagedError(f"{path}: cannot be read ({error.strerror})") from None
    try:
        yield handle
    finally:
        os.close(handle)


def _exactly(handle: int, offset: int, length: int, path: Path) -> bytes:
    found = os.pread(handle, length, offset) if offset >= 0 else b""
    if len(found) != length:
        raise DamagedError(f"{path}: is shorter than what was written")
    return found


def _fill(handle: int, offset: int, target: memoryview, path: Path) -> None:
    while target:
        got = os.preadv(handle, [target], offset)
        if not got:
            raise DamagedError(f"{path}: is shorter than what was written")
        target, offset = target[got:], offset + got
