"""A trend and its signals, and a revision of it."""

import hashlib
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from trend.bursts import SAMPLE
from trend.kinds import COMMUNITY, PHRASE
from trend.layout import I64, NONE, SAMPLE_LIMIT
from trend.overlap import Sample, sample, shared, union
from trend.parts import Bond

NESTED: Final = 0.8
"""Share of a phrase's reels that hold a kindred phrase, from which on it says nothing new."""
MAX_MEMBERS: Final = 16
"""Members named in a trend at most, those of most reels."""
LOGGED_LIMIT: Final = int(SAMPLE_LIMIT) - 1
_NO_REELS: Final = Sample(np.zeros(0, np.uint64), None)
_CROCKFORD: Final = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


@dataclass(slots=True)
class Signal:
    """A signal that bursts or did so within the last days; its numbers are in `trend.followed`."""

    hash: int
    kind: int
    id: str
    label: str
    row: int
    """In the columns of `Followed`; NONE for one that is known as part of a community only."""
    held: int = 0
    """Reels of that community with it."""
    parts: "tuple[Signal, ...]" = ()
    """Of a community."""
    bonds: tuple[Bond, ...] = ()
    """Of a community: the edges among its parts."""
    hashes: npt.NDArray[np.uint64] = field(default_factory=lambda: _NO_REELS.reels)
    """Reels with the smallest hashes, as told with its last details."""
    sampled: bool = False
    """Whether of the day's reels surely only those below `LOGGED_LIMIT` are known."""
    copied: bool | None = None
    """Whether these are copies of one text; None: nobody looked."""
    _sample: Sample | None = None
    _words: frozenset[str] = frozenset()

    @property
    def words(self) -> frozenset[str]:
        """The words of its id."""
        if not self._words:
            self._words = frozenset(self.id.split())
        return self._words

    @property
    def sample(self) -> Sample:
        """The sample of its reels."""
        if self._sample is None:
            self._sample = sample(self.hashes, SAMPLE, LOGGED_LIMIT if self.sampled else None)
        return self._sample

    def reels_in(self, reels: I64) -> int:
        """Return its reels, where `reels` are those of all signals followed, by row."""
        return self.held if self.row == NONE else int(reels[self.row])

    def detail(self, hashes: npt.NDArray[np.uint64], sampled: bool) -> None:
        """Take the reels told with its details."""
        self.hashes, self.sampled, self._sample = hashes, sampled, None
        self.copied = None


@dataclass(frozen=True, slots=True)
class Height:
    """The window in which a trend was most improbable: the reason to tell of it."""

    tick: int
    authors: int
    expected: float
    """Authors."""
    window: int


@dataclass(slots=True)
class Trend:
    """Signals that rise together; what it is judged by is in `trend.judging`."""

    id: str
    number: int
    """Its place among those alive, and in the records of `JUDGED`."""
    signals: dict[int, Signal]
    communities: int = 0
    """How many of them are."""
    name: str = ""
    """As told last."""
    log10_p: float = 0.0
    """The least of its signals' p-values so far."""
    q_value: float = 1.0
    revision: int = 0
    """0: nobody was told of it yet."""
    asked_authors: int = 0
    """Authors of a day when it was last asked whether it takes off."""
    asked_q_value: float = 1.0
    """Its q-value then."""
    probability: float = 0.0
    """That it takes off, as of then; 1: it has."""
    told_members: tuple[int, ...] = ()
    settled: bool = False
    """Whether its members were compared with those told since they changed."""
    _reels: Sample | None = None
    _named: list[Signal] | None = None

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
        self.settled = False

    def together(self, row: int) -> bool:
        """Whether the signal in a row is a community."""
        return any(s.row == row and s.kind == COMMUNITY for s in self.signals.values())

    def members(self, reels: I64) -> list[Signal]:
        """Return the signals to name, most reels first, without phrases within phrases.

        Args:
            reels: of all signals followed, by row, in the trend's window; looked at after a change
                only.
        """
        if self._named is None:
            self._named = self._members(reels)
        return self._named

    def _members(self, reels: I64) -> list[Signal]:
        signals = self._without_communities()
        if len(signals) == 1:
            return signals
        rank = {s.hash: (-s.reels_in(reels), -len(s.id), s.hash) for s in signals}
        named: list[Signal] = []
        for signal in sorted(signals, key=lambda s: rank[s.hash]):
            if len(named) == MAX_MEMBERS:
                break
            if signal.kind == PHRASE and any(_says_it(other, signal) for other in named):
                continue
            named.append(signal)
        return named

    def _without_communities(self) -> list[Signal]:
        """Return its signals, and in the place of communities what they consist of."""
        signals = {key: s for key, s in self.signals.items() if s.kind != COMMUNITY}
        for community in self.signals.values():
            for part in community.parts:
                known = signals.get(part.hash)
                if known is None or (known.row == NONE and known.held < part.held):
                    signals[part.hash] = part
        return [*signals.values()]


@dataclass(frozen=True, slots=True)
class Revision:
    """What is to be told of a trend at a tick; its numbers are those of its leader."""

    trend: Trend
    stage: str
    window: int
    """Index of the window that its numbers are of."""
    started: int
    """Tick in which its first signal's burst began."""
    height: Height
    authors: list[int]
    """In each window; so are the next three."""
    reels: list[int]
    expected: list[float]
    before: list[float]
    series: list[tuple[int, int, float]]
    """Hours with their reels and expected reels, oldest first."""
    members: list[tuple[Signal, int]]
    """Those to name, with their reels in the trend's window."""
    samples: list[Sample]
    """Of the reels of those members, and of communities."""
    together: bool
    """Whether its numbers are those of a community: of who brings several members together."""


def _says_it(other: Signal, phrase: Signal) -> bool:
    """Whether another phrase says it: holds it, is held, or shares words and nearly all reels."""
    if other.kind != PHRASE or other.words.isdisjoint(phrase.words):
        return False
    if extends(other.id, phrase.id) or extends(phrase.id, other.id):
        return True
    return shared(other.sample, phrase.sample)[1] >= NESTED


def extends(longer: str, phrase: str) -> bool:
    """Whether one phrase holds another word by word.

    Example:
        >>> extends("the cat drop", "cat drop"), extends("cat dropped", "cat drop")
        (True, False)
    """
    return f" {phrase} " in f" {longer} "


def parts_of(phrase: str) -> list[str]:
    """Return the phrases that a phrase holds word by word, itself among them.

    Example:
        >>> parts_of("the cat drop")
        ['the', 'the cat', 'the cat drop', 'cat', 'cat drop', 'drop']
    """
    words = phrase.split(" ")
    stops = range(1, len(words) + 1)
    return [" ".join(words[i:j]) for i in range(len(words)) for j in stops if i < j]


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
