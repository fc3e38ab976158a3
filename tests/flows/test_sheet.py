"""The contact sheet: formats, the newest first, with the frames that there are."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from flows.cli import main
from flows.sheet import CELL, EDGE, TEXT, rows_of
from operators.formats import FormatChange


def change(name: str, reels: Sequence[str], kind: str = "born") -> FormatChange:
    return FormatChange(
        format=name,
        change=kind,
        event_time=datetime(2026, 1, 5, tzinfo=UTC),
        label=f"look of #{name}",
        reels=(*reels,),
    )


def write(path: Path, changes: Sequence[FormatChange]) -> Path:
    path.write_bytes(b"".join(msgspec.json.encode(one) + b"\n" for one in changes))
    return path


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    folder = tmp_path / "frames"
    folder.mkdir()
    for name, colour in (("r1.png", "red"), ("r2.jpg", "lime"), ("r3.png", "blue")):
        Image.new("RGB", (90, 50), colour).save(folder / name)
    (folder / "broken.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (folder / "page.svg").write_bytes(b"<svg/>")
    Image.new("RGB", (9, 9)).save(tmp_path / "outside.png")
    return folder


def test_each_format_has_a_row_of_the_reels_that_show_it_best(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(
        tmp_path / "f.jsonl",
        [
            change("old", ["r1", "r2"]),
            change("gone", ["r1"]),
            change("new", ["broken", "r3", "none"]),
            change("gone", [], "merged"),
            change("old", [], "rested"),
        ],
    )
    to = tmp_path / "sheet.png"
    assert main(["formats", "sheet", str(file), str(frames), "--to", str(to)]) == 0
    assert "3 frames of 2 formats" in capsys.readouterr().out
    with Image.open(to) as sheet:
        assert sheet.height == EDGE + 2 * (TEXT + CELL[1] + EDGE)
        first, second = (EDGE + TEXT + row * (TEXT + CELL[1] + EDGE) + 50 for row in range(2))
        columns = [EDGE + at * (CELL[0] + EDGE) + 50 for at in range(3)]
        seen = [[sheet.getpixel((x, y)) for x in columns] for y in (first, second)]
    white = (255, 255, 255)
    assert seen[0][0] == white  # the broken one
    assert seen[0][1] == (0, 0, 255)
    assert seen[1][0] == (255, 0, 0)
    assert seen[1][2] == white


@pytest.mark.parametrize(
    "reel", ["../outside", "/etc/hostname", "..", "", "a\\b", "nul\0", "x" * 5000, "page", "."]
)
def test_a_reel_names_no_file_but_a_frame_in_the_folder(
    reel: str, frames: Path, tmp_path: Path
) -> None:
    file = write(tmp_path / "f.jsonl", [change("one", [reel, "r1"])])
    (row,) = rows_of(file, frames)
    assert [path.name for path in row.frames] == ["r1.png"]


def test_what_cannot_be_drawn_is_said_in_one_line(
    frames: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = write(tmp_path / "f.jsonl", [change("one", ["none"])])
    assert main(["formats", "sheet", str(file), str(frames)]) == 2
    assert "no frame of any format" in capsys.readouterr().err
    assert main(["formats", "sheet", str(file), str(frames), "--to", "x.gif"]) == 2
    assert "expected a .png" in capsys.readouterr().err
    file.write_bytes(b'{"trend_id": 1}\n')
    assert main(["formats", "sheet", str(file), str(frames)]) == 2
    assert "line 1: not of formats" in capsys.readouterr().err
