"""What a run shows in a terminal: how far it is, and the trends of the moment.

All text that comes from the input is hostile: it goes through `flows.plain`, and reaches rich as
`Text`, never as markup.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rich import box
from rich.console import Console, Group
from rich.table import Table
from rich.text import Text

from flows.plain import plain
from schemas.trends import SeriesPoint, Trend

BLOCKS = "▁▂▃▄▅▆▇█"
COLOURS = {"emerging": "bold green", "peaking": "bold yellow", "fading": "blue", "evergreen": "dim"}


def sparkline(series: Sequence[SeriesPoint], width: int) -> str:
    """The last points of a series as at most `width` blocks; several points a block where needed.

    >>> point = lambda n: SeriesPoint(t=datetime(2026, 1, 1, tzinfo=UTC), reels=n, expected=0.0)
    >>> sparkline([point(n) for n in (0, 1, 2, 4, 8, 7)], 12)
    '▁▂▃▅█▇'
    >>> sparkline([point(n) for n in (0, 1, 2, 4, 8, 7)], 3)
    '▁▄█'
    """
    reels = [point.reels for point in series]
    step = max(1, -(-len(reels) // max(1, width)))
    start = len(reels) % step  # whole blocks, up to the newest point
    sums = [sum(reels[at : at + step]) for at in range(start, len(reels), step)]
    top = max(sums, default=0)
    return "".join(
        BLOCKS[(n * (len(BLOCKS) - 1) * 2 + top) // (2 * top) if top else 0] for n in sums
    )


def trends_table(trends: Sequence[Trend], width: int, title: str = "") -> Table:
    """Trends as a table that fits into `width` columns, and says more the wider it is.

    From 72 columns on it has the reason, from 110 on also the numbers that the reason names.
    """
    curve = 0 if width < 56 else 10 if width < 110 else 16
    why, numbers = width >= 72, width >= 110
    named = width // 5 if why else width - 22 - (curve + 3 if curve else 0)
    table = Table(title=Text(title) if title else None, box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("trend", no_wrap=True, overflow="ellipsis", max_width=max(6, named))
    table.add_column("stage", no_wrap=True)
    if curve:
        table.add_column("uses", no_wrap=True, width=curve)
    table.add_column("growth", no_wrap=True, justify="right")
    if numbers:
        table.add_column("people", no_wrap=True, justify="right")
        table.add_column("expected", no_wrap=True, justify="right")
    if why:
        table.add_column("why", overflow="fold")
    for trend in trends:
        cells = [_named(trend), Text(trend.stage, COLOURS.get(trend.stage, ""))]
        if curve:
            cells.append(Text(sparkline(trend.series, curve), "cyan"))
        cells.append(Text(f"{trend.growth:,.1f}x"))
        if numbers:
            cells += [Text(f"{trend.authors:,}"), Text(f"{trend.expected:,.1f}")]
        if why:
            cells.append(Text(plain(trend.why)))
        table.add_row(*cells)
    return table


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is. Times in seconds of this computer's clock, the watermark in event time."""

    elapsed_s: float
    bytes_read: int
    bytes_total: int  # 0: not known
    records: int
    rejects: int
    duplicates: int
    late: int
    clamped: int
    watermark_us: int  # 0: none yet
    records_before: int = 0  # where the run, if it was resumed, went on
    bytes_before: int = 0

    @classmethod
    def of(
        cls,
        counters: Mapping[str, int],
        elapsed_s: float,
        *,
        records_before: int = 0,
        bytes_before: int = 0,
    ) -> "Progress":
        """From the totals of the board."""
        return cls(
            elapsed_s=elapsed_s,
            bytes_read=counters["bytes_read"],
            bytes_total=counters["bytes_total"],
            records=counters["records"],
            rejects=counters["rejects"],
            duplicates=counters["duplicates"],
            late=counters["late"],
            clamped=counters["clamped"],
            watermark_us=max(0, counters["clock_us"]),
            records_before=records_before,
            bytes_before=bytes_before,
        )

    @property
    def share(self) -> float:
        """Share of the input that was read, 0 to 1; 0 where its size is not known."""
        return min(1.0, self.bytes_read / self.bytes_total) if self.bytes_total > 0 else 0.0

    @property
    def rate(self) -> float:
        """Lines a second since the start."""
        return (self.records - self.records_before) / self.elapsed_s if self.elapsed_s > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds left at the speed so far; None where that cannot be said."""
        read, left = self.bytes_read - self.bytes_before, self.bytes_total - self.bytes_read
        return self.elapsed_s * left / read if read > 0 and left > 0 else None

    def as_dict(self) -> dict[str, object]:
        """What a line says, by name, for machines."""
        at = datetime.fromtimestamp(self.watermark_us / 1e6, UTC) if self.watermark_us else None
        names = ("records", "rejects", "duplicates", "late", "clamped")
        told = {name: getattr(self, name) for name in names}
        return {
            **told,
            "rate": round(self.rate, 1),
            "event_time": at and f"{at:%Y-%m-%dT%H:%M:%SZ}",
        }

    def status(self) -> str:
        """`line`, once there is something to say."""
        return (
            self.line()
            if self.bytes_read
            else "starting … (the first run compiles its kernels: half a minute)"
        )

    def line(self) -> str:
        """Progress in one line of plain text."""
        parts = [f"{self.share:4.0%}"] if self.bytes_total > 0 else []
        parts += [f"{self.records:,} lines", f"{self.rate:,.0f}/s"]
        if self.watermark_us:
            time = datetime.fromtimestamp(self.watermark_us / 1e6, UTC)
            parts.append(f"at {time:%Y-%m-%d %H:%M}")
        parts += [
            f"{self.rejects:,} rejected",
            f"{self.duplicates:,} repeated",
            f"{self.late:,} late",
            f"{self.clamped:,} clamped",
        ]
        if self.left_s is not None:
            parts.append(f"{int(self.left_s) // 60}:{int(self.left_s) % 60:02d} left")
        return "  ".join(parts)


def screen(progress: Progress, trends: Sequence[Trend], width: int) -> Group:
    """What is shown while a run goes on."""
    cells = max(10, min(40, width - 4))
    done = round(progress.share * cells)
    bar = Text.assemble(("━" * done, "green"), ("━" * (cells - done), "dim"))
    line = Text(progress.status())
    return Group(bar, line, trends_table(trends, width)) if trends else Group(bar, line)


def counter(console: Console, what: str) -> Callable[[int, int], None] | None:
    """A function of (done, total) that keeps one line up to date; None outside a terminal."""
    if not console.is_terminal:
        return None

    def show(done: int, total: int) -> None:
        text = f"{done:,} of {total:,} {what}"
        console.print(Text(text), end="\n" if done >= total else "\r")

    return show


def _named(trend: Trend) -> Text:
    """The trend's name, and its kind where the name does not tell it."""
    name = plain(trend.name) or plain(trend.trend_id)
    text = Text(name, "bold")
    if not name.startswith("#"):
        text.append(f" {trend.kind}", "not bold dim")
    return text
