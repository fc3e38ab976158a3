"""Refused lines as JSON lines: where each was, why it was refused, and its bytes."""

from pathlib import Path

import msgspec
from bytewax.outputs import FixedPartitionedSink

from operators.blocks import Reject
from operators.durable.fence import Fence
from operators.sinks.jsonl import LinesPart


class RejectsFile(FixedPartitionedSink[Reject, int]):
    """A file of refused lines; items are `(key, Reject)`. `original` is base64."""

    def __init__(self, path: Path, fence: Fence | None = None) -> None:
        self._path = path
        self._fence = fence

    def list_parts(self) -> list[str]:
        """The one part, whatever the number of workers."""
        return ["rejects"]

    def build_part(
        self, step_id: str, for_part: str, resume_state: int | None
    ) -> LinesPart[Reject]:
        """Open the file: anew without a state, else cut back to it."""
        return LinesPart(self._path, encode, resume_state, self._fence)


def encode(reject: Reject) -> bytes:
    """One refused line as JSON, without the newline.

    >>> encode(Reject("a.jsonl", 3, 90, "json", "truncated", b"{", 1)).decode()
    '{"partition":"a.jsonl","record":3,"offset":90,"error":"json","reason":"truncated","length":1,"original":"ew=="}'
    """
    return msgspec.json.encode(
        {
            "partition": reject.partition,
            "record": reject.record,
            "offset": reject.offset,
            "error": reject.error,
            "reason": reject.reason,
            "length": reject.length,
            "original": reject.original,
        }
    )
