"""The catalogue of sounds keeps what it said it keeps, and says what is wrong with a file."""

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.changes import speed
from benchmarks.music import RATE, song
from operators.sounds import VERSION, Catalogue, CatalogueError, sound_id
from trend.acoustics.peaks import F32, Peaks, peaks


@pytest.fixture(scope="module")
def songs() -> list[F32]:
    return [song(seed, 12) for seed in range(3)]


@pytest.fixture(scope="module")
def heard(songs: list[F32]) -> list[Peaks]:
    return [peaks(one) for one in songs]


@pytest.fixture
def filled(tmp_path: Path, heard: list[Peaks]) -> Path:
    path = tmp_path / "sounds.db"
    with Catalogue(path, new=True) as catalogue:
        for number, one in enumerate(heard[:2]):
            catalogue.add(one, f"song {number}", "AQAA")
    return path


def test_a_sound_is_known_after_it_was_added_and_told_after_the_file_was_closed(
    filled: Path, songs: list[F32], heard: list[Peaks]
) -> None:
    with Catalogue(filled) as catalogue:
        assert len(catalogue) == 2
        again = catalogue.identify(heard[1])
        assert (again.sound_id, again.known) == (sound_id(heard[1]), True)
        assert (again.speed, again.pitch_semitones) == pytest.approx((1, 0), abs=0.01)
        faster = catalogue.identify(peaks(speed(songs[1], 1.2)))
        assert (faster.sound_id, faster.known) == (sound_id(heard[1]), True)
        assert faster.speed == pytest.approx(1.2, rel=0.005)
        assert faster.pitch_semitones == pytest.approx(12 * np.log2(1.2), abs=0.1)
    assert [*filled.parent.iterdir()] == [filled], "one file, and nothing beside it"


def test_a_new_sound_gets_an_id_made_of_what_is_heard(filled: Path, heard: list[Peaks]) -> None:
    with Catalogue(filled) as catalogue:
        new = catalogue.identify(heard[2])
        assert (new.sound_id, new.known) == (sound_id(heard[2]), False)
        assert (new.speed, new.pitch_semitones) == (1.0, 0.0)
        assert new.score < 0.5
        assert len(catalogue) == 2
    assert len({sound_id(one) for one in heard}) == len(heard)


def test_what_is_known_is_not_added_again_but_gets_a_title_if_it_had_none(
    tmp_path: Path, heard: list[Peaks]
) -> None:
    with Catalogue(tmp_path / "c", new=True) as catalogue:
        assert not catalogue.add(heard[0], None, None).known
        for title in ("first", "second"):
            assert catalogue.add(heard[0], title, None).known
        assert len(catalogue) == 1
    with sqlite3.connect(tmp_path / "c") as file:
        assert file.execute("SELECT title FROM sounds").fetchall() == [("first",)]
    file.close()


def test_a_long_recording_that_holds_a_known_sound_is_one_of_its_own(
    tmp_path: Path, songs: list[F32]
) -> None:
    mixed = peaks(np.concatenate([songs[0][: 5 * RATE], *songs[1:]]))
    with Catalogue(tmp_path / "c", new=True) as catalogue:
        short = catalogue.add(peaks(songs[0]), None, None)
        long = catalogue.add(mixed, None, None)
        assert not long.known
        assert long.sound_id != short.sound_id


def test_two_writers_see_what_the_other_added(tmp_path: Path, heard: list[Peaks]) -> None:
    path = tmp_path / "c"
    with Catalogue(path, new=True) as one, Catalogue(path, new=True) as other:
        assert not one.add(heard[0], None, None).known
        assert other.add(heard[0], None, None).known
        assert other.identify(heard[1]).known is False
        assert not other.add(heard[1], None, None).known
        assert one.identify(heard[1]).known


def test_a_writer_that_is_killed_leaves_what_was_added_before(
    filled: Path, heard: list[Peaks]
) -> None:
    program = (
        "import os, signal, sqlite3, sys\n"
        "file = sqlite3.connect(sys.argv[1], isolation_level=None)\n"
        "file.execute('PRAGMA cache_size = 1')\n"
        "file.execute('BEGIN IMMEDIATE')\n"
        "for n in range(100):\n"
        "    file.execute('INSERT INTO sounds (sound_id, peaks, checksum) VALUES (?, ?, 0)',"
        " (str(n), bytes(10_000)))\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, filled], check=False)
    assert done.returncode == -signal.SIGKILL
    assert len([*filled.parent.iterdir()]) == 2, "the journal of what was not finished"
    with Catalogue(filled) as catalogue:
        assert len(catalogue) == 2
        assert catalogue.identify(heard[0]).known


def damaged(filled: Path, change: str) -> str:
    file = sqlite3.connect(filled, isolation_level=None)
    file.execute(change)
    file.close()
    with pytest.raises(CatalogueError) as caught, Catalogue(filled) as catalogue:
        len(catalogue)
    return str(caught.value)


def test_a_damaged_sound_is_named(filled: Path, heard: list[Peaks]) -> None:
    said = damaged(filled, "UPDATE sounds SET peaks = zeroblob(400) WHERE title = 'song 1'")
    assert str(filled) in said
    assert sound_id(heard[1]) in said


def test_a_catalogue_of_another_version_is_refused(filled: Path) -> None:
    said = damaged(filled, f"PRAGMA user_version = {VERSION + 1}")
    assert f"expected a catalogue of version {VERSION}, got {VERSION + 1}" in said


def test_another_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    file = sqlite3.connect(path, isolation_level=None)
    file.execute("CREATE TABLE mine (x)")
    file.close()
    before = path.read_bytes()
    for new in (False, True):
        with pytest.raises(CatalogueError, match="expected a catalogue of sounds"):
            Catalogue(path, new=new)
    assert path.read_bytes() == before


@pytest.mark.parametrize("data", [b"hello, I am no database\n" * 100, b"SQLite format 3\0" * 500])
def test_what_is_no_database_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "c"
    path.write_bytes(data)
    with pytest.raises(CatalogueError, match="c: "):
        Catalogue(path, new=True)
    assert path.read_bytes() == data


def test_a_catalogue_cut_short_is_refused(filled: Path) -> None:
    os.truncate(filled, filled.stat().st_size // 2)
    with pytest.raises(CatalogueError), Catalogue(filled) as catalogue:
        len(catalogue)


def test_a_catalogue_that_is_not_there_is_said_to_be_missing(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="no such catalogue"):
        Catalogue(tmp_path / "none")
