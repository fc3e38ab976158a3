"""Files as a source: every kind of file, every place to stop and go on, every way to be broken."""

import gzip
import json
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import pytest
import zstandard
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import TestingSink, cluster_main, run_main
from hypothesis import given
from hypothesis import strategies as st

from operators.blocks import LINE_LIMIT, Poll
from operators.sources import lines as cutting
from operators.sources.board import BOARD, Board
from operators.sources.files import FilePartition, FileSource, Position
from operators.sources.inputs import SourceError, partitions
from operators.sources.lines import Lines
from operators.sources.streams import BLOCK

TEXT = b"".join(b'{"reel_id": "r%d"}\n' % n for n in range(1000))


def zstd(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


PACK: dict[str, Callable[[bytes], bytes]] = {
    "plain.jsonl": bytes,
    "any.other": bytes,
    "one.gz": gzip.compress,
    "members.jsonl.gz": lambda data: gzip.compress(data[:777]) + gzip.compress(data[777:]),
    "padded.jsonl.gz": lambda data: gzip.compress(data) + bytes(512),
    "one.ZST": zstd,
    "frames.jsonl.zst": lambda data: zstd(data[:777]) + zstd(b"") + zstd(data[777:]),
    "skippable.zst": lambda data: b"\x50\x2a\x4d\x18\x03\0\0\0abc" + zstd(data),
}


def drain(part: FilePartition) -> Iterator[Poll]:
    while True:
        try:
            yield from part.next_batch()
        except StopIteration:
            return


def part(path: Path, batch_size: int = 100, state: Position | None = None) -> FilePartition:
    return FileSource([str(path)], batch_size).build_part("step", str(path), state)


def whole(polls: list[Poll]) -> bytes:
    return b"".join(poll.data for poll in polls)


@pytest.mark.parametrize("name", PACK)
@pytest.mark.parametrize("batch_size", [1, 7, 1000, 5000])
def test_every_kind_of_file_gives_all_its_lines(tmp_path: Path, name: str, batch_size: int) -> None:
    path = tmp_path / name
    path.write_bytes(PACK[name](TEXT))
    polls = list(drain(part(path, batch_size)))
    assert whole(polls) == TEXT
    assert [poll.end for poll in polls] == [False] * (len(polls) - 1) + [True]
    assert all(poll.data.count(b"\n") == batch_size for poll in polls[:-1])
    record = offset = 0
    for poll in polls:
        assert (poll.partition, poll.record, poll.offset) == (str(path), record, offset)
        record, offset = record + poll.data.count(b"\n"), offset + len(poll.data)


@pytest.mark.parametrize("name", PACK)
def test_a_partition_goes_on_at_the_exact_record(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(PACK[name](TEXT[:-1]))  # the last line ends without a newline
    first = part(path, 70)
    read: list[Poll] = []
    while True:
        try:
            read += first.next_batch()
        except StopIteration:
            break
        state = pickle.loads(pickle.dumps(first.snapshot()))
        rest = list(drain(part(path, 33, state)))
        assert whole(read) + whole(rest) == TEXT
        assert [poll.record for poll in rest[:1]] in ([state.record], [])
        assert any(poll.end for poll in read) != any(poll.end for poll in rest)


@pytest.mark.parametrize("name", PACK)
def test_an_empty_file_gives_one_empty_last_poll(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(PACK[name](b""))
    assert list(drain(part(path))) == [Poll(str(path), 0, 0, b"", end=True)]


@pytest.mark.parametrize("name", ["cut.jsonl.gz", "cut.jsonl.zst"])
def test_of_a_truncated_file_what_is_readable_is_read(tmp_path: Path, name: str) -> None:
    pack = gzip.compress if name.endswith("gz") else zstd
    path = tmp_path / name
    noise = random.Random(5)
    rows = [b"%064x\n" % noise.getrandbits(256) for _ in range(20_000)]
    packed = pack(b"".join(rows))
    path.write_bytes(packed[: len(packed) // 2])
    polls = list(drain(part(path)))
    read = whole(polls)
    assert b"".join(rows).startswith(read)
    assert len(read) > 400_000
    (broken,) = polls[-1].oversized
    assert polls[-1].end
    assert broken.record == read.count(b"\n")
    assert broken.offset == len(read)
    assert rows[broken.record].startswith(broken.head)
    assert "truncated" in broken.broken


@pytest.mark.parametrize("name", ["bad.jsonl.gz", "bad.jsonl.zst"])
def test_of_a_damaged_file_what_is_readable_is_read(tmp_path: Path, name: str) -> None:
    pack = gzip.compress if name.endswith("gz") else zstd
    path = tmp_path / name
    path.write_bytes(pack(TEXT) + b"this is no member of anything")
    polls = list(drain(part(path)))
    assert whole(polls) == TEXT
    assert "damaged" in polls[-1].oversized[0].broken
    assert polls[-1].oversized[0].record == 1000
    path.write_bytes(TEXT)  # not packed at all
    (poll,) = drain(part(path))
    assert (poll.data, poll.end, poll.oversized[0].head) == (b"", True, b"")


def test_a_bomb_is_read_in_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "bomb.zst"
    path.write_bytes(zstd(b"x\n" + bytes(300 << 20)))
    script = (
        "import resource, sys; from operators.sources.files import FileSource as F\n"
        "p = F([sys.argv[1]], 10).build_part('', sys.argv[1], None)\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "(poll,) = p.next_batch(); print(poll.oversized[0].length, len(poll.oversized[0].head))\n"
        "grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before\n"
        "assert grown < 150_000, grown\n"
    )
    command = [sys.executable, "-c", script, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert done.stdout.split() == [str(300 << 20), str(LINE_LIMIT)]


@pytest.mark.parametrize("over", [-1, 0, 1, BLOCK, 5 * LINE_LIMIT])
@pytest.mark.parametrize("newline", [b"\n", b""])
def test_a_line_over_the_limit_is_handed_over_by_its_head(
    tmp_path: Path, over: int, newline: bytes
) -> None:
    path = tmp_path / "long.jsonl"
    long = b"x" * (LINE_LIMIT + over)
    path.write_bytes(b"a\n" + long + newline + (b"b\n" if newline else b""))
    polls = list(drain(part(path)))
    oversized = [long for poll in polls for long in poll.oversized]
    if over <= 0:
        assert not oversized
        assert long in whole(polls).split(b"\n")
    else:
        (found,) = oversized
        assert (found.record, found.offset, found.length) == (1, 2, len(long))
        assert (found.head, found.broken) == (long[:LINE_LIMIT], "")
        assert whole(polls) == (b"a\nb\n" if newline else b"a\n")


def test_a_poll_is_bounded_in_bytes(tmp_path: Path) -> None:
    path = tmp_path / "wide.jsonl"
    text = (b"x" * 1_000_000 + b"\n") * 70
    path.write_bytes(text)
    polls = list(drain(part(path, 5000)))
    assert whole(polls) == text
    assert max(len(poll.data) for poll in polls) <= cutting.POLL_BYTES + BLOCK + LINE_LIMIT


@given(
    st.lists(st.sampled_from([b"", b"a", b"bb", b"c" * 9, b"d" * 30]), max_size=30),
    st.booleans(),
    st.lists(st.integers(1, 8), min_size=1, max_size=20),
    st.integers(1, 5),
)
def test_lines_are_the_same_however_blocks_and_polls_are_cut(
    texts: list[bytes], newline: bool, cuts: list[int], most: int
) -> None:
    data = b"\n".join(texts) + (b"\n" if newline and texts else b"")

    def blocks() -> Iterator[bytes]:
        at = turn = 0
        while at < len(data):
            yield data[at : (at := at + cuts[turn % len(cuts)])]
            if turn % 3 == 0:
                yield b""
            turn += 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "LINE_LIMIT", 10)
        lines = Lines("p", blocks())
        found: dict[int, tuple[int, bytes, int]] = {}
        end = False
        while not end:
            poll = lines.poll(most)
            end = poll.end
            taken = poll.data.split(b"\n")[:-1]
            assert len(taken) + len(poll.oversized) <= most
            records = iter(range(poll.record, lines.record))
            for long in poll.oversized:
                found[long.record] = (long.offset, long.head, long.length)
            offset = poll.offset
            for record in records:
                if record not in found:
                    one = taken.pop(0)
                    found[record] = (offset, one, len(one))
                offset += found[record][2] + 1
    offset = 0
    expected = {}
    for record, one in enumerate(
        data.split(b"\n")[: None if data[-1:] not in (b"", b"\n") else -1]
    ):
        expected[record] = (
            (offset, one[:10], len(one)) if len(one) > 10 else (offset, one, len(one))
        )
        offset += len(one) + 1
    assert found == expected


def test_a_folder_stands_for_its_files_in_order(tmp_path: Path) -> None:
    names = ["b.jsonl", "a.jsonl.gz", "c/d.ndjson", "c/a.jsonl.zst", "z.JSONL"]
    others = [".hidden.jsonl", ".git/x.jsonl", "truth.json", "read.me", "table.csv.gz"]
    for name in names + others:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    found = partitions([str(tmp_path)])
    order = ["a.jsonl.gz", "b.jsonl", "c/a.jsonl.zst", "c/d.ndjson", "z.JSONL"]
    assert found == [str(tmp_path / name) for name in order]
    assert partitions(found) == found
    assert partitions([found[2], "-", found[0]]) == [found[2], "-", found[0]]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "no such file or folder"),
        (lambda path: path.mkdir(), "expected .jsonl, .ndjson files in it, got none"),
        (os.mkfifo, "expected a plain file"),
    ],
)
def test_what_cannot_be_read_is_said_before_the_flow_runs(
    tmp_path: Path, make: Callable[[Path], Any], said: str
) -> None:
    path = tmp_path / "input"
    make(path)
    with pytest.raises(SourceError, match=said) as error:
        FileSource([str(path)], 10)
    assert str(path) in str(error.value)


def test_a_file_given_twice_or_of_an_unknown_packing_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(TEXT)
    with pytest.raises(SourceError, match="expected each file once"):
        partitions([str(path), str(tmp_path)])
    packed = path.rename(tmp_path / "a.jsonl.bz2")
    with pytest.raises(SourceError, match=r"expected lines of JSON, plain, \.gz or \.zst"):
        partitions([str(packed)])
    with pytest.raises(SourceError, match="batch_size: expected 1 or more, got 0"):
        FileSource(["-"], 0)


@pytest.mark.parametrize("change", [TEXT + b"more\n", b"X" + TEXT[1:]])
def test_a_file_that_changed_is_not_gone_on_with(tmp_path: Path, change: bytes) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(TEXT)
    first = part(path)
    first.next_batch()
    first.close()
    path.write_bytes(change)
    with pytest.raises(SourceError, match=r"a\.jsonl: expected the .*cannot go on"):
        part(path, state=first.snapshot())


def test_standard_input_is_read_as_it_comes() -> None:
    script = (
        "from operators.sources.files import FileSource\n"
        "part = FileSource(['-'], 3).build_part('', '-', None)\n"
        "try:\n"
        "    while True:\n"
        "        for poll in part.next_batch():\n"
        "            print(poll.record, poll.data, poll.end, flush=True)\n"
        "except StopIteration:\n"
        "    print('done')\n"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(b"a\nb\npart")
        child.stdin.flush()
        assert child.stdout.readline() == b"0 b'a\\nb\\n' False\n"  # the pipe is still open
        child.stdin.write(b"ly\nc")
        child.stdin.close()
        rest = child.stdout.read()
    assert rest.endswith(b"True\ndone\n")
    assert b"partly" in rest


def flow(source: FileSource, out: list[Poll], fail_at: int | None = None) -> Dataflow:
    def count(poll: Poll) -> Poll:
        if fail_at is not None and poll.record >= fail_at:
            raise RuntimeError("killed")
        return poll

    flow = Dataflow("files")
    polls = op.input("source", flow, source)
    op.output("out", op.map("count", polls, count), TestingSink(out))
    return flow


ENTRIES: list[Callable[[Dataflow], None]] = [
    run_main,
    lambda flow: cluster_main(flow, [], 0, worker_count_per_proc=2),  # type: ignore[no-untyped-call]
]


@pytest.mark.parametrize("entry", ENTRIES, ids=["alone", "cluster"])
def test_a_flow_reads_each_file_once_in_order(
    tmp_path: Path, entry: Callable[[Dataflow], None]
) -> None:
    for name, pack in PACK.items():
        (tmp_path / name).write_bytes(pack(TEXT))
    names = [str(tmp_path / name) for name in PACK]
    board = Board.create(tmp_path / "board", names)
    out: list[Poll] = []
    entry(flow(FileSource(names, 90, board=tmp_path / "board"), out))
    for name in names:
        assert whole([poll for poll in out if poll.partition == name]) == TEXT
    totals = board.totals()
    assert totals["bytes_read"] == totals["bytes_total"] == sum(map(os.path.getsize, names))
    assert (totals["records"], totals["done"]) == (8000, 8)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # it closes nothing
def test_a_flow_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(TEXT))
    init_db_dir(tmp_path, 1)  # type: ignore[no-untyped-call]
    recovery = RecoveryConfig(str(tmp_path))  # type: ignore[no-untyped-call]
    out: list[Poll] = []
    for fail_at in (300, 610, None, None):
        source = FileSource([str(path)], 30)
        once = flow(source, out, fail_at)
        if fail_at is None:
            run_main(once, epoch_interval=timedelta(0), recovery_config=recovery)  # type: ignore[no-untyped-call]
        else:
            with pytest.raises(RuntimeError):
                run_main(once, epoch_interval=timedelta(0), recovery_config=recovery)  # type: ignore[no-untyped-call]
    latest = {poll.record: poll for poll in out}  # what came after the last snapshot comes again
    assert whole([latest[record] for record in sorted(latest)]) == TEXT
    assert len(out) <= len(latest) + 4
    assert [poll.end for poll in out].count(True) == 1


def reels(start: datetime, hours: int) -> bytes:
    times = [start + timedelta(hours=hour) for hour in range(hours)]
    return b"".join(json.dumps({"published_at": at.isoformat()}).encode() + b"\n" for at in times)


def test_partitions_stay_together_in_event_time(tmp_path: Path) -> None:
    start = datetime(2026, 1, 5, tzinfo=UTC)
    texts = {"early": reels(start, 40), "late": reels(start + timedelta(hours=20), 40)}
    names = []
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
        names.append(str(tmp_path / name))
    board = Board.create(tmp_path / "board", names)
    source = FileSource(names, 2, tmp_path / "board", timedelta(hours=6))
    early, late = (source.build_part("", name, None) for name in names)
    assert len(late.next_batch()) == 1
    assert late.next_batch() == []  # the other has not begun
    awake = late.next_awake()
    assert awake is not None
    assert awake > datetime.now(UTC) - timedelta(seconds=1)
    ahead = []
    while board.get(names[0], "done") == 0:
        early.next_batch()
        late.next_batch()
        if board.get(names[0], "done") == 0:
            clocks = [board.get(name, "clock_us") for name in names]
            ahead.append((clocks[1] - clocks[0]) / 3_600_000_000)
    assert max(ahead[15:]) <= 6 + 2
    assert [poll.end for poll in drain(late)][-1]
    assert board.slowest() is None


def test_times_that_cannot_be_read_hold_nobody_back(tmp_path: Path) -> None:
    for name, text in (
        ("a", b"[\n" * 50),
        ("b", b'{"published_at": "9999-01-01T00:00:00Z"}\n' * 50),
    ):
        (tmp_path / name).write_bytes(text)
    names = [str(tmp_path / name) for name in "ab"]
    Board.create(tmp_path / "board", names)
    source = FileSource(names, 10, tmp_path / "board")
    for name in names:
        assert len(list(drain(source.build_part("", name, None)))) == 6


def test_the_board_is_one_for_all_who_open_it(tmp_path: Path) -> None:
    board = Board.create(tmp_path / "board", ["a", "é"])
    other = Board.open(tmp_path / "board")
    board.add("a", "rejects", 2)
    other.add("é", "rejects", 3)
    other.set("é", "clock_us", 50)
    board.set("a", "clock_us", 70)
    assert other.partitions == ("a", "é")
    assert set(board.totals()) == set(BOARD)
    assert (board.totals()["rejects"], board.totals()["clock_us"]) == (5, 50)
    other.set("é", "done", 1)
    assert (board.totals()["clock_us"], board.slowest()) == (70, 70)
    with pytest.raises(KeyError):
        board.add("nobody", "rejects", 1)
    with pytest.raises(KeyError):
        board.add("a", "nothing", 1)
