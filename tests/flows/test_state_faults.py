"""Whatever fails, and whatever happens to the files, the output is that of an undisturbed run."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from operators.durable.failpoints import PLACES
from operators.durable.store import NAME, RecoveryStore
from tests.flows.conftest import ROOT, Outcome, write
from tests.flows.test_invariant import burst

BATCH = 60
OFTEN = ("segment-write", "handle")
"""Places that an epoch comes to hundreds of times."""


@dataclass(frozen=True)
class Attempts:
    """The process of `tests.flows.attempts`."""

    process: subprocess.Popen[str]
    inputs: Path

    def __call__(self, folder: Path, failpoint: str | None = None) -> int:
        """Run to the end, or to where it fails; the exit code."""
        folder.mkdir(exist_ok=True)
        request = {
            "folder": str(folder),
            "inputs": str(self.inputs),
            "batch_size": BATCH,
            "failpoint": failpoint,
        }
        assert self.process.stdin
        assert self.process.stdout
        print(json.dumps(request), file=self.process.stdin, flush=True)
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def attempts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attempts]:
    folder = tmp_path_factory.mktemp("attempts")
    reels = burst(600)
    refused = [reel if number % 9 else b"no reel" for number, reel in enumerate(reels)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.flows.attempts"],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        yield Attempts(process, write(folder / "reels.jsonl", refused))
        process.kill()


@pytest.fixture(scope="module")
def whole(attempts: Attempts, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What a run makes that nothing disturbs."""
    folder = tmp_path_factory.mktemp("whole")
    assert attempts(folder) == 0, log(folder)
    outcome = Outcome(0, "", "", folder)
    assert len(outcome.revisions) >= 2
    assert outcome.rejects
    return outcome


def log(folder: Path) -> str:
    return (folder / "log").read_text()


def same(folder: Path, whole: Outcome) -> None:
    outcome = Outcome(0, "", "", folder)
    assert outcome.trends == whole.trends
    assert outcome.store == whole.store
    assert outcome.rejects == whole.rejects


def fails(attempts: Attempts, folder: Path, failpoint: str, whole: Outcome) -> bool:
    """Whether it failed there; if so it then went on to the same end."""
    shutil.rmtree(folder, ignore_errors=True)
    code = attempts(folder, failpoint)
    if code == 0:
        same(folder, whole)
        return False
    if failpoint.endswith(("kill", "torn")):
        assert code == -9, log(folder)
    else:
        assert code == 3, log(folder)
        assert str(folder) in log(folder).splitlines()[-1] or "Errno" in log(folder)
    assert attempts(folder) == 0, (failpoint, log(folder))
    same(folder, whole)
    return True


@pytest.mark.parametrize(
    "failpoint",
    [
        "claim.after:1:kill",
        "copy.after:1:kill",
        "segment-write.before:200:torn",
        "segment-write.before:500:enospc",
        "segment-fsync.before:3:eio",
        "segment-rename.before:4:kill",
        "folder-fsync.before:9:enospc",
        "base.after:100:kill",
        "handle.before:100:kill",
        "sink-write.before:5:torn",
        "sink-write.before:6:enospc",
        "sink-fsync.after:4:kill",
        "delete.before:2:kill",
        "delete.after:1:eio",
    ],
)
def test_a_run_that_failed_goes_on_to_the_same_end(
    attempts: Attempts, whole: Outcome, tmp_path: Path, failpoint: str
) -> None:
    assert fails(attempts, tmp_path / "run", failpoint, whole)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("action", ["kill", "enospc", "torn"])
def test_the_nth_time_fails_for_every_n_until_a_run_passes(
    attempts: Attempts, whole: Outcome, tmp_path: Path, place: str, action: str
) -> None:
    """Of what happens hundreds of times an epoch, ever fewer."""
    failed, n = 0, 1
    for step in count():
        if not fails(attempts, tmp_path / "run", f"{place}:{n}:{action}", whole):
            break
        failed += 1
        n += 1 + (step * step if place.startswith(OFTEN) else step // 4)
    assert failed


@pytest.fixture(scope="module")
def killed(
    attempts: Attempts, whole: Outcome, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Path]:
    """Makes the folder of a run that was killed in its middle, always the same."""
    folder = tmp_path_factory.mktemp("killed") / "run"
    assert attempts(folder, "sink-fsync.before:8:kill") == -9
    kept = folder.with_name("kept")
    shutil.copytree(folder, kept)

    def again() -> Path:
        shutil.rmtree(folder)
        shutil.copytree(kept, folder)
        return folder

    return again


def flipped(path: Path, draw: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
    path.write_bytes(data)


def truncated(path: Path, draw: random.Random) -> None:
    path.write_bytes(path.read_bytes()[: draw.randrange(path.stat().st_size)])


def missing(path: Path, draw: random.Random) -> None:
    path.unlink()


DAMAGES = [flipped, truncated, missing]


def refused_or_recovered(attempts: Attempts, folder: Path, whole: Outcome, named: str) -> str:
    """Said why, naming the file, or went on to the same end; what it said."""
    before = (folder / "t.jsonl").read_bytes()
    code = attempts(folder)
    if code == 0:
        same(folder, whole)
    else:
        assert code == 3, log(folder)
        assert named in log(folder).splitlines()[-1], log(folder)
        assert (folder / "t.jsonl").read_bytes() == before
    return log(folder)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_segment_of_the_last_epoch_is_named_and_the_one_before_taken(
    attempts: Attempts,
    whole: Outcome,
    killed: Callable[[], Path],
    draw: random.Random,
    damage: Callable[[Path, random.Random], None],
) -> None:
    folder = killed()
    (path,) = folder.glob(f"state/recovery.*/{NAME}")
    with RecoveryStore(path) as store:
        before, last = (
            {ref.file for handle in store.handles(before=epoch) for ref in handle.chain}
            for epoch in store.epochs()[-2:]
        )
    newest = folder / "state" / "segments" / min(last - before)
    damage(newest, draw)
    said = refused_or_recovered(attempts, folder, whole, newest.name)
    assert newest.name in said
    assert "going on from an earlier epoch" in said


@pytest.mark.parametrize("name", ["*-dedupe-*1.seg", "part-0.sqlite3", "part-0.sqlite3-wal"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_files_are_named_or_do_not_matter(
    attempts: Attempts,
    whole: Outcome,
    killed: Callable[[], Path],
    draw: random.Random,
    name: str,
    damage: Callable[[Path, random.Random], None],
) -> None:
    folder = killed()
    (path,) = folder.glob(f"state/*/{name}")
    damage(path, draw)
    refused_or_recovered(attempts, folder, whole, "state/")


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", range(60))
def test_any_damage_is_named_or_does_not_matter(
    attempts: Attempts, whole: Outcome, killed: Callable[[], Path], seed: int
) -> None:
    draw = random.Random(seed)
    folder = killed()
    files = sorted(path for path in (folder / "state").rglob("*") if path.stat().st_size)
    path = draw.choice([path for path in files if path.is_file()])
    draw.choice(DAMAGES)(path, draw)
    refused_or_recovered(attempts, folder, whole, "state")


@pytest.mark.parametrize("name", ["job.json", "fence"])
def test_a_damaged_job_or_fence_is_refused(
    attempts: Attempts, whole: Outcome, killed: Callable[[], Path], name: str
) -> None:
    folder = killed()
    (folder / "state" / name).write_bytes(b"{")
    assert attempts(folder) == 3
    assert name in log(folder).splitlines()[-1]


def test_a_state_without_its_store_is_refused(
    attempts: Attempts, killed: Callable[[], Path]
) -> None:
    folder = killed()
    (store,) = folder.glob("state/recovery.*")
    shutil.rmtree(store)
    assert attempts(folder) == 3
    assert "its recovery store is missing" in log(folder)


def test_an_older_store_beside_newer_files_is_seen(
    attempts: Attempts, whole: Outcome, killed: Callable[[], Path]
) -> None:
    """Files of mixed age: the store is of a moment whose states were deleted since."""
    folder = killed()
    (store,) = folder.glob("state/recovery.*")
    old = folder.with_name("old")
    shutil.rmtree(old, ignore_errors=True)
    shutil.copytree(store, old)
    assert attempts(folder, "sink-fsync.before:5:kill") == -9
    (store,) = folder.glob("state/recovery.*")
    shutil.rmtree(store)
    old.rename(store)
    refused_or_recovered(attempts, folder, whole, "state/segments")
