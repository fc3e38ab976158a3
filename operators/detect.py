"""Seventh step: each shard says which of its signals burst at the ticks that are complete.

Expectation and significance are in `trend.expectation`, `trend.bursts` and `trend.significance`.
"""

from dataclasses import dataclass

from trend.shard import Shard, ShardReports


@dataclass(frozen=True, slots=True)
class ShardReport:
    """What one shard has to say of all ticks up to and including `reports.through`."""

    shard: str
    reports: ShardReports


def detect(name: str, shard: Shard, through: int) -> list[ShardReport]:
    """Close the ticks up to and including `through` and return the shard's reports of them."""
    return [ShardReport(name, reports) for reports in shard.close(through)]
