"""An extraction beside a run: a process of its own, from the topic of reels to the one that the
run reads.

`flows.run` starts it: `python -P -m flows.extraction.beside FOLDER on|to-end NUMBER`. FOLDER is
where it counts for the metrics of the run, or empty.
"""

import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from flows.errors import UserError, in_words
from flows.kafka import ready
from flows.logs import Log
from flows.plain import plain
from flows.replay import POLL_S, signals
from flows.settings import Settings, load
from flows.supervisor import NEWS, Workers
from operators.kafka import Connection
from schemas.topics import DEAD_LETTERS, ENRICHED

COMMAND: Final = (sys.executable, "-P", "-m", "flows.extraction.beside")
LAST_LINES: Final = 5


def prepared(settings: Settings, connection: Connection) -> Settings:
    """Make the topic in between, and return the settings of the run that reads it.

    Raises `UserError` or `BrokerError`.
    """
    from flows.extraction.command import check_packages

    check_packages()
    if settings.kafka_enriched == settings.kafka_reels:
        raise UserError(
            f"kafka_enriched = {settings.kafka_enriched}: expected another topic than kafka_reels"
        )
    made = {settings.kafka_enriched: ENRICHED, settings.kafka_dead_letters: DEAD_LETTERS}
    ready(settings, connection, made)
    return settings.model_copy(update={"kafka_reels": settings.kafka_enriched})


@contextmanager
def extracting(work: Path, counted: Path | None) -> Iterator[Workers]:
    """Extract until the block ends, and then in good order."""
    with _process(work, counted, "on") as process:
        yield process
        process.stop(signal.SIGTERM)


def to_end(work: Path, counted: Path | None, log: Log) -> int:
    """Extract all that is in the topic now; 0 when that is done."""
    log.say("extracting", "extracting what is in the topic")
    with _process(work, counted, "to-end") as process, signals(process) as received:
        while process.codes()[0] is None and not received:
            time.sleep(POLL_S)
        code = process.codes()[0]
        log.hear(process.news())
    if received:
        return 128 + received[0]
    if code:
        failed(process, log)
    return code or 0


def failed(process: Workers, log: Log) -> None:
    """Say why an extraction has ended."""
    lines = [plain(line) for line in process.last_lines(0, LAST_LINES)]
    log.say("extract_failed", f"the extraction has ended: {' / '.join(lines)}", "error")


@contextmanager
def _process(work: Path, counted: Path | None, how: str) -> Iterator[Workers]:
    logs = work / f"extract-{how}"
    logs.mkdir()
    with Workers([*COMMAND, str(counted or ""), how], 1, logs) as process:
        yield process


def main(arguments: list[str]) -> int:
    """Extract; the exit code."""
    from rich.console import Console

    from flows.extraction.topics import from_topics

    counted, how, _ = arguments
    folder = Path(counted) if counted else None
    try:
        ended = how == "to-end"
        return from_topics(load(), Console(), to_end=ended, counted=folder, tell=_tell)
    except (UserError, OSError) as error:
        print(plain(in_words(error)))
        return 2


def _tell(text: str) -> None:
    print(f"{NEWS}{text}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
