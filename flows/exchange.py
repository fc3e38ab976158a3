"""A neighbourhood as a graph for other programs: GraphML, and node-link JSON, by networkx."""

import json
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

from flows.errors import UserError
from flows.neighbourhood import Key, Neighbourhood
from flows.plain import plain

NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document can hold."""


def graph(around: Neighbourhood) -> Any:
    """Return it as a networkx graph: trends and signals are nodes, named `KIND:ID`.

    Its edges are `member` (a trend and its signal), `together` (two signals in the same reels) and
    `shares` (two trends with an example in common). Raises `UserError` without networkx.
    """
    made = _networkx().Graph(trend_id=around.middle.trend.trend_id, left_out=around.more)
    for one in around.trends:
        trend = one.trend
        made.add_node(
            _trend(trend.trend_id),
            kind="trend",
            label=plain(trend.name) or trend.trend_id,
            stage=trend.stage,
            reels=trend.reels,
            authors=trend.authors,
            growth=trend.growth,
            started_at=trend.started_at.isoformat(),
            event_time=trend.event_time.isoformat(),
            steps=one.steps,
            why=plain(trend.why),
        )
    for key, member in around.signals().items():
        label = plain(member.label) or plain(member.id)
        made.add_node(_signal(key), kind=member.kind, label=label, reels=member.reels)
    for one in around.trends:
        for key, member in one.members.items():
            made.add_edge(
                _trend(one.trend.trend_id),
                _signal(key),
                relation="member",
                reels=member.reels,
                weight=member.weight,
            )
    for a, b, link, one in around.links():
        figures = {
            "reels": link.reels,
            "authors": link.authors,
            "weight": link.share,
            "since": link.since and link.since.isoformat(),
            "edge_reels": link.edge_reels,
            "edge_authors": link.edge_authors,
            "edge_since": link.edge_since and link.edge_since.isoformat(),
        }
        known = {name: value for name, value in figures.items() if value is not None}
        made.add_edge(
            _signal(a), _signal(b), relation="together", trend_id=one.trend.trend_id, **known
        )
    for one, other, reels in around.shared_reels():
        ends = _trend(one.trend.trend_id), _trend(other.trend.trend_id)
        made.add_edge(*ends, relation="shares", reels=reels)
    return made


def write_graphml(around: Neighbourhood, path: Path) -> None:
    """Write it as GraphML. Raises `OSError`, and `UserError` without networkx."""
    networkx = _networkx()
    path.write_bytes("\n".join(networkx.generate_graphml(graph(around))).encode() + b"\n")


def write_json(around: Neighbourhood, path: Path) -> None:
    """Write it as node-link JSON. Raises `OSError`, and `UserError` without networkx."""
    data = _networkx().node_link_data(graph(around), edges="edges")
    path.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _trend(trend_id: str) -> str:
    return f"trend:{_named(trend_id)}"


def _signal(key: Key) -> str:
    return f"{key[0]}:{_named(key[1])}"


def _named(text: str) -> str:
    r"""An id as XML can hold it: what it cannot is written as `\uXXXX`, a backslash as two."""
    return NOT_XML.sub(lambda found: f"\\u{ord(found[0]):04x}", text.replace("\\", "\\\\"))


def _networkx() -> ModuleType:
    try:
        return import_module("networkx")
    except ImportError:
        raise UserError(
            "GraphML and JSON are written by networkx, which is not installed: "
            "pip install 'networkx>=3.5,<4'"
        ) from None
