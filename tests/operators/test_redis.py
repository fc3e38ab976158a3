"""Redis and Valkey get each revision once, whatever is repeated, torn, hostile, or lost."""

import random
import shutil
import time
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from operators.durable.faults import FencedError
from operators.durable.fence import Fence
from operators.links import Linked
from operators.sinks import redis as sink
from operators.sinks.jsonl import OutputError
from operators.sinks.redis import Keeping
from operators.sinks.remote import Resume, ServicePart
from operators.sinks.store import Store, revisions
from schemas.trends import Trend, encode
from tests.operators.streams import batches, current, stream
from tests.operators.test_sinks import START, trend
from tests.services.processes import Server
from tests.services.proxy import proxy
from tests.services.redis import Redis

pytestmark = pytest.mark.services

WAIT_S = 60.0
KEEPING = Keeping("test")


@pytest.fixture
def server(redis: Redis) -> Server:
    if redis.server is None:
        pytest.skip("REDIS_URL: a server that is not ours is not killed")
    return redis.server


def part(
    url: str,
    resume: Resume | None = None,
    *,
    fence: Fence | None = None,
    wait_s: float = WAIT_S,
    history: sink.History | None = None,
    keeping: Keeping = KEEPING,
) -> ServicePart[Trend]:
    made = sink.RedisSink(url, keeping, fence, wait_s, history)
    return made.build_part("s", "redis", resume)


def put(url: str, *written: list[Trend], **how: Any) -> Resume:
    """Write batches, each for itself, and return the state."""
    one = part(url, **how)
    for batch in written:
        one.write_batch(batch)
        one.flush()
    one.close()
    run, written = one.snapshot()
    return run, written


def holds(redis: Redis, trends: Iterable[Trend], most_h: int = 168) -> None:
    """Redis holds exactly these revisions, in order, and of each trend the newest."""
    expected = [*trends]
    with redis.client() as client:
        streams = {key: client.xrange(key) for key in client.keys("test:stream:*")}
        found = [entry[b"body"] for key in streams for _, entry in streams[key]]
        assert sorted(found) == sorted(map(encode, expected))
        for key, entries in streams.items():
            kind = key.decode().rpartition(":")[2]
            mine = [one for one in expected if one.kind == kind]
            assert [times(entry) for entry in entries] == [in_ms(one.event_time) for one in mine]
        newest = current(expected)
        keys = client.keys("test:trend:*")
        bodies = {key.decode().removeprefix("test:trend:"): client.get(key) for key in keys}
        assert bodies == {name: encode(one) for name, one in newest.items()}
        assert all(0 < client.ttl(key) <= most_h * 3600 for key in keys)
        assert boards(redis) == {
            f"{scope}:{stage}": members
            for scope in sorted({scope for one in newest.values() for scope in one.scopes})
            for stage in ("emerging", "peaking", "fading", "evergreen")
            if (
                members := {
                    name: one.score
                    for name, one in newest.items()
                    if scope in one.scopes and one.stage == stage
                }
            )
        }


def boards(redis: Redis) -> dict[str, dict[str, float]]:
    """Score of each trend, by scope and stage."""
    with redis.client() as client:
        return {
            key.decode().removeprefix("test:top:"): {
                name.decode(): score for name, score in client.zrange(key, 0, -1, withscores=True)
            }
            for key in client.keys("test:top:*")
        }


def times(entry: tuple[bytes, Any]) -> int:
    return int(entry[0].split(b"-")[0])


def in_ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def dump(redis: Redis) -> dict[bytes, object]:
    """All that readers see, with the ids of entries."""
    with redis.client() as client:
        own = {b"test:position"}
        return {key: client.dump(key) for key in client.keys("*") if key not in own}


def waited_for(caplog: pytest.LogCaptureFixture, words: str) -> None:
    deadline = time.monotonic() + WAIT_S
    while words not in caplog.text:
        assert time.monotonic() < deadline, caplog.text
        time.sleep(0.02)


def test_each_revision_is_there_once_whatever_is_repeated(redis: Redis) -> None:
    trends, draw = stream(1), random.Random(1)
    state = put(redis.url, *batches(trends, draw))
    holds(redis, trends)
    assert state[1] == len(trends)
    before = dump(redis)
    put(redis.url, *batches(trends, draw))  # another run writes the same
    put(redis.url, trends[len(trends) // 2 :])
    put(redis.url, trends[: len(trends) // 3])
    assert dump(redis) == before


def test_batches_change_nothing(redis: Redis) -> None:
    trends = stream(2)
    put(redis.url, trends)
    before = dump(redis)
    with redis.client() as client:
        client.flushdb()
    put(redis.url, *([one] for one in trends))
    assert dump(redis) == before


def test_a_hint_comes_with_each_new_revision_and_with_no_other(redis: Redis) -> None:
    with redis.client() as client, client.pubsub() as listener:
        listener.subscribe("test:hints")
        put(redis.url, [trend("a"), trend("a", 2)])
        put(redis.url, [trend("a"), trend("a", 2), trend("a", 3)])
        heard = []
        while (message := listener.get_message(timeout=2)) and len(heard) < 4:
            heard.append(message["data"])
    assert heard == [1, b"id-a 1", b"id-a 2", b"id-a 3"]  # the first is of the subscription


def test_hostile_texts_are_only_texts(redis: Redis) -> None:
    hostile = "\0\r\n*1\r\n$8\r\nFLUSHALL\r\n ']] return redis.call('FLUSHALL') -- {}:* \U0001f30a"
    nasty = replace(trend("a"), name=hostile, why=hostile, scopes=(f"region:{hostile}",))
    nasty = replace(nasty, trend_id=hostile[:200])
    put(redis.url, [nasty, trend("b")])
    put(redis.url, [replace(nasty, revision=2, stage="fading")])
    holds(redis, [nasty, trend("b"), replace(nasty, revision=2, stage="fading")])


def test_a_trend_is_forgotten_some_time_after_its_last_revision(redis: Redis) -> None:
    old, day = trend("old"), timedelta(days=1)
    younger = replace(trend("younger"), event_time=old.event_time + 7 * day)
    put(redis.url, [old, younger])
    holds(redis, [old, younger])  # a week, to the moment
    newest = replace(trend("new"), event_time=old.event_time + 7 * day + timedelta(seconds=1))
    put(redis.url, [newest])
    assert boards(redis) == {"global:emerging": {"id-younger": 0.5, "id-new": 0.5}}
    with redis.client() as client:
        assert client.get("test:trend:id-old") is None
        assert client.hkeys("test:revisions") == [b"id-younger", b"id-new"]
        before = dump(redis)
        put(redis.url, [old])  # again, when it is forgotten
        assert dump(redis) == before


def test_a_stream_keeps_about_as_many_as_it_should(redis: Redis) -> None:
    trends = [trend("a", number + 1) for number in range(2000)]
    put(redis.url, trends, keeping=Keeping("test", stream_length=300))
    with redis.client() as client:
        assert 300 <= client.xlen("test:stream:hashtag") < 500
        assert client.xrevrange("test:stream:hashtag", count=1)[0][1][b"revision"] == b"2000"


def restarted(server: Server) -> None:
    server.restart()


def frozen(server: Server) -> None:
    server.freeze()
    time.sleep(1)
    server.thaw()


def frozen_and_killed(server: Server) -> None:
    server.freeze()
    time.sleep(0.3)
    server.restart()


def timed_out(server: Server) -> None:
    """What was sent before the client gave up is done when the server goes on."""
    server.freeze()
    time.sleep(3 * sink.TIMEOUT_S)
    server.thaw()


@pytest.mark.parametrize("fault", [restarted, frozen, frozen_and_killed, timed_out])
def test_a_server_that_dies_again_and_again_loses_and_repeats_nothing(
    redis: Redis,
    server: Server,
    fault: Callable[[Server], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if fault is timed_out:
        monkeypatch.setattr(sink, "TIMEOUT_S", 0.5)
    trends, draw = stream(6, ticks=150), random.Random(6)
    one = part(redis.url)
    written = batches(trends, draw, most=30)
    faults = set(draw.sample(range(len(written)), 4))
    for number, batch in enumerate(written):
        one.write_batch(batch)
        if number % 10 == 0:
            one.flush()
        if number in faults:
            time.sleep(draw.uniform(0, 0.01))
            fault(server)
    one.close()
    holds(redis, trends)


@pytest.mark.parametrize("after", [False, True])
def test_a_connection_that_is_reset_in_a_write_loses_and_repeats_nothing(
    redis: Redis, server: Server, after: bool
) -> None:
    trends = stream(7)
    port = redis.url.rpartition(":")[2].partition("/")[0]
    with proxy(int(port)) as between:
        one = part(redis.url.replace(f":{port}/", f":{between.port}/"))
        for batch in batches(trends, random.Random(7), most=60):
            between.cut_at, between.after = b"EVALSHA", after
            one.write_batch(batch)
            one.flush()
        one.close()
    assert between.cuts >= 3
    holds(redis, trends)


def test_what_a_crash_of_the_machine_loses_is_written_again(
    redis: Redis, server: Server, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The last writes had not reached the disk: the log of the server ends before them."""
    trends = stream(8)
    third = len(trends) // 3
    one = part(redis.url)
    one.write_batch(trends[:third])
    one.flush()
    log = server.folder / "appendonlydir"
    shutil.copytree(log, tmp_path / "log")
    one.write_batch(trends[third : 2 * third])
    one.flush()
    server.kill()
    shutil.rmtree(log)
    shutil.copytree(tmp_path / "log", log)
    server.start()
    one.write_batch(trends[2 * third :])
    one.close()
    holds(redis, trends)
    assert f"has {third} of {2 * third} revisions; writing them again" in caplog.text


def test_a_redis_that_was_emptied_is_filled_again(redis: Redis) -> None:
    trends = stream(9)
    one = part(redis.url)
    for number, batch in enumerate(batches(trends, random.Random(9))):
        one.write_batch(batch)
        one.flush()
        if number % 5 == 0:
            with redis.client() as client:
                client.flushdb()
    last = replace(trend("z"), event_time=START + timedelta(days=3))
    one.write_batch([last])
    one.close()
    holds(redis, [*trends, last])


def test_a_run_that_goes_on_fills_an_empty_redis_from_the_store(
    redis: Redis, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trends = stream(10)
    half = len(trends) // 2
    store = Store(tmp_path / "t.db").build_part("s", "store", None)
    store.write_batch([*map(Linked, trends)])
    store.close()
    state = put(redis.url, trends[:half])
    with redis.client() as client:
        client.flushdb()

    def history(since: datetime) -> Iterable[Trend]:
        return revisions(tmp_path / "t.db", since)

    put(redis.url, trends[half:], resume=state, history=history)
    holds(redis, trends)
    assert f"has 0 of {half} revisions" in caplog.text


def test_without_a_store_it_is_said_that_some_are_missing(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    put(redis.url, [trend("c")], resume=("a run", 2))
    assert "has 0 of 2 revisions" in caplog.text
    assert "no store to fill it from, some are missing" in caplog.text
    holds(redis, [trend("c")])


def test_a_redis_can_be_filled_while_nothing_runs(redis: Redis) -> None:
    trends = stream(11)
    put(redis.url, trends)
    before = {key: value for key, value in dump(redis).items() if b"stream" not in key}
    with redis.client() as client:
        client.flushdb()
    assert sink.refill(redis.url, KEEPING, trends) == len(trends)
    holds(redis, trends)
    assert {key: value for key, value in dump(redis).items() if b"stream" not in key} == before
    assert sink.refill(redis.url, KEEPING, trends) == len(trends)  # changes nothing
    holds(redis, trends)


def test_a_full_redis_is_named_and_waited_for(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    one = part(redis.url)
    one.write_batch([trend("a")])
    one.flush()
    with redis.client() as client:
        client.config_set("maxmemory", "1")
        try:
            one.write_batch([trend("b"), trend("a", 2)])
            waited_for(caplog, "it is full: raise maxmemory")
        finally:
            client.config_set("maxmemory", "0")
    one.close()
    holds(redis, [trend("a"), trend("b"), trend("a", 2)])
    assert "goes on after" in caplog.text


def test_a_replica_is_named_and_waited_for(redis: Redis, caplog: pytest.LogCaptureFixture) -> None:
    with redis.client() as client:
        put(redis.url, [trend("a")])
        client.replicaof("127.0.0.1", "1")
        try:
            with pytest.raises(OutputError, match="redis_url must name the primary"):
                sink.check(redis.url, "test")
            one = part(redis.url)
            one.write_batch([trend("b")])
            waited_for(caplog, "redis_url must name the primary")
        finally:
            client.replicaof("NO", "ONE")
    one.close()
    holds(redis, [trend("a"), trend("b")])


LEAST = (
    "on", "~test:*", "&test:*", "-@all", "+eval", "+evalsha", "+script|load", "+info", "+select",
    "+client", "+hget", "+hmget", "+hset", "+hsetnx", "+hdel", "+zadd",
    "+zrem", "+zrevrange", "+zrangebyscore", "+set", "+del", "+xadd", "+publish",
)  # fmt: skip
"""What docs/services.md says that a user needs."""


def test_a_permission_that_is_revoked_is_named_and_waited_for(
    redis: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    url = redis.url.replace("redis://", "redis://least:hidden@")
    with redis.client() as client:
        client.execute_command("ACL", "SETUSER", "least", ">hidden", *LEAST)
        try:
            sink.check(url, "test")
            trends = stream(12)
            one = part(url)
            one.write_batch(trends)
            one.flush()
            client.execute_command("ACL", "SETUSER", "least", "-xadd")
            later = replace(trend("z"), event_time=START + timedelta(days=3))
            one.write_batch([later])
            waited_for(caplog, "the ACL of the user in redis_url must permit")
            client.execute_command("ACL", "SETUSER", "least", "+xadd")
            one.close()
            client.execute_command("ACL", "SETUSER", "least", "resetpass", ">other")
            for refused in (check, put_quickly):
                with pytest.raises(OutputError, match="user and password") as caught:
                    refused(url)
                assert "hidden" not in str(caught.value)
        finally:
            client.execute_command("ACL", "DELUSER", "least")
    holds(redis, [*trends, later])
    assert "hidden" not in caplog.text


def check(url: str) -> None:
    sink.check(url, "test")


def put_quickly(url: str) -> None:
    put(url, [trend("q")], wait_s=0.3)


def test_what_a_service_does_not_take_for_too_long_stops_the_run(server: Server) -> None:
    one = part("redis://:hidden@127.0.0.1:1/0", wait_s=0.5)
    one.write_batch([trend("a")])
    with pytest.raises(OutputError, match=r"Redis 127\.0\.0\.1:1/0: .*refused.*; waited 0\.5 s"):
        one.flush()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("redis://:hidden@127.0.0.1:1/0", r"Redis 127\.0\.0\.1:1/0: .*refused"),
        ("http://:hidden@h", "redis_url: expected redis://USER"),
        ("redis://:hidden@h:port", "redis_url: expected redis://USER"),
    ],
)
def test_a_redis_that_is_not_there_is_named_without_its_password(url: str, message: str) -> None:
    with pytest.raises(OutputError, match=message) as caught:
        check(url)
    assert "hidden" not in str(caught.value)


def test_a_redis_that_may_drop_what_is_needed_is_refused(redis: Redis) -> None:
    with redis.client() as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
        try:
            with pytest.raises(OutputError, match="maxmemory-policy is allkeys-lru"):
                check(redis.url)
        finally:
            client.config_set("maxmemory-policy", "noeviction")
    check(redis.url)


def test_a_key_of_somebody_else_is_not_waited_for(redis: Redis) -> None:
    with redis.client() as client:
        client.set("test:stream:hashtag", "mine")
    with pytest.raises(OutputError, match="WRONGTYPE"):
        put(redis.url, [trend("a")])


def test_a_later_writer_fences_the_earlier_one(redis: Redis) -> None:
    first = part(redis.url)
    first.write_batch([trend("a")])
    first.flush()
    state = first.snapshot()
    second = part(redis.url, state)
    second.write_batch([trend("b")])
    second.flush()
    first.write_batch([trend("c")])
    with pytest.raises(FencedError, match="another run has taken over"):
        first.flush()
    second.close()
    holds(redis, [trend("a"), trend("b")])


def test_a_writer_whose_folder_was_taken_over_cannot_claim(redis: Redis, tmp_path: Path) -> None:
    stale = Fence.claim(tmp_path / "fence", 1)
    Fence.claim(tmp_path / "fence", 2)
    one = part(redis.url, fence=stale)
    one.write_batch([trend("a")])
    with pytest.raises(FencedError, match="another run has taken over"):
        one.flush()
    holds(redis, [])


def test_a_run_that_goes_on_after_another_wrote_fills_in_its_own(redis: Redis) -> None:
    state = put(redis.url, [trend("a")])
    put(redis.url, [trend("x")])
    put(redis.url, [trend("b")], resume=state, history=lambda since: [trend("a")])
    holds(redis, [trend("a"), trend("x"), trend("b")])
