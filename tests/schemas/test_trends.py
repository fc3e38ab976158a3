"""A trend as the code writes it is what the contract shows."""

import json
from datetime import UTC, datetime

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from schemas import trends
from schemas.export import json_schema
from schemas.trends import ForecastPoint, Member, SeriesPoint, Trend

FIELDS = (
    "trend_id revision kind stage scopes event_time started_at name summary category reels authors "
    "expected growth velocity_per_h acceleration_per_h2 score q_value members examples series "
    "forecast why"
).split()
T = datetime(2026, 1, 5, 14, 10, tzinfo=UTC)


@pytest.fixture
def trend() -> Trend:
    return Trend(
        trend_id="01J",
        revision=3,
        kind="challenge",
        stage="emerging",
        scopes=("global", "region:BR"),
        event_time=T,
        started_at=datetime(2026, 1, 5, 9, 20, tzinfo=UTC),
        name="#catdrop",
        summary="",
        category=None,
        reels=31,
        authors=29,
        expected=2.4,
        growth=12.9,
        velocity_per_h=6.5,
        acceleration_per_h2=-0.8,
        score=0.93,
        q_value=0.004,
        members=(
            Member(kind="sound", id="s-1", label="s", weight=0.6, reels=27),
            Member(kind="hashtag", id="catdrop", label="#catdrop", weight=0.4, reels=19),
        ),
        examples=("r1", "r2"),
        series=(SeriesPoint(t=T, reels=4, expected=0.7),),
        forecast=(ForecastPoint(t=T, reels=40.0, low=22.0, high=71.0),),
        why="29 people used it in 3 h where 2 were expected",
    )


def test_it_has_the_fields_of_the_contract_in_their_order(trend: Trend) -> None:
    assert list(json.loads(trends.encode(trend))) == FIELDS


def test_it_validates_against_the_published_schema(trend: Trend) -> None:
    schema = json_schema(Trend, "trends.v1")
    validator = Draft202012Validator(schema, format_checker=FormatChecker())
    validator.validate(json.loads(trends.encode(trend)))


def test_it_is_one_line_and_the_same_bytes_each_time(trend: Trend) -> None:
    line = trends.encode(trend)
    assert b"\n" not in line
    assert trends.encode(trends.decode(line)) == line


def test_its_times_are_utc_and_end_in_z(trend: Trend) -> None:
    written = json.loads(trends.encode(trend))
    assert written["event_time"] == written["series"][0]["t"] == "2026-01-05T14:10:00Z"
