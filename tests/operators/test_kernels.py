"""Kernels never outlive the sources they were compiled from."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from operators.kernels import forget_stale

KERNEL = """
from pathlib import Path
from operators.kernels import forget_stale
forget_stale(Path(__file__).parent)
from numba import njit
from kernels.part import number

@njit(cache=True)
def answer():
    return number()
"""
PART = """
from numba import njit

@njit(inline="always")
def number():
    return {number}
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    package = tmp_path / "kernels"
    (package / "deep" / "__pycache__").mkdir(parents=True)
    (package / "deep" / "one.py").write_text("one = 1")
    return package


def compiled(package: Path) -> list[Path]:
    """Two files as numba leaves them, and one of Python's."""
    folder = package / "deep" / "__pycache__"
    files = [folder / "one.f-1.py311.nbi", folder / "one.f-1.py311.1.nbc", folder / "one.pyc"]
    for file in files:
        file.write_bytes(b"code")
    return files


def test_what_is_compiled_stays_while_the_sources_are_the_same(package: Path) -> None:
    assert forget_stale(package)
    files = compiled(package)
    assert not forget_stale(package)
    assert all(file.exists() for file in files)


@pytest.mark.parametrize("change", ["text", "time", "new", "gone", "used"])
def test_what_is_compiled_goes_when_any_source_changes(package: Path, change: str) -> None:
    used = package.parent / "used"
    used.mkdir()
    (used / "two.py").write_text("two = 2")
    forget_stale(package, [used])
    index, code, other = compiled(package)
    source = package / "deep" / "one.py"
    match change:
        case "text":
            source.write_text("one = 11")
        case "time":
            os.utime(source, ns=(1, 1))
        case "new":
            (package / "more.py").touch()
        case "gone":
            source.unlink()
        case _:
            (used / "two.py").write_text("two = 22")
    assert forget_stale(package, [used])
    assert (index.exists(), code.exists(), other.exists()) == (False, False, True)
    assert not forget_stale(package, [used])


def test_a_kernel_is_compiled_anew_when_what_it_takes_in_has_changed(package: Path) -> None:
    def answer(number: int) -> str:
        (package / "part.py").write_text(PART.format(number=number))
        command = [sys.executable, "-c", "from kernels.main import answer; print(answer())"]
        path = os.pathsep.join([str(package.parent), str(Path(__file__).parents[2])])
        return subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    (package / "__init__.py").touch()
    (package / "main.py").write_text(KERNEL)
    assert answer(7) == "7\n"
    assert list(package.rglob("*.nbc"))
    assert answer(5) == "5\n"
