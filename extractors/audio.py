"""Sounds and frames of media files.

The files are anybody's, so they are opened in another process (`extractors.decoding`); what comes
back is samples and frames, or a class and a reason why there are none.
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
from typing import Any, Final, NamedTuple, Self

import numpy as np

from extractors.decoding import RATE, Limits, UnheardError
from extractors.media import F32, F64, NO_FRAMES, U8, Failed, MissingError

SHORTEST: Final = 2.0
"""Seconds; less says too little to be told from other sounds."""
SILENCE: Final = 1e-3
"""Of full scale: what is nowhere louder is silent (-60 dB)."""


class Decoded(NamedTuple):
    """What is in a file; of what there is not, `unheard` and `unseen` say why.

    Attributes:
        pcm: float32 [samples], mono at 16 kHz, from -1 to 1.
        frames: uint8 [n, height, width, 3], RGB, upright.
        times: float64 [n], seconds.
        duration_s: that the file says it lasts, else of what was decoded.
        created: when the file says it was made; anybody's text.
        unheard, unseen: None where there is a sound, or a picture, or nobody asked for it.
    """

    pcm: F32 | None
    frames: U8
    times: F64
    duration_s: float
    created: str
    unheard: Failed | None
    unseen: Failed | None


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
            _end(self._process)
            self._process.wait()
        self._socket = self._process = None

    def kill(self) -> None:
        """Have a file that is being decoded in another thread fail; that thread is to `close`."""
        if (process := self._process) is not None:
            _end(process)

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
            data, _, told = self._decode(file)
        finally:
            os.close(file)
        if "unheard" in told:
            raise UnheardError(*told["unheard"])
        found = _samples(data)
        if (silence := _silent(found)) is not None:
            raise UnheardError(silence.error, silence.reason)
        return found

    def media(self, file: int) -> Decoded:
        """Return what is in an open file, of what the limits ask for.

        Raises `UnheardError` where it is no media that can be decoded, and `MissingError` without
        PyAV.
        """
        data, pictures, told = self._decode(file)
        unheard = Failed(*told["unheard"]) if "unheard" in told else None
        unseen = Failed(*told["unseen"]) if "unseen" in told else None
        pcm = None
        if self._limits.listen and unheard is None:
            pcm = _samples(data)
            unheard = _silent(pcm)
        frames = _frames(pictures, told) if "size" in told else NO_FRAMES
        times = np.array(told.get("times", ()), np.float64)[: len(frames)]
        heard_s = 0.0 if pcm is None else pcm.size / RATE
        long = max(told["claimed"], heard_s, times.max(initial=0.0))
        pcm = pcm if unheard is None else None
        return Decoded(pcm, frames, times, float(long), told["created"], unheard, unseen)

    def _look(self, file: int) -> None:
        seen = os.fstat(file)
        if not stat.S_ISREG(seen.st_mode):
            raise UnheardError("broken", "is no regular file")
        if seen.st_size > self._max_mb << 20:
            size = seen.st_size / (1 << 20)
            raise UnheardError("huge", f"has {size:,.0f} MiB, at most {self._max_mb} are read")

    def _decode(self, file: int) -> tuple[bytearray, bytearray, dict[str, Any]]:
        """Samples, frames and what is said of them. Raises `UnheardError`."""
        self._look(file)
        asked = self._running()
        pipes = [os.pipe() for _ in range(3)]
        samples, pictures, verdict = (ours for ours, _ in pipes)
        limits = self._limits
        try:
            try:
                message = json.dumps(limits).encode()
                socket.send_fds(asked, [message], [file, *(theirs for _, theirs in pipes)])
            finally:
                for _, theirs in pipes:
                    os.close(theirs)
            data = _read(samples, int(limits.seconds * RATE) * 4)
            shown = _read(pictures, limits.frames * limits.side * limits.side * 3)
            told = _read(verdict, 4096)
            status = asked.recv(6)
        except (BrokenPipeError, ConnectionResetError):
            status = b""
        finally:
            for ours, _ in pipes:
                os.close(ours)
        if not status:
            self.close()
            raise UnheardError("broken", "ends the decoder")
        if int(status) < 0:
            raise _ended(signal.Signals(-int(status)))
        answer = json.loads(told) if told else {"kind": "broken", "reason": "cannot be decoded"}
        if "kind" in answer:
            raise UnheardError(answer["kind"], answer["reason"])
        return data, shown, answer

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
                process_group=0,
            )
        self._socket = ours
        return ours


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill a decoder with the process that it has for its file: they are a group of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _samples(data: bytearray) -> F32:
    found = np.frombuffer(data, np.float32)
    np.nan_to_num(found, copy=False, posinf=1.0, neginf=-1.0)
    np.clip(found, -1.0, 1.0, out=found)
    return found


def _silent(samples: F32) -> Failed | None:
    """Why too little is heard, if it is."""
    if samples.size < SHORTEST * RATE:
        long = samples.size / RATE
        return Failed("short", f"lasts {long:.1f} s, at least {SHORTEST:.0f} s are needed")
    if max(float(samples.max()), -float(samples.min())) < SILENCE:
        return Failed("silent", "is silent")
    return None


def _frames(data: bytearray, told: dict[str, Any]) -> U8:
    height, width = told["size"]
    size = height * width * 3
    whole = len(data) // size
    found = np.frombuffer(data, np.uint8, whole * size).reshape(whole, height, width, 3)
    turns = round(told["rotation"] / 90) % 4
    return np.ascontiguousarray(np.rot90(found, turns, (1, 2))) if turns else found


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
