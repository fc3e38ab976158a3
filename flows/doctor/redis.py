"""Redis: can it be reached, has it room, does it keep what it is given, and may we write there."""

import time
from typing import Any, Final

from flows.doctor.finding import ANSWER_S, Finding, Findings, clock, ok, problem, warning
from operators.sinks.jsonl import OutputError
from operators.sinks.redis import MEND, OLDEST, connect, explained, named

FULL: Final = 0.9
"""Share of maxmemory from which on it is said so."""

PROBE: Final = """
local key = KEYS[1]
local function try(...) redis.call(...) redis.call('DEL', key) end
try('SET', key, '1', 'EX', 10)
try('HSET', key, 'a', '1')
redis.call('HSETNX', key, 'a', '1')
redis.call('HMGET', key, 'a')
redis.call('HDEL', key, 'a')
redis.call('ZADD', key, 1, 'a')
redis.call('ZREVRANGE', key, 0, 0)
redis.call('ZRANGEBYSCORE', key, 0, 1)
redis.call('ZREM', key, 'a')
redis.call('XADD', key, 'MAXLEN', '~', 1, '*', 'a', '1')
redis.call('DEL', key)
redis.call('PUBLISH', KEYS[2], '')
return 1
"""
"""All commands that a run needs, on a key that is gone afterwards."""


def redis(url: str, prefix: str, ahead_s: float = 0.0) -> Findings:
    """Look at the server that a URL names. `ahead_s`: how far our clock is put forward."""
    import redis as package

    check = "Redis"
    try:
        client = connect(url, ANSWER_S)
    except OutputError as error:
        yield problem("redis_url", str(error).removeprefix("redis_url: "))
        return
    try:
        check = named(client)
        yield from _server(check, client.info(), prefix)
        yield from _time(check, client, ahead_s)
        yield _writing(check, client, prefix)
    except package.RedisError as error:
        yield _said(check, error)
    finally:
        client.close()


def _said(check: str, error: Exception) -> Finding:
    said = str(explained(check, error)).removeprefix(f"{check}: ")
    for mend in filter(None, MEND.values()):
        if said.endswith(f" ({mend})"):
            return problem(check, said.removesuffix(f" ({mend})"), mend)
    return problem(check, said, "is it started, and are host and port in redis_url right?")


def _server(check: str, found: dict[str, Any], prefix: str) -> Findings:
    version = str(found["redis_version"])
    if int(version.split(".", 1)[0]) < OLDEST:
        yield problem(check, f"version {version}, expected {OLDEST} or newer", "upgrade the server")
    else:
        yield ok(check, f"version {version}")
    if found.get("role") == "slave":
        yield problem(check, "is a replica, which takes no writes", "name the primary in redis_url")
    if found.get("cluster_enabled") and "{" not in prefix:
        yield problem(
            check,
            "is a cluster, and the keys of one write lie in several slots",
            "put the prefix in braces: `redis_prefix = {groundswell}`",
        )
    policy, limit = str(found.get("maxmemory_policy", "")), int(found.get("maxmemory", 0))
    if policy.startswith("allkeys"):
        yield problem(
            check,
            f"maxmemory-policy is {policy}, which drops keys that are needed",
            "`CONFIG SET maxmemory-policy noeviction`, and the same in redis.conf",
        )
    share = int(found["used_memory"]) / limit if limit else 0.0
    if share >= 1:
        yield problem(
            check,
            f"is full: {share:.0%} of maxmemory, {limit >> 20:,} MiB",
            f"`CONFIG SET maxmemory {max(limit >> 19, 64)}mb`, or lower redis_stream_length",
        )
    elif share > FULL:
        yield warning(check, f"uses {share:.0%} of maxmemory, {limit >> 20:,} MiB", "raise it")
    elif limit:
        yield ok(check, f"uses {share:.0%} of maxmemory, {policy}")


def _writing(check: str, client: Any, prefix: str) -> Finding:
    client.eval(PROBE, 2, f"{prefix}:doctor", f"{prefix}:hints-of-doctor")
    return ok(check, f"{prefix}: can be written")


def _time(check: str, client: Any, ahead_s: float) -> Findings:
    import redis as package

    try:
        before = time.time()
        seconds, microseconds = client.time()
    except package.ResponseError:
        return  # a run does not need to ask that
    yield clock(check, seconds + microseconds / 1e6, (before + time.time()) / 2 + ahead_s)
