"""Hostile input: lines of every bad kind, times from the future, text that would do harm.

It changes nothing for the rest, and each bad line is kept once, as it was.
"""

import base64
import json
import os
import pty
import random
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from operators.decode import decode
from operators.faults import ERRORS, blank
from operators.sources.files import FileSource
from tests.flows.conftest import ROOT, TIMEOUT_S, Outcome, Replay, write

Reel = dict[str, Any]


def changed(**fields: object) -> Callable[[Reel], bytes]:
    return lambda reel: json.dumps({**reel, **fields}).encode()


def without(field: str) -> Callable[[Reel], bytes]:
    return lambda reel: json.dumps({k: v for k, v in reel.items() if k != field}).encode()


def whole(reel: Reel) -> bytes:
    return json.dumps(reel).encode()


BROKEN: list[tuple[str, Callable[[Reel], bytes]]] = [
    ("invalid_json", lambda reel: whole(reel)[:-7]),
    ("invalid_json", lambda reel: b"<html>502 Bad Gateway</html>"),
    ("invalid_json", lambda reel: whole(reel) + whole(reel)),
    ("invalid_json", lambda reel: whole(reel)[:-1] + b', "x": NaN}'),
    ("invalid_json", lambda reel: b"\xef\xbb\xbf" + whole(reel)),
    ("invalid_json", lambda reel: whole(reel).replace(b'"caption"', b'"a\x01b"')),
    ("wrong_type", lambda reel: json.dumps([reel]).encode()),
    ("wrong_type", lambda reel: b"null"),
    ("wrong_type", changed(hashtags="catdrop")),
    ("wrong_type", changed(reel_id=7)),
    ("invalid_value", changed(metrics={"views": -5})),
    ("missing_field", without("reel_id")),
    ("missing_field", without("published_at")),
    ("missing_field", without("author_id")),
    ("invalid_time", changed(published_at="yesterday at noon")),
    ("invalid_time", changed(published_at="2026-01-05T10:00:00")),
    ("invalid_time", changed(published_at="2026-02-30T10:00:00Z")),
    ("absurd_time", changed(published_at="0001-01-01T00:00:00Z")),
    ("absurd_time", changed(published_at="9999-12-31T23:59:59Z")),
    ("invalid_utf8", lambda reel: whole(reel).replace(b'"caption"', b'"\xff\xfe"')),
    ("invalid_utf8", lambda reel: b"\xed\xa0\x80" + whole(reel)),
    ("id_too_long", changed(author_id="a" * 257)),
    ("id_too_long", changed(reel_id="я" * 129)),
    ("id_too_long", changed(audio={"audio_id": "s" * 300})),
    ("too_many_hashtags", changed(hashtags=[f"tag{number}" for number in range(101)])),
    ("line_too_long", changed(caption="a" * (1 << 20))),
    ("too_deep", lambda reel: whole(reel)[:-1] + b', "x": ' + b"[" * 9000 + b"]" * 9000 + b"}"),
    ("too_deep", lambda reel: b'{"a":' * 9000),
]  # fmt: skip
BLANK = [b"", b"   ", b"\t\r"]


@pytest.fixture(scope="session")
def clean(clean_stream: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder = tmp_path_factory.mktemp("clean")
    outcome = Replay(folder, [write(folder / "reels.jsonl", clean_stream)]).run()
    assert len(outcome.store["trends"]) >= 5
    return outcome


def test_broken_lines_of_every_kind_change_nothing_and_are_kept_once(
    clean_stream: list[bytes], clean: Outcome, tmp_path: Path, draw: random.Random
) -> None:
    share = len(clean_stream) // 100 // len(BROKEN) + 1
    dirty = [*clean_stream]
    reel = json.loads(clean_stream[0]) | {"caption": "broken #broken"}
    bad: list[tuple[str, bytes]] = []
    for number in range(share * len(BROKEN)):
        error, make = BROKEN[number % len(BROKEN)]
        bad.append((error, make(reel | {"reel_id": f"bad-{number}"})))
    of_other_inputs = {"source_error", "no_value"}  # broken compression, messages without a value
    assert {error for error, _ in bad} == ERRORS.keys() - of_other_inputs
    at = sorted(draw.sample(range(1, len(dirty)), len(bad)), reverse=True)
    for place, (_, line) in zip(at, bad, strict=True):
        dirty.insert(place, line)
    for line in BLANK:
        dirty.insert(draw.randrange(1, len(dirty)), line)
    path = write(tmp_path / "reels.jsonl", dirty)
    outcome = Replay(tmp_path / "out", [path]).run()

    assert outcome.trends == clean.trends
    assert outcome.store == clean.store
    told = {reject["record"]: reject for reject in outcome.rejects}
    assert len(told) == len(outcome.rejects) == len(bad)
    classes = Counter(error for error, _ in bad)
    assert Counter(reject["error"] for reject in outcome.rejects) == classes
    error_of = dict(zip((line for _, line in bad), (error for error, _ in bad), strict=False))
    offset = 0
    for record, line in enumerate(dirty):
        if record in told:
            reject = told[record]
            kept = line[: 1 << 20] if len(line) > 1 << 20 else line
            assert base64.b64decode(reject["original"]) == kept
            assert (reject["offset"], reject["length"]) == (offset, len(line))
            assert reject["error"] == error_of[line]
            assert reject["partition"] == str(path)
            assert reject["reason"].isprintable()
        offset += len(line) + 1
    reels = count_reels(path)
    assert reels == len(clean_stream)
    assert len(dirty) == reels + len(outcome.rejects) + sum(map(blank, dirty))
    assert f"{len(dirty):,} lines" in outcome.summary
    assert f"{len(bad):,} rejected" in outcome.summary


@pytest.mark.parametrize("stamp", ["2026-01-06T23:59:59Z", "2028-03-01T00:00:00Z"])
def test_reels_from_the_future_are_clamped_and_change_little(
    clean_stream: list[bytes], clean: Outcome, tmp_path: Path, draw: random.Random, stamp: str
) -> None:
    count = len(clean_stream) // 100
    dirty = [*clean_stream]
    # Hours ahead for those of the first day; years ahead anywhere.
    last = len(dirty) // 2 if stamp.startswith("2026") else len(dirty)
    for number in range(count):
        dirty.insert(draw.randrange(1, last), from_future(number, stamp))
    outcome = Replay(tmp_path / "out", [write(tmp_path / "reels.jsonl", dirty)]).run()
    assert f"{count} clamped" in outcome.summary
    little_changed(outcome, clean)


@pytest.mark.parametrize("count", [1, 2, 5, 8])
def test_reels_from_the_future_at_the_end_change_little(
    clean_stream: list[bytes], clean: Outcome, tmp_path: Path, count: int
) -> None:
    future = [from_future(number, "2028-03-01T00:00:00Z") for number in range(count)]
    path = write(tmp_path / "reels.jsonl", [*clean_stream, *future])
    outcome = Replay(tmp_path / "out", [path]).run()
    assert f"{count} clamped" in outcome.summary
    little_changed(outcome, clean)


NASTY = (
    "\x1b[2J\x1b]0;pwned\x07\x1b[31m <script>alert(1)</script> '); DROP TABLE trends;-- "
    "\u202eevil\u2066 \x00nul [bold red]markup[/] \x9b2J"
)


def test_text_that_would_do_harm_does_none(clean_stream: list[bytes], tmp_path: Path) -> None:
    """A trend whose every text is an attack, in the store and in a real terminal."""
    reels = [*clean_stream]
    for number in range(120):
        reel: Reel = {
            "reel_id": f"{NASTY} {number}",
            "author_id": f"{NASTY} {number}",
            "published_at": f"2026-01-06T{10 + number // 40}:{number % 40:02d}:00Z",
            "language": NASTY,
            "region": NASTY,
        }
        if number % 2:
            reel["audio"] = {"audio_id": f"{NASTY} sound", "title": NASTY, "artist": NASTY}
        else:
            reel["hashtags"] = ["nasty\x1b[2J\u202etag", "'; DROP TABLE revisions; --"]
            reel["caption"] = reel["transcript"] = f"{NASTY} #drop\x00table"
        reels.append(json.dumps(reel).encode())
    reels.sort(key=lambda line: json.loads(line)["published_at"])
    replay = Replay(tmp_path / "out", [write(tmp_path / "reels.jsonl", reels)])
    replay.folder.mkdir()
    code, screen = in_terminal(replay)
    assert code == 0, screen
    for attack in ("\x1b]0;", "\x1b[2J", "\x1b[31m", "\u202e", "\u2066", "\x00", "\x07", "\x9b"):
        assert attack not in screen
    assert "<script>" in screen
    outcome = Outcome(code, screen, "", replay.folder)
    assert all(outcome.store.values())
    sounds = [
        member["id"]
        for revision in outcome.revisions
        for member in revision["members"]
        if member["kind"] == "sound"
    ]
    assert f"{NASTY} sound" in sounds
    named = [example for revision in outcome.revisions for example in revision["examples"]]
    assert any(name.startswith(NASTY) for name in named)
    assert len(outcome.store["revisions"]) == len(outcome.revisions)


def in_terminal(replay: Replay) -> tuple[int, str]:
    """Run in a pseudo-terminal; exit code and all that reached the screen."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        replay.arguments(),
        cwd=replay.folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "160", "TERM": "xterm-256color"},
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    seen: list[bytes] = []

    def read() -> None:
        try:
            while piece := os.read(ours, 65_536):
                seen.append(piece)
        except OSError:
            pass  # the other side is closed

    reader = threading.Thread(target=read)
    reader.start()
    code = process.wait(TIMEOUT_S)
    reader.join()
    os.close(ours)
    return code, b"".join(seen).decode()


def from_future(number: int, stamp: str) -> bytes:
    """A reel with a wrong time and a hashtag that comes nowhere else."""
    reel = {"reel_id": f"future-{number}", "author_id": f"f-{number}", "published_at": stamp}
    return json.dumps(reel | {"hashtags": [f"future{number}"]}).encode()


def little_changed(outcome: Outcome, clean: Outcome) -> None:
    """The same trends but for one in five, and none of a time after the true end."""
    found, expected = ({r["trend_id"] for r in one.revisions} for one in (outcome, clean))
    assert len(found ^ expected) <= 0.2 * len(expected)
    assert max(revision["event_time"] for revision in outcome.revisions) <= "2026-01-07T00:10:00Z"


def count_reels(path: Path) -> int:
    """Reels in a file, counted by the steps that a run reads it with."""
    part = FileSource([str(path)], 500).build_part("", str(path), None)
    reels, end = 0, False
    while not end:
        for poll in part.next_batch():
            reels += len(decode(poll).reels)
            end = poll.end
    return reels
