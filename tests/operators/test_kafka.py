"""What of the Kafka source, its sinks and silent partitions can be shown without a broker."""

import pickle
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from operators.blocks import Decoded, Poll
from operators.decode import decode
from operators.dedupe import Dedupe, EventTime
from operators.kafka import Connection, partition_name, place_of
from operators.routing import place_of as place_of_key
from operators.sinks.kafka import letter
from operators.sources.board import Board
from operators.sources.kafka import keys, part_name, poll_of
from operators.watermarks import Watermarks

HOUR_US = 3_600_000_000


def reel_line(name: str, at: str = "2026-01-05T10:00:00Z") -> bytes:
    return f'{{"reel_id":"{name}","published_at":"{at}","author_id":"a1"}}'.encode()


@dataclass(frozen=True)
class Sent:
    """A message as a consumer gets it."""

    at: int
    said: bytes | None
    name: bytes | None = None

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.name

    def value(self) -> bytes | None:
        return self.said


def poll(*messages: Sent) -> Poll:
    return poll_of("reels.v1[2]", messages, 0)  # type: ignore[arg-type]


def test_messages_are_lines() -> None:
    one, two = reel_line("r1"), reel_line("r2")
    decoded = decode(poll(Sent(7, one), Sent(9, two)))
    assert len(decoded.reels) == 2
    assert decoded.rejects == ()


def test_a_refused_message_is_told_with_its_own_offset_key_and_bytes() -> None:
    bad = b'{"reel_id":\n\n"r2"}'
    messages = [Sent(7, reel_line("r1")), Sent(12, bad, b"k"), Sent(30, b"nonsense")]
    first, second = decode(poll(*messages)).rejects
    assert (first.record, first.offset, first.key) == (12, 12, b"k")
    assert (first.error, first.original, first.length) == ("missing_field", bad, len(bad))
    assert (second.offset, second.error, second.key) == (30, "invalid_json", None)
    assert (letter(first).topic, letter(first).partition) == ("reels.v1", 2)


def test_newlines_between_the_parts_of_a_reel_change_nothing() -> None:
    plain = reel_line("r1")
    spread = plain.replace(b",", b"\n,\r\n").replace(b":", b":\n", 1)
    assert spread.count(b"\n") > 2
    one, other = decode(poll(Sent(0, plain))).reels, decode(poll(Sent(0, spread))).reels
    assert len(other) == 1
    assert (one.time == other.time).all()


def test_a_newline_within_a_string_is_still_refused() -> None:
    torn = reel_line("r1").replace(b'"r1"', b'"r\n1"')
    (reject,) = decode(poll(Sent(4, torn))).rejects
    assert (reject.error, reject.original) == ("invalid_json", torn)


@pytest.mark.parametrize("value", [None, b"", b" ", b"\n", b" \t\r\n"])
def test_a_message_without_a_value_is_refused_and_moves_no_other(value: bytes | None) -> None:
    messages = [Sent(1, b"x"), Sent(2, value, b"k"), Sent(5, reel_line("r1")), Sent(6, b"y")]
    decoded = decode(poll(*messages))
    assert len(decoded.reels) == 1
    assert [(r.offset, r.error) for r in decoded.rejects] == [
        (1, "invalid_json"),
        (2, "no_value"),
        (6, "invalid_json"),
    ]


def test_a_message_over_the_limit_is_refused_whole() -> None:
    long = b"{" + b" " * (1 << 20) + b"}"
    decoded = decode(poll(Sent(1, reel_line("r1")), Sent(2, long), Sent(3, reel_line("r2"))))
    assert len(decoded.reels) == 2
    (reject,) = decoded.rejects
    assert (reject.error, reject.offset, reject.original) == ("line_too_long", 2, long)


def test_a_mark_of_byte_order_is_no_part_of_a_message() -> None:
    (reject,) = decode(poll(Sent(0, b"\xef\xbb\xbf" + reel_line("r1")))).rejects
    assert reject.error == "invalid_json"


def test_names_of_partitions_can_be_read_again_and_sort_as_numbers() -> None:
    assert place_of(partition_name("a[1].b", 12)) == ("a[1].b", 12)
    names = [part_name("reels.v1", number) for number in (2, 10, 100)]
    assert names == sorted(names)


def test_the_key_of_a_partition_stays_when_others_come() -> None:
    few, many = keys("reels.v1", range(3)), keys("reels.v1", range(20))
    assert few.items() <= many.items()
    assert [place_of_key(key) for key in many.values()] == [n % 12 for n in range(20)]


def test_a_connection_does_not_show_its_secrets() -> None:
    shown = repr(Connection("broker:9092", "g", {"sasl.password": "hunter2"}))
    assert "broker:9092" in shown
    assert "hunter2" not in shown


def dedupe() -> Dedupe:
    return Dedupe(EventTime(600, 600, 300, 4), 1000)


def reels_at(*minutes: int, first: int = 0) -> Decoded:
    lines = [
        reel_line(f"r{first + n}", f"2026-01-05T{at // 60:02}:{at % 60:02}:00Z")
        for n, at in enumerate(minutes)
    ]
    return decode(Poll("p", 0, 0, b"".join(line + b"\n" for line in lines)))


def silent(idle_us: int) -> Decoded:
    return decode(Poll("p", 0, 0, b"", idle_us=idle_us))


NOON_US = 1_767_614_400 * 1_000_000
"""2026-01-05T12:00Z, by which the others are."""


def test_a_silent_partition_lets_the_others_go_on() -> None:
    steps = dedupe()
    before = steps(reels_at(60, 61, 62, 63, 64, 65))
    assert before is not None
    fresh = steps(silent(NOON_US))
    assert fresh is not None
    assert fresh.announce
    assert fresh.closed == (NOON_US // 1_000_000 - 600) // 600 > before.closed
    assert len(before.reels) + len(fresh.reels) == 6  # what waited for more to confirm it goes too
    assert (fresh.apply < fresh.closed).all()


def test_reels_of_a_partition_that_comes_back_take_effect_no_earlier_than_is_decided() -> None:
    steps = dedupe()
    steps(reels_at(60, 61, 62, 63, 64, 65))
    closed = steps(silent(NOON_US)).closed  # type: ignore[union-attr]
    fresh = steps(reels_at(*range(70, 90), first=10))
    assert fresh is not None
    assert len(fresh.reels) == 16
    assert (fresh.apply == closed).all()
    assert (fresh.tick < closed).all()
    assert fresh.closed == closed


def test_a_partition_that_never_had_a_reel_follows_too() -> None:
    fresh = dedupe()(silent(NOON_US))
    assert fresh is not None
    assert fresh.closed == (NOON_US // 1_000_000 - 600) // 600


def test_a_silent_partition_never_goes_back() -> None:
    steps = dedupe()
    closed = steps(silent(NOON_US)).closed  # type: ignore[union-attr]
    assert steps(silent(NOON_US - 9 * HOUR_US)) is None
    assert pickle.loads(pickle.dumps(steps))._floor == closed


def test_without_silence_places_in_time_are_as_they_were() -> None:
    steps, other = dedupe(), dedupe()
    other._floor = int(np.iinfo(np.int32).min)
    one, two = steps(reels_at(*range(0, 600, 7))), other(reels_at(*range(0, 600, 7)))
    assert one is not None
    assert two is not None
    assert (one.apply == two.apply).all()


def test_others_are_waited_for_unless_they_are_silent_or_done(tmp_path: Path) -> None:
    board = Board.create(tmp_path / "board", ["a", "b", "c"])
    for name, at in (("a", 30), ("b", 20), ("c", 10)):
        board.set(name, "reached_us", at)
    assert board.front() == 10
    board.set("c", "idle", 1)
    assert board.front() == 20
    board.set("b", "reached_us", 0)
    assert board.front() is None
    board.set("b", "done", 1)
    assert board.front() == 30
    board.set("a", "idle", 1)
    board.set("a", "reached_us", 5)
    assert board.front() == 10
    board.set("c", "reached_us", 0)
    assert board.front() == 5


def test_nobody_waits_in_event_time_for_a_partition_that_has_nothing_to_read(
    tmp_path: Path,
) -> None:
    board = Board.create(tmp_path / "board", ["a", "b"])
    board.set("a", "clock_us", 30)
    board.set("b", "clock_us", 10)
    assert board.slowest() == 10
    board.set("b", "caught_up", 1)
    assert board.slowest() == 30


def test_a_partition_that_came_later_is_waited_for() -> None:
    marks = Watermarks(["a"])
    marks.take("a", closed=7, end=False)
    assert not marks.know(["a"])
    assert marks.through() == 6
    assert marks.know(["a", "b"])
    assert marks.through() is None
    marks.take("b", closed=9, end=False)
    assert marks.through() == 6
