"""Reads an answer key and the trends found in its stream, and marks them."""

from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

import msgspec

from schemas.trends import Member, Trend
from schemas.trends import decode as decode_trend
from trend.evaluation import Alert, Report, evaluate
from trend.simulator.truth import VERSION, Truth, TruthMember


class EvaluationError(ValueError):
    """A file is not what it should be: the message names the file, the line and the reason."""


def evaluate_files(truth: Path, trends: Path) -> Report:
    """Mark the trends of a `trends.jsonl` against the `truth.json` of the stream they came from.

    Raises
    ------
    OSError: a file cannot be read.
    EvaluationError: a file holds something else.
    """
    key = read_truth(truth)
    revisions = read_revisions(trends)
    told: dict[str, list[tuple[datetime, str]]] = {}
    for trend in sorted(revisions, key=lambda trend: trend.revision):
        told.setdefault(trend.trend_id, []).append((trend.event_time, trend.stage))
    return evaluate(key, alerts_of(revisions), told)


def read_truth(path: Path) -> Truth:
    """Read an answer key that `groundswell simulate` wrote."""
    try:
        truth = msgspec.json.decode(path.read_bytes(), type=Truth)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{path}: not an answer key: {error}") from error
    if truth.version != VERSION:
        raise EvaluationError(f"{path}: answer key of version {truth.version}, expected {VERSION}")
    return truth


def read_alerts(path: Path) -> list[Alert]:
    """Read revisions of trends and give the alert of each trend, in the order of their event time.

    The revisions of a trend may stand in any order; the same one may come twice.
    """
    return alerts_of(read_revisions(path))


def read_revisions(path: Path) -> list[Trend]:
    """Read revisions of trends as they stand."""
    revisions = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                revisions.append(decode_trend(line))
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise EvaluationError(f"{path}: line {number}: not a trend: {error}") from error
    return revisions


def alerts_of(revisions: Iterable[Trend]) -> list[Alert]:
    """Give the alert of each trend, in the order of their event time."""
    alerts: dict[str, Trend] = {}
    for trend in revisions:
        known = alerts.get(trend.trend_id)
        if known is None or _precedence(trend) < _precedence(known):
            alerts[trend.trend_id] = trend
    return sorted(
        (
            Alert(
                trend_id=trend.trend_id,
                event_time=trend.event_time,
                members=tuple(
                    TruthMember(kind=x.kind, id=name) for x in trend.members for name in _names(x)
                ),
            )
            for trend in alerts.values()
        ),
        key=lambda alert: (alert.event_time, alert.trend_id),
    )


def _names(member: Member) -> set[str]:
    """Return what a member may be called in an answer key: a sound also by title and artist."""
    return {member.id, member.label} if member.kind == "sound" else {member.id}


def _precedence(trend: Trend) -> tuple[bool, int]:
    """Order in which revisions are a trend's alert: emerging before others, then the first."""
    return trend.stage != "emerging", trend.revision
