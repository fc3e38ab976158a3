"""What a replay's parent process tells its workers, as one JSON file."""

import importlib.metadata
import os
from pathlib import Path
from typing import Any

import msgspec

from operators.durable import segments

STOPPED = 3
"""Exit code of a worker that says in its last line what its user can mend."""


class KafkaSpan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be read of a partition, see `operators.sources.kafka.Span`."""

    start: int
    until: int | None
    added: bool = False


class KafkaInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A topic of reels instead of files, as it was when the run began."""

    spans: dict[int, KafkaSpan]
    """By partition; those that came later are added."""
    to_end: bool
    """Whether the run ends where the topic ended then."""
    letters: dict[int, int]
    """The ends of the partitions of the dead letters then."""


class Job(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One replay. Both ends are ours and of one version, so an unknown field is a mistake.

    Paths are as the worker shall open them: absolute, or "-" for standard input.
    """

    inputs: list[str]
    """Files or folders of reels, as given on the command line."""
    to: str | None
    """JSON lines of trends."""
    store: str | None
    """SQLite store of trends."""
    rejects: str | None
    """JSON lines of refused lines."""
    services: bool = False
    """Whether trends go to the database and the Redis of the settings too."""
    alerts: str | None = None
    """Rules of alerts, whose outbox is in the state folder; None: nobody is told."""
    feedback: str | None = None
    """What people said of trends, as copied when the run began (`flows.feedback`)."""
    state: str | None
    """Folder of a run that can be resumed; Bytewax's store lies ready in its `recovery.N/`."""
    generation: int = 0
    """N: which of the runs on that folder this is."""
    version: str = ""
    """Of Groundswell and of the format of its state, see `version()`."""
    board: str
    """File of the progress counters."""
    processes: int
    addresses: list[str]
    """host:port of each process, in the order of their ids; empty for a single process."""
    exchange: int | None = None
    """Descriptor of the memory through which the workers send each other large items."""
    metrics: str | None = None
    """Folder that workers count in, where somebody wants to know."""
    kafka: KafkaInput | None = None
    """What is read of Kafka; then `inputs` is the topic, and trends go to topics too."""
    batch_size: int
    """Lines that a source reads at once."""
    settings: dict[str, Any]
    """All of `flows.settings.Settings` but the secrets, as `flows.settings.told` gives them."""


def version() -> str:
    """What must be the same for a run to go on with a state."""
    return f"{importlib.metadata.version('groundswell')}, state format {segments.FORMAT}"


def write(job: Job, path: Path) -> None:
    """Write `job` to `path`: after a crash the file is whole, the old one or absent."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(job)))
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def read(path: Path) -> Job:
    """The job in `path`. Raises OSError, or `msgspec.ValidationError` for anything but a job."""
    return msgspec.json.decode(path.read_bytes(), type=Job)
