"""Sounds of media files: their samples, and what is heard in them.

The files are anybody's, so they are opened in another process (`extractors.decoding`); what comes
back is samples, or a class and a reason why there are none.
"""

import contextlib
import json
import os
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from extractors.decoding import RATE, Limits, UnheardError
from extractors.media import MissingError

F32 = npt.NDArray[np.float32]

SHORTEST: Final = 2.0
"""Seconds; less says too little to be told from other sounds."""
SILENCE: Final = 1e-3
"""Of full scale: what is nowhere louder is silent (-60 dB)."""


class Decoder:
    """Decodes files one after the other; a context manager, for it holds a process.

    Args:
        limits: of each file.
        max_mb: size of a file.

    >>> with Decoder() as decoder:
    ...     decoder.samples(Path("/dev/null"))
    Traceback (most recent call last):
    extractors.decoding.UnheardError: is no regular file
    """

    def __init__(self, limits: Limits | None = None, max_mb: int = 512) -> None:
        self._limits = limits or Limits()
        self._max_mb = max_mb
        self._process: subprocess.Popen[bytes] | None = None
        self._socket: socket.socket | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process; another file begins a new one."""
        if self._socket is not None:
            self._socket.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._socket = self._process = None

    def seconds(self) -> float:
        """Return the processor time that decoding has taken so far, in seconds."""
        with contextlib.suppress(FileNotFoundError):
            if self._process is not None:
                fields = Path(f"/proc/{self._process.pid}/stat").read_text().rsplit(")")[-1].split()
                return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")
        return 0.0

    def samples(self, path: Path) -> F32:
        """Return the sound of a file: float32, mono, at 16 kHz, from -1 to 1.

        Raises `UnheardError` where nothing can be heard (broken, empty, huge, mute, silent, short),
        `OSError` where the file cannot be read, `MissingError` without PyAV.
        """
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            self._look(file)
            data = self._decode(file)
        finally:
            os.close(file)
        found = np.frombuffer(data, np.float32)
        np.nan_to_num(found, copy=False, posinf=1.0, neginf=-1.0)
        np.clip(found, -1.0, 1.0, out=found)
        if found.size < SHORTEST * RATE:
            raise UnheardError(
                "short", f"lasts {found.size / RATE:.1f} s, at least {SHORTEST:.0f} s are needed"
            )
        if max(float(found.max()), -float(found.min())) < SILENCE:
            raise UnheardError("silent", "is silent")
        return found

    def _look(self, file: int) -> None:
        seen = os.fstat(file)
        if not stat.S_ISREG(seen.st_mode):
            raise UnheardError("broken", "is no regular file")
        if seen.st_size > self._max_mb << 20:
            size = seen.st_size / (1 << 20)
            raise UnheardError("huge", f"has {size:,.0f} MiB, at most {self._max_mb} are read")

    def _decode(self, file: int) -> bytearray:
        asked = self._running()
        samples, samples_in = os.pipe()
        verdict, verdict_in = os.pipe()
        try:
            try:
                message = json.dumps(self._limits).encode()
                socket.send_fds(asked, [message], [file, samples_in, verdict_in])
            finally:
                os.close(samples_in)
                os.close(verdict_in)
            data = _read(samples, int(self._limits.seconds * RATE) * 4)
            told = _read(verdict, 4096)
            status = asked.recv(6)
        except (BrokenPipeError, ConnectionResetError):
            status = b""
        finally:
            os.close(samples)
            os.close(verdict)
        if not status:
            self.close()
            raise UnheardError("broken", "ends the decoder")
        if int(status) < 0:
            raise _ended(signal.Signals(-int(status)))
        answer = json.loads(told) if told else {"kind": "broken", "reason": "cannot be decoded"}
        if "kind" in answer:
            raise UnheardError(answer["kind"], answer["reason"])
        return data

    def _running(self) -> socket.socket:
        if self._socket is not None:
            return self._socket
        try:
            import av  # noqa: F401
        except ImportError:
            raise MissingError("needs the package av: install groundswell[audio]") from None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with contextlib.closing(theirs):
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "extractors.decoding", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        self._socket = ours
        return ours


def _ended(number: signal.Signals) -> UnheardError:
    if number in (signal.SIGXCPU, signal.SIGALRM):
        return UnheardError("huge", "takes too long to decode")
    return UnheardError("broken", f"crashes the decoder ({number.name})")


def _read(pipe: int, most: int) -> bytearray:
    """Read to the end, or until there is more than there may be."""
    data = bytearray()
    while len(data) < most:
        more = os.read(pipe, min(1 << 20, most - len(data)))
        if not more:
            break
        data += more
    return data
