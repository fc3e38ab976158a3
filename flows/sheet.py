"""A contact sheet of visual formats: of each a row of frames of the reels that show it best."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from flows.errors import UserError
from operators.formats import FormatChange

if TYPE_CHECKING:
    from PIL import Image

SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")
CELL: Final = (108, 192)
"""Pixels of a frame in the sheet."""
EDGE: Final = 8
TEXT: Final = 22
"""Height of a label."""
IN_A_ROW: Final = 9
LARGEST: Final = 50_000_000
"""Pixels of a frame at most; a larger one is left out."""


@dataclass(frozen=True, slots=True)
class Row:
    """A format with the frames there are of it."""

    label: str
    frames: tuple[Path, ...]


def sheet(formats: Path, frames: Path, to: Path, limit: int) -> int:
    """Draw the formats of a `--formats` file, the newest first; those without a frame are left out.

    Raises `UserError` for a file that is none, or where there is no frame of any.
    """
    try:
        from PIL import Image, ImageDraw, ImageFont
    except ImportError:
        message = "a contact sheet needs Pillow: pip install 'groundswell[visual]'"
        raise UserError(message) from None
    if to.suffix.lower() != ".png":
        raise UserError(f"{to}: expected a .png")
    rows = [row for row in rows_of(formats, frames) if row.frames][:limit]
    if not rows:
        raise UserError(f"{frames}: no frame of any format; expected REEL_ID.jpg, .png or .webp")
    width = EDGE + IN_A_ROW * (CELL[0] + EDGE)
    height = EDGE + len(rows) * (TEXT + CELL[1] + EDGE)
    page = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(14)
    drawn = 0
    for number, row in enumerate(rows):
        top = EDGE + number * (TEXT + CELL[1] + EDGE)
        draw.text((EDGE, top), row.label, "black", font)
        for at, path in enumerate(row.frames):
            cell = _cell(path)
            if cell is not None:
                page.paste(cell, (EDGE + at * (CELL[0] + EDGE), top + TEXT))
                drawn += 1
    page.save(to)
    print(f"{to}: {drawn} frames of {len(rows)} formats")
    return 0


def rows_of(formats: Path, frames: Path) -> Iterator[Row]:
    """The formats of a file, the newest first, each with its frames in a folder."""
    newest: dict[str, FormatChange] = {}
    for number, line in enumerate(formats.read_bytes().splitlines(), start=1):
        try:
            change = msgspec.json.decode(line, type=FormatChange)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise UserError(f"{formats}: line {number}: not of formats: {error}") from None
        if change.change == "merged":
            newest.pop(change.format, None)
        elif change.reels:
            newest.pop(change.format, None)
            newest[change.format] = change
    for change in reversed(newest.values()):
        found = [path for reel in change.reels if (path := _frame(frames, reel)) is not None]
        yield Row(f"{change.label}  ({change.format})", tuple(found[:IN_A_ROW]))


def _frame(folder: Path, reel: str) -> Path | None:
    """The frame of a reel in a folder; an id that is no plain file name has none."""
    if Path(reel).name != reel or "\\" in reel or "\0" in reel:
        return None
    paths = (folder / f"{reel}{suffix}" for suffix in SUFFIXES)
    try:
        return next((path for path in paths if path.is_file()), None)
    except OSError:  # too long a name
        return None


def _cell(path: Path) -> "Image.Image | None":
    """A frame, cut to the shape of a cell; None where it is no picture."""
    from PIL import Image, ImageOps

    try:
        with Image.open(path, formats=("JPEG", "PNG", "WEBP")) as picture:
            if picture.width * picture.height > LARGEST:
                return None
            picture.draft("RGB", (2 * CELL[0], 2 * CELL[1]))
            return ImageOps.fit(picture.convert("RGB"), CELL)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return None
