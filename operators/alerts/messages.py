"""What is sent: an alert in the shape of each kind of receiver.

Names and labels are of unknown origin. They lose what is invisible, are cut, and are escaped as the
receiver wants it; an `@` is kept from calling anybody.
"""

import hashlib
import html
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import msgspec

from operators.alerts.outbox import Alert, Message, current
from operators.alerts.rules import Kind, Receiver
from schemas.trends import Trend

STAYS: Final = timedelta(days=7)
"""How long an alert is in an Alertmanager that is not told that it is over."""
NEVER: Final = "0001-01-01T00:00:00Z"
"""The end of what goes on, as Alertmanager writes it."""
INVISIBLE: Final = {"Cc", "Cf", "Cs", "Co", "Cn"}
JOINERS: Final = "\u200c\u200d"
NAME: Final = 60
WHY: Final = 600
MEMBERS: Final = 5
EXAMPLES: Final = 3
"""Of one alert that is told in words."""


def body(receiver: Receiver, name: str, message: Message, link: str) -> bytes:
    """The body of the request that sends a message to a receiver, JSON."""
    alerts = current(message.alerts)
    made: dict[Kind, Callable[[], object]] = {
        "webhook": lambda: _webhook(name, message, alerts, link),
        "alertmanager": lambda: [_for_alertmanager(message.rule, one, link) for one in alerts],
        "slack": lambda: _slack(message, alerts, link),
        "telegram": lambda: _telegram(receiver.chat, message, alerts, link),
    }
    return msgspec.json.encode(made[receiver.kind]())


def line(text: str, most: int) -> str:
    """Text in one line without what is invisible, cut to `most` characters.

    >>> line("cat\\u202e\\n\\x1b[2J  drop", 9)
    'cat [2J …'
    """
    text = " ".join(text[: 4 * most].split())
    text = "".join(c for c in text if c in JOINERS or unicodedata.category(c) not in INVISIBLE)
    return text if len(text) <= most else text[: most - 1] + "…"


def _webhook(name: str, message: Message, alerts: Sequence[Alert], link: str) -> dict[str, Any]:
    """The shape in which Alertmanager calls webhooks, version 4."""
    told = [_alert(message.rule, one, link) for one in alerts]
    return {
        "version": "4",
        "groupKey": f"{{}}:{{rule={msgspec.json.encode(message.rule).decode()}}}",
        "truncatedAlerts": 0,
        "status": "firing" if any(one["status"] == "firing" for one in told) else "resolved",
        "receiver": name,
        "groupLabels": {"rule": message.rule},
        "commonLabels": _common([one["labels"] for one in told]),
        "commonAnnotations": _common([one["annotations"] for one in told]),
        "externalURL": "",
        "alerts": told,
    }


def _common(maps: Sequence[dict[str, str]]) -> dict[str, str]:
    first, *others = maps
    return {k: v for k, v in first.items() if all(other.get(k) == v for other in others)}


def _alert(rule: str, alert: Alert, link: str) -> dict[str, Any]:
    trend, over = alert.trend, alert.status == "resolved"
    fingerprint = hashlib.sha256(f"{rule}\n{trend.trend_id}".encode()).hexdigest()[:16]
    return {
        "status": alert.status,
        "labels": {
            "alertname": "GroundswellTrend",
            "kind": alert.kind,
            "rule": rule,
            "trend_id": trend.trend_id,
        },
        "annotations": {
            "summary": f"{_name(trend)} is {'over' if over else trend.stage}",
            "description": line(trend.why, WHY),
            "name": _name(trend),
            "stage": trend.stage,
            "scopes": ", ".join(line(scope, NAME) for scope in trend.scopes[:MEMBERS]),
            "members": ", ".join(line(one.label, NAME) for one in trend.members[:MEMBERS]),
            "examples": ", ".join(line(one, 256) for one in trend.examples[:EXAMPLES]),
            "authors": str(trend.authors),
            "reels": str(trend.reels),
            "growth": f"{trend.growth:.1f}",
            "score": f"{trend.score:.2f}",
        },
        "startsAt": _rfc3339(alert.since),
        "endsAt": _rfc3339(trend.event_time) if over else NEVER,
        "generatorURL": _page(trend, link),
        "fingerprint": fingerprint,
    }


def _for_alertmanager(rule: str, alert: Alert, link: str) -> dict[str, Any]:
    """An alert as Alertmanager takes it, API version 2."""
    whole = _alert(rule, alert, link)
    ends = whole["endsAt"] if alert.status == "resolved" else _rfc3339(alert.since + STAYS)
    kept = {name: whole[name] for name in ("labels", "annotations", "startsAt")}
    page = whole["generatorURL"]
    return kept | {"endsAt": ends} | ({"generatorURL": page} if page else {})


def _slack(message: Message, alerts: Sequence[Alert], link: str) -> dict[str, Any]:
    return {"text": _text(MRKDWN, message.rule, alerts, link), "unfurl_links": False}


def _telegram(chat: str, message: Message, alerts: Sequence[Alert], link: str) -> dict[str, Any]:
    return {
        "chat_id": int(chat) if chat.lstrip("-").isdigit() else chat,
        "text": _text(HTML, message.rule, alerts, link),
        "parse_mode": "HTML",
        "link_preview_options": {"is_disabled": True},
    }


@dataclass(frozen=True, slots=True)
class Markup:
    """How a receiver is told what is bold, a link, or neither."""

    plain: Callable[[str], str]
    bold: Callable[[str], str]
    link: Callable[[str, str], str]


def _calling_nobody(text: str) -> str:
    return text.replace("@", "@\u200b")


def _mrkdwn(text: str) -> str:
    text = _calling_nobody(text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


MRKDWN: Final = Markup(
    plain=_mrkdwn, bold=lambda text: f"*{text}*", link=lambda url, text: f"<{_mrkdwn(url)}|{text}>"
)
"""Slack, and what understands it."""
HTML: Final = Markup(
    plain=lambda text: html.escape(_calling_nobody(text), quote=False),
    bold=lambda text: f"<b>{text}</b>",
    link=lambda url, text: f'<a href="{html.escape(url)}">{text}</a>',
)
"""What Telegram knows of HTML."""


def _text(markup: Markup, rule: str, alerts: Sequence[Alert], link: str) -> str:
    if len(alerts) == 1:
        return _long(markup, rule, alerts[0], link)
    head = markup.bold(markup.plain(f"{line(rule, NAME)}: {len(alerts)} trends"))
    return "\n".join([head, *(f"• {_short(markup, one, link)}" for one in alerts)])


def _long(markup: Markup, rule: str, alert: Alert, link: str) -> str:
    trend, say = alert.trend, markup.plain
    where = ", ".join(line(scope, 40) for scope in trend.scopes[:MEMBERS])
    lines = [
        f"{_title(markup, alert)} {say(f'({trend.kind}, {where})')}",
        say(line(trend.why, WHY)),
    ]
    if len(trend.members) > 1:
        labels = ", ".join(line(one.label, NAME) for one in trend.members[:MEMBERS])
        more = len(trend.members) - MEMBERS
        lines.append(say(f"Together: {labels}" + (f" and {more} more" if more > 0 else "")))
    if trend.examples and alert.status == "firing":
        shown = ", ".join(line(one, NAME) for one in trend.examples[:EXAMPLES])
        lines.append(say(f"For example: {shown}"))
    page = _page(trend, link)
    told = say(f"{line(rule, NAME)} · {trend.event_time:%Y-%m-%d %H:%M} UTC")
    lines.append(f"{told} · {markup.link(page, 'more')}" if page else told)
    return "\n".join(lines)


def _short(markup: Markup, alert: Alert, link: str) -> str:
    """One of several: short enough that twenty are a message for Telegram."""
    trend = alert.trend
    page = _page(trend, link)
    told = f"{trend.kind}, {trend.authors:,} people, {trend.growth:.1f}x"
    said = f"{_title(markup, alert)} {markup.plain(f'({told})')}"
    return f"{said} {markup.link(page, 'more')}" if page else said


def _title(markup: Markup, alert: Alert) -> str:
    trend = alert.trend
    name = markup.bold(markup.plain(_name(trend)))
    if alert.status == "firing":
        return f"{name} is {trend.stage}"
    return f"{name} is over: {trend.stage}, seen first {alert.since:%Y-%m-%d %H:%M} UTC"


def _name(trend: Trend) -> str:
    return line(trend.name, NAME) or line(trend.trend_id, NAME)


def _page(trend: Trend, link: str) -> str:
    return link.replace("{trend_id}", quote(trend.trend_id, safe=""))


def _rfc3339(time: datetime) -> str:
    return time.astimezone(UTC).isoformat().replace("+00:00", "Z")
