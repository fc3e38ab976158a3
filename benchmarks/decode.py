"""Decoding, beside `json.loads` over the same lines: `python -m benchmarks.decode [FILE]`.

Prints JSON: for each way, lines per second of processor time (of all threads, the best of several
rounds) and its ratio to `json.loads`. FILE holds reels (`.jsonl`, `.gz`, `.zst`); without it they
are made up. The ways that are not `decode` are those it was chosen over, and its parts.
"""

import argparse
import io
import json
import random
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec
import numpy as np
import polars as pl

from operators import decode as decoding
from operators.blocks import Poll
from operators.decode import decode
from operators.sources.files import FileSource
from schemas.reels import Reel

POLL: Final = 5000
ROUNDS: Final = 7
BAD: Final = (
    b"{",
    b"[1]",
    b'{"reel_id": "r1"}',
    b'{"reel_id": "r1", "published_at": "soon", "author_id": "a"}',
    b'{"reel_id": "r1", "published_at": "1999-01-01T00:00:00Z", "author_id": "a"}',
    b'{"reel_id": "\xff"}',
)
SCHEMA: Final = {
    **dict.fromkeys(("reel_id", "author_id", "published_at", "language", "region"), pl.String()),
    **dict.fromkeys(("caption", "transcript", "ocr_text"), pl.String()),
    "hashtags": pl.List(pl.String),
    "audio": pl.Struct({"audio_id": pl.String, "title": pl.String, "artist": pl.String}),
}
WORDS: Final = (
    "cat drop how i make pasta at home день рождения моя новая песня làm sao để 😀 🔥".split()
)


def made_up(lines: int, seed: int = 1) -> list[bytes]:
    """Lines of reels such as a platform sends: about 550 bytes, three hashtags, a sound."""
    draw = random.Random(seed)
    start = datetime(2026, 1, 5, tzinfo=UTC)

    def one(number: int) -> bytes:
        tags = [f"tag{draw.randrange(3000)}" for _ in range(draw.randrange(6))]
        views = draw.randrange(10**6)
        reel = {
            "reel_id": str(7_469_978_541_547_998_496 + number),
            "published_at": (start + timedelta(seconds=number)).isoformat().replace("+00:00", "Z"),
            "observed_at": "2026-02-01T03:49:01Z",
            "author_id": f"u{draw.randrange(10**9)}",
            "author_followers": draw.randrange(10**6),
            "platform": "tiktok",
            "language": draw.choice(("pt", "ru", "vi", "en")),
            "region": draw.choice(("BR", "KZ", "VN", "US")),
            "caption": " ".join(draw.choices(WORDS, k=12) + ["#" + tag for tag in tags]),
            "hashtags": tags,
            "audio": {
                "audio_id": f"m{draw.randrange(10**5)}",
                "title": f"original sound - {draw.choice(WORDS)}",
                "original": draw.random() < 0.5,
                "uses": draw.randrange(10**5),
            },
            "duration_s": draw.randrange(5, 90),
            "metrics": {"views": views, "likes": views // 9, "comments": 3, "shares": 1},
        }
        return json.dumps(reel, ensure_ascii=False).encode()

    return [one(number) for number in range(lines)]


def from_file(path: str) -> list[bytes]:
    """The lines of a file."""
    part = FileSource([path], POLL).build_part("benchmark", path, None)
    lines: list[bytes] = []
    while not part.snapshot().done:
        lines += [line for poll in part.next_batch() for line in poll.data.splitlines()]
    return lines


def polls(lines: Sequence[bytes], bad: float = 0.0) -> list[bytes]:
    """The lines in polls, a share of them replaced by bad ones of several kinds."""
    draw = random.Random(2)
    mixed = [draw.choice(BAD) if draw.random() < bad else line for line in lines]
    return [b"\n".join(mixed[at : at + POLL]) + b"\n" for at in range(0, len(mixed), POLL)]


def json_loads(data: bytes) -> object:
    """The yardstick: one thread, one object after the other, kept until the poll is done."""
    return [json.loads(line) for line in data.splitlines()]


def ways(lines: Sequence[bytes]) -> dict[str, Callable[[], object]]:
    """What is timed, each over all the lines."""
    clean = polls(lines)
    reader = msgspec.json.Decoder(Reel)

    def every(
        function: Callable[[bytes], object], data: Sequence[bytes] = clean
    ) -> Callable[[], object]:
        return lambda: [None for one in data if function(one) is None]

    def whole(data: bytes) -> object:
        return decode(Poll("benchmark", 0, 1, data))

    def by_msgspec(data: bytes) -> object:
        return decoding._columns(list(map(reader.decode, data.splitlines())))

    doubted = polls([line.replace(b'"author_id"', b'"\\u0061uthor_id"') for line in lines])
    return {
        "json.loads": every(json_loads),
        "decode": every(whole),
        "decode, 1 % bad lines": every(whole, polls(lines, 0.01)),
        "decode, only bad lines": every(whole, polls(lines, 1.0)),
        "decode, only sound lines that the scanner doubts": every(whole, doubted),
        "msgspec line by line, then columns": every(by_msgspec),
        "polars read_ndjson, unchecked": every(
            lambda data: pl.read_ndjson(io.BytesIO(data), schema=SCHEMA)
        ),
        "part: scan": every(lambda data: decoding._scan(data, 0)),
        "part: msgspec line by line": every(
            lambda data: list(map(reader.decode, data.splitlines()))
        ),
        "part: UTF-8 by Python": every(bytes.decode),
        "part: a copy": every(lambda data: np.frombuffer(data, np.uint8).copy()),
    }


def main() -> None:
    """Time all ways in turn, several rounds, so that a busy moment hits none of them alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("file", nargs="?")
    parser.add_argument("--lines", type=int, default=20_000)
    given = parser.parse_args()
    lines = (from_file(given.file) if given.file else made_up(given.lines))[: given.lines]
    timed = ways(lines)
    seconds = dict.fromkeys(timed, float("inf"))
    for _ in range(ROUNDS):
        for name, way in timed.items():
            began = time.process_time()
            way()
            seconds[name] = min(seconds[name], time.process_time() - began)
    rates = {name: len(lines) / took for name, took in seconds.items()}
    report = {
        "lines": len(lines),
        "bytes_per_line": round(sum(map(len, lines)) / len(lines)),
        "lines_per_s": {name: round(rate) for name, rate in rates.items()},
        "ratio_to_json_loads": {
            name: round(rate / rates["json.loads"], 2) for name, rate in rates.items()
        },
    }
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
