"""Names, summaries and reasons that people can read."""

import pytest

from operators.wording import behind, name_of, pace, summary_of, why
from schemas.trends import Member, SignalKind
from trend.crowd import Crowd


def member(kind: SignalKind, label: str, reels: int) -> Member:
    return Member(kind=kind, id=label, label=label, weight=0.5, reels=reels)


SOUND = member("sound", "Cat Song – Me", 30)
TAG = member("hashtag", "#catdrop", 20)
PHRASE = member("phrase", "cat drop", 25)


def test_a_hashtag_names_it_before_a_sound_before_a_phrase() -> None:
    assert name_of([SOUND, PHRASE, TAG]) == "#catdrop"
    assert name_of([PHRASE, SOUND]) == "Cat Song – Me"
    assert name_of([PHRASE]) == "cat drop"


def test_a_weak_hashtag_does_not_name_it() -> None:
    assert name_of([SOUND, member("hashtag", "#rare", 14)]) == "Cat Song – Me"
    assert name_of([SOUND, member("hashtag", "#rare", 15)]) == "#rare"


def test_the_summary_names_four_and_counts_the_rest() -> None:
    assert summary_of([SOUND, PHRASE], "emerging") == "Emerging: Cat Song – Me, “cat drop”."
    tags = [member("hashtag", f"#{i}", 9) for i in range(6)]
    assert summary_of(tags, "fading") == "Fading: #0, #1, #2, #3 and 2 more."


@pytest.mark.parametrize(
    ("members", "ending"),
    [
        ([SOUND], ""),
        ([TAG, TAG], "; 2 hashtags rise together"),
        ([SOUND, TAG], "; sound and hashtag rise together"),
        (
            [SOUND, TAG, TAG, PHRASE],
            "; 4 signals (sound, hashtag and phrase) rise together",
        ),
    ],
)
def test_the_reason_says_who_what_was_expected_and_what_rises(
    members: list[Member], ending: str
) -> None:
    assert why(members, 29, 2.04, 3) == (
        "29 people used it in 3 h where 2.0 were expected" + ending
    )


@pytest.mark.parametrize(
    ("authors", "before", "told"),
    [
        ([12, 40], [6.0, 10.0], "; doubling every hour"),
        ([9, 40], [4.0, 10.0], "; doubling every 2 h"),
        ([12, 40], [3.9, 20.0], "; doubling every 3 h"),
        ([8, 40], [8.0, 38.0], "; doubling every 41 h"),
        ([8, 40], [8.0, 39.0], ""),
        ([12, 40], [12.0, 10.0], ""),
        ([30, 40], [31.0, 10.0], ""),
        ([9, 9], [1.0, 1.0], ""),
    ],
)
def test_how_fast_they_double_is_said_by_the_shortest_window_with_enough(
    authors: list[int], before: list[float], told: str
) -> None:
    assert pace(authors, before, [1, 3]) == told


def test_large_numbers_have_no_decimals() -> None:
    assert "where 12 were" in why([SOUND], 290, 12.34, 24)


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (
            Crowd(31, 29, 2, 28, 3, 2, 0.1),
            "29 people, none with more than 2, at most 3 with one text",
        ),
        (Crowd(31, 31, 1, 28, 1, 1, 0.1), "31 people, each with one, all in own words"),
        (Crowd(31, 31, 1, 0, 0, 0, 0.0), "31 people, each with one"),
        (
            Crowd(31, 29, 2, 28, 14, 9, 0.1),
            "29 people, none with more than 2, at most 14 with one text (9 within an hour)",
        ),
    ],
)
def test_the_reason_says_who_is_behind_it(one: Crowd, told: str) -> None:
    assert behind(one) == f"; 31 of its reels are by {told}"


def test_of_a_few_reels_it_is_not_said_who_made_them() -> None:
    assert behind(Crowd(4, 4, 1, 0, 0, 0, 0.0)) == ""
