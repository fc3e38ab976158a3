"""One worker process of a replay, started by `flows.start`."""

import gc
import re
import resource
import sys
from datetime import timedelta
from pathlib import Path

from bytewax.outputs import Sink
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main

from flows import cluster, feedback, logs
from flows import job as jobs
from flows.detect import Ends, build
from flows.job import STOPPED, Job
from flows.kafka import connection_of
from flows.settings import Settings
from flows.sinks import configured
from operators import metrics
from operators.alerts import outbox, rules
from operators.blocks import Reject
from operators.durable.durable import Place
from operators.durable.fence import Fence
from operators.exchange import Exchange, join
from operators.feedback import Word
from operators.kafka import partition_name
from operators.links import Linked
from operators.sinks.alerts import AlertsSink
from operators.sinks.jsonl import TrendsFile
from operators.sinks.kafka import KafkaDeadLetters, KafkaTrends
from operators.sinks.rejects import RejectsFile
from operators.sinks.store import Store
from operators.sources.files import FileSource
from operators.sources.inputs import partitions
from operators.sources.kafka import KafkaSource, Span, keys
from schemas.trends import Trend

SQLITE = re.compile(r'SqliteFailure\(.*Some\("([^"]*)"\)')
"""What Bytewax says of its recovery store when that fails."""


def main(job_file: Path, process: int) -> None:
    """Run this process's share of the job to the end of its input."""
    # Columns make few objects that live: looking for cycles among them is wasted.
    gc.set_threshold(100_000, 20, 100)
    # Each partition keeps its file open, and the usual limit is 1,024.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    job = jobs.read(job_file)
    if job.metrics:
        metrics.count(Path(job.metrics))
    settings = Settings(**job.settings)
    place = Place(Path(job.state), job.generation, process) if job.state else None
    epoch = timedelta(seconds=settings.epoch_seconds)
    if job.addresses:
        cluster.connect(job.addresses, process)
        cluster.rest_while_working()
    shared = None if job.exchange is None else Exchange(job.exchange, process, job.processes)
    join(shared)
    cli_main(  # type: ignore[no-untyped-call]
        build(settings, _ends(job, settings, place, shared), place),
        process_id=process if job.addresses else None,
        addresses=job.addresses or None,
        epoch_interval=epoch,
        # The snapshots of one epoch more are kept, for the case that the last are damaged.
        recovery_config=place and RecoveryConfig(str(place.recovery), backup_interval=epoch),  # type: ignore[no-untyped-call]
    )


def run(job_file: Path, process: int) -> None:
    """Do `main`; say what its user can mend where it fails for that, and exit with `STOPPED`."""
    logs.in_worker(process)
    try:
        main(job_file, process)
    except BaseException as error:
        said = mendable(error, jobs.read(job_file).state)
        if said is None:
            raise
        print(said, flush=True)
        sys.exit(STOPPED)


def _ends(job: Job, settings: Settings, place: Place | None, shared: Exchange | None) -> Ends:
    def fence() -> Fence | None:
        return place.fence() if place else None

    def words() -> list[Word]:
        return feedback.read(Path(job.feedback)) if job.feedback else []

    told = None
    if job.alerts and place is not None:
        path = place.folder / outbox.NAME
        told = AlertsSink(path, rules.load(Path(job.alerts)).rules, fence())
    board = Path(job.board)
    skew = timedelta(hours=settings.max_skew_hours)
    trends: list[Sink[tuple[str, Trend]]] = []
    rejects: list[Sink[tuple[str, Reject]]] = []
    if job.to:
        trends.append(TrendsFile(Path(job.to), fence()))
    stores: list[Sink[tuple[str, Linked]]] = []
    if job.store:
        stores.append(Store(Path(job.store), fence()))
    if job.rejects:
        rejects.append(RejectsFile(Path(job.rejects), fence()))
    if job.services:
        more_stores, more_trends = configured(settings, place, Path(job.store or ""))
        stores += more_stores
        trends += more_trends
    if job.kafka is None:
        source = FileSource(job.inputs, job.batch_size, board, skew)
        return Ends(
            source, partitions(job.inputs), trends, rejects, board, stores, shared,
            alerts=told, words=words,
        )  # fmt: skip
    connection = connection_of(settings)
    trends.append(KafkaTrends(connection, settings.kafka_trends, settings.kafka_current, fence()))
    letters = settings.kafka_dead_letters
    rejects.append(KafkaDeadLetters(connection, letters, job.kafka.letters, fence()))
    topic, spans = settings.kafka_reels, job.kafka.spans
    reels = KafkaSource(
        connection,
        topic,
        {number: Span(one.start, one.until, one.added) for number, one in spans.items()},
        job.batch_size,
        board,
        skew,
        timedelta(seconds=settings.idle_seconds),
    )
    names = [partition_name(topic, number) for number in spans]
    own = keys(topic, [*spans])
    return Ends(reels, names, trends, rejects, board, stores, shared, own, told, words)


def mendable(error: BaseException | None, state: str | None = None) -> str | None:
    """Return what its user can mend in an error or its causes: something of the disk or a file."""
    while error is not None:
        if isinstance(error, OSError):
            return f"{error.filename}: {error.strerror}" if error.filename else str(error)
        if failure := SQLITE.search(str(error)):
            return f"{state}: the recovery store cannot be written ({failure[1]})"
        error = error.__cause__ or error.__context__
    return None
