"""Reels meet in batches before an extractor: as many as it takes, or those that came in time."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from extractors.media import Extractor, Failed, Fields, Media

Asked = tuple[Media, "asyncio.Future[Fields | Failed]"]

MAX_REASON: Final = 300


class Batches:
    """Asks one extractor, in a thread of its own, for whoever waits.

    How many wait is for the caller to limit.
    """

    def __init__(self, extractor: Extractor) -> None:
        self.extractor = extractor
        self.batches = self.reels = 0
        self._waiting: list[Asked] = []
        self._came = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, f"extract-{extractor.name}")
        self._task = asyncio.create_task(self._go())

    async def ask(self, media: Media) -> Fields | Failed:
        """Return what the extractor finds."""
        answer: asyncio.Future[Fields | Failed] = asyncio.get_running_loop().create_future()
        self._waiting.append((media, answer))
        self._came.set()
        return await answer

    async def close(self) -> None:
        """Ask nothing more; a batch that is being looked at is waited for."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.to_thread(self._thread.shutdown)
        self.extractor.close()

    async def _go(self) -> None:
        while True:
            batch = await self._batch()
            found = await self._found([media for media, _ in batch])
            for (_, answer), one in zip(batch, found, strict=True):
                if not answer.done():  # nobody waits any more
                    answer.set_result(one)

    async def _batch(self) -> list[Asked]:
        await self._until_came(None)
        until = asyncio.get_running_loop().time() + self.extractor.max_wait_s
        while len(self._waiting) < self.extractor.max_batch:
            if not await self._until_came(until):
                break
        batch = self._waiting[: self.extractor.max_batch]
        del self._waiting[: len(batch)]
        if self._waiting:
            self._came.set()
        return batch

    async def _until_came(self, until: float | None) -> bool:
        """Wait for another reel; False where none came until then."""
        try:
            async with asyncio.timeout_at(until):
                await self._came.wait()
        except TimeoutError:
            return False
        self._came.clear()
        return True

    async def _found(self, media: list[Media]) -> Sequence[Fields | Failed]:
        self.batches += 1
        self.reels += len(media)
        try:
            found = await self._ask(media)
            if len(found) == len(media):
                return found
            error: Exception = ValueError(f"{len(found)} answers for {len(media)} reels")
        except Exception as raised:  # whatever it is, it is some reel's doing
            error = raised
        if len(media) > 1:
            return [(await self._found([one]))[0] for one in media]
        said = str(error) or type(error).__name__
        return [Failed(self.extractor.name, said[:MAX_REASON])]

    async def _ask(self, media: list[Media]) -> Sequence[Fields | Failed]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self.extractor.extract, media)
