"""The folder of a run that can be resumed: what it was asked, where it is, and who holds it.

job.json      what the run was asked, see `flows.job`
fence         the generation that may write: each run on the folder is one, see `operators.durable`
lock.N        held by the run of generation N and its workers
recovery.N/   Bytewax's recovery store of generation N, see `operators.durable.store`
segments/     the states that it refers to
complete      there once the run has read all its input
"""

import fcntl
import os
import shutil
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from flows import job as jobs
from flows.errors import UserError
from flows.job import Job
from flows.settings import affecting_result
from operators.durable import segments, store
from operators.durable.faults import DamagedError
from operators.durable.fence import Fence
from operators.durable.handles import Handle
from operators.durable.segments import Ref
from operators.durable.store import RecoveryStore
from operators.durable.sweep import sweep

LOCK_WAIT_S = 3.0
"""How long the workers of a run that was killed may take to be gone."""


class StateError(UserError):
    """A state folder that cannot be used, and why, in one line."""


class StateFolder:
    """An open state folder. A context manager: inside it the folder is ours alone.

    Raises `StateError` on entering where another run holds it, unless it is to be taken over, or
    where it was made by something else.
    """

    def __init__(self, path: Path, take_over: bool = False) -> None:
        self.path = path
        self.lock = -1
        """Descriptor of the lock; a child process that inherits it holds the lock too."""
        self.generation = 0
        """Number of this run on the folder."""
        self._take_over = take_over
        self._fence: Fence | None = None

    def __enter__(self) -> Self:
        if self.path.exists() and not self.path.is_dir():
            raise StateError(f"{self.path}: expected a folder")
        fence = self.path / "fence"
        if self.path.is_dir() and any(self.path.iterdir()) and not fence.exists():
            raise StateError(f"{self.path}: expected an empty folder or one that a replay has made")
        self.path.mkdir(parents=True, exist_ok=True)
        fence.touch()
        (self.path / "segments").mkdir(exist_ok=True)
        deadline = time.monotonic() + LOCK_WAIT_S
        while not self._claimed(fence):
            if time.monotonic() > deadline:
                raise StateError(
                    f"{self.path}: another run is using this folder; --take-over stops it from "
                    "writing and goes on in its place"
                )
            time.sleep(0.05)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.fence.close()
        os.close(self.lock)

    @property
    def fence(self) -> Fence:
        """The fence, while the folder is ours."""
        assert self._fence is not None
        return self._fence

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
        except (FileNotFoundError, NotADirectoryError):
            return False
        except msgspec.DecodeError as error:
            raise StateError(
                f"{self.job_file}: not from this version of Groundswell ({error}); "
                "choose another --state"
            ) from None
        if earlier.version != job.version:
            raise StateError(
                f"{self.job_file}: of version {earlier.version[:60] or 'unknown'}, this is "
                f"{job.version}; choose another --state"
            )
        before, after = _asked(earlier), _asked(job)
        for name in [*after, *(before.keys() - after.keys())]:
            if before.get(name) != after.get(name):
                raise StateError(
                    f"{self.path}: {name} was {_shown(before.get(name))} when this run began and "
                    f"is {_shown(after.get(name))} now; give the same command again or choose "
                    "another --state"
                )
        return True

    def begin(self, job: Job, begun: bool) -> str | None:
        """Make this generation's recovery store and write down the job.

        Returns what there is to tell the user. Raises `DamagedError` where a run that has begun
        cannot go on.
        """
        told = None
        target = self.recovery(self.generation)
        if begun:
            told = self._copy(target)
            self.tidy()
        else:
            store.create(target)
        with self.fence.writing():
            jobs.write(job, self.job_file)
            for number in self._stores():
                if number < self.generation:
                    shutil.rmtree(self.recovery(number), ignore_errors=True)
            for path in self.path.glob("lock.*"):
                if path.suffix[1:].isdecimal() and int(path.suffix[1:]) < self.generation:
                    path.unlink(missing_ok=True)
        return told

    def finish(self) -> None:
        """Mark the run as complete, and let go of its states.

        Raises `FencedError` where another run has taken it over.
        """
        with self.fence.writing():
            (self.path / "complete").touch()
            segments.sync_folder(self.path)
            for path in (self.path / "segments").iterdir():
                path.unlink()

    def tidy(self) -> None:
        """Delete the states that no epoch refers to any more.

        Raises `FencedError` where another run has taken this one over.
        """
        try:
            with (
                self.fence.writing(),
                RecoveryStore(self.recovery(self.generation) / store.NAME) as own,
            ):
                sweep(self.path / "segments", own, self.generation)
        except sqlite3.Error:
            pass  # busy or broken: the workers will say what is wrong, this can wait

    def recovery(self, generation: int) -> Path:
        """The folder of a generation's recovery store."""
        return self.path / f"recovery.{generation}"

    def _claimed(self, fence: Path) -> bool:
        """Take the lock of the next generation, and the fence, if the last one's lock is free."""
        last = Fence.read(fence)
        before = _lock(self.path / f"lock.{last}")
        try:
            if before is None and not self._take_over:
                return False
            if Fence.read(fence) != last:
                return False
            own = _lock(self.path / f"lock.{last + 1}")
            if own is None:
                return False
            try:
                self._fence = Fence.claim(fence, last + 1)
            except OSError:
                os.close(own)
                raise
            self.lock, self.generation = own, last + 1
            return True
        finally:
            if before is not None:
                os.close(before)

    def _stores(self) -> list[int]:
        """Generations whose recovery stores are there, the newest first."""
        found = [path.suffix[1:] for path in self.path.glob("recovery.*")]
        return sorted((int(number) for number in found if number.isdecimal()), reverse=True)

    def _copy(self, target: Path) -> str | None:
        """Make the recovery store from the last one, at the last epoch that is whole."""
        stores = self._stores()
        if not stores:
            raise DamagedError(
                f"{self.path}: its recovery store is missing; choose another --state"
            )
        path = self.recovery(stores[0]) / store.NAME
        try:
            with RecoveryStore(path, recover=True) as last:
                last.check()
                epoch, told = _whole(self.path / "segments", last)
                last.copy_to(target, epoch)
        except sqlite3.Error as error:
            raise DamagedError(f"{path}: cannot be read ({error})") from None
        return told


def _whole(folder: Path, last: RecoveryStore) -> tuple[int | None, str | None]:
    """The last epoch whose segments are whole, and what is wrong with a later one."""
    good: set[Ref] = set()
    first: DamagedError | None = None
    epochs = last.epochs()
    for epoch in reversed(epochs):
        try:
            _check(folder, last.handles(before=epoch), good)
        except DamagedError as error:
            first = first or error
            continue
        told = None if first is None else f"{first}: going on from an earlier epoch"
        return epoch, told
    if first is not None:
        raise DamagedError(f"{first}; no earlier epoch is whole, so the run cannot go on") from None
    return None, None


def _check(folder: Path, known: Iterable[Handle], good: set[Ref]) -> None:
    for handle in known:
        for ref in handle.chain:
            if ref not in good:
                segments.check(folder, handle.step, handle.key, ref)
                good.add(ref)


def _lock(path: Path) -> int | None:
    """The descriptor of the lock if it was free."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _asked(job: Job) -> dict[str, object]:
    """What decides the result of a run, by the names that its user knows."""
    asked: dict[str, object] = {
        "the input": job.inputs,
        "--to": job.to,
        "--store": job.store,
        "--rejects": job.rejects,
        "--services" if job.kafka is None else "whether trends go to services": (
            "given" if job.services else None
        ),
    }
    settings = affecting_result(job.settings)
    if job.kafka is not None:
        asked["--to-end"] = "given" if job.kafka.to_end else None
        settings.pop("feedback", None)  # a run hears more while it goes on
    return asked | {f"setting {name}": value for name, value in settings.items()}


def _shown(value: object) -> str:
    """A value as its user wrote it."""
    if isinstance(value, list):
        return ",".join(map(str, value))
    return "not given" if value in (None, "") else str(value)
