"""What is said in reels: Whisper on the parts that are speech, in batches over many reels."""

import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from extractors.media import F32, RATE, Failed, Fields, Media, MissingError
from extractors.runtime import ModelError
from extractors.text import clean

CHUNK_S: Final = 30
"""Seconds that the model hears at once."""
GAP_MS: Final = 160
"""Milliseconds; shorter pauses end no span of speech."""
SILENT: Final = 0.6
"""Probability of no speech, above which what is unlikely is not believed."""
UNLIKELY: Final = -1.0
"""Mean log-probability of a token."""
LOOPS: Final = 2.4
"""Times that a text shrinks when it is compressed; above, it repeats itself: nobody says that."""
SURE: Final = 0.7
"""Probability of a language, from which on it is told."""
FILES: Final = ("config.json", "model.bin", "tokenizer.json")

Span = tuple[int, int]


class Word(NamedTuple):
    """A word that was heard, from `start` to `end` in seconds from the beginning."""

    text: str
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard in one reel.

    Attributes:
        text: empty where nothing is said.
        language: most likely one of what is said, BCP 47; None where nothing is.
        probability: of that language.
        speech_s: seconds of speech that were listened to.
        words: in order; empty where they were not asked for.
    """

    text: str = ""
    language: str | None = None
    probability: float = 0.0
    speech_s: float = 0.0
    words: tuple[Word, ...] = ()


@dataclass(slots=True)
class _Chunk:
    """Up to 30 seconds of speech of a reel, and where they come from."""

    reel: int
    spans: list[Span]
    tokens: list[int] = field(default_factory=list)

    def samples(self, pcm: F32) -> F32:
        return np.concatenate([pcm[start:end] for start, end in self.spans])

    def original(self, seconds: float) -> float:
        """Seconds of the reel for seconds of the chunk."""
        left = round(seconds * RATE)
        for start, end in self.spans:
            if left <= end - start:
                return (start + left) / RATE
            left -= end - start
        return self.spans[-1][1] / RATE


class Speech:
    """Gives reels a `transcript`, and a `language` where it is sure: an extractor.

    Args:
        folder: of a Whisper model of CTranslate2.
        name: what messages call the model.
        seconds: of speech of a reel that are listened to at most.
        batch: chunks of 30 s at once.
        threads: of the processor; 0: as many as there are cores, at most 4.
        beam: width of the search.
        max_batch: reels at once.
        max_wait_s: seconds that the first reel of a batch waits for others.

    Raises `MissingError` without faster-whisper, `ModelError` where the model cannot be loaded.
    """

    name = "speech"
    gives = frozenset({"transcript"})
    needs = frozenset({"pcm"})

    def __init__(
        self,
        folder: Path,
        name: str,
        *,
        seconds: float = 60.0,
        batch: int = 8,
        threads: int = 0,
        beam: int = 1,
        max_batch: int = 8,
        max_wait_s: float = 1.0,
    ) -> None:
        try:
            import faster_whisper
            from faster_whisper import tokenizer, transcribe, vad
        except ImportError:
            raise MissingError(
                "needs the package faster-whisper: pip install 'groundswell[speech]'"
            ) from None
        for file in FILES:  # else it would look for them elsewhere
            if not (folder / file).is_file():
                raise ModelError(f"model {name}: {folder / file} is missing")
        try:
            self._whisper = faster_whisper.WhisperModel(
                str(folder), compute_type="auto", cpu_threads=threads, local_files_only=True
            )
        except Exception as error:  # ctranslate2 raises what it likes
            raise ModelError(f"model {name}: cannot be loaded: {error}"[:300]) from None
        self.max_batch, self.max_wait_s = max_batch, max_wait_s
        self._model, self._seconds, self._batch, self._beam = name, seconds, batch, beam
        self._vad, self._tokenizer, self._padded = vad, tokenizer.Tokenizer, transcribe.pad_or_trim
        self._suppressed = transcribe.get_suppressed_tokens
        self._tokenizers: dict[str, Any] = {}

    def close(self) -> None:
        """Let go of the model."""
        self._whisper = None

    def extract(self, media: Sequence[Media]) -> Sequence[Fields | Failed]:
        """Return the transcript of each reel, with its language; nothing where nothing is said.

        Raises `extractors.runtime.ModelError`.
        """
        empty = np.empty(0, np.float32)
        heard = self.hear([empty if one.pcm is None else one.pcm for one in media])
        return [_fields(one) for one in heard]

    def hear(self, sounds: Sequence[F32], *, words: bool = False) -> list[Heard]:
        """Return what is said in each sound, float32 at 16 kHz; with the times of words if asked.

        Raises `extractors.runtime.ModelError`.
        """
        chunks: list[_Chunk] = []
        for reel, pcm in enumerate(sounds):
            spans = limited(self.spans(pcm), round(self._seconds * RATE))
            chunks += [_Chunk(reel, some) for some in packed(spans, CHUNK_S * RATE)]
        found: dict[int, Heard] = {}
        languages: dict[int, tuple[str, float]] = {}
        try:
            for start in range(0, len(chunks), self._batch):
                some = chunks[start : start + self._batch]
                for chunk, heard in zip(
                    some, self._said(some, sounds, languages, words), strict=True
                ):
                    before = found.get(chunk.reel, Heard())
                    found[chunk.reel] = Heard(
                        f"{before.text} {heard.text}".strip(),
                        heard.language,
                        heard.probability,
                        before.speech_s + heard.speech_s,
                        before.words + heard.words,
                    )
        except RuntimeError as error:
            raise ModelError(
                f"model {self._model}, input of {len(chunks)} chunks: {error}"[:300]
            ) from None
        return [found.get(reel, Heard()) for reel in range(len(sounds))]

    def spans(self, pcm: F32) -> list[Span]:
        """Return where somebody speaks, as samples [start, end)."""
        if pcm.size == 0:
            return []
        options = self._vad.VadOptions(
            max_speech_duration_s=CHUNK_S, min_silence_duration_ms=GAP_MS
        )
        return [(one["start"], one["end"]) for one in self._vad.get_speech_timestamps(pcm, options)]

    def _said(
        self,
        chunks: Sequence[_Chunk],
        sounds: Sequence[F32],
        languages: dict[int, tuple[str, float]],
        words: bool,
    ) -> Iterator[Heard]:
        whisper = self._whisper
        samples = [chunk.samples(sounds[chunk.reel]) for chunk in chunks]
        features = np.stack(
            [self._padded(whisper.feature_extractor(one)[..., :-1]) for one in samples]
        )
        encoded = whisper.encode(features)
        if whisper.model.is_multilingual:
            for chunk, likely in zip(chunks, whisper.model.detect_language(encoded), strict=True):
                languages.setdefault(chunk.reel, (likely[0][0][2:-2], likely[0][1]))
        spoken = [languages.setdefault(chunk.reel, ("en", 1.0)) for chunk in chunks]
        results = whisper.model.generate(
            encoded,
            [self._prompt(language) for language, _ in spoken],
            beam_size=self._beam,
            max_length=whisper.max_length,
            suppress_blank=True,
            suppress_tokens=self._suppressed(self._words_of(spoken[0][0]), [-1]),
            return_scores=True,
            return_no_speech_prob=True,
        )
        texts = []
        for chunk, (language, _), result in zip(chunks, spoken, results, strict=True):
            words_of = self._words_of(language)
            chunk.tokens = [token for token in result.sequences_ids[0] if token < words_of.eot]
            text = words_of.decode(chunk.tokens).strip()
            doubted = result.no_speech_prob > SILENT and result.scores[0] < UNLIKELY
            texts.append("" if doubted or repeats(text) else text)
        times = self._times(chunks, spoken, features, texts) if words else [()] * len(chunks)
        for text, (language, sure), one, when in zip(texts, spoken, samples, times, strict=True):
            yield Heard(text, language, sure, one.size / RATE, when)

    def _times(
        self,
        chunks: Sequence[_Chunk],
        spoken: Sequence[tuple[str, float]],
        features: F32,
        texts: Sequence[str],
    ) -> list[tuple[Word, ...]]:
        """When each word was said; the model aligns what is of one language at once."""
        rows = defaultdict(list)
        for row, (language, _) in enumerate(spoken):
            if texts[row]:
                rows[language].append(row)
        found: list[tuple[Word, ...]] = [()] * len(chunks)
        for language, own in rows.items():
            aligned = self._whisper.find_alignment(
                self._words_of(language),
                [chunks[row].tokens for row in own],
                self._whisper.encode(features[own]),
                [features.shape[-1]] * len(own),
            )
            for row, words in zip(own, aligned, strict=True):
                found[row] = tuple(
                    Word(
                        word["word"].strip(),
                        round(chunks[row].original(float(word["start"])), 2),
                        round(chunks[row].original(float(word["end"])), 2),
                    )
                    for word in words
                    if word["word"].strip()
                )
        return found

    def _words_of(self, language: str) -> Any:
        if language not in self._tokenizers:
            whisper = self._whisper
            self._tokenizers[language] = self._tokenizer(
                whisper.hf_tokenizer, whisper.model.is_multilingual, "transcribe", language
            )
        return self._tokenizers[language]

    def _prompt(self, language: str) -> list[int]:
        words_of = self._words_of(language)
        return [*words_of.sot_sequence, words_of.no_timestamps]


def limited(spans: Sequence[Span], most: int) -> list[Span]:
    """The first spans [start, end) that are `most` samples together; the last is cut.

    >>> limited([(0, 5), (10, 20), (30, 40)], 8)
    [(0, 5), (10, 13)]
    """
    found = []
    for start, end in spans:
        if most <= 0:
            break
        found.append((start, min(end, start + most)))
        most -= end - start
    return found


def packed(spans: Sequence[Span], most: int) -> Iterator[list[Span]]:
    """Spans together in chunks of at most `most` samples; a longer one is cut.

    >>> [*packed([(0, 4), (5, 9), (10, 31)], 10)]
    [[(0, 4), (5, 9)], [(10, 20)], [(20, 30)], [(30, 31)]]
    """
    held: list[Span] = []
    room = most
    for start, end in spans:
        for begin in range(start, end, most):
            stop = min(begin + most, end)
            if stop - begin > room:
                yield held
                held, room = [], most
            held.append((begin, stop))
            room -= stop - begin
    if held:
        yield held


def repeats(text: str) -> bool:
    """Whether a text is one of those that the model falls into, over and over the same.

    >>> repeats("thank you " * 20), repeats("thank you for coming to my kitchen")
    (True, False)
    """
    given = text.encode()
    return len(given) > LOOPS * len(zlib.compress(given))


def _fields(heard: Heard) -> Fields:
    text = clean(heard.text)
    if not text:
        return {}
    sure = heard.language is not None and heard.probability >= SURE
    return {"transcript": text} | ({"language": heard.language} if sure else {})
