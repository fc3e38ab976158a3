"""Chromaprint: the fingerprint that AcoustID knows, as `fpcalc` prints it.

It finds re-uploads of the very same recording, re-encoded or trimmed. What was sped up, pitched or
talked over it does not find: that is what `trend.acoustics` is for.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from extractors.decoding import RATE
from extractors.media import MissingError

SECONDS: Final = 120
"""From the beginning, as `fpcalc` does."""

F32 = npt.NDArray[np.float32]


def fingerprint(samples: F32) -> str:
    """Return the compressed fingerprint of `samples`: float32, mono, at 16 kHz.

    Raises `MissingError` without pyacoustid or the library it needs.
    """
    try:
        import chromaprint
    except ImportError as error:
        known = "couldn't find" in str(error)
        wanted = (
            "the library Chromaprint: install libchromaprint1 (Debian, Ubuntu) or chromaprint"
            if known
            else "the package pyacoustid: install groundswell[audio]"
        )
        raise MissingError(f"needs {wanted}") from None
    maker = chromaprint.Fingerprinter()
    maker.start(RATE, 1)
    maker.feed((samples[: SECONDS * RATE] * 32767.0).astype("<i2").tobytes())
    found: bytes = maker.finish()
    return found.decode("ascii")
