"""What an extractor takes and gives.

An extractor is anything that has what `Extractor` says. The flow decodes a media file once
(`extractors.decoding`), gives what is in it to each extractor in batches over many reels, and
merges the fields they find into the reel. Only fields that a reel lacks are merged: what came with
it stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from schemas.reels import Reel

F32 = npt.NDArray[np.float32]
F64 = npt.NDArray[np.float64]
U8 = npt.NDArray[np.uint8]

RATE: Final = 16_000
"""Samples a second of all sound."""

NO_FRAMES: Final = np.empty((0, 0, 0, 3), np.uint8)


class MissingError(Exception):
    """A package or a model that is needed is not there: the message names it and how to get it.

    An extractor raises it when it is made; the flow says so once and goes on without it.
    """


@dataclass(frozen=True, slots=True)
class Failed:
    """Why a reel gives nothing here: a class (one word, safe to count by) and a reason in words."""

    error: str
    reason: str


@dataclass(frozen=True, slots=True)
class Media:
    """One reel, and what its media file gave.

    Attributes:
        reel: as it came; its caption and language are hostile text.
        pcm: float32 [samples], mono at `RATE`, from -1 to 1; None where there is no sound.
        frames: uint8 [n, height, width, 3], RGB; key frames in order of time, at most as many and
            as large as the settings `extract_frames` and `extract_side` say, upright, in the
            proportions of the picture; n is 0 where there is no picture.
        times: float64 [n], seconds from the beginning, of the frames.
        duration_s: of all of the media, of which `pcm` may hold the beginning only; None: unknown.
    """

    reel: Reel
    pcm: F32 | None = None
    frames: U8 = field(default_factory=lambda: NO_FRAMES)
    times: F64 = field(default_factory=lambda: np.empty(0))
    duration_s: float | None = None


Fields = Mapping[str, Any]
"""Fields of `schemas.reels.Reel`, with values of the types they have there."""


class Extractor(Protocol):
    """Finds fields of reels in their media. It is called from one thread, one batch at a time."""

    @property
    def name(self) -> str:
        """One word, for settings, counters and messages, such as `speech`."""

    @property
    def gives(self) -> frozenset[str]:
        """The fields it is there for: a reel that has all of them is not given to it."""

    @property
    def needs(self) -> frozenset[str]:
        """Of `pcm` and `frames`, what it looks at: a reel without any of that is not given to it,
        and what no extractor needs is not decoded."""

    @property
    def max_batch(self) -> int:
        """Most reels in a batch."""

    @property
    def max_wait_s(self) -> float:
        """Seconds that the first reel of a batch waits for others."""

    def extract(self, media: Sequence[Media]) -> Sequence[Fields | Failed]:
        """Return what was found of each, in the same order; an empty mapping: nothing to say.

        A reel must not fail its neighbours: what it raises fails the whole batch, and the flow
        then gives it each reel of it alone, once.
        """

    def close(self) -> None:
        """Let go of what it holds."""
