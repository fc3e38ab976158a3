"""What happens to visual formats as JSON lines."""

from pathlib import Path

import msgspec
from bytewax.outputs import FixedPartitionedSink

from operators.durable.fence import Fence
from operators.formats import FormatChange
from operators.sinks.jsonl import LinesPart


class FormatsFile(FixedPartitionedSink[FormatChange, int]):
    """A file of changes; items are `(key, FormatChange)`."""

    def __init__(self, path: Path, fence: Fence | None = None) -> None:
        self._path = path
        self._fence = fence

    def list_parts(self) -> list[str]:
        """The one part, whatever the number of workers."""
        return ["formats"]

    def build_part(
        self, step_id: str, for_part: str, resume_state: int | None
    ) -> LinesPart[FormatChange]:
        """Open the file: anew without a state, else cut back to it."""
        return LinesPart(self._path, msgspec.json.encode, resume_state, self._fence)
