"""Categories without training: by descriptions that the user can edit."""

from pathlib import Path

import numpy as np
import pytest

from extractors.categories import (
    CategoriesError,
    Category,
    Prompts,
    Tokens,
    opened,
    prompts,
)
from extractors.media import MissingError
from extractors.models import Card, Store
from extractors.visual import unit
from tests.extractors import small_models

READ = Prompts(
    categories={"dancing": ["dance"], "eating": ["food", "green food"], "other": ["blue"]},
    templates=("a video of {}", "{}"),
    least=0.5,
)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return small_models.clip(tmp_path_factory.mktemp("models"))


def seen(words: dict[str, float]) -> np.ndarray:
    """A picture of so much of each word, in the space of the small models."""
    matrix = np.random.default_rng(6).normal(size=(8, small_models.WIDTH)).astype(np.float32)
    weights = np.array([words.get(word, 0) for word in small_models.WORDS], np.float32)
    return unit(weights[None] @ matrix)


def test_a_picture_is_of_the_category_it_is_nearest_to(store: Store) -> None:
    folder, _ = store.open("small-clip", "visual")
    categories = opened(READ, folder, store.card("small-clip"), "small-clip")
    pictures = np.concatenate(
        [seen({"dance": 1, "a": 0.2}), seen({"food": 1, "red": 0.5}), seen({"blue": 1})]
    )
    dance, food, nothing = categories.of(pictures)
    assert isinstance(dance, Category)
    assert isinstance(food, Category)
    assert (dance.name, food.name, nothing) == ("dancing", "eating", None)
    assert 0.5 <= dance.probability <= 1
    assert categories.of(pictures[:0]) == []


def test_what_texts_say_is_kept_until_they_change(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, locked = store.open("small-clip", "visual")
    card, digest = store.card("small-clip"), locked.files["text.onnx"][0]
    first = opened(READ, folder, card, "small-clip", digest=digest)
    (kept,) = store.folder.glob("categories-*.npy")
    data = kept.read_bytes()
    kept.write_bytes(data[:-40])  # it is only a copy: damaged, it is made anew
    opened(READ, folder, card, "small-clip", digest=digest)
    assert kept.read_bytes() == data
    monkeypatch.setattr("extractors.categories.Session", None)
    again = opened(READ, folder, card, "small-clip", digest=digest)
    assert again.of(seen({"dance": 1})) == first.of(seen({"dance": 1}))
    other = Prompts(categories=READ.categories, templates=("{}",))
    with pytest.raises(TypeError):  # other texts ask the model
        opened(other, folder, card, "small-clip", digest=digest)


def test_what_is_between_two_categories_is_none(store: Store) -> None:
    folder, _ = store.open("small-clip", "visual")
    sure = Prompts(categories=READ.categories, templates=("{}",), least=0.95)
    categories = opened(sure, folder, Card(size=32, scale=5.0), "small-clip")
    assert categories.of(seen({"dance": 1, "food": 1})) == [None]


def test_a_model_without_a_text_tower_has_no_categories(store: Store) -> None:
    with pytest.raises(MissingError, match="text tower of the model small-clip"):
        opened(READ, store.folder / "small-clip", Card(text=None), "small-clip")


def test_tokens_have_a_beginning_an_end_and_a_limit(store: Store) -> None:
    tokens = Tokens(store.folder / "small-clip" / "tokenizer.json", 6)
    rows = tokens(["dance", "food " * 100, ""])
    begin, end = small_models.BEGIN, small_models.END
    assert rows.tolist() == [
        [begin, 0, end, 0, 0, 0],
        [begin, 1, 1, 1, 1, end],
        [begin, end, 0, 0, 0, 0],
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "categories"),
        ("[categories]", "has no categories"),
        ('[categories]\nother = ["x"]', "has no categories"),
        ("[categories]\ndance = []", "length >= 1"),
        ('[categories]\ndance = "people dancing"', "Expected `array`"),
        ('templates = ["no place"]\n[categories]\ndance = ["x"]', "expected one {}"),
        ('tempates = ["{}"]\n[categories]\ndance = ["x"]', "unknown field `tempates`"),
        ("[categories", "Expected"),
    ],
)
def test_a_file_of_categories_that_cannot_be_used_says_why(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(CategoriesError) as refused:
        prompts(path)
    assert str(refused.value).startswith(str(path))
    assert said in str(refused.value)


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('templates = ["{}"]\n[categories]\nskating = ["someone on a skateboard"]\n')
    assert prompts(path).categories == {"skating": ["someone on a skateboard"]}
    assert len(prompts().categories) > 10
