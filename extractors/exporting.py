"""Both towers of an open_clip model as ONNX. The only place that needs PyTorch."""

import json
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from extractors.media import MissingError
from extractors.models import CARD, Card, Locked, Store, write_card

OPSET: Final = 18
APART: Final = {False: 1e-4, True: 2e-2}
"""By how much ONNX and PyTorch may differ, for float32 and float16."""
FILES: Final = ("image.onnx", "text.onnx", "tokenizer.json", CARD)


class ExportError(Exception):
    """A model that cannot be exported: the message says why."""


def export(
    store: Store, architecture: str, weights: str | None, name: str, *, half: bool = False
) -> Locked:
    """Write both towers, the tokenizer and the card of a model, and record them.

    Args:
        store: where it goes.
        architecture: as open_clip calls it, such as `ViT-B-32`.
        weights: a name that open_clip knows for it, or a file; None: random ones.
        name: what it is called there.
        half: numbers of float16; for GPUs.

    Raises `MissingError` without open_clip, `ExportError` where it cannot be done.
    """
    try:
        import open_clip
        import torch
    except ImportError:
        raise MissingError(
            "needs the packages torch and open_clip: pip install 'groundswell[export]'"
        ) from None
    try:
        model = open_clip.create_model(architecture, pretrained=weights).eval()
        tokenizer = open_clip.get_tokenizer(architecture)
        seen = open_clip.get_model_preprocess_cfg(model)
    except Exception as error:  # open_clip raises what it likes, for names and files alike
        said = f"{architecture} of {weights or 'random weights'}: {error}"
        raise ExportError(said[:300]) from None
    size = seen["size"]
    size = size if isinstance(size, int) else size[0]
    if not isinstance(tokenizer, open_clip.tokenizer.SimpleTokenizer):
        raise ExportError(f"{architecture}: has a tokenizer that is not CLIP's")
    if (seen["interpolation"], seen["resize_mode"]) != ("bicubic", "shortest"):
        raise ExportError(f"{architecture}: wants pictures {seen}, which is not done here")
    if half:
        model = model.half()
    card = Card(
        size=size,
        mean=tuple(seen["mean"]),
        std=tuple(seen["std"]),
        context=int(tokenizer.context_length),
        scale=round(model.logit_scale.exp().item(), 4),
    )
    store.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.folder) as made, torch.no_grad():
        folder = Path(made)
        kind = torch.float16 if half else torch.float32
        pictures = torch.randn(2, 3, size, size).to(kind)
        texts = tokenizer(["a photo of a dog", "two words"])
        for tower, given, label in ((_image, pictures, "pixels"), (_text, texts, "tokens")):
            path = folder / ("image.onnx" if label == "pixels" else "text.onnx")
            _write(torch, tower(torch, model), given, label, path)
            _compare(path, tower(torch, model), given, half)
        (folder / "tokenizer.json").write_text(
            tokenizer_json(tokenizer.encoder, _merges(tokenizer))
        )
        write_card(folder, card)
        own = store.folder / name
        own.mkdir(exist_ok=True)
        for file in FILES:
            shutil.move(folder / file, own / file)
    source = f"open_clip {open_clip.__version__} {architecture} {weights or 'random weights'}"
    return store.record(name, "visual", source, "", FILES)


def _image(torch: Any, model: Any) -> Any:
    class Image(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixels: Any) -> Any:
            return self.model.encode_image(pixels, normalize=True)

    return Image().eval()


def _text(torch: Any, model: Any) -> Any:
    class Text(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, tokens: Any) -> Any:
            return self.model.encode_text(tokens, normalize=True)

    return Text().eval()


def _write(torch: Any, tower: Any, given: Any, label: str, path: Path) -> None:
    any_number = torch.export.Dim("n", min=1, max=4096)
    try:
        program = torch.onnx.export(
            tower,
            (given,),
            dynamo=True,
            dynamic_shapes={label: {0: any_number}},
            input_names=[label],
            output_names=["unit_vector"],
            opset_version=OPSET,
            verbose=False,
        )
        program.save(str(path), external_data=False)
    except Exception as error:  # so does its exporter
        raise ExportError(f"{path.name}: {error}"[:500]) from None


def _compare(path: Path, tower: Any, given: Any, half: bool) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    for count in (1, 2):
        feed = {session.get_inputs()[0].name: given[:count].numpy()}
        found = np.asarray(session.run(None, feed)[0], np.float32)
        off = float(np.abs(found - tower(given[:count]).float().numpy()).max())
        if not off <= APART[half]:
            raise ExportError(f"{path.name}: differs from PyTorch by {off:.2g}")


def _merges(tokenizer: Any) -> list[tuple[str, str]]:
    return sorted(tokenizer.bpe_ranks, key=tokenizer.bpe_ranks.__getitem__)


def tokenizer_json(vocabulary: dict[str, int], merges: Sequence[tuple[str, str]]) -> str:
    """CLIP's tokenizer as the package tokenizers reads it: bytes, lower case, ends of words.

    Args:
        vocabulary: token to id.
        merges: pairs of tokens that become one, the first first.
    """
    words = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
    return json.dumps(
        {
            "version": "1.0",
            "truncation": None,
            "padding": None,
            "added_tokens": [],
            "normalizer": {
                "type": "Sequence",
                "normalizers": [
                    {"type": "NFC"},
                    {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
                    {"type": "Lowercase"},
                ],
            },
            "pre_tokenizer": {
                "type": "Sequence",
                "pretokenizers": [
                    {
                        "type": "Split",
                        "pattern": {"Regex": words},
                        "behavior": "Removed",
                        "invert": True,
                    },
                    {
                        "type": "ByteLevel",
                        "add_prefix_space": False,
                        "trim_offsets": True,
                        "use_regex": False,
                    },
                ],
            },
            "post_processor": None,
            "decoder": None,
            "model": {
                "type": "BPE",
                "dropout": None,
                "unk_token": None,
                "continuing_subword_prefix": "",
                "end_of_word_suffix": "</w>",
                "fuse_unk": False,
                "byte_fallback": False,
                "ignore_merges": False,
                "vocab": vocabulary,
                "merges": [list(pair) for pair in merges],
            },
        }
    )
