"""What a step does, apart from how its state is kept."""

import pickle
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from operators.metrics import Sizes

In = TypeVar("In")
Out = TypeVar("Out")

PROTOCOL = 5


class Machine(ABC, Generic[In, Out]):
    """A deterministic step for one key: the same values in the same order give the same outputs.

    It can be pickled whole. Between two bases its values are kept, and given to it again; a machine
    that can say shorter what it did overrides `journaled`, `rest` and `redo`.
    """

    @abstractmethod
    def key_of(self, value: In) -> str:
        """The key of one of its values."""

    @abstractmethod
    def apply(self, values: list[In]) -> list[Out]:
        """Take values, change, and return what is to be sent on."""

    def journaled(self, values: list[In]) -> tuple[list[Out], bytes]:
        """Do the same, and also return what is needed to do it again, taken before it changes."""
        entry = pickle.dumps(values, PROTOCOL)
        return self.apply(values), entry

    def rest(self) -> bytes:
        """What a delta says beside its entries: the small part of the state, if it has one."""
        return b""

    def redo(self, entries: Iterator[memoryview], rest: memoryview) -> None:
        """Do again what was done before a delta was written."""
        for entry in entries:
            self.apply(pickle.loads(entry))

    def sizes(self) -> Sizes:
        """What this key adds to the metrics of its process."""
        return {}

    def base(self) -> list[Any]:
        """The whole state as buffers: a pickle and what it leaves outside."""
        outside: list[pickle.PickleBuffer] = []
        inside = pickle.dumps(self, PROTOCOL, buffer_callback=outside.append)
        return [inside, *(buffer.raw() for buffer in outside)]
