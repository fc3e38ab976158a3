"""Lines of feedback as what each of them changes."""

import json
from typing import Any

from operators.feedback import Word, words_of

TIME = "2026-01-05T14:10:00Z"
AT = 1_767_622_200


def line(trend: str, verdict: str, by: str = "", **more: Any) -> bytes:
    """A line as the radar writes it."""
    given = {"trend_id": trend, "verdict": verdict, "by": by, "event_time": TIME} | more
    return json.dumps(given).encode()


def test_the_last_word_of_each_person_counts() -> None:
    lines = [
        line("a", "noise", "Ann"),
        line("a", "noise", "Bob"),
        line("a", "noise", "Ann"),  # says nothing new
        line("a", "real", "Ann"),
        line("a", "none", "Bob"),
        line("b", "none", "Bob"),  # takes back what was never said
    ]
    assert words_of(lines) == [
        Word(AT, "a", 0, 1),
        Word(AT, "a", 0, 1),
        Word(AT, "a", 1, -1),
        Word(AT, "a", 0, -1),
    ]


def test_what_was_said_before_stays_the_same_when_more_is_said() -> None:
    lines = [line(f"t{n % 3}", ("real", "noise", "none")[n % 7 % 3], str(n % 4)) for n in range(60)]
    whole = words_of(lines)
    for count in range(60):
        part = words_of(lines[:count])
        assert part == whole[: len(part)]


def test_lines_that_say_nothing_are_passed_over() -> None:
    lines = [
        b"",
        b"{",
        b"\xff\x00",
        b"[1]",
        line("", "real"),
        line("a", "perhaps"),
        line("a", "real", "x" * 65),
        line("a", "real", event_time="yesterday"),
        line("a", "real", event_time="2026-01-05T14:10:00"),  # of no zone
        line("a", "real", event_time=None),
        line("a" * 257, "real"),
    ]
    assert words_of(lines) == []


def test_without_an_event_time_it_counts_from_when_it_was_said() -> None:
    at = "2026-01-05T15:10:00.5+01:00"
    assert words_of([line("a", "real", event_time=None, at=at)]) == [Word(AT, "a", 1, 0)]
