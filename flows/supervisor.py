"""The worker processes of one run: started together, watched, and stopped together."""

import contextlib
import ctypes
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

GRACE_S = 10.0
"""How long a worker that was told to stop may take before it is killed."""

LAST_BYTES = 16_384
"""How much of the end of a worker's output is looked at."""

PR_SET_PDEATHSIG = 1

NEWS = "groundswell: "
"""A line of a worker that begins so is for its user, though nothing has failed."""


class Workers:
    """Processes that run `command` with their number, 0 and up, appended. A context manager.

    What a worker prints goes to `logs`/worker-N.log; `reads_input` hands it our standard input.
    The descriptors of `keep_open` stay open in it. A worker never outlives this process (on Linux):
    the kernel kills it. On leaving, whoever still runs is killed.
    """

    def __init__(
        self,
        command: Sequence[str],
        processes: int,
        logs: Path,
        *,
        reads_input: bool = False,
        keep_open: Sequence[int] = (),
    ) -> None:
        self._command = [*command]
        self._logs = [logs / f"worker-{number}.log" for number in range(processes)]
        self._reads_input = reads_input
        self._keep_open = keep_open
        self._running: list[subprocess.Popen[bytes]] = []
        self._heard = [0] * processes

    def __enter__(self) -> Self:
        tie = TieToParent() if sys.platform.startswith("linux") else None
        # Ctrl-C reaches us alone and is passed on once. But a process outside the terminal's group
        # may not read what is typed there.
        group = None if self._reads_input and sys.stdin.isatty() else 0
        for number, log in enumerate(self._logs):
            with log.open("wb") as output:
                self._running.append(
                    subprocess.Popen(
                        [*self._command, str(number)],
                        stdin=None if self._reads_input else subprocess.DEVNULL,
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        pass_fds=self._keep_open,
                        preexec_fn=tie,  # noqa: PLW1509 — it only makes a system call
                        process_group=group,
                    )
                )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop(signal.SIGKILL)

    def ids(self) -> list[int]:
        """Process id of each worker."""
        return [worker.pid for worker in self._running]

    def codes(self) -> list[int | None]:
        """Exit code of each worker, None while it runs."""
        return [worker.poll() for worker in self._running]

    def stop(self, number: int) -> None:
        """Send the signal to all that run and wait for their end; kill those that do not obey."""
        self.send(number)
        deadline = time.monotonic() + GRACE_S
        for worker in self._running:
            try:
                worker.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.kill()
                worker.wait()

    def send(self, number: int) -> None:
        """Send the signal to all that run."""
        for worker in self._running:
            if worker.poll() is None:
                worker.send_signal(number)

    def news(self) -> list[str]:
        """What workers have to tell their user since the last call, each once."""
        told: list[str] = []
        for worker, path in enumerate(self._logs):
            with path.open("rb") as log:
                log.seek(self._heard[worker])
                whole = log.read(LAST_BYTES).rpartition(b"\n")[0]
            self._heard[worker] += len(whole) + 1 if whole else 0
            lines = whole.decode("utf-8", "replace").splitlines()
            told += [line.removeprefix(NEWS) for line in lines if line.startswith(NEWS)]
        return [*dict.fromkeys(told)]

    def last_lines(self, worker: int, count: int) -> list[str]:
        """The last lines that a worker printed, as they are: hostile text."""
        with self._logs[worker].open("rb") as log:
            log.seek(0, 2)
            log.seek(max(0, log.tell() - LAST_BYTES))
            return log.read().decode("utf-8", "replace").rstrip().splitlines()[-count:]


def free_addresses(count: int) -> list[str]:
    """`count` addresses on the loopback interface that were free a moment ago."""
    with contextlib.ExitStack() as open_sockets:
        sockets = [open_sockets.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]


class TieToParent:
    """Called in a child between fork and exec, so that the kernel kills it when we die.

    The library is loaded before, in the parent.
    """

    def __init__(self) -> None:
        self._prctl = ctypes.CDLL(None, use_errno=True).prctl

    def __call__(self) -> None:
        """Ask the kernel for it."""
        self._prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))
