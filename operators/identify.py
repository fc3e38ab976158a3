"""The step that gives a reel's sound its id.

Where fingerprints are known they decide it. Until then the sound is the one the platform names.
"""

from dataclasses import replace

import polars as pl

from operators.blocks import Fresh


def identify(fresh: Fresh) -> Fresh:
    """The same reels with `audio_id` the id of the sound, null where there is none.

    An id of nothing but white space, or with the U+001F that ends an id in a label, names no sound.
    """
    sound = pl.col("audio_id")
    valid = (sound.str.strip_chars() != "") & ~sound.str.contains("\x1f", literal=True)
    named = pl.when(valid).then(sound)
    return replace(fresh, reels=fresh.reels.with_columns(audio_id=named))
