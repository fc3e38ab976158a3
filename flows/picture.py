"""A neighbourhood as a picture: an SVG that stands alone, for people and for screen readers.

Trends are boxes, signals are shapes, one for each kind; what is larger has more reels, and a line
is the wider the more reels hold both its ends. All text that comes from the input is hostile: it
goes through `flows.plain` and is escaped. There are no scripts, and nothing is loaded from outside.
"""

import unicodedata
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import sqrt
from typing import Final
from xml.sax.saxutils import escape

import numpy as np

from flows.neighbourhood import Key, Neighbourhood, Signals
from flows.placing import placed
from flows.plain import plain
from operators.links import Link
from schemas.trends import Trend

FONT: Final = "system-ui, 'Segoe UI', Roboto, 'Noto Sans', 'DejaVu Sans', sans-serif"
INK, FAINT, PAPER, LINE, HOLD = "#1f2933", "#5f6c7b", "#fbfaf7", "#44546a", "#c9cfd6"
COLOURS: Final = {
    "sound": "#0072b2",
    "hashtag": "#d55e00",
    "phrase": "#009e73",
    "format": "#cc79a7",
}
"""Okabe and Ito's, which people who see few colours can tell apart; shapes differ too."""
DOTTED: Final = 'stroke-dasharray="1 6"'
LABEL: Final = 13.0
SMALL: Final = 11.0
RAISED: Final = 0.75 * LABEL
"""How far a shape's middle is above that of its box, which holds the label too."""
MAX_LABEL: Final = 15.0
"""Length of a label in ems; longer ones are cut, their titles are whole."""
LEAST_R, MOST_R = 7.0, 26.0
LEAST_W, MOST_W = 1.2, 9.0
FEW: Final = 9
"""Links up to which lines are as wide as they may be; of more each is narrower."""
FIGURES: Final = 12
"""Links whose numbers are written, the widest."""
OTHERS: Final = 2
"""Members of most reels that are drawn of other trends, beside those they share."""
LENGTH: Final = 115.0
MARGIN: Final = 18.0
EDGE: Final = 36.0
"""Paper around the drawing."""
SIDE: Final = 24.0
"""Paper beside the words."""
LEAST_WIDTH: Final = 760.0
HEAD: Final = 64.0
REASON_LINES: Final = 3
LEGEND: Final = 92.0


@dataclass(frozen=True, slots=True)
class Node:
    """What is drawn at one place. Sizes are half of the whole."""

    kind: str
    label: str
    about: str
    """Its title, read aloud and shown on pointing."""
    radius: float
    half_width: float
    half_height: float
    middle: bool = False

    @property
    def is_trend(self) -> bool:
        """Whether it is a box with its label in it."""
        return self.kind == "trend"


@dataclass(frozen=True, slots=True)
class Edge:
    """A line between two nodes; `reels` is what its width tells, None: all are alike."""

    a: int
    b: int
    relation: str
    about: str
    reels: int | None = None


def svg(around: Neighbourhood) -> str:
    """Return the picture as an SVG document."""
    nodes, edges = _drawn(around)
    boxes = np.array([[node.half_width, node.half_height] for node in nodes])
    pairs = sorted({(min(e.a, e.b), max(e.a, e.b)) for e in edges})
    at = placed(boxes, pairs, LENGTH, MARGIN)
    reason = _lines_of(plain(around.middle.trend.why), REASON_LINES)
    top = HEAD + LABEL * 1.4 * len(reason) + 14
    low, high = (at - boxes).min(axis=0), (at + boxes).max(axis=0)
    width = max(float(high[0] - low[0]) + 2 * EDGE, LEAST_WIDTH)
    height = top + float(high[1] - low[1]) + EDGE + LEGEND
    at = at - (low + high) / 2 + [width / 2, top + (high[1] - low[1]) / 2]
    places = [(float(x), float(y)) for x, y in at]
    ends = [
        (x, y if node.is_trend else y - RAISED) for node, (x, y) in zip(nodes, places, strict=True)
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
            f'width="{width:.0f}" height="{height:.0f}" role="img" '
            f'aria-labelledby="title desc" font-family="{FONT}" fill="{INK}">',
            f'<title id="title">{escape(_title(around))}</title>',
            f'<desc id="desc">{escape(described(around))}</desc>',
            f'<rect width="100%" height="100%" fill="{PAPER}"/>',
            *_heading(around, reason),
            '<g id="links" stroke-linecap="round">',
            *_lines(edges, ends),
            "</g>",
            '<g id="nodes">',
            *(
                line
                for node, place in zip(nodes, places, strict=True)
                for line in _node(node, place)
            ),
            "</g>",
            '<g id="figures" aria-hidden="true">',
            *_figures(edges, nodes, places, ends),
            "</g>",
            *_legend(around, edges, width, height - LEGEND),
            "</svg>",
            "",
        ]
    )


def described(around: Neighbourhood) -> str:
    """Return what the picture shows in words, for who cannot see it."""
    trend = around.middle.trend
    signals = around.signals()
    parts = [
        f"{_name(trend)}, {trend.stage}: {_reels(trend.reels)} by {_people(trend.authors)}. "
        f"{plain(trend.why)}."
    ]
    members = ", ".join(
        f"{kind} {plain(member.label) or plain(member.id)} ({_reels(member.reels)})"
        for (kind, _), member in around.middle.members.items()
    )
    parts.append(f"Its members: {members}.")
    together = [
        f"{_label(signals, a)} and {_label(signals, b)}, {_figure(link)}"
        for a, b, link, one in around.links()
        if one is around.middle
    ]
    if together:
        parts.append(f"Together in reels: {'; '.join(together)}.")
    others = [f"{_name(one.trend)} ({one.trend.stage})" for one in around.trends[1:]]
    if others:
        parts.append(f"Trends that share a member or a reel: {', '.join(others)}.")
    if around.more:
        parts.append(f"{around.more} more are left out.")
    return " ".join(parts)


def _signs(around: Neighbourhood) -> Signals:
    """Return the signals to draw: of other trends the strongest, and those that are shared."""
    held = Counter(key for one in around.trends for key in one.members)
    kept = {key for key, count in held.items() if count > 1} | around.middle.members.keys()
    for one in around.trends[1:]:
        own = [key for key in one.members if key not in kept]
        own.sort(key=lambda key: -one.members[key].reels)
        kept |= {*own[:OTHERS]}
    return {key: member for key, member in around.signals().items() if key in kept}


def _drawn(around: Neighbourhood) -> tuple[list[Node], list[Edge]]:
    signals = _signs(around)
    most = max([1, *(member.reels for member in signals.values())])
    nodes: list[Node] = []
    trend_at: dict[str, int] = {}
    signal_at: dict[Key, int] = {}
    for one in around.trends:
        trend = one.trend
        trend_at[trend.trend_id] = len(nodes)
        about = f"{_name(trend)}: {trend.stage}, {_reels(trend.reels)} by {_people(trend.authors)}"
        label = _cut(_name(trend))
        middle = one is around.middle
        size = LABEL + 3 if middle else LABEL
        nodes.append(Node("trend", label, about, 0.0, _width(label) * size / 2 + 14, size, middle))
    for key, member in signals.items():
        signal_at[key] = len(nodes)
        label = _cut(plain(member.label) or plain(member.id))
        radius = LEAST_R + (MOST_R - LEAST_R) * sqrt(member.reels / most)
        nodes.append(
            Node(
                key[0],
                label,
                f"{key[0]} {plain(member.label) or plain(member.id)}: {_reels(member.reels)}",
                radius,
                max(radius, _width(label) * LABEL / 2),
                radius + RAISED,
            )
        )
    edges: list[Edge] = []
    for one in around.trends:
        for key, member in one.members.items():
            if key not in signal_at:
                continue
            about = f"{_label(signals, key)} is in {_reels(member.reels)} of {_name(one.trend)}"
            edges.append(Edge(trend_at[one.trend.trend_id], signal_at[key], "member", about))
    for first, other, reels in around.shared_reels():
        about = f"{_name(first.trend)} and {_name(other.trend)} share {_reels(reels)}"
        ends = trend_at[first.trend.trend_id], trend_at[other.trend.trend_id]
        edges.append(Edge(*ends, "shares", about))
    for a, b, link, _ in around.links():
        if a in signal_at and b in signal_at:
            about = f"{_label(signals, a)} and {_label(signals, b)}: {_figure(link)}"
            reels = link.edge_reels or 0 if link.reels is None else link.reels
            edges.append(Edge(signal_at[a], signal_at[b], "together", about, reels))
    return nodes, edges


def _lines(edges: Sequence[Edge], at: Sequence[tuple[float, float]]) -> Iterator[str]:
    told = [edge.reels for edge in edges if edge.reels is not None]
    most = max([1, *told])
    widest = max(MOST_W * min(1.0, sqrt(FEW / max(len(told), 1))), 2 * LEAST_W)
    for edge in sorted(edges, key=lambda one: one.relation == "together"):
        (x1, y1), (x2, y2) = at[edge.a], at[edge.b]
        style = f'stroke="{HOLD}" stroke-width="{LEAST_W}"'
        if edge.relation == "shares":
            style = f'stroke="{LINE}" stroke-width="{LEAST_W}" {DOTTED}'
        elif edge.reels is not None:
            width = LEAST_W + (widest - LEAST_W) * sqrt(edge.reels / most)
            style = f'stroke="{LINE}" stroke-opacity="0.5" stroke-width="{width:.1f}"'
        yield (
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" {style}>'
            f"<title>{escape(edge.about)}</title></line>"
        )


def _node(node: Node, place: tuple[float, float]) -> Iterator[str]:
    x, y = place
    yield f"<g><title>{escape(node.about)}</title>"
    if node.is_trend:
        fill, ink = (INK, "#ffffff") if node.middle else ("#ffffff", INK)
        size = LABEL + 3 if node.middle else LABEL
        yield (
            f'<rect x="{x - node.half_width:.1f}" y="{y - node.half_height:.1f}" '
            f'width="{2 * node.half_width:.1f}" height="{2 * node.half_height:.1f}" '
            f'rx="{node.half_height:.1f}" fill="{fill}" stroke="{INK}" stroke-width="1.5"/>'
        )
        yield _text(x, y + size * 0.36, node.label, size, fill=ink, weight=600)
    else:
        middle = y - RAISED
        yield _shape(node.kind, x, middle, node.radius)
        yield _text(x, middle + node.radius + LABEL * 1.05, node.label, LABEL, halo=True)
    yield "</g>"


def _shape(kind: str, x: float, y: float, radius: float) -> str:
    style = f'fill="{COLOURS.get(kind, FAINT)}" stroke="{PAPER}" stroke-width="2"'
    if kind == "hashtag":
        half = radius * 0.88
        return (
            f'<rect x="{x - half:.1f}" y="{y - half:.1f}" width="{2 * half:.1f}" '
            f'height="{2 * half:.1f}" rx="{half * 0.3:.1f}" {style}/>'
        )
    corners = {
        "phrase": [(0.0, -1.1), (1.1, 0.0), (0.0, 1.1), (-1.1, 0.0)],
        "format": [(0.0, -1.1), (1.0, 0.75), (-1.0, 0.75)],
    }.get(kind)
    if corners is None:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" {style}/>'
    points = " ".join(f"{x + dx * radius:.1f},{y + dy * radius:.1f}" for dx, dy in corners)
    return f'<polygon points="{points}" stroke-linejoin="round" {style}/>'


def _figures(
    edges: Sequence[Edge],
    nodes: Sequence[Node],
    at: Sequence[tuple[float, float]],
    ends: Sequence[tuple[float, float]],
) -> Iterator[str]:
    """Write on lines how many reels they tell of, where there is room."""
    taken = [
        (x - n.half_width, y - n.half_height, x + n.half_width, y + n.half_height)
        for n, (x, y) in zip(nodes, at, strict=True)
    ]
    told = [edge for edge in edges if edge.reels]
    for edge in sorted(told, key=lambda one: -(one.reels or 0))[:FIGURES]:
        text = f"{edge.reels:,}"
        half = len(text) * SMALL * 0.32 + 2
        (x1, y1), (x2, y2) = ends[edge.a], ends[edge.b]
        for share in (0.5, 0.42, 0.58, 0.34, 0.66):
            x, y = x1 + (x2 - x1) * share, y1 + (y2 - y1) * share
            box = (x - half, y - SMALL * 0.6, x + half, y + SMALL * 0.6)
            if not any(_overlap(box, other) for other in taken):
                taken.append(box)
                yield _text(x, y + SMALL * 0.36, text, SMALL, halo=True)
                break


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _heading(around: Neighbourhood, reason: Sequence[str]) -> Iterator[str]:
    trend = around.middle.trend
    yield _text(SIDE, 32, _cut(_name(trend), 32.0), 20, anchor="start", weight=700)
    about = (
        f"{trend.kind}, {trend.stage}, since {_when(trend.started_at)}, as of "
        f"{_when(trend.event_time)} · {_reels(trend.reels)} by {_people(trend.authors)}"
    )
    for number, line in enumerate([about, *reason]):
        yield _text(SIDE, 53 + number * LABEL * 1.4, line, LABEL, anchor="start", fill=FAINT)


def _lines_of(text: str, most: int) -> list[str]:
    """Break a text between its words into lines that fit, the last one cut."""
    room = (LEAST_WIDTH - 2 * SIDE) / LABEL
    lines = [""]
    for word in text.split():
        if lines[-1] and _width(f"{lines[-1]} {word}") > room:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    if len(lines) > most:
        lines[most - 1] += f" {lines[most]}"
    return [_cut(line, room) for line in lines[:most]]


def _legend(
    around: Neighbourhood, edges: Sequence[Edge], width: float, top: float
) -> Iterator[str]:
    """Say what shapes, sizes and lines are."""
    yield f'<g id="legend" font-size="{SMALL}">'
    yield (
        f'<line x1="{SIDE:.1f}" y1="{top + 12:.1f}" x2="{width - SIDE:.1f}" '
        f'y2="{top + 12:.1f}" stroke="{HOLD}"/>'
    )
    x, y = SIDE + 8, top + 34
    yield f'<rect x="{x - 8:.1f}" y="{y - 6:.1f}" width="22" height="12" rx="6" fill="{INK}"/>'
    x = yield from _said(x + 20, y, "this trend")
    if len(around.trends) > 1:
        yield (
            f'<rect x="{x - 8:.1f}" y="{y - 6:.1f}" width="22" height="12" rx="6" fill="#ffffff" '
            f'stroke="{INK}" stroke-width="1.5"/>'
        )
        x = yield from _said(x + 20, y, "other trend")
    there = {kind for kind, _ in _signs(around)}
    for kind in (kind for kind in COLOURS if kind in there):
        yield _shape(kind, x, y, 7)
        x = yield from _said(x + 13, y, kind)
    x, y = SIDE, top + 62
    yield f'<circle cx="{x + 4:.1f}" cy="{y:.1f}" r="4" fill="{FAINT}"/>'
    yield f'<circle cx="{x + 20:.1f}" cy="{y:.1f}" r="8" fill="{FAINT}"/>'
    x = yield from _said(x + 34, y, "size: reels with it")
    relations = {edge.relation for edge in edges}
    for relation, text, style in (
        ("together", "width and number: reels with both", f'stroke="{LINE}" stroke-width="5"'),
        ("member", "is a member", f'stroke="{HOLD}" stroke-width="2"'),
        ("shares", "shares an example", f'stroke="{LINE}" stroke-width="2" {DOTTED}'),
    ):
        if relation in relations:
            yield (
                f'<line x1="{x:.1f}" y1="{y:.1f}" x2="{x + 28:.1f}" y2="{y:.1f}" '
                f'stroke-linecap="round" {style}/>'
            )
            x = yield from _said(x + 36, y, text)
    if around.more:
        text = f"{around.more:,} more trends share something and are left out"
        yield _text(SIDE, top + 84, text, SMALL, anchor="start", fill=FAINT)
    yield "</g>"


def _said(x: float, y: float, text: str) -> Generator[str, None, float]:
    """Write a word of the legend; return where the next thing begins."""
    yield _text(x, y + SMALL * 0.36, text, SMALL, anchor="start")
    return x + _width(text) * SMALL + 26


def _text(
    x: float,
    y: float,
    text: str,
    size: float,
    *,
    anchor: str = "middle",
    fill: str = "",
    weight: int = 0,
    halo: bool = False,
) -> str:
    more = f' fill="{fill}"' if fill else ""
    more += f' font-weight="{weight}"' if weight else ""
    if halo:
        more += f' stroke="{PAPER}" stroke-width="4" stroke-linejoin="round" paint-order="stroke"'
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}"{more}>'
        f"{escape(text)}</text>"
    )


def _title(around: Neighbourhood) -> str:
    return f"The neighbourhood of the trend {_name(around.middle.trend)}"


def _name(trend: Trend) -> str:
    return plain(trend.name) or plain(trend.trend_id)


def _label(signals: Signals, key: Key) -> str:
    return (plain(signals[key].label) if key in signals else "") or plain(key[1])


def _figure(link: Link) -> str:
    if link.reels is None:
        return f"{_reels(link.edge_reels or 0)} since {_when(link.edge_since)}"
    by = f" by {_people(link.authors)}" if link.authors else ""
    since = f", since {_when(link.since)}" if link.since else ""
    return f"{_reels(link.reels)}{by}{since}"


def _reels(count: int) -> str:
    return f"{count:,} reel{'' if count == 1 else 's'}"


def _people(count: int) -> str:
    return "one person" if count == 1 else f"{count:,} people"


def _when(time: datetime | None) -> str:
    return f"{time:%d %b %Y %H:%M} UTC" if time else "a time unknown"


def _cut(text: str, most: float = MAX_LABEL) -> str:
    """Cut a text to so many ems, with an ellipsis."""
    if _width(text) <= most:
        return text
    kept: list[str] = []
    room = most - 0.9
    for letter in text:
        room -= _width(letter)
        if room < 0:
            break
        kept.append(letter)
    return "".join(kept).rstrip("\u200c\u200d ") + "…"


def _width(text: str) -> float:
    """Return about how long a text is, in ems."""
    return sum(map(_letter, text))


def _letter(letter: str) -> float:
    if unicodedata.combining(letter) or unicodedata.category(letter) in {"Mn", "Me", "Cf"}:
        return 0.0
    if unicodedata.east_asian_width(letter) in "WF":
        return 1.05
    if letter in "ijl.,:;'|! ":
        return 0.33
    return 0.72 if letter in "mwMW@%" or letter.isupper() else 0.6
