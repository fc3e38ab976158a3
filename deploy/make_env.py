"""Writes `deploy/.env` with passwords of its own: `python3 deploy/make_env.py`.

What is there stays; what `.env.example` names and is missing is added, so that it can be called
again after an upgrade. The standard library of any Python 3.9 or newer is enough.
"""

import os
import re
import secrets
import sys
from pathlib import Path

FOLDER = Path(__file__).parent
LINE = re.compile(r"([A-Z][A-Z0-9_]*)=(.*)")
BYTES = 24
"""Of each password: 32 characters that need no quoting in a URL."""


def assigned(text: str) -> "dict[str, str]":
    """The variables that a file of that kind sets."""
    found = (LINE.fullmatch(line.strip()) for line in text.splitlines())
    return {match[1]: match[2] for match in found if match}


def completed(example: str, present: str) -> str:
    """`present` with a new password for each variable that only `example` has, or that is empty."""
    have = {name for name, value in assigned(present).items() if value}
    wanted = [name for name, value in assigned(example).items() if not value and name not in have]
    kept = [line for line in present.splitlines() if line.partition("=")[0].strip() not in wanted]
    return "\n".join([*kept, *(f"{name}={secrets.token_urlsafe(BYTES)}" for name in wanted), ""])


def main(folder: Path = FOLDER) -> int:
    """Write the file, for its owner's eyes alone."""
    path = folder / ".env"
    present = (
        path.read_text("utf-8") if path.exists() else "# Made by make_env.py; keep it secret.\n"
    )
    text = completed((folder / ".env.example").read_text("utf-8"), present)
    fresh = path.with_name(".env.part")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
    print(f"{path}: {len(assigned(text))} variables")
    return 0


if __name__ == "__main__":
    sys.exit(main())
