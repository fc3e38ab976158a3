"""Models that come within a package: that they are those the package was made with."""

import base64
import hashlib
from importlib.metadata import distribution
from pathlib import Path


def wrong(package: str, suffix: str) -> list[str]:
    """What is not as the package's own record says, a line a file; empty: all is whole.

    Raises `importlib.metadata.PackageNotFoundError`.
    """
    files = [one for one in distribution(package).files or () if one.name.endswith(suffix)]
    found = [] if files else [f"the package {package} has no {suffix} files"]
    for one in files:
        path = Path(str(one.locate()))
        if not path.is_file():
            found.append(f"{path} is missing")
        elif one.hash is not None:
            seen = hashlib.new(one.hash.mode, path.read_bytes()).digest()
            if base64.urlsafe_b64encode(seen).rstrip(b"=").decode() != one.hash.value:
                found.append(f"{path} is not what the package {package} was made with")
    return found
