"""Trends in Redis or Valkey, for who wants the newest at once.

| key, after the prefix | what it is |
|---|---|
| `:trend:ID` | the newest revision, a line of trends.v1, with expiry |
| `:top:SCOPE:STAGE` | a sorted set of trend ids by score |
| `:stream:KIND` | a stream of revisions: `trend_id`, `revision`, `stage`, `body` |
| `:hints` | a channel that gets `ID REVISION` when there is something new |
| `:position`, `:revisions`, `:seen` | what the writer knows of itself |

One script writes some revisions with the position of the run, so that they are there together or
not at all, and passes over those that are there. What Redis loses (the last second after a crash,
or everything) the next write finds missing by the position, and fills in again.
"""

import logging
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, Final, TypeVar

import msgspec
from bytewax.outputs import FixedPartitionedSink

from operators.durable import failpoints
from operators.durable.fence import Fence
from operators.sinks.jsonl import OutputError
from operators.sinks.remote import (
    TRENDS,
    Resume,
    ServicePart,
    Snapshot,
    UnavailableError,
    check_fence,
    fenced,
)
from schemas.trends import Trend, encode

log = logging.getLogger(__name__)

INSTALL: Final = "pip install 'groundswell[redis]'"
OLDEST: Final = 7
"""Version of Redis; Valkey says which it is compatible with."""
CHUNK: Final = 100
"""Revisions one script writes: some milliseconds in which Redis does nothing else."""
TIMEOUT_S: Final = 10.0
KEPT_S: Final = 120.0
"""How long what was written is kept, to be written again where Redis has lost it."""
KEPT: Final = 20_000
"""Revisions that are kept so at most."""
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND: Final = timedelta(milliseconds=1)

History = Callable[[datetime], Iterable[Trend]]
"""The revisions that a store holds since an event time, in the order of event time."""

CLAIM: Final = """
local found = redis.call('HGET', KEYS[1], 'fence') or '0'
if found ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'fence', ARGV[2], 'run', ARGV[3], 'position', ARGV[4])
return 1
"""

PUT: Final = """
local prefix, fence, run, before, after = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local length, expiry_s, newest = ARGV[6], ARGV[7], tonumber(ARGV[8])

local held = redis.call('HMGET', KEYS[1], 'fence', 'run', 'position')
local number = tonumber(held[1] or '0')
if number > tonumber(fence) or (number == tonumber(fence) and held[2] ~= run) then
    return {'fenced', '0'}
end
if number < tonumber(fence) then return {'unclaimed', '0'} end
if tonumber(held[3]) < tonumber(before) then return {'lost', held[3]} end

local top = redis.call('ZREVRANGE', KEYS[3], 0, 0, 'WITHSCORES')
newest = math.max(newest, tonumber(top[2] or '0'))
local oldest = newest - tonumber(expiry_s) * 1000

local function forget(id)
    local known = redis.call('HGET', KEYS[2], id)
    if not known then return end
    for place, board in ipairs(cjson.decode(known)) do
        if place > 1 then redis.call('ZREM', board, id) end
    end
end

for at = 9, #ARGV, 8 do
    local id, revision, kind, stage = ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
    local score, ms, scopes, body = ARGV[at + 4], ARGV[at + 5], ARGV[at + 6], ARGV[at + 7]
    local known = redis.call('HGET', KEYS[2], id)
    local is_new = not known or cjson.decode(known)[1] < tonumber(revision)
    if is_new and tonumber(ms) >= oldest then
        local added = redis.pcall('XADD', prefix .. ':stream:' .. kind, 'MAXLEN', '~', length,
            ms .. '-*', 'trend_id', id, 'revision', revision, 'stage', stage, 'body', body)
        -- What is older than the newest of its stream was there before.
        local fault = type(added) == 'table' and added.err
        if fault and not string.find(fault, 'equal or smaller', 1, true) then return added end
        forget(id)
        local place = {tonumber(revision)}
        for _, scope in ipairs(cjson.decode(scopes)) do
            local board = prefix .. ':top:' .. scope .. ':' .. stage
            redis.call('ZADD', board, score, id)
            place[#place + 1] = board
        end
        redis.call('HSET', KEYS[2], id, cjson.encode(place))
        redis.call('ZADD', KEYS[3], ms, id)
        redis.call('SET', prefix .. ':trend:' .. id, body, 'EX', expiry_s)
        redis.call('PUBLISH', prefix .. ':hints', id .. ' ' .. revision)
    end
end

local gone = redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', '(' .. string.format('%.0f', oldest),
    'LIMIT', 0, 1000)
for _, id in ipairs(gone) do
    forget(id)
    redis.call('HDEL', KEYS[2], id)
    redis.call('ZREM', KEYS[3], id)
    redis.call('DEL', prefix .. ':trend:' .. id)
end
if tonumber(held[3]) < tonumber(after) then redis.call('HSET', KEYS[1], 'position', after) end
return {'ok', after}
"""

MEND: Final = {
    "OOM": "it is full: raise maxmemory",
    "MISCONF": "it cannot save and so takes no writes: look at its disk and its log",
    "READONLY": "it is a replica: redis_url must name the primary",
    "NOAUTH": "redis_url must have its password",
    "WRONGPASS": "redis_url must have its user and password",
    "NOPERM": "the ACL of the user in redis_url must permit the keys, channels and commands we use",
    "LOADING": "",
    "BUSY": "",
    "MASTERDOWN": "",
    "NOREPLICAS": "min-replicas-to-write is not met",
}
"""What its operator can do, by the first word of an error; all of it may pass."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Keeping:
    """What is kept: names of keys, length of the streams, hours until a trend is forgotten."""

    prefix: str = "groundswell"
    stream_length: int = 10_000
    expiry_h: int = 168


class Redis:
    """The service: one connection, one writer."""

    def __init__(
        self,
        url: str,
        keeping: Keeping,
        fence: Fence | None = None,
        history: History | None = None,
    ) -> None:
        self._client = connect(url)
        self.name = named(self._client)
        self._keeping = keeping
        self._local = fence
        self._history = history
        self._fence = 0
        self._keys = [f"{keeping.prefix}:{key}" for key in ("position", "revisions", "seen")]
        self._claiming = self._client.register_script(CLAIM)
        self._putting = self._client.register_script(PUT)
        self._recent: deque[tuple[float, int, Trend]] = deque(maxlen=KEPT)
        """When written (s, monotonic), its number in the run, and the revision."""

    def put(self, resume: Resume, trends: list[Trend]) -> None:
        """Write revisions. See `operators.sinks.remote.Service`."""
        check_fence(self._local)
        with self._errors():
            if not self._fence:
                self._claim(resume, trends)
            failpoints.reach("sink-write.before")
            run, position = resume
            for chunk in _chunks(trends):
                self._write(run, position, position + len(chunk), chunk)
                self._keep(position, chunk)
                position += len(chunk)
            failpoints.reach("sink-write.after")

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _write(self, run: str, before: int, after: int, chunk: list[Trend]) -> None:
        """Write a chunk after what must be there; where that is not, write it again."""
        while True:
            said, held = self._script(run, before, after, chunk)
            if said == "ok":
                return
            if said == "unclaimed":  # it came back without our claim
                self._claim((run, before), chunk)
            else:
                self._fill(run, held, before, chunk)

    def _script(self, run: str, before: int, after: int, chunk: list[Trend]) -> tuple[str, int]:
        keeping = self._keeping
        newest = max((_ms(trend.event_time) for trend in chunk), default=0)
        arguments: list[Any] = [keeping.prefix, self._fence, run, before, after]
        arguments += [keeping.stream_length, keeping.expiry_h * 3600, newest]
        for trend in chunk:
            arguments += _arguments(trend)
        said, position = self._putting(keys=self._keys, args=arguments)
        if said == b"fenced":
            raise fenced(self.name)
        return said.decode(), int(position)

    def _claim(self, resume: Resume, trends: list[Trend]) -> None:
        """Let this writer write from now on, and none before it; see `postgres`."""
        run, position = resume
        while True:
            found, owner, written = self._client.hmget(self._keys[0], "fence", "run", "position")
            check_fence(self._local)
            own = owner == run.encode()
            held = int(written) if own else 0
            number = int(found or 0)
            if self._claiming(keys=self._keys[:1], args=[number, number + 1, run, held]):
                break
        self._fence = number + 1
        if held < position:
            self._fill(run, held, position, trends)

    def _fill(self, run: str, held: int, position: int, trends: list[Trend]) -> None:
        """Write again what Redis has lost of the first `position` revisions: it has `held`."""
        recent = [(number, trend) for _, number, trend in self._recent if number >= held]
        whole = bool(recent) and recent[0][0] == held
        log.warning("%s: has %d of %d revisions; writing them again", self.name, held, position)
        if not whole:
            if self._history is None:
                log.warning("%s: no store to fill it from, some are missing", self.name)
            else:
                newest = max((trend.event_time for trend in trends), default=EPOCH)
                since = newest - timedelta(hours=self._keeping.expiry_h)
                for chunk in _chunks(self._history(since)):
                    self._script(run, held, held, chunk)
        for chunk in _chunks(trend for _, trend in recent):
            self._script(run, held, held, chunk)
        self._script(run, held, position, [])

    def _keep(self, position: int, chunk: list[Trend]) -> None:
        now = time.monotonic()
        self._recent.extend((now, position + n, trend) for n, trend in enumerate(chunk))
        while self._recent and self._recent[0][0] < now - KEPT_S:
            self._recent.popleft()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        import redis

        try:
            yield
        except redis.RedisError as error:
            self._client.connection_pool.disconnect()
            raise explained(self.name, error) from error


class RedisSink(FixedPartitionedSink[Trend, Snapshot]):
    """The keys of a Redis; items are `(key, Trend)`."""

    def __init__(
        self,
        url: str,
        keeping: Keeping,
        fence: Fence | None,
        wait_s: float,
        history: History | None = None,
    ) -> None:
        self._url = url
        self._keeping = keeping
        self._fence = fence
        self._wait_s = wait_s
        self._history = history

    def list_parts(self) -> list[str]:
        """The one part, whatever the number of workers."""
        return ["redis"]

    def build_part(
        self, step_id: str, for_part: str, resume_state: Snapshot | None
    ) -> ServicePart[Trend]:
        """Begin to write; what is in Redis stays."""
        service = Redis(self._url, self._keeping, self._fence, self._history)
        return ServicePart(service, resume_state, self._wait_s, TRENDS, "redis")


def check(url: str, prefix: str) -> None:
    """Say before a run starts that trends cannot be written there. Raises `OutputError`."""
    import redis

    client = connect(url)
    name = named(client)
    try:
        found = client.info()
        version, policy = str(found["redis_version"]), str(found.get("maxmemory_policy", ""))
        if int(version.split(".", 1)[0]) < OLDEST:
            raise OutputError(f"{name}: version {version}, expected {OLDEST} or newer")
        if policy.startswith("allkeys"):
            raise OutputError(
                f"{name}: maxmemory-policy is {policy}, which drops keys that are needed; "
                "expected noeviction or volatile-ttl"
            )
        client.eval("return redis.call('HSETNX', KEYS[1], 'fence', '0')", 1, f"{prefix}:position")
    except redis.RedisError as error:
        raise OutputError(str(explained(name, error))) from error
    finally:
        client.close()


def refill(url: str, keeping: Keeping, history: Iterable[Trend]) -> int:
    """Write all revisions of a store while no run does; how many they were. Raises `OutputError`.

    A run that is going on fills Redis itself: delete its `:position`.
    """
    service = Redis(url, keeping)
    count = 0
    try:
        for chunk in _chunks(history):
            service.put(("refill", count), chunk)
            count += len(chunk)
    except UnavailableError as error:
        raise OutputError(str(error)) from error
    finally:
        service.close()
    return count


def named(client: Any) -> str:
    """The server as messages name it, without user and password."""
    parts = client.connection_pool.connection_kwargs
    where = parts.get("path") or f"{parts.get('host')}:{parts.get('port', 6379)}"
    return f"Redis {where}/{parts.get('db') or 0}"


def explained(name: str, error: Exception) -> Exception:
    """An error of redis-py as `UnavailableError`, or `OutputError` where waiting cannot help."""
    import redis

    said = (str(error).strip() or type(error).__name__).splitlines()[0]
    passing = isinstance(error, redis.ConnectionError | redis.TimeoutError)
    for word, mend in MEND.items():
        if said.startswith(word) or any(words in said for words in _IN_WORDS.get(word, ())):
            passing = True
            said += f" ({mend})" if mend else ""
            break
    said = f"{name}: {said}"
    return UnavailableError(said) if passing else OutputError(said)


_IN_WORDS: Final = {
    "OOM": ("when used memory > 'maxmemory'",),
    "NOPERM": (
        "has no permissions to",
        "No permissions to",
        "can't run this command",
        "can't access at least one of the keys",
        "can't access at least one of the channels",
    ),
    "LOADING": ("is loading the dataset",),
    "READONLY": ("against a read only replica",),
    "WRONGPASS": ("invalid username-password",),
    "NOAUTH": ("Authentication required",),
}
"""redis-py drops the first word of some errors, and scripts have words of their own."""


def connect(url: str, timeout_s: float = TIMEOUT_S) -> Any:
    """A client that makes its connections when they are needed. Raises `OutputError`."""
    try:
        import redis
        from redis.backoff import NoBackoff
        from redis.retry import Retry
    except ImportError:
        raise OutputError(f"redis_url: redis is not installed; {INSTALL}") from None
    try:
        return redis.Redis.from_url(
            url,
            client_name="groundswell",
            socket_timeout=timeout_s,
            socket_connect_timeout=timeout_s,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError:
        raise OutputError(
            "redis_url: expected redis://USER:PASSWORD@HOST:PORT/NUMBER, rediss:// or unix://"
        ) from None


def _arguments(trend: Trend) -> list[Any]:
    scopes = msgspec.json.encode(trend.scopes)
    score, ms = repr(trend.score), _ms(trend.event_time)
    head = [trend.trend_id, trend.revision, trend.kind, trend.stage]
    return [*head, score, ms, scopes, encode(trend)]


def _ms(moment: datetime) -> int:
    return (moment - EPOCH) // MILLISECOND


def _chunks(items: Iterable[T]) -> Iterator[list[T]]:
    left = iter(items)
    while chunk := [*islice(left, CHUNK)]:
        yield chunk
