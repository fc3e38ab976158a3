"""Revisions into the outbox of alerts: decided here, sent by others.

The flow never waits for a receiver. What it writes is one small transaction, and only where a rule
tells something new.
"""

import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from operators.alerts.outbox import Matching, Outbox
from operators.alerts.rules import Rule
from operators.durable import failpoints
from operators.durable.fence import Fence, writing
from operators.sinks.jsonl import OutputError
from schemas.trends import Trend


class AlertsPart(StatefulSinkPartition[Trend, int]):
    """The open outbox. It has no state: what was told is in the outbox, durably, and stays."""

    def __init__(self, path: Path, rules: Sequence[Rule], fence: Fence | None = None) -> None:
        self._path = path
        self._rules = [Matching(rule) for rule in rules]
        self._fence = fence
        with writing(fence):
            self._outbox = Outbox(path)

    def write_batch(self, values: list[Trend]) -> None:
        """Put in what is to be told. Raises `OutputError` where it cannot be written."""
        try:
            failpoints.reach("sink-write.before")
            with writing(self._fence):
                self._outbox.take(self._rules, values, datetime.now(UTC))
            failpoints.reach("sink-write.after")
        except sqlite3.OperationalError as error:
            raise OutputError(f"{self._path}: cannot be written ({error})") from error

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
