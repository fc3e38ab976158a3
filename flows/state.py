"""The folder of a run that can be resumed: what it was asked, where it is, and who holds it.

job.json    what the run was asked, see `flows.job`
recovery/   Bytewax's recovery store
complete    there once the run has read all its input
lock        held by the run and its workers, so that two runs never share the folder
"""

import fcntl
import os
import shutil
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from flows import job as jobs
from flows.errors import UserError
from flows.job import Job
from flows.settings import affecting_result

RECOVERY_PARTS = 8
"""Parts of the recovery store: fixed when it is made; no more processes than that share it."""

LOCK_WAIT_S = 3.0
"""How long the workers of a run that was killed may take to be gone."""


class StateError(UserError):
    """A state folder that cannot be used, and why, in one line."""


class StateFolder:
    """An open state folder. A context manager: inside it the folder is ours alone.

    Raises `StateError` on entering where another run holds it or it was made by something else.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = -1
        """Descriptor of the lock; a child process that inherits it holds the lock too."""

    def __enter__(self) -> Self:
        if self.path.exists() and not self.path.is_dir():
            raise StateError(f"{self.path}: expected a folder")
        lock = self.path / "lock"
        if self.path.is_dir() and any(self.path.iterdir()) and not lock.exists():
            raise StateError(f"{self.path}: expected an empty folder or one that a replay has made")
        self.path.mkdir(parents=True, exist_ok=True)
        self.lock = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        deadline = time.monotonic() + LOCK_WAIT_S
        while not _locked(self.lock):
            if time.monotonic() > deadline:
                os.close(self.lock)
                raise StateError(f"{self.path}: another run is using this folder")
            time.sleep(0.05)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.lock)

    @property
    def job_file(self) -> Path:
        """Where the job is written."""
        return self.path / "job.json"

    @property
    def complete(self) -> bool:
        """Whether the run has read all its input."""
        return (self.path / "complete").exists()

    def has_begun(self, job: Job) -> bool:
        """Whether a run has begun here. Raises `StateError` where it was asked something else.

        Only what changes the result is compared: not the number of processes, for example.
        """
        try:
            earlier = jobs.read(self.job_file)
        except FileNotFoundError:
            return False
        except msgspec.DecodeError as error:
            raise StateError(
                f"{self.job_file}: not from this version of Groundswell ({error}); "
                "choose another --state"
            ) from None
        before, after = _asked(earlier), _asked(job)
        for name in [*after, *(before.keys() - after.keys())]:
            if before.get(name) != after.get(name):
                raise StateError(
                    f"{self.path}: {name} was {_shown(before.get(name))} when this run began and "
                    f"is {_shown(after.get(name))} now; give the same command again or choose "
                    "another --state"
                )
        return True

    def begin(self, job: Job) -> None:
        """Make the recovery store where there is none yet, and write down the job."""
        from bytewax.recovery import init_db_dir

        recovery = self.path / "recovery"
        if not recovery.exists():
            part = self.path / "recovery.part"
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            init_db_dir(part, RECOVERY_PARTS)  # type: ignore[no-untyped-call]
            part.rename(recovery)
        jobs.write(job, self.job_file)

    def finish(self) -> None:
        """Mark the run as complete."""
        (self.path / "complete").touch()


def _locked(handle: int) -> bool:
    """Take the lock if it is free."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _asked(job: Job) -> dict[str, object]:
    """What decides the result of a run, by the names that its user knows."""
    asked: dict[str, object] = {
        "the input": job.inputs,
        "--to": job.to,
        "--store": job.store,
        "--rejects": job.rejects,
    }
    settings = affecting_result(job.settings)
    return asked | {f"setting {name}": value for name, value in settings.items()}


def _shown(value: object) -> str:
    """A value as its user wrote it."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "not given" if value is None else str(value)
