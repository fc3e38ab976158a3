"""Reels into rows for the shards: every signal once a reel, in its shard, with its label."""

import pickle
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.blocks import SHARDS, Fresh, ShardRows, shard_name
from operators.explode import Explode
from operators.identify import identify
from tests.operators.reels import hashes, reels_of
from trend.kinds import HASHTAG, PHRASE, SOUND
from trend.records import USE, VOLUME
from trend.sounds import MAX_LABEL


def fresh(reels: Sequence[dict[str, Any]], closed: int = 3, announce: bool = False) -> Fresh:
    """Reels given by their unusual columns, each a tick after the one before."""
    numbers = np.arange(len(reels), dtype=np.int32)
    named = [{"reel_id": f"r{i}", "author_id": f"a{i % 3}"} | reels[i] for i in numbers]
    return Fresh(
        "p",
        reels_of(named),
        hashes(row["reel_id"] for row in named),
        hashes(row["author_id"] for row in named),
        numbers,
        numbers + np.int32(1),
        numbers % 2 == 1,
        closed,
        False,
        announce=announce,
    )


def part(whole: Fresh, rows: slice) -> Fresh:
    """Some rows of a poll as one of their own."""
    columns = (whole.reel, whole.author, whole.tick, whole.apply, whole.again)
    return Fresh("p", whole.reels.take(rows), *(column[rows] for column in columns), 3, False)


def uses(items: list[ShardRows]) -> list[tuple[int, int, str]]:
    """(tick, kind, label) of every row, sorted."""
    return sorted(
        (int(row["tick"]), int(row["kind"]), label(item, row))
        for item in items
        for row in item.rows
    )


def label(item: ShardRows, row: np.void) -> str:
    start = row["label_at"]
    return item.labels[start : start + row["label_len"]].decode()


REELS: list[dict[str, Any]] = [
    {"caption": "The Cat Drop 🔥", "hashtags": ["#Cat", "ＣＡＴ", " "], "audio_id": "s-1"},
    {
        "caption": "cat drop #Dog",
        "hashtags": [],
        "audio_id": "s-1",
        "title": "Song",
        "artist": "Me",
    },
    {"caption": "x #Кот", "transcript": "Cat drop", "title": "no id"},
    {"hashtags": ["cat", ""]},
    {"caption": "", "transcript": None, "audio_id": " "},
]


def test_a_poll_of_reels() -> None:
    assert uses(Explode()(identify(fresh(REELS)))) == [
        (0, SOUND, "s-1\x1f"),
        (0, HASHTAG, "cat"),
        (0, PHRASE, "cat drop"),
        (1, SOUND, "s-1\x1fSong – Me"),
        (1, HASHTAG, "dog"),
        (1, PHRASE, "cat drop"),
        (2, HASHTAG, "кот"),
        (2, PHRASE, "cat drop"),
        (3, HASHTAG, "cat"),
    ]


def test_rows_carry_their_reel_and_are_in_their_shard() -> None:
    poll = fresh(REELS)
    items = Explode()(poll)
    assert [item.shard for item in items] == sorted({item.shard for item in items})
    for item in items:
        assert item.rows.dtype == USE
        assert len(item.rows) > 0
        assert (item.partition, item.closed, item.end) == ("p", 3, False)
        for row in item.rows:
            reel = int(row["tick"])
            assert (row["reel"], row["author"]) == (poll.reel[reel], poll.author[reel])
            assert (row["apply"], row["again"]) == (poll.apply[reel], poll.again[reel])
            identity = label(item, row).split("\x1f")[0]
            assert row["signal"] == hashes([identity], int(row["kind"]))[0]
            assert shard_name(int(row["signal"] >> np.uint64(58))) == item.shard


def test_rows_of_a_shard_keep_the_order_of_the_reels() -> None:
    items = Explode()(fresh([{"hashtags": [f"t{i % 50}"]} for i in range(500)]))
    assert sum(len(item.rows) for item in items) == 500
    for item in items:
        assert (np.diff(item.rows["tick"]) > 0).all()


def test_every_shard_hears_of_the_watermark() -> None:
    volume = np.array([(1, 1, 5)], VOLUME)
    poll = replace(fresh(REELS), closed=9, end=True, volume=volume, announce=True)
    items = Explode()(poll)
    assert [item.shard for item in items] == [shard_name(shard) for shard in range(SHARDS)]
    assert all(item.volume is volume and item.closed == 9 and item.end for item in items)
    assert uses(items) == uses(Explode()(fresh(REELS)))


@pytest.mark.parametrize("reels", [[], [{}], [{"hashtags": []}, {"caption": "🔥"}]])
def test_a_poll_without_signals(reels: list[dict[str, Any]]) -> None:
    assert Explode()(fresh(reels)) == []
    items = Explode()(fresh(reels, announce=True))
    assert [len(item.rows) for item in items] == [0] * SHARDS


def test_phrases_are_limited() -> None:
    reel = {"caption": "aa bb cc dd ee ff", "audio_id": "s"}
    assert uses(Explode(max_phrases=2)(fresh([reel]))) == [
        (0, SOUND, "s\x1f"),
        (0, PHRASE, "aa bb"),
        (0, PHRASE, "bb cc"),
    ]
    assert len(uses(Explode(max_phrases=0)(fresh([reel])))) == 1


@pytest.mark.parametrize(
    ("title", "artist", "label"),
    [
        (None, None, ""),
        (None, "Me", ""),
        ("", "Me", ""),
        ("Song", None, "Song"),
        ("Song", "", "Song"),
        ("Song", "Me", "Song – Me"),
        ("é" * 999, None, "é" * MAX_LABEL),
        ("é" * (MAX_LABEL - 4), "🎵" * 9, "é" * (MAX_LABEL - 4) + " – 🎵"),
        ("a" * (MAX_LABEL - 1), "b", "a" * (MAX_LABEL - 1) + " "),
    ],
)
def test_a_sound_is_called_by_title_and_artist(
    title: str | None, artist: str | None, label: str
) -> None:
    reel = {"audio_id": "s", "title": title, "artist": artist}
    assert uses(Explode()(fresh([reel]))) == [(0, SOUND, "s\x1f" + label)]


def test_many_signals_outgrow_the_first_guess() -> None:
    reel = {"hashtags": [f"tag{i}" for i in range(100)]}
    assert len(uses(Explode()(fresh([reel] * 50)))) == 5000


TEXT = st.text(st.sampled_from([*"abAB ß.#\u200b", " ", "猫", "ж", "🔥"]), max_size=12)
REEL = st.fixed_dictionaries(
    {},
    optional={
        "caption": st.none() | TEXT,
        "transcript": st.none() | TEXT,
        "hashtags": st.none() | st.lists(TEXT, max_size=4),
        "audio_id": st.none() | TEXT,
        "title": st.none() | TEXT,
        "artist": st.none() | TEXT,
    },
)


@given(st.lists(REEL, max_size=8), st.integers(1, 7))
def test_the_size_of_a_poll_changes_nothing(reels: list[dict[str, Any]], size: int) -> None:
    explode = Explode()
    whole = identify(fresh(reels))
    parts = [
        explode(part(whole, slice(start, start + size))) for start in range(0, len(reels), size)
    ]
    assert uses(explode(whole)) == sorted(use for items in parts for use in uses(items))


@pytest.mark.parametrize(
    ("sound", "named"),
    [
        ("s-1", True),
        ("é ", True),
        ("\u2003x", True),
        ("\u200b", True),
        ("", False),
        (" \t", False),
        ("\u3000\u2028\x85\xa0", False),
        (None, False),
        ("a\x1fb", False),
        ("\x1f", False),
    ],
)
def test_identify_makes_nothing_of_blank_ids(sound: str | None, named: bool) -> None:
    reels = identify(fresh([{"audio_id": "s"}, {"audio_id": sound, "caption": "c"}])).reels
    assert reels.texts("audio_id") == ["s", sound if named else None]
    assert reels.texts("caption") == [None, "c"]


def test_input_is_left_as_it_was() -> None:
    poll = identify(fresh(REELS))
    before = pickle.dumps(poll)
    Explode()(poll)
    assert pickle.dumps(poll) == before
