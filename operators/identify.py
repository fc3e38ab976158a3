"""The step that gives a reel's sound its id.

Where fingerprints are known they decide it. Until then the sound is the one the platform names.
"""

from dataclasses import replace

from operators.blocks import Fresh
from operators.reels import AUDIO_ID
from trend.sounds import are_named


def identify(fresh: Fresh) -> Fresh:
    """The same reels with `audio_id` the id of the sound, null where there is none.

    An id of nothing but white space, or with the U+001F that ends an id in a label, names no sound.
    """
    reels = fresh.reels
    named = are_named(reels.data, reels.starts, reels.lengths, AUDIO_ID)
    unnamed = ~named & (reels.lengths[:, AUDIO_ID] >= 0)
    if not unnamed.any():
        return fresh
    changed = reels.lengths.copy()
    changed[unnamed, AUDIO_ID] = -1
    return replace(fresh, reels=replace(reels, lengths=changed))
