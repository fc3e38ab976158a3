"""The metrics of an extraction, at the setting `metrics_address`."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from flows.metrics import of_processes, of_workers, single
from flows.observing import serving
from flows.replay import say
from flows.settings import Settings
from operators import metrics

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family
    from rich.console import Console


class _Extraction:
    """What is served of an extraction. While this process answers it is alive and ready."""

    def __init__(self, counted: Path) -> None:
        self._counted = counted
        self._started = time.time()

    @property
    def health(self) -> "_Extraction":
        return self

    def is_alive(self) -> bool:
        """Whether it goes on."""
        return True

    def faults(self) -> list[str]:
        """Why it is not ready."""
        return []

    def collect(self) -> "Iterator[Family]":
        """All metrics."""
        yield single(metrics.READY, 1.0)
        yield single(metrics.INFO, 1.0, version("groundswell"))
        yield single(metrics.STARTED, self._started)
        yield from of_processes({"main": os.getpid()})
        yield from of_workers(self._counted)


@contextmanager
def observed(settings: Settings, console: "Console", counted: Path | None) -> Iterator[None]:
    """Count until the block ends: into `counted`, which somebody else serves, or where the settings
    say that it is served."""
    if counted is not None:
        metrics.count(counted)
        yield
        return
    if not settings.metrics_address:
        yield
        return
    with TemporaryDirectory(prefix="groundswell-") as folder:
        metrics.count(Path(folder))
        with serving(settings.metrics_address, _Extraction(Path(folder))) as address:
            say(console, f"metrics: http://{address}/metrics")
            yield
