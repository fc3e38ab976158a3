"""The steps that give a reel's sound its id.

First the id is the one that the platform names. Then the reels of which it is known how they sound
wait (`operators.waiting`) to be compared with what was heard before (`operators.listening`): who
has the sound of an earlier reel gets the id that this one got. A sound that is new keeps the
platform's id or, without one, gets an id made of what is heard.

Two sounds can prove to be one: a reel is both. The older id stays. The last day's reels of the
other, if it is not older itself, then count again with the id that stays, as reels do that come
again with something new to them.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from operators.aliases import Log, again
from operators.blocks import Fresh
from operators.durable.machine import Machine
from operators.listening import LISTENING, Answer, Listen, Told, part_key
from operators.metrics import LIMIT, SOUNDS, SOUNDS_MERGED, USED, Sizes
from operators.reels import ARTIST, AUDIO_ID, TITLE
from operators.routing import key_at
from operators.waiting import as_one
from operators.watermarks import Watermarks
from trend.acoustics.hearing import NONE
from trend.sounds import are_named

HEARD: Final = "\0sounds"
"""The partition of reels that were identified by their sound: no file or topic is called so."""
IDENTIFYING: Final = key_at("sound-ids", 0)

SPARE: Final = 1000
"""Sounds without a recording that are kept, beside as many as have one."""

I64 = npt.NDArray[np.int64]


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


@dataclass(frozen=True, slots=True)
class SoundSettings:
    """What the sounds of the stream may take."""

    parts: int
    """Of the landmarks."""
    log_ticks: int
    """How long the reels of a young sound are remembered, and a sound is young."""
    log_reels: int
    """Reels that are remembered at most."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What a sound is called, and since when it is known."""

    id: bytes
    title: bytes | None
    artist: bytes | None
    born: int  # tick


class Recordings:
    """Of which sound each recording of one step is."""

    def __init__(self) -> None:
        self.of = np.zeros(0, np.int64)

    def note(self, recording: int, sound: int) -> None:
        """Say of which sound a recording is."""
        if recording >= self.of.size:
            more = max(1024, recording + 1 - self.of.size, self.of.size // 2)
            self.of = np.append(self.of, np.full(more, NONE, np.int64))
        self.of[recording] = sound

    def keep(self, kept: I64) -> None:
        """Keep some recordings, numbered anew in this order."""
        self.of = self.of[kept]

    def renumber(self, sounds: I64) -> None:
        """Have the i-th of all sounds (rising) be sound i."""
        there = self.of != NONE
        self.of[there] = np.searchsorted(sounds, self.of[there])


class Identifying(Machine[Told, Fresh]):
    """The sounds of the stream: puts together what all steps say of a tick."""

    def __init__(self, settings: SoundSettings) -> None:
        steps = [LISTENING, *(part_key(part) for part in range(settings.parts))]
        self._settings = settings
        self._marks = Watermarks(steps)
        self._recordings = {step: Recordings() for step in steps}
        self._listened: list[tuple[int, Listen]] = []
        """Ticks, each with the last of those that were told with it."""
        self._answers: dict[str, list[Answer]] = {step: [] for step in steps[1:]}
        """By part, in the order in which they were asked for."""
        self._sounds: list[Sound] = []
        """By number: the oldest first."""
        self._log = Log(settings.log_ticks, settings.log_reels)
        self._merged = 0
        self._said: tuple[int, bool] | None = None

    def key_of(self, value: Told) -> str:
        """The one key."""
        return IDENTIFYING

    def sizes(self) -> Sizes:
        """How full it is."""
        return {
            (SOUNDS, ()): len(self._sounds),
            (SOUNDS_MERGED, ()): self._merged,
            (USED, ("sound-reels",)): len(self._log),
            (LIMIT, ("sound-reels",)): self._settings.log_reels,
        }

    def apply(self, values: list[Told]) -> list[Fresh]:
        """Take what the steps say, then identify the reels of the ticks of which all have said."""
        for value in values:
            for one in value.ticks:
                if isinstance(one, Listen):
                    self._listened.append((value.through, one))
                else:
                    self._answers[value.step].append(one)
            self._marks.take(value.step, value.through + 1, value.end)
        through = self._marks.through()
        if through is None:
            return []
        said = (through, self._marks.ended())
        if self._said is not None and said <= self._said:
            return []
        self._said = said
        ready = [one for last, one in self._listened if last <= through]
        self._listened = self._listened[len(ready) :]
        return [as_one([self._identify(one) for one in ready], HEARD, through + 1, said[1])]

    def _identify(self, heard: Listen) -> Fresh:
        """Return reels of a tick with the ids of their sounds, and those to count again."""
        fresh, tick = heard.fresh, heard.tick
        self._log.forget(tick)
        asked = dict(zip(heard.asks.tolist(), range(heard.asks.size), strict=True))
        answers = {step: said.pop(0) for step, said in self._answers.items()} if asked else {}
        numbers = np.empty(len(fresh.reels), np.int64)
        merged: list[tuple[int, int]] = []
        texts = [fresh.reels.texts(name) for name in ("audio_id", "title", "artist")]
        for row, named in enumerate(zip(*texts, strict=True)):
            said = _of_row(heard, answers, row, asked.get(row))
            number, *others = self._of(said) or [self._new(tick, named, int(heard.content[row]))]
            for step, (_, learnt) in said.items():
                if learnt != NONE:
                    self._recordings[step].note(learnt, number)
            for ended in others:
                self._merge(ended, number)
                merged.append((ended, number))
            numbers[row] = number
        for ended, into in merged:
            numbers[numbers == ended] = into
        again = [self._count_again(tick, *pair) for pair in merged]
        own = self._with_ids(fresh, numbers)
        born = np.array([self._sounds[number].born for number in numbers.tolist()], np.int64)
        self._log.add(tick, own, numbers, born)
        self._forget(heard.kept)
        return as_one([own, *again], own.partition, own.closed, own.end) if again else own

    def _of(self, said: Mapping[str, tuple[list[int], int]]) -> list[int]:
        """Return the sounds of some recordings, the oldest first."""
        return sorted(
            {
                int(self._recordings[step].of[recording])
                for step, (recordings, _) in said.items()
                for recording in recordings
            }
        )

    def _new(self, tick: int, named: tuple[str | None, ...], content: int) -> int:
        name, title, artist = [None if text is None else text.encode() for text in named]
        self._sounds.append(Sound(name or f"s-{content:016x}".encode(), title, artist, tick))
        return len(self._sounds) - 1

    def _merge(self, ended: int, into: int) -> None:
        """Have all recordings of a sound be of an older one."""
        for recordings in self._recordings.values():
            recordings.of[recordings.of == ended] = into

    def _with_ids(self, fresh: Fresh, numbers: I64) -> Fresh:
        ids = [self._sounds[number].id for number in numbers.tolist()]
        return replace(fresh, reels=fresh.reels.with_texts(AUDIO_ID, ids))

    def _count_again(self, tick: int, ended: int, into: int) -> Fresh:
        self._merged += 1
        sound = self._sounds[into]
        texts = ((AUDIO_ID, sound.id), (TITLE, sound.title), (ARTIST, sound.artist))
        return again(self._log.renamed(ended, into), tick, dict(texts))

    def _forget(self, kept: I64 | None) -> None:
        """Let recordings go, and when there are many, the sounds that have none."""
        if kept is not None:
            self._recordings[LISTENING].keep(kept)
        every = [recordings.of for recordings in self._recordings.values()]
        if len(self._sounds) <= 2 * sum(of.size for of in every) + SPARE:
            return
        sounds = np.unique(np.concatenate(every))
        sounds = sounds[sounds != NONE]
        for recordings in self._recordings.values():
            recordings.renumber(sounds)
        self._log.renumber(sounds)
        self._sounds = [self._sounds[number] for number in sounds.tolist()]


def _of_row(
    heard: Listen, answers: Mapping[str, Answer], row: int, asked: int | None
) -> dict[str, tuple[list[int], int]]:
    """Return what the steps say of a reel: of which recordings it is, and its own number."""
    said = {LISTENING: (heard.recordings[row].tolist(), int(heard.learnt[row]))}
    for step, answer in answers.items():
        if asked is not None:
            found = int(answer.recording[asked])
            said[step] = ([found] if found != NONE else [], int(answer.learnt[asked]))
    return said
