"""Small models of CLIP's shape: the colours of 16 parts, or words, through a fixed matrix."""

import json
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from extractors.models import Card, Store, write_card

WIDTH = 512
WORDS = ("dance", "food", "red", "green", "blue", "a", "of", "video")
BEGIN, END = 49406, 49407


def image_tower(path: Path, half: bool = False, size: int = 32) -> None:
    """A graph [n, 3, size, size] -> [n, 512]: the mean of each of 16 parts, through a matrix."""
    kind, number = (TensorProto.FLOAT16, np.float16) if half else (TensorProto.FLOAT, np.float32)
    part = size // 4
    matrix = np.random.default_rng(5).normal(size=(48, WIDTH)).astype(number)
    nodes = [
        helper.make_node(
            "AveragePool", ["pixels"], ["means"], kernel_shape=[part, part], strides=[part, part]
        ),
        helper.make_node("Flatten", ["means"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "matrix"], ["embedding"]),
    ]
    _save(
        path,
        nodes,
        helper.make_tensor_value_info("pixels", kind, ["n", 3, size, size]),
        helper.make_tensor_value_info("embedding", kind, ["n", WIDTH]),
        {"matrix": matrix},
    )


def text_tower(path: Path, context: int = 77) -> None:
    """A graph [n, context] of tokens -> [n, 512]: the sum of what stands for each token."""
    table = np.zeros((END + 1, 8), np.float32)
    table[: len(WORDS)] = np.eye(8, dtype=np.float32)[: len(WORDS)]
    table[0] = 0  # what texts are filled up with
    matrix = np.random.default_rng(6).normal(size=(8, WIDTH)).astype(np.float32)
    nodes = [
        helper.make_node("Gather", ["table", "tokens"], ["found"], axis=0),
        helper.make_node("ReduceSum", ["found", "axes"], ["sum"], keepdims=0),
        helper.make_node("MatMul", ["sum", "matrix"], ["embedding"]),
    ]
    _save(
        path,
        nodes,
        helper.make_tensor_value_info("tokens", TensorProto.INT64, ["n", context]),
        helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", WIDTH]),
        {"table": table, "matrix": matrix, "axes": np.array([1], np.int64)},
    )


def _save(
    path: Path,
    nodes: list[onnx.NodeProto],
    given: onnx.ValueInfoProto,
    made: onnx.ValueInfoProto,
    constants: dict[str, np.ndarray],
) -> None:
    graph = helper.make_graph(
        nodes,
        "small",
        [given],
        [made],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 9
    onnx.checker.check_model(model)
    onnx.save(model, path)


def tokenizer(path: Path) -> None:
    """Words to their place in `WORDS`; the ids of CLIP's beginning and end are not in it."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    made = Tokenizer(
        models.WordLevel({word: place for place, word in enumerate(WORDS)}, unk_token="a")
    )
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.save(str(path))


def clip(folder: Path, name: str = "small-clip", half: bool = False) -> Store:
    """A folder of models with one of CLIP's kind, recorded in the lock."""
    own = folder / name
    own.mkdir(parents=True)
    image_tower(own / "image.onnx", half)
    text_tower(own / "text.onnx")
    tokenizer(own / "tokenizer.json")
    write_card(own, Card(size=32))
    store = Store(folder)
    store.record(
        name, "visual", "made", "", ["image.onnx", "text.onnx", "tokenizer.json", "clip.json"]
    )
    return store


def lock(folder: Path) -> dict[str, object]:
    """What the lock of a folder says."""
    said: dict[str, object] = json.loads((folder / "models.lock.json").read_text())
    return said
