"""What people said of trends as a run takes it: a copy, so that it stays the same while it runs.

The radar appends to its file at any time. A run reads `heard.jsonl` in its state folder instead,
which is as the file was when the run began; after a kill it is still that. It grows only between
two runs of the workers of which the first ended in good order, when nothing was told beyond what
is in their states.
"""

import os
from pathlib import Path
from typing import Final

from flows.errors import UserError
from operators.feedback import Word, words_of
from schemas.feedback import MAX_BYTES, MAX_LINE

NAME: Final = "heard.jsonl"


class FeedbackError(UserError):
    """A file of feedback that cannot be used, and why, in one line."""


def heard(source: str, folder: Path, begun: bool) -> str | None:
    """Copy what people said into a folder, unless a run has begun there; return where it is.

    Args:
        source: as in the settings; empty: nothing is heard. A file that is not there yet is empty.

    Raises:
        FeedbackError: it cannot be read.
    """
    kept = folder / NAME
    if not begun:
        kept.unlink(missing_ok=True)
    if source and not kept.exists():
        _write(kept, b"" if begun else _said(Path(source)))
    return str(kept.absolute()) if kept.exists() else None


def hear_more(source: str, folder: Path) -> None:
    """Add what people said since to the copy. Raises OSError or `FeedbackError`."""
    more = _since(source, folder)
    if more:
        _write(folder / NAME, (folder / NAME).read_bytes() + more)


def has_more(source: str, folder: Path) -> bool:
    """Whether people said more since it was copied. Raises OSError or `FeedbackError`."""
    return bool(source and _since(source, folder))


def read(path: Path) -> list[Word]:
    """Return the words of a copy."""
    lines = path.read_bytes().split(b"\n")
    return words_of(line for line in lines if len(line) <= MAX_LINE)


def _since(source: str, folder: Path) -> bytes:
    before, now = (folder / NAME).read_bytes(), _said(Path(source))
    if not now.startswith(before):
        raise FeedbackError(f"feedback = {source}: is another file than when this run began")
    return now[len(before) :]


def _said(path: Path) -> bytes:
    """The whole lines of a file, of its first 64 MiB."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES)
    except FileNotFoundError:
        if not path.absolute().parent.is_dir():
            raise FeedbackError(
                f"feedback = {path}: the folder {path.parent} does not exist"
            ) from None
        return b""
    except OSError as error:
        raise FeedbackError(f"feedback = {path}: {error.strerror}") from None
    return data[: data.rfind(b"\n") + 1]


def _write(path: Path, data: bytes) -> None:
    """Write a file whole, or leave it as it was."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
