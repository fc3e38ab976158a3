"""Text in pictures, read by the models that come with rapidocr, and texts made clean."""

from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from extractors.media import Media
from extractors.text import (
    MAX_CHARACTERS,
    MAX_LINES,
    Line,
    Text,
    clean,
    different,
    key_phrases,
    merged,
    models,
)
from schemas.reels import Reel

REEL = Reel(reel_id="r", published_at=datetime(2026, 1, 5, tzinfo=UTC), author_id="a")


def screen(*lines: str, colour: str = "navy") -> np.ndarray:
    image = Image.new("RGB", (320, 400), colour)
    draw = ImageDraw.Draw(image)
    for place, line in enumerate(lines):
        draw.text((16, 40 + 90 * place), line, fill="white", font=ImageFont.load_default(28))
    return np.asarray(image)


@pytest.fixture(scope="module")
def text() -> Text:
    return Text(side=320, threads=1)


def test_what_is_written_in_the_frames_is_read_once(text: Text) -> None:
    first = screen("HOW TO COOK RICE")
    frames = np.stack([first, first, screen("HOW TO COOK RICE", "step 1: wash it"), first])
    assert text.extract([Media(REEL, frames=frames), Media(REEL)]) == [
        {"ocr_text": "HOW TO COOK RICE\nstep 1: wash it"},
        {},
    ]


def test_a_picture_without_text_says_nothing(text: Text) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (1, 64, 64, 3), dtype=np.uint8)
    assert text.extract([Media(REEL, frames=noise), Media(REEL, frames=screen()[None])]) == [{}, {}]


def test_the_models_are_those_of_the_package() -> None:
    assert {*models()} == {"Det", "Rec", "Cls"}
    assert all(path.is_file() for path in models().values())


def test_at_most_so_many_frames_are_read_and_they_differ() -> None:
    shades = ("black", "black", "gray", "gray", "white", "red", "lime", "lime")
    frames = np.stack([screen(colour=shade) for shade in shades])
    assert different(frames, 10) == [0, 2, 4, 5, 6]
    assert different(frames, 2) == [0, 6]
    assert different(frames, 1) == [0]


def test_lines_that_were_read_twice_are_one_and_the_surest_stays() -> None:
    frames = [
        [Line("WAIT FOR 1T", 0.7), Line("0:13", 0.9), Line("Step 1", 0.9)],
        [Line("WAIT FOR IT", 0.95), Line("0:14", 0.9), Line("Step 2", 0.9), Line("@some.one", 1)],
    ]
    assert merged(frames) == [Line("WAIT FOR IT", 0.95), Line("Step 1", 0.9), Line("Step 2", 0.9)]


def test_a_screen_full_of_text_has_limits() -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    lines = [Line(f"{one * 9}{other * 9}", 1.0) for one in letters for other in letters]
    assert len(merged([lines])) == MAX_LINES


@given(st.text(max_size=300))
def test_a_clean_text_is_one_line_shows_itself_and_stays_clean(given_text: str) -> None:
    once = clean(given_text)
    assert len(once) <= MAX_CHARACTERS
    assert not {*once} & {"\n", "\x1b", "\u202e", "\x00", "\ufeff"}
    assert clean(once) == clean(clean(once))


def test_cleaning_takes_away_links_handles_and_what_is_not_seen() -> None:
    hostile = "\x1b[31mCat\u202e drop\u200b www.evil.example/x?y @me.you  #ＣＡＴ '; DROP TABLE"
    assert clean(hostile) == "[31mCat drop #CAT '; DROP TABLE"
    assert clean("a" * 5000) == "a" * MAX_CHARACTERS
    assert clean("می\u200cخواهم 👩\u200d🍳") == "می\u200cخواهم 👩\u200d🍳"


def test_key_phrases_are_what_texts_have_in_common() -> None:
    texts = ["doing the Cat Drop!!", "cat drop #fyp", "my cat drop fail", "nobody: me at 3am"]
    assert key_phrases(texts) == ["cat drop"]
    assert key_phrases(["夏の思い出", "夏の思い出"]) == ["夏の思い出"]
    assert key_phrases(["once only"]) == []
    assert key_phrases([]) == []
