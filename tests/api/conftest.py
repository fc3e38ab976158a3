"""A store that all tests of the radar read, and none writes."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.client import Client
from tests.api.trends import application, challenge, later, put, trend

COUNT = 120


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Trends, one of them hostile, one with a life of three revisions."""
    path = tmp_path_factory.mktemp("radar") / "trends.db"
    first = trend(7, stage="emerging")
    second = later(first, stage="peaking")
    put(path, [*map(trend, range(7)), first, *map(trend, range(8, COUNT))])
    put(path, [second, later(second, stage="fading"), challenge()])
    return path


@pytest.fixture(scope="module")
def client(store: Path) -> Iterator[Client]:
    """The application, spoken to without a network."""
    with Client(application(store)) as one:
        yield one
