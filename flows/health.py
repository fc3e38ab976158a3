"""Whether a run is alive, and whether it is ready: does what it is there for, as far as it knows.

Alive is one whose main loop goes round. Ready is one whose partitions are all read, whose sinks
take what is written, whose brokers answer, and whose watermark advances while there is something to
read. Services were looked at before the workers were started, and a sink begins with what is to be
written first: one that has not begun is no fault.
"""

import time
from dataclasses import dataclass, field
from typing import Final

from flows import metrics
from flows.metrics import Run
from operators.metrics import SINKS

HUNG_S: Final = 60.0
"""How long the main loop may take to go round once."""
ASK_S: Final = 5.0
"""Time between two questions to the brokers where the partitions end."""
SILENT_S: Final = 30.0
"""How long brokers may not answer them."""
STALLED_S: Final = 60.0
"""How much longer than `idle_seconds` the watermark may stand still while there is something to
read."""


@dataclass(slots=True)
class Health:
    """What is known of a run; `beat` is called each time its main loop goes round.

    Times in seconds of the monotonic clock.
    """

    idle_s: float
    """Setting `idle_seconds`."""
    began: float = field(default_factory=time.monotonic)
    stopping: bool = False
    _beat: float = field(default_factory=time.monotonic)
    _front: int | None = None
    _moved: float = field(default_factory=time.monotonic)
    _answered: float | None = None

    def beat(self, run: Run | None) -> None:
        """Note that the main loop goes round, and where the watermark is."""
        self._beat = time.monotonic()
        front = run.board.front() if run else None
        if front != self._front:
            self._front, self._moved = front, self._beat

    def answered(self) -> None:
        """Note that brokers have answered."""
        self._answered = time.monotonic()

    def is_alive(self) -> bool:
        """Whether the main loop goes round."""
        return time.monotonic() - self._beat < HUNG_S

    def faults(self, run: Run | None) -> list[str]:
        """Why it is not ready, in words; none where it is."""
        if not self.is_alive():
            return [f"main loop: stands still for {time.monotonic() - self._beat:.0f} s"]
        if self.stopping:
            return ["stopping"]
        if run is None:
            return ["starting: the workers have not begun"]
        return [*self._unread(run), *self._silence(), *self._unwritten(run), *self._stall(run)]

    def _unread(self, run: Run) -> list[str]:
        missing = [name for name in run.board.partitions if not run.board.get(name, "assigned")]
        return [f"partition {name}: is not read yet" for name in missing]

    def _silence(self) -> list[str]:
        if self._answered is None:
            return ["Kafka: brokers have not answered yet"]
        silent = time.monotonic() - self._answered
        return [f"Kafka: brokers have not answered for {silent:.0f} s"] if silent > SILENT_S else []

    def _unwritten(self, run: Run) -> list[str]:
        return [
            f"sink {name}: the last attempt to write failed ({SINKS.get(name, name)})"
            for name, takes in metrics.up(run.counted).items()
            if not takes
        ]

    def _stall(self, run: Run) -> list[str]:
        still = time.monotonic() - self._moved
        nothing = run.board.all_are(idle=1, caught_up=1, done=1)
        if still < self.idle_s + STALLED_S or (nothing and not sum(metrics.lag(run).values())):
            return []
        return [f"watermark: stands still for {still:.0f} s though there are reels to read"]
