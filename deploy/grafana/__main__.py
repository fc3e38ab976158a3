"""Writes the dashboards; with `--check` only says which of them are stale."""

import sys
from pathlib import Path
from typing import Final

from deploy.grafana.operations import operations
from deploy.grafana.queries import text
from deploy.grafana.trend import trend
from deploy.grafana.trends import trends

FOLDER: Final = Path(__file__).parent / "dashboards"


def dashboards() -> dict[Path, str]:
    """Each file and what belongs in it."""
    boards = {"trends": trends(), "trend": trend(), "operations": operations()}
    return {FOLDER / f"{name}.json": text(board) for name, board in boards.items()}


def stale() -> list[Path]:
    """Files that are missing, other than they should be, or too many."""
    wanted = dashboards()
    there = {path: path.read_text("utf-8") for path in FOLDER.glob("*.json")}
    return sorted(path for path in wanted | there if wanted.get(path) != there.get(path))


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` return 1 where one is stale."""
    if arguments == ["--check"]:
        for path in (found := stale()):
            print(f"{path} is stale: run python -m deploy.grafana", file=sys.stderr)
        return 1 if found else 0
    FOLDER.mkdir(exist_ok=True)
    for path in stale():
        path.unlink(missing_ok=True)
    for path, said in dashboards().items():
        path.write_text(said, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
