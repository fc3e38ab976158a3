"""The state folder: can it be written, has it room, who holds it, and can this version go on."""

import fcntl
import os
import tempfile
from pathlib import Path
from typing import Final

import msgspec

from flows import job as jobs
from flows.doctor.finding import Finding, Findings, ok, problem, warning
from operators.durable.fence import Fence

SCARCE: Final = 1 << 30
"""Free bytes below which it is said so: a base is written before the one it replaces goes."""


def state(path: Path) -> Findings:
    """Look at the folder, and leave it as it is."""
    check = f"state {path}"
    if path.exists() and not path.is_dir():
        yield problem(check, "is no folder", "name a folder by --state")
        return
    there = path
    while not there.exists():
        there = there.parent
    if (fault := _unwritable(there)) is not None:
        who = f"user {os.getuid()}"
        yield problem(
            check,
            f"cannot be written by {who}: {fault}",
            f"`mkdir -p {path} && chown {os.getuid()} {path}`, on a disk that is not read-only",
        )
        return
    yield _space(check, there)
    if there != path:
        yield ok(check, "is not there yet; a run makes it")
        return
    fence = path / "fence"
    if not fence.exists():
        if any(path.iterdir()):
            yield problem(check, "holds other files, no state", "name an empty folder by --state")
        else:
            yield ok(check, "is empty; a run begins anew")
        return
    yield _holder(check, path, fence)
    yield _version(check, path)


def _unwritable(folder: Path) -> str | None:
    """Why no file can be made in a folder; None where it can."""
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return error.strerror or str(error)
    return None


def _space(check: str, folder: Path) -> Finding:
    found = os.statvfs(folder)
    free = found.f_bavail * found.f_frsize
    said = f"{free / (1 << 30):,.1f} GiB free"
    if free < SCARCE or (found.f_files and found.f_favail < 1000):
        return warning(check, f"{said}, {found.f_favail:,} files", "make room on that disk")
    return ok(check, said)


def _holder(check: str, path: Path, fence: Path) -> Finding:
    try:
        lock = path / f"lock.{Fence.read(fence)}"
        handle = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return ok(check, "no run holds it")
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return warning(
            check,
            f"held by a run: process {_owner(os.fstat(handle).st_ino) or 'unknown'}",
            "if that is not the one you mean to have, stop it, or start yours with --take-over",
        )
    finally:
        os.close(handle)
    return ok(check, "no run holds it")


def _owner(inode: int) -> str:
    """The process that locked a file, as the kernel knows it."""
    try:
        rows = [row.split() for row in Path("/proc/locks").read_text().splitlines()]
    except OSError:
        return ""
    return next((row[4] for row in rows if row[5].rpartition(":")[2] == str(inode)), "")


def _version(check: str, path: Path) -> Finding:
    file = path / "job.json"
    mend = "go on with the Groundswell that made it, or choose another --state"
    try:
        job = jobs.read(file)
    except FileNotFoundError:
        return ok(check, "no run has begun there")
    except (OSError, msgspec.DecodeError) as error:
        return problem(check, f"job.json cannot be read: {error}", mend)
    if job.version != jobs.version():
        return problem(check, f"is of {job.version[:60]}, this is {jobs.version()}", mend)
    if (path / "complete").exists():
        return warning(check, "the run in it is complete", "choose another --state to run again")
    return ok(check, f"of this version: {job.version}")
