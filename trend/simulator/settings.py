"""What a simulated stream is made of, in the units a person thinks in."""

from dataclasses import dataclass
from datetime import UTC, datetime
from math import sqrt

STANDARD_DAYS = 12
STANDARD_REELS_PER_DAY = 24_000


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """One stream: everything in it follows from these values.

    A count left at None follows the size of the stream: for the standard one (12 days of 24,000
    reels) 45 trends, 400 fizzles and 24 spam crews, in proportion to the days and to the square
    root of the reels a day.

    Parameters
    ----------
    seed: 0 or more; two seeds give two streams.
    days: length in days of event time, 1 to 400.
    reels_per_day: mean, 500 to 1,000,000. Planted reels are among them.
    trends: planted trends, 0 to 5,000.
    fizzles: cascades that end small, 0 to 50,000.
    spam: crews of accounts that post the same thing, 0 to 5,000.
    pairs: known sounds and tags that are newly used together, each staying flat, 0 to 500.
    varied: more kinds of everything, as on real platforms: trends that double in up to 3 days, grow
        linearly for days, live in one language, or are spelt in several ways; cascades as slow as
        trends, of at most half a small trend's reels; spam within two hours and over days; tags
        of a day of the month beside those of a day of the week.
    fingerprints: sounds have no ids: each reel has a fingerprint of its own of what is heard in it.
    malformed: share of lines that are not reels, 0 to 0.5; the other lines do not depend on it.
    late: share of reels that arrive minutes to hours after they were published, 0 to 0.5.
    duplicates: share of reels that come a second time, 0 to 1.
    start: when the stream begins, with a time zone, on a whole second, in 2005 to 2048.

    Raises
    ------
    ValueError: a value is out of its range.

    >>> SimulatorSettings(days=3, reels_per_day=6000).planned()
    (6, 50, 3)
    """

    seed: int = 0
    days: int = STANDARD_DAYS
    reels_per_day: int = STANDARD_REELS_PER_DAY
    trends: int | None = None
    fizzles: int | None = None
    spam: int | None = None
    pairs: int = 0
    varied: bool = False
    fingerprints: bool = False
    malformed: float = 0.002
    late: float = 0.03
    duplicates: float = 0.03
    start: datetime = datetime(2026, 1, 5, tzinfo=UTC)

    def __post_init__(self) -> None:
        """Refuse what is out of range."""
        ranges: tuple[tuple[str, float | None, float, float], ...] = (
            ("seed", self.seed, 0, 2**63),
            ("days", self.days, 1, 400),
            ("reels_per_day", self.reels_per_day, 500, 1_000_000),
            ("trends", self.trends, 0, 5_000),
            ("fizzles", self.fizzles, 0, 50_000),
            ("spam", self.spam, 0, 5_000),
            ("pairs", self.pairs, 0, 500),
            ("malformed", self.malformed, 0, 0.5),
            ("late", self.late, 0, 0.5),
            ("duplicates", self.duplicates, 0, 1),
        )
        for name, value, low, high in ranges:
            if value is not None and not low <= value <= high:
                raise ValueError(f"{name} is {value}: expected {low:,} to {high:,}")
        whole = self.start.tzinfo is not None and not self.start.microsecond
        if not whole or not 2005 <= self.start.year <= 2048:
            raise ValueError(
                f"start is {self.start.isoformat()}: "
                "expected a whole second with a time zone, in 2005 to 2048"
            )

    def planned(self) -> tuple[int, int, int]:
        """Numbers of trends, fizzles and spam crews, with those left at None worked out."""
        size = self.days / STANDARD_DAYS * sqrt(self.reels_per_day / STANDARD_REELS_PER_DAY)
        return (
            max(1, round(45 * size)) if self.trends is None else self.trends,
            round(400 * size) if self.fizzles is None else self.fizzles,
            round(24 * size) if self.spam is None else self.spam,
        )
