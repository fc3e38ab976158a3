"""The image tower of CLIP ViT-B/32 as an ONNX graph with random weights, of its published shape.

Sizes are those of Radford et al. 2021 (table 20) and Dosovitskiy et al. 2020: 224 pixels in patches
of 32, width 768, 12 blocks of 12 heads, 3,072 within a block, 512 out. Random weights cost as much
to multiply as trained ones do.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIZE, PATCH, WIDTH, LAYERS, HEADS, INNER, OUT = 224, 32, 768, 12, 12, 3072, 512
PLACES = (SIZE // PATCH) ** 2 + 1


class Graph:
    """Nodes and weights so far; methods add to them and return the name of what they give."""

    def __init__(self, seed: int) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._rng = np.random.default_rng(seed)
        self._names = 0

    def put(self, op: str, *given: str, **attributes: object) -> str:
        """A node."""
        self._names += 1
        name = f"v{self._names}"
        self.nodes.append(helper.make_node(op, [*given], [name], **attributes))
        return name

    def constant(self, values: np.ndarray) -> str:
        """What does not change."""
        self._names += 1
        self.weights.append(numpy_helper.from_array(values, f"w{self._names}"))
        return f"w{self._names}"

    def weight(self, *shape: int) -> str:
        """Random numbers that keep the size of what they are multiplied with."""
        scale = shape[0] ** -0.5
        return self.constant(self._rng.normal(0, scale, shape).astype(np.float32))

    def shape(self, *sizes: int) -> str:
        """Sizes for nodes that ask for some."""
        return self.constant(np.array(sizes, np.int64))

    def norm(self, x: str) -> str:
        """Layer normalisation."""
        one, zero = np.ones(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
        return self.put(
            "LayerNormalization", x, self.constant(one), self.constant(zero), epsilon=1e-5
        )

    def linear(self, x: str, inputs: int, outputs: int) -> str:
        """A product and a sum."""
        bias = self.constant(np.zeros(outputs, np.float32))
        return self.put("Add", self.put("MatMul", x, self.weight(inputs, outputs)), bias)

    def heads(self, x: str, order: tuple[int, ...]) -> str:
        """[n, places, width] as heads, in some order of the axes."""
        split = self.put("Reshape", x, self.shape(0, PLACES, HEADS, WIDTH // HEADS))
        return self.put("Transpose", split, perm=order)

    def attention(self, x: str) -> str:
        """What each place takes from the others."""
        q, k, v = (self.linear(x, WIDTH, WIDTH) for _ in range(3))
        scores = self.put("MatMul", self.heads(q, (0, 2, 1, 3)), self.heads(k, (0, 2, 3, 1)))
        scale = self.constant(np.array((WIDTH // HEADS) ** -0.5, np.float32))
        likely = self.put("Softmax", self.put("Mul", scores, scale), axis=-1)
        mixed = self.put("MatMul", likely, self.heads(v, (0, 2, 1, 3)))
        joined = self.put("Transpose", mixed, perm=(0, 2, 1, 3))
        flat = self.put("Reshape", joined, self.shape(0, PLACES, WIDTH))
        return self.linear(flat, WIDTH, WIDTH)

    def block(self, x: str) -> str:
        """Attention and two layers, each added to what came in."""
        x = self.put("Add", x, self.attention(self.norm(x)))
        inner = self.put("Gelu", self.linear(self.norm(x), WIDTH, INNER))
        return self.put("Add", x, self.linear(inner, INNER, WIDTH))


def vit_b_32(path: Path, seed: int = 0) -> None:
    """Write the graph: `pixels` [n, 3, 224, 224] to `embedding` [n, 512], of unit length."""
    graph = Graph(seed)
    patches = graph.put(
        "Conv",
        "pixels",
        graph.weight(WIDTH, 3, PATCH, PATCH),
        kernel_shape=(PATCH, PATCH),
        strides=(PATCH, PATCH),
    )
    flat = graph.put("Reshape", patches, graph.shape(0, WIDTH, PLACES - 1))
    tokens = graph.put("Transpose", flat, perm=(0, 2, 1))
    first = graph.put("Shape", tokens, start=0, end=1)
    where = graph.put("Concat", first, graph.shape(1, WIDTH), axis=0)
    cls = graph.put("Expand", graph.weight(1, 1, WIDTH), where)
    x = graph.put("Concat", cls, tokens, axis=1)
    x = graph.norm(graph.put("Add", x, graph.weight(1, PLACES, WIDTH)))
    for _ in range(LAYERS):
        x = graph.block(x)
    one = graph.put("Gather", x, graph.constant(np.array(0, np.int64)), axis=1)
    out = graph.put("MatMul", graph.norm(one), graph.weight(WIDTH, OUT))
    length = graph.put("ReduceL2", out, graph.shape(1), keepdims=1)
    graph.nodes.append(helper.make_node("Div", [out, length], ["embedding"]))
    made = helper.make_graph(
        graph.nodes,
        "vit_b_32",
        [helper.make_tensor_value_info("pixels", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["n", OUT])],
        graph.weights,
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)])
    model.ir_version = 9
    onnx.save(model, path)
