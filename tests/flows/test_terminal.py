"""What reaches a terminal fits into it and cannot command it."""

import io
import unicodedata
from datetime import UTC, datetime, timedelta

import pytest
from rich.cells import cell_len
from rich.console import Console

from flows.plain import plain
from flows.terminal import Progress, screen, sparkline, trends_table
from schemas.trends import Member, SeriesPoint, Trend

START = datetime(2026, 1, 5, tzinfo=UTC)
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x1b[31m[red]cat[/red][link=http://x]\u202edrop\u2066\x9b31m\r\n\x00\x7f"


def points(*reels: int) -> tuple[SeriesPoint, ...]:
    return tuple(
        SeriesPoint(t=START + timedelta(minutes=10 * n), reels=count, expected=1.0)
        for n, count in enumerate(reels)
    )


def trend(
    name: str = "#catdrop", why: str = "29 people used it in 3 h where 2 were expected"
) -> Trend:
    return Trend(
        trend_id="t1",
        revision=1,
        kind="challenge",
        stage="emerging",
        scopes=("global",),
        event_time=START,
        started_at=START,
        name=name,
        summary="",
        category=None,
        reels=31,
        authors=29,
        expected=2.4,
        growth=12.9,
        velocity_per_h=6.5,
        acceleration_per_h2=0.8,
        score=0.9,
        q_value=0.004,
        members=(Member(kind="hashtag", id="catdrop", label="#catdrop", weight=1.0, reels=19),),
        examples=(),
        series=points(*range(40)),
        forecast=(),
        why=why,
    )


def progress(**changes: int) -> Progress:
    counters = {
        "bytes_read": 420,
        "bytes_total": 1000,
        "records": 118_000,
        "rejects": 12,
        "duplicates": 5,
        "late": 3,
        "clamped": 1,
        "clock_us": int(START.timestamp() * 1e6),
    }
    return Progress.of(counters | changes, 4.2)


def printed(renderable: object, width: int) -> str:
    output = io.StringIO()
    console = Console(file=output, width=width, color_system=None, force_terminal=False)
    console.print(renderable)
    return output.getvalue()


def test_hostile_text_is_made_plain() -> None:
    assert plain(HOSTILE) == "[red]cat[/red][link=http://x]drop31m"


@pytest.mark.parametrize("text", ["", "фото 2026", "ماشاءالله", "क्‍ष", "👩‍🚀 #space", "猫 ミーム"])
def test_text_of_any_script_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


def test_a_table_of_hostile_trends_holds_no_command() -> None:
    text = printed(trends_table([trend(HOSTILE, HOSTILE)], 120), 120)
    assert "[red]cat[/red]" in text
    assert all(c == "\n" or unicodedata.category(c) not in {"Cc", "Cf"} for c in text)


@pytest.mark.parametrize("width", [30, 47, 48, 60, 80, 100, 160])
def test_the_picture_fits_into_the_terminal(width: int) -> None:
    wide = trend("猫" * 300, "x" * 500)
    text = printed(screen(progress(), [trend(), wide], width), width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert "emerging" in text
    assert "12.9x" in text


def test_the_wide_picture_tells_why() -> None:
    text = printed(trends_table([trend()], 160), 160)
    assert "29 people used it in 3 h where 2 were expected" in text
    assert "challenge" not in text  # a name with its # tells the kind
    assert "challenge" in printed(trends_table([trend("cat drop")], 160), 160)


def test_a_sparkline_shows_the_newest_points() -> None:
    assert sparkline((), 8) == ""
    assert sparkline(points(0, 0, 0), 8) == "▁▁▁"
    assert sparkline(points(0, 7), 8) == "▁█"
    assert sparkline(points(*[0] * 99, 5), 10) == "▁" * 9 + "█"
    assert len(sparkline(points(*range(1009)), 24)) <= 24


def test_progress_says_all_of_it_in_a_line() -> None:
    assert progress().line() == (
        " 42%  118,000 lines  28,095/s  at 2026-01-05 00:00  12 rejected  5 repeated  3 late  "
        "1 clamped  0:05 left"
    )


def test_progress_promises_nothing_it_does_not_know() -> None:
    line = progress(bytes_total=0, clock_us=0).line()
    assert "%" not in line
    assert "left" not in line
    assert " at " not in line
    assert progress(bytes_read=0).status().startswith("starting …")


def test_a_resumed_run_is_timed_from_where_it_went_on() -> None:
    counters = dict.fromkeys(("rejects", "duplicates", "late", "clamped", "clock_us"), 0)
    counters |= {"bytes_read": 900, "bytes_total": 1000, "records": 90}
    resumed = Progress.of(counters, 4.0, records_before=80, bytes_before=800)
    assert (resumed.rate, resumed.left_s) == (2.5, 4.0)
