"""Compiled kernels that are older than their sources are forgotten.

numba compiles a kernel anew when the file that holds it has changed, but not when only a file has
that it takes another kernel, a record or a constant from. A kernel that looks for columns where
they were yesterday is worse than a slow start: all are compiled anew when any source has changed.
"""

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

STAMP: Final = "kernels.stamp"
"""In a package's `__pycache__`: what its kernels were compiled from."""
COMPILED: Final = (".nbi", ".nbc")
"""What the names of numba's files end in: indices and code."""


def forget_stale(package: Path, uses: Sequence[Path] = ()) -> bool:
    """Remove what was compiled of a package if a source has changed; say whether one had.

    Nothing happens in a folder that cannot be written to. Two processes may do this at once: numba
    compiles what it does not find.

    Args:
        package: folder whose kernels these are.
        uses: folders of packages that its kernels take something from.
    """
    stamp = package / "__pycache__" / STAMP
    found = _digest([package, *uses])
    with suppress(OSError):
        if stamp.read_text() == found:
            return False
    with suppress(OSError):
        for file in list(_files(package, COMPILED)):
            file.unlink(missing_ok=True)
        stamp.parent.mkdir(exist_ok=True)
        fresh = stamp.with_name(f"{STAMP}.{os.getpid()}")
        fresh.write_text(found)
        fresh.replace(stamp)
    return True


def _digest(packages: Sequence[Path]) -> str:
    """Of names, times and sizes: what numba goes by for one file."""
    digest = hashlib.blake2b(digest_size=16)
    for package in packages:
        for file in sorted(_files(package, (".py",))):
            state = file.stat()
            name = file.relative_to(package.parent)
            digest.update(f"{name}\0{state.st_mtime_ns}\0{state.st_size}\n".encode())
    return digest.hexdigest()


def _files(package: Path, ends: tuple[str, ...]) -> Iterator[Path]:
    for folder, _, names in os.walk(package):
        yield from (Path(folder, name) for name in names if name.endswith(ends))
