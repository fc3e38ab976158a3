"""The dashboards as they lie in their files, in the parts that tests look at."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.deploy.conftest import DEPLOY

FOLDER = DEPLOY / "grafana" / "dashboards"
POSTGRES = {"type": "grafana-postgresql-datasource", "uid": "${database}"}
PROMETHEUS = {"type": "prometheus", "uid": "${prometheus}"}


@dataclass(frozen=True)
class Target:
    """One query of a panel."""

    board: str
    panel: dict[str, Any]
    said: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.board}: {self.panel['title']} {self.said['refId']}"


def boards() -> dict[str, dict[str, Any]]:
    """Each dashboard by the name of its file."""
    return {
        path.stem: json.loads(path.read_text("utf-8")) for path in sorted(FOLDER.glob("*.json"))
    }


def targets(source: dict[str, str]) -> Iterator[Target]:
    """All queries of panels to one kind of data source."""
    for name, board in boards().items():
        for panel in board["panels"]:
            for target in panel["targets"]:
                if target["datasource"] == source:
                    yield Target(name, panel, target)


def variables(board: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The variables of a dashboard by name."""
    return {one["name"]: one for one in board["templating"]["list"]}
