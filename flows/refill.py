"""Fills Redis from the database, or from a SQLite store: `python -m flows.refill [trends.db]`.

For when Redis was emptied and nothing runs. A run that is going on does it itself.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

from flows.errors import UserError
from flows.settings import load
from flows.sinks import history, keeping
from operators.sinks import redis


def main(arguments: list[str]) -> int:
    """Write all revisions of the store. Raises `UserError`, OSError."""
    settings = load()
    revisions = history(settings, Path(arguments[0]) if arguments else None)
    if not settings.redis_url or revisions is None:
        raise UserError("redis_url, and database_url or the file of a store: expected both")
    since = datetime(1970, 1, 1, tzinfo=UTC)
    count = redis.refill(settings.redis_url.get_secret_value(), keeping(settings), revisions(since))
    print(f"{count:,} revisions written")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
