"""What is around a trend, as tables in a terminal or in files: a picture, GraphML, JSON."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.errors import UserError
from flows.exchange import write_graphml, write_json
from flows.neighbourhood import Neighbourhood, neighbourhood
from flows.picture import svg
from flows.plain import plain
from operators.links import Link


def _write_svg(around: Neighbourhood, path: Path) -> None:
    path.write_text(svg(around), "utf-8")


WRITERS: Final = {".svg": _write_svg, ".graphml": write_graphml, ".json": write_json}
"""By the ending of the file."""
MEMBERS: Final = (("member", 0), ("kind", 10), ("reels", 7), ("share", 5))
LINKS: Final = (
    ("comes together", 0), ("with", 0), ("reels", 6), ("people", 6), ("overlap", 7), ("since", 12),
)  # fmt: skip
OTHERS: Final = (("trends that share", 0), ("stage", 10), ("id", 26), ("members", 7), ("reels", 5))
"""Columns of the tables with their least widths."""


def graph(
    trend_id: str, store: Path, to: Sequence[Path], depth: int, limit: int, console: Console
) -> int:
    """Read what is around a trend, and write it to files, or to the terminal where none is given.

    Raises `UserError` or `OSError` for what cannot be read or written.
    """
    for path in to:
        _check(path, store)
    around = neighbourhood(store, trend_id, depth, limit)
    for path in to:
        WRITERS[path.suffix.lower()](around, path)
        _say(console, f"{path}: {len(around.trends):,} trends, {len(around.signals()):,} signals")
    if not to:
        _show(around, console)
    return 0


def _check(path: Path, store: Path) -> None:
    if path.suffix.lower() not in WRITERS:
        raise UserError(f"--to {path}: expected a file that ends in {', '.join(WRITERS)}")
    if not path.parent.is_dir():
        raise UserError(f"--to {path}: the folder {path.parent} does not exist")
    if path.resolve() == store.resolve():
        raise UserError(f"--to {path}: is the store itself")


def _show(around: Neighbourhood, console: Console) -> None:
    trend = around.middle.trend
    _say(console, f"{plain(trend.name)}  {trend.kind}, {trend.stage}  {plain(trend.trend_id)}")
    _say(console, plain(trend.why))
    members = _table(console.width, MEMBERS)
    for member in trend.members:
        members.add_row(
            _text(member.label, member.id),
            member.kind,
            f"{member.reels:,}",
            f"{member.weight:.0%}",
        )
    console.print(members)
    signals = around.signals()
    links = _table(console.width, LINKS)
    own = [(a, b, link) for a, b, link, one in around.links() if one is around.middle]
    for a, b, link in sorted(own, key=lambda one: -(one[2].reels or one[2].edge_reels or 0)):
        links.add_row(*(_text(signals[end].label, end[1]) for end in (a, b)), *_figures(link))
    if links.row_count:
        console.print(links)
    others = _table(console.width, OTHERS)
    for other in around.trends[1:]:
        shared = len(around.middle.members.keys() & other.members.keys())
        reels = len({*trend.examples} & {*other.trend.examples})
        others.add_row(
            _text(other.trend.name, other.trend.trend_id),
            other.trend.stage,
            _text(other.trend.trend_id),
            f"{shared}",
            f"{reels}",
        )
    if others.row_count:
        console.print(others)
    if around.more:
        _say(console, f"{around.more:,} more trends share something; --limit shows more")


def _figures(link: Link) -> tuple[str, str, str, str]:
    reels = link.edge_reels if link.reels is None else link.reels
    authors = link.edge_authors if link.authors is None else link.authors
    since = link.edge_since if link.since is None else link.since
    return (
        "-" if reels is None else f"{reels:,}",
        "-" if authors is None else f"{authors:,}",
        "-" if link.share is None else f"{link.share:.0%}",
        "-" if since is None else f"{since:%d %b %H:%M}",
    )


def _table(width: int, columns: Sequence[tuple[str, int]]) -> Table:
    """A table of columns with their least widths; 0 are of text, which share what is left.

    Widths of less than 10 are those of numbers.
    """
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    fixed = [least for _, least in columns if least]
    left = width - sum(fixed) - 3 * len(columns) - 2
    share = max(left // (len(columns) - len(fixed)), 6)
    for name, least in columns:
        table.add_column(
            name,
            justify="right" if 0 < least < 10 else "left",
            no_wrap=True,
            overflow="ellipsis",
            min_width=least or None,
            max_width=least or share,
        )
    return table


def _text(text: str, otherwise: str = "") -> Text:
    return Text(plain(text) or plain(otherwise))


def _say(console: Console, text: str) -> None:
    """One line of plain text, not broken and not coloured."""
    console.print(Text(text), soft_wrap=True)
