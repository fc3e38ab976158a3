"""Named places where a test makes the process fail: killed, or by an error of the disk.

GROUNDSWELL_FAILPOINT=name:N:action fails the N-th time that the process comes to `name`, or to any
place where `name` is `*`. Unset, a place costs one comparison.
"""

import errno
import os
import signal
from collections.abc import Callable
from typing import Final

VARIABLE: Final = "GROUNDSWELL_FAILPOINT"

PLACES: Final = tuple(
    f"{name}.{when}"
    for name in (
        "segment-write",
        "segment-fsync",
        "segment-rename",
        "folder-fsync",
        "base",
        "delete",
        "handle",
        "sink-write",
        "sink-fsync",
        "claim",
        "copy",
        "alert-send",
    )
    for when in ("before", "after")
)
"""`base` is the snapshot of a whole state, `claim` and `copy` the start of a run on a folder."""

ACTIONS: Final = ("kill", "eio", "enospc", "torn")
"""`torn` writes half of what was to be written, where there is something, and is then killed."""


class _Armed:
    """The one place that is to fail, and how often the process came to it."""

    def __init__(self, said: str) -> None:
        name, number, action = said.split(":")
        if (name != "*" and name not in PLACES) or action not in ACTIONS or int(number) < 1:
            raise ValueError(f"{VARIABLE} = {said}: expected name:N:action")
        self._name, self._left, self._action = name, int(number), action

    def reach(self, name: str, tear: Callable[[], object] | None) -> None:
        if self._name not in ("*", name):
            return
        self._left -= 1
        if self._left:
            return
        if self._action == "eio":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        if self._action == "enospc":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if self._action == "torn" and tear is not None:
            tear()
        os.kill(os.getpid(), signal.SIGKILL)


_armed: _Armed | None = _Armed(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def reach(name: str, tear: Callable[[], object] | None = None) -> None:
    """Come to a place of `PLACES`. Raises OSError, or never returns, where it is to fail."""
    if _armed is not None:
        _armed.reach(name, tear)


def arm(said: str | None) -> None:
    """Do as if the variable were `said`. Raises ValueError for what it cannot be."""
    global _armed  # noqa: PLW0603 — it stands for the environment
    _armed = _Armed(said) if said else None
