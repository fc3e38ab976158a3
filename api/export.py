"""Lists as CSV and Parquet, for spreadsheets and data frames."""

import csv
import io
import re
from collections.abc import Iterable
from typing import Any, Final

import msgspec

from api.items import Brief, Item

COLUMNS: Final = (
    "trend_id", "revision", "kind", "stage", "scopes", "event_time", "started_at", "alerted_at",
    "name", "summary", "category", "reels", "authors", "expected", "growth", "velocity_per_h",
    "acceleration_per_h2", "score", "q_value", "why", "members",
)  # fmt: skip
INSTALL: Final = "pip install 'groundswell[parquet]'"
FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet take a text for a formula; the last four are full-width."""
UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]+")
"""Controls, which a terminal would obey, and what turns the direction of a text."""


class NotInstalledError(Exception):
    """What is needed to write it, and how to get it."""


def csv_of(items: Iterable[Item]) -> bytes:
    """A table with a line of names.

    A text that looks like a formula begins with an apostrophe, and spaces stand for controls: a
    table is opened by spreadsheets, and looked at in terminals.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in _rows(items):
        writer.writerow([_cell(row[name]) for name in COLUMNS])
    return out.getvalue().encode("utf-8", "replace")


def parquet_of(items: Iterable[Item]) -> bytes:
    """A Parquet file with typed columns. Raises `NotInstalledError`."""
    try:
        import polars as pl
    except ImportError:
        raise NotInstalledError(
            "Parquet needs polars: pip install 'groundswell[parquet]'"
        ) from None
    time, texts = pl.Datetime("us", "UTC"), pl.List(pl.String)
    types: dict[str, Any] = dict.fromkeys(COLUMNS, pl.String)
    types |= dict.fromkeys(("revision", "reels", "authors"), pl.Int64)
    types |= dict.fromkeys(("event_time", "started_at", "alerted_at"), time)
    types |= dict.fromkeys(("scopes", "members"), texts)
    floats = ("expected", "growth", "velocity_per_h", "acceleration_per_h2", "score", "q_value")
    types |= dict.fromkeys(floats, pl.Float64)
    rows = [[row[name] for name in COLUMNS] for row in _rows(items)]
    out = io.BytesIO()
    pl.DataFrame(rows, schema=types, orient="row").write_parquet(out)
    return out.getvalue()


def _rows(items: Iterable[Item]) -> Iterable[dict[str, Any]]:
    decoder = msgspec.json.Decoder(Brief)
    for item in items:
        brief = decoder.decode(item.brief)
        row = {name: getattr(brief, name) for name in COLUMNS}
        row["scopes"] = [*brief.scopes]
        row["members"] = [member.label for member in brief.members]
        yield row


def _cell(value: object) -> object:
    if isinstance(value, list):
        value = "; ".join(map(str, value))
    if isinstance(value, str):
        text = UNSEEN.sub(" ", value)
        return f"'{text}" if text.lstrip().startswith(FORMULA) else text
    return value if isinstance(value, int | float) or value is None else str(value)
