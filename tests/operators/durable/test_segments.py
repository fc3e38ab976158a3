"""A segment holds what was written to it, or says that it does not."""

import pickle
import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.durable import failpoints, segments
from operators.durable.faults import DamagedError, DurableError
from operators.durable.segments import Record, Ref

NAME = "g1-w0-count-00000001.seg"


def some() -> list[Record]:
    return [
        Record("count", "00", True, [b"inside", bytearray(range(200)), b""]),
        Record("count", "01", False, [bytearray(b"journal"), b""]),
        Record("count", "02", False, []),
    ]


def check_all(folder: Path, refs: list[Ref]) -> None:
    for record, ref in zip(some(), refs, strict=True):
        segments.check(folder, record.step, record.key, ref)


@given(st.lists(st.lists(st.binary(max_size=300), max_size=5), max_size=5))
def test_what_was_written_is_read(parts: list[list[bytes]]) -> None:
    records = [Record("count", str(n), n % 2 == 0, those) for n, those in enumerate(parts)]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        refs = segments.write(folder, NAME, records)
        assert [path.name for path in folder.iterdir()] == [NAME]
        for record, ref in zip(records, refs, strict=True):
            segments.check(folder, "count", record.key, ref)
            assert [bytes(part) for part in segments.read(folder, ref)] == record.parts


def test_arrays_come_back_writable_and_without_a_copy(tmp_path: Path) -> None:
    arrays = [np.arange(7.0), np.zeros(0, np.int32), np.arange(9, dtype=np.uint8)]
    arrays[2].flags.writeable = False
    outside: list[pickle.PickleBuffer] = []
    inside = pickle.dumps(arrays, 5, buffer_callback=outside.append)
    parts = [inside, *(one.raw() for one in outside)]
    (ref,) = segments.write(tmp_path, NAME, [Record("count", "00", True, parts)])
    inside_again, *outside_again = segments.read(tmp_path, ref)
    again = pickle.loads(inside_again, buffers=outside_again)
    for one, other in zip(arrays, again, strict=True):
        assert np.array_equal(one, other)
        assert one.dtype == other.dtype
        assert other.flags.writeable == one.flags.writeable
        assert other.flags.aligned


def test_any_flipped_bit_is_found(tmp_path: Path) -> None:
    refs = segments.write(tmp_path, NAME, some())
    path = tmp_path / NAME
    good = path.read_bytes()
    unused = range(12, 16)  # of the head
    for at in range(len(good)):
        if at in unused:
            continue
        path.write_bytes(good[:at] + bytes([good[at] ^ 1 << at % 8]) + good[at + 1 :])
        with pytest.raises(DamagedError, match=NAME):
            check_all(tmp_path, refs)


@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_bit_in_a_record_is_found_when_it_is_read(tmp_path: Path, seed: int) -> None:
    refs = segments.write(tmp_path, NAME, some())
    path = tmp_path / NAME
    good = path.read_bytes()
    at = random.Random(seed).randrange(refs[0].offset, refs[0].offset + refs[0].length)
    path.write_bytes(good[:at] + bytes([good[at] ^ 4]) + good[at + 1 :])
    with pytest.raises(DamagedError, match=NAME):
        segments.read(tmp_path, refs[0])


def test_a_segment_that_is_shorter_or_gone_is_found(tmp_path: Path) -> None:
    refs = segments.write(tmp_path, NAME, some())
    path = tmp_path / NAME
    good = path.read_bytes()
    for length in range(len(good)):
        path.write_bytes(good[:length])
        with pytest.raises(DamagedError, match=NAME):
            segments.check(tmp_path, "count", "00", refs[0])
    path.unlink()
    with pytest.raises(DamagedError, match="No such file"):
        segments.read(tmp_path, refs[0])


def test_the_state_of_another_key_is_not_taken(tmp_path: Path) -> None:
    refs = segments.write(tmp_path, NAME, some())
    for step, key in (("count", "01"), ("dedupe", "00")):
        with pytest.raises(DamagedError, match=f"expected the state of {step} {key}"):
            segments.check(tmp_path, step, key, refs[0])


@pytest.mark.parametrize("place", ["segment-write", "segment-fsync", "segment-rename"])
@pytest.mark.parametrize("action", ["eio", "enospc"])
def test_a_folder_that_takes_nothing_is_named_and_nothing_half_is_left(
    tmp_path: Path, place: str, action: str
) -> None:
    folder = tmp_path / "state" / "segments"
    folder.mkdir(parents=True)
    for when in ("before", "after"):
        failpoints.arm(f"{place}.{when}:1:{action}")
        try:
            with pytest.raises(DurableError, match="state: the state cannot be written"):
                segments.write(folder, NAME, some())
        finally:
            failpoints.arm(None)
        assert not [path for path in folder.iterdir() if path.suffix == ".part"]


def test_a_failpoint_is_one_that_there_is() -> None:
    for said in ("segment-write.before:0:kill", "elsewhere:1:kill", "handle.before:1:burn"):
        with pytest.raises(ValueError, match="expected name:N:action"):
            failpoints.arm(said)
    failpoints.arm("delete.before:2:eio")
    failpoints.reach("delete.before")
    failpoints.reach("delete.after")
    with pytest.raises(OSError, match="Input/output"):
        failpoints.reach("delete.before")
    failpoints.arm(None)
