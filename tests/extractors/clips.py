"""Small videos, made here: scenes of one colour each, a song, and what is wrong with some."""

from collections.abc import Sequence
from io import BytesIO
from typing import Any

import av
import numpy as np

from benchmarks.music import RATE
from extractors.media import F32

Colour = tuple[int, int, int]


def clip(
    scenes: Sequence[Colour],
    *,
    seconds: float = 1.0,
    sound: F32 | None = None,
    size: tuple[int, int] = (96, 64),
    keys: int = 12,
    form: str = "mp4",
    codec: str = "mpeg4",
    metadata: dict[str, str] | None = None,
) -> bytes:
    """A video at 10 frames a second with so many seconds a scene and a key frame every `keys`."""
    file = BytesIO()
    with av.open(file, "w", format=form) as media:
        media.metadata.update(metadata or {})
        picture: Any = media.add_stream(codec, rate=10)
        picture.width, picture.height = size
        picture.gop_size = keys
        picture.pix_fmt = "yuv420p"
        picture.options = {"sc_threshold": "1000000000"}
        heard: Any = None if sound is None else media.add_stream("aac", rate=44_100, layout="mono")
        for colour in scenes:
            pixels = np.empty((size[1], size[0], 3), np.uint8)
            pixels[:] = colour
            for _ in range(round(10 * seconds)):
                frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
                media.mux(picture.encode(frame))
        media.mux(picture.encode(None))
        if sound is not None:
            frame = av.AudioFrame.from_ndarray(sound[None].astype(np.float32), "flt", "mono")
            frame.sample_rate = RATE
            resampler = av.AudioResampler("fltp", "mono", 44_100, 1024)
            for part in (*resampler.resample(frame), *resampler.resample(None)):
                media.mux(heard.encode(part))
            media.mux(heard.encode(None))
    return file.getvalue()
