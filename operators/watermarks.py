"""How far all partitions are: a tick is complete when each of them has said so."""

from collections.abc import Iterable


class Watermarks:
    """The ticks that each partition has completed, and those that all have.

    A partition that ended holds nothing back. When all have ended, all ticks that any of them had
    are complete.

    Example:
        >>> marks = Watermarks(["a", "b"])
        >>> marks.take("a", closed=7, end=False)
        >>> marks.through() is None
        True
        >>> marks.take("b", closed=5, end=False)
        >>> marks.through()
        4
    """

    def __init__(self, partitions: Iterable[str]) -> None:
        self._closed: dict[str, int | None] = dict.fromkeys(partitions)
        self._ended: set[str] = set()

    def know(self, partitions: Iterable[str]) -> bool:
        """Wait for partitions that came later too; say whether there are such."""
        added = [name for name in partitions if name not in self._closed]
        self._closed |= dict.fromkeys(added)
        return bool(added)

    def take(self, partition: str, closed: int, end: bool) -> None:
        """Note that `partition` has completed all ticks before `closed`, and whether it ended."""
        self._closed[partition] = closed
        if end:
            self._ended.add(partition)

    def ended(self) -> bool:
        """Return whether all partitions have ended."""
        return len(self._ended) == len(self._closed)

    def through(self) -> int | None:
        """Return the last tick that is complete in all partitions, or None where there is none."""
        open_ones = [at for name, at in self._closed.items() if name not in self._ended]
        if not open_ones:
            return max((at for at in self._closed.values() if at is not None), default=0) - 1
        if any(at is None for at in open_ones):
            return None
        return min(at for at in open_ones if at is not None) - 1
