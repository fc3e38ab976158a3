"""Models of ONNX, run in batches on the best device that is there."""

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from extractors.media import F32, MissingError

Array = npt.NDArray[Any]

PROVIDERS: Final = {
    "tensorrt": "TensorrtExecutionProvider",
    "cuda": "CUDAExecutionProvider",
    "cpu": "CPUExecutionProvider",
}
"""What a model may run on, the fastest first."""

TYPES: Final = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
}
GAIN: Final = 1.03
"""A larger batch is taken when it does this much more in the same time."""
LONGEST_S: Final = 3.0
"""Seconds; batches that take longer are not tried when the best one is looked for."""


class ModelError(Exception):
    """A model that cannot be loaded or run: the message names it and the input."""


class Session:
    """One model, ready to be run: loaded, warmed up, with buffers that are used again and again.

    Inputs are written where the model reads them: `slots[i][:n]`, an array of the model's own type
    (float16 where the model is), then `run(i, n)`. While a run works on one slot another thread may
    write to the other. `run` itself is called by one thread at a time.

    On a GPU a batch that is not full is run as a full one, so that nothing is compiled anew.

    Args:
        file: the model; it has one input of `[n, *row]`.
        name: what messages call it.
        row: shape of one input.
        output: which output is wanted; None: the first.
        devices: of `PROVIDERS`, those that may be used; the first that works is.
        threads: of the processor; 0: one a core.
        batch: rows at once; 0: what was measured to be best, once, and is kept in `profile`.
        max_batch: most rows at once.
        profile: a JSON file of best batches; None: they are measured each time.
        digest: of the model, by which the profile knows it.

    Raises `MissingError` without onnxruntime, `ModelError` where the model cannot be used.
    """

    def __init__(
        self,
        file: Path,
        name: str,
        row: Sequence[int],
        *,
        output: str | None = None,
        devices: Sequence[str] = tuple(PROVIDERS),
        threads: int = 0,
        batch: int = 0,
        max_batch: int = 64,
        profile: Path | None = None,
        digest: str = "",
    ) -> None:
        try:
            import onnxruntime
        except ImportError:
            raise MissingError(
                "needs the package onnxruntime: pip install 'groundswell[visual]'"
            ) from None
        self._ort = onnxruntime
        self.name, self.row = name, tuple(row)
        self._limit = batch or max_batch
        self._session, self.device = self._opened(file, list(devices), threads)
        self._input, self.dtype = self._looked_at()
        self._output, self.width, self._out_type = self._asked_for(output)
        self.slots = [np.zeros((self._limit, *self.row), self.dtype) for _ in range(2)]
        self._out = np.empty((self._limit, self.width), self._out_type)
        self._bound: dict[tuple[int, int], Any] = {}
        self._on_device = [
            onnxruntime.OrtValue.ortvalue_from_numpy(slot, "cuda", 0)
            for slot in (self.slots if self.device != "cpu" else [])
        ]
        try:
            key = f"{digest} {self.device} {threads or os.cpu_count()} {onnxruntime.__version__}"
            self.batch = batch or self._best(profile if digest else None, key)
            self.run(0, self.batch)
        except Exception:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the model and its memory."""
        self._bound.clear()
        self._on_device.clear()
        self._session = None

    def run(self, slot: int, n: int) -> F32:
        """Return float32 [n, width] for the first n rows of a slot, 1 <= n <= its length.

        Raises `ModelError` where the model fails or says what is no number.
        """
        rows = n if self.device == "cpu" else self._limit
        try:
            if self._on_device:
                self._on_device[slot].update_inplace(self.slots[slot])
            self._session.run_with_iobinding(self._binding(slot, rows))
        except Exception as error:  # onnxruntime's errors have no common class of their own
            raise ModelError(f"{self._called(n)}: {_line(error)}") from None
        found = self._out[:n].astype(np.float32)
        if not np.isfinite(found).all():
            raise ModelError(f"{self._called(n)}: gives what is no number")
        return found

    def __call__(self, rows: Array) -> F32:
        """Return float32 [n, width] for any number of rows [n, *row]."""
        if rows.shape[1:] != self.row:
            raise ModelError(
                f"{self._called(len(rows))}: got {list(rows.shape)}, expected [n, "
                f"{', '.join(map(str, self.row))}]"
            )
        found = [np.empty((0, self.width), np.float32)]
        for start in range(0, len(rows), self.batch):
            some = rows[start : start + self.batch]
            self.slots[0][: len(some)] = some
            found.append(self.run(0, len(some)))
        return np.concatenate(found)

    def _called(self, n: int) -> str:
        shape = [n, *self.row]
        return f"model {self.name} on {self.device}, input {self._input!r} {shape}"

    def _opened(self, file: Path, devices: list[str], threads: int) -> tuple[Any, str]:
        there = self._ort.get_available_providers()
        options = self._ort.SessionOptions()
        options.log_severity_level = 4  # what goes wrong is raised, and said by who runs it
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        wrong = f"none of {', '.join(devices)} is there, only {', '.join(there)}"
        for device in devices:
            if PROVIDERS[device] not in there:
                continue
            try:
                if device == "cpu":
                    self._spare(options, file)
                session = self._ort.InferenceSession(
                    str(file),
                    options,
                    providers=[
                        (PROVIDERS[later], self._settings(later, file))
                        for later in devices[devices.index(device) :]
                        if PROVIDERS[later] in there
                    ],
                    enable_fallback=0,
                )
            except Exception as error:  # as above; another device may do
                wrong = _line(error)
                continue
            took = session.get_providers()[0]
            return session, next(key for key, value in PROVIDERS.items() if value == took)
        raise ModelError(f"model {self.name}: cannot be loaded: {wrong}")

    def _spare(self, options: Any, file: Path) -> None:
        """Leave out the last optimisations of float16 models on the CPU: onnxruntime 1.31 crashes
        in them, the process with it. Other models gain 6 % by them."""
        levels = self._ort.GraphOptimizationLevel
        options.graph_optimization_level = levels.ORT_DISABLE_ALL
        looked_at = self._ort.InferenceSession(
            str(file), options, providers=[PROVIDERS["cpu"]], enable_fallback=0
        )
        half = any(one.type == "tensor(float16)" for one in looked_at.get_inputs())
        options.graph_optimization_level = (
            levels.ORT_ENABLE_EXTENDED if half else levels.ORT_ENABLE_ALL
        )

    def _settings(self, device: str, file: Path) -> dict[str, Any]:
        if device == "tensorrt":
            return {
                "trt_fp16_enable": True,
                "trt_engine_cache_enable": True,
                "trt_engine_cache_path": str(file.parent / "tensorrt"),
            }
        return {}

    def _looked_at(self) -> tuple[str, Any]:
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(one.name for one in inputs)
            raise ModelError(f"model {self.name}: has the inputs {names}; expected one")
        given = inputs[0]
        fits = len(given.shape) == 1 + len(self.row) and all(
            not isinstance(size, int) or size == wanted
            for size, wanted in zip(given.shape[1:], self.row, strict=True)
        )
        if not fits or isinstance(given.shape[0], int) or given.type not in TYPES:
            raise ModelError(
                f"model {self.name}: its input {given.name!r} is {given.type} {given.shape}, "
                f"expected any number of {list(self.row)}"
            )
        return given.name, TYPES[given.type]

    def _asked_for(self, wanted: str | None) -> tuple[str, int, Any]:
        outputs = {one.name: one for one in self._session.get_outputs()}
        name = wanted or next(iter(outputs))
        found = outputs.get(name)
        if found is None:
            raise ModelError(
                f"model {self.name}: has no output {name!r}, only {', '.join(outputs)}"
            )
        if len(found.shape) != 2 or found.type not in ("tensor(float)", "tensor(float16)"):
            raise ModelError(
                f"model {self.name}: its output {name!r} is {found.type} {found.shape}, expected "
                "numbers [n, width]"
            )
        width = found.shape[1]
        if not isinstance(width, int):
            row = {self._input: np.zeros((1, *self.row), self.dtype)}
            width = self._session.run([name], row)[0].shape[1]
        return name, width, TYPES[found.type]

    def _binding(self, slot: int, rows: int) -> Any:
        """Input and output at their places in memory, for so many rows; made once."""
        key = slot, rows
        if key not in self._bound:
            value = self._ort.OrtValue
            bound = self._session.io_binding()
            if self._on_device:
                bound.bind_ortvalue_input(self._input, self._on_device[slot])
            else:
                bound.bind_ortvalue_input(
                    self._input, value.ortvalue_from_numpy(self.slots[slot][:rows])
                )
            bound.bind_ortvalue_output(self._output, value.ortvalue_from_numpy(self._out[:rows]))
            self._bound[key] = bound
        return self._bound[key]

    def _best(self, profile: Path | None, key: str) -> int:
        known = _read(profile)
        if isinstance(found := known.get(key), int) and 1 <= found <= self._limit:
            return found
        if self.device != "cpu":
            return self._limit  # a batch that is not full costs as much as a full one
        best, fastest, size = 1, 0.0, 1
        while size <= self._limit:
            self.run(0, size)
            took = min(self._took(size) for _ in range(2))  # of two, for other work comes between
            if took > LONGEST_S or (size > 4 * best and size > 8):
                break
            if size / took > GAIN * fastest:
                best, fastest = size, size / took
            size *= 2
        if profile is not None:
            _write(profile, known | {key: best})
        return best

    def _took(self, n: int) -> float:
        began = time.perf_counter()
        self.run(0, n)
        return time.perf_counter() - began


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]


def _read(profile: Path | None) -> dict[str, Any]:
    try:
        known = json.loads(profile.read_bytes()) if profile is not None else {}
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _write(profile: Path, known: dict[str, Any]) -> None:
    """Keep it where that is possible; without, it is measured again."""
    fresh = profile.with_name(f"{profile.name}.{os.getpid()}")
    try:
        fresh.write_text(json.dumps(known, indent=1))
        fresh.replace(profile)
    except OSError:
        fresh.unlink(missing_ok=True)
