"""What people say of alerts, real or noise, in a file of JSON lines.

It lies beside the store and not in it, so that the run that writes the store is never waited for
by the radar, nor waits. The last word of each person on a trend counts.
"""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec

from schemas.feedback import MAX_BYTES, MAX_LINE, Said, Verdict


class FeedbackError(Exception):
    """It cannot be kept: the file and why."""


class Verdicts(msgspec.Struct, frozen=True):
    """How many people say what of a trend."""

    real: int
    noise: int


class Feedback:
    """The file, and its sums. `path` None: nothing is kept, and `add` refuses."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._last: dict[tuple[str, str], Verdict] = {}
        self._sums: dict[str, Counter[str]] = {}
        for said in self.all():
            self._count(said)

    @property
    def kept(self) -> bool:
        """Whether it can be given."""
        return self._path is not None

    def all(self) -> Iterator[Said]:
        """All that was said, oldest first; a line that cannot be read is passed over."""
        if self._path is None or not self._path.exists():
            return
        decoder = msgspec.json.Decoder(Said)
        with self._path.open("rb") as file:
            while line := file.readline(MAX_LINE):
                try:
                    yield decoder.decode(line)
                except msgspec.DecodeError:
                    continue

    def add(self, said: Said) -> Verdicts:
        """Keep it; what is said of the trend now. Raises `FeedbackError`."""
        if self._path is None:
            raise FeedbackError("there is no file for feedback: set serve_feedback")
        line = msgspec.json.encode(said) + b"\n"
        with self._lock:
            try:
                with self._path.open("ab") as file:
                    if file.tell() + len(line) > MAX_BYTES:
                        raise FeedbackError(f"{self._path}: is full ({MAX_BYTES:,} bytes)")
                    file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise FeedbackError(f"{self._path}: {error.strerror}") from error
            self._count(said)
            return self.of(said.trend_id)

    def _count(self, said: Said) -> None:
        key = said.trend_id, said.by
        sums = self._sums.setdefault(said.trend_id, Counter())
        sums[self._last.get(key, "none")] -= 1
        sums[said.verdict] += 1
        self._last[key] = said.verdict

    def of(self, trend_id: str) -> Verdicts:
        """What is said of a trend."""
        sums = self._sums.get(trend_id, Counter())
        return Verdicts(sums["real"], sums["noise"])

    def sums(self) -> dict[str, Verdicts]:
        """All trends that something is said of."""
        every = ((trend, self.of(trend)) for trend in [*self._sums])
        return {trend: one for trend, one in every if one.real or one.noise}


def precision(sums: dict[str, Verdicts]) -> tuple[int, float | None]:
    """How many trends are judged by more people one way than the other, and the share of real ones.

    >>> precision({"a": Verdicts(2, 0), "b": Verdicts(0, 1), "c": Verdicts(1, 1)})
    (2, 0.5)
    """
    judged = [one.real > one.noise for one in sums.values() if one.real != one.noise]
    return len(judged), sum(judged) / len(judged) if judged else None
