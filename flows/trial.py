"""Rules of alerts tried on a store: what would have been sent, and when."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.errors import UserError
from flows.plain import plain
from operators.alerts import rules as rules_file
from operators.alerts.delivery import Outcome
from operators.alerts.matching import Matching
from operators.alerts.outbox import Message, Outbox, current
from operators.alerts.rules import Rule, Rules
from operators.alerts.sender import Sender
from operators.sinks import store as stores


@dataclass(frozen=True, slots=True)
class Sent:
    """A message that would have been sent, and when."""

    at: datetime
    message: Message


class Trial:
    """What rules would have made of the revisions of a store, each at its event time.

    The outbox, the rules and the schedule are those of a run; only the clock is the event time, and
    every receiver takes everything.
    """

    def __init__(self, rules: Rules) -> None:
        self.sent: dict[str, list[Sent]] = {rule.name: [] for rule in rules.rules}
        self._outbox = Outbox(":memory:")
        self._rules = [Matching(rule) for rule in rules.rules]
        self._now = datetime(1970, 1, 1, tzinfo=UTC)
        self._senders = [
            Sender(self._outbox, receiver, told, self._take)
            for name, receiver in rules.receivers.items()
            if (told := [rule for rule in rules.rules if rule.to == name])
        ]
        self._next: list[datetime | None] = [None] * len(self._senders)
        """When each is to be asked again."""

    def run(self, store: Path) -> int:
        """Take all revisions of a store in the order of event time; how many they were."""
        count = 0
        for trend in stores.revisions(store, datetime(1970, 1, 1, tzinfo=UTC)):
            self._advance(trend.event_time)
            if self._outbox.take(self._rules, [trend], trend.event_time):
                self._next = [trend.event_time] * len(self._senders)
            count += 1
        self._advance(None)
        return count

    def counts(self) -> dict[str, dict[str, int]]:
        """What became of the alerts, see `operators.alerts.outbox.counts`."""
        return self._outbox.counts()

    def close(self) -> None:
        """Forget everything."""
        self._outbox.close()

    def _advance(self, until: datetime | None) -> None:
        """Send what is to be sent before `until`; None: all of it."""
        for number, sender in enumerate(self._senders):
            at = self._next[number]
            while at is not None and (until is None or at < until):
                self._now = at
                at = sender.step(at)
            self._next[number] = at

    def _take(self, message: Message) -> Outcome:
        self.sent[message.rule].append(Sent(self._now, message))
        return Outcome(taken=True)


def trial(path: Path, store: Path, limit: int, console: Console) -> int:
    """Show what rules would have sent of the trends in a store; the exit code."""
    rules = rules_file.load(path)
    if not store.exists():
        raise UserError(f"{store}: there is no such store; `groundswell replay --store` writes one")
    tried = Trial(rules)
    try:
        revisions = tried.run(store)
        found = tried.counts()
    finally:
        tried.close()
    for rule in rules.rules:
        sent = tried.sent[rule.name]
        if sent:
            console.print(_table(rule, sent[:limit], console.width))
        _say(console, _summary(rule, sent, found.get(rule.name, {}), limit))
    _say(console, f"{revisions:,} revisions in {store}; nothing was sent")
    for name, variable in _unset(rules):
        _say(console, f"receiver {name}: {variable} is not in this environment")
    return 0


def _table(rule: Rule, sent: Sequence[Sent], width: int) -> Table:
    """Messages of a rule, an alert a row; the time stands at the first of each message."""
    table = Table(
        title=Text(plain(f"{rule.name} → {rule.to}")), box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.title_justify = "left"
    table.add_column("sent (UTC)", no_wrap=True)
    table.add_column("seen", no_wrap=True)
    table.add_column("trend", no_wrap=True, overflow="ellipsis", max_width=max(12, width // 4))
    table.add_column("stage", no_wrap=True)
    if width >= 80:
        table.add_column("why")
    for one in sent:
        at = f"{one.at:%Y-%m-%d %H:%M}"
        for alert in current(one.message.alerts):
            trend, over = alert.trend, alert.status == "resolved"
            name = plain(trend.name) or plain(trend.trend_id)
            stage = f"over: {trend.stage}" if over else trend.stage
            why = plain(trend.why.partition(";")[0])
            cells = [at, f"{trend.event_time:%H:%M}", name, stage]
            table.add_row(*map(Text, cells), *([Text(why)] if width >= 80 else []))
            at = ""
    return table


def _summary(rule: Rule, sent: Sequence[Sent], found: Mapping[str, int], limit: int) -> str:
    """A rule's line: how many messages and alerts, and what was left out."""
    parts = [
        f"messages {len(sent):,}",
        f"trends {found.get('alerts', 0):,}",
        f"of them over {found.get('resolved', 0):,}",
    ]
    lost = found.get("dropped", 0) + found.get("stale", 0)
    if lost:
        parts.append(f"not told, because too many or too old, {lost:,}")
    if len(sent) > limit:
        parts.append(f"the first {limit:,} messages are shown")
    return plain(f"{rule.name}: {', '.join(parts)}")


def _unset(rules: Rules) -> Iterator[tuple[str, str]]:
    for name, receiver in rules.receivers.items():
        for variable in (receiver.url_env, receiver.token_env, receiver.secret_env):
            if variable and not os.environ.get(variable):
                yield plain(name), variable


def _say(console: Console, text: str) -> None:
    console.print(Text(text), soft_wrap=True)
