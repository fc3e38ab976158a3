"""Settings from a file `.env` in the folder that a command is started in."""

import os
from pathlib import Path
from typing import Final

PREFIX: Final = "GROUNDSWELL_"


def read(path: Path) -> None:
    """Take variables of ours from a file; those that are in the environment already stay.

    Others are left alone: a file that lies there by chance must not change how programs run.
    Raises OSError where it cannot be read.
    """
    if not path.is_file():
        return
    from dotenv import dotenv_values

    with path.open(encoding="utf-8", errors="replace") as file:
        for name, value in dotenv_values(stream=file, interpolate=False).items():
            if name.startswith(PREFIX) and value is not None:
                os.environ.setdefault(name, value)
