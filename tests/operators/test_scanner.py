"""The scanner: what it takes is what msgspec takes, value by value, and the usual is taken."""

import json
from base64 import b64decode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from operators.faults import classify
from operators.reels import NUMBERS, TEXTS, Reels
from operators.scanner import fields
from operators.scanner.lines import Columns, Filled, room, scan
from operators.scanner.memory import SLACK
from schemas.reels import Audio, Embedding, Landmarks, Metrics, Reel, decode

LINE = {
    "reel_id": "7591660531711213569",
    "published_at": "2026-01-05T14:10:00Z",
    "observed_at": "2026-01-05T14:10:09Z",
    "author_id": "u9ccfd499f4c1",
    "author_followers": 4633,
    "platform": "tiktok",
    "language": "pt-BR",
    "region": "BR",
    "duration_s": 27.2,
    "metrics": {"views": 746, "likes": 44, "comments": 0, "shares": 8, "saves": 6, "reach": 9},
    "hashtags": ["dance", "день рождения", "làmsao"],
    "caption": "Dia 90 do meu treino 🔥 #dança",
    "audio": {
        "audio_id": "m3015971448123069",
        "title": "提灯 仙人掌",
        "artist": "しゃたに",
        "original": False,
        "uses": 31,
        "url": "https://example.org/s.mp3",
        "fingerprint": "AQADtEkS",
        "landmarks": {"version": 2, "data": "AAECAw=="},
    },
    "media_url": "https://example.org/v.mp4",
    "transcript": 'she said "go"\n',
    "ocr_text": "C:\\clips\ttab",
    "embedding": {"model": "clip", "f16": "AAECAwQF"},
    "label": {"event": "2012", "parts": [1, -2.5e3, None, True, {"a": []}, "é"]},
}
COMPACT = json.dumps(LINE, ensure_ascii=False, separators=(",", ":")).encode()
SPACED = json.dumps(LINE, ensure_ascii=False).encode()
ESCAPED = json.dumps(LINE).encode()


def scanned(lines: Sequence[bytes], after: bytes = bytes(SLACK)) -> tuple[Reels, list[int]]:
    """The rows that the scanner makes of lines, and which lines it doubts."""
    data = b"".join(line + b"\n" for line in lines)
    columns = room(len(data), len(lines))
    found = scan(np.frombuffer(data + after, np.uint8), 0, len(data), columns, Filled())
    assert found.lines == len(lines)
    return rows(columns, found), columns.doubt_line[: found.doubts].tolist()


def rows(columns: Columns, found: Filled) -> Reels:
    return Reels(
        columns.data[: found.data],
        *(column[: found.rows] for column in columns[1:7]),
        *(column[: found.tags] for column in columns[7:9]),
    )


def agree(lines: Sequence[bytes]) -> list[int]:
    """Assert that msgspec finds the same in all lines that are not doubted; say which are."""
    reels, doubted = scanned(lines)
    taken = [line for at, line in enumerate(lines) if at not in doubted]
    good = [decode(line) for line in taken]
    assert not any(map(classify, taken))
    sounds = [reel.audio or Audio() for reel in good]
    marks = [sound.landmarks for sound in sounds]
    for name in [name for name in TEXTS if name != "landmarks"]:
        some = sounds if name in ("audio_id", "title", "artist", "fingerprint") else good
        assert reels.texts(name) == [getattr(one, name) for one in some]
    kept = [text if text is None else b64decode(text) for text in reels.texts("landmarks")]
    assert kept == [one.data if one else None for one in marks]
    microsecond = timedelta(microseconds=1)
    times = [(reel.published_at - datetime(1970, 1, 1, tzinfo=UTC)) // microsecond for reel in good]
    assert reels.time.tolist() == times
    for name, numbers in zip(NUMBERS, reels.numbers.T.tolist(), strict=True):
        some = good if name == "author_followers" else [one.metrics or Metrics() for one in good]
        some = marks if name == "version" else some
        given = [getattr(one, name, None) for one in some]
        assert numbers == [-1 if number is None else number for number in given]
    tags = [tag.encode() for reel in good for tag in reel.hashtags or ()]
    starts, lengths, bounds = reels.tags()
    cut = zip(starts.tolist(), lengths.tolist(), strict=True)
    assert [reels.data[start : start + length].tobytes() for start, length in cut] == tags
    assert np.diff(bounds).tolist() == [len(reel.hashtags or ()) for reel in good]
    return doubted


def with_value(field: str, value: str) -> bytes:
    """A line with this very text as the value of a field, such as `audio.uses`."""
    *parents, name = field.split(".")
    inner = json.loads(ESCAPED)
    at = inner
    for parent in parents:
        at = at[parent]
    at[name] = "HERE"
    return json.dumps(inner, ensure_ascii=False).replace('"HERE"', value).encode()


USUAL = [
    COMPACT,
    SPACED,
    ESCAPED,
    SPACED + b"\r",
    b" \t" + SPACED + b" ",
    b'{"reel_id":"r","published_at":"2026-01-05T14:10:00Z","author_id":"a"}',
    *(
        with_value(field, value)
        for field, value in [
            ("published_at", '"2026-01-05T16:10:00.5+02:00"'),
            ("published_at", '"2024-02-29T23:59:59.999999999Z"'),
            ("published_at", '"2026-01-05 14:10:00-11:30"'),
            ("observed_at", "null"),
            ("author_followers", "31.0"),
            ("author_followers", "9007199254740991"),
            ("caption", "null"),
            ("caption", '"' + "x" * 5000 + '"'),
            ("caption", r'"\"\\\/\b\f\n\r\t\u0000\u00e9\u20ac\ud83d\ude00"'),
            ("duration_s", "0"),
            ("duration_s", "604799.999"),
            ("hashtags", "[]"),
            ("hashtags", "[ ]"),
            ("hashtags", "null"),
            ("hashtags", json.dumps(["x"] * 100)),
            ("audio", "null"),
            ("audio", "{}"),
            ("audio.original", "null"),
            ("audio.landmarks", "null"),
            ("metrics", "{ }"),
            ("embedding", "null"),
            ("embedding.f16", '""'),
            ("label", '"plain"'),
            ("label", "-0.5E-7"),
            ("label", "[" * 60 + "]" * 60),
            ("a key of ours it is not, and it is long", "{}"),
            ("ключ", "1"),
            ("audio.reel_id", "7"),  # known elsewhere
        ]
    ),
]


@pytest.mark.parametrize("line", USUAL, ids=range(len(USUAL)))
def test_the_usual_forms_are_taken_with_the_values_that_msgspec_finds(line: bytes) -> None:
    assert agree([line]) == []


UNUSUAL = [
    b"",
    b"{",
    b"{}",
    SPACED[:-1],
    SPACED + b",",
    SPACED + b"\x00",
    b"\xef\xbb\xbf" + SPACED,
    SPACED.replace(b'"reel_id"', b'"\\u0072eel_id"'),
    SPACED.replace(b'"region"', b'"reel_id"'),  # twice
    SPACED.replace(b", ", b",, ", 1),
    SPACED.replace(b"}}", b"},}"),
    *(
        with_value(field, value)
        for field, value in [
            ("reel_id", '""'),
            ("reel_id", "null"),
            ("reel_id", '"' + "é" * 129 + '"'),
            ("audio.audio_id", '"' + "x" * 257 + '"'),
            ("published_at", '"2026-02-29T00:00:00Z"'),
            ("published_at", '"2026-01-05T24:00:00Z"'),
            ("published_at", '"2026-01-05T14:10:00"'),
            ("published_at", '"2026-01-05T14:10:00.Z"'),
            ("published_at", '"2004-12-31T23:59:59Z"'),
            ("published_at", '"2050-01-01T00:00:00Z"'),
            ("observed_at", '"2026-01-05"'),
            ("author_followers", "9007199254740992"),
            ("author_followers", "-1"),
            ("author_followers", "007"),
            ("author_followers", "1.5"),
            ("duration_s", "604800.5"),
            ("duration_s", "1."),
            ("caption", '"\\ud800"'),
            ("caption", '"\\ud800\\u0041"'),
            ("caption", '"\\udc00"'),
            ("caption", '"\\x"'),
            ("caption", '"\x01"'),
            ("caption", "7"),
            ("hashtags", '["a",]'),
            ("hashtags", '["a", 1]'),
            ("hashtags", json.dumps(["x"] * 101)),
            ("audio", "[]"),
            ("audio.original", "1"),
            ("audio.landmarks.version", "65536"),
            ("embedding.model", "null"),
            ("embedding.f16", '"AAA"'),
            ("embedding.f16", '"A==="'),
            ("embedding.f16", '"===="'),
            ("label", "01"),
            ("label", "1e"),
            ("label", "-"),
            ("label", "nul"),
            ("label", "truex"),
            ("label", "[1,]"),
            ("label", "[1 2]"),
            ("label", '{"a"}'),
            ("label", '{"a":1,}'),
            ("label", "[}"),
            ("label", "[" * 61 + "]" * 61),
        ]
    ),
    *(
        SPACED.replace("🔥".encode(), bad)
        for bad in (b"\xff", b"\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xc3(")
    ),
    *(SPACED.replace("🔥".encode(), bad) for bad in (b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80")),
]


@pytest.mark.parametrize("line", UNUSUAL, ids=range(len(UNUSUAL)))
def test_what_is_wrong_or_unusual_is_doubted_and_nothing_beside_it(line: bytes) -> None:
    assert agree([COMPACT, line, SPACED]) == [1]


PIECES = [
    *(b'null true false " \\ { } [ ] , : - 0 1 9 . e E5 .0 + = Z 60 29 1900').split(b" "),
    *(b" ", b"\t", b"\x00", b"\xff", b"\xf0\x9f\x98\x80", b"\xe0\x80\x80", b"\\u0000", b"\\ud83d"),
    *(b'"caption":"x",', b'"x":{"reel_id":1},', b'"hashtags":[],', b"+02:00", b".9999995", b"{},"),
]


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A real-looking line after a few changes: bits, cuts, insertions, the end of another line."""
    line = draw(st.sampled_from(USUAL))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(line)))
        till = min(at + draw(st.integers(0, 12)), len(line))
        match draw(st.integers(0, 4)):
            case 0 if at < len(line):
                flipped = line[at] ^ 1 << draw(st.integers(0, 7))
                line = line[:at] + bytes([flipped]) + line[at + 1 :]
            case 1:
                line = line[:at]
            case 2:
                other = draw(st.sampled_from(USUAL))
                line = line[:at] + other[draw(st.integers(0, len(other))) :]
            case 3:
                line = line[:at] + draw(st.sampled_from(PIECES)) + line[till:]
            case _:
                line = line[:at] + draw(st.sampled_from(PIECES)) + line[at:]
    return line.replace(b"\n", b"")


@given(st.lists(mutated(), max_size=8))
@example([UNUSUAL[3], SPACED])
def test_msgspec_finds_the_same_in_every_line_that_is_taken(lines: list[bytes]) -> None:
    agree(lines)


@given(st.text(max_size=80), st.booleans(), st.booleans())
def test_any_text_comes_through_escaped_or_not(text: str, ascii_only: bool, html: bool) -> None:
    line = json.dumps({**LINE, "caption": text, "hashtags": [text]}, ensure_ascii=ascii_only)
    some = line.replace("/", "\\/") if html else line
    reels, doubted = scanned([some.encode()])
    assert (reels.texts("caption"), doubted) == ([text], [])


@given(mutated(), st.binary(min_size=SLACK, max_size=SLACK))
def test_what_comes_after_the_lines_does_not_matter(line: bytes, after: bytes) -> None:
    reels, doubted = scanned([line], after)
    same, too = scanned([line])
    assert doubted == too
    assert [reels.texts(name) for name in TEXTS] == [same.texts(name) for name in TEXTS]


def test_the_scanner_knows_the_fields_of_the_contract_and_which_are_required() -> None:
    structs = (Reel, Audio, Metrics, Embedding, Landmarks)
    told = {
        (one, name): bool(optional)
        for (one, name, *_), optional in zip(fields.FIELDS, fields.OPTIONAL, strict=True)
    }
    assert told == {
        (number, field.name): not field.required
        for number, struct in enumerate(structs)
        for field in msgspec.structs.fields(struct)
    }
