"""Sends what is in the outbox to one receiver, in order under each rule, until it is taken.

Beside the flow: it writes the outbox and nothing else, and whatever it meets, it goes on.
"""

import logging
import random
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Protocol

from operators.alerts.delivery import Delivery, Outcome
from operators.alerts.outbox import Message, Outbox
from operators.alerts.rules import Receiver, Rule
from operators.alerts.schedule import TOGETHER, due, quiet_until
from operators.durable import failpoints
from operators.durable.faults import FencedError
from operators.durable.fence import Fence, writing

log = logging.getLogger(__name__)

LOOK_S: Final = 1.0
"""Time between two looks into the outbox."""
BACKOFF_S: Final = (1.0, 300.0)
"""The first and the longest pause between two attempts; each is drawn from its upper half."""
TROUBLE_S: Final = 5.0
"""Pause after an error of the outbox."""


class Deliver(Protocol):
    """Sends one message, as `operators.alerts.delivery.Delivery` does."""

    def __call__(self, message: Message) -> Outcome:
        """Try once. Raises nothing that a receiver causes."""
        ...


class Sender:
    """One receiver and the rules that tell it, over an open outbox."""

    def __init__(
        self,
        outbox: Outbox,
        receiver: Receiver,
        rules: Sequence[Rule],
        deliver: Deliver,
        fence: Fence | None = None,
    ) -> None:
        self._outbox = outbox
        self._receiver = receiver
        self._rules = rules
        self._deliver = deliver
        self._fence = fence

    def step(self, now: datetime) -> datetime | None:
        """Send one message of each rule that has one to send now.

        Returns when there may be more: `now` where one was sent; None where nothing waits. Raises
        `FencedError` where another run has taken over.
        """
        times = [at for rule in self._rules if (at := self._step(rule, now)) is not None]
        return min(times, default=None)

    def _step(self, rule: Rule, now: datetime) -> datetime | None:
        message = self._outbox.open_message(rule.name)
        if message is None:
            queued = self._outbox.queued(rule, now, max(TOGETHER, rule.rate_messages + 1))
            if not queued:
                return None
            begun = self._outbox.begun(rule, now)
            count, at = due(rule, [one.queued_at for one in queued], begun, now)
            if not count:
                return at
            with writing(self._fence):
                self._outbox.compose(rule, queued[:count], now)
            message = self._outbox.open_message(rule.name)
            assert message is not None
        at = max(quiet_until(rule, now), message.next_at)
        if at > now:
            return at
        self._send(message, now)
        return now

    def _send(self, message: Message, now: datetime) -> None:
        if self._fence is not None:
            self._fence.check()
        failpoints.reach("alert-send.before")
        outcome = self._deliver(message)
        failpoints.reach("alert-send.after")
        name = f"alerts to {self._rules[0].to}"
        given_up = now - message.first_at >= timedelta(minutes=self._receiver.give_up_minutes)
        with writing(self._fence):
            if outcome.taken:
                self._outbox.end(message, "sent")
            elif not outcome.again or given_up:
                log.warning("%s: %s; given up", name, outcome.said)
                self._outbox.end(message, "failed")
            else:
                pause = max(backoff_s(message.attempts), outcome.after_s)
                if message.attempts == 0:
                    log.warning("%s: %s; trying again", name, outcome.said)
                self._outbox.again(message, now + timedelta(seconds=pause))


def backoff_s(attempts: int) -> float:
    """The pause after an attempt, s: doubled each time, with jitter."""
    first, longest = BACKOFF_S
    return min(longest, first * 2.0 ** min(attempts, 30)) * random.uniform(0.5, 1.0)


class Sending(threading.Thread):
    """A thread that sends to one receiver until it is stopped. It closes what it is given."""

    def __init__(
        self,
        path: Path,
        receiver: Receiver,
        rules: Sequence[Rule],
        deliver: Delivery,
        fence: Fence | None,
    ) -> None:
        super().__init__(name=f"alerts to {rules[0].to}", daemon=True)
        self._path = path
        self._receiver = receiver
        self._told = rules
        self._deliver = deliver
        self._fence = fence
        self._stopping = threading.Event()
        self._deadline = float("inf")

    def stop(self, within_s: float) -> None:
        """Have it end when nothing is to be sent at once, or so much time is over; see `join`."""
        self._deadline = time.monotonic() + within_s
        self._stopping.set()

    def run(self) -> None:
        """Send; called by `start`."""
        outbox: Outbox | None = None
        try:
            while True:
                stopping, pause = self._stopping.is_set(), LOOK_S
                try:
                    outbox = outbox or Outbox(self._path)
                    sender = Sender(outbox, self._receiver, self._told, self._deliver, self._fence)
                    now = datetime.now(UTC)
                    if sender.step(now) == now and time.monotonic() < self._deadline:
                        continue
                except FencedError as error:
                    log.warning("%s: %s", self.name, error)
                    return
                except Exception as error:  # detection does not end for it
                    log.warning("%s: %s; trying again", self.name, error)
                    pause = TROUBLE_S
                if stopping:
                    return
                self._stopping.wait(pause)
        finally:
            self._deliver.close()
            if outbox is not None:
                outbox.close()
            if self._fence is not None:
                self._fence.close()
