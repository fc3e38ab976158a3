"""Bytewax's recovery store: one SQLite file of handles, looked at, copied and wound back.

Each run works on a copy of its own, so that no earlier run can write to it. The tables are those of
Bytewax 0.21: `snaps` (one row for each key, epoch and step), `fronts` (the epoch that each worker
has reached in an execution), `exs` (executions, and the epoch at which each began), `commits` (the
epoch up to which superseded snapshots were dropped). A run resumes at the least front of the last
execution, from each key's last snapshot before it.
"""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final
from urllib.parse import quote

from operators.durable import failpoints, handles
from operators.durable.faults import DamagedError
from operators.durable.handles import Handle
from operators.durable.segments import sync_folder

NAME: Final = "part-0.sqlite3"
"""One part: what Bytewax writes is small, and one file cannot be at odds with another."""

_GUARDS: Final = {
    "exs": "ex_num, worker_count, resume_epoch",
    "fronts": "ex_num, worker_index, worker_frontier",
    "commits": "part_index, commit_epoch",
    "snaps": "step_id, state_key, snap_epoch, ser_change",
}
"""Indexes over all that counts, so that every value is there twice: SQLite's check of a file
compares them, and a flipped bit cannot pass."""

_RESUME: Final = """
SELECT min(max(resume_epoch, coalesce(worker_frontier, 0)))
FROM exs
JOIN (WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 1023)
      SELECT i FROM n) ON i < worker_count
LEFT JOIN fronts ON fronts.ex_num = exs.ex_num AND worker_index = i
WHERE exs.ex_num = (SELECT max(ex_num) FROM exs)
"""

_LATEST: Final = """
SELECT step_id, state_key, max(snap_epoch), ser_change FROM snaps
WHERE snap_epoch < ? GROUP BY step_id, state_key
"""


_WIND_BACK: Final = (
    "UPDATE exs SET resume_epoch = min(resume_epoch, ?)",
    "UPDATE fronts SET worker_frontier = min(worker_frontier, ?)",
    "DELETE FROM snaps WHERE snap_epoch >= ?",
)


class RecoveryStore:
    """One store, opened to be read. A context manager. Raises `DamagedError` where there is none.

    `recover` takes up what SQLite's write-ahead log holds after a kill; not beside a run.
    """

    def __init__(self, path: Path, recover: bool = False) -> None:
        self.path = path
        if not path.is_file():
            raise DamagedError(f"{path}: is missing")
        mode = "rw" if recover else "ro"
        self._connection = sqlite3.connect(
            f"file:{quote(str(path))}?mode={mode}", uri=True, timeout=5
        )
        self._connection.text_factory = lambda text: text.decode("utf-8", "replace")

    def __enter__(self) -> "RecoveryStore":
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def check(self) -> None:
        """Compare all that is in the file with itself. Raises `DamagedError`."""
        try:
            said = [row[0] for row in self._connection.execute("PRAGMA integrity_check")]
            tables = {row[0] for row in self._connection.execute("SELECT name FROM sqlite_schema")}
        except (sqlite3.Error, UnicodeDecodeError) as error:  # it may quote what is damaged
            raise DamagedError(f"{self.path}: cannot be read ({error})") from None
        if said != ["ok"]:
            raise DamagedError(f"{self.path}: is damaged ({said[0]})")
        guards = {f"guard_{table}" for table in _GUARDS}
        if not tables >= guards | _GUARDS.keys():
            raise DamagedError(f"{self.path}: not a store that a run has made")

    def epochs(self) -> range:
        """The epochs at which a run can resume, empty where none has begun."""
        (resume,) = self._connection.execute(_RESUME).fetchone()
        if resume is None:
            return range(0)
        (commit,) = self._connection.execute("SELECT max(commit_epoch) FROM commits").fetchone()
        first = 1 if commit is None else commit + 1
        return range(first, max(first, resume) + 1)

    def handles(self, before: int | None = None) -> Iterator[Handle]:
        """The handles of all keys and epochs, or of each key the last one before an epoch."""
        query = "SELECT step_id, state_key, snap_epoch, ser_change FROM snaps"
        rows = (
            self._connection.execute(query)
            if before is None
            else self._connection.execute(_LATEST, (before,))
        )
        for _, _, _, change in rows:
            handle = handles.unpickle(change)
            if handle is not None:
                yield handle

    def copy_to(self, folder: Path, epoch: int | None) -> None:
        """Make a store in `folder`, which is to be new, that resumes at `epoch`; durable.

        What came after the begin of `epoch` is forgotten, so that no snapshot of a run that was
        killed can be taken for one of the run that goes on. None: nothing has come.
        """
        part = folder.with_name(folder.name + ".part")
        _emptied(part)
        with closing(sqlite3.connect(part / NAME)) as target:
            self._connection.backup(target)
            with target:
                for statement in _WIND_BACK if epoch is not None else ():
                    target.execute(statement, (epoch,))
        _finished(part, folder)


def create(folder: Path) -> None:
    """Make an empty store in `folder`, which is to be new, durable."""
    from bytewax.recovery import init_db_dir

    part = folder.with_name(folder.name + ".part")
    _emptied(part)
    init_db_dir(part, 1)  # type: ignore[no-untyped-call]
    with closing(sqlite3.connect(part / NAME)) as connection, connection:
        for table, columns in _GUARDS.items():
            connection.execute(f"CREATE INDEX guard_{table} ON {table} ({columns})")
    _finished(part, folder)


def _emptied(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for file in folder.iterdir():
        file.unlink()


def _finished(part: Path, folder: Path) -> None:
    failpoints.reach("copy.before")
    handle = os.open(part / NAME, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
    sync_folder(part)
    part.rename(folder)
    sync_folder(folder.parent)
    failpoints.reach("copy.after")
