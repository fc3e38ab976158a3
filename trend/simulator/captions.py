"""Captions: sentences of a language about a topic, as rows of word indices."""

import numpy as np

from trend.simulator import words as text
from trend.simulator.catalogue import Catalogue, padded
from trend.simulator.draw import IntArray, by_weight, zipf_weights

WIDTH = 20
"""Most words of a caption; rows are padded with -1."""

PHRASE_WIDTH = 14
"""Most words of a phrase that is put into a caption."""

_ANY_TOPIC = ("adj", "verb", "name", "number")


class CaptionWriter:
    """Writes captions in bulk: a template by language, its gaps filled by Zipf's law."""

    def __init__(self, catalogue: Catalogue) -> None:
        """Look up all the words once."""

        def indices(words: str) -> IntArray:
            return np.array([catalogue.word(word) for word in words.split()], np.int64)

        self._nouns = {
            x: [indices(topic[x]) for topic in text.TOPICS.values()] for x in text.LANGUAGES
        }
        numbers = indices(" ".join(str(number) for number in range(1, 100)))
        self._fill = {
            x: (
                indices(text.ADJECTIVES[x]),
                indices(text.VERBS[x]),
                catalogue.names[at],
                numbers,
            )
            for at, x in enumerate(text.LANGUAGES)
        }
        self._templates = {
            x: [
                [
                    word if word.startswith("{") else catalogue.word(word)
                    for word in template.split()
                ]
                for template in text.TEMPLATES[x]
            ]
            for x in text.LANGUAGES
        }
        self._emoji = indices(text.EMOJI)

    def write(self, rng: np.random.Generator, language: IntArray, topic: IntArray) -> IntArray:
        """Write one caption a row: word indices (rows, WIDTH) in int64, -1 behind the last."""
        captions = np.full((len(language), WIDTH), -1, np.int64)
        for code, name in enumerate(text.LANGUAGES):
            rows = np.flatnonzero(language == code)
            templates = self._templates[name]
            chosen = by_weight(rng, zipf_weights(len(templates), 0.6), len(rows))
            nouns = padded([tuple(x.tolist()) for x in self._nouns[name]], 16)
            counts = np.array([len(x) for x in self._nouns[name]])
            for number, template in enumerate(templates):
                here = rows[chosen == number]
                for at, word in enumerate(template):
                    if isinstance(word, int):
                        captions[here, at] = word
                    elif word == "{noun}":
                        rank = by_weight(rng, zipf_weights(16, 0.8), len(here))
                        captions[here, at] = nouns[topic[here], rank % counts[topic[here]]]
                    else:
                        fill = self._fill[name][_ANY_TOPIC.index(word[1:-1])]
                        rank = by_weight(rng, zipf_weights(len(fill), 0.8), len(here))
                        captions[here, at] = fill[rank]
                happy = here[rng.random(len(here)) < 0.3]
                captions[happy, len(template)] = rng.choice(self._emoji, len(happy))
        return captions


def insert(rng: np.random.Generator, captions: IntArray, phrases: IntArray) -> IntArray:
    """Put a phrase into each caption: at its start, its end or between two of its words.

    `captions` (rows, WIDTH) and `phrases` (rows, PHRASE_WIDTH) are padded with -1; what is longer
    than WIDTH is cut at the caption's side, never inside the phrase.
    """
    length = (captions >= 0).sum(axis=1)
    room = WIDTH - (phrases >= 0).sum(axis=1)
    kept = np.minimum(length, room)
    captions = np.where(np.arange(WIDTH) < kept[:, None], captions, -1)
    where = rng.random(len(captions))
    at = np.where(where < 0.4, 0, np.where(where < 0.8, kept, rng.integers(0, kept + 1)))
    place = np.arange(WIDTH, dtype=np.float64)
    order = np.concatenate(
        [
            np.broadcast_to(place, captions.shape),
            at[:, None] - 0.5 + np.arange(phrases.shape[1]) / 64,
        ],
        axis=1,
    )
    both = np.concatenate([captions, phrases], axis=1)
    ranks = np.argsort(np.where(both < 0, np.inf, order), axis=1, kind="stable")
    joined: IntArray = np.take_along_axis(both, ranks, axis=1)[:, :WIDTH]
    return joined


def edited(
    rng: np.random.Generator, phrases: IntArray, replacements: IntArray, share: float
) -> IntArray:
    """Copy phrases with a share of their words replaced, as spam crews do to look different."""
    changed = (rng.random(phrases.shape) < share) & (phrases >= 0)
    return np.where(changed, rng.choice(replacements, phrases.shape), phrases)
