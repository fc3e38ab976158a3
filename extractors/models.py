"""The models that features are made with: which there are, where they lie, and that they are whole.

A folder holds a folder a model and `models.lock.json`, which says of each file how long it is and
its SHA-256, and where it came from. What is to be pulled is known by its commit and digests too
(`KNOWN`); what is taken all the same, copied or exported is recorded in the lock, and from then on
nothing else is taken for it, neither when it is pulled again nor when it is loaded.

>>> KNOWN["whisper-tiny"].kind
'speech'
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from extractors.media import MissingError

LOCK: Final = "models.lock.json"
CARD: Final = "clip.json"

MEAN: Final = (0.48145466, 0.4578275, 0.40821073)
STD: Final = (0.26862954, 0.26130258, 0.27577711)


class DamagedError(MissingError):
    """A model whose files are not those that were recorded: the message says which."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What one has to know to use a CLIP model; it lies beside it as `clip.json`.

    Attributes:
        image: file of the image tower, with one input [n, 3, size, size].
        text: file of the text tower, with one input of tokens [n, context]; none: no categories.
        image_output: which output is the embedding; None: the first. So `text_output`.
        size: pixels, of each side of what the image tower sees.
        mean: of each channel, from 0 to 1; what is left after it is taken away is divided by `std`.
        context: tokens of a text, with its beginning and end.
        scale: what cosines are multiplied by before they become probabilities.
        tokenizer: file of the tokenizer.
    """

    image: str = "image.onnx"
    text: str | None = "text.onnx"
    image_output: str | None = None
    text_output: str | None = None
    size: int = 224
    mean: tuple[float, float, float] = MEAN
    std: tuple[float, float, float] = STD
    context: int = 77
    scale: float = 100.0
    tokenizer: str = "tokenizer.json"


Pin = tuple[str, int]
"""SHA-256 of a file, in hexadecimal, and how many bytes it has."""


@dataclass(frozen=True, slots=True)
class Known:
    """A model that can be pulled by its name.

    Attributes:
        kind: `visual` or `speech`.
        repository: on the hub of models.
        revision: of it; a commit.
        files: of it that are needed, and what they must be; None: what the first pull finds.
        about: in a few words.
        card: of a CLIP model.
    """

    kind: str
    repository: str
    revision: str
    files: Mapping[str, Pin | None]
    about: str
    card: Card | None = None


def _whisper(size: str, revision: str, config: Pin, model: Pin, about: str) -> Known:
    files: dict[str, Pin | None] = {
        "config.json": config,
        "model.bin": model,
        "tokenizer.json": (
            "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            2_203_239,
        ),
        "vocabulary.txt": (
            "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            459_861,
        ),
    }
    return Known("speech", f"Systran/faster-whisper-{size}", revision, files, about)


KNOWN: Final[Mapping[str, Known]] = {
    "clip-vit-b-32": Known(
        "visual",
        "Xenova/clip-vit-base-patch32",
        "d15189d7028b43f1d3e65039190477f6af591c2a",
        {
            "onnx/vision_model.onnx": (
                "fd6e1402a588279d1723c7534d4bcba5bc0b14b47dfab0e46f8c47b8270d7d40",
                351_685_709,
            ),
            "onnx/text_model.onnx": (
                "3f6571f5bad13a97c469c1622e1cfc4d9aef78b79fdbfcff804ca357bfada8cc",
                254_058_553,
            ),
            "tokenizer.json": (
                "f7f3b7af117d467b58374797691a6438d3e6b9e9cef800dfd5dced7f697a90cd",
                2_224_119,
            ),
        },
        "CLIP ViT-B/32 of OpenAI, 512 numbers, both towers as ONNX",
        Card(
            image="onnx/vision_model.onnx",
            text="onnx/text_model.onnx",
            image_output="image_embeds",
            text_output="text_embeds",
        ),
    ),
    "whisper-tiny": _whisper(
        "tiny",
        "d90ca5fe260221311c53c58e660288d3deb8d356",
        ("a73a28cdfe1c43ccc7202fa333d1f89c202477271407ae9a7f19afa52039cac8", 2_249),
        ("dcb76c6586fc06cbdac6dd21f14cfd129cc4cdd9dce19bf4ffa62e59cbe6e6d1", 75_538_270),
        "speech in about 100 languages, quick and rough",
    ),
    "whisper-base": _whisper(
        "base",
        "ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
        ("56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a", 2_309),
        ("d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9", 145_217_532),
        "speech in about 100 languages",
    ),
    "whisper-small": _whisper(
        "small",
        "536b0662742c02347bc0e980a01041f333bce120",
        ("b55496ac7940a7ae47d2c01eab40edfd8701feec1229d9cce3b40014383fb828", 2_370),
        ("3e305921506d8872816023e4c273e75d2419fb89b24da97b4fe7bce14170d671", 483_546_902),
        "speech in about 100 languages, better, slower",
    ),
}


@dataclass(frozen=True, slots=True)
class Locked:
    """What is recorded of one model.

    Attributes:
        kind: `visual` or `speech`.
        source: where it came from.
        revision: of that source; empty where there is none.
        files: by name.
    """

    kind: str
    source: str
    revision: str
    files: Mapping[str, Pin] = field(default_factory=dict)


def home(setting: str) -> Path:
    """The folder of models: as it is set, or that of the user's cache."""
    if setting:
        return Path(setting).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "groundswell" / "models"


def digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


class Store:
    """The folder of models and its lock.

    Args:
        folder: need not be there yet.

    Raises `DamagedError` where the lock cannot be read.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.locked = self._read()

    def open(self, name: str, kind: str) -> tuple[Path, Locked]:
        """Return the folder of a model, and what is recorded of it, once its files are found whole.

        Raises `MissingError` where it is not there, `DamagedError` where it is another.
        """
        locked = self.locked.get(name)
        if locked is None:
            raise MissingError(
                f"needs the model {name}, which is not in {self.folder}: {_remedy(name)}"
            )
        if locked.kind != kind:
            raise MissingError(f"needs a {kind} model, and {name} is a {locked.kind} model")
        if wrong := self.wrong(name):
            raise DamagedError(f"model {name}: {wrong[0]}: {_remedy(name)}")
        return self.folder / name, locked

    def card(self, name: str) -> Card:
        """Return what is to be known of a CLIP model that was opened."""
        file = self.folder / name / CARD
        try:
            said = json.loads(file.read_bytes())
            return Card(**said | {"mean": tuple(said["mean"]), "std": tuple(said["std"])})
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise DamagedError(f"model {name}: {file}: {error}") from None

    def wrong(self, name: str) -> list[str]:
        """What is not as it was recorded, a line a file; empty: the model is whole."""
        found = []
        for file, (sha256, size) in self.locked[name].files.items():
            path = self.folder / name / file
            if not path.is_file():
                found.append(f"{path} is missing")
            elif path.stat().st_size != size:
                found.append(f"{path} has {path.stat().st_size:,} bytes, expected {size:,}")
            elif (seen := digest(path)) != sha256:
                found.append(f"{path} has the SHA-256 {seen}, expected {sha256}")
        return found

    def record(
        self, name: str, kind: str, source: str, revision: str, files: Sequence[str]
    ) -> Locked:
        """Write the digests of a model's files into the lock."""
        folder = self.folder / name
        seen = {file: (digest(folder / file), (folder / file).stat().st_size) for file in files}
        self.locked[name] = Locked(kind, source, revision, seen)
        lines = {name: asdict(locked) for name, locked in sorted(self.locked.items())}
        fresh = self.folder / f"{LOCK}.{os.getpid()}"
        fresh.write_text(json.dumps({"version": 1, "models": lines}, indent=1) + "\n")
        fresh.replace(self.folder / LOCK)
        return self.locked[name]

    def _read(self) -> dict[str, Locked]:
        try:
            said: Any = json.loads((self.folder / LOCK).read_bytes())
            return {
                name: Locked(
                    one["kind"],
                    one["source"],
                    one["revision"],
                    {
                        _inside(file): (sha256, size)
                        for file, (sha256, size) in one["files"].items()
                    },
                )
                for name, one in said["models"].items()
            }
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            raise DamagedError(f"{self.folder / LOCK} cannot be read: {error}") from None


def _remedy(name: str) -> str:
    if name in KNOWN:
        return f"groundswell models pull {name}"
    return "groundswell models list shows those that can be used, models export makes others"


def _inside(file: str) -> str:
    if Path(file).is_absolute() or ".." in Path(file).parts:
        raise ValueError(f"names {file!r}, which is not in its folder")
    return file


def write_card(folder: Path, card: Card) -> None:
    """Write what is to be known of a CLIP model beside it."""
    (folder / CARD).write_text(json.dumps(asdict(card), indent=1) + "\n")
