"""Deletes segments that no epoch to which a run could go back refers to.

Bytewax's store has a snapshot until a later one is committed. So a segment can go when no snapshot
in the store refers to it, provided that its own snapshots have come there: they have when those of
a later segment of its step and process belong to an epoch that is complete.

Never called in a process that runs the flow: a second copy of SQLite that opens and closes a file
there takes away the locks of Bytewax's own.
"""

import re
from pathlib import Path
from typing import Final, NamedTuple

from operators.durable import failpoints
from operators.durable.store import RecoveryStore

_NAME: Final = re.compile(r"g(\d+)-w(\d+)-([a-z]+)-(\d+)\.seg(\.part)?")


class Name(NamedTuple):
    """What the name of a segment says: who wrote it, and which it was of theirs."""

    generation: int
    worker: int
    step: str
    number: int

    def __str__(self) -> str:
        return f"g{self.generation}-w{self.worker}-{self.step}-{self.number:08d}.seg"

    @classmethod
    def of(cls, name: str) -> "Name | None":
        """The name in the name of a file; None for other files."""
        found = _NAME.fullmatch(name)
        return found and cls(int(found[1]), int(found[2]), found[3], int(found[4]))

    @property
    def writer(self) -> tuple[int, int, str]:
        """Who wrote it."""
        return self[:3]


def sweep(folder: Path, store: RecoveryStore, generation: int) -> None:
    """Delete what nothing in `store`, which is that of `generation`, will refer to again."""
    newest: dict[tuple[int, int, str], int] = {}
    for handle in store.handles(before=store.epochs().stop - 1):
        name = Name.of(handle.chain[-1].file)
        if name is not None:
            newest[name.writer] = max(newest.get(name.writer, 0), name.number)
    # Read later than the epoch above: all that it refers to has come by now.
    used = {ref.file for handle in store.handles() for ref in handle.chain}
    for path in sorted(folder.iterdir()):
        name = Name.of(path.name)
        if name is None or path.name in used:
            continue
        if name.generation < generation or name.number < newest.get(name.writer, 0):
            failpoints.reach("delete.before")
            path.unlink(missing_ok=True)
            failpoints.reach("delete.after")
