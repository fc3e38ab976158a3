"""Revisions into the outbox of alerts: decided here, sent by others.

The flow never waits for a receiver, and never stops for an alert. What it writes is one small
transaction, and only where a rule tells something new.
"""

import logging
import sqlite3
from collections import deque
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from operators.alerts.matching import Matching
from operators.alerts.outbox import Outbox
from operators.alerts.rules import Rule
from operators.durable import failpoints
from operators.durable.fence import Fence, writing
from schemas.trends import Trend

log = logging.getLogger(__name__)

PENDING: Final = 1_000
"""Revisions that are kept while the outbox cannot be written; older ones go."""


class AlertsPart(StatefulSinkPartition[Trend, int]):
    """The open outbox. It has no state: what was told is in the outbox, durably, and stays."""

    def __init__(self, path: Path, rules: Sequence[Rule], fence: Fence | None = None) -> None:
        self._path = path
        self._rules = [Matching(rule) for rule in rules]
        self._fence = fence
        self._pending: deque[Trend] = deque(maxlen=PENDING)
        with writing(fence):
            self._outbox = Outbox(path)

    def write_batch(self, values: list[Trend]) -> None:
        """Put in what is to be told; where it cannot be written, with the next ones.

        Raises `FencedError` where another run has taken over.
        """
        failpoints.reach("sink-write.before")
        with writing(self._fence):
            try:
                self._outbox.take(self._rules, [*self._pending, *values], datetime.now(UTC))
            except sqlite3.Error as error:
                self._pending.extend(values)
                log.warning("%s: cannot be written (%s); alerts wait", self._path, error)
            else:
                self._pending.clear()
        failpoints.reach("sink-write.after")

    def snapshot(self) -> int:
        """Nothing: every commit is durable already."""
        return 0

    def close(self) -> None:
        """Close the outbox."""
        self._outbox.close()


class AlertsSink(FixedPartitionedSink[Trend, int]):
    """An outbox of alerts; items are `(key, Trend)`."""

    def __init__(self, path: Path, rules: Sequence[Rule], fence: Fence | None = None) -> None:
        self._path = path
        self._rules = rules
        self._fence = fence

    def list_parts(self) -> list[str]:
        """The one part, whatever the number of workers."""
        return ["alerts"]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> AlertsPart:
        """Open the outbox; what is in it stays."""
        return AlertsPart(self._path, self._rules, self._fence)
