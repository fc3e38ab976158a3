"""Which files an input stands for: light, for whoever only asks."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

STDIN: Final = "-"
PLAIN: Final = (".jsonl", ".ndjson")
PACKED: Final = (".gz", ".zst")
UNREADABLE: Final = (".bz2", ".xz", ".lz4", ".zip", ".7z", ".rar", ".tar", ".tgz", ".parquet")


class SourceError(ValueError):
    """An input that cannot be read, or not from where a run was stopped: its path and why."""


def partitions(paths: Sequence[str]) -> list[str]:
    """The partitions of inputs: their files in the order given, `-` for standard input.

    Of a folder, and the folders in it, all `.jsonl` and `.ndjson` files (or these with `.gz` or
    `.zst`) in the order of their names, but no hidden ones. Any other file can be given by name.
    The result is a valid input and stands for the same files. Raises `SourceError`.
    """
    names = [name for path in paths for name in _files(path)]
    seen: dict[Path, str] = {}
    for name in names:
        file = Path(name).resolve()
        if file in seen:
            raise SourceError(f"{name}: expected each file once, it was also given as {seen[file]}")
        seen[file] = name
    return names


def _files(name: str) -> list[str]:
    path = Path(name)
    if name == STDIN:
        return [name]
    if path.is_dir():
        found = sorted(_inside(path))
        if not found:
            raise SourceError(f"{name}: expected {', '.join(PLAIN)} files in it, got none")
    elif not path.exists():
        raise SourceError(f"{name}: no such file or folder")
    else:
        found = [path]
    for file in found:
        _check(file)
    return [str(file) for file in found]


def _inside(folder: Path) -> Iterator[Path]:
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in files:
            path = Path(parent, name)
            plain = path.with_suffix("") if path.suffix.lower() in PACKED else path
            if plain.suffix.lower() in PLAIN and not name.startswith(".") and path.is_file():
                yield path


def _check(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise SourceError(f"{str(path)!a}: expected a name in UTF-8") from None
    if not path.is_file():
        raise SourceError(f"{path}: expected a plain file; give a pipe as standard input, -")
    if path.suffix.lower() in UNREADABLE:
        raise SourceError(f"{path}: expected lines of JSON, plain, .gz or .zst")
    try:
        path.open("rb").close()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read: {error.strerror}") from None
