"""A trend and its signals, as last reported."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from trend.bursts import SERIES_HOURS
from trend.kinds import PHRASE
from trend.overlap import Sample, shared, union
from trend.stages import StageMachine

NESTED: Final = 0.8
"""Share of a phrase's reels that hold a kindred phrase, from which on it says nothing new."""
MAX_MEMBERS: Final = 16
"""Members named in a trend at most, those of most reels."""
NO_HOURS: Final = np.zeros((0, 2))
_NO_REELS: Final = Sample(np.zeros(0, np.uint64), None)
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(slots=True)
class Signal:
    """A signal that bursts or did so within the last days, as last reported."""

    hash: int
    kind: int
    id: str
    label: str
    onset: int
    """First tick of its burst."""
    tick: int = 0
    """Tick of the last report."""
    burst_tick: int = 0
    """Tick of the last report in which it burst."""
    window: int = 0
    """Index of the window in which it then was most improbable."""
    log10_p: float = 0.0
    authors: list[int] = field(default_factory=list)
    """In each window; so are the next four."""
    reels: list[int] = field(default_factory=list)
    expected: list[float] = field(default_factory=list)
    before: list[float] = field(default_factory=list)
    volume: list[int] = field(default_factory=list)
    sample: Sample = _NO_REELS
    past: npt.NDArray[np.float64] = field(default_factory=lambda: NO_HOURS)
    """Reels and expected reels in the hours before its first in `hours`, oldest first."""
    hours: dict[int, tuple[int, float]] = field(default_factory=dict)
    """Hour -> reels and expected reels as reported since, oldest first."""

    def series(self) -> list[tuple[int, tuple[int, float]]]:
        """Return the last two days: hours with their reels and expected reels, oldest first."""
        first = next(iter(self.hours), 0) - len(self.past)
        past = [(hour, (int(n), mean)) for hour, (n, mean) in enumerate(self.past.tolist(), first)]
        return [*past, *self.hours.items()][-SERIES_HOURS:]


@dataclass(frozen=True, slots=True)
class Height:
    """The window in which a trend was most improbable."""

    tick: int
    log10_p: float
    authors: int
    expected: float
    """Authors."""
    window: int


@dataclass(slots=True)
class Trend:
    """Signals that rise together."""

    id: str
    started: int
    """Tick in which its first signal's burst began."""
    signals: dict[int, Signal]
    stages: StageMachine
    window: int
    """Index of the window that its numbers are of."""
    hour: int
    """Ticks in an hour."""
    name: str = ""
    """As told last."""
    log10_p: float = 0.0
    """The least of its signals' p-values so far."""
    q_value: float = 1.0
    revision: int = 0
    stage_window: int = -1
    """Index of the window that its stage is judged by."""
    told_authors: int = 0
    told_members: tuple[int, ...] = ()
    height: Height | None = None
    """When it was most improbable: the reason to tell of it."""
    _reels: Sample | None = None
    _named: list[Signal] | None = None

    @property
    def leader(self) -> Signal:
        """The signal of most authors in the trend's window, of those reported in the last hour."""
        last = max(signal.tick for signal in self.signals.values())
        fresh = (signal for signal in self.signals.values() if signal.tick > last - self.hour)
        return max(fresh, key=lambda s: (s.authors[self.window], s.hash))

    @property
    def reels(self) -> Sample:
        """The reels of all its signals."""
        if self._reels is None:
            self._reels = union([signal.sample for signal in self.signals.values()])
        return self._reels

    def improbable(self, log10_p: float, q_value: float) -> None:
        """Note how improbable one of its signals is; the least counts."""
        self.log10_p = min(self.log10_p, log10_p)
        self.q_value = min(self.q_value, q_value)

    def changed(self) -> None:
        """Note that a signal came, went or has a new sample."""
        self._reels = self._named = None

    def members(self) -> list[Signal]:
        """Return the signals to name, most reels first, without phrases within phrases."""
        if self._named is None:
            self._named = self._members()
        return self._named

    def _members(self) -> list[Signal]:
        ranked = sorted(
            self.signals.values(), key=lambda s: (-s.reels[self.window], -len(s.id), s.hash)
        )
        named: list[Signal] = []
        for signal in ranked:
            if len(named) == MAX_MEMBERS:
                break
            if signal.kind == PHRASE and any(_says_it(other, signal) for other in named):
                continue
            named.append(signal)
        return named


def _says_it(other: Signal, phrase: Signal) -> bool:
    """Whether another phrase says it: holds it, is held, or shares words and nearly all reels."""
    if other.kind != PHRASE:
        return False
    if extends(other.id, phrase.id) or extends(phrase.id, other.id):
        return True
    if not set(other.id.split()) & set(phrase.id.split()):
        return False
    return shared(other.sample, phrase.sample)[1] >= NESTED


def extends(longer: str, phrase: str) -> bool:
    """Whether one phrase holds another word by word.

    Example:
        >>> extends("the cat drop", "cat drop"), extends("cat dropped", "cat drop")
        (True, False)
    """
    return f" {phrase} " in f" {longer} "


def trend_id(signal: int, onset: int, tick_seconds: int) -> str:
    """Return a trend's id in the form of a ULID: its beginning, then a hash of its first signal.

    Example:
        >>> trend_id(signal=1, onset=2_945_520, tick_seconds=600)
        '01KDY02100PSRZFGAREEG4YRBS'
    """
    milliseconds = onset * tick_seconds * 1000
    digest = hashlib.blake2b(signal.to_bytes(8, "big") + onset.to_bytes(8, "big"), digest_size=10)
    number = milliseconds << 80 | int.from_bytes(digest.digest(), "big")
    return "".join(_CROCKFORD[number >> shift & 31] for shift in range(125, -5, -5))
