"""When something is sent: quiet hours, digests and the rate limit. Pure: time comes in as data."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from operators.alerts.rules import Rule

TOGETHER: Final = 20
"""Trends in one message at most: as many as Telegram takes."""


def due(
    rule: Rule, queued: Sequence[datetime], begun: Sequence[datetime], now: datetime
) -> tuple[int, datetime]:
    """Return how many of the trends that wait go into one message now, and when to look again.

    One by one, unless they were gathered: for a digest, through quiet hours, or because there are
    more than messages may still be sent. So a rate limit loses nothing, it joins.

    Parameters: `queued`, when each trend that waits came, oldest first, at least one; `begun`, when
    messages of this rule were sent first, oldest first.
    """
    at = quiet_until(rule, now)
    if rule.digest_minutes:
        at = max(at, queued[0] + timedelta(minutes=rule.digest_minutes))
    period = timedelta(minutes=rule.rate_minutes)
    recent = [time for time in begun if time + period > now]
    room = rule.rate_messages - len(recent)
    if room <= 0:
        at = max(at, recent[-rule.rate_messages] + period)
    if at > now:
        return 0, at
    gathered = (
        rule.digest_minutes > 0 or len(queued) > room or quiet_until(rule, queued[0]) > queued[0]
    )
    return (min(TOGETHER, len(queued)) if gathered else 1), now


def quiet_until(rule: Rule, now: datetime) -> datetime:
    """Return the end of the quiet hours where `now` is in them, else `now`.

    >>> rule = Rule(name="r", to="x", quiet="22:00-07:00", time_zone="Europe/Berlin")
    >>> quiet_until(rule, datetime(2026, 1, 5, 22, 30, tzinfo=UTC)).isoformat()
    '2026-01-06T06:00:00+00:00'
    """
    hours = rule.quiet_hours
    if hours is None:
        return now
    begins, ends = hours
    local = now.astimezone(ZoneInfo(rule.time_zone))
    time = local.time()
    over_midnight = begins > ends
    if not (begins <= time < ends or (over_midnight and (time >= begins or time < ends))):
        return now
    end = local.replace(hour=ends.hour, minute=ends.minute, second=0, microsecond=0)
    if over_midnight and time >= begins:
        end += timedelta(days=1)
    return max(end.astimezone(UTC), now + timedelta(seconds=1))  # clocks are also put back
