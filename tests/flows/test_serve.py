"""`groundswell serve`, `report` and the end of `demo`: what cannot be is said in one line."""

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import api
import flows.demo
import flows.serve
from flows.cli import main
from flows.errors import UserError
from flows.serve import opened
from flows.settings import load
from tests.api.trends import put, trend


@pytest.fixture(autouse=True)
def _no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROUNDSWELL_DATABASE_URL", raising=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--store", "none/t.db"], "the folder none does not exist"),
        (["serve", "--store", "text.db"], "text.db: cannot be read"),
        (["serve", "--store", "other.db"], "a SQLite file, but not a store of Groundswell"),
        (["serve", "--store", "newer.db"], "a store of version 99"),
        (["report", "r.html", "--store", "none.db"], "there is no such store"),
        (["report", "none/r.html", "--store", "t.db"], "the folder none does not exist"),
        (["report", "t.db", "--store", "t.db"], "is the store itself"),
        (["report", "r.html", "--store", "other.db"], "not a store of Groundswell"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    arguments: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    put(Path("t.db"), [trend(1)])
    put(Path("newer.db"), [trend(1)])
    Path("text.db").write_text("x" * 1000)
    for name, statement in (
        ("other.db", "CREATE TABLE a (b)"),
        ("newer.db", "UPDATE meta SET value = '99'"),
    ):
        with closing(sqlite3.connect(name)) as connection, connection:
            connection.execute(statement)
    assert main(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("groundswell: ")
    assert said in error
    assert error.count("\n") == 1
    assert not Path("r.html").exists()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("KEYS", "too-short", "expected keys of 16 characters or more, with commas"),
        ("REEL_URL", "javascript:{reel_id}", "expected `https://…{reel_id}…`; empty: no links"),
        ("PORT", "70000", "expected a whole number at least 0 and at most 65,535"),
    ],
)
def test_a_bad_setting_is_named_and_a_key_is_not_shown(
    name: str, value: str, expected: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv(f"GROUNDSWELL_SERVE_{name}", value)
    assert main(["serve"]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert (value in error) == (name != "KEYS")


def test_settings_reach_the_radar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_SERVE_KEYS", "one-key-of-some-length, another-key-as-long")
    monkeypatch.setenv("GROUNDSWELL_SERVE_RATE", "60")
    path = tmp_path / "t.db"
    reader, options = opened(path, load())
    reader.close()
    assert options.keys == ("one-key-of-some-length", "another-key-as-long")
    assert options.rate == 60
    assert options.feedback == tmp_path / "t.db.feedback.jsonl"
    assert options.hosts == {"localhost", "127.0.0.1", "[::1]"}
    monkeypatch.setenv("GROUNDSWELL_SERVE_HOSTS", "Radar.example, other.example")
    reader, options = opened(path, load())
    reader.close()
    assert options.hosts == {"localhost", "127.0.0.1", "[::1]", "radar.example", "other.example"}
    monkeypatch.delenv("GROUNDSWELL_SERVE_HOSTS")
    monkeypatch.setenv("GROUNDSWELL_SERVE_HOST", "0.0.0.0")
    monkeypatch.setenv("GROUNDSWELL_SERVE_FEEDBACK", "kept.jsonl")
    reader, options = opened(path, load())
    reader.close()
    assert options.hosts == frozenset()
    assert options.feedback == Path("kept.jsonl")


@pytest.mark.parametrize(
    ("arguments", "terminal", "serves"),
    [
        ([], True, True),
        ([], False, False),
        (["--no-serve"], True, False),
        (["--serve"], False, True),
    ],
)
def test_the_demo_serves_in_a_terminal_unless_told_otherwise(
    arguments: list[str], terminal: bool, serves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: dict[str, Any] = {}

    def demo(*_: object, **given: object) -> int:
        told.update(given)
        return 0

    monkeypatch.setattr(flows.demo, "demo", demo)
    for stream in (sys.stdin, sys.stdout):
        monkeypatch.setattr(stream, "isatty", lambda: terminal)
    assert main(["demo", *arguments]) == 0
    assert told["serves"] is serves


def test_a_demo_whose_radar_cannot_be_served_was_good_anyway(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def serve(*_: object, **__: object) -> int:
        raise UserError("serve: fastapi is not installed")

    monkeypatch.setattr(flows.serve, "serve", serve)
    flows.demo._serve(Path("t.db"), Console(file=sys.stdout))
    assert "fastapi is not installed" in capsys.readouterr().out


def test_without_its_packages_it_says_how_to_get_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delitem(sys.modules, "api.server", raising=False)
    monkeypatch.delattr(api, "server", raising=False)
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve"]) == 2
    wanted = "groundswell: serve: uvicorn is not installed; pip install 'groundswell[serve]'\n"
    assert capsys.readouterr().err == wanted
