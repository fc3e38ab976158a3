"""What all tests share: how hypothesis behaves, and the services that tests talk to."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.processes import none_left
from tests.services.broker import Broker, Given, MissingError, running
from tests.services.postgres import database, postgres
from tests.services.redis import redis, redis_server

__all__ = ["database", "postgres", "redis", "redis_server"]

# The build machine is shared and slow at times: a deadline an example would only measure that.
settings.register_profile("groundswell", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("groundswell")


@pytest.fixture(autouse=True)
def no_process_is_left() -> Iterator[None]:
    """Stop what a test has started and not stopped."""
    with none_left():
        yield


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker | Given]:
    """A Kafka: the one that KAFKA_BOOTSTRAP names, or one of our own."""
    if address := os.environ.get("KAFKA_BOOTSTRAP"):
        yield Given(address)
        return
    try:
        with running(tmp_path_factory.mktemp("kafka")) as broker:
            yield broker
    except MissingError as error:
        if os.environ.get("CI") or os.environ.get("GROUNDSWELL_CI"):
            raise
        pytest.skip(str(error))


@pytest.fixture
def broker(kafka: Broker | Given) -> Iterator[Broker]:
    """A Kafka that the test may kill; it runs again afterwards."""
    if not isinstance(kafka, Broker):
        pytest.skip("KAFKA_BOOTSTRAP names a Kafka that is not ours to kill")
    yield kafka
    kafka.restart()
