"""`groundswell extract`: what the user asks, checked, and run to its end."""

import asyncio
from collections.abc import AsyncGenerator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from extractors.media import MissingError
from flows.errors import UserError
from flows.extraction.files import Reels, finished, inputs, is_reels, made_at
from flows.extraction.opening import pipeline_of
from flows.extraction.output import Output, Rejects, Told
from flows.extraction.progress import Progress
from flows.extraction.repeats import Repeats
from flows.extraction.sounds import SoundIds
from flows.extraction.stopping import interrupted
from flows.plain import plain
from flows.replay import say
from flows.settings import Settings, load
from operators.blocks import Reject
from operators.extraction.gate import Gate
from operators.extraction.lines import enriched
from operators.extraction.pipeline import Done, Job
from operators.sounds import CatalogueError

if TYPE_CHECKING:
    from rich.console import Console

UNKNOWN: Final = "2005-01-01T00:00:00Z"
"""Time of media that does not say when it was made: the first that the contract takes."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asks, as the command line says it; None: not given."""

    paths: tuple[str, ...]
    to: Path | None = None
    rejects: Path | None = None
    catalogue: Path | None = None
    at: str = UNKNOWN
    to_end: bool = False


def extract(request: Request, console: "Console") -> int:
    """Run it and return the exit code: 0, or 128 + n after signal n. Raises `UserError`."""
    settings = load()
    check_packages()
    if not request.paths:
        if request.to or request.rejects or request.catalogue:
            raise UserError("--to, --rejects, --catalog: expected files; topics are in settings")
        from flows.extraction.topics import from_topics

        return from_topics(settings, console, to_end=request.to_end)
    at = made_at(request.at)
    if at is None:
        raise UserError(f"--at {request.at}: expected a time such as {UNKNOWN}, 2005 to 2049")
    files = inputs(request.paths)
    outputs = [path for path in (request.to, request.rejects, request.catalogue) if path]
    taken = {Path(name).resolve() for name in files}
    for path in outputs:
        if path.resolve() in taken:
            raise UserError(f"{path}: is an input, or given twice")
        taken.add(path.resolve())
    try:
        return asyncio.run(_Files(request, settings, console, files, at).run())
    except (MissingError, CatalogueError) as error:
        raise UserError(str(error)) from None


def check_packages() -> None:
    """Raise `UserError` where nothing could be extracted."""
    try:
        import av  # noqa: F401
    except ImportError:
        raise UserError("extract needs the package av: pip install 'groundswell[audio]'") from None


class _Files:
    """An extraction from files."""

    def __init__(
        self,
        request: Request,
        settings: Settings,
        console: "Console",
        files: list[str],
        at: datetime,
    ) -> None:
        self._request = request
        self._settings = settings
        self._console = console
        self._files = files
        self._at = at

    async def run(self) -> int:
        request, settings = self._request, self._settings
        with ExitStack() as stack:
            output = stack.enter_context(Output(request.to))
            rejects = stack.enter_context(Rejects(request.rejects))
            known = (settings.sounds_known, settings.sounds_dense)
            sounds = stack.enter_context(SoundIds(request.catalogue, *known))
            progress = Progress(self._console)
            gate = Gate(settings.extract_per_hour, settings.extract_by)
            repeats = Repeats(gate, settings.extract_remembered)
            whole = settings.sound_file_mb << 20
            reels = Reels(self._files, repeats, self._at, whole, rejects.write)
            jobs = reels.jobs()
            before = await _skip(output.told(), jobs, sounds, request.to)
            if before:
                said = f"{request.to}: goes on behind the {before:,} reels that it has"
                say(self._console, said)
            tell = partial(say, self._console)
            stages = pipeline_of(settings, tell, fetches=_fetches(self._files))
            with progress, interrupted() as received:
                async with stages as pipeline:
                    async for done in pipeline.run(jobs):
                        self._one(done, repeats, output, rejects, sounds)
                        progress.count(done)
            if received:
                say(self._console, "The same command goes on from here.")
                return 128 + received[0]
            nothing = before and not progress.reels
            say(self._console, "nothing was left to do" if nothing else progress.line())
            if repeats.held or repeats.repeated:
                passed = f"passed as they came: {repeats.held:,} held back by extract_per_hour"
                say(self._console, f"{passed}, {repeats.repeated:,} that had come before")
            for what, path in (("reels", request.to), ("rejects", request.rejects)):
                if path is not None:
                    say(self._console, f"{what}: {path.absolute()}")
            return 0

    def _one(
        self, done: Done, repeats: Repeats, output: Output, rejects: Rejects, sounds: SoundIds
    ) -> None:
        """Write what became of a reel."""
        line, before, reel = finished(done)
        reel = sounds.identified(reel)
        output.write(enriched(line, before, reel))
        if done.failed:
            repeats.forget(reel.reel_id)
            place, why = done.job.place, done.failed[0]
            said = (why.error, plain(why.reason))
            rejects.write(Reject(place.source, place.record, 0, *said, line, len(line)))


async def _skip(
    told: Iterator[Told], jobs: AsyncGenerator[Job, None], sounds: SoundIds, to: Path | None
) -> int:
    """Pass over the jobs that were done before, and return how many they are.

    Raises `UserError` where what was written is of other reels.
    """
    number = 0
    for number, line in enumerate(told, 1):
        job = await anext(jobs, None)
        same = job is not None and (
            job.reel.media_url == line.media_url
            if job.path is not None
            else job.reel.reel_id == line.reel_id
        )
        if not same:
            found = plain(line.reel_id)
            raise UserError(
                f"{to}: line {number} is of {found}, which is not what is to be extracted next; "
                "remove the file, or name another"
            )
        if line.audio is not None and line.audio.audio_id is not None:
            sounds.learn(line.audio)
    return number


def _fetches(files: list[str]) -> bool:
    return any(is_reels(Path(name)) for name in files)
