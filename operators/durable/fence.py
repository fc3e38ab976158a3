"""Who may write: the run whose generation stands in the fence, and no earlier one.

Each run on a state folder is a generation. It takes the folder by writing its number into the
fence, under an exclusive lock; whoever writes to what the generations share (outputs, and files
that are deleted) holds the lock together with the others of its generation, and looks at the number
first. So a process that was stopped, and wakes after another run took over, finds that it may not
write, wherever it was stopped; and nobody takes over in the middle of a write.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Self

from operators.durable import failpoints
from operators.durable.faults import DurableError, FencedError

WAIT_S: Final = 3.0
"""How long a write of another generation may take before a take-over gives up."""

_DIGITS: Final = 20


class Fence:
    """The fence as one generation sees it; every process and every sink opens its own.

    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp(), "fence")
    >>> first = Fence.claim(path, 1)
    >>> with first.writing():
    ...     pass
    >>> second = Fence.claim(path, 2)
    >>> first.check()
    Traceback (most recent call last):
    ...
    operators.durable.faults.FencedError: ...: another run has taken over, so this one has stopped
    """

    def __init__(self, path: Path, generation: int) -> None:
        self.path = path
        self.generation = generation
        self._handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    @classmethod
    def claim(cls, path: Path, generation: int) -> Self:
        """Let `generation` write from now on, and none before it.

        Raises `DurableError` during a write of the one before, and where it is not the next.
        """
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            deadline = time.monotonic() + WAIT_S
            while not _locked(handle):
                if time.monotonic() > deadline:
                    raise DurableError(
                        f"{path.parent}: the run that holds this folder was stopped in the middle "
                        "of a write; kill it, then give the command again"
                    )
                time.sleep(0.01)
            found = _number(os.pread(handle, _DIGITS + 1, 0), path)
            if found != generation - 1:
                raise DurableError(f"{path.parent}: another run has just taken this folder")
            failpoints.reach("claim.before")
            os.pwrite(handle, b"%0*d\n" % (_DIGITS, generation), 0)
            os.fsync(handle)
            failpoints.reach("claim.after")
        finally:
            os.close(handle)
        return cls(path, generation)

    @staticmethod
    def read(path: Path) -> int:
        """The generation that may write; 0 where there was none. Raises `DurableError`."""
        try:
            said = path.read_bytes()
        except FileNotFoundError:
            return 0
        return _number(said, path)

    def check(self) -> None:
        """Raise `FencedError` where a later generation may write."""
        if _number(os.pread(self._handle, _DIGITS + 1, 0), self.path) != self.generation:
            raise FencedError(
                f"{self.path.parent}: another run has taken over, so this one has stopped"
            )

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Inside it no other generation can take over. Raises `FencedError` where one has."""
        fcntl.flock(self._handle, fcntl.LOCK_SH)
        try:
            self.check()
            yield
        finally:
            fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


@contextmanager
def writing(fence: Fence | None) -> Iterator[None]:
    """`fence.writing()`, or nothing where the run keeps no state."""
    if fence is None:
        yield
    else:
        with fence.writing():
            yield


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _number(said: bytes, path: Path) -> int:
    text = said.strip()
    if said and (len(said) != _DIGITS + 1 or not text.isdigit()):
        raise DurableError(f"{path}: expected the number of a run, found {said[:40]!r}")
    return int(text or b"0")
