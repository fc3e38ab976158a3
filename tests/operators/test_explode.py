"""Reels into rows for the shards: every signal once a reel, in its shard, with its label."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.blocks import REELS_SCHEMA, SHARDS, Fresh, ShardRows, shard_name
from operators.explode import MAX_LABEL, Explode
from operators.identify import identify
from operators.strings import hash_strings
from trend.kinds import HASHTAG, PHRASE, SOUND
from trend.records import USE, VOLUME


def fresh(reels: Sequence[dict[str, Any]], closed: int = 3, announce: bool = False) -> Fresh:
    """Reels given by their unusual columns, each a tick after the one before."""
    numbers = range(len(reels))
    columns = [{"reel_id": f"r{i}", "author_id": f"a{i % 3}"} | reels[i] for i in numbers]
    frame = pl.DataFrame(
        {name: [reel.get(name) for reel in columns] for name in REELS_SCHEMA}, schema=REELS_SCHEMA
    )
    frame = frame.with_columns(
        pl.Series("reel", hash_strings(frame["reel_id"])),
        pl.Series("author", hash_strings(frame["author_id"])),
        pl.Series("tick", numbers, pl.Int32),
        pl.Series("apply", [i + 1 for i in numbers], pl.Int32),
        pl.Series("again", [i % 2 == 1 for i in numbers], pl.Boolean),
    )
    return Fresh("p", frame, closed, False, announce=announce)


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
    {"caption": "cat drop #Dog", "hashtags": [], "audio_id": "s-1", "audio_label": "Song – Me"},
    {"caption": "x #Кот", "transcript": "Cat drop", "audio_label": "no id"},
    {"hashtags": ["cat", None]},
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
            reel = poll.reels.row(int(row["tick"]), named=True)
            assert (row["reel"], row["author"]) == (reel["reel"], reel["author"])
            assert (row["apply"], row["again"]) == (reel["apply"], reel["again"])
            identity = label(item, row).split("\x1f")[0]
            assert row["signal"] == hash_strings(pl.Series([identity]), int(row["kind"]))[0]
            assert shard_name(int(row["signal"] >> np.uint64(58))) == item.shard


def test_rows_of_a_shard_keep_the_order_of_the_reels() -> None:
    items = Explode()(fresh([{"hashtags": [f"t{i % 50}"]} for i in range(500)]))
    assert sum(len(item.rows) for item in items) == 500
    for item in items:
        assert (np.diff(item.rows["tick"]) > 0).all()


def test_every_shard_hears_of_the_watermark() -> None:
    volume = np.array([(1, 1, 5)], VOLUME)
    poll = fresh(REELS)
    poll = Fresh("p", poll.reels, 9, True, volume, announce=True)
    items = Explode()(poll)
    assert [item.shard for item in items] == [shard_name(shard) for shard in range(SHARDS)]
    assert all(item.volume is volume and item.closed == 9 and item.end for item in items)
    assert uses(items) == uses(Explode()(fresh(REELS)))


@pytest.mark.parametrize("reels", [[], [{}], [{"hashtags": []}, {"caption": "🔥"}]])
def test_a_poll_without_signals(reels: list[dict[str, Any]]) -> None:
    assert Explode()(fresh(reels)) == []
    items = Explode()(fresh(reels, announce=True))
    assert [len(item.rows) for item in items] == [0] * SHARDS


def test_phrases_are_limited_and_labels_cut() -> None:
    reel = {"caption": "aa bb cc dd ee ff", "audio_id": "s", "audio_label": "é" * 999}
    assert uses(Explode(max_phrases=2)(fresh([reel]))) == [
        (0, SOUND, "s\x1f" + "é" * MAX_LABEL),
        (0, PHRASE, "aa bb"),
        (0, PHRASE, "bb cc"),
    ]
    assert len(uses(Explode(max_phrases=0)(fresh([reel])))) == 1


def test_many_signals_outgrow_the_first_guess() -> None:
    reel = {"hashtags": [f"tag{i}" for i in range(100)]}
    assert len(uses(Explode()(fresh([reel] * 50)))) == 5000


TEXT = st.text(st.sampled_from([*"abAB ß.#\u200b", " ", "猫", "ж", "🔥"]), max_size=12)
REEL = st.fixed_dictionaries(
    {},
    optional={
        "caption": st.none() | TEXT,
        "transcript": st.none() | TEXT,
        "hashtags": st.none() | st.lists(st.none() | TEXT, max_size=4),
        "audio_id": st.none() | TEXT,
        "audio_label": st.none() | TEXT,
    },
)


@given(st.lists(REEL, max_size=8), st.integers(1, 7))
def test_the_size_of_a_poll_changes_nothing(reels: list[dict[str, Any]], size: int) -> None:
    explode = Explode()
    whole = identify(fresh(reels))
    parts = [
        explode(Fresh("p", whole.reels[start : start + size], 3, False))
        for start in range(0, len(reels), size)
    ]
    assert uses(explode(whole)) == sorted(use for part in parts for use in uses(part))


def test_identify_makes_nothing_of_blank_ids() -> None:
    ids = ["s-1", "", " \t", None, "a\x1fb"]
    named = identify(fresh([{"audio_id": sound} for sound in ids])).reels["audio_id"]
    assert named.to_list() == ["s-1", None, None, None, None]
