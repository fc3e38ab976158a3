"""Processes that tests start, and that must not outlive the test."""

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_started: list[subprocess.Popen[str]] = []


def start(
    command: Sequence[str], folder: Path | None = None, environment: Mapping[str, str] | None = None
) -> subprocess.Popen[str]:
    """Begin a command that reads nothing and whose outputs are pipes, in the folder."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    _started.append(process)
    return process


def workers(process: subprocess.Popen[str]) -> list[int]:
    """Ids of the processes that a run has started, in the order of their numbers."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    try:
        return [int(child) for child in children.read_text().split()]
    except OSError:
        return []


def kill_all(process: subprocess.Popen[str]) -> None:
    """Kill -9 a run and its workers."""
    for one in [*workers(process), process.pid]:
        os.kill(one, signal.SIGKILL)


@contextmanager
def none_left() -> Iterator[None]:
    """Kill what was started within and still runs: a test that failed would disturb the next."""
    before = len(_started)
    try:
        yield
    finally:
        for process in _started[before:]:
            if process.poll() is None:
                kill_all(process)
            process.wait()
            for pipe in (process.stdout, process.stderr):
                if pipe:
                    pipe.close()
        del _started[before:]
