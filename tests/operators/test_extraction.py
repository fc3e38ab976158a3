"""Reels go through the stages of extraction: in order, each for itself, and never too many."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from benchmarks.changes import encoded
from benchmarks.music import song
from extractors.decoding import Limits
from extractors.fetching.addresses import networks
from extractors.fetching.cache import Cache
from extractors.fetching.fetch import Fetcher
from extractors.fetching.fetch import Limits as FetchLimits
from extractors.media import Failed, Fields, Media
from operators.extraction.batches import Batches
from operators.extraction.gate import Gate
from operators.extraction.lines import enriched, line_of
from operators.extraction.merge import merged
from operators.extraction.pipeline import Bounds, Done, Job, Pipeline
from schemas.reels import Audio, Metrics, Reel, decode
from tests.extractors.clips import clip
from tests.extractors.servers import Site, answer, here, serving

AT = datetime(2026, 1, 5, tzinfo=UTC)


def reel(name: str, url: str | None = None, **more: object) -> Reel:
    made = Reel(reel_id=name, published_at=AT, author_id="a", media_url=url)
    return msgspec.structs.replace(made, **more)


@dataclass
class Hears:
    """Says how long a sound is; its first answer waits for `gate`, if there is one."""

    name: str = "hears"
    gives: frozenset[str] = frozenset({"transcript"})
    needs: frozenset[str] = frozenset({"pcm"})
    max_batch: int = 4
    max_wait_s: float = 0.0
    fails_on: frozenset[str] = frozenset()
    gate: threading.Event | None = None
    batches: list[list[str]] = field(default_factory=list)
    closed: bool = False

    def extract(self, media: Sequence[Media]) -> Sequence[Fields | Failed]:
        self.batches.append([one.reel.reel_id for one in media])
        if self.gate is not None:
            self.gate.wait(60)
        if self.fails_on & {one.reel.reel_id for one in media}:
            raise RuntimeError("no words")
        return [
            {} if one.pcm is None else {"transcript": f"{one.pcm.size / 16_000:.0f} s"}
            for one in media
        ]

    def close(self) -> None:
        self.closed = True


@dataclass
class Sees(Hears):
    name: str = "sees"
    gives: frozenset[str] = frozenset({"ocr_text"})
    needs: frozenset[str] = frozenset({"frames"})

    def extract(self, media: Sequence[Media]) -> Sequence[Fields | Failed]:
        return [{"ocr_text": f"{len(one.frames)} frames"} for one in media]


async def given(jobs: Iterable[Job]) -> AsyncGenerator[Job, None]:
    for job in jobs:
        yield job


def through(
    jobs: Callable[[Site], Iterable[Job]],
    handler: Callable[[str, asyncio.StreamWriter], Awaitable[None]],
    *extractors: Hears,
    bounds: Bounds | None = None,
    limits: FetchLimits | None = None,
) -> list[Done]:
    """What becomes of jobs whose media is at a server."""
    private = FetchLimits(private=networks("127.0.0.0/8"), file_mb=1, seconds=20, stall_seconds=20)

    async def run() -> list[Done]:
        async with serving(handler) as site:
            fetcher = Fetcher(limits or private, Cache(None, 0), here)
            async with Pipeline(
                bounds or Bounds(), Limits(frames=2), extractors, fetcher
            ) as pipeline:
                return [done async for done in pipeline.run(given(jobs(site)))]

    return asyncio.run(run())


@pytest.fixture(scope="module")
def video() -> bytes:
    return clip([(200, 0, 0), (0, 0, 200)], seconds=1.5, sound=song(2, 3))


@pytest.fixture(scope="module")
def audio() -> bytes:
    return encoded(song(3, 4), "mp3", "libmp3lame", 44_100)


def test_each_reel_gets_what_its_media_gives_and_only_what_it_lacks(
    video: bytes, audio: bytes
) -> None:
    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(video if "video" in path else audio))

    def jobs(site: Site) -> list[Job]:
        return [
            Job(reel("video", site.url("/video"))),
            Job(reel("audio", site.url("/audio"))),
            Job(reel("said", site.url("/video?2"), transcript="mine")),
            Job(reel("all", site.url("/never"), transcript="mine", ocr_text="mine")),
            Job(reel("none")),
            Job(reel("unwanted", site.url("/never")), wanted=False),
        ]

    hears, sees = Hears(), Sees()
    found = through(jobs, handler, hears, sees)
    assert [(one.reel.reel_id, one.reel.transcript, one.reel.ocr_text) for one in found] == [
        ("video", "3 s", "2 frames"),
        ("audio", "4 s", None),
        ("said", "mine", "2 frames"),
        ("all", "mine", "mine"),
        ("none", None, None),
        ("unwanted", None, None),
    ]
    assert [one.looked for one in found] == [True, True, True, False, False, False]
    assert not any(one.failed for one in found)
    assert found[0].reel.duration_s == pytest.approx(3, abs=0.2)
    assert found[3].reel is found[3].job.reel
    assert {name for batch in hears.batches for name in batch} == {"video", "audio"}
    assert hears.closed
    assert sees.closed


def test_what_is_wrong_with_a_reel_costs_that_reel_alone(video: bytes, audio: bytes) -> None:
    """A stalled server, a 404, 5 GB, noise and a corrupt video among good ones."""
    kinds = {
        "stalled": "slow",
        "gone": "gone",
        "huge": "huge",
        "noise": "broken",
        "corrupt": "broken",
        "inside": "private",
        "nowhere": "unresolved",
    }
    before = len(os.listdir("/proc/self/fd"))

    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        if path == "/stalled":
            await asyncio.Event().wait()
        known = {
            "/gone": answer(status="410 Gone"),
            "/huge": answer(b"", length=5 << 30),
            "/noise": answer(bytes(range(256)) * 50),
            "/corrupt": answer(video[: len(video) // 2]),
        }
        writer.write(known.get(path, answer(audio)))

    def jobs(site: Site) -> list[Job]:
        where = {
            "inside": "http://169.254.169.254/",
            "nowhere": "http://nowhere.example/",
            "stalled": site.url("/stalled", "stalled.test"),
        }
        names = [*kinds, "one", "two"]
        return [Job(reel(name, where.get(name) or site.url(f"/{name}"))) for name in names]

    limits = FetchLimits(private=networks("127.0.0.0/8"), file_mb=1, seconds=20, stall_seconds=0.5)
    found = through(jobs, handler, Hears(), limits=limits)
    assert {one.reel.reel_id: one.failed[0].error for one in found if one.failed} == kinds
    assert [one.reel.reel_id for one in found] == [*kinds, "one", "two"]
    assert [one.reel.transcript for one in found[-2:]] == ["4 s", "4 s"]
    assert all(one.reel is one.job.reel for one in found if one.failed)
    assert len(os.listdir("/proc/self/fd")) == before


def test_they_come_out_in_order_though_the_first_is_the_last_to_be_done(audio: bytes) -> None:
    served: list[str] = []
    last: list[asyncio.Event] = []

    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        if not last:
            last.append(asyncio.Event())
        if path == "/0":
            await last[0].wait()
        served.append(path)
        if path == "/5":
            last[0].set()
        writer.write(answer(audio))

    found = through(
        lambda site: [Job(reel(str(i), site.url(f"/{i}", f"h{i}.test"))) for i in range(6)],
        handler,
        Hears(),
    )
    assert [one.reel.reel_id for one in found] == ["0", "1", "2", "3", "4", "5"]
    assert all(one.reel.transcript for one in found)
    assert served.index("/0") > served.index("/5")


def test_of_ten_thousand_reels_as_many_are_under_way_as_may_be(audio: bytes) -> None:
    """The source is asked for no more than the window while the first waits for its server."""
    pulled = 0
    most = 0
    gate: list[asyncio.Event] = []

    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        await gate[0].wait()
        writer.write(answer(audio))

    async def source(site: Site) -> AsyncGenerator[Job, None]:
        nonlocal pulled
        yield Job(reel("first", site.url("/first")))
        for i in range(10_000):
            pulled += 1
            yield Job(reel(str(i)))

    async def run() -> None:
        nonlocal most
        gate.append(asyncio.Event())
        async with serving(handler) as site:
            limits = FetchLimits(private=networks("127.0.0.0/8"))
            fetcher = Fetcher(limits, Cache(None, 0), here)
            bounds = Bounds(window=50)
            async with Pipeline(bounds, Limits(), [Hears()], fetcher) as pipeline:
                task = asyncio.create_task(collect(pipeline.run(source(site))))
                while not site.asked:
                    await asyncio.sleep(0.01)
                for _ in range(200):
                    await asyncio.sleep(0)
                most = pulled
                gate[0].set()
                found = await task
                assert len(found) == 10_001
                assert found[0].reel.transcript == "4 s"

    async def collect(done: AsyncGenerator[Done, None]) -> list[Done]:
        return [one async for one in done]

    asyncio.run(run())
    assert most <= 51


def test_a_source_that_breaks_off_is_told_behind_what_came_before(audio: bytes) -> None:
    async def source() -> AsyncGenerator[Job, None]:
        yield Job(reel("one"))
        yield Job(reel("two"))
        raise OSError("no more")

    async def run() -> list[str]:
        found: list[str] = []
        async with Pipeline(Bounds(), Limits(), [Hears()]) as pipeline:
            done = pipeline.run(source())
            found += [(await anext(done)).reel.reel_id for _ in range(2)]
            with pytest.raises(OSError, match="no more"):
                await anext(done)
        return found

    assert asyncio.run(run()) == ["one", "two"]


def test_whoever_stops_listening_leaves_nothing_behind(tmp_path: Path, audio: bytes) -> None:
    (tmp_path / "a.mp3").write_bytes(audio)
    before = len(os.listdir("/proc/self/fd"))

    async def run() -> None:
        jobs = [Job(reel(str(i)), path=tmp_path / "a.mp3") for i in range(50)]
        async with Pipeline(Bounds(), Limits(), [Hears()]) as pipeline:
            done = pipeline.run(given(jobs))
            assert (await anext(done)).reel.transcript == "4 s"
            await done.aclose()

    asyncio.run(run())
    assert len(os.listdir("/proc/self/fd")) == before


def media(name: str) -> Media:
    return Media(reel(name))


def test_reels_meet_in_batches_while_one_is_looked_at() -> None:
    gate = threading.Event()
    hears = Hears(gate=gate, max_batch=4)

    async def run() -> None:
        batches = Batches(hears)
        first = asyncio.create_task(batches.ask(media("0")))
        while not hears.batches:
            await asyncio.sleep(0.01)
        others = [asyncio.create_task(batches.ask(media(str(i)))) for i in range(1, 8)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, *others)
        await batches.close()

    asyncio.run(run())
    assert hears.batches == [["0"], ["1", "2", "3", "4"], ["5", "6", "7"]]


def test_a_batch_waits_for_others_until_its_time_and_no_longer() -> None:
    patient = Hears(max_batch=2, max_wait_s=60)

    async def run() -> None:
        batches = Batches(patient)
        await asyncio.gather(*(batches.ask(media(str(i))) for i in range(2)))
        patient.max_wait_s = 0.01
        await batches.ask(media("alone"))
        await batches.close()

    asyncio.run(run())
    assert patient.batches == [["0", "1"], ["alone"]]


def test_a_reel_that_fails_its_batch_fails_alone() -> None:
    hears = Hears(fails_on=frozenset({"2"}), max_batch=3, max_wait_s=60)

    async def run() -> list[Fields | Failed]:
        batches = Batches(hears)
        found = await asyncio.gather(*(batches.ask(media(str(i))) for i in range(3)))
        await batches.close()
        return found

    assert asyncio.run(run()) == [{}, {}, Failed("hears", "no words")]


def test_an_extractor_that_hangs_holds_a_reel_for_as_long_as_it_may(audio: bytes) -> None:
    gate = threading.Event()

    async def handler(path: str, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(audio))

    def jobs(site: Site) -> Iterable[Job]:
        yield Job(reel("one", site.url("/one")))

    timer = threading.Timer(1.0, gate.set)  # it is waited for in the end
    timer.start()
    (found,) = through(jobs, handler, Hears(gate=gate), bounds=Bounds(seconds=0.2))
    timer.join()
    assert found.failed == (Failed("hears", "took more than 0.2 s"),)
    assert found.looked


LINE = (
    b'{"reel_id":"r","published_at":"2026-01-05T14:10:00Z","author_id":"a","mine":[1.0,{"b":1e3}],'
    b'"audio":{"audio_id":"7","theirs":1.50}, "caption" : "caf\\u00e9"}'
)


def test_a_line_keeps_all_that_came_and_gets_what_is_new() -> None:
    before = decode(LINE)
    after = merged(before, {"audio": Audio(audio_id="8", title="T"), "transcript": "hello"})
    assert after.audio == Audio(audio_id="7", title="T")
    line = enriched(LINE, before, after)
    assert decode(line) == after
    assert b'"mine":[1.0,{"b":1e3}]' in line
    assert b'"theirs":1.50' in line
    assert b'"caf\\u00e9"' in line
    assert enriched(LINE, before, before) is LINE
    assert decode(line_of(after)) == after
    assert b"null" not in line_of(after)


def stream(n: int, per_hour: int, likes: Callable[[int], int]) -> list[Reel]:
    return [
        msgspec.structs.replace(
            reel(f"r{i}", "http://x/"),
            published_at=AT + timedelta(hours=i / per_hour),
            metrics=Metrics(likes=likes(i)),
        )
        for i in range(n)
    ]


def test_the_gate_keeps_its_budget_in_every_hour() -> None:
    reels = stream(6000, 1000, lambda i: i * 7919 % 1000)
    gate = Gate(50)
    passed = [one.published_at for one in reels if gate.passes(one)]
    assert 200 <= len(passed) <= 300
    for i, at in enumerate(passed):
        assert sum(at - timedelta(hours=1) < other <= at for other in passed[: i + 1]) <= 50
    assert all(Gate(0).passes(one) for one in reels[:10])


def test_the_gate_takes_those_that_promise_most() -> None:
    reels = stream(4000, 1000, lambda i: i * 7919 % 1000)
    gate = Gate(100, "engagement")
    passed = [one.metrics.likes for one in reels if gate.passes(one) and one.metrics]
    assert sum(int(likes or 0) >= 880 for likes in passed[100:]) >= 0.9 * len(passed[100:])


def test_a_sound_that_begins_to_be_used_passes_the_gate() -> None:
    def with_sound(i: int, one: Reel) -> Reel:
        rising = i > 3000 and i % 20 == 0
        sound = "rising" if rising else f"s{i % 50}"
        return msgspec.structs.replace(one, audio=Audio(audio_id=sound))

    reels = [with_sound(i, one) for i, one in enumerate(stream(4000, 1000, lambda i: 0))]
    gate = Gate(100, "burst")
    passed = [one for one in reels if gate.passes(one)]
    late = [one for one in reels[3100:] if one.audio and one.audio.audio_id == "rising"]
    taken = {one.reel_id for one in passed}
    assert sum(one.reel_id in taken for one in late) >= 0.8 * len(late)


def test_the_gate_decides_the_same_again_and_without_what_comes_later() -> None:
    reels = stream(500, 1000, lambda i: 0)
    gates = [Gate(50), Gate(50)]
    first = [gates[0].passes(one) for one in reels]
    assert first[:300] == [gates[1].passes(one) for one in reels[:300]]
    assert 10 <= sum(first) <= 50
