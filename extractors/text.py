"""Words on the screen and under it: text in key frames, cleaned texts and their key phrases."""

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from extractors.media import F32, U8, Failed, Fields, Media, MissingError
from extractors.runtime import ModelError

MAX_CHARACTERS: Final = 2_000
MAX_LINES: Final = 60
"""Of one reel; what is read after that is not kept."""
LIKE: Final = 0.8
"""Share of characters in common, from which on two lines are one that was read twice."""
GRID: Final = 12
SAME: Final = 12.0
"""Of 255: what no field of a grid differs by shows the same text, for all that we read."""

_LINK = re.compile(r"(?:https?://|www\.)\S+", re.IGNORECASE)
_HANDLE = re.compile(r"(?<!\w)@[\w.]+")
_TAG = re.compile(r"(?<!\w)[#＃](?=\w)")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_ASIDE = frozenset({"Cc", "Cf", "Co", "Cn", "Cs"})
_KEPT = frozenset("\u200c\u200d")  # between letters of some scripts, and within emoji


class Line(NamedTuple):
    """A line that was read, and how sure that is, from 0 to 1."""

    text: str
    score: float


def clean(text: str, most: int = MAX_CHARACTERS) -> str:
    """A text in one line: no links, no handles, nothing that shows nothing; at most so long.

    >>> clean("Cat  drop!\\n\\x1b[2J https://a.example/x @someone #cat")
    'Cat drop! [2J #cat'
    """
    text = unicodedata.normalize("NFKC", text[: 8 * most])
    text = _HANDLE.sub(" ", _LINK.sub(" ", text))
    shown = (
        one if one in _KEPT or unicodedata.category(one) not in _ASIDE else " " for one in text
    )
    return " ".join("".join(shown).split())[:most].rstrip()


def key_phrases(texts: Iterable[str], most: int = 5, longest: int = 3) -> list[str]:
    """The phrases that most of several texts have in common, the most telling first.

    A phrase of n words in d of the texts counts `d log2(1 + n)`; one that is within a better one,
    in no more texts than that, is left out. Of one text alone there is nothing to say.

    >>> key_phrases(["cat drop challenge", "my Cat Drop!", "doing the cat drop", "a dog"])
    ['cat drop']
    """
    seen: Counter[tuple[str, ...]] = Counter()
    for text in texts:
        plain = _TAG.sub("", clean(text)).casefold()
        words = _WORD.findall(plain)
        seen.update(
            {
                tuple(words[start : start + size])
                for size in range(1, longest + 1)
                for start in range(len(words) - size + 1)
            }
        )
    ranked = sorted(
        ((phrase, count) for phrase, count in seen.items() if count > 1 and _telling(phrase)),
        key=lambda one: (-one[1] * math.log2(1 + len(one[0])), one[0]),
    )
    kept: list[tuple[tuple[str, ...], int]] = []
    for phrase, count in ranked:
        if len(kept) == most:
            break
        within = any(_holds(other, phrase) and count <= seen[other] for other, _ in kept)
        around = any(_holds(phrase, other) for other, _ in kept)
        if not within and not around:
            kept.append((phrase, count))
    return [" ".join(phrase) for phrase, _ in kept]


def _telling(phrase: tuple[str, ...]) -> bool:
    """Whether it begins and ends with a word that means something: three letters, or no Latin."""
    return all(len(word) > 2 or not word.isascii() for word in (phrase[0], phrase[-1]))


def _holds(longer: tuple[str, ...], phrase: tuple[str, ...]) -> bool:
    size = len(phrase)
    return any(longer[start : start + size] == phrase for start in range(len(longer) - size + 1))


def merged(frames: Sequence[Sequence[Line]]) -> list[Line]:
    """The lines of several frames, each once: of those that are nearly alike the surest is kept.

    >>> frames = [[Line("HOW TO COOK", 0.9)], [Line("H0W TO COOK", 0.7), Line("Step 1", 0.9)]]
    >>> [line.text for line in merged(frames)]
    ['HOW TO COOK', 'Step 1']
    """
    kept: list[Line] = []
    for lines in frames:
        for line in lines:
            text = clean(line.text)
            if sum(map(str.isalpha, text)) < 2:
                continue  # counters, clocks, and things that look like a letter
            for place, other in enumerate(kept):
                if _alike(text, other.text):
                    if line.score > other.score:
                        kept[place] = Line(text, line.score)
                    break
            else:
                if len(kept) < MAX_LINES:
                    kept.append(Line(text, line.score))
    return kept


def _alike(one: str, other: str) -> bool:
    first, second = one.casefold(), other.casefold()
    if first == second:
        return True
    longer, shorter = max(len(first), len(second)), min(len(first), len(second))
    if 2 * shorter < LIKE * (longer + shorter):
        return False
    if [*map(str.isdigit, first)] == [*map(str.isdigit, second)] and _digits(first) != _digits(
        second
    ):
        return False  # step 1, step 2
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    return matcher.quick_ratio() >= LIKE and matcher.ratio() >= LIKE


def _digits(text: str) -> str:
    return "".join(filter(str.isdigit, text))


def different(frames: U8, most: int) -> list[int]:
    """Which of the frames [n, height, width, 3] to read: at most so many that show another thing.

    Those are spread over the reel, the first and the last among them.
    """
    small = _small(frames)
    kept: list[int] = []
    for row in range(len(frames)):
        if not kept or np.abs(small[kept] - small[row]).max(axis=(1, 2, 3)).min() >= SAME:
            kept.append(row)
    if len(kept) <= most:
        return kept
    places = np.linspace(0, len(kept) - 1, most).round().astype(int)
    return [kept[place] for place in dict.fromkeys(places.tolist())]


def _small(frames: U8) -> F32:
    """Mean colours of the fields of a grid, float32 [n, 12, 12, 3] where the frame has so many."""
    n, height, width, colours = frames.shape
    rows, columns = min(GRID, height), min(GRID, width)
    fields = frames[:, : height // rows * rows, : width // columns * columns].reshape(
        n, rows, height // rows, columns, width // columns, colours
    )
    means: F32 = fields.mean(axis=(2, 4), dtype=np.float32)
    return means


class Text:
    """Gives reels an `ocr_text`, a line of the screen a line: an extractor.

    The models come with the package rapidocr and are never fetched.

    Args:
        frames: of a reel that are read at most.
        side: pixels; the longer side that text is looked for at, at most. Smaller is quicker.
        threads: of the processor; 0: one a core.
        score: how sure a line must be, from 0 to 1.
        max_batch: reels at once.
        max_wait_s: seconds that the first reel of a batch waits for others.

    Raises `MissingError` without rapidocr, or where its models are not whole.
    """

    name = "text"
    gives = frozenset({"ocr_text"})
    needs = frozenset({"frames"})

    def __init__(
        self,
        *,
        frames: int = 3,
        side: int = 768,
        threads: int = 0,
        score: float = 0.6,
        max_batch: int = 4,
        max_wait_s: float = 0.2,
    ) -> None:
        try:
            from rapidocr import RapidOCR
        except ImportError:
            raise MissingError(
                "needs the package rapidocr: pip install 'groundswell[ocr]'"
            ) from None
        self.max_batch, self.max_wait_s = max_batch, max_wait_s
        self._frames = frames
        self._read = RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.text_score": score,
                "Global.use_cls": False,  # what is upside down is not for reading
                "Det.limit_side_len": side,
                "Det.limit_type": "max",
                "EngineConfig.onnxruntime.intra_op_num_threads": threads or -1,
            }
            | {f"{part}.model_path": str(path) for part, path in models().items()}
        )

    def extract(self, media: Sequence[Media]) -> Sequence[Fields | Failed]:
        """Return the text on the screen of each reel.

        Raises `extractors.runtime.ModelError`.
        """
        return [self._of(one) for one in media]

    def _of(self, one: Media) -> Fields:
        if not len(one.frames):
            return {}
        lines = merged([self.lines(one.frames[row]) for row in different(one.frames, self._frames)])
        text = "\n".join(line.text for line in lines)[:MAX_CHARACTERS].rstrip()
        return {"ocr_text": text} if text else {}

    def lines(self, frame: U8) -> list[Line]:
        """Return the lines of one frame, uint8 [height, width, 3] RGB, from top to bottom."""
        try:
            read: Any = self._read(np.ascontiguousarray(frame[..., ::-1]))  # it is used to BGR
        except Exception as error:  # whatever onnxruntime or OpenCV raises
            raise ModelError(f"model ocr, input {list(frame.shape)}: {error}"[:300]) from None
        if not getattr(read, "txts", None):
            return []
        return [Line(*one) for one in zip(read.txts, map(float, read.scores), strict=True)]

    def close(self) -> None:
        """Let go of the models."""
        self._read = None  # type: ignore[assignment]


def models() -> dict[str, Path]:
    """The models of the package rapidocr, by what they are for: `Det`ect, `Rec`ognise, `Cls`.

    Raises `MissingError` where it, or one of them, is not there.
    """
    from importlib.util import find_spec

    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None:
        raise MissingError("needs the package rapidocr: pip install 'groundswell[ocr]'")
    folder = Path(spec.origin).parent / "models"
    found = {}
    for part in ("Det", "Rec", "Cls"):
        files = sorted(folder.glob(f"*_{part.lower()}_*.onnx"))
        if not files:
            raise MissingError(
                f"the package rapidocr has no model {part}, expected one in {folder}"
            )
        found[part] = files[-1]
    return found
