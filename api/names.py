"""Names given to trends beside the flow: by a language model, or by a person, whose word is last.

Lines of JSON in a file beside the store. A revision never changes, so a name is no revision: who
shows trends puts it over the one that the trend came with.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec

MAX_LINE: Final = 8_192
MOST_BYTES: Final = 64 << 20
"""Of a file; then no more names are kept."""
CATEGORIES: Final = (
    "animals", "art", "beauty", "comedy", "dance", "education", "family", "fashion", "fitness",
    "food", "games", "music", "nature", "news", "sports", "technology", "travel", "other",
)  # fmt: skip


class Name(msgspec.Struct, frozen=True, kw_only=True):
    """What a trend is called."""

    trend_id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]
    name: Annotated[str, msgspec.Meta(max_length=100)]
    """Empty: the one that it came with again."""
    summary: Annotated[str, msgspec.Meta(max_length=400)] = ""
    category: Annotated[str, msgspec.Meta(max_length=40)] | None = None
    by: Literal["person", "model"] = "person"
    of: Annotated[str, msgspec.Meta(max_length=64)] = ""
    """What was named: a digest of its members; another one is named anew."""
    at: datetime | None = None


class Names:
    """The file, read again when it has grown. `path` None: there are none."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._mark: tuple[int, int] = (0, 0)
        self._names: dict[str, Name] = {}

    def read(self) -> tuple[object, dict[str, Name]]:
        """What is not the same when names have changed, and the names by trend."""
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            found = None
        mark = (found.st_ino, found.st_size) if found is not None else (0, 0)
        if mark != self._mark:
            self._names = last_words(self._lines())
            self._mark = mark
        return mark, self._names

    def _lines(self) -> Iterator[Name]:
        decoder = msgspec.json.Decoder(Name)
        if self._path is None or not self._path.exists():
            return
        with self._path.open("rb") as file:
            while line := file.readline(MAX_LINE):
                try:
                    yield decoder.decode(line)
                except msgspec.DecodeError:
                    continue


def last_words(names: Iterator[Name]) -> dict[str, Name]:
    """Of each trend the name that counts: the last by a person, unless taken back, else the last.

    Example:
        >>> model = Name(trend_id="a", name="Cat Drop", by="model")
        >>> person = Name(trend_id="a", name="Cats falling")
        >>> last_words(iter([person, model]))["a"].name
        'Cats falling'
        >>> last_words(iter([model, person, Name(trend_id="a", name="")]))["a"].name
        'Cat Drop'
    """
    models: dict[str, Name] = {}
    people: dict[str, Name] = {}
    for one in names:
        (people if one.by == "person" else models)[one.trend_id] = one
    return models | {trend: one for trend, one in people.items() if one.name}


def add(path: Path, name: Name) -> None:
    """Keep a name. Raises `OSError`."""
    with path.open("ab") as file:
        if file.tell() < MOST_BYTES:
            file.write(msgspec.json.encode(name) + b"\n")
