"""Alerts go out once, in the shape and at the time that is asked for, to a real HTTP server."""

import base64
import hashlib
import hmac
import json
import logging
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, ClassVar

import pytest
from jsonschema import Draft202012Validator
from msgspec.structs import replace

from operators.alerts.delivery import Delivery
from operators.alerts.matching import Matching
from operators.alerts.outbox import COUNTERS, Outbox, counts
from operators.alerts.rules import Kind, Receiver, Rule, address
from operators.alerts.schedule import quiet_until
from operators.alerts.sender import BACKOFF_S, Sender, Sending
from operators.durable.faults import FencedError
from operators.durable.fence import Fence
from operators.sinks.alerts import AlertsSink
from operators.sinks.jsonl import OutputError
from schemas.trends import Member, Trend
from tests.operators.test_sinks import trend
from tests.services.receiver import Answer, receiving
from tests.services.receiver import Receiver as Server

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
KEY = b"a key of sixteen bytes"
LINK = "https://radar.example/{trend_id}?x=1"
HOSTILE = "<!channel> @here *b* <script>alert(1)</script> & \u202e\x1b[2J" + "ÿ" * 9000


@pytest.fixture
def server() -> Iterator[Server]:
    with receiving() as one:
        yield one


def told(one: str = "a", revision: int = 1, at: datetime = NOW, **changes: Any) -> Trend:
    """A revision of the trend `id-ONE`."""
    return replace(trend(one, revision), event_time=at, **changes)


class Told:
    """An outbox, a rule, and a receiver that is really spoken to."""

    def __init__(
        self, server: Server, path: Path | str = ":memory:", kind: Kind = "webhook", **fields: Any
    ) -> None:
        environment = {"BOT": "12:ab", "HOOK": f"{server.url}/hook", "KEY": KEY.decode()}
        own: dict[Kind, dict[str, Any]] = {
            "webhook": {"url_env": "HOOK", "secret_env": "KEY"},
            "alertmanager": {"url": server.url},
            "slack": {"url_env": "HOOK"},
            "telegram": {"url": server.url, "token_env": "BOT", "chat": "-100"},
        }
        limits = {
            name: fields.pop(name) for name in [*fields] if name in Receiver.__struct_fields__
        }
        self.receiver = Receiver(kind=kind, **own[kind], **limits)
        self.rule = Rule(name="r", to="x", **fields)
        self.outbox = Outbox(path)
        self.delivery = Delivery("x", self.receiver, address("x", self.receiver, environment), LINK)
        self.sender = Sender(self.outbox, self.receiver, [self.rule], self.delivery)

    def take(self, *trends: Trend, now: datetime = NOW) -> int:
        return self.outbox.take([Matching(self.rule)], trends, now)

    def step(self, now: datetime = NOW) -> datetime | None:
        return self.sender.step(now)

    def until_idle(self, now: datetime = NOW) -> datetime | None:
        """Send all that is to be sent now; when there may be more."""
        while (at := self.step(now)) == now:
            pass
        return at

    @property
    def counts(self) -> dict[str, int]:
        found = self.outbox.counts()["r"]
        ended = sum(found[name] for name in ("sent", "failed", "dropped", "stale", "waiting"))
        assert found["alerts"] + found["resolved"] == ended  # nothing is lost without being counted
        return found


@pytest.fixture
def made() -> Iterator[list[Told]]:
    every: list[Told] = []
    yield every
    for one in every:
        one.outbox.close()
        one.delivery.close()


@pytest.fixture
def hook(server: Server, made: list[Told]) -> Any:
    """Makes a `Told` with the fields of its rule and receiver."""

    def make(path: Path | str = ":memory:", kind: Kind = "webhook", **fields: Any) -> Told:
        made.append(Told(server, path, kind, **fields))
        return made[-1]

    return make


def names(server: Server) -> list[list[tuple[str, str]]]:
    """Status and trend of the alerts of each message so far."""
    return [
        [(one["status"], one["labels"]["trend_id"]) for one in message["alerts"]]
        for message in server.json
    ]


def test_a_trend_is_told_once_and_once_that_it_is_over(server: Server, hook: Any) -> None:
    one = hook()
    for _ in range(2):  # what a run that goes on repeats changes nothing
        one.take(told(), told("a", 2, stage="peaking"))
        one.until_idle()
        one.take(told("a", 3, stage="fading"), told("a", 4, stage="peaking"))
        one.take(told("a", 5, stage="evergreen"))
        one.until_idle()
    assert names(server) == [[("firing", "id-a")], [("resolved", "id-a")]]
    assert one.counts["sent"] == 2
    assert len({request.key for request in server.requests}) == 2


def test_nobody_hears_the_end_of_what_was_not_told(server: Server, hook: Any) -> None:
    one = hook(min_authors=100)
    one.take(told(), told("a", 2, stage="fading"))
    assert one.until_idle() is None
    other = hook(resolve=False)
    other.take(told("b"), told("b", 2, stage="fading"))
    other.until_idle()
    assert names(server) == [[("firing", "id-b")]]


def test_what_is_over_before_it_is_told_is_told_once_with_both(server: Server, hook: Any) -> None:
    one = hook(digest_minutes=30)
    one.take(told(), told("b"), told("a", 2, NOW + 3 * MINUTE, stage="fading"))
    one.until_idle(NOW + 30 * MINUTE)
    (message,) = server.json
    assert names(server) == [[("resolved", "id-a"), ("firing", "id-b")]]
    assert message["alerts"][0]["startsAt"] == "2026-01-05T12:00:00Z"
    assert message["alerts"][0]["endsAt"] == "2026-01-05T12:03:00Z"
    assert one.counts["sent"] == 3


TIME = {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$"}
TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
ALERT = {
    "status": {"enum": ["firing", "resolved"]},
    "labels": TEXTS,
    "annotations": TEXTS,
    "startsAt": TIME,
    "endsAt": TIME,
    "generatorURL": {"type": "string"},
    "fingerprint": {"type": "string", "pattern": "^[0-9a-f]{16}$"},
}


def whole(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": [*properties],
        "additionalProperties": False,
    }


WEBHOOK = whole(
    {
        "version": {"const": "4"},
        "groupKey": {"type": "string"},
        "truncatedAlerts": {"const": 0},
        "status": {"enum": ["firing", "resolved"]},
        "receiver": {"type": "string"},
        "groupLabels": TEXTS,
        "commonLabels": TEXTS,
        "commonAnnotations": TEXTS,
        "externalURL": {"type": "string"},
        "alerts": {"type": "array", "minItems": 1, "items": whole(ALERT)},
    }
)
POSTED = {
    "type": "array",
    "items": whole({k: v for k, v in ALERT.items() if k not in ("status", "fingerprint")}),
}
"""PostableAlerts of Alertmanager's API."""


def hostile(name: str, revision: int = 1, stage: str = "emerging") -> Trend:
    members = tuple(
        Member(kind="hashtag", id=f"m{n}", label=HOSTILE, weight=0.1, reels=1) for n in range(9)
    )
    return told(
        name,
        revision,
        name=HOSTILE,
        why=HOSTILE,
        members=members,
        stage=stage,
        scopes=("global", f"region:{HOSTILE}"),
        examples=(HOSTILE,) * 10,
    )


def test_a_webhook_gets_the_shape_of_alertmanager_signed(server: Server, hook: Any) -> None:
    one = hook(digest_minutes=1)
    one.take(hostile("a"), told("b"))
    one.until_idle(NOW + MINUTE)
    one.take(told("b", 2, stage="fading"), now=NOW + MINUTE)
    one.until_idle(NOW + 2 * MINUTE)
    for message in server.json:
        Draft202012Validator(WEBHOOK).validate(message)
    first, second = server.json
    assert (first["status"], second["status"]) == ("firing", "resolved")
    assert first["commonLabels"] == {
        "alertname": "GroundswellTrend",
        "kind": "hashtag",
        "rule": "r",
    }
    assert first["alerts"][1]["generatorURL"] == "https://radar.example/id-b?x=1"
    assert first["alerts"][1]["labels"] == second["alerts"][0]["labels"]
    assert first["alerts"][1]["fingerprint"] == second["alerts"][0]["fingerprint"]
    said = json.dumps(first, ensure_ascii=False)
    assert "\u202e" not in said
    assert "\\u001b" not in said
    assert len(said) < 5000
    for request in server.requests:
        signed = f"{request.key}.{request.headers['webhook-timestamp']}.".encode() + request.body
        digest = hmac.digest(KEY, signed, hashlib.sha256)
        assert request.headers["webhook-id"] == request.key
        assert request.headers["webhook-signature"] == "v1," + base64.b64encode(digest).decode()
        age_s = datetime.now(UTC).timestamp() - int(request.headers["webhook-timestamp"])
        assert -5 < age_s < 300


def test_an_alertmanager_gets_alerts_that_end_and_stay_the_same(server: Server, hook: Any) -> None:
    one = hook(kind="alertmanager")
    one.take(told(kind="sound"))
    one.until_idle()
    one.take(told("a", 2, NOW + HOUR, stage="fading", kind="challenge"))
    one.until_idle()
    assert [request.path for request in server.requests] == ["/api/v2/alerts"] * 2
    (first,), (second,) = server.json
    for message in server.json:
        Draft202012Validator(POSTED).validate(message)
    assert first["labels"] == second["labels"]  # or it would be another alert
    assert first["labels"]["kind"] == "sound"
    assert (first["endsAt"], second["endsAt"]) == ("2026-01-12T12:00:00Z", "2026-01-05T13:00:00Z")


@pytest.mark.parametrize("count", [1, 20])
def test_slack_gets_escaped_text_that_calls_nobody(server: Server, hook: Any, count: int) -> None:
    one = hook(kind="slack", digest_minutes=1)
    one.take(*(hostile(str(n)) for n in range(count)))
    one.until_idle(NOW + MINUTE)
    (message,) = server.json
    assert message.keys() == {"text", "unfurl_links"}
    links = re.findall("<[^>]*>?", message["text"])
    assert links == [f"<https://radar.example/id-{n}?x=1|more>" for n in range(count)]
    text = re.sub("<[^>]*>", "", message["text"])
    assert "&lt;!channel&gt;" in text
    assert not re.search("[<>]|&(?!amp;|lt;|gt;)|@(?!\u200b)", text)
    assert len(message["text"]) < 4000
    assert "webhook-signature" not in server.requests[0].headers


class Telegram(HTMLParser):
    """What Telegram makes of a text: the words, and the tags in it."""

    ALLOWED: ClassVar = {"b", "a"}

    def __init__(self, text: str) -> None:
        super().__init__()
        self.said = ""
        self.open: list[str] = []
        self.links: list[str | None] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.ALLOWED
        self.open.append(tag)
        self.links += [value for name, value in attrs if name == "href"]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.said += data


@pytest.mark.parametrize("count", [1, 20])
def test_telegram_gets_html_that_fits(server: Server, hook: Any, count: int) -> None:
    one = hook(kind="telegram", digest_minutes=1)
    wide = "🎵" * 200
    trends = [hostile(str(n)) if n % 2 else told(str(n), name=wide) for n in range(count)]
    one.take(*trends, *(replace(t, revision=2, stage="evergreen") for t in trends))
    one.until_idle(NOW + MINUTE)
    (message,) = server.json
    assert server.requests[0].path == "/bot12:ab/sendMessage"
    assert message.keys() == {"chat_id", "text", "parse_mode", "link_preview_options"}
    assert (message["chat_id"], message["parse_mode"]) == (-100, "HTML")
    shown = Telegram(message["text"])
    assert not shown.open
    assert shown.links == [f"https://radar.example/id-{n}?x=1" for n in range(count)]
    assert 0 < len(shown.said.encode("utf-16-le")) // 2 <= 4096
    assert ("<script>" in shown.said) == (count > 1)  # as words
    assert not re.search("@(?!\u200b)", shown.said)


def test_a_refusal_that_may_pass_is_tried_again_with_the_same_key(
    server: Server, hook: Any
) -> None:
    one = hook()
    one.take(told())
    server.answers = [Answer(500), Answer(429, {"Retry-After": "90"}), Answer(503)]
    first = one.until_idle(NOW)
    assert NOW < first <= NOW + timedelta(seconds=BACKOFF_S[0])
    second = one.until_idle(first)
    assert second == first + timedelta(seconds=90)
    assert one.step(second - timedelta(seconds=1)) == second
    assert len(server.requests) == 2  # it is left alone until then
    third = one.until_idle(second)
    assert timedelta(seconds=2) <= third - second <= timedelta(seconds=4)  # the third doubles twice
    assert one.until_idle(third) is None
    assert len({request.key for request in server.requests}) == 1
    assert len({request.body for request in server.requests}) == 1
    assert one.counts | {"sent": 1, "messages": 1} == one.counts


@pytest.mark.parametrize(
    ("answer", "after_s"),
    [
        (Answer(429, {"Retry-After": "999999999999999"}), 3600),
        (Answer(503, {"Retry-After": format_datetime(datetime.now(UTC) + 2 * HOUR)}), 3600),
        (Answer(429, body=b'{"ok":false,"parameters":{"retry_after":77}}'), 77),
        (Answer(429, {"Retry-After": "\u00b2"}, b'{"parameters":{"retry_after":-5}}'), 0),
        (Answer(500, {"Retry-After": "soon"}, b"x" * 100_000), 0),
        (Answer(hangs=True), 0),
    ],
)
def test_whatever_a_receiver_answers_it_is_tried_again_in_bounded_time(
    server: Server, hook: Any, answer: Answer, after_s: float
) -> None:
    one = hook(timeout_seconds=1)
    one.take(told())
    server.answers = [answer]
    at = one.until_idle()
    pause_s = (at - NOW).total_seconds()
    assert max(after_s, BACKOFF_S[0] / 2) <= pause_s <= max(after_s, BACKOFF_S[0])
    assert one.until_idle(at) is None
    assert one.counts["sent"] == 1


@pytest.mark.parametrize("code", [301, 307, 400, 401, 404, 410])
def test_a_refusal_for_good_is_given_up_and_redirects_are_not_followed(
    server: Server, hook: Any, code: int, caplog: pytest.LogCaptureFixture
) -> None:
    one = hook()
    one.take(told(), told("b"))
    server.answers = [Answer(code, {"Location": f"{server.url}/elsewhere"}, b"no\x1b[2J such hook")]
    assert one.until_idle() is None  # the next one is not held up
    assert [request.path for request in server.requests] == ["/hook"] * 2
    assert one.counts | {"failed": 1, "sent": 1} == one.counts
    one.take(told("a", 2, stage="fading"), told("b", 2, stage="fading"))
    one.until_idle()
    assert names(server)[2:] == [[("resolved", "id-b")]]
    (line,) = caplog.messages
    assert line.startswith(f"alerts to x: answered {code}")
    assert "\x1b" not in line


def test_it_is_given_up_when_it_was_tried_long_enough(server: Server, hook: Any) -> None:
    one = hook(give_up_minutes=30)
    one.take(told())
    server.usual = Answer(500)
    at = one.until_idle()
    one.take(told("a", 2, stage="fading"))
    while at is not None:
        last, at = at, one.step(at)
    assert NOW + 30 * MINUTE <= last <= NOW + 35 * MINUTE
    assert 10 < len(server.requests) < 25  # the pauses grow
    assert one.counts | {"failed": 1, "dropped": 1} == one.counts


def test_a_receiver_that_is_not_there_is_waited_for(hook: Any, server: Server) -> None:
    one = hook()
    one.take(told())
    one.delivery._address = address("x", Receiver(kind="webhook", url="http://127.0.0.1:1/"), {})
    at = one.until_idle()
    assert NOW < at < NOW + MINUTE
    assert one.counts["waiting"] == 1


def test_no_secret_is_logged(server: Server, hook: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    one = hook(kind="telegram")
    one.take(told(), told("b"))
    server.answers = [Answer(500, body=b"POST /bot12:ab/sendMessage failed"), Answer(404)]
    one.until_idle(one.until_idle())
    assert len(server.requests) == 3
    assert any("answered 500" in line for line in caplog.messages)
    assert "12:ab" not in caplog.text


def test_nothing_is_sent_in_quiet_hours_and_then_together(server: Server, hook: Any) -> None:
    one = hook(quiet="22:00-07:00", time_zone="Europe/Berlin", resolve=False)
    night = datetime(2026, 1, 5, 23, 30, tzinfo=UTC)
    morning = datetime(2026, 1, 6, 6, tzinfo=UTC)
    one.take(told("a", at=night), now=night)
    one.take(told("b", at=night + HOUR), now=night + HOUR)
    assert one.until_idle(night + HOUR) == morning
    assert server.requests == []
    one.until_idle(morning)
    one.take(told("c", at=morning), told("d", at=morning), now=morning)
    one.until_idle(morning)
    assert [len(message) for message in names(server)] == [2, 1, 1]


def test_nothing_is_tried_again_in_quiet_hours(server: Server, hook: Any) -> None:
    one = hook(quiet="12:01-14:00")
    one.take(told())
    server.answers = [Answer(503, {"Retry-After": "300"})]
    at = one.until_idle(one.until_idle())
    assert at == datetime(2026, 1, 5, 14, tzinfo=UTC)
    assert len(server.requests) == 1
    assert one.until_idle(at) is None
    assert one.counts["sent"] == 1


@pytest.mark.parametrize(
    ("now", "end"),
    [
        ("2026-03-28T21:00+00:00", "2026-03-29T01:30+00:00"),  # there is no 02:30
        ("2026-10-25T00:10+00:00", "2026-10-25T00:30+00:00"),  # 02:10, for the first time
        ("2026-10-25T01:10+00:00", "2026-10-25T01:30+00:00"),  # 02:10, for the second time
        ("2026-10-25T00:40+00:00", "2026-10-25T00:40+00:00"),
        ("2026-07-01T19:59+00:00", "2026-07-01T19:59+00:00"),
        ("2026-07-01T20:00+00:00", "2026-07-02T00:30+00:00"),
    ],
)
def test_quiet_hours_are_those_of_the_clock_on_the_wall(now: str, end: str) -> None:
    rule = Rule(name="r", to="x", quiet="22:00-02:30", time_zone="Europe/Berlin")
    at = quiet_until(rule, datetime.fromisoformat(now))
    assert at == datetime.fromisoformat(end)


def test_quiet_hours_always_end() -> None:
    draw = random.Random(1)
    for _ in range(2000):
        begins, ends = (f"{hour:02}:{draw.randrange(60):02}" for hour in draw.sample(range(24), 2))
        rule = Rule(name="r", to="x", quiet=f"{begins}-{ends}", time_zone="Australia/Lord_Howe")
        now = NOW + timedelta(minutes=draw.randrange(525_600))
        at = quiet_until(rule, quiet_until(rule, now))  # an end may come twice
        assert now <= at <= now + 25 * HOUR
        assert quiet_until(rule, at) == at


def test_a_digest_gathers(server: Server, hook: Any) -> None:
    one = hook(digest_minutes=30)
    for minute, name in enumerate("abc"):
        one.take(told(name), now=NOW + minute * MINUTE)
        assert one.until_idle(NOW + minute * MINUTE) == NOW + 30 * MINUTE
    one.until_idle(NOW + 30 * MINUTE)
    one.take(told("d"), now=NOW + 31 * MINUTE)
    assert one.until_idle(NOW + 31 * MINUTE) == NOW + 61 * MINUTE
    assert [len(message) for message in names(server)] == [3]


def test_a_rate_limit_loses_nothing_it_joins(server: Server, hook: Any) -> None:
    one = hook(rate_messages=3, rate_minutes=60)
    sent: list[datetime] = []
    now = NOW
    for number in range(50):
        now = NOW + number * MINUTE
        before = len(server.requests)
        one.take(told(str(number)), now=now)
        at = one.until_idle(now)
        sent += [now] * (len(server.requests) - before)
    while at is not None:
        now, before = at, len(server.requests)
        at = one.until_idle(now)
        sent += [now] * (len(server.requests) - before)
    assert [len(message) for message in names(server)] == [1, 1, 1, 20, 20, 7]
    assert all(later - sooner >= HOUR for sooner, later in zip(sent, sent[3:], strict=False))
    every = [alert for message in names(server) for alert in message]
    assert every == [("firing", f"id-{n}") for n in range(50)]


def test_what_is_old_is_not_told(server: Server, hook: Any) -> None:
    one = hook(max_age_hours=2)
    one.take(told("a", at=NOW - 3 * HOUR), told("b", at=NOW - HOUR))
    one.take(told("a", 2, at=NOW, stage="fading"))
    one.until_idle()
    assert names(server) == [[("firing", "id-b")]]
    assert one.counts | {"stale": 1, "dropped": 1, "sent": 1} == one.counts


def test_only_so_many_wait_and_the_rest_is_counted(server: Server, hook: Any) -> None:
    one = hook(most_waiting=5)
    server.usual = Answer(500)
    for number in range(9):
        one.take(told(str(number)))
        one.step()
    assert one.counts | {"alerts": 9, "waiting": 5, "dropped": 4} == one.counts
    server.usual = Answer()
    one.until_idle(NOW + HOUR)
    one.take(*(told(str(number), 2) for number in range(9)))  # what was dropped stays so
    one.until_idle(NOW + HOUR)
    assert one.counts | {"sent": 5, "dropped": 4} == one.counts


def test_a_message_keeps_its_content_when_it_goes_on(
    server: Server, hook: Any, tmp_path: Path
) -> None:
    """It was delivered, and the process was gone before it was written down."""
    path = tmp_path / "alerts.db"
    first = hook(path, digest_minutes=5)
    first.take(told("a"), told("b"))
    server.answers = [Answer(500)]
    first.until_idle(NOW + 5 * MINUTE)
    first.outbox.close()
    second = hook(path, digest_minutes=5)
    second.take(told("a"), told("b"), told("c"), now=NOW + 6 * MINUTE)
    second.until_idle(NOW + HOUR)
    assert [len(message) for message in names(server)] == [2, 2, 1]
    assert server.requests[0].body == server.requests[1].body
    assert [one.key for one in server.requests[:2]] == [server.requests[0].key] * 2
    assert counts(path) == second.outbox.counts()
    assert second.counts["sent"] == 3


def test_rules_that_are_gone_send_no_more(server: Server, hook: Any) -> None:
    one = hook(digest_minutes=5)
    one.take(told("a"))
    one.outbox.forget(["other"])
    assert one.until_idle(NOW + HOUR) is None
    assert one.counts | {"dropped": 1} == one.counts
    assert server.requests == []


def test_the_sink_decides_and_a_thread_sends(server: Server, hook: Any, tmp_path: Path) -> None:
    path = tmp_path / "alerts.db"
    now = datetime.now(UTC)
    one = hook(path)
    part = AlertsSink(path, [one.rule]).build_part("alerts", "alerts", None)
    thread = Sending(path, one.receiver, [one.rule], one.delivery, None)
    server.answers = [Answer(400)]
    part.write_batch([told("a", at=now), told("b", at=now)])
    thread.start()
    part.write_batch([told("c", at=now), told("d", at=now)])
    assert part.snapshot() == 0
    part.close()
    thread.stop(30)  # what is there now still goes out
    thread.join(60)
    assert not thread.is_alive()
    sent = {alert for message in names(server)[1:] for alert in message}
    assert sent == {("firing", f"id-{name}") for name in "bcd"}
    assert one.counts | {"failed": 1, "sent": 3} == one.counts


def test_a_run_that_was_taken_over_sends_and_notes_nothing(
    server: Server, hook: Any, tmp_path: Path
) -> None:
    one = hook(tmp_path / "alerts.db")
    fence = Fence.claim(tmp_path / "fence", 1)
    part = AlertsSink(tmp_path / "alerts.db", [one.rule], fence).build_part("s", "alerts", None)
    part.write_batch([told()])
    sender = Sender(one.outbox, one.receiver, [one.rule], one.delivery, fence)
    Fence.claim(tmp_path / "fence", 2).close()
    with pytest.raises(FencedError):
        sender.step(NOW)
    with pytest.raises(FencedError):
        part.write_batch([told("b")])
    part.close()
    fence.close()
    assert server.requests == []
    assert one.counts | {"alerts": 1, "waiting": 1} == one.counts


def test_an_outbox_that_cannot_be_written_holds_nothing_up_and_loses_nothing(
    server: Server, hook: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    one = hook(tmp_path / "alerts.db")
    part = AlertsSink(tmp_path / "alerts.db", [one.rule]).build_part("s", "alerts", None)
    part._outbox._connection.execute("PRAGMA query_only = ON")  # as a disk that is full
    part.write_batch([told("a"), told("b")])
    part.write_batch([told("c")])
    assert part.snapshot() == 0
    assert one.until_idle() is None
    assert "cannot be written" in caplog.text
    part._outbox._connection.execute("PRAGMA query_only = OFF")
    part.write_batch([told(str(number)) for number in range(1500)])
    part.close()
    assert one.counts["alerts"] == 1503


def test_a_file_that_is_no_outbox_is_refused(tmp_path: Path) -> None:
    (tmp_path / "alerts.db").write_bytes(b"no database at all, and long enough" * 100)
    with pytest.raises(OutputError, match="not usable as an outbox"):
        Outbox(tmp_path / "alerts.db")
    assert counts(tmp_path / "none.db") == {}
    assert "sent" in COUNTERS
