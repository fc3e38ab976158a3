"""What all tests share: how hypothesis behaves, and the services."""

from hypothesis import settings

from tests.services.postgres import database, postgres
from tests.services.redis import redis, redis_server

__all__ = ["database", "postgres", "redis", "redis_server"]

# The build machine is shared and slow at times: a deadline an example would only measure that.
settings.register_profile("groundswell", deadline=None, derandomize=True, print_blob=True)
settings.load_profile("groundswell")
