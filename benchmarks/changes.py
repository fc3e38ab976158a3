"""What people and platforms do to sounds: codecs, speed, tempo, pitch, a voice over them."""

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
import numpy.typing as npt

RATE = 16_000

F32 = npt.NDArray[np.float32]


def encoded(samples: F32, form: str, codec: str, rate: int, bits: int | None = None) -> bytes:
    """A file of a format and codec: `encoded(samples, "mp3", "libmp3lame", 44_100, 64_000)`."""
    file = io.BytesIO()
    with av.open(file, "w", format=form) as media:
        stream: Any = media.add_stream(codec, rate=rate, layout="mono")
        if bits:
            stream.bit_rate = bits
        for frame in _frames(samples):
            media.mux(stream.encode(frame))
        media.mux(stream.encode(None))
    return file.getvalue()


def decoded(data: bytes) -> F32:
    """The samples of a file of our own."""
    resampler = av.AudioResampler("flt", "mono", RATE)
    parts = []
    with av.open(io.BytesIO(data)) as media:
        for frame in [*media.decode(audio=0), None]:
            parts += [done.to_ndarray()[0] for done in resampler.resample(frame)]
    return np.concatenate(parts)


def speed(samples: F32, times: float) -> F32:
    """Faster or slower, and so higher or lower, as a record."""
    return _filtered(samples, [("asetrate", str(round(RATE * times))), ("aresample", str(RATE))])


def tempo(samples: F32, times: float) -> F32:
    """Faster or slower at the same pitch."""
    return _filtered(samples, [("atempo", str(times))])


def pitch(samples: F32, semitones: float) -> F32:
    """Higher or lower at the same tempo."""
    times = 2 ** (semitones / 12)
    return tempo(speed(samples, times), 1 / times)


def under_voice(samples: F32, voice: F32, louder_db: float) -> F32:
    """The sound that much louder than a voice over it."""
    voice = np.resize(voice, samples.size)
    gain = np.sqrt(np.mean(samples**2) / np.mean(voice**2)) * 10 ** (-louder_db / 20)
    mixed = samples + gain * voice
    return np.asarray(mixed / max(1.0, np.abs(mixed).max()), np.float32)


def _frames(samples: F32) -> list[Any]:
    frames = []
    for begin in range(0, samples.size, RATE):
        part = np.ascontiguousarray(samples[None, begin : begin + RATE])
        frame: Any = av.AudioFrame.from_ndarray(part, format="flt", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, begin, Fraction(1, RATE)
        frames.append(frame)
    return frames


def _filtered(samples: F32, filters: list[tuple[str, str]]) -> F32:
    graph: Any = av.filter.Graph()
    steps = [
        graph.add_abuffer(
            sample_rate=RATE, format="flt", layout="mono", time_base=Fraction(1, RATE)
        )
    ]
    steps += [graph.add(name, value) for name, value in filters]
    steps.append(graph.add("abuffersink"))
    graph.link_nodes(*steps).configure()
    parts = []
    for frame in [*_frames(samples), None]:
        graph.push(frame)
        while True:
            try:
                parts.append(graph.pull().to_ndarray()[0])
            except (BlockingIOError, EOFError):
                break
    return np.concatenate(parts)
