"""What a picture is about, of categories that nobody trained: the nearest of their descriptions.

CLIP has a tower for texts in the space of its tower for pictures. Each description in the file of
categories is put there once; a category is the mean of its descriptions.
"""

import contextlib
import hashlib
import tomllib
from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Final, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from extractors.media import F32, MissingError
from extractors.models import Card
from extractors.runtime import ModelError, Session
from extractors.visual import unit

OTHER: Final = "other"
BEGIN: Final = 49_406
END: Final = 49_407
"""The tokens around a text, the same in all CLIP models with this vocabulary."""

I64 = npt.NDArray[np.int64]


class CategoriesError(Exception):
    """A file of categories that cannot be used: the message says what is wrong in it."""


class Prompts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file of categories.

    Attributes:
        categories: name to descriptions of it; `other` is what is none of them.
        templates: in which `{}` stands for a description.
        least: probability that a category needs.
    """

    categories: dict[
        Annotated[str, msgspec.Meta(min_length=1, max_length=40)],
        Annotated[
            list[Annotated[str, msgspec.Meta(min_length=1, max_length=200)]],
            msgspec.Meta(min_length=1, max_length=50),
        ],
    ]
    templates: Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=20)] = (
        "a photo of {}.",
    )
    least: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.3


class Category(NamedTuple):
    """What something is about, and how probable that is among the categories, from 0 to 1."""

    name: str
    probability: float


def prompts(path: Path | None = None) -> Prompts:
    """Read a file of categories; None: the one that comes with Groundswell.

    Raises `CategoriesError`.

    >>> "dance" in prompts().categories
    True
    """
    try:
        text = (path or files("extractors") / "categories.toml").read_text("utf-8")
        read = msgspec.convert(tomllib.loads(text), Prompts)
    except (OSError, ValueError) as error:  # msgspec's and tomllib's errors are ValueErrors
        raise CategoriesError(f"{path}: {error}") from None
    if any(one.count("{}") != 1 for one in read.templates):
        raise CategoriesError(f"{path}: expected one {{}} in each of the templates")
    if not {*read.categories} - {OTHER}:
        raise CategoriesError(f"{path}: has no categories")
    if len(read.categories) > 200:
        raise CategoriesError(
            f"{path}: has {len(read.categories)} categories, at most 200 are read"
        )
    return read


class Tokens:
    """Texts to CLIP's tokens, by the vocabulary that lies beside the model.

    Args:
        file: a tokenizer as the package tokenizers keeps it.
        context: tokens of a text, with beginning and end; what is longer is cut.

    Raises `MissingError` without tokenizers, `ModelError` where the file cannot be read.
    """

    def __init__(self, file: Path, context: int) -> None:
        try:
            from tokenizers import Tokenizer
        except ImportError:
            raise MissingError(
                "needs the package tokenizers: pip install 'groundswell[visual]'"
            ) from None
        try:
            self._tokenizer = Tokenizer.from_file(str(file))
        except Exception as error:  # its errors are bare exceptions
            raise ModelError(f"{file}: cannot be read: {error}"[:300]) from None
        self._context = context

    def __call__(self, texts: Sequence[str]) -> I64:
        """Return int64 [n, context]; after the end there are zeros."""
        rows = np.zeros((len(texts), self._context), np.int64)
        for row, text in zip(rows, texts, strict=True):
            found = self._tokenizer.encode(text, add_special_tokens=False).ids
            found = [BEGIN, *found[: self._context - 2], END]
            row[: len(found)] = found
        return rows


class Categories:
    """Tells what vectors of pictures are about.

    Args:
        read: the file of categories.
        vectors: of each category, float32 [categories, width], of unit length.
        scale: what cosines are multiplied by before they become probabilities.
    """

    def __init__(self, read: Prompts, vectors: F32, scale: float) -> None:
        self.names = [*read.categories]
        self._least, self._scale = read.least, scale
        self._vectors = vectors

    def of(self, vectors: F32) -> list[Category | None]:
        """Return what each vector, float32 [n, width] of unit length, is about, if anything."""
        scores = self._scale * (vectors @ self._vectors.T)
        scores = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
        likely = scores / scores.sum(axis=1, keepdims=True)
        found: list[Category | None] = []
        for row in likely:
            best = int(row.argmax())
            told = self.names[best] != OTHER and row[best] >= self._least
            found.append(Category(self.names[best], float(row[best])) if told else None)
        return found


def embedded(read: Prompts, tower: Session, tokens: Tokens) -> F32:
    """Return the vector of each category, float32 [categories, width]: the mean of its texts'."""
    rows = []
    for texts in read.categories.values():
        said = [one.replace("{}", text) for text in texts for one in read.templates]
        rows.append(unit(tower(tokens(said).astype(tower.dtype))).mean(axis=0))
    return unit(np.array(rows, np.float32))


def opened(
    read: Prompts, folder: Path, card: Card, name: str, *, threads: int = 0, digest: str = ""
) -> Categories:
    """Return the categories by the text tower of a model in a folder, which is let go again.

    With the `digest` of the tower their vectors are kept beside the folder, for a hundred texts
    take seconds.

    Raises `MissingError` where the model has no text tower, `ModelError` where it cannot be used.
    """
    if card.text is None:
        raise MissingError(f"needs the text tower of the model {name}, which has none")
    asked = hashlib.sha256(msgspec.json.encode([digest, read.categories, read.templates]))
    kept = folder.parent / f"categories-{asked.hexdigest()[:32]}.npy"
    if digest and (vectors := _read(kept, len(read.categories))) is not None:
        return Categories(read, vectors, card.scale)
    tokens = Tokens(folder / card.tokenizer, card.context)
    tower = Session(
        folder / card.text,
        f"{name} (text)",
        (card.context,),
        output=card.text_output,
        threads=threads,
        batch=16,
    )
    try:
        vectors = embedded(read, tower, tokens)
    finally:
        tower.close()
    if digest:
        with contextlib.suppress(OSError):  # without, it takes its time again
            np.save(kept, vectors)
    return Categories(read, vectors, card.scale)


def _read(kept: Path, categories: int) -> F32 | None:
    try:
        vectors: F32 = np.load(kept, allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = vectors.dtype == np.float32 and vectors.ndim == 2 and len(vectors) == categories
    return vectors if whole and np.isfinite(vectors).all() else None
