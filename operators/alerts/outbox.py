"""The outbox: which trends were told under which rule, and what waits to be sent.

A SQLite file in the state folder. The flow puts alerts in (`take`), senders send them; neither
waits for the other. A trend is in it once for each rule and status, so that what a run that goes on
decides again changes nothing. What one message is made of is written down before it is sent first:
it keeps its key and its content however often it is sent.
"""

import hashlib
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Final, Literal, NamedTuple
from urllib.parse import quote

import msgspec

from operators.alerts.matching import Matching, Status
from operators.alerts.rules import Rule
from operators.sinks.jsonl import OutputError
from schemas.trends import Trend, decode, encode

VERSION: Final = 1
NAME: Final = "alerts.db"
BUSY_S: Final = 5.0
"""How long one who writes it waits for the others."""
KEPT: Final = 200_000
"""Alerts that are remembered, of all rules; one that is older might be told again."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND: Final = timedelta(microseconds=1)
HOUR: Final = 3_600_000_000

COUNTERS: Final = ("alerts", "resolved", "messages", "sent", "failed", "dropped", "stale")

TABLES: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;

CREATE TABLE IF NOT EXISTS alerts (
    number INTEGER PRIMARY KEY,
    rule TEXT NOT NULL,
    trend_id TEXT NOT NULL,
    status TEXT NOT NULL,             -- firing, resolved
    kind TEXT NOT NULL,               -- of the trend, when it was told first
    since INTEGER NOT NULL,           -- event time of that; all times are microseconds since 1970
    event_time INTEGER NOT NULL,
    queued_at INTEGER NOT NULL,       -- by the clock of this computer
    state TEXT NOT NULL,              -- waiting, sent, failed, dropped
    message INTEGER,                  -- it goes out in
    body BLOB,                        -- the revision, while it waits
    UNIQUE (rule, trend_id, status)
) STRICT;
CREATE INDEX IF NOT EXISTS waiting ON alerts (rule, number) WHERE state = 'waiting';

CREATE TABLE IF NOT EXISTS messages (
    number INTEGER PRIMARY KEY,
    rule TEXT NOT NULL,
    key TEXT NOT NULL,
    first_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    next_at INTEGER NOT NULL,
    open INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS counters (
    rule TEXT NOT NULL,
    name TEXT NOT NULL,
    value INTEGER NOT NULL,
    PRIMARY KEY (rule, name)
) STRICT, WITHOUT ROWID;
"""

KNOWN: Final = """
SELECT kind, since, state FROM alerts WHERE rule = ? AND trend_id = ? AND status = ?
"""
PUT: Final = """
INSERT INTO alerts (rule, trend_id, status, kind, since, event_time, queued_at, state, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
WAITING: Final = """
SELECT trend_id, min(queued_at) FROM alerts
WHERE rule = ? AND state = 'waiting' AND message IS NULL
GROUP BY trend_id ORDER BY min(number) LIMIT ?
"""
CHOSEN: Final = """
SELECT number, trend_id, status FROM alerts
WHERE rule = ? AND state = 'waiting' AND message IS NULL
    AND trend_id IN (SELECT value FROM json_each(?)) ORDER BY number
"""
COUNT: Final = """
INSERT INTO counters VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET value = value + excluded.value
"""
_OLDER: Final = "rule = ? AND state = 'waiting' AND message IS NULL AND event_time < ?"
OLDER: Final = f"SELECT 1 FROM alerts WHERE {_OLDER}"
STALE: Final = f"UPDATE alerts SET state = 'dropped', body = NULL WHERE {_OLDER}"
UNTOLD: Final = """
UPDATE alerts SET state = 'dropped', body = NULL
WHERE rule = ?1 AND state = 'waiting' AND message IS NULL AND status = 'resolved' AND trend_id IN
    (SELECT trend_id FROM alerts WHERE rule = ?1 AND status = 'firing'
        AND state IN ('failed', 'dropped'))
"""
"""Nobody is told that something is over who was not told that it had begun."""


@dataclass(frozen=True, slots=True)
class Alert:
    """One trend of which somebody is told, or told that it is over."""

    status: Status
    trend: Trend
    """Without its series and its forecast."""
    kind: str
    """Of the trend when it was told first: it names the alert, so it stays."""
    since: datetime
    """Event time at which it was told first."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent as one."""

    number: int
    rule: str
    key: str
    """Stays the same however often it is sent."""
    first_at: datetime
    attempts: int
    next_at: datetime
    alerts: tuple[Alert, ...]


class Queued(NamedTuple):
    """A trend of which an alert waits, or two."""

    trend_id: str
    queued_at: datetime


class Outbox:
    """The open file; ":memory:" is one that is not kept. Used by one thread.

    Raises `OutputError` where the file is none of ours.
    """

    def __init__(self, path: Path | str) -> None:
        try:
            self._connection = sqlite3.connect(path, timeout=BUSY_S)
        except sqlite3.Error as error:
            raise OutputError(f"{path}: not usable as an outbox of alerts ({error})") from None
        try:
            self._make(path)
        except BaseException:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _make(self, path: Path | str) -> None:
        connection = self._connection
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.executescript("BEGIN IMMEDIATE;" + TABLES)
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('version', ?)", (str(VERSION),))
            connection.commit()
            query = "SELECT value FROM meta WHERE key = 'version'"
            (found,) = connection.execute(query).fetchone()
        except sqlite3.Error as error:
            raise OutputError(f"{path}: not usable as an outbox of alerts ({error})") from None
        if found != str(VERSION):
            raise OutputError(
                f"{path}: an outbox of version {found}, this Groundswell reads and writes {VERSION}"
            )

    def take(self, rules: Sequence[Matching], trends: Iterable[Trend], now: datetime) -> int:
        """Put in what the rules tell of revisions; how many alerts are new, in one transaction.

        What they tell depends on the revisions alone, and on what was told before.
        """
        found = [
            (matching.rule, trend, status)
            for trend in trends
            for matching in rules
            if (status := matching.status(trend)) is not None
        ]
        if not found:
            return 0
        new = 0
        with self._connection as connection:
            for rule, trend, status in found:
                new += self._put(connection, rule, trend, status, _number(now))
        return new

    def _put(
        self, connection: sqlite3.Connection, rule: Rule, trend: Trend, status: Status, now: int
    ) -> int:
        asked = (rule.name, trend.trend_id)
        if connection.execute(KNOWN, (*asked, status)).fetchone():
            return 0
        kind, since = trend.kind, _number(trend.event_time)
        if status == "resolved":
            told = connection.execute(KNOWN, (*asked, "firing")).fetchone()
            if told is None or told[2] not in ("waiting", "sent"):
                return 0
            kind, since, _ = told
        full = self.waiting(rule.name) >= rule.most_waiting
        body = None if full else encode(msgspec.structs.replace(trend, series=(), forecast=()))
        state = "dropped" if full else "waiting"
        row = (*asked, status, kind, since, _number(trend.event_time), now, state, body)
        number = connection.execute(PUT, row).lastrowid or 0
        name = "alerts" if status == "firing" else "resolved"
        connection.execute(COUNT, (rule.name, name, 1))
        if full:
            connection.execute(COUNT, (rule.name, "dropped", 1))
        if number % 1000 == 0:
            connection.execute(
                "DELETE FROM alerts WHERE state != 'waiting' AND number <= ?", (number - KEPT,)
            )
        return 1

    def waiting(self, rule: str) -> int:
        """How many alerts of a rule wait, those in a message that is being sent included."""
        query = "SELECT count(*) FROM alerts WHERE rule = ? AND state = 'waiting'"
        (count,) = self._connection.execute(query, (rule,)).fetchone()
        return int(count)

    def queued(self, rule: Rule, now: datetime, most: int) -> list[Queued]:
        """The trends that have waited longest for a message. What is too old is dropped first."""
        if rule.max_age_hours:
            self._drop_older(rule.name, _number(now) - rule.max_age_hours * HOUR)
        rows = self._connection.execute(WAITING, (rule.name, most)).fetchall()
        return [Queued(trend_id, _time(at)) for trend_id, at in rows]

    def _drop_older(self, rule: str, oldest: int) -> None:
        if not self._connection.execute(OLDER, (rule, oldest)).fetchone():
            return
        with self._connection as connection:
            dropped = connection.execute(STALE, (rule, oldest)).rowcount
            connection.execute(COUNT, (rule, "stale", dropped))
            self._drop_untold(rule)

    def begun(self, rule: Rule, now: datetime) -> list[datetime]:
        """When messages of a rule were sent first, as far back as its rate limit looks."""
        since = _number(now) - rule.rate_minutes * HOUR // 60
        query = "SELECT first_at FROM messages WHERE rule = ? AND first_at > ? ORDER BY first_at"
        return [_time(at) for (at,) in self._connection.execute(query, (rule.name, since))]

    def compose(self, rule: Rule, queued: Sequence[Queued], now: datetime) -> None:
        """Make a message of all that waits of trends. It is open until it is ended."""
        chosen = msgspec.json.encode([one.trend_id for one in queued]).decode()
        rows = self._connection.execute(CHOSEN, (rule.name, chosen)).fetchall()
        names = [f"{trend_id} {status}" for _, trend_id, status in rows]
        key = hashlib.sha256("\n".join([rule.name, *names]).encode()).hexdigest()[:32]
        day_ago = _number(now) - 24 * HOUR
        with self._connection as connection:
            connection.execute("DELETE FROM messages WHERE NOT open AND first_at < ?", (day_ago,))
            made = connection.execute(
                "INSERT INTO messages (rule, key, first_at, attempts, next_at, open) "
                "VALUES (?, ?, ?, 0, ?, 1)",
                (rule.name, key, _number(now), _number(now)),
            ).lastrowid
            connection.executemany(
                "UPDATE alerts SET message = ? WHERE number = ?",
                [(made, number) for number, *_ in rows],
            )
            connection.execute(COUNT, (rule.name, "messages", 1))

    def open_message(self, rule: str) -> Message | None:
        """The message of a rule that is being sent."""
        found = self._connection.execute(
            "SELECT number, key, first_at, attempts, next_at FROM messages "
            "WHERE rule = ? AND open ORDER BY number LIMIT 1",
            (rule,),
        ).fetchone()
        if found is None:
            return None
        number, key, first_at, attempts, next_at = found
        rows = self._connection.execute(
            "SELECT status, kind, since, body FROM alerts "
            "WHERE message = ? AND state = 'waiting' ORDER BY number",
            (number,),
        )
        alerts = tuple(Alert(s, decode(body), kind, _time(since)) for s, kind, since, body in rows)
        return Message(number, rule, key, _time(first_at), attempts, _time(next_at), alerts)

    def again(self, message: Message, next_at: datetime) -> None:
        """Note an attempt that failed, and when the next one is."""
        with self._connection as connection:
            connection.execute(
                "UPDATE messages SET attempts = attempts + 1, next_at = ? WHERE number = ?",
                (_number(next_at), message.number),
            )

    def end(self, message: Message, state: Literal["sent", "failed"]) -> None:
        """Close a message: it was taken, or it is given up."""
        with self._connection as connection:
            connection.execute("UPDATE messages SET open = 0 WHERE number = ?", (message.number,))
            done = connection.execute(
                "UPDATE alerts SET state = ?, body = NULL WHERE message = ? AND state = 'waiting'",
                (state, message.number),
            ).rowcount
            connection.execute(COUNT, (message.rule, state, done))
            if state == "failed":
                self._drop_untold(message.rule)

    def _drop_untold(self, rule: str) -> None:
        dropped = self._connection.execute(UNTOLD, (rule,)).rowcount
        self._connection.execute(COUNT, (rule, "dropped", dropped))

    def counts(self) -> dict[str, dict[str, int]]:
        """By rule: the `COUNTERS` since the outbox was made, and `waiting`.

        `alerts` trends were told, `resolved` of them are over; of both together so many were `sent`
        (taken by the receiver), have `failed` (were refused, or tried too long), were `dropped`
        (too many waited, or their rule is gone) or `stale` (too old); the rest is `waiting`.
        `messages` is how many messages they went in.
        """
        return _counts(self._connection)

    def forget(self, rules: Iterable[str]) -> None:
        """Drop what waits under rules that are not there any more."""
        known = msgspec.json.encode([*rules]).decode()
        gone = "rule NOT IN (SELECT value FROM json_each(?))"
        with self._connection as connection:
            connection.execute(f"UPDATE messages SET open = 0 WHERE {gone}", (known,))
            for (rule,) in connection.execute(
                f"SELECT rule FROM alerts WHERE state = 'waiting' AND {gone}", (known,)
            ).fetchall():
                connection.execute(COUNT, (rule, "dropped", 1))
            connection.execute(
                "UPDATE alerts SET state = 'dropped', body = NULL "
                f"WHERE state = 'waiting' AND {gone}",
                (known,),
            )


def counts(path: Path) -> dict[str, dict[str, int]]:
    """`Outbox.counts` of a file that others write; empty where there is none.

    Raises sqlite3.Error where it cannot be read.
    """
    if not path.exists():
        return {}
    with closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=5)) as one:
        made = one.execute("SELECT 1 FROM sqlite_schema WHERE name = 'counters'").fetchone()
        return _counts(one) if made else {}


def _counts(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    rows = chain(
        connection.execute("SELECT rule, name, value FROM counters ORDER BY rule"),
        connection.execute(
            "SELECT rule, 'waiting', count(*) FROM alerts WHERE state = 'waiting' GROUP BY rule"
        ),
    )
    for rule, name, value in rows:
        found.setdefault(rule, dict.fromkeys((*COUNTERS, "waiting"), 0))[name] = value
    return found


def current(alerts: Sequence[Alert]) -> list[Alert]:
    """One alert a trend, the last: where it began and is over, that says both."""
    return [*{alert.trend.trend_id: alert for alert in alerts}.values()]


def _number(time: datetime) -> int:
    return (time - EPOCH) // MICROSECOND


def _time(number: int) -> datetime:
    return EPOCH + number * MICROSECOND
