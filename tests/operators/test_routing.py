"""Keys go where they are meant to go, by Bytewax itself."""

import os
import subprocess
import sys
import threading
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.testing import TestingSink, cluster_main

from operators.balance import COUNT, fixed_loads, shard_keys
from operators.blocks import SHARDS
from operators.routing import PLACES, key_at, keys_of, place_of

PARTITIONS = [f"/some/folder/part-{number}.jsonl" for number in range(8)]


class Part(StatefulSourcePartition[tuple[str, int], None]):
    """Says once by which thread it is read."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._said = False

    def next_batch(self) -> list[tuple[str, int]]:
        """Say it, then end."""
        if self._said:
            raise StopIteration
        self._said = True
        return [(self._name, threading.get_ident())]

    def snapshot(self) -> None:
        """Nothing."""


class Source(FixedPartitionedSource[tuple[str, int], None]):
    """The partitions."""

    def list_parts(self) -> list[str]:
        """All of them, in another order than that of their names."""
        return PARTITIONS[::-1]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> Part:
        """One of them."""
        return Part(for_part)


class Where(StatefulBatchLogic[int, tuple[int, int], None]):
    """Says by which thread its key is worked on."""

    def on_batch(self, values: list[int]) -> tuple[list[tuple[int, int]], bool]:
        """Return each value with the thread."""
        return [(value, threading.get_ident()) for value in values], StatefulBatchLogic.RETAIN

    def snapshot(self) -> None:
        """Nothing."""


@pytest.mark.parametrize("workers", [2, 3, 4])
def test_a_partition_is_worked_on_where_it_is_read(workers: int) -> None:
    keys = keys_of(PARTITIONS)
    out: list[Any] = []
    flow = Dataflow("where")
    read = op.input("source", flow, Source())
    keyed = op.map("key", read, lambda item: (keys[item[0]], item[1]))
    op.output("sink", op.stateful_batch("where", keyed, lambda _: Where()), TestingSink(out))
    cluster_main(flow, [], 0, worker_count_per_proc=workers)  # type: ignore[no-untyped-call]
    assert len(out) == len(PARTITIONS)
    assert all(reader == worker for _, (reader, worker) in out)
    assert len({worker for _, (_, worker) in out}) == workers


@pytest.mark.parametrize("graph", [False, True])
@pytest.mark.parametrize("partitions", [1, 2, 3, 8, 30])
def test_workers_have_equally_much_to_do(partitions: int, graph: bool) -> None:
    keys = shard_keys(partitions, graph)
    assert len(set(keys.values())) == len(keys) == SHARDS
    fixed = fixed_loads(partitions, graph)
    each = COUNT / SHARDS
    for workers in (2, 3):
        loads = [sum(fixed[worker::workers]) for worker in range(workers)]
        before = max(loads)
        for key in keys.values():
            loads[place_of(key) % workers] += each
        assert max(loads) <= max(before, sum(loads) / workers) + 2 * each


def test_the_hash_is_that_of_python_without_a_secret() -> None:
    names = ["", "a", "1234567", "12345678", "Straße", "x" * 100]
    code = f"print([hash(n.encode() + b'\\xff') % 2**64 % {PLACES} for n in {names!r}])"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "0"},
        capture_output=True,
        check=True,
        text=True,
    )
    assert sys.hash_info.algorithm == "siphash13"
    assert told.stdout.strip() == str([place_of(name) for name in names])


def test_every_place_can_be_had() -> None:
    assert [place_of(key_at("a name", place)) for place in range(PLACES)] == list(range(PLACES))
