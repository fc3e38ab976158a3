"""Pages of `docs/` that are made from the code: `python -m MODULE` writes one, `--check` looks."""

import sys
from pathlib import Path

DOCS = Path(__file__).parent.parent / "docs"


def write(path: Path, text: str, module: str, arguments: list[str]) -> int:
    """Write a page, or with `--check` return 1 where it is stale, and say how to mend it."""
    if arguments != ["--check"]:
        path.write_text(text, "utf-8")
        return 0
    if path.exists() and path.read_text("utf-8") == text:
        return 0
    print(f"{path} is stale: run python -m {module}", file=sys.stderr)
    return 1
