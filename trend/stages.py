"""A trend's stage: emerging, peaking, fading or evergreen, with hysteresis.

Judged at the end of each hour by the trend's intensity: its authors over the platform's volume, so
that nights and surges do not look like falls and rises, in the longest window while the trend is
small and from then on in one of six hours (`trend.synthesis`):

    emerging -> peaking    it stopped growing: no more than a tenth above the window before
    any      -> fading     under half of its highest intensity, or no burst for three days
    peaking  -> emerging   half as much again as in the window before, and above its old high
    fading   -> peaking    back above four fifths of its highest intensity
    any      -> evergreen  no burst for three days, but a week old and still above half of its
                           highest intensity and of its highest number of authors

A change needs two hours in a row that say the same.
"""

from dataclasses import dataclass
from typing import Final

EMERGING: Final = "emerging"
PEAKING: Final = "peaking"
FADING: Final = "fading"
EVERGREEN: Final = "evergreen"

CONFIRMATIONS: Final = 2
_FLAT: Final = 1.1
_RISE: Final = 1.5
_FALLEN: Final = 0.5
_BACK: Final = 0.8


@dataclass(slots=True)
class StageMachine:
    """Stage of one trend.

    Example:
        >>> machine = StageMachine()
        >>> for now, before in [(10, 2), (20, 10), (21, 20), (21, 21), (9, 21), (8, 20)]:
        ...     _ = machine.hour(now, before, authors=now, bursting=True, quiet=False, old=False)
        >>> machine.stage
        'fading'
    """

    stage: str = EMERGING
    highest: float = 0.0
    """Highest intensity so far."""
    most: int = 0
    """Most authors so far."""
    _wanted: str = EMERGING
    _times: int = 0

    def look_anew(self) -> None:
        """Forget the heights, as they will be measured by another window."""
        self.highest, self.most = 0.0, 0

    def hour(
        self,
        intensity: float,
        before: float,
        authors: int,
        bursting: bool,
        quiet: bool,
        old: bool,
    ) -> bool:
        """Take one hour and return whether the stage changed.

        Args:
            intensity: authors per reel of the platform in the window, >= 0.
            before: the same in the window before it.
            authors: authors in the window.
            bursting: the trend bursts in this hour.
            quiet: its last burst is so long ago that it is no longer news.
            old: it began so long ago that it may be evergreen.
        """
        steady = old and authors >= _FALLEN * self.most
        wanted = self._wish(intensity, before, bursting, quiet, steady)
        self.highest = max(self.highest, intensity)
        self.most = max(self.most, authors)
        if wanted == self.stage:
            self._times = 0
            return False
        self._times = self._times + 1 if wanted == self._wanted else 1
        self._wanted = wanted
        if self._times < CONFIRMATIONS:
            return False
        self.stage = wanted
        self._times = 0
        return True

    def _wish(
        self, intensity: float, before: float, bursting: bool, quiet: bool, steady: bool
    ) -> str:
        fallen = intensity < _FALLEN * self.highest
        if quiet and steady and not fallen:
            return EVERGREEN
        if fallen or quiet:
            return FADING
        if self.stage == EMERGING and intensity <= _FLAT * before:
            return PEAKING
        if self.stage == PEAKING and bursting and intensity >= max(_RISE * before, self.highest):
            return EMERGING
        if self.stage == FADING and intensity >= _BACK * self.highest:
            return PEAKING
        return self.stage
