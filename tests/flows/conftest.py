"""A simulated stream, and `groundswell replay` as its user runs it: in processes of its own."""

import json
import os
import random
import sqlite3
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest

from flows.simulate import lines
from operators.sinks.store import TABLE_NAMES
from tests.processes import kill_all, start
from trend.simulator import SimulatorSettings, simulate

ROOT = Path(__file__).parents[2]
TIMEOUT_S = 200
"""For one command, the compilation of the kernels included."""


@dataclass(frozen=True)
class Outcome:
    """What a command left behind."""

    code: int
    out: str
    err: str
    folder: Path

    @cached_property
    def trends(self) -> bytes:
        """All of `--to`."""
        return (self.folder / "t.jsonl").read_bytes()

    @cached_property
    def revisions(self) -> list[dict[str, Any]]:
        """The lines of `--to`."""
        return [json.loads(line) for line in self.trends.splitlines()]

    @cached_property
    def rejects(self) -> list[dict[str, Any]]:
        """The lines of `--rejects`, by their place: several workers write in any order."""
        path = self.folder / "r.jsonl"
        rejects = map(json.loads, path.read_bytes().splitlines() if path.exists() else [])
        return sorted(rejects, key=lambda reject: (reject["partition"], reject["record"]))

    @cached_property
    def store(self) -> dict[str, list[tuple[Any, ...]]]:
        """The rows of the tables of `--store`."""
        with closing(sqlite3.connect(self.folder / "t.db")) as store:
            return {table: sorted(store.execute(f"SELECT * FROM {table}")) for table in TABLE_NAMES}

    @property
    def summary(self) -> str:
        """The line that says how much was read."""
        return next(line for line in self.out.splitlines() if line.startswith("100%"))


@dataclass(frozen=True)
class Replay:
    """One command with its outputs in one folder; the same again goes on if it has a state."""

    folder: Path
    inputs: Sequence[Path]
    state: bool = False
    settings: dict[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()

    def arguments(
        self, processes: int = 1, batch_size: int = 5000, more: Sequence[str] = ()
    ) -> list[str]:
        """The command line."""
        outputs = ["--to", "t.jsonl", "--store", "t.db", "--rejects", "r.jsonl"]
        state = ["--state", "state"] if self.state else []
        how = ["--processes", str(processes), "--batch-size", str(batch_size)]
        command = [sys.executable, "-m", "flows.cli", "replay"]
        return [*command, *map(str, self.inputs), *outputs, *state, *how, *self.options, *more]

    def start(
        self,
        processes: int = 1,
        batch_size: int = 5000,
        under: Sequence[str] = (),
        more: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.Popen[str]:
        """Begin to run, as the argument of the command `under` if there is one."""
        self.folder.mkdir(exist_ok=True)
        return start(
            [*under, *self.arguments(processes, batch_size, more)],
            self.folder,
            {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", **self.settings}
            | dict(environment or {}),
        )

    def end(self, process: subprocess.Popen[str]) -> Outcome:
        """Wait for the end."""
        try:
            out, err = process.communicate(timeout=TIMEOUT_S)
        except subprocess.TimeoutExpired:
            kill_all(process)
            raise
        return Outcome(process.returncode, out, err, self.folder)

    def run(self, processes: int = 1, batch_size: int = 5000) -> Outcome:
        """Run to the end, which must be a good one."""
        outcome = self.end(self.start(processes, batch_size))
        assert outcome.code == 0, outcome.err
        assert outcome.err == ""
        return outcome

    def rejects_so_far(self) -> int:
        """Lines in `--rejects`: how far a run is, where refused lines are all over its input."""
        path = self.folder / "r.jsonl"
        return path.read_bytes().count(b"\n") if path.exists() else 0


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for a condition while a run goes on; it must come true before the run has ended."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert process.poll() is None, "the run ended before it could be stopped"
        assert time.monotonic() < deadline
        time.sleep(0.01)


def write(path: Path, reels: Iterable[bytes]) -> Path:
    """Write lines to a file."""
    path.write_bytes(b"".join(line + b"\n" for line in reels))
    return path


@pytest.fixture(scope="session")
def stream() -> list[bytes]:
    """Lines of two days with trends, late ones, duplicates and malformed ones.

    One in six has a fingerprint instead of the platform's id of its sound, one both, and a few
    have landmarks too.
    """
    settings = SimulatorSettings(
        seed=1, days=2, reels_per_day=4000, trends=10, fizzles=30, malformed=0.01
    )
    named = lines(simulate(settings))
    heard = lines(simulate(replace(settings, fingerprints=True)))
    return [_mixed(number, *pair) for number, pair in enumerate(zip(named, heard, strict=True))]


def _mixed(number: int, named: bytes, heard: bytes) -> bytes:
    """One of two ways to tell of a reel, or both."""
    if number % 6 not in (1, 4) or b'"fingerprint"' not in heard:
        return named
    reel = json.loads(heard)
    audio = reel["audio"]
    if number % 6 == 1:
        audio["audio_id"] = json.loads(named)["audio"]["audio_id"]
    if number % 400 in (1, 4):
        peaks = random.Random(audio["title"]).sample(range(4000, 9000), 300)
        packed = b"".join(
            (16 * at << 14 | peak).to_bytes(4, "little") for at, peak in enumerate(peaks)
        )
        audio["landmarks"] = {"version": 1, "data": b64encode(packed).decode()}
    return json.dumps(reel, ensure_ascii=False, separators=(",", ":")).encode()


@pytest.fixture(scope="session")
def clean_stream() -> list[bytes]:
    """The same without the malformed lines, and smaller."""
    settings = SimulatorSettings(
        seed=1, days=2, reels_per_day=3000, trends=10, fizzles=30, malformed=0
    )
    return [*lines(simulate(settings))]


@pytest.fixture(scope="session")
def one_file(stream: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stream in one file."""
    return write(tmp_path_factory.mktemp("stream") / "reels.jsonl", stream)


@pytest.fixture(scope="session")
def three_files(stream: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stream in a folder of three files: each reel always in the same one."""
    folder = tmp_path_factory.mktemp("split")
    parts: list[list[bytes]] = [[], [], []]
    for number, line in enumerate(stream):
        before, found, after = line.partition(b'"reel_id":"')
        parts[int(after[:19]) % 3 if found and not before.strip(b"{") else number % 3].append(line)
    for number, part in enumerate(parts):
        write(folder / f"part-{number}.jsonl", part)
    return folder


@pytest.fixture(scope="session")
def of_one(one_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What an undisturbed run by one process makes of `one_file`."""
    return Replay(tmp_path_factory.mktemp("of-one"), [one_file]).run()


@pytest.fixture(scope="session")
def of_three(three_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What an undisturbed run by one process makes of `three_files`."""
    return Replay(tmp_path_factory.mktemp("of-three"), [three_files]).run()


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> random.Random:
    """Random numbers that are the same in each run of a test."""
    return random.Random(request.node.name)
