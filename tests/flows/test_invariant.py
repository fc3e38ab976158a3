"""The invariant: for the same input the trends are the same bytes, however it is read.

By one process or several, in batches of any size, plain or compressed; and the store says the same.
"""

import gzip
import json
import random
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
import zstandard

from tests.flows.conftest import ROOT, Outcome, Replay, write
from trend.budget import ShardSettings
from trend.records import USE, VOLUME
from trend.shard import Shard

SCHEMA = json.loads((ROOT / "schemas/json/trends.v1.json").read_text())


def test_the_stream_has_several_trends_and_each_revision_is_valid(of_one: Outcome) -> None:
    assert len({revision["trend_id"] for revision in of_one.revisions}) >= 5
    assert any(revision["revision"] > 1 for revision in of_one.revisions)
    check = jsonschema.Draft202012Validator(SCHEMA, format_checker=jsonschema.FormatChecker())
    for revision in of_one.revisions:
        check.validate(revision)
    assert of_one.rejects
    for counted in ("repeated", "late"):
        assert f" 0 {counted}" not in of_one.summary


def test_a_revision_is_said_once_and_in_order(of_one: Outcome) -> None:
    said: dict[str, int] = {}
    for revision in of_one.revisions:
        assert revision["revision"] == said.get(revision["trend_id"], 0) + 1
        said[revision["trend_id"]] = revision["revision"]
    times = [revision["event_time"] for revision in of_one.revisions]
    assert times == sorted(times)


def test_the_store_holds_what_the_file_says(of_one: Outcome) -> None:
    lines = {(r["trend_id"], r["revision"]): r for r in of_one.revisions}
    assert {row[:2]: json.loads(row[3]) for row in of_one.store["revisions"]} == lines
    newest: dict[str, Any] = {r["trend_id"]: r for r in of_one.revisions}
    assert {row[0]: json.loads(row[-1]) for row in of_one.store["trends"]} == newest
    assert {row[0] for row in of_one.store["series"]} == set(newest)
    links = of_one.store["links"]
    assert links
    for trend_id, *ends, revision in (row[:6] for row in links):
        members = {(member["kind"], member["id"]) for member in newest[trend_id]["members"]}
        assert {tuple(ends[:2]), tuple(ends[2:])} <= members
        assert revision == newest[trend_id]["revision"]


@pytest.mark.parametrize(("processes", "batch_size"), [(1, 30), (1, 500), (2, 5000)])
def test_one_file_gives_the_same_trends(
    one_file: Path, of_one: Outcome, tmp_path: Path, processes: int, batch_size: int
) -> None:
    same(Replay(tmp_path, [one_file]).run(processes, batch_size), of_one)


@pytest.mark.parametrize(("processes", "batch_size"), [(1, 300), (2, 5000), (2, 100)])
def test_three_files_give_the_same_trends(
    three_files: Path, of_three: Outcome, tmp_path: Path, processes: int, batch_size: int
) -> None:
    assert of_three.revisions
    same(Replay(tmp_path, [three_files]).run(processes, batch_size), of_three)


@pytest.mark.parametrize("exchange_mb", ["0", "1"])
def test_whatever_room_there_is_for_what_processes_send_gives_the_same_trends(
    three_files: Path, of_three: Outcome, tmp_path: Path, exchange_mb: str
) -> None:
    settings = {"GROUNDSWELL_EXCHANGE_MB": exchange_mb}
    same(Replay(tmp_path, [three_files], settings=settings).run(2, 5000), of_three)


@pytest.mark.parametrize("batch_size", [1, 7])
def test_the_smallest_batches_give_the_same_trends(
    stream: list[bytes], tmp_path: Path, batch_size: int
) -> None:
    reels = write(tmp_path / "reels.jsonl", [*burst(600), *stream[:300]])
    at_once = Replay(tmp_path / "at-once", [reels]).run(1, 5000)
    assert at_once.revisions
    same(Replay(tmp_path / "bit-by-bit", [reels]).run(1, batch_size), at_once)


@pytest.mark.parametrize("suffix", ["gz", "zst"])
def test_compressed_input_gives_the_same_trends(
    one_file: Path, of_one: Outcome, tmp_path: Path, suffix: str
) -> None:
    packed = tmp_path / f"reels.jsonl.{suffix}"
    data = one_file.read_bytes()
    half = len(data) // 2
    # Two members on end, as `cat a.gz b.gz` makes them.
    pack = gzip.compress if suffix == "gz" else zstandard.ZstdCompressor().compress
    packed.write_bytes(pack(data[:half]) + pack(data[half:]))
    same(Replay(tmp_path / "out", [packed]).run(), of_one)


def test_reels_that_are_in_several_files_give_the_same_trends(
    clean_stream: list[bytes], tmp_path: Path
) -> None:
    """Two exports that overlap; what they say of a sound and of an author may differ."""
    draw = random.Random(1)
    parts = []
    for number in range(3):
        kept = []
        for line in clean_stream:
            if draw.random() < 0.6:
                reel = json.loads(line)
                if "audio" in reel:
                    reel["audio"]["title"] = f"title {draw.randrange(5)} of {number}"
                if draw.random() < 0.02:
                    reel["author_id"] = f"another {draw.randrange(1000)}"
                kept.append(json.dumps(reel, ensure_ascii=False).encode())
        parts.append(write(tmp_path / f"part-{number}.jsonl", kept))
    first = Replay(tmp_path / "5000", parts).run(1, 5000)
    assert len(first.store["trends"]) >= 3
    same(Replay(tmp_path / "300", parts).run(1, 300), first)
    same(Replay(tmp_path / "two", parts).run(2, 100), first)


@pytest.mark.slow
def test_every_way_to_read_gives_the_same_trends(
    one_file: Path, three_files: Path, of_one: Outcome, of_three: Outcome, tmp_path: Path
) -> None:
    for processes, batch_size in ((1, 1), (1, 7), (2, 7), (3, 50), (1, 1_000_000)):
        name = f"{processes}-{batch_size}"
        same(Replay(tmp_path / f"one-{name}", [one_file]).run(processes, batch_size), of_one)
        three = Replay(tmp_path / f"three-{name}", [three_files])
        same(three.run(processes, batch_size), of_three)


def test_a_shard_says_the_same_however_many_ticks_it_closes_at_once() -> None:
    """Each tick admits a signal that does not burst: a change of their number, and no report."""
    ticks = 600
    rows = np.zeros(3 * ticks, USE)
    rows["tick"] = rows["apply"] = np.repeat(np.arange(1000, 1000 + ticks), 3)
    rows["signal"] = rows["tick"].astype(np.uint64) * 7919
    rows["author"] = rows["reel"] = np.arange(1, 3 * ticks + 1)
    rows["label_len"], rows["kind"] = 3, 1
    told = []
    for steps in ([1000 + ticks], range(1000, 1001 + ticks)):
        shard = Shard(ShardSettings(600, (1, 3), 8, 2.0, 32 << 20))
        shard.add(rows, b"tag", np.zeros(0, VOLUME))
        reports = [report for through in steps for report in shard.close(through)]
        told.append(np.concatenate([report.live for report in reports]).tolist())
    assert len(told[1]) == ticks
    assert told[0] == told[1]


def same(outcome: Outcome, expected: Outcome) -> None:
    """Same trends, same store, same lines refused."""
    assert outcome.trends == expected.trends
    assert outcome.store == expected.store
    places = [(reject["record"], reject["error"]) for reject in outcome.rejects]
    assert places == [(reject["record"], reject["error"]) for reject in expected.rejects]


def burst(reels: int) -> list[bytes]:
    """Reels of the day before the stream, of which half of two hours use a new hashtag."""
    made = []
    for number in range(reels):
        minute = number * 1440 // reels
        tag = "newtag" if 960 <= minute < 1080 and number % 2 else f"tag{number % 11}"
        made.append(
            b'{"reel_id":"b%d","author_id":"a%d","published_at":"2026-01-04T%02d:%02d:00Z",'
            b'"hashtags":["%s"]}' % (number, number, minute // 60, minute % 60, tag.encode())
        )
    return made
