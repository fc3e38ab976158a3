"""What the generated schemas accept is what the code accepts, and the other way round."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from jsonschema import Draft202012Validator, FormatChecker

from schemas import reels, trends
from schemas.export import documents
from tests.schemas.documents import broken, valid, values

SCHEMAS = {name: json.loads(content) for name, content in documents().items()}
REEL_SCHEMA = SCHEMAS["reels.v1.json"]
TREND_SCHEMA = SCHEMAS["trends.v1.json"]
REEL = Draft202012Validator(REEL_SCHEMA)
TREND = Draft202012Validator(TREND_SCHEMA)
MINIMAL = {"reel_id": "r", "published_at": "2026-01-05T14:10:00Z", "author_id": "a"}


def code_accepts(decode: Any, document: Any) -> bool:
    """Tell whether the code reads a document."""
    try:
        decode(json.dumps(document, ensure_ascii=False, allow_nan=False).encode())
    except msgspec.DecodeError:
        return False
    return True


def as_written(document: Any) -> Any:
    """Write whole numbers without a fraction, as every writer of trends does.

    To JSON Schema `31.0` is the integer 31. In a trend, which only we write, the code refuses it.
    """
    match document:
        case float() if document.is_integer():
            return int(document)
        case dict():
            return {key: as_written(value) for key, value in document.items()}
        case list():
            return [as_written(value) for value in document]
    return document


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schema_is_a_schema(name: str) -> None:
    if name != "asyncapi.json":
        Draft202012Validator.check_schema(SCHEMAS[name])


@given(valid(REEL_SCHEMA))
def test_a_valid_reel_is_accepted_by_both(document: Any) -> None:
    assert REEL.is_valid(document)
    assert code_accepts(reels.decode, document)


@given(broken(REEL_SCHEMA))
@settings(max_examples=400)
@example(document={**MINIMAL, "duration_s": -1})
@example(document={**MINIMAL, "hashtags": ["x"] * 101})
@example(document={**MINIMAL, "metrics": {"views": 31.0}})
@example(document={**MINIMAL, "metrics": {"views": 31.5}})
@example(document={**MINIMAL, "author_followers": 2**53})
@example(document={**MINIMAL, "author_followers": True})
@example(document={**MINIMAL, "embedding": {"model": "m", "f16": "QQ"}})
@example(document={**MINIMAL, "embedding": {"model": "m", "f16": "QQ==\n"}})
@example(document={**MINIMAL, "published_at": "2026-02-29T00:00:00Z"})
@example(document={**MINIMAL, "published_at": "2024-02-29T00:00:00Z"})
@example(document={**MINIMAL, "published_at": "1900-02-29T00:00:00Z"})
@example(document={**MINIMAL, "published_at": "0000-01-01T00:00:00Z"})
@example(document={**MINIMAL, "published_at": "9999-12-31T23:59:59.9999995Z"})
@example(document={**MINIMAL, "published_at": "9999-12-31T23:59:59.9999994Z"})
@example(document={**MINIMAL, "published_at": "2026-01-05 14:10:00+0200"})
@example(document={**MINIMAL, "published_at": "2026-01-05T14:10:60Z"})
@example(document={**MINIMAL, "published_at": "2026-01-05T14:10:00Z\n"})
@example(document={**MINIMAL, "published_at": 1767622200})
def test_a_reel_is_accepted_by_both_or_by_neither(document: Any) -> None:
    assert code_accepts(reels.decode, document) == REEL.is_valid(document)


@given(values)
def test_anything_else_is_accepted_by_both_or_by_neither(document: Any) -> None:
    assert code_accepts(reels.decode, document) == REEL.is_valid(document)
    assert code_accepts(trends.decode, document) == TREND.is_valid(document)


@given(valid(REEL_SCHEMA))
def test_a_time_that_any_rfc_3339_checker_accepts_is_accepted(document: Any) -> None:
    checked = Draft202012Validator(REEL_SCHEMA, format_checker=FormatChecker())
    assert checked.is_valid(document)


@given(valid(REEL_SCHEMA))
def test_a_reel_that_is_written_and_read_is_the_same(document: Any) -> None:
    reel = reels.decode(json.dumps(document).encode())
    assert reels.decode(reels.encode(reel)) == reel


@given(valid(TREND_SCHEMA))
@settings(max_examples=60)
def test_a_valid_trend_is_accepted_by_both(document: Any) -> None:
    assert TREND.is_valid(document)
    assert code_accepts(trends.decode, as_written(document))


@given(broken(TREND_SCHEMA))
@settings(max_examples=200)
def test_a_trend_is_accepted_by_both_or_by_neither(document: Any) -> None:
    document = as_written(document)
    assert code_accepts(trends.decode, document) == TREND.is_valid(document)
