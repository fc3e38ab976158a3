"""How far an extraction is: a line in a terminal, and a summary."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.text import Text

from operators import metrics
from operators.extraction.pipeline import Done

SHOW_S: Final = 0.5
LINE_S: Final = 5.0


@dataclass
class Progress:
    """Counts what becomes of reels; a context manager that shows it."""

    console: Console
    reels: int = 0
    looked: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    def __enter__(self) -> "Progress":
        self._live = Live(console=self.console, auto_refresh=False, transient=True)
        self._next = self.began + SHOW_S
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def count(self, done: Done) -> None:
        """Count a reel, and show how far it is where it is time to."""
        self.reels += 1
        self.looked += done.looked
        outcome = "looked_at" if done.looked else "failed" if done.failed else "passed"
        metrics.EXTRACTED.add(1, outcome)
        for kind in {one.error for one in done.failed}:
            self.failed[kind] += 1
            metrics.EXTRACT_FAILED.add(1, kind)
        self.show()

    def show(self) -> None:
        """Show how far it is where it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        if self.console.is_terminal:
            self._next = now + SHOW_S
            self._live.update(Text(self.line()), refresh=True)
        else:
            self._next = now + LINE_S
            self.console.print(Text(self.line()), soft_wrap=True)

    def line(self) -> str:
        """In words."""
        took = max(time.monotonic() - self.began, 1e-9)
        kinds: Iterable[str] = (f"{n:,} {kind}" for kind, n in self.failed.most_common())
        failed = f"  without: {', '.join(kinds)}" if self.failed else ""
        rate = f"{self.reels / took:,.1f} a second"
        reels = f"{self.reels:,} reel{'' if self.reels == 1 else 's'}"
        return f"{reels}, {self.looked:,} looked at, {rate}{failed}"
