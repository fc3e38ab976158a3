"""Decode: what is a reel, what is not and why, and that no line's verdict hangs on another's."""

import json
import random
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.blocks import LINE_LIMIT, Decoded, Oversized, Poll, Reject
from operators.decode import ERRORS, decode
from operators.faults import DEPTH_LIMIT, classify, depth
from operators.reels import NUMBERS, TEXTS, Reels
from schemas.reels import Audio, Metrics, Reel

GOOD = {"reel_id": "r1", "published_at": "2026-01-05T14:10:00Z", "author_id": "a1"}
US = 1_767_622_200_000_000  # of the time above


def line(**fields: object) -> bytes:
    """A good line with other or more fields; `...` leaves one out."""
    both = {**GOOD, **fields}
    kept = {name: value for name, value in both.items() if value is not ...}
    return json.dumps(kept, ensure_ascii=False).encode()


def raw(field: str, value: str) -> bytes:
    """A good line with one more field, whose value is this very text."""
    return line()[:-1] + f', "{field}": {value}}}'.encode()


def poll(*lines: bytes, record: int = 0, offset: int = 0) -> Poll:
    return Poll("p", record, offset, b"".join(one + b"\n" for one in lines))


def nested(levels: int, opener: str = "[", closer: str = "]") -> bytes:
    return raw("x", opener * levels + closer * levels)  # inside an object: one level more


Values = tuple[tuple[str | None, ...], int, list[str], list[int]]


def hashtags(reels: Reels) -> list[list[str]]:
    starts, lengths, bounds = reels.tags()
    tags = [
        reels.data[start : start + length].tobytes().decode()
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True)
    ]
    return [tags[start:stop] for start, stop in pairwise(bounds.tolist())]


def values(reels: Reels) -> list[Values]:
    """What each of the reels holds: its texts, its time, its hashtags and its numbers."""
    marks = [text if text is None else b64decode(text) for text in reels.texts("landmarks")]
    found = {name: reels.texts(name) for name in TEXTS} | {"landmarks": marks}
    texts = zip(*found.values(), strict=True)
    columns = (reels.time.tolist(), hashtags(reels), reels.numbers.tolist())
    return list(zip(texts, *columns, strict=True))


def told(reel: Reel) -> Values:
    """The same of a reel that msgspec read."""
    sound = reel.audio or Audio()
    of_sound = ("audio_id", "title", "artist", "fingerprint")
    found = [
        getattr(sound if name in of_sound else reel, name) for name in TEXTS if name != "landmarks"
    ]
    marks = sound.landmarks
    found.append(marks.data if marks else None)
    time = (reel.published_at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    numbers = {"author_followers": reel.author_followers}
    numbers["version"] = marks.version if marks else None
    seen = reel.metrics or Metrics()
    numbers |= {name: getattr(seen, name) for name in NUMBERS if name not in numbers}
    given = [-1 if numbers[name] is None else numbers[name] for name in NUMBERS]
    return tuple(found), time, reel.hashtags or [], given


MIXED = [
    (b"{", "invalid_json"),
    (line()[:-1], "invalid_json"),
    (line() + b" " + line(), "invalid_json"),
    (line() + b",", "invalid_json"),
    (b"\xef\xbb\xbf" + line(), "invalid_json"),
    (raw("x", "NaN"), "invalid_json"),
    (raw("duration_s", "Infinity"), "invalid_json"),
    (raw("caption", '"\\ud800"'), "invalid_json"),
    (raw("x", '"\\ud800"'), "invalid_json"),
    (raw("caption", '"\x00"'), "invalid_json"),
    (raw("caption", "1")[:-1], "invalid_json"),  # broken JSON weighs more than a wrong type
    (line().replace(b"r1", b"r\xff"), "invalid_utf8"),
    (line(x="y").replace(b"y", b"\xc0\xaf"), "invalid_utf8"),  # in a field that is not ours
    (line(x="y").replace(b"y", b"\xed\xa0\x80"), "invalid_utf8"),  # a surrogate, encoded
    (b"[]", "wrong_type"),
    (b'"text"', "wrong_type"),
    (line(reel_id=7), "wrong_type"),
    (line(published_at=1_767_622_200), "wrong_type"),
    (line(hashtags="fyp"), "wrong_type"),
    (line(hashtags=["a", None]), "wrong_type"),
    (line(audio={"audio_id": 3}), "wrong_type"),
    (b"{}", "missing_field"),
    (line(author_id=...), "missing_field"),
    (line(audio={"landmarks": {"version": 1}}), "missing_field"),
    (line(reel_id=""), "invalid_value"),
    (line(metrics={"views": -1}), "invalid_value"),
    (raw("author_followers", "1" * 400), "invalid_value"),
    (raw("duration_s", "1e999"), "invalid_value"),
    (line(published_at="yesterday"), "invalid_time"),
    (line(published_at="2026-01-05T14:10:00"), "invalid_time"),
    (line(published_at="2026-02-30T14:10:00Z"), "invalid_time"),
    (line(observed_at=""), "invalid_time"),
    (line(published_at="2004-12-31T23:59:59.999999Z"), "absurd_time"),
    (line(published_at="2050-01-01T00:00:00Z"), "absurd_time"),
    (line(published_at="0001-01-01T00:00:00+14:00"), "absurd_time"),
    (line(published_at="9999-12-31T23:59:59-14:00"), "absurd_time"),
    (line(reel_id="r" * 257), "id_too_long"),
    (line(author_id="é" * 129), "id_too_long"),
    (line(audio={"audio_id": "😀" * 65}), "id_too_long"),
    (line(hashtags=["x"] * 101), "too_many_hashtags"),
    (line(caption="x" * LINE_LIMIT), "line_too_long"),
    (nested(DEPTH_LIMIT), "too_deep"),
    (nested(DEPTH_LIMIT, '{"a":', "}").replace(b":}", b":1}"), "too_deep"),
    (b"[" * LINE_LIMIT, "too_deep"),
    (b'{"a":' * (LINE_LIMIT // 5), "too_deep"),
    (raw("x", "[" * 1_000_000)[:LINE_LIMIT], "too_deep"),
]

FINE = [
    line(),
    line(reel_id="r2", caption="Café 😀", hashtags=["a", "b\x1f", ""], language="pt-BR"),
    line(reel_id="r3", audio={"audio_id": "s", "title": "T", "artist": "A"}),
    line(reel_id="r4", audio={"title": "T", "artist": ""}, hashtags=[]),
    line(reel_id="r5", hashtags=["x"] * 100, transcript="t", ocr_text="o"),
    line(reel_id="é" * 128, published_at="2049-12-31T23:59:59.999999Z"),
    line(caption="[{" * 600),  # brackets in a string are no nesting
    raw("caption", '"\\u0000 \\ud83d\\ude00"'),
    raw("x", "1" * 5000),
    raw("x", "1e999"),
    nested(DEPTH_LIMIT - 1),
    line() + b"\r",
    b'{"reel_id": "old", ' + line()[1:],
    line(caption=None, audio=None, hashtags=None),
    line(caption="Café", hashtags=["é"], audio={"title": "T"}).replace(
        b"reel_id", b"\\u0072eel_id"
    ),
    raw("duration_s", "1.25e1"),
    raw("x", "[" * 61 + "]" * 61),
]


@pytest.mark.parametrize(("bad", "error"), MIXED, ids=range(len(MIXED)))
def test_a_bad_line_is_rejected_with_its_class_and_nothing_else_is(bad: bytes, error: str) -> None:
    decoded = decode(poll(line(), bad, line(reel_id="r2"), record=5, offset=100))
    assert decoded.reels.texts("reel_id") == ["r1", "r2"]
    (reject,) = decoded.rejects
    assert (reject.error, reject.record, reject.original) == (error, 6, bad)
    assert (reject.offset, reject.length) == (100 + len(line()) + 1, len(bad))
    assert error in ERRORS
    assert reject.reason.isprintable()
    assert len(reject.reason) < 200


def test_every_class_of_error_occurs() -> None:
    assert {error for _, error in MIXED} | {"source_error", "no_value"} == set(ERRORS)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (line(author_id=...), "author_id: expected a value, got none"),
        (line(hashtags=["a", 1]), "hashtags[1]: expected str, got 1 (int)"),
        (line(reel_id=[1]), "reel_id: expected str, got an array of 1 (array)"),
        (
            line(published_at="2026-13-01\u202e"),
            "published_at: expected an RFC 3339 time with an offset, got '2026-13-01\\u202e'",
        ),
        (line(hashtags=["x"] * 101), "hashtags: expected at most 100, got an array of 101"),
        (b"\xff", "byte 0: expected UTF-8, got b'\\xff'"),
    ],
)
def test_the_reason_names_the_field_the_value_and_what_was_expected(
    bad: bytes, reason: str
) -> None:
    fault = classify(bad)
    assert fault is not None
    assert fault.reason == reason


@pytest.mark.parametrize("good", FINE, ids=range(len(FINE)))
def test_what_is_a_reel_is_accepted(good: bytes) -> None:
    decoded = decode(poll(good))
    assert decoded.rejects == ()
    assert decoded.reels.texts("reel_id") == [msgspec.json.decode(good, type=Reel).reel_id]


def test_columns_hold_what_the_reels_say() -> None:
    reels = decode(poll(*FINE[:5])).reels
    assert hashtags(reels) == [[], ["a", "b\x1f", ""], [], [], ["x"] * 100]
    assert reels.texts("audio_id") == [None, None, "s", None, None]
    assert reels.texts("title") == [None, None, "T", "T", None]
    assert reels.texts("artist") == [None, None, "A", "", None]
    assert reels.texts("caption") == [None, "Café 😀", None, None, None]
    assert reels.time.tolist() == [US] * 5


def test_of_keys_given_twice_the_last_counts() -> None:
    assert decode(poll(FINE[12])).reels.texts("reel_id") == ["r1"]


def test_an_empty_poll_has_no_reels() -> None:
    decoded = decode(Poll("p", 3, 40, b"", end=True))
    assert decoded.reels.starts.shape == (0, len(TEXTS))
    assert (len(decoded.reels), decoded.rejects, decoded.end) == (0, (), True)


def test_blank_lines_count_as_records_but_are_neither_reels_nor_rejects() -> None:
    decoded = decode(poll(b"", b" \t\r", line(), b"", b"{"))
    assert decoded.reels.texts("reel_id") == ["r1"]
    assert [reject.record for reject in decoded.rejects] == [4]


def test_a_byte_order_mark_is_skipped_where_the_partition_begins_only() -> None:
    marked = b"\xef\xbb\xbf" + line()
    assert len(decode(poll(marked, b"\xef\xbb\xbf")).reels) == 1
    assert decode(poll(b"\xef\xbb\xbf", line())).rejects == ()
    assert len(decode(poll(marked, offset=1)).reels) == 0
    (reject,) = decode(poll(b"\xef\xbb\xbf{", line())).rejects
    assert (reject.original, reject.offset, reject.length) == (b"\xef\xbb\xbf{", 0, 4)


def test_an_oversized_line_is_a_reject_in_its_place() -> None:
    long = Oversized(1, len(line()) + 1, b"{head", 5_000_000)
    data = b"".join(one + b"\n" for one in (line(), b"{", line(reel_id="r2")))
    decoded = decode(Poll("p", 0, 0, data, oversized=(long,)))
    assert decoded.reels.texts("reel_id") == ["r1", "r2"]
    found = [(reject.record, reject.offset, reject.error) for reject in decoded.rejects]
    after = long.offset + long.length + 1
    assert found == [(1, long.offset, "line_too_long"), (2, after, "invalid_json")]
    assert (decoded.rejects[0].original, decoded.rejects[0].length) == (b"{head", 5_000_000)


def test_input_that_broke_off_is_a_reject_that_says_how() -> None:
    broken = Oversized(0, 0, b'{"reel', 6, broken="truncated gzip")
    (reject,) = decode(Poll("p", 0, 0, b"", (broken,), end=True)).rejects
    assert (reject.error, reject.reason) == ("source_error", "truncated gzip")


@pytest.mark.parametrize(
    ("text", "microseconds"),
    [
        ("2026-01-05T14:10:00Z", US),
        ("2026-01-05t14:10:00.000001z", US + 1),
        ("2026-01-05 16:10:00.5+02:00", US + 500_000),
        ("2026-01-05T14:10:00.1234567Z", US + 123_457),
        ("2005-01-01T00:00:00Z", 1_104_537_600_000_000),
        ("2049-12-31T23:59:59.999999Z", 2_524_607_999_999_999),
    ],
)
def test_times_are_exact_to_the_microsecond(text: str, microseconds: int) -> None:
    assert decode(poll(line(published_at=text))).reels.time.tolist() == [microseconds]


@given(st.datetimes(datetime(2005, 1, 1), datetime(2049, 12, 31), timezones=st.just(UTC)))  # noqa: DTZ001
def test_any_time_is_exact_to_the_microsecond(at: datetime) -> None:
    (time,) = decode(poll(line(published_at=at.isoformat()))).reels.time.tolist()
    assert time == round(at.replace(microsecond=0).timestamp()) * 1_000_000 + at.microsecond


def test_the_depth_limit_does_not_depend_on_how_deep_the_caller_is() -> None:
    def call(levels: int) -> Decoded:
        lines = poll(nested(DEPTH_LIMIT - 1), nested(DEPTH_LIMIT))
        return call(levels - 1) if levels else decode(lines)

    for levels in (0, 200):
        decoded = call(levels)
        assert decoded.reels.texts("reel_id") == ["r1"]
        assert [reject.error for reject in decoded.rejects] == ["too_deep"]


@given(st.text(alphabet='[]{}"\\a', max_size=40))
def test_depth_ignores_strings(text: str) -> None:
    levels = most = 0
    inside = escaped = False
    for letter in text:
        if inside:
            inside, escaped = escaped or letter != '"', letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        else:
            levels += (letter in "[{") - (letter in "]}")
            most = max(most, levels)
    assert depth(text.encode()) == most


SMALL = [bad for bad, _ in MIXED if len(bad) < 5000]
ANY_LINE = st.one_of(
    st.sampled_from([*FINE, *SMALL, b"", b" \r"]),
    st.binary(max_size=40).filter(lambda some: b"\n" not in some),
    st.builds(  # a good line with one byte changed
        lambda base, at, byte: base[: at % len(base)] + byte + base[at % len(base) + 1 :],
        st.sampled_from(FINE),
        st.integers(0, 10_000),
        st.binary(min_size=1, max_size=1).filter(lambda byte: byte != b"\n"),
    ),
)


@given(st.lists(ANY_LINE, max_size=30), st.lists(st.integers(1, 9), max_size=30))
def test_polls_of_any_size_give_what_single_lines_give(lines: list[bytes], cuts: list[int]) -> None:
    def over(sizes: list[int]) -> tuple[list[Values], list[Reject]]:
        record = offset = 0
        parts = []
        for size in [*sizes, *[1] * len(lines)]:
            some = poll(*lines[record : record + size], record=record, offset=offset)
            parts.append(decode(some))
            record, offset = record + size, offset + len(some.data)
        rejects = [reject for part in parts for reject in part.rejects]
        return [row for part in parts for row in values(part.reels)], rejects

    one_by_one, alone = over([])
    for sizes in (cuts, [len(lines)]):
        assert over(sizes) == (one_by_one, alone)
    marked = [lines[0].removeprefix(b"\xef\xbb\xbf"), *lines[1:]] if lines else []
    assert len(one_by_one) + len(alone) == sum(1 for some in marked if some.strip(b" \t\r"))


@given(st.lists(ANY_LINE, max_size=20))
def test_what_is_accepted_is_what_the_contract_accepts(lines: list[bytes]) -> None:
    accepted = []
    for some in lines:
        try:
            reel = msgspec.json.decode(some, type=Reel)
        except (ValueError, RecursionError):
            continue
        if classify(some) is None:
            accepted.append(told(reel))
    assert values(decode(poll(*lines, offset=1)).reels) == accepted


def test_a_poll_of_nothing_but_bad_lines_is_no_trouble() -> None:
    lines = [bad for bad, _ in MIXED] * 3
    random.Random(1).shuffle(lines)
    decoded = decode(poll(*lines, offset=1))
    assert len(decoded.reels) == 0
    assert [reject.original for reject in decoded.rejects] == lines
