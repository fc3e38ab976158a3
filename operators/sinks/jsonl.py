"""Trends as JSON lines, one revision a line."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from operators.durable import failpoints
from operators.durable.fence import Fence, writing
from operators.durable.segments import sync_folder, write_all
from schemas.trends import Trend, encode

COMPRESSED = (".gz", ".zst", ".bz2", ".xz", ".zip")

X = TypeVar("X")


class OutputError(OSError):
    """A file or store that cannot be written: its path and what is wrong, in one line."""


def check(path: Path) -> None:
    """Say before a run starts that lines cannot be written to `path`. Raises `OutputError`."""
    if path.name == "-":
        raise OutputError("-: expected a file, a resumable run cannot write to a pipe")
    if path.suffix.lower() in COMPRESSED:
        raise OutputError(
            f"{path}: expected an uncompressed file such as {path.stem}, "
            "a compressed one cannot be cut back when a run is resumed"
        )
    if not path.parent.is_dir():
        raise OutputError(f"{path}: the folder {path.parent} does not exist")
    if path.exists() and not path.is_file():
        raise OutputError(f"{path}: expected a plain file")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise OutputError(f"{path}: not allowed to write there")


class LinesPart(StatefulSinkPartition[X, int], Generic[X]):
    """An open file of lines. Its state is the length in bytes of all that was written to it.

    Resumed, the file is cut back to that length, so that lines written after the snapshot, whole
    or torn, are written again and not twice. Raises `OutputError` where the file is shorter.
    """

    def __init__(
        self,
        path: Path,
        encode: Callable[[X], bytes],
        resume_state: int | None,
        fence: Fence | None = None,
    ) -> None:
        check(path)
        self._encode = encode
        self._fence = fence
        with writing(fence):
            self._open(path, resume_state)

    def _open(self, path: Path, resume_state: int | None) -> None:
        self._file = path.open("ab", buffering=0)  # or lines that a full disk refused come later
        found = os.fstat(self._file.fileno()).st_size
        self._at = resume_state or 0
        if found < self._at:
            self._file.close()
            raise OutputError(
                f"{path}: expected at least the {self._at} bytes written before the run was "
                f"stopped, found {found}; it was changed, so the run cannot be resumed"
            )
        self._file.truncate(self._at)
        sync_folder(path.parent)
        self._dirty = True

    def write_batch(self, values: list[X]) -> None:
        """Append one line for each value."""
        if values:
            lines = b"".join(self._encode(value) + b"\n" for value in values)
            with writing(self._fence):
                self._write(lines)
            self._at += len(lines)
            self._dirty = True

    def _write(self, lines: bytes) -> None:
        try:
            write_all(self._file.fileno(), lines, "sink-write")
        except OSError as error:
            raise OutputError(f"{self._file.name}: cannot be written ({error.strerror})") from error

    def snapshot(self) -> int:
        """Make what was written durable and return the length in bytes."""
        if self._dirty:
            failpoints.reach("sink-fsync.before")
            os.fsync(self._file.fileno())
            failpoints.reach("sink-fsync.after")
            self._dirty = False
        return self._at

    def close(self) -> None:
        """Make what was written durable and close the file."""
        self.snapshot()
        self._file.close()


class TrendsFile(FixedPartitionedSink[Trend, int]):
    """A file of trends; items are `(key, Trend)`, in the order in which they come."""

    def __init__(self, path: Path, fence: Fence | None = None) -> None:
        self._path = path
        self._fence = fence

    def list_parts(self) -> list[str]:
        """The one part, whatever the number of workers."""
        return ["trends"]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> LinesPart[Trend]:
        """Open the file: anew without a state, else cut back to it."""
        return LinesPart(self._path, encode, resume_state, self._fence)
