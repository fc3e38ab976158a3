"""Programs that some of these tests are better with: on the path, or fetched by `.ci/deploy`."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from tests.deploy.conftest import ROOT

CACHE = ROOT / ".cache" / "deploy"


def tool(*names: str) -> str:
    """Path of the first of these programs that is there; without any the test is skipped."""
    path = f"{CACHE}{os.pathsep}{os.environ.get('PATH', '')}"
    for name in names:
        if found := shutil.which(name, path=path):
            return found
    pytest.skip(f"{' and '.join(names)}: not there; `.ci/deploy .cache/deploy.done` fetches some")


def run(
    command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None
) -> str:
    """What a command says that must end well."""
    done = subprocess.run(
        [*command],
        cwd=folder,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
