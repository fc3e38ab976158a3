"""The extractors, the fetcher and the bounds that the settings speak of."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from extractors.acoustid import AcoustId
from extractors.decoding import Limits
from extractors.media import Extractor, MissingError
from flows.settings import Settings
from operators.extraction.pipeline import Bounds, Pipeline

if TYPE_CHECKING:
    from extractors.fetching.fetch import Fetcher

PROFILE: Final = "profile.json"


def limits_of(settings: Settings) -> Limits:
    """What decoding one file may take."""
    return Limits(
        seconds=settings.sound_seconds,
        memory_mb=settings.sound_memory_mb,
        cpu_seconds=settings.sound_cpu_seconds,
        clock_seconds=2.0 * settings.sound_cpu_seconds,
        frames=settings.extract_frames,
        side=settings.extract_side,
    )


def bounds_of(settings: Settings) -> Bounds:
    """How much there may be of everything."""
    return Bounds(
        window=settings.extract_window,
        files=2 * settings.fetch_at_once,
        decoded=settings.extract_decoded,
        decoders=settings.extract_decoders,
        file_mb=max(settings.sound_file_mb, settings.fetch_file_mb),
        seconds=settings.extract_seconds,
    )


def fetcher_of(settings: Settings) -> "Fetcher":
    """What fetches. Raises `MissingError` without its packages."""
    from extractors.fetching.addresses import networks
    from extractors.fetching.cache import Cache
    from extractors.fetching.fetch import Fetcher
    from extractors.fetching.fetch import Limits as FetchLimits

    folder = Path(settings.fetch_cache).expanduser() if settings.fetch_cache else None
    limits = FetchLimits(
        file_mb=settings.fetch_file_mb,
        seconds=settings.fetch_seconds,
        stall_seconds=settings.fetch_stall_seconds,
        at_once=settings.fetch_at_once,
        per_host=settings.fetch_per_host,
        wait_seconds=settings.fetch_wait_seconds,
        private=networks(settings.fetch_private),
        folders=tuple(Path(one) for one in settings.fetch_folders.split(":") if one),
    )
    return Fetcher(limits, Cache(folder, settings.fetch_cache_mb << 20))


def extractors_of(settings: Settings) -> tuple[list[Extractor], list[str]]:
    """All extractors that can be had, and why the others cannot, a line each."""
    made: list[Extractor] = []
    missing: list[str] = []
    for name, make in _MAKERS.items():
        try:
            one = make(settings)
        except (MissingError, _model_error()) as error:
            missing.append(f"{name}: {error}")
            continue
        if one is not None:
            made.append(one)
            if said := getattr(one, "missing", None):
                missing.append(f"{name}: {said}")
    return made, missing


def _sound(settings: Settings) -> Extractor | None:
    from extractors.sound import Sound

    return Sound()


def _visual(settings: Settings) -> Extractor | None:
    if not settings.visual_model:
        return None
    from extractors.models import Store, home
    from extractors.runtime import Session
    from extractors.visual import Visual

    name = settings.visual_model
    store = Store(home(settings.models_dir))
    folder, locked = store.open(name, "visual")
    card = store.card(name)
    session = Session(
        folder / card.image,
        name,
        (3, card.size, card.size),
        output=card.image_output,
        devices=settings.model_devices.split(","),
        threads=settings.model_threads,
        batch=settings.visual_batch,
        profile=store.folder / PROFILE,
        digest=locked.files[card.image][0],
    )
    return Visual(session, card, name)


def _speech(settings: Settings) -> Extractor | None:
    if not settings.speech_model:
        return None
    from extractors.models import Store, home
    from extractors.speech import Speech

    name = settings.speech_model
    folder, _ = Store(home(settings.models_dir)).open(name, "speech")
    return Speech(
        folder,
        name,
        seconds=settings.speech_seconds,
        batch=settings.speech_batch,
        threads=settings.model_threads,
    )


def _text(settings: Settings) -> Extractor | None:
    if not settings.ocr_frames:
        return None
    from extractors.text import Text

    return Text(frames=settings.ocr_frames, side=settings.ocr_side, threads=settings.model_threads)


def _model_error() -> type[Exception]:
    from extractors.runtime import ModelError

    return ModelError


_MAKERS: Final[dict[str, Callable[[Settings], Extractor | None]]] = {
    "sound": _sound,
    "visual": _visual,
    "speech": _speech,
    "text": _text,
}


def pipeline_of(settings: Settings, tell: Callable[[str], None], *, fetches: bool) -> Pipeline:
    """The stages, as the settings have them; what is missing is told. Raises `MissingError`."""
    extractors, missing = extractors_of(settings)
    for one in missing:
        tell(f"without {one}")
    fetcher = fetcher_of(settings) if fetches else None
    key = settings.acoustid_key.get_secret_value()
    titles = AcoustId(key, settings.acoustid_url) if key else None
    return Pipeline(bounds_of(settings), limits_of(settings), extractors, fetcher, titles)
