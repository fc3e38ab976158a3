"""The platform's names: words, hashtags and sounds, ordinary ones and those coined for a burst."""

import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy as np

from trend.simulator import words as text
from trend.simulator.draw import IntArray

SOUNDS = 4_000
"""Ordinary sounds that many reels use."""

TAIL_TAGS = 5_000
"""Hashtags of small circles, which belong to no topic."""

TOPIC_TAGS = 100
"""Hashtags of one topic in one language, by rank; a shorter list starts again."""

NAMES = 1_500
_SYLLABLES = {
    "en": "ka mi lo ren ta sha ni bo el vi dor zu mar li an jo ri pe sol wen".split(),
    "ru": "ка ми ло рен та ша ни бо эл ви дор зу мар ли ан жо ри пе сол вен".split(),
    "pt": "ca mi lo ren ta xa ni bo el vi dor zu mar li an jo ri pe sol lu".split(),
    "ja": "か み ろ れん た しゃ に ぼ える び どる ず まる り あん よ ぺ そ".split(),
}


@dataclass(frozen=True, slots=True)
class Sound:
    """A sound that several reels use."""

    audio_id: str
    title: str
    artist: str


class Catalogue:
    """Tables of names; everything else in the simulator speaks of them by index.

    `words`, `tags`, `sounds` and `phrases` (tuples of word indices) only grow: an ordinary part,
    made here, then what `coin_tag`, `coin_sound` and `coin_phrase` add.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        """Make the ordinary names."""
        self.words: list[str] = []
        self.tags: list[str] = []
        self.sounds: list[Sound] = []
        self.phrases: list[tuple[int, ...]] = []
        self._rng = rng
        self._word_index: dict[str, int] = {}
        self._tag_index: dict[str, int] = {}
        self._phrase_set: set[tuple[int, ...]] = set()
        self._audio_ids: set[str] = set()
        names = {
            language: [self._name(language) for _ in range(NAMES)] for language in text.LANGUAGES
        }
        self.names = np.array([[self.word(name) for name in names[x]] for x in text.LANGUAGES])
        self.generic_tags = np.array([self.tag(name) for name in text.GENERIC_TAGS.split()])
        self.topic_tags = np.array(
            [[self._ranked_tags(topic, x) for topic in text.TOPICS] for x in text.LANGUAGES]
        )
        self.tail_tags = np.array(
            [self.tag(name) for name in sorted({self._tail_name() for _ in range(TAIL_TAGS)})]
        )
        self.weekly_tags = np.array([self.tag(name) for name in text.WEEKLY_TAGS])
        for index in range(SOUNDS):
            language = text.LANGUAGES[index % len(text.LANGUAGES)]
            self.coin_sound(language)
        self.ordinary_sounds = len(self.sounds)

    def word(self, word: str) -> int:
        """Index of a word, which joins the table when it is new."""
        return _index(self._word_index, self.words, word)

    def tag(self, tag: str) -> int:
        """Index of a hashtag in its normal form, which joins the table when it is new."""
        return _index(self._tag_index, self.tags, normal_form(tag))

    def coin_tag(self, language: str) -> int:
        """Make a hashtag that nobody has used."""
        rare = rare_words(language)
        for attempt in range(10_000):
            pair = self._rng.choice(len(rare), 2, replace=False)
            endings = text.TREND_ENDINGS[language]
            name = rare[pair[0]] + rare[pair[1]] + endings[self._rng.integers(len(endings))]
            if attempt > 20:  # the simple ones are used up
                name += str(self._rng.integers(10, 100_000))
            if normal_form(name) not in self._tag_index:
                return self.tag(name)
        raise RuntimeError(f"no free hashtag left in {language!r} after 10,000 attempts")

    def spell(self, tag: int, count: int) -> list[int]:
        """Make up to three other spellings of a coined hashtag that nobody has used."""
        name = self.tags[tag]
        half = next((len(x) for x in _every_rare_word() if name.startswith(x)), 1)
        spellings = (f"{name[:half]}_{name[half:]}", f"{name}s", f"the{name}")
        free = [x for x in spellings if normal_form(x) not in self._tag_index]
        return [self.tag(x) for x in free[:count]]

    def coin_sound(self, language: str) -> int:
        """Make a sound that nobody has used."""
        audio_id = f"m{self._rng.integers(10**15, 10**16)}"
        while audio_id in self._audio_ids:
            audio_id = f"m{self._rng.integers(10**15, 10**16)}"
        self._audio_ids.add(audio_id)
        rare = rare_words(language)
        first, second = self._rng.integers(len(rare), size=2)
        title = f"{rare[first]} {rare[second]}".capitalize()
        self.sounds.append(Sound(audio_id, title, self._name(language).capitalize()))
        return len(self.sounds) - 1

    def coin_phrase(self, language: str) -> int:
        """Make a phrase of two or three words that nobody has written next to each other."""
        rare = [self.word(word) for word in rare_words(language)]
        for attempt in range(10_000):
            picked = self._rng.choice(len(rare), self._rng.integers(2, 4), replace=False)
            phrase = tuple(rare[index] for index in picked)
            if attempt > 20:  # most pairs are used up
                name = self.names[text.LANGUAGES.index(language), self._rng.integers(NAMES)]
                phrase = (phrase[0], int(name))
            if not self._phrase_set.intersection(sub_phrases(phrase)):
                return self.add_phrase(phrase)
        raise RuntimeError(f"no free phrase left in {language!r} after 10,000 attempts")

    def add_phrase(self, phrase: tuple[int, ...]) -> int:
        """Keep a run of words as a phrase and give its index."""
        self._phrase_set.update(sub_phrases(phrase))
        self.phrases.append(phrase)
        return len(self.phrases) - 1

    def phrase_ids(self, phrase: int) -> list[str]:
        """Ids, as in the contract, of the runs of two to four words in a phrase, longest first."""
        runs = sorted(sub_phrases(self.phrases[phrase]), key=len, reverse=True)
        spoken = [" ".join(self.words[word] for word in run) for run in runs]
        return [normal_form(phrase_id) for phrase_id in spoken]

    def _name(self, language: str) -> str:
        count = self._rng.integers(2, 5)
        return "".join(self._rng.choice(_SYLLABLES[language], count))

    def _tail_name(self) -> str:
        language = text.LANGUAGES[self._rng.integers(len(text.LANGUAGES))]
        return self._name(language) + self._name(language)

    def _ranked_tags(self, topic: str, language: str) -> list[int]:
        nouns = text.TOPICS[topic][language].split()
        names = [noun + ending for noun in nouns for ending in text.TAG_ENDINGS[language]]
        order = self._rng.permutation(len(names))
        ranked = [self.tag(names[index]) for index in order]
        return [ranked[rank % len(ranked)] for rank in range(TOPIC_TAGS)]


@cache
def rare_words(language: str) -> tuple[str, ...]:
    """Words that only coined names are made of."""
    return tuple(text.RARE[language].split())


@cache
def _every_rare_word() -> tuple[str, ...]:
    words = [word for language in text.LANGUAGES for word in rare_words(language)]
    return tuple(sorted(words, key=len, reverse=True))


def sub_phrases(phrase: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Give the runs of two to four words in a phrase.

    >>> sub_phrases((7, 8, 9))
    [(7, 8), (8, 9), (7, 8, 9)]
    """
    return [
        phrase[at : at + length] for length in (2, 3, 4) for at in range(len(phrase) - length + 1)
    ]


def normal_form(name: str) -> str:
    """Give a name in the contract's normal form: NFKC, case-folded.

    >>> normal_form("ＣatDrop")
    'catdrop'
    """
    return unicodedata.normalize("NFKC", name).casefold()


def _index(index: dict[str, int], table: list[str], name: str) -> int:
    if name not in index:
        index[name] = len(table)
        table.append(name)
    return index[name]


def padded(rows: list[tuple[int, ...]], width: int) -> IntArray:
    """Rows of indices as one array (rows, width), -1 where a row is shorter."""
    table = np.full((len(rows), width), -1, np.int64)
    for at, row in enumerate(rows):
        table[at, : len(row)] = row
    return table
