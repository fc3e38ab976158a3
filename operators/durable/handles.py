"""What Bytewax keeps of a key's state: where the base lies, and the deltas since."""

import io
import pickle
from typing import Any, Final

import msgspec

from operators.durable.segments import Ref

_MARK: Final = b"groundswell handle 1\n"


class Handle(msgspec.Struct, frozen=True, array_like=True):
    """The state of one key of a step: the base, and what came in since, oldest first."""

    step: str
    key: str
    chain: tuple[Ref, ...]
    """The base and then the deltas; empty: nothing has come yet."""


def encode(handle: Handle) -> bytes:
    """A handle as the bytes that Bytewax gets."""
    return _MARK + msgspec.msgpack.encode(handle)


def decode(said: bytes) -> Handle:
    """The handle in `said`. Raises ValueError for anything else."""
    if not said.startswith(_MARK):
        raise ValueError("not a handle of this version")
    return msgspec.msgpack.decode(said[len(_MARK) :], type=Handle)


def unpickle(change: bytes | None) -> Handle | None:
    """The handle in a snapshot as Bytewax wrote it; None for one of another kind.

    Nothing but plain values is unpickled, so that looking at a store runs no code of it.
    """
    if change is None:
        return None
    try:
        said = _Plain(io.BytesIO(change)).load()
        return decode(said) if isinstance(said, bytes) else None
    except (pickle.UnpicklingError, ValueError, EOFError):
        return None


class _Plain(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} is not plain")
