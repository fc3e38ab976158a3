"""The house stays in order: walls, names, docstrings, generated files, a light command."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.export import stale

ROOT = Path(__file__).parent.parent
PACKAGES = ("schemas", "trend", "extractors", "operators", "flows", "api", "deploy")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
VAGUE = {"utils", "util", "helpers", "helper", "common", "manager", "misc"}
HEAVY = (
    "polars", "numba", "numpy", "scipy", "bytewax", "rich", "fastapi", "uvicorn", "av", "httpx",
    "PIL", "onnxruntime", "tokenizers", "faster_whisper", "rapidocr", "torch",
)  # fmt: skip


def named(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_the_import_walls_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-logo", "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_generated_schemas_are_fresh() -> None:
    assert stale() == []


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_says_what_it_is(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), f"{named(path)} has no docstring"


@pytest.mark.parametrize("path", MODULES, ids=named)
def test_a_module_is_named_after_its_idea(path: Path) -> None:
    assert not VAGUE & set(path.relative_to(ROOT).with_suffix("").parts)


def test_the_command_tells_its_help_without_loading_anything_heavy() -> None:
    program = (
        "import sys\n"
        "from flows.cli import main\n"
        "sys.argv = ['groundswell', '--help']\n"
        "try:\n"
        "    main()\n"
        "except SystemExit as stop:\n"
        "    assert not stop.code\n"
        f"print('loaded:', *[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "replay" in done.stdout
    assert done.stdout.splitlines()[-1].split() == ["loaded:"]
