"""Media files, folders and files of reels as what is to be extracted from, and what comes of it.

A media file becomes a reel: its id is made of its bytes, so that it is the same wherever the file
lies; its author is the folder; its time the one that the file itself says it was made at, for that
of the file system changes with every copy, or else the one that the user gives.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec

from flows.errors import UserError
from flows.extraction.repeats import Repeats
from operators.blocks import Oversized, Reject
from operators.extraction.lines import line_of
from operators.extraction.pipeline import Done, Job
from operators.faults import EARLIEST, LATEST, Fault, judge, too_long
from operators.sources.inputs import PACKED, PLAIN, STDIN
from operators.sources.lines import Lines
from operators.sources.streams import read, read_pipe
from schemas.reels import Reel

MEDIA: Final = frozenset(
    ".3gp .aac .avi .flac .flv .m4a .m4v .mka .mkv .mov .mp3 .mp4 .mpeg .mpg .oga .ogg .ogv .opus "
    ".ts .wav .webm .wma .wmv".split()
)
"""What a file of media ends with; in a folder only such are taken."""
LINES: Final = 1000
"""Lines that are read at once."""
HEAD: Final = 1 << 20
_PAUSE_S: Final = 0.05


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reel came from: a file, the number of its line, and the line."""

    source: str
    record: int
    line: bytes


Refuse = Callable[[Reject], None]


def inputs(paths: Sequence[str]) -> list[str]:
    """Return the files that paths stand for: those of folders in the order of their names.

    Raises `UserError`.
    """
    found: list[str] = []
    for name in paths:
        path = Path(name)
        if name == STDIN or path.is_file():
            found.append(name)
        elif path.is_dir():
            inside = sorted(str(one) for one in _inside(path))
            if not inside:
                raise UserError(f"{name}: expected media or .jsonl files in it, got none")
            found += inside
        else:
            raise UserError(f"{name}: no such file or folder")
    return found


def _inside(folder: Path) -> Iterator[Path]:
    for parent, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            path = Path(parent, name)
            taken = path.suffix.lower() in MEDIA or is_reels(path)
            if taken and not name.startswith(".") and path.is_file():
                yield path


def is_reels(path: Path) -> bool:
    """Whether a file holds reels, by its name."""
    plain = path.with_suffix("") if path.suffix.lower() in PACKED else path
    return plain.suffix.lower() in PLAIN or str(path) == STDIN


def reel_of(path: Path, at: datetime, whole: int) -> Reel:
    """Return the reel that a media file is; `whole`: bytes up to which all of it makes the id."""
    digest = hashlib.blake2b(digest_size=12)
    try:
        with path.open("rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size > whole:  # it is refused anyway
                digest.update(size.to_bytes(8) + file.read(HEAD))
            while size <= whole and (block := file.read(HEAD)):
                digest.update(block)
    except OSError:
        digest.update(bytes(path))
    where = path.resolve()
    return Reel(
        reel_id=f"f-{digest.hexdigest()}",
        published_at=at,
        author_id=where.parent.name.encode("utf-8", "replace").decode()[:64] or "files",
        media_url=where.as_uri(),
    )


def made_at(said: str) -> datetime | None:
    """When a file says it was made, where that is a time that the contract takes.

    >>> made_at("2012-03-31T19:32:22.000000Z"), made_at("1904-01-01T00:00:00Z"), made_at("soon")
    (datetime.datetime(2012, 3, 31, 19, 32, 22, tzinfo=datetime.timezone.utc), None, None)
    """
    try:
        at = datetime.fromisoformat(said)
        at = at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
    return at if EARLIEST <= at < LATEST else None


def finished(done: Done) -> tuple[bytes, Reel, Reel]:
    """The line that came, its reel, and the reel that goes out; of a file with its time."""
    place: Place = done.job.place
    reel = done.reel
    if done.job.path is not None and (at := made_at(done.created)) is not None:
        reel = msgspec.structs.replace(reel, published_at=at)
    return place.line, done.job.reel, reel


class Reels:
    """All reels of some files, in order.

    Args:
        files: as `inputs` returns them.
        repeats: decides which reels are looked at.
        at: time of media files that do not say when they were made.
        whole: bytes of a media file of which all make its id.
        refuse: gets lines that are no reels.
    """

    def __init__(
        self,
        files: Iterable[str],
        repeats: Repeats,
        at: datetime,
        whole: int,
        refuse: Refuse,
    ) -> None:
        self._files = files
        self._repeats = repeats
        self._at = at
        self._whole = whole
        self._refuse = refuse

    async def jobs(self) -> AsyncGenerator[Job, None]:
        """Yield them."""
        for name in self._files:
            path = Path(name)
            if is_reels(path):
                async for job in self._of_lines(name, path):
                    yield job
            else:
                reel = await asyncio.to_thread(reel_of, path, self._at, self._whole)
                place = Place(name, 0, line_of(reel))
                yield Job(reel, place, path, self._repeats.is_new(reel.reel_id))

    async def _of_lines(self, name: str, path: Path) -> AsyncGenerator[Job, None]:
        file = None if name == STDIN else path.open("rb")
        try:
            blocks = read_pipe(0) if file is None else read(file, path)
            lines = Lines(name, blocks)
            end = False
            while not end:
                poll = lines.poll(LINES)
                end = poll.end
                long = {one.record: one for one in poll.oversized}
                for one in poll.oversized:
                    self._refuse(_long(name, one))
                record, offset = poll.record, poll.offset
                for line in poll.data.split(b"\n")[:-1]:
                    while record in long:
                        record, offset = record + 1, offset + long[record].length + 1
                    found = judge(line)
                    if isinstance(found, Fault):
                        said = (found.error, found.reason)
                        self._refuse(Reject(name, record, offset, *said, line, len(line)))
                    elif found is not None:
                        yield Job(
                            found, Place(name, record, line), None, self._repeats.wanted(found)
                        )
                    record, offset = record + 1, offset + len(line) + 1
                if not (poll.data or poll.oversized or end):
                    await asyncio.sleep(_PAUSE_S)
        finally:
            if file is not None:
                file.close()


def _long(name: str, one: Oversized) -> Reject:
    fault = Fault("source_error", one.broken) if one.broken else too_long(one.length)
    return Reject(name, one.record, one.offset, fault.error, fault.reason, one.head, one.length)
