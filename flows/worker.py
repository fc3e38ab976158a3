"""One worker process of a replay, started by `flows.start`."""

import gc
import resource
from datetime import timedelta
from pathlib import Path

from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from flows import job as jobs
from flows.detect import Ends, build
from flows.job import Job
from flows.settings import Settings
from operators.sinks.jsonl import TrendsFile
from operators.sinks.rejects import RejectsFile
from operators.sinks.store import Store
from operators.sources.files import FileSource, partitions


def main(job_file: Path, process: int) -> None:
    """Run this process's share of the job to the end of its input."""
    # Columns make few objects that live: looking for cycles among them is wasted.
    gc.set_threshold(100_000, 20, 100)
    # Each partition keeps its file open, and the usual limit is 1,024.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    job = jobs.read(job_file)
    settings = Settings(**job.settings)
    recovery = _recovery(Path(job.state)) if job.state else None
    cli_main(  # type: ignore[no-untyped-call]
        build(settings, _ends(job, settings), recovery=recovery is not None),
        process_id=process if job.addresses else None,
        addresses=job.addresses or None,
        epoch_interval=timedelta(seconds=settings.epoch_seconds),
        recovery_config=recovery,
    )


def _recovery(state: Path) -> RecoveryConfig:
    return RecoveryConfig(str(state / "recovery"))  # type: ignore[no-untyped-call]


def _ends(job: Job, settings: Settings) -> Ends:
    board = Path(job.board)
    source = FileSource(job.inputs, job.batch_size, board, timedelta(hours=settings.max_skew_hours))
    trends = [TrendsFile(Path(job.to))] if job.to else []
    stores = [Store(Path(job.store))] if job.store else []
    rejects = [RejectsFile(Path(job.rejects))] if job.rejects else []
    return Ends(source, partitions(job.inputs), [*trends, *stores], rejects, board)
