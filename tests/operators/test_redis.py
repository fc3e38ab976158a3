"""Redis."""

import pytest

from operators.sinks import redis as sink
from tests.operators.test_sinks import trend
from tests.services.redis import Redis

pytestmark = pytest.mark.services


def test_a(redis: Redis) -> None:
    sink.check(redis.url, "g")
    part = sink.RedisSink(redis.url, sink.Keeping("g"), None, 5).build_part("s", "postgres", None)
    part.write_batch([trend("a"), trend("b"), trend("a", 2)])
    part.close()
    with redis.client() as c:
        for k in sorted(c.keys()):
            t = c.type(k)
            print(
                k,
                {
                    b"hash": c.hgetall,
                    b"string": c.get,
                    b"zset": lambda k: c.zrange(k, 0, -1, withscores=True),
                    b"stream": c.xrange,
                }[t](k),
            )
