"""The process that opens media: `python -P -m extractors.decoding FD`.

`extractors.audio` starts it. It imports FFmpeg once and forks for each file, so that whatever a
file does is done in a process of its own: with limits on memory, processor, clock and files, and
with nothing but four descriptors: the file, and pipes for samples, for frames and for the verdict.
FFmpeg gets bytes, never a name: it can open no other file, no address and no playlist, only formats
and codecs that are listed here, and looks at a picture only where that is asked for.

Over the socket `FD` comes one message a file, a JSON of `Limits` with the four descriptors; the
answer is the status that the child ended with.
"""

import json
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from typing import Any, BinaryIO, Final, NamedTuple

from extractors import picture

RATE: Final = 16_000
MAX_MESSAGE: Final = 4096
FORMATS: Final = (
    "aac,ac3,aiff,amr,asf,au,avi,caf,eac3,flac,flv,matroska,webm,mov,mp4,m4a,3gp,3g2,mj2,mp3,mpeg,"
    "mpegts,ogg,wav,w64"
)
CODECS: Final = frozenset(
    "aac aac_latm ac3 alac amrnb amrwb amr_nb amr_wb eac3 flac mp1float mp2float mp3float mp3 mp2 "
    "opus libopus vorbis libvorbis wmav1 wmav2 pcm_alaw pcm_f32be pcm_f32le pcm_f64le pcm_mulaw "
    "pcm_s16be pcm_s16le pcm_s24be pcm_s24le pcm_s32be pcm_s32le pcm_s8 pcm_u8 adpcm_ima_wav "
    "adpcm_ms adpcm_ima_qt".split()
)
MAX_CHANNELS: Final = 16
RATES: Final = (1_000, 384_000)
MAX_STREAMS: Final = 32
STREAMED: Final = 0xFFFF0000
"""Sizes from here on say that the length was not known when a WAV was written."""
MAX_BAD_PACKETS: Final = 100
MAX_CHANGES: Final = 16
"""Times that rate or channels may change within a file."""


class Limits(NamedTuple):
    """What one file may take.

    Attributes:
        seconds: of sound that are decoded; the rest is not looked at.
        claimed_seconds: that a file may say it lasts.
        memory_mb: address space of the process.
        cpu_seconds: of the processor.
        clock_seconds: of the clock.
        probe_mb: that may be read to find out what it is.
        frames: that are chosen at most; 0: pictures are not looked at.
        side: pixels of the longer side of a frame, which is scaled down to that.
        listen: whether the sound is decoded.
    """

    seconds: float = 300.0
    claimed_seconds: float = 14_400.0
    memory_mb: int = 1024
    cpu_seconds: int = 30
    clock_seconds: float = 60.0
    probe_mb: int = 5
    frames: int = 0
    side: int = 768
    listen: bool = True


class UnheardError(Exception):
    """A file that nothing is heard of: a class (one word) and what is wrong, in words."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


def main() -> None:
    """Fork for each file that is asked for, until the socket closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    import av

    av.logging.set_level(None)
    with socket.socket(fileno=int(sys.argv[1])) as asked:
        while True:
            message, files, _, _ = socket.recv_fds(asked, MAX_MESSAGE, 4)
            if not message:
                return
            child = os.fork()
            if child == 0:
                asked.close()
                _one(Limits(*json.loads(message)), *files)
            for file in files:
                os.close(file)
            asked.sendall(b"%6d" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _one(limits: Limits, source: int, samples: int, frames: int, verdict: int) -> None:
    """Decode one file and end the process."""
    try:
        _confine(limits)
        told = _tell(limits, source, samples, frames)
    except MemoryError:
        told = {"kind": "huge", "reason": f"needs more than {limits.memory_mb} MiB to decode"}
    except UnheardError as error:
        told = {"kind": error.kind, "reason": str(error)}
    except BrokenPipeError:
        os._exit(0)
    except BaseException as error:  # whatever it is, it is the file's doing and ends here
        told = {"kind": "broken", "reason": f"cannot be decoded: {error}"[:300]}
    os.write(verdict, json.dumps(told).encode())
    os._exit(0)


def _confine(limits: Limits) -> None:
    memory = limits.memory_mb << 20
    for name, value in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, limits.cpu_seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, 16),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(name, (value, value + 1 if name == resource.RLIMIT_CPU else value))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, limits.clock_seconds)


def _refuse(*_: object, **__: object) -> None:
    raise UnheardError("broken", "asks for other files")


def _tell(limits: Limits, source: int, samples: int, frames: int) -> dict[str, Any]:
    """Write samples, then frames, and say what there is, and why not where there is none."""
    with os.fdopen(source, "rb", buffering=0) as file:
        _believe(source, os.fstat(source).st_size)
        opened = partial(_open, file, limits)
        told: dict[str, Any] = {}
        with os.fdopen(samples, "wb") as out, opened() as media:
            told |= {"claimed": (media.duration or 0) / 1e6, "created": _created(media)}
            _limit(told["claimed"], limits)
            try:
                if limits.listen:
                    _decode(media, limits, out)
            except UnheardError as error:
                told["unheard"] = (error.kind, str(error))
        with os.fdopen(frames, "wb") as out:
            if limits.frames:
                told |= _look(opened, limits, out)
        return told


def _open(file: BinaryIO, limits: Limits) -> Any:
    import av

    file.seek(0)
    codecs = CODECS | picture.CODECS if limits.frames else CODECS
    try:
        return av.open(
            file,
            "r",
            options={
                "format_whitelist": FORMATS,
                "codec_whitelist": ",".join(sorted(codecs)),
                "protocol_whitelist": "none",
                "probesize": str(limits.probe_mb << 20),
                "formatprobesize": str(1 << 20),
                "max_streams": str(MAX_STREAMS),
            },
            io_open=_refuse,
        )
    except (av.FFmpegError, ValueError) as error:
        raise UnheardError("broken", f"is no media that is known: {_said(error)}") from None


def _look(opened: Callable[[], Any], limits: Limits, out: BinaryIO) -> dict[str, Any]:
    try:
        seen = picture.look(opened, limits.seconds, limits.frames, limits.side)
    except picture.UnseenError as error:
        return {"unseen": (error.kind, str(error))}
    except MemoryError:
        return {"unseen": ("huge", f"its picture needs more than {limits.memory_mb} MiB")}
    picture.write(seen, out)
    times = [round(frame.time, 3) for frame in seen.frames]
    return {"times": times, "size": (seen.height, seen.width), "rotation": seen.rotation}


def _created(media: Any) -> str:
    """When the file says it was made."""
    return str(media.metadata.get("creation_time", ""))[:40]


def _limit(claimed: float, limits: Limits) -> None:
    if claimed > limits.claimed_seconds:
        raise UnheardError(
            "huge", f"says it lasts {claimed:.0f} s, at most {limits.claimed_seconds:.0f} s are"
        )


def _believe(source: int, size: int) -> None:
    if size == 0:
        raise UnheardError("empty", "has no bytes")
    head = os.pread(source, 12, 0)
    says = int.from_bytes(head[4:8], "little")
    if head[:4] == b"RIFF" and head[8:] == b"WAVE" and 2 * size < says < STREAMED:
        raise UnheardError("lying", f"its header says {says:,} bytes, it has {size:,}")


def _said(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)[:200]


def _decode(media: Any, limits: Limits, out: BinaryIO) -> None:
    import av

    if not media.streams.audio:
        kinds = sorted({stream.type for stream in media.streams})
        if not kinds:
            raise UnheardError("broken", "has neither a sound nor pictures")
        raise UnheardError("mute", f"has no sound, only {', '.join(kinds)}")
    stream = media.streams.audio[0]
    codec = stream.codec_context
    name = codec.name if codec is not None else "unknown"
    if name not in CODECS:
        raise UnheardError("broken", f"its sound is {name!r}, which is not decoded here")
    codec.thread_count = 1
    room = int(limits.seconds * RATE)
    resampler, form, changes, bad, wrote = None, None, 0, 0, 0
    for packet in media.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            bad += 1
            if bad > MAX_BAD_PACKETS and wrote == 0:
                raise UnheardError("broken", f"cannot be decoded: {_said(error)}") from None
            continue
        for frame in frames:
            now = (frame.sample_rate, frame.layout.nb_channels, frame.format.name)
            if now != form:
                changes += 1
                _check(*now, changes)
                form = now
                if resampler is not None:
                    wrote += _write(resampler, None, out, room - wrote)
                resampler = av.AudioResampler("flt", "mono", RATE, frame_size=RATE)
            wrote += _write(resampler, frame, out, room - wrote)
        if wrote >= room:
            break
    if resampler is not None and wrote < room:
        wrote += _write(resampler, None, out, room - wrote)
    out.flush()
    if wrote == 0:
        raise UnheardError("broken", "has a sound of which nothing can be decoded")


def _check(rate: int, channels: int, form: str, changes: int) -> None:
    if not RATES[0] <= rate <= RATES[1]:
        raise UnheardError("broken", f"has {rate} samples a second, expected {RATES}")
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnheardError("broken", f"has {channels} channels, at most {MAX_CHANNELS} are")
    if changes > MAX_CHANGES:
        raise UnheardError("broken", f"changes its form too often, now to {form}")


def _write(resampler: Any, frame: Any, out: BinaryIO, room: int) -> int:
    wrote = 0
    for done in resampler.resample(frame):
        count = min(done.samples, room - wrote)
        out.write(memoryview(done.planes[0])[: 4 * count])
        wrote += count
    return wrote


if __name__ == "__main__":
    main()
