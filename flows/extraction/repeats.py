"""Which reels are looked at: those that the gate lets through, and each of them once."""

from operators.extraction.gate import Gate
from schemas.reels import Reel


class Repeats:
    """Remembers the reels that were looked at.

    Args:
        gate: decides of those that were not.
        most: ids that are remembered; the oldest are forgotten.
    """

    def __init__(self, gate: Gate, most: int) -> None:
        self._gate = gate
        self._most = most
        self._seen: dict[str, None] = {}
        self.repeated = self.held = 0
        """Reels that had come before, and those that the gate held back."""

    def wanted(self, reel: Reel) -> bool:
        """Whether the media of a reel is to be looked at."""
        if reel.media_url is None:
            return False
        if reel.reel_id in self._seen:
            self.repeated += 1
            return False
        passes = self._gate.passes(reel)
        self.held += not passes
        return passes and self.is_new(reel.reel_id)

    def is_new(self, reel_id: str) -> bool:
        """Note a reel; whether it had not come before."""
        if reel_id in self._seen:
            self.repeated += 1
            return False
        self._seen[reel_id] = None
        if len(self._seen) > self._most:
            del self._seen[next(iter(self._seen))]
        return True

    def forget(self, reel_id: str) -> None:
        """Look at a reel again where it comes again."""
        self._seen.pop(reel_id, None)
