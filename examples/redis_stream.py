"""Prints new revisions from Redis: python examples/redis_stream.py redis://HOST:6379/0 [AFTER].

AFTER is the id of an entry to go on after; without it, what comes from now on. Each line begins
with the id of its entry.
"""

import json
import sys
from collections.abc import Iterator
from typing import Any

import redis

KINDS = ("sound", "hashtag", "phrase", "format", "challenge")


def revisions(
    url: str, after: str = "", prefix: str = "groundswell"
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Id and revision of each new entry, for as long as they are asked for."""
    last = {f"{prefix}:stream:{kind}": after for kind in KINDS}
    with redis.Redis.from_url(url, decode_responses=True) as connection:
        for stream in [] if after else last:  # "$" would lose what comes between two reads
            newest: Any = connection.xrevrange(stream, count=1)
            last[stream] = newest[0][0] if newest else "0"
        while True:
            found: Any = connection.xread({**last}, block=1000, count=100)
            for stream, entries in found:
                for entry, fields in entries:
                    last[stream] = entry
                    yield entry, json.loads(fields["body"])


if __name__ == "__main__":
    for number, trend in revisions(*sys.argv[1:]):
        print(number, trend["stage"], trend["name"], trend["why"], sep="\t", flush=True)
