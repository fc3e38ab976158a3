"""Some simulated days through the very flow that real reels go through, and how well it did."""

import os
import shlex
import shutil
import sys
from pathlib import Path

from rich.console import Console

from flows.errors import UserError
from flows.evaluate import evaluate_files
from flows.replay import Request, replay
from flows.settings import load
from flows.simulate import simulate_to
from flows.terminal import counter
from trend.simulator import SimulatorSettings
from trend.simulator.words import REGIONS

REELS_PER_DAY = 24_000


def demo(directory: Path, *, days: int, seed: int, console: Console, serves: bool = False) -> int:
    """Simulate, replay, evaluate, and if asked serve the radar; the exit code of the replay.

    Writes into `directory`: reels.jsonl, truth.json, trends.jsonl, trends.db, rejects.jsonl.
    """
    settings = SimulatorSettings(seed=seed, days=days, reels_per_day=REELS_PER_DAY)
    _say(console, f"Simulating days of {REELS_PER_DAY:,} reels: {days}, seed {seed} …")
    summary = simulate_to(directory, settings, counter(console, "lines written"))
    reels, truth = summary.reels_file, summary.truth_file
    trends, store = directory / "trends.jsonl", directory / "trends.db"
    rejects = directory / "rejects.jsonl"
    _say(console, "Looking for trends …")
    scopes = load().scopes or tuple(f"region:{region.code}" for region in REGIONS)
    code = replay(Request((str(reels),), trends, store, rejects, scopes=scopes), console)
    if code:
        return code
    _say(console, "\nWhat was planted, and what was found of it:")
    for line in evaluate_files(truth, trends).lines():
        _say(console, f"  {line}")
    again = f"--to {_quoted(trends)} --store {_quoted(store)}"
    _say(console, "\nTry next:")
    for command in (
        f"serve --store {_quoted(store)}",
        f"report radar.html --store {_quoted(store)}",
        f"demo --days {days} --seed {seed + 1} --dir {_quoted(directory)}",
        f"evaluate {_quoted(truth)} {_quoted(trends)} --json",
        f"replay {_quoted(reels)} {again} --processes 2",
        "replay YOUR-REELS.jsonl --to trends.jsonl --store trends.db --rejects rejects.jsonl",
    ):
        _say(console, f"  {called()} {command}")
    if serves:
        _serve(store, console)
    return 0


def _serve(store: Path, console: Console) -> None:
    """Show the radar until it is ended; where it cannot be, say why: the demo was good anyway."""
    from flows.serve import serve

    _say(console, "")
    try:
        serve(store, None, console, any_port=True)
    except UserError as error:
        _say(console, str(error))


def called() -> str:
    """How the shell finds this command: by its name, or by the path by which it was called."""
    path, found = sys.argv[0], shutil.which("groundswell")
    if Path(path).name != "groundswell":
        return "groundswell"
    known = found is not None and os.path.realpath(found) == os.path.realpath(path)
    return "groundswell" if known else shlex.quote(path)


def _quoted(path: Path) -> str:
    """A path as a shell takes it."""
    return shlex.quote(str(path))


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
