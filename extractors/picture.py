"""Which frames of a video stand for it: at most so many, spread over its scenes.

Used in the process that opens media (`extractors.decoding`), which has FFmpeg and nothing else, so
there is no numpy here. Key frames alone are decoded where there are enough of them; else every
frame is, and some at even distances are looked at. A frame that is looked at is scaled down at
once, and beside it a picture of 16 × 16 pixels is kept: where two neighbours differ by more than
`CUT` on average, and by more than those around them do, a scene ends. Each scene gives its middle
frame; where there are fewer scenes than frames are wanted, the longest are cut in two, and where
there are more, the longest are taken.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, BinaryIO, Final, NamedTuple

THUMB: Final = 16
"""Pixels on each side of the small picture."""
CUT: Final = 18.0
RATIO: Final = 1.6
"""A cut is between two small pictures that differ by more than `CUT` of 255 on average, and by
`RATIO` times as much as the two pairs before and after; what moves fast differs all the time."""
LOOKED_AT: Final = 64
"""Most frames that are kept while a video is decoded; beyond, every second of them goes."""
MAX_PIXELS: Final = 4096 * 2304
MAX_DECODED: Final = 1_000_000_000
"""Pixels of all frames that are decoded of a video: half a minute of 1080p at 15 a second. A number
of seconds would give other frames on another machine."""
MAX_BAD: Final = 100
"""Packets without a frame that cannot be decoded."""
CODECS: Final = frozenset(
    "h264 hevc vp8 vp9 libvpx libvpx-vp9 av1 libdav1d mpeg4 mpeg1video mpeg2video h263 flv mjpeg "
    "theora".split()
)


class UnseenError(Exception):
    """A file without a picture that can be looked at: a class (one word) and why, in words."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Looked(NamedTuple):
    """A frame that may be chosen: seconds, the small picture, and RGB as it is wanted."""

    time: float
    thumb: bytes
    rgb: bytes


class Seen(NamedTuple):
    """What was chosen."""

    frames: list[Looked]
    width: int
    height: int
    rotation: int
    """Degrees, counterclockwise, by which the frames are to be turned."""


class Candidates:
    """Frames at distances of at least `step` seconds, at most `most` of them, of which every second
    goes when there are too many.

    >>> found = Candidates(step=1.0, most=4)
    >>> for time in range(9):
    ...     if found.wants(time):
    ...         found.add(Looked(time, b"", b""))
    >>> [one.time for one in found.kept]
    [0, 4, 8]
    """

    def __init__(self, step: float, most: int = LOOKED_AT) -> None:
        self.kept: list[Looked] = []
        self._step = step
        self._most = most

    def wants(self, time: float) -> bool:
        """Whether a frame is far enough from the last one."""
        return not self.kept or time >= self.kept[-1].time + self._step

    def add(self, frame: Looked) -> None:
        """Keep a frame."""
        self.kept.append(frame)
        if len(self.kept) > self._most:
            del self.kept[1::2]
            gaps = [after.time - before.time for before, after in pairwise(self.kept)]
            self._step = max(2 * self._step, 0.75 * min(gaps))


def difference(one: bytes, other: bytes) -> float:
    """Return the mean difference of two pictures, 0 to 255.

    >>> difference(bytes([0, 10]), bytes([4, 10]))
    2.0
    """
    return sum(abs(a - b) for a, b in zip(one, other, strict=True)) / len(one)


def choose(times: Sequence[float], thumbs: Sequence[bytes], most: int, end: float) -> list[int]:
    """Return which of the frames stand for all, rising; `end`: seconds where the last one ends.

    >>> choose([0, 1, 2, 3, 4], [b"a", b"a", b"a", b"z", b"z"], 2, 5)
    [1, 4]
    >>> choose([0, 1, 2, 3], [b"a"] * 4, 2, 4)
    [1, 3]
    """
    if not times or most < 1:
        return []
    cuts = _cuts([difference(*pair) for pair in pairwise(thumbs)])
    scenes = list(zip([0, *cuts], [*cuts, len(times)], strict=True))
    until = [*times, end]

    def length(scene: tuple[int, int]) -> float:
        return until[scene[1]] - until[scene[0]]

    scenes = sorted(scenes, key=length, reverse=True)[:most]
    while len(scenes) < most:
        wide = [scene for scene in scenes if scene[1] - scene[0] > 1]
        if not wide:
            break
        longest = max(wide, key=length)
        half = (longest[0] + longest[1]) // 2
        scenes.remove(longest)
        scenes += [(longest[0], half), (half, longest[1])]
    return sorted((begin + stop) // 2 for begin, stop in scenes)


def _cuts(moved: Sequence[float]) -> list[int]:
    found = []
    for i, here in enumerate(moved):
        around = [*moved[max(0, i - 2) : i], *moved[i + 1 : i + 3]]
        if here > CUT and here * len(around) > RATIO * sum(around):
            found.append(i + 1)
    return found


def look(opened: Any, seconds: float, most: int, side: int) -> Seen:
    """Return the frames of the first `seconds` that stand for a video; `opened` gives it anew.

    Raises `UnseenError`.
    """
    with opened() as media:
        stream = _picture(media)
        long = min(seconds, (media.duration or 0) / 1e6 or seconds)
        found, form = _collect(media, stream, 0.0, seconds, side, keys=True)
    if len(found) < max(2, (most + 1) // 2):
        with opened() as media:
            step = max(long / LOOKED_AT, 0.1)
            found, form = _collect(media, _picture(media), step, seconds, side, keys=False)
    if not found or form is None:
        raise UnseenError("broken", "has a picture of which nothing can be decoded")
    end = max(long, found[-1].time)
    chosen = choose([one.time for one in found], [one.thumb for one in found], most, end)
    return Seen([found[i] for i in chosen], *form)


def _picture(media: Any) -> Any:
    """The stream of pictures. Raises `UnseenError`."""
    for stream in media.streams.video:
        if "attached_pic" in str(stream.disposition).lower():
            continue
        codec = stream.codec_context
        name = codec.name if codec is not None else "unknown"
        if name not in CODECS:
            raise UnseenError("broken", f"its picture is {name!r}, which is not decoded here")
        if not 0 < codec.width * codec.height <= MAX_PIXELS:
            raise UnseenError("huge", f"its picture has {codec.width} x {codec.height} pixels")
        codec.thread_count = 1
        codec.options = {"max_pixels": str(MAX_PIXELS)}
        return stream
    raise UnseenError("blind", "has no picture")


def _collect(
    media: Any, stream: Any, step: float, seconds: float, side: int, *, keys: bool
) -> tuple[list[Looked], tuple[int, int, int] | None]:
    codec = stream.codec_context
    codec.skip_frame = "NONKEY" if keys else "DEFAULT"
    found, form, decoded = Candidates(step), None, 0
    for frame in _frames(media, stream):
        decoded += frame.width * frame.height
        time = frame.time
        if time is None or time < 0:
            time = found.kept[-1].time + (step or 1.0) if found.kept else 0.0
        if time > seconds or decoded > MAX_DECODED:
            break
        if form is None:
            form = (*_size(frame, stream, side), int(frame.rotation))
        if frame.width * frame.height <= MAX_PIXELS and found.wants(time):
            found.add(Looked(time, _rgb(frame, THUMB, THUMB), _rgb(frame, *form[:2])))
    return found.kept, form


def _frames(media: Any, stream: Any) -> Iterator[Any]:
    import av

    bad = good = 0
    for packet in media.demux(stream):
        try:
            frames = packet.decode()
        except av.FFmpegError as error:
            bad += 1
            if bad > MAX_BAD and good == 0:
                raise UnseenError("broken", f"its picture cannot be decoded: {error}") from None
            continue
        good += len(frames)
        yield from frames


def _size(frame: Any, stream: Any, side: int) -> tuple[int, int]:
    """Width and height in square pixels, the longer at most `side`, as the picture is stored."""
    ratio = float(stream.sample_aspect_ratio or 1) or 1.0
    width, height = frame.width * min(max(ratio, 0.1), 10.0), float(frame.height)
    scale = min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _rgb(frame: Any, width: int, height: int) -> bytes:
    scaled = frame.reformat(width, height, "rgb24", interpolation="AREA")
    plane = scaled.planes[0]
    data = memoryview(plane)
    if plane.line_size == 3 * width:
        return bytes(data[: 3 * width * height])
    lines = range(0, plane.line_size * height, plane.line_size)
    return b"".join(data[at : at + 3 * width] for at in lines)


def write(seen: Seen, out: BinaryIO) -> None:
    """Write the frames one after the other: height × width × 3 bytes each."""
    for frame in seen.frames:
        out.write(frame.rgb)
