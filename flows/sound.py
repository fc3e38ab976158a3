"""`groundswell sound add` and `sound identify`: files in, one JSON object a file out."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from extractors.audio import Decoder
from extractors.decoding import Limits, UnheardError
from extractors.fingerprint import fingerprint
from extractors.media import MissingError
from flows.errors import UserError
from flows.settings import Settings, load
from operators.sounds import Catalogue, CatalogueError, Identified
from trend.acoustics.peaks import F32, peaks


def add(files: Sequence[Path], catalogue: Path, title: str | None) -> int:
    """Make the sounds of files known; 1 if one of them could not be heard."""
    settings = load()
    with _opened(catalogue, settings, new=True) as known:
        return _each(files, settings, lambda heard: known.add(peaks(heard), title, _chroma(heard)))


def identify(files: Sequence[Path], catalogue: Path) -> int:
    """Tell which known sounds the files are; 1 if one of them could not be heard."""
    settings = load()
    with _opened(catalogue, settings, new=False) as known:
        return _each(files, settings, lambda heard: known.identify(peaks(heard)))


def _opened(catalogue: Path, settings: Settings, *, new: bool) -> Catalogue:
    try:
        return Catalogue(
            catalogue, new=new, most=settings.sounds_known, dense=settings.sounds_dense
        )
    except CatalogueError as error:
        raise UserError(str(error)) from None


def _chroma(samples: F32) -> str | None:
    try:
        return fingerprint(samples)
    except MissingError:
        return None  # what is known of a sound does not need it


def _each(files: Sequence[Path], settings: Settings, tell: Callable[[F32], Identified]) -> int:
    limits = Limits(
        seconds=settings.sound_seconds,
        memory_mb=settings.sound_memory_mb,
        cpu_seconds=settings.sound_cpu_seconds,
        clock_seconds=2.0 * settings.sound_cpu_seconds,
    )
    failed = 0
    with Decoder(limits, settings.sound_file_mb) as decoder:
        for file in files:
            line: dict[str, Any] = {"file": str(file)}
            try:
                found = tell(decoder.samples(file))
                line |= found._asdict()
                line |= {"score": round(found.score, 4), "speed": round(found.speed, 4)}
                line["pitch_semitones"] = round(found.pitch_semitones, 2) + 0.0
            except UnheardError as error:
                line |= {"error": error.kind, "reason": str(error)}
            except OSError as error:
                line |= {"error": "unreadable", "reason": error.strerror or str(error)}
            except (MissingError, CatalogueError) as error:
                raise UserError(str(error)) from None
            failed += "error" in line
            print(json.dumps(line, ensure_ascii=True), flush=True)
    return 1 if failed else 0
