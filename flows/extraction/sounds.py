"""The ids of sounds, in the order of the reels, so that the same input has the same ids."""

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

import msgspec
import numpy as np

from extractors.sound import VERSION
from operators.sounds import Catalogue
from schemas.reels import Audio, Reel
from trend.acoustics.peaks import unpack


class SoundIds:
    """Gives reels whose sound has landmarks and no id the id of that sound; a context manager.

    Args:
        catalogue: file of known sounds, which learns new ones; None: sounds are known within the
            run.
        most, dense: sounds, as `Catalogue` takes them.

    Raises `CatalogueError`.
    """

    def __init__(self, catalogue: Path | None, most: int, dense: int) -> None:
        self._folder = TemporaryDirectory(prefix="groundswell-") if catalogue is None else None
        path = catalogue if self._folder is None else Path(self._folder.name, "sounds.db")
        assert path is not None
        self._catalogue = Catalogue(path, new=True, most=most, dense=dense)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._catalogue.close()
        if self._folder is not None:
            self._folder.cleanup()

    def identified(self, reel: Reel) -> Reel:
        """Return a reel with the id of its sound, if it has none and can have one."""
        audio = reel.audio
        if audio is None or audio.audio_id is not None:
            return reel
        found = self.learn(audio)
        if found is None:
            return reel
        return msgspec.structs.replace(reel, audio=msgspec.structs.replace(audio, audio_id=found))

    def learn(self, audio: Audio) -> str | None:
        """Make a sound known, and return its id; None without landmarks that can be read."""
        landmarks = audio.landmarks
        if landmarks is None or landmarks.version != VERSION or len(landmarks.data) % 4:
            return None
        try:
            peaks = unpack(np.frombuffer(landmarks.data, "<u4").astype(np.uint32))
        except ValueError:
            return None
        return self._catalogue.add(peaks, audio.title, audio.fingerprint).sound_id
