"""Replays in forked children, that can be made to fail: `python -m tests.flows.attempts`.

Reads requests as JSON lines and answers each with the exit code of the child. Everything is
imported once, so that an attempt costs no start of a process; what a child prints goes to a file.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from flows import job as jobs
from flows import settings as every_setting
from flows import worker
from flows.errors import UserError
from flows.job import Job
from flows.state import StateFolder
from operators.durable import durable, failpoints
from operators.sources.board import Board
from operators.sources.inputs import partitions
from trend.budget import ShardSettings
from trend.records import USE, VOLUME
from trend.seen import SeenReels
from trend.shard import Shard


def attempt(folder: Path, inputs: str, batch_size: int) -> None:
    """Do what `groundswell replay --state` does, in this one process."""
    settings = every_setting.load(batch_size=batch_size, epoch_seconds=0.001)
    names = partitions([inputs])
    job = Job(
        inputs=names,
        to=str(folder / "t.jsonl"),
        store=str(folder / "t.db"),
        rejects=str(folder / "r.jsonl"),
        state=str(folder / "state"),
        board=str(folder / "board"),
        processes=1,
        addresses=[],
        batch_size=batch_size,
        settings=settings.model_dump(mode="json"),
        version=jobs.version(),
    )
    with StateFolder(folder / "state") as state:
        begun = state.has_begun(job)
        if state.complete:
            return
        told = state.begin(job, begun)
        print(told or "")
        Board.create(folder / "board", names)
        own = msgspec.structs.replace(job, generation=state.generation)
        jobs.write(own, folder / "own.json")
        worker.main(folder / "own.json", 0)
        state.tidy()
        state.finish()


def child(request: dict[str, Any]) -> int:
    """The exit code of one attempt: 128 + n after signal n, 3 where it stopped with a message."""
    folder = Path(request["folder"])
    pid = os.fork()
    if not pid:
        log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(log, 1)
        os.dup2(log, 2)
        code = 1
        try:
            failpoints.arm(request["failpoint"])
            attempt(folder, request["inputs"], request["batch_size"])
            code = 0
        except BaseException as error:
            said = str(error) if isinstance(error, UserError) else worker.mendable(error)
            print(said, flush=True)
            code = 1 if said is None else 3
        finally:
            os._exit(code)
    status = os.waitpid(pid, 0)[1]
    return os.waitstatus_to_exitcode(status)


def warm() -> None:
    """Have the kernels loaded before anything forks."""
    SeenReels(10).classify(np.ones(3, np.uint64), np.ones(3, np.uint64))
    rows = np.zeros(30, USE)
    rows["author"] = rows["reel"] = np.arange(1, 31)
    rows["label_len"], rows["kind"] = 3, 1
    shard = Shard(ShardSettings(600, (1, 3), 8, 2.0, 32 << 20))
    shard.add(rows, b"tag", np.zeros(0, VOLUME))
    shard.close(3)


if __name__ == "__main__":
    warm()
    durable.SMALL, durable.CHAIN, durable.SPILL = 4096, 4, 40_000  # type: ignore[misc] # for bases
    for line in sys.stdin:
        print(child(json.loads(line)), flush=True)
