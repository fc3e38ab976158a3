"""From reels to enriched reels: fetched, decoded, looked at and merged, each as fast as it goes.

Reels overtake each other inside and come out in the order in which they came. Everything between
two stages is bounded: reels under way by `window`, files that were fetched and wait to be decoded
by `files`, decoded media by `decoded`. A reel whose media cannot be had comes out as it came, with
the reason beside it, and holds up nobody.
"""

import asyncio
import os
import threading
import time
from collections.abc import AsyncGenerator, AsyncIterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from extractors.acoustid import AcoustId
from extractors.audio import Decoded, Decoder
from extractors.decoding import Limits, UnheardError
from extractors.fetching.errors import FetchError
from extractors.fetching.fetch import Fetched, Fetcher
from extractors.media import Extractor, Failed, Fields, Media
from operators import metrics
from operators.extraction.batches import Batches
from operators.extraction.merge import lacks, merged
from schemas.reels import Audio, Reel

_HARMLESS: Final = frozenset(("mute", "silent", "short", "blind"))
"""What is no fault of a file: that it has no sound, or no picture."""
LONGEST_S: Final = 604_800.0
"""What the contract has room for."""


@dataclass(frozen=True, slots=True)
class Job:
    """One reel on its way.

    Attributes:
        reel: as it came.
        place: whatever the source wants to know it by.
        path: its media, where it is a file that the user gave; else it is at `media_url`.
        wanted: whether its media is to be looked at.
    """

    reel: Reel
    place: Any = None
    path: Path | None = None
    wanted: bool = True


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a reel.

    `failed`: why there is nothing of its media, or of a part of it; first what came first.
    `looked`: whether its media was had. `created`: when that says it was made.
    """

    job: Job
    reel: Reel
    failed: tuple[Failed, ...] = ()
    looked: bool = False
    created: str = ""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much there may be of everything.

    Attributes:
        window: reels under way, from the first whose media is not done to the last that began.
        files: fetched, which lie on disk until they are decoded.
        decoded: media in memory.
        decoders: processes.
        file_mb: size of a media file.
        seconds: that an extractor may take, its queue included.
    """

    window: int = 512
    files: int = 64
    decoded: int = 16
    decoders: int = 2
    file_mb: int = 512
    seconds: float = 300.0


@dataclass
class Pipeline:
    """The stages. An async context manager.

    Args:
        fetcher: None: nothing is fetched.
        titles: None: sounds without a title are not looked up.
        extractors: closed with it.
        limits: of decoding; what no extractor needs is not decoded.
    """

    bounds: Bounds
    limits: Limits
    extractors: Sequence[Extractor]
    fetcher: Fetcher | None = None
    titles: AcoustId | None = None
    _decoders: list[Decoder] = field(default_factory=list)

    async def __aenter__(self) -> "Pipeline":
        needs = {need for one in self.extractors for need in one.needs}
        self.limits = self.limits._replace(
            listen="pcm" in needs, frames=self.limits.frames if "frames" in needs else 0
        )
        self._batches = [Batches(one) for one in self.extractors]
        self._files = asyncio.Semaphore(self.bounds.files)
        self._memory = asyncio.Semaphore(self.bounds.decoded)
        self._own = threading.local()
        self._threads = ThreadPoolExecutor(self.bounds.decoders, "decode")
        return self

    async def __aexit__(self, *_: object) -> None:
        for decoder in self._decoders:
            decoder.kill()
        await asyncio.to_thread(self._threads.shutdown)
        for decoder in self._decoders:
            decoder.close()
        if self.fetcher is not None:
            await self.fetcher.close()
        if self.titles is not None:
            await self.titles.close()
        for batches in self._batches:
            await batches.close()

    async def run(self, jobs: AsyncIterable[Job]) -> AsyncGenerator[Done, None]:
        """Yield what becomes of jobs, in their order. Raises what `jobs` raises, in its place."""
        under_way: asyncio.Queue[asyncio.Task[Done] | None] = asyncio.Queue()
        room = asyncio.Semaphore(self.bounds.window)
        metrics.LIMIT.set(self.bounds.window, "extract-window")
        metrics.LIMIT.set(self.bounds.decoded, "extract-decoded")

        async def begin() -> None:
            async for job in jobs:
                await room.acquire()
                metrics.USED.add(1, "extract-window")
                under_way.put_nowait(asyncio.create_task(self._one(job)))

        feeder = asyncio.create_task(begin())
        feeder.add_done_callback(lambda _: under_way.put_nowait(None))
        tasks: set[asyncio.Task[Any]] = {feeder}
        try:
            while (task := await under_way.get()) is not None:
                tasks.add(task)
                done = await task
                tasks.discard(task)
                room.release()
                metrics.USED.add(-1, "extract-window")
                yield done
            await feeder
        finally:
            while not under_way.empty():
                if (left := under_way.get_nowait()) is not None:
                    tasks.add(left)
            for one in tasks:
                one.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _one(self, job: Job) -> Done:
        if not job.wanted or (job.path is None and job.reel.media_url is None):
            return Done(job, job.reel)
        asked = [
            one
            for one in self._batches
            if any(lacks(job.reel, name) for name in one.extractor.gives)
        ]
        if not asked:
            return Done(job, job.reel)
        try:
            async with self._files:
                with _timed("fetch"):
                    fetched = await self._fetched(job)
                with _timed("decode"):
                    decoded = await self._decoded(fetched.file)
        except (FetchError, UnheardError) as error:
            return Done(job, job.reel, (Failed(error.kind, str(error)),))
        try:
            return await self._look(job, fetched, decoded, asked)
        finally:
            self._free()

    async def _fetched(self, job: Job) -> Fetched:
        """The open media of a reel. Raises `FetchError`."""
        if job.path is not None:
            try:
                file = os.open(job.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except OSError as error:
                raise FetchError("gone", error.strerror or str(error)) from None
            return Fetched(file)
        if self.fetcher is None:
            raise FetchError("address", "nothing is fetched here")
        return await self.fetcher.fetch(job.reel.media_url or "")

    async def _decoded(self, file: int) -> Decoded:
        """What is in a file, for which there is memory from here on; the file is closed.

        Raises `UnheardError`.
        """
        try:
            await self._memory.acquire()
        except BaseException:
            os.close(file)
            raise
        metrics.USED.add(1, "extract-decoded")
        decoding = self._threads.submit(self._decode, file)
        try:
            return await asyncio.wrap_future(decoding)
        except BaseException:
            self._free()
            if decoding.cancelled():  # it never began
                os.close(file)
            raise

    def _free(self) -> None:
        self._memory.release()
        metrics.USED.add(-1, "extract-decoded")

    def _decode(self, file: int) -> Decoded:
        try:
            decoder: Decoder | None = getattr(self._own, "decoder", None)
            if decoder is None:
                decoder = self._own.decoder = Decoder(self.limits, self.bounds.file_mb)
                self._decoders.append(decoder)
            return decoder.media(file)
        finally:
            os.close(file)

    async def _look(
        self, job: Job, fetched: Fetched, decoded: Decoded, asked: Sequence[Batches]
    ) -> Done:
        media = Media(
            job.reel, decoded.pcm, decoded.frames, decoded.times, decoded.duration_s or None
        )
        there = {"pcm": media.pcm is not None, "frames": len(media.frames) > 0}
        able = [one for one in asked if any(there[need] for need in one.extractor.needs)]
        found = await asyncio.gather(*(self._ask(one, media) for one in able))
        failed = [
            one
            for one in (decoded.unheard, decoded.unseen)
            if one is not None and one.error not in _HARMLESS
        ]
        reel = job.reel
        for one in (*found, _said(fetched, decoded)):
            if isinstance(one, Failed):
                failed.append(one)
            else:
                reel = merged(reel, one)
        named = await self._titled(reel, media)
        if isinstance(named, Failed):
            failed.append(named)
        else:
            reel = merged(reel, named)
        return Done(job, reel, tuple(failed), True, decoded.created)

    async def _titled(self, reel: Reel, media: Media) -> Fields | Failed:
        """What the sound of a reel is called, where it has a fingerprint and no title."""
        audio = reel.audio
        if self.titles is None or audio is None or not audio.fingerprint or audio.title:
            return {}
        with _timed("acoustid"):
            found = await self.titles.titled(audio.fingerprint, media.duration_s or 0.0)
        if isinstance(found, Failed):
            return found
        return {"audio": Audio(title=found.title, artist=found.artist)}

    async def _ask(self, batches: Batches, media: Media) -> Fields | Failed:
        try:
            with _timed(batches.extractor.name):
                async with asyncio.timeout(self.bounds.seconds):
                    return await batches.ask(media)
        except TimeoutError:
            name = batches.extractor.name
            return Failed(name, f"took more than {self.bounds.seconds:g} s")


@contextmanager
def _timed(stage: str) -> Iterator[None]:
    began = time.monotonic()
    try:
        yield
    finally:
        metrics.EXTRACT_SECONDS.observe(time.monotonic() - began, stage)


def _said(fetched: Fetched, decoded: Decoded) -> Fields:
    """What the file, and the page it is from, say of themselves."""
    fields: dict[str, Any] = {}
    if 0 < decoded.duration_s <= LONGEST_S:
        fields["duration_s"] = round(decoded.duration_s, 3)
    if fetched.page is not None and fetched.page.title:
        fields["caption"] = fetched.page.title
    return fields
