"""The catalogue of known sounds: one file that keeps what each of them is heard as.

The file is a SQLite database with a rollback journal, so that it is one file while nobody writes,
and whole after a kill. A sound's row has the peaks that all else is made of, with a checksum; the
index over them is made when the file is opened, and kept up with what other processes add.
"""

import hashlib
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple, Self
from urllib.parse import quote

import numpy as np

from trend.acoustics.known import KnownSounds, Match
from trend.acoustics.peaks import FRAME, FRAMES_PER_SECOND, Peaks, pack, unpack

VERSION: Final = 1
"""Of the file, and of the way peaks are found; a file of another version is refused."""
LANDMARKS_VERSION: Final = 1
APPLICATION: Final = 0x47535731
"""What SQLite's `application_id` is in such a file."""
WAIT_SECONDS: Final = 30.0
SAME: Final = 0.5
"""Share of a file that a known sound must cover, or the file is a sound of its own."""

TABLES: Final = """
CREATE TABLE sounds (
    number INTEGER PRIMARY KEY,  -- in the order they were added
    sound_id TEXT NOT NULL UNIQUE,
    title TEXT,
    fingerprint TEXT,            -- compressed Chromaprint
    peaks BLOB NOT NULL,         -- little-endian uint32: 18 bits of time, 14 of pitch
    checksum INTEGER NOT NULL    -- CRC-32 of peaks
) STRICT;
"""


class CatalogueError(Exception):
    """A catalogue that cannot be used: its name, what is wrong with it and what was expected."""


class Identified(NamedTuple):
    """Which sound something is.

    Attributes:
        sound_id: of the known sound, or the one that a new sound gets.
        known: whether it was known.
        score: how well it fits the nearest known sound, 0 to 1; known from 0.5 on.
        speed: how many times as fast as the known sound; 1 for a new one.
        pitch_semitones: by how much it is higher than the known one; 0 for a new one.
    """

    sound_id: str
    known: bool
    score: float
    speed: float
    pitch_semitones: float


def sound_id(peaks: Peaks) -> str:
    """Return the id of a new sound, which is made of what is heard: `s-` and 16 hex digits."""
    return f"s-{hashlib.blake2b(_bytes(peaks), digest_size=8).hexdigest()}"


class Catalogue:
    """Known sounds in a file; a context manager.

    Args:
        path: of the file.
        new: whether it is made where there is none.
        most: sounds that are looked for at once.
        dense: of these, how many have all their landmarks in memory.

    Raises `CatalogueError` where the file is no catalogue, damaged, or of another version.
    """

    def __init__(
        self, path: Path, *, new: bool = False, most: int = 1_000_000, dense: int = 30_000
    ) -> None:
        self._path = path
        if not new and not path.exists():
            raise CatalogueError(f"{path}: no such catalogue")
        mode = "rwc" if new else "rw"
        with self._named():
            self._file = sqlite3.connect(
                f"file:{quote(str(path))}?mode={mode}",
                uri=True,
                timeout=WAIT_SECONDS,
                isolation_level=None,
            )
        try:
            with self._named():
                self._open(new=new)
        except BaseException:
            self._file.close()
            raise
        self._sounds = KnownSounds(most, min(most, dense))
        self._ids: dict[int, str] = {}
        self._seconds: dict[int, float] = {}
        self._read = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __len__(self) -> int:
        self._catch_up()
        return len(self._sounds)

    def identify(self, peaks: Peaks) -> Identified:
        """Return which sound the peaks are of; nothing is changed."""
        self._catch_up()
        found = self._sounds.match(peaks)
        if found is None or not found.known:
            return Identified(sound_id(peaks), False, found.score if found else 0.0, 1.0, 0.0)
        return self._told(found)

    def add(self, peaks: Peaks, title: str | None, fingerprint: str | None) -> Identified:
        """Make a sound known, unless it is: then its title is kept if it had none.

        A recording of which the known sound is less than half is a sound of its own.
        """
        with self._named(), self._writing():
            self._catch_up()
            found = self._sounds.match(peaks)
            if found is not None and found.known and self._covers(found, peaks):
                self._title(self._ids[found.sound], title)
                return self._told(found)
            new = sound_id(peaks)
            score = found.score if found is not None else 0.0
            data = _bytes(peaks)
            self._file.execute(
                "INSERT INTO sounds (sound_id, title, fingerprint, peaks, checksum)"
                " VALUES (?, ?, ?, ?, ?) ON CONFLICT (sound_id) DO NOTHING",
                (new, title, fingerprint, data, zlib.crc32(data)),
            )
        return Identified(new, False, score, 1.0, 0.0)

    def _told(self, found: Match) -> Identified:
        return Identified(self._ids[found.sound], True, found.score, found.speed, 12 * found.pitch)

    def _covers(self, found: Match, peaks: Peaks) -> bool:
        long = _seconds(peaks) * found.speed
        begin, end = found.begin, found.begin + long
        return min(end, self._seconds[found.sound]) - max(begin, 0.0) >= SAME * long

    def _title(self, known: str, title: str | None) -> None:
        if title is not None:
            self._file.execute(
                "UPDATE sounds SET title = ? WHERE sound_id = ? AND title IS NULL", (title, known)
            )

    def _open(self, *, new: bool) -> None:
        self._file.execute("PRAGMA synchronous = FULL")
        if new:
            with self._writing():
                if self._pragma("application_id") == 0 and not self._tables():
                    self._file.execute(TABLES)
                    self._file.execute(f"PRAGMA application_id = {APPLICATION}")
                    self._file.execute(f"PRAGMA user_version = {VERSION}")
        if self._pragma("application_id") != APPLICATION:
            raise CatalogueError(f"{self._path}: expected a catalogue of sounds")
        if (version := self._pragma("user_version")) != VERSION:
            raise CatalogueError(
                f"{self._path}: expected a catalogue of version {VERSION}, got {version}"
            )

    def _tables(self) -> bool:
        return self._file.execute("SELECT 1 FROM sqlite_schema LIMIT 1").fetchone() is not None

    def _pragma(self, name: str) -> int:
        return int(self._file.execute(f"PRAGMA {name}").fetchone()[0])

    def _catch_up(self) -> None:
        """Take in the sounds that were added since the last look, by whomever."""
        with self._named():
            rows = self._file.execute(
                "SELECT number, sound_id, peaks, checksum FROM sounds WHERE number > ?"
                " ORDER BY number",
                (self._read,),
            )
            for number, known, data, checksum in rows:
                peaks = self._peaks(known, data, checksum)
                sound = self._sounds.add(peaks)
                self._ids[sound] = known
                self._seconds[sound] = _seconds(peaks)
                self._read = number

    def _peaks(self, known: str, data: bytes, checksum: int) -> Peaks:
        try:
            if zlib.crc32(data) != checksum or len(data) % 4:
                raise ValueError("the checksum is wrong")
            return unpack(np.frombuffer(data, "<u4").astype(np.uint32))
        except ValueError as error:
            raise CatalogueError(f"{self._path}: {known} is damaged: {error}") from None

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Name the file in what SQLite has to say."""
        try:
            yield
        except sqlite3.Error as error:
            raise CatalogueError(f"{self._path}: {error}") from None

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """All that is written within, or nothing; nobody else writes meanwhile."""
        self._file.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._file.execute("ROLLBACK")
            raise
        self._file.execute("COMMIT")


def _bytes(peaks: Peaks) -> bytes:
    return pack(peaks).astype("<u4").tobytes()


def _seconds(peaks: Peaks) -> float:
    if not peaks.time.size:
        return 0.0
    return float(peaks.time[-1]) / FRAME / FRAMES_PER_SECOND
