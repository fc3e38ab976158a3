"""A shard counts like a slow, obvious reference, whatever the order, the cut and the crashes."""

import pickle
from collections import defaultdict
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from trend import bursts, closing
from trend import layout as k
from trend.budget import ShardSettings
from trend.records import USE, VOLUME
from trend.shard import Shard, ShardReports

DAY, HOUR = 144, 6
START = 2_950_000 // DAY * DAY
WINDOWS = (1, 3, 6, 12, 24)
ROOMY = ShardSettings(600, WINDOWS, min_authors=4, min_growth=2.0, memory_bytes=8_000_000)
TINY = ShardSettings(600, WINDOWS, min_authors=4, min_growth=2.0, memory_bytes=0)
Uses = npt.NDArray[np.void]


def hashes(numbers: npt.NDArray[np.int64], seed: int) -> npt.NDArray[np.uint64]:
    mixed = (numbers.astype(np.uint64) + np.uint64(seed * 1_000_003)) * np.uint64(
        0x9E3779B97F4A7C15
    )
    return mixed ^ (mixed >> np.uint64(29))


def stream(
    seed: int, size: int, days: int, signals: int, authors: int, late: float = 0, again: float = 0
) -> Uses:
    """Uses of signals of very different size; one of them bursts on the last day."""
    rng = np.random.default_rng(seed)
    rows = np.zeros(size, USE)
    tick = np.sort(rng.integers(0, days * DAY, size)) + START
    number = (signals * rng.random(size) ** 3).astype(np.int64)
    number[(tick > START + (days - 1) * DAY + 40) & (rng.random(size) < 0.3)] = 10**6
    rows["signal"] = hashes(number, 1)
    rows["author"] = hashes(rng.integers(0, authors, size), 2)
    rows["reel"] = hashes(np.arange(size), 3)
    rows["apply"] = tick
    rows["tick"] = tick - np.where(rng.random(size) < late, rng.integers(1, 50, size), 0)
    rows["kind"] = number % 3
    for i in np.flatnonzero(rng.random(size) < again):
        first = rows[rng.integers(0, i + 1)]
        if rows[i]["apply"] - first["tick"] >= DAY:
            continue
        rows[i]["reel"], rows[i]["author"] = first["reel"], first["author"]
        rows[i]["tick"], rows[i]["again"] = first["tick"], 1
        if rng.random() < 0.5:
            rows[i]["signal"], rows[i]["kind"] = first["signal"], first["kind"]
    return rows


def labelled(rows: Uses) -> tuple[Uses, bytes]:
    """Rows with the labels of their signals, on end."""
    rows = rows.copy()
    rows["label_at"], rows["label_len"] = np.arange(rows.size) * 12, 12
    return rows, b"".join(b"%012x" % (int(signal) >> 16) for signal in rows["signal"])


def volume_of(rows: Uses, background: int) -> Uses:
    """So many reels in every tick, and those of the rows."""
    ticks = np.arange(START, rows["apply"].max() + 1)
    volume = np.zeros(rows.size + ticks.size, VOLUME)
    volume["apply"] = np.concatenate([rows["apply"], ticks])
    volume["tick"] = np.concatenate([rows["tick"], ticks])
    volume["reels"] = np.concatenate([1 - rows["again"], np.full(ticks.size, background)])
    return volume[volume["reels"] > 0]


def at_once(settings: ShardSettings, rows: Uses, volume: Uses) -> tuple[Shard, list[ShardReports]]:
    shard = Shard(settings)
    shard.add(*labelled(rows), volume)
    return shard, shard.close(int(rows["apply"].max()))


def in_pieces(
    settings: ShardSettings, rows: Uses, volume: Uses, seed: int, steps: int, crash: bool
) -> tuple[Shard, list[ShardReports]]:
    """The same in any order and cut; some rows come long before their ticks are closed."""
    rng = np.random.default_rng(seed)
    shard = Shard(settings)
    last = int(rows["apply"].max())
    inner = rng.choice(np.arange(START, last), steps - 1, replace=False)
    ends = [*np.sort(inner).tolist(), last]
    due, volume_due = (np.searchsorted(ends, part["apply"]) for part in (rows, volume))
    comes = due - np.where(rng.random(due.size) < 0.2, rng.integers(0, due + 1), 0)
    reports = []
    for step, end in enumerate(ends):
        mine = rng.permutation(rows[comes == step])
        for part in np.array_split(mine, rng.integers(1, 5)):
            shard.add(*labelled(part), volume[:0])
            shard = pickle.loads(pickle.dumps(shard)) if crash else shard
        shard.add(rows[:0], b"", rng.permutation(volume[volume_due == step]))
        reports += shard.close(int(end))
        shard = pickle.loads(pickle.dumps(shard)) if crash else shard
    return shard, reports


def told(reports: list[ShardReports]) -> list[tuple[Any, ...]]:
    """All that reports say, without where in their arrays they say it."""
    places = [bursts.LABEL_AT, bursts.SAMPLE_AT, bursts.SERIES_AT]
    everything = []
    for part in reports:
        for i, numbers in enumerate(part.numbers):
            label, sample, series = (int(numbers[at]) for at in places)
            detailed = numbers[bursts.LABEL_LEN] > 0
            everything.append(
                (
                    int(part.signal[i]),
                    np.delete(numbers, places).tolist()[: -2 if not detailed else None],
                    float(part.log10_p[i]),
                    part.authors[i].tolist(),
                    part.reels[i].tolist(),
                    part.expected[i].tolist(),
                    part.before[i].tolist(),
                    part.volume[i].tolist(),
                    part.labels[label : label + numbers[bursts.LABEL_LEN]],
                    part.samples[sample : sample + numbers[bursts.SAMPLE_LEN]].tolist(),
                    part.series[series].tolist() if detailed else [],
                )
            )
    return everything


def lives(reports: list[ShardReports]) -> list[list[int]]:
    return [change for part in reports for change in part.live.tolist()]


class Reference:
    """What a shard counts, in dictionaries and loops and without bounds."""

    def __init__(self) -> None:
        self.young: dict[int, list[tuple[int, int]]] = defaultdict(list)  # author, tick
        self.counted: dict[int, list[tuple[int, int, int]]] = {}  # apply, tick, new author
        self.last: dict[tuple[int, int], int] = {}

    def tick(self, now: int, rows: Uses) -> None:
        groups = defaultdict(list)
        for row in rows:
            groups[int(row["signal"])].append(row)
        for signal, group in groups.items():
            group.sort(
                key=lambda r: (r["again"] or r["tick"] != now, r["again"], r["tick"], r["author"])
            )
            uses = [(int(r["author"]), int(r["tick"]), bool(r["again"])) for r in group]
            if signal in self.counted:
                self.count(now, signal, uses)
                continue
            young = self.young[signal] = [u for u in self.young[signal] if u[1] > now - DAY]
            crowd = len(group) > k.CROWD
            if not crowd:
                for author, tick, _ in uses:
                    if tick > now - DAY and author not in [known for known, _ in young]:
                        young.append((author, tick))
            if crowd or len(young) >= k.ADMIT_AUTHORS:
                self.counted[signal] = []
                self.count(now, signal, [(author, tick, False) for author, tick in young])
                self.count(now, signal, uses if crowd else [])

    def count(self, now: int, signal: int, uses: list[tuple[int, int, bool]]) -> None:
        for author, tick, again in uses:
            last = self.last.get((signal, author))
            new = last is None or abs(tick - last) >= DAY
            if new:
                self.last[signal, author] = tick if last is None else max(tick, last)
            if new or not again:
                self.counted[signal].append((now, tick, int(new)))

    def sums(self, signal: int, now: int, first: int, last: int) -> tuple[int, int]:
        """Authors and reels of the ticks from `first` to `last`, as known at tick `now`."""
        uses = [u for u in self.counted[signal] if u[0] <= now and first <= u[1] <= last]
        return sum(new for _, _, new in uses), len(uses)


def places(c: k.Counts, row: int, which: int) -> dict[int, tuple[int, int]]:
    """The authors and reels of a row's history by place, which must rise."""
    found: list[tuple[int, tuple[int, int]]] = []
    page, at = (int(c.chains[row, which][name]) for name in ("oldest", "start"))
    while page != k.NONE:
        newest = page == c.chains[row, which]["newest"]
        for entry in c.pages[page, at : c.chains[row, which]["fill"] if newest else k.PAGE]:
            authors, reels = int(entry >> 16) & k.FULL, int(entry) & k.FULL
            found.append((int(entry >> 32), (authors, reels)))
        assert newest == (c.links[page, k.NEWER] == k.NONE)
        page, at = int(c.links[page, k.NEWER]), 0
    assert [place for place, _ in found] == sorted({place for place, _ in found})
    return dict(found)


def reference(rows: Uses) -> Reference:
    slow = Reference()
    for now in np.unique(rows["apply"]).tolist():
        slow.tick(now, rows[rows["apply"] == now])
    return slow


STREAMS = [
    stream(1, 1500, 4, signals=5, authors=14),
    stream(2, 1500, 4, signals=5, authors=14, late=0.1),
    stream(3, 1500, 4, signals=5, authors=14, late=0.1, again=0.1),
    stream(4, 1200, 14, signals=5, authors=18, late=0.2, again=0.2),
    stream(5, 4000, 3, signals=400, authors=50),  # mostly young
    stream(6, 4000, 1, signals=3, authors=3000),  # crowds
]


@pytest.mark.parametrize("rows", STREAMS)
def test_rows_count_like_the_slow_reference(rows: Uses) -> None:
    slow = reference(rows)
    c = at_once(ROOMY, rows, volume_of(rows, 20))[0].counts
    assert {int(s["key"]) for s in c.signals[: c.n[k.ROWS]]} == set(slow.counted)
    closed = int(rows["apply"].max())
    reported = closed - (closed + 1) % HOUR  # to its end those that are tracked are brought
    for row, signal in enumerate(c.signals[: c.n[k.ROWS]]):
        key, now = int(signal["key"]), max(int(signal["used"]), int(c.n[k.CLEANED]))
        now = max(now, reported) if signal["tracked"] != k.UNTRACKED else now
        ticks, hours = (places(c, row, which) for which in (k.TICKS, k.BY_HOUR))
        for tick in range(now - DAY + 1, now + 1):
            assert ticks.pop(tick, (0, 0)) == slow.sums(key, now, tick, tick)
        authors = sum(authors for authors, _ in hours.values())
        for hour in range(now // HOUR - k.HOURS + 1, now // HOUR + 1):
            here = hours.pop(hour, (0, 0))
            assert here == slow.sums(key, now, hour * HOUR, hour * HOUR + HOUR - 1)
        assert not ticks
        assert not hours
        assert (signal["day_authors"], signal["day_reels"]) == slow.sums(
            key, now, now - DAY + 1, now
        )
        assert signal["total"] == sum(new for _, _, new in slow.counted[key])
        assert signal["hours_authors"] == authors


@pytest.mark.parametrize("rows", STREAMS)
def test_reports_say_what_the_slow_reference_counted(rows: Uses) -> None:
    slow, volume = reference(rows), volume_of(rows, 20)
    reports = at_once(ROOMY, rows, volume)[1]
    assert sum(part.signal.size for part in reports) > 0
    for part in reports:
        for i, key in enumerate(part.signal.tolist()):
            now = int(part.numbers[i, bursts.TICK])
            for w, hours in enumerate(WINDOWS):
                first = now - hours * HOUR + 1
                sums = slow.sums(key, now, first, now)
                assert (part.authors[i, w], part.reels[i, w]) == sums
                inside = (volume["apply"] <= now) & (volume["tick"] >= first)
                assert part.volume[i, w] == volume["reels"][inside].sum()
            hour = slow.sums(key, now, now // HOUR * HOUR, now)[1]
            assert part.numbers[i, bursts.HOUR_REELS] == hour


@pytest.mark.parametrize("settings", [ROOMY, TINY], ids=["roomy", "tiny"])
@pytest.mark.parametrize("crash", [False, True], ids=["going", "crashing"])
@pytest.mark.parametrize("steps", [2, 9, 150])
@pytest.mark.parametrize("seed", [7, 8])
def test_order_cut_and_crashes_change_nothing(
    settings: ShardSettings, crash: bool, steps: int, seed: int
) -> None:
    rows = stream(seed, 5000, 4, signals=300, authors=300, late=0.05, again=0.05)
    volume = volume_of(rows, 50)
    shard, reports = at_once(settings, rows, volume)
    other, others = in_pieces(settings, rows, volume, seed + steps, steps, crash)
    assert len(told(reports)) > 20
    assert told(others) == told(reports)
    assert lives(others) == lives(reports)
    assert other.counts.n.tolist() == shard.counts.n.tolist()
    if settings is TINY:
        assert shard.counts.n[k.EVICTED] > 0


@pytest.mark.parametrize("busy", [False, True], ids=["many ticks", "a busy tick"])
def test_changes_in_the_number_of_signals_survive_a_lack_of_room_for_reports(busy: bool) -> None:
    """Many ticks admit one signal each, then a tick may come with more uses than there is room."""
    # The room is shared by all shards of as many windows, and no other test has so many.
    windows = (1, 2) if busy else (1, 2, 3)
    calm = ShardSettings(600, windows, min_authors=10**6, min_growth=2.0, memory_bytes=8_000_000)
    ticks = 3 if busy else 5000
    rows = np.zeros(3 * ticks + (5000 if busy else 0), USE)
    rows["apply"] = rows["tick"] = START + np.minimum(np.arange(rows.size) // 3, ticks)
    rows["signal"] = hashes(np.arange(rows.size) // 3, 1)
    rows["author"] = rows["reel"] = hashes(np.arange(rows.size), 2)
    rows[3 * ticks :]["signal"] = hashes(np.arange(10**6, 10**6 + rows.size - 3 * ticks), 1)
    volume = volume_of(rows, 5)
    reports = at_once(calm, rows, volume)[1]
    assert len(lives(reports)) >= ticks - 1  # at one tick as many signals go as come
    shard = Shard(calm)
    shard.add(*labelled(rows), volume)
    slowly = [part for t in range(START, START + ticks + 1, 50) for part in shard.close(t + 49)]
    assert lives(reports) == lives(slowly)


def test_the_label_does_not_depend_on_which_partition_came_first() -> None:
    """One reel in two partitions, with two titles of its sound."""
    rows = np.zeros(60, USE)
    rows["signal"], rows["author"], rows["reel"] = 5, np.arange(60), np.arange(60)
    rows["tick"] = rows["apply"] = START + DAY
    rows["label_len"] = 1
    twin = rows[:1].copy()
    twin["label_at"] = 1
    quiet = np.array([(START + t, START + t, 20) for t in range(DAY + 1)], VOLUME)
    labels = set()
    for parts in ([rows, twin], [twin, rows]):
        shard = Shard(ROOMY)
        for part in parts:
            shard.add(part, b"ab", quiet[:0])
        shard.add(rows[:0], b"", quiet)
        labels.add(shard.close(START + DAY)[-1].labels)
    assert len(labels) == 1


def test_a_reel_that_comes_again_days_later_counts_once() -> None:
    uses = [(1, 11, 0, 0), (2, 12, 0, 0), (3, 13, 0, 0), (1, 14, 200, 0)]
    rows = np.zeros(5, USE)
    for row, (author, reel, tick, again) in zip(rows, uses, strict=False):
        row["signal"], row["author"], row["reel"], row["again"] = 5, author, reel, again
        row["tick"] = row["apply"] = START + tick
    rows[4] = rows[0]
    rows[4]["apply"], rows[4]["again"] = START + 210, 1
    shard, _ = at_once(ROOMY, rows, volume_of(rows, 5))
    assert shard.counts.signals[0]["total"] == 4


def test_closing_ticks_with_nothing_to_do_does_nothing() -> None:
    rows = stream(1, 300, 1, signals=5, authors=14)
    calm = ShardSettings(600, WINDOWS, min_authors=10**6, min_growth=2.0, memory_bytes=0)
    shard, _ = at_once(calm, rows, volume_of(rows, 20))
    before = pickle.dumps(shard)
    for far in (1, 2, 1000, 10**6, 10**9):
        reports = shard.close(int(rows["apply"].max()) + far)
        assert [part.through for part in reports] == [rows["apply"].max() + far]
        assert told(reports) == []
    assert pickle.dumps(shard) == before


def test_a_gap_of_months_is_skipped() -> None:
    rows = stream(1, 3000, 2, signals=5, authors=300)
    shard, _ = at_once(ROOMY, rows, volume_of(rows, 20))
    last = int(rows["apply"].max())
    assert shard.counts.n[k.TRACKED] > 0
    idle = shard.close(last + 200 * DAY)
    signals = np.concatenate([part.signal for part in idle])
    # Its longest window may burst for one more day, then it is followed for three.
    days = bursts.TRACKED_DAYS + 1
    assert np.unique(signals, return_counts=True)[1].max() <= days * 24 + 1
    assert shard.counts.n[k.TRACKED] == 0
    assert shard.counts.n[k.NOW] <= last + days * DAY + HOUR
    state = pickle.dumps(shard)
    shard.close(last + 10**9)
    assert pickle.dumps(shard) == state


def test_after_a_gap_of_months_days_are_counted_afresh() -> None:
    rows = stream(1, 2000, 2, signals=5, authors=300)
    later = rows.copy()
    later["tick"] += 200 * DAY
    later["apply"] += 200 * DAY
    shard, _ = at_once(ROOMY, rows, volume_of(rows, 20))
    shard.add(*labelled(later), volume_of(rows, 20)[:0])
    shard.close(int(later["apply"].max()))
    fresh = at_once(ROOMY, later, volume_of(rows, 20)[:0])[0]
    both = [
        {
            int(s["key"]): (s["day_authors"], s["day_reels"], s["hours_authors"])
            for s in c.signals[: c.n[k.ROWS]]
        }
        for c in (shard.counts, fresh.counts)
    ]
    assert both[0] == both[1]


@pytest.mark.parametrize("memory", [0, 400_000])
def test_ten_times_too_many_signals_stay_within_the_budget(memory: int) -> None:
    settings = ShardSettings(600, WINDOWS, 4, 2.0, memory)
    signals = 10 * settings.max_rows
    rows = np.zeros(3 * signals, USE)
    ticks = np.arange(rows.size) * 3 * DAY // rows.size // 4 * 4
    rows["apply"] = rows["tick"] = START + ticks
    rows["signal"] = hashes(np.arange(rows.size) // 3, 1)
    rows["author"] = rows["reel"] = hashes(np.arange(rows.size), 2)
    volume = volume_of(rows, 5)
    shard = Shard(settings)
    for tick in np.unique(rows["apply"]).tolist():
        now = rows["apply"] == tick
        shard.add(*labelled(rows[now]), volume[volume["apply"] == tick])
        shard.close(tick)
        c = shard.counts
        assert c.n[k.ROWS] <= c.signals.size <= settings.max_rows
        a_tick = int(np.count_nonzero(now)) * (k.ROW_BYTES + 12 + 2 * k.PAGE_BYTES)
        assert closing.bytes_of(c.n) <= k.PRESSURE * settings.max_bytes + a_tick
        assert c.n[k.NEXT_USE] - c.n[k.FIRST_USE] <= c.uses.size <= settings.max_uses
        assert c.pairs.size <= max(settings.max_pairs, 16 * int(np.count_nonzero(now)))
        assert c.n[k.PAIRS] < c.pairs.size
    assert c.n[k.EVICTED] > 0


def test_the_input_is_left_unchanged() -> None:
    rows, labels = labelled(STREAMS[2])
    volume = volume_of(rows, 20)
    before = rows.tobytes(), volume.tobytes()
    shard = Shard(ROOMY)
    shard.add(rows, labels, volume)
    shard.close(START + DAY)
    shard.close(START + 9 * DAY)
    assert (rows.tobytes(), volume.tobytes()) == before


@pytest.mark.parametrize("seconds", [0, -600, 700, 7200])
def test_a_tick_divides_an_hour(seconds: int) -> None:
    with pytest.raises(ValueError, match="tick_seconds"):
        ShardSettings(seconds, WINDOWS, 4, 2.0, 0)


def test_rows_that_wait_may_share_one_label() -> None:
    rows = np.zeros(3000, USE)
    rows["apply"] = rows["tick"] = START + np.arange(rows.size) % 3
    rows["signal"], rows["kind"], rows["label_len"] = 7, 1, 40
    rows["author"] = rows["reel"] = np.arange(1, rows.size + 1)
    label = b"a label of forty bytes that all rows say"
    shard = Shard(ROOMY)
    shard.add(rows, label, np.zeros(0, VOLUME))
    for tick in range(START, START + 3):
        shard.close(tick)
    counts = shard.counts
    assert counts.n[k.ROWS] == 1
    assert counts.signals[0]["total"] == rows.size
    assert counts.labels[: len(label)].tobytes() == label
