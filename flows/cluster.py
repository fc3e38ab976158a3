"""Two habits of Bytewax's cluster that cost time, and how a worker process gets around them.

A process connects to those before it, and where one does not listen yet it sleeps for a second.
And the main thread asks for the interpreter's lock a thousand times a second, to see to signals:
each time the thread that does the work has to let go of it, and the processor changes threads.
"""

import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import Final

WAIT_S: Final = 10.0
"""How long another process may take to listen; after that Bytewax waits for it in its own way."""

_PAUSE_S: Final = 0.002
_REST_S: Final = 0.02
_TASKS: Final = Path("/proc/self/task")
_LISTENS: Final = "0A"


def connect(addresses: Sequence[str], process: int) -> None:
    """Wait until the processes before this one listen at their addresses, host:port in IPv4."""
    waiting = {int(address.rpartition(":")[2]) for address in addresses[:process]}
    deadline = time.monotonic() + WAIT_S
    while waiting - listening(Path("/proc/net/tcp")) and time.monotonic() < deadline:
        time.sleep(_PAUSE_S)


def listening(table: Path) -> set[int]:
    """The ports at which somebody listens, of a table as the kernel writes it; none without one."""
    try:
        rows = [line.split() for line in table.read_text().splitlines()[1:]]
    except OSError:
        return set()
    return {int(row[1].rpartition(":")[2], 16) for row in rows if row[3] == _LISTENS}


def rest_while_working() -> None:
    """Let the main thread rest until Bytewax's worker thread has ended.

    It is sent a signal when that works, and what handles it returns when that has ended. Other
    signals are seen to meanwhile.
    """
    signal.signal(signal.SIGUSR1, _rest)
    threading.Thread(target=_send_to_rest, daemon=True).start()


def _send_to_rest() -> None:
    while not _works():
        time.sleep(_PAUSE_S)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)


def _rest(number: int, frame: FrameType | None) -> None:
    while _works():
        time.sleep(_REST_S)


def _works() -> bool:
    for name in _TASKS.glob("*/comm"):
        try:
            if name.read_text().startswith("timely:work"):
                return True
        except OSError:  # it has just ended
            continue
    return False
