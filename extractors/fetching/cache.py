"""Where what was fetched lies: files without a name, or a folder of bounded size.

A file of the folder is called by the digest of its address. It is whole, or not there: it gets its
name when all of it is written. What was used longest ago goes first. A file that goes while it is
read stays until whoever reads it has closed it.
"""

import contextlib
import hashlib
import os
import tempfile
from collections import OrderedDict
from pathlib import Path
from typing import Final

TAIL: Final = ".media"


class Cache:
    """Files by their addresses.

    Args:
        folder: made where it is not there; None: nothing is kept.
        most: bytes of all files together.
    """

    def __init__(self, folder: Path | None, most: int) -> None:
        self._folder = folder
        self._most = most
        self._sizes: OrderedDict[str, int] = OrderedDict()
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._look(folder)

    @property
    def bytes(self) -> int:
        """Bytes of all files."""
        return sum(self._sizes.values())

    def open(self, address: str) -> int | None:
        """Return the open file of an address, or None."""
        name = _name(address)
        if self._folder is None or name not in self._sizes:
            return None
        self._sizes.move_to_end(name)
        with contextlib.suppress(OSError):
            path = self._folder / name
            file = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            os.utime(file)
            return file
        del self._sizes[name]  # somebody has tidied up
        return None

    def new(self) -> int:
        """Return an empty file that is open for reading and writing, and has no name."""
        if self._folder is not None:
            with contextlib.suppress(OSError):  # a disk that knows no files without a name
                return os.open(self._folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        with tempfile.TemporaryFile(dir=self._folder, buffering=0) as file:
            return os.dup(file.fileno())

    def keep(self, address: str, file: int) -> None:
        """Give a file of `new` that is whole the name of its address, unless it is too large."""
        size = os.fstat(file).st_size
        if self._folder is None or size > self._most:
            return
        name = _name(address)
        with contextlib.suppress(FileNotFoundError):
            (self._folder / name).unlink()
        self._sizes.pop(name, None)
        while self._sizes and self.bytes + size > self._most:
            oldest, _ = self._sizes.popitem(last=False)
            with contextlib.suppress(FileNotFoundError):
                (self._folder / oldest).unlink()
        files = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:  # without a folder's descriptor Python does not follow the link
            os.link(str(file), self._folder / name, src_dir_fd=files, follow_symlinks=True)
            self._sizes[name] = size
        except OSError:
            pass  # another process was quicker, or the disk cannot
        finally:
            os.close(files)

    def _look(self, folder: Path) -> None:
        found = [(one.stat().st_mtime, one.name, one.stat().st_size) for one in _files(folder)]
        self._sizes.update((name, size) for _, name, size in sorted(found))


def _files(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return [
            one for one in entries if one.name.endswith(TAIL) and one.is_file(follow_symlinks=False)
        ]


def _name(address: str) -> str:
    return hashlib.blake2b(address.encode(), digest_size=20).hexdigest() + TAIL
