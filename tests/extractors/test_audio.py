"""Any file gives its sound, or a class and a reason why it has none; none does harm."""

import os
import struct
import zlib
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from benchmarks.changes import encoded
from benchmarks.music import song
from extractors.audio import Decoder
from extractors.decoding import RATE, Limits, UnheardError
from extractors.fingerprint import fingerprint
from extractors.media import MissingError
from trend.acoustics.known import KnownSounds
from trend.acoustics.peaks import F32, peaks

FORMS: dict[str, tuple[str, str, int]] = {
    "mp3": ("mp3", "libmp3lame", 44_100),
    "ogg": ("ogg", "libopus", 48_000),
    "m4a": ("mp4", "aac", 44_100),
    "webm": ("webm", "libopus", 48_000),
    "flac": ("flac", "flac", 22_050),
    "wav": ("wav", "pcm_s16le", 8_000),
}


@pytest.fixture(scope="module")
def music() -> F32:
    return song(1, 6)


@pytest.fixture(scope="module")
def files(music: F32) -> dict[str, bytes]:
    return {name: encoded(music, *form) for name, form in FORMS.items()}


@pytest.fixture(scope="module")
def decoder() -> Iterator[Decoder]:
    with Decoder(Limits(seconds=20)) as opened:
        yield opened


def refused(decoder: Decoder, path: Path) -> tuple[str, str]:
    with pytest.raises(UnheardError) as caught:
        decoder.samples(path)
    return caught.value.kind, str(caught.value)


@pytest.mark.parametrize("name", FORMS)
def test_the_sound_of_a_file_is_what_was_put_in_it(
    name: str, tmp_path: Path, decoder: Decoder, files: dict[str, bytes], music: F32
) -> None:
    file = tmp_path / f"file.{name}"
    file.write_bytes(files[name])
    samples = decoder.samples(file)
    assert samples.dtype == np.float32
    assert samples.size == pytest.approx(music.size, abs=0.1 * RATE)
    n = min(samples.size, music.size)
    ours, theirs = np.abs(np.fft.rfft(samples[:n])), np.abs(np.fft.rfft(music[:n]))
    assert np.corrcoef(ours[: n // 8], theirs[: n // 8])[0, 1] > 0.95


def video(seconds: int) -> bytes:
    file = BytesIO()
    with av.open(file, "w", format="mp4") as media:
        stream: Any = media.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        for _ in range(10 * seconds):
            media.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        media.mux(stream.encode(None))
    return file.getvalue()


def clip(music: F32, form: str, pictures: str, sound: str, rate: int) -> bytes:
    """A video with a sound."""
    file = BytesIO()
    with av.open(file, "w", format=form) as media:
        stream: Any = media.add_stream(pictures, rate=10)
        stream.width = stream.height = 64
        heard: Any = media.add_stream(sound, rate=rate, layout="mono")
        for _ in range(10 * music.size // RATE):
            media.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        media.mux(stream.encode(None))
        frame: Any = av.AudioFrame.from_ndarray(music[None], format="flt", layout="mono")
        frame.sample_rate = RATE
        media.mux(heard.encode(frame))
        media.mux(heard.encode(None))
    return file.getvalue()


def test_a_clip_in_two_containers_is_one_sound(tmp_path: Path, decoder: Decoder) -> None:
    sounds = KnownSounds()
    ids = []
    for number in (1, 2):
        music = song(number, 6)
        for form in (("mp4", "mpeg4", "aac", 44_100), ("webm", "libvpx", "libopus", 48_000)):
            file = tmp_path / "file"
            file.write_bytes(clip(music, *form))
            heard = peaks(decoder.samples(file))
            match = sounds.match(heard)
            known = match is not None and match.known
            ids.append(match.sound if match is not None and known else sounds.add(heard))
    assert ids == [0, 0, 1, 1]


def wav(samples: np.ndarray, *, says: int | None = None) -> bytes:
    """32-bit floats at 16 kHz; the header may say another number of bytes."""
    data = samples.astype("<f4").tobytes()
    says = len(data) if says is None else says
    form = struct.pack("<HHIIHH", 3, 1, RATE, 4 * RATE, 4, 32)
    return (
        b"RIFF"
        + struct.pack("<I", 36 + says)
        + b"WAVEfmt "
        + struct.pack("<I", 16)
        + form
        + (b"data" + struct.pack("<I", says) + data)
    )


def ten_hours(samples: F32) -> bytes:
    """A FLAC that says how many samples it has, which is not true."""
    data = bytearray(encoded(samples, "flac", "flac", RATE))
    data[18:26] = (int.from_bytes(data[18:26]) >> 36 << 36 | 36_000 * RATE).to_bytes(8)
    return bytes(data)


def packed_index(inside: bytes, says: int) -> bytes:
    """A QuickTime file of which the index is compressed, and says how long it is."""

    def atom(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", 8 + len(data)) + name + data

    packed = atom(b"cmvd", struct.pack(">I", says) + zlib.compress(inside))
    moov = atom(b"moov", atom(b"cmov", atom(b"dcom", b"zlib") + packed))
    return atom(b"ftyp", b"qt  \0\0\0\0qt  ") + moov + atom(b"mdat", bytes(1000))


def hostile(music: F32, files: dict[str, bytes]) -> dict[str, tuple[bytes, str, str]]:
    hours = 10 * 3600 * 4 * RATE
    return {
        "empty": (b"", "empty", "no bytes"),
        "noise": (np.random.default_rng(0).bytes(50_000), "broken", "no media that is known"),
        "text": (b"hello, I am a song\n" * 100, "broken", "no media that is known"),
        "cut": (files["m4a"][:2_000], "broken", "no media|nothing can be decoded"),
        "ten hours by its header": (
            wav(music, says=hours),
            "lying",
            "its header says 2,304,000,036",
        ),
        "ten hours by its index": (ten_hours(music), "huge", "says it lasts 36000 s"),
        "silence, long and small": (
            encoded(np.zeros(1200 * RATE, np.float32), "flac", "flac", 8_000),
            "silent",
            "silent",
        ),
        "a second": (encoded(music[:RATE], "wav", "pcm_s16le", RATE), "short", "lasts 1.0 s"),
        "a video without sound": (video(3), "mute", "only video"),
        "an index that is a thousand times as long": (
            packed_index(bytes(40 << 20), 40 << 20),
            "broken",
            "neither a sound nor pictures",
        ),
        "an index that says it has 3 GiB": (
            packed_index(bytes(1 << 20), 3 << 30),
            "broken",
            "no media|nothing can be decoded|cannot be decoded",
        ),
        "a playlist": (
            b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n",
            "broken",
            "no media that is known",
        ),
        "a list of files": (b"ffconcat version 1.0\nfile '/etc/passwd'\n", "broken", "no media"),
        "a description of a stream": (
            b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\n"
            b"m=audio 5004 RTP/AVP 97\na=rtpmap:97 L16/8000\n",
            "broken",
            "no media that is known",
        ),
    }


def test_a_file_without_a_sound_says_why(
    tmp_path: Path, decoder: Decoder, music: F32, files: dict[str, bytes]
) -> None:
    for name, (data, kind, reason) in hostile(music, files).items():
        file = tmp_path / "file.mp3"
        file.write_bytes(data)
        found = refused(decoder, file)
        assert found[0] == kind, (name, found)
        assert any(part in found[1] for part in reason.split("|")), (name, found)


def test_what_is_no_file_is_refused(tmp_path: Path, decoder: Decoder) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        assert refused(decoder, path) == ("broken", "is no regular file")
    with pytest.raises(FileNotFoundError):
        decoder.samples(tmp_path / "none.mp3")


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "large.mp3"
    file.touch()
    os.truncate(file, (3 << 20) + 1)
    with Decoder(max_mb=3) as decoder:
        assert refused(decoder, file)[0] == "huge"


def test_of_a_long_file_only_the_beginning_is_heard(tmp_path: Path, music: F32) -> None:
    file = tmp_path / "long.flac"
    file.write_bytes(encoded(np.tile(music, 10), "flac", "flac", RATE))
    with Decoder(Limits(seconds=7)) as decoder:
        assert decoder.samples(file).size == 7 * RATE


def test_samples_that_are_no_numbers_are_silence_and_too_loud_ones_full_scale(
    tmp_path: Path, decoder: Decoder, music: F32
) -> None:
    samples = music.copy()
    samples[100:200] = np.nan
    samples[300:400] = np.inf
    samples[500:600] = -1e30
    file = tmp_path / "file.wav"
    file.write_bytes(wav(samples))
    found = decoder.samples(file)
    assert np.all(np.isfinite(found))
    assert np.all(found[100:200] == 0)
    assert np.all(found[300:400] == 1)
    assert np.all(found[500:600] == -1)


def test_what_takes_too_long_is_stopped_and_the_next_file_is_heard(
    tmp_path: Path, files: dict[str, bytes], music: F32
) -> None:
    file = tmp_path / "file.m4a"
    file.write_bytes(encoded(np.tile(music, 20), "mp4", "aac", 44_100))
    with Decoder(Limits(clock_seconds=0.002)) as hasty:
        assert refused(hasty, file) == ("huge", "takes too long to decode")
        assert refused(hasty, file) == ("huge", "takes too long to decode")


def test_what_needs_too_much_memory_is_refused(tmp_path: Path, files: dict[str, bytes]) -> None:
    file = tmp_path / "file.m4a"
    file.write_bytes(files["m4a"])
    with Decoder(Limits(memory_mb=1)) as small:
        assert refused(small, file)[0] in {"broken", "huge"}


def outcome(decoder: Decoder, file: Path) -> str:
    try:
        decoder.samples(file)
    except UnheardError as error:
        return error.kind
    return "heard"


def test_damaged_files_end_no_more_than_themselves(
    tmp_path: Path, decoder: Decoder, files: dict[str, bytes]
) -> None:
    rng = np.random.default_rng(7)
    file = tmp_path / "file"
    heard = 0
    for data in files.values():
        for _ in range(8):
            damaged = np.frombuffer(data, np.uint8).copy()
            where = rng.integers(0, damaged.size, int(rng.integers(1, 200)))
            if rng.random() < 0.5:
                where = where % 600  # the header
            damaged[where] = rng.integers(0, 256, where.size)
            file.write_bytes(damaged[: int(rng.integers(damaged.size // 2, damaged.size))])
            kind = outcome(decoder, file)
            assert kind in {"heard", "broken", "empty", "huge", "lying", "mute", "silent", "short"}
            heard += kind == "heard"
    assert heard > 10
    file.write_bytes(files["mp3"])
    assert decoder.samples(file).size > 5 * RATE


@pytest.fixture
def chromaprint() -> None:
    """The library; CI has it (`.ci/services`)."""
    try:
        import chromaprint  # noqa: F401
    except ImportError:
        if os.environ.get("CI") or os.environ.get("GROUNDSWELL_CI"):
            raise
        pytest.skip("needs libchromaprint1")


@pytest.mark.usefixtures("chromaprint")
def test_the_fingerprint_is_that_of_chromaprint(music: F32) -> None:
    found = fingerprint(music)
    assert found.startswith("AQ")
    assert found == fingerprint(music.copy())
    assert found != fingerprint(music[::-1].copy())


def test_without_the_library_the_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "chromaprint", None)
    with pytest.raises(MissingError, match=r"pyacoustid.*groundswell\[audio\]"):
        fingerprint(np.zeros(RATE, np.float32))
