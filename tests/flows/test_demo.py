"""The demo: what it writes, and that what it suggests can be run."""

import io
import os
import shlex
import sys
from pathlib import Path

import pytest
from rich.console import Console

from flows.demo import called, demo


def script(folder: Path) -> Path:
    """An executable of our name."""
    folder.mkdir(parents=True)
    path = folder / "groundswell"
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def test_a_command_off_the_path_is_suggested_as_it_was_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, other = script(tmp_path / "our bin"), script(tmp_path / "other")
    monkeypatch.setattr(sys, "argv", [str(ours)])
    monkeypatch.setenv("PATH", os.defpath)
    assert called() == shlex.quote(str(ours))
    monkeypatch.setenv("PATH", str(other.parent))
    assert called() == shlex.quote(str(ours))
    monkeypatch.setenv("PATH", str(ours.parent))
    assert called() == "groundswell"


def test_a_day_is_simulated_replayed_and_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [".venv/bin/groundswell", "demo"])
    monkeypatch.setenv("PATH", os.defpath)
    out = io.StringIO()
    assert demo(tmp_path / "a demo", days=1, seed=0, console=Console(file=out, width=100)) == 0
    assert {file.name for file in (tmp_path / "a demo").iterdir()} >= {
        "reels.jsonl", "truth.json", "trends.jsonl", "trends.db", "rejects.jsonl"
    }  # fmt: skip
    _, suggested = out.getvalue().split("Try next:\n")
    words = [shlex.split(line) for line in suggested.splitlines()]
    assert [line[:2] for line in words] == [
        [".venv/bin/groundswell", name]
        for name in ("serve", "report", "demo", "evaluate", "replay", "replay")
    ]
    assert str(tmp_path / "a demo" / "truth.json") in words[3]
