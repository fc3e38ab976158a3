"""Servers that tests start themselves: on a free port, in a temporary folder, gone afterwards."""

import contextlib
import ctypes
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import pytest

READY_S = 60
PR_SET_PDEATHSIG = 1
CI = ("CI", "GROUNDSWELL_CI")
"""Where one is set, as `.ci/run` does, a service that cannot start is a failure."""


def missing(service: str, why: str) -> NoReturn:
    """Fail where services must be there, else skip the test and say how to get the service."""
    said = f"{service}: {why}"
    if any(os.environ.get(one) for one in CI):
        pytest.fail(said, pytrace=False)
    pytest.skip(said)


def free_port() -> int:
    """A port on the loopback interface that was free a moment ago."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


class Tie:
    """Called between fork and exec, so that the kernel sends `number` when this process dies.

    The library is loaded before, in the parent.
    """

    def __init__(self, number: signal.Signals) -> None:
        self._number = int(number)
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl

    def __call__(self) -> None:
        self._prctl(PR_SET_PDEATHSIG, self._number)


class NotStartedError(Exception):
    """A server that ended, or does not answer: the end of its log."""


@dataclass
class Server:
    """One server process that can be killed, stopped and started again with its port and data."""

    name: str
    command: Sequence[str]
    folder: Path
    is_ready: Callable[[], bool]
    user: str | None = None
    dying: signal.Signals = signal.SIGKILL
    """What it gets when the tests die."""
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it and wait until it answers."""
        assert self._process is None
        log = self.folder / "log"
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                self.command,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=self.user,
                group=self.user,
                extra_groups=None if self.user is None else [],
                preexec_fn=Tie(self.dying),  # noqa: PLW1509 — it only makes a system call
                process_group=0,
            )
        deadline = time.monotonic() + READY_S
        while not self.is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.kill()
                said = log.read_text("utf-8", "replace")[-2000:]
                raise NotStartedError(f"{self.name} did not start:\n{said}")
            time.sleep(0.02)

    def kill(self) -> None:
        """SIGKILL it with all its processes and wait until they are gone."""
        if self._process is not None:
            family = self._send(signal.SIGSTOP)
            for one in reversed(family):
                _signal(one, signal.SIGKILL)
            self._process.wait()
            self._process = None
            while any(_is_alive(one) for one in family):
                time.sleep(0.01)

    def restart(self) -> None:
        """SIGKILL it and start it again."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """SIGSTOP it with all its processes: connections stay, and nobody answers."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT it."""
        self._send(signal.SIGCONT)

    def revive(self) -> None:
        """Have it run, whatever became of it."""
        if self._process is None:
            self.start()
        else:
            self.thaw()

    def _send(self, number: signal.Signals) -> list[int]:
        """Send a signal to the process and then to all it started, which have groups of their own.

        Returns their ids.
        """
        assert self._process is not None
        _signal(self._process.pid, number)
        family = [self._process.pid, *descendants(self._process.pid)]
        for one in family[1:]:
            _signal(one, number)
        return family


def descendants(process: int) -> list[int]:
    """Ids of all processes that one has started, and they in turn."""
    try:
        said = Path(f"/proc/{process}/task/{process}/children").read_text()
    except OSError:
        return []
    children = [int(child) for child in said.split()]
    return [*children, *(below for child in children for below in descendants(child))]


def _signal(process: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(process, number)


def _is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False
