"""Alerts of a run: the rules it begins with, and the threads that send."""

import os
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flows.settings import Settings
from flows.state import StateFolder
from operators.alerts import rules as rules_file
from operators.alerts.delivery import Delivery
from operators.alerts.outbox import COUNTERS, NAME, Outbox, counts
from operators.alerts.rules import Rules
from operators.alerts.sender import Sending
from operators.durable.fence import Fence

DRAIN_S: Final = 5.0
"""How long a run that ends goes on sending what is to be sent at once."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The rules of a run, as they were when it began."""

    data: bytes
    rules: Rules

    def begin(self, folder: StateFolder, work: Path) -> str:
        """Make the outbox, and write the rules to `work` for the workers; where they are."""
        with folder.fence.writing():
            outbox = Outbox(folder.path / NAME)
            outbox.forget(rule.name for rule in self.rules.rules)
            outbox.close()
        path = work / "alerts.toml"
        path.write_bytes(self.data)
        return str(path)


def asked(settings: Settings) -> Asked | None:
    """The rules that the settings name; None: none. Raises `RulesError` where they cannot work."""
    if not settings.alert_rules:
        return None
    path = Path(settings.alert_rules)
    rules = rules_file.load(path)
    for delivery in _deliveries(rules).values():
        delivery.close()
    return Asked(path.read_bytes(), rules)


@contextmanager
def sending(
    one: Asked | None, folder: StateFolder | None, say: Callable[[str], None]
) -> Iterator[None]:
    """Send what comes into the outbox of a state folder that is ours, beside all else.

    `say` is told in the end how much was sent. What was not is sent by the next run. Threads start
    here: processes are to be started before.
    """
    if one is None or folder is None:
        yield
        return
    path = folder.path / NAME
    before = _sums(path)
    threads = []
    for name, delivery in _deliveries(one.rules).items():
        receiver = one.rules.receivers[name]
        told = [rule for rule in one.rules.rules if rule.to == name]
        threads.append(
            Sending(path, receiver, told, delivery, Fence(folder.fence.path, folder.generation))
        )
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        deadline = time.monotonic() + DRAIN_S
        for thread in threads:
            thread.stop(DRAIN_S)
        for thread in threads:
            thread.join(max(0.1, deadline + 1 - time.monotonic()))
        after = _sums(path)
        new = {name: after[name] - before[name] for name in after}
        lost = new["dropped"] + new["stale"]
        say(
            f"alerts: sent {new['sent']:,}, failed {new['failed']:,}, not told {lost:,}, "
            f"waiting {after['waiting']:,}"
        )


def _sums(path: Path) -> Counter[str]:
    """The counters of all rules together; those of a file that cannot be read are 0."""
    sums = Counter(dict.fromkeys((*COUNTERS, "waiting"), 0))
    with suppress(sqlite3.Error):
        for found in counts(path).values():
            sums.update(found)
    return sums


def _deliveries(rules: Rules) -> dict[str, Delivery]:
    """The connections to receivers that some rule tells. Raises `RulesError`."""
    names = dict.fromkeys(rule.to for rule in rules.rules)
    found = {name: rules_file.address(name, rules.receivers[name], os.environ) for name in names}
    return {
        name: Delivery(name, rules.receivers[name], address, rules.link)
        for name, address in found.items()
    }
