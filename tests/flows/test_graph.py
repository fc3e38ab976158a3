"""`groundswell graph`: what is around a trend, whatever its labels try."""

import json
import sqlite3
import sys
import unicodedata
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import networkx as nx
import numpy as np
import pytest
from rich.cells import cell_len

from flows.cli import main
from flows.errors import UserError
from flows.neighbourhood import Neighbourhood, neighbourhood
from flows.picture import described, svg
from flows.placing import placed
from operators.links import Link, Linked
from operators.sinks.store import Store
from schemas.trends import Member, SeriesPoint, SignalKind, Trend

START = datetime(2026, 1, 5, tzinfo=UTC)
HOSTILE = "\x1b[2J\x1b]0;own\x07<script>alert('x')</script>&\"]]>\x00\u202e[red]"
SHOWN = "<script>alert('x')</script>&\"]]>[red]"
SVG = "{http://www.w3.org/2000/svg}"
Given = tuple[SignalKind, str, str, int]

SOUND: Given = ("sound", "s1", "Cat Drop – DJ Miau", 90)
TAG: Given = ("hashtag", "catdrop", "#catdrop", 70)
MEMBERS: list[Given] = [
    SOUND,
    TAG,
    ("hashtag", "кот", "#кошкападает", 40),
    ("hashtag", "قطة", "#قطة_تسقط", 22),
    ("hashtag", "猫", "#猫ドロップチャレンジ", 33),
    ("hashtag", "emoji", "#😹👩‍🚀", 12),
    ("phrase", "long", "wait for the cat drop and then some more words that never end", 18),
    ("phrase", HOSTILE, HOSTILE, 9),
    ("format", "f1", "look 17", 15),
]


def trend(name: str, members: Sequence[Given], examples: Sequence[str] = ()) -> Trend:
    return Trend(
        trend_id=f"01K{name}",
        revision=1,
        kind=members[0][0] if len(members) == 1 else "challenge",
        stage="emerging",
        scopes=("global",),
        event_time=START + timedelta(hours=9),
        started_at=START,
        name=members[0][2],
        summary="",
        category=None,
        reels=31,
        authors=29,
        expected=2.4,
        growth=12.9,
        velocity_per_h=6.5,
        acceleration_per_h2=0.8,
        score=0.9,
        q_value=0.004,
        members=tuple(
            Member(kind=kind, id=name, label=label, weight=0.1, reels=reels)
            for kind, name, label, reels in members
        ),
        examples=tuple(examples),
        series=(SeriesPoint(t=START, reels=3, expected=0.7),),
        forecast=(),
        why=f"29 people used it {HOSTILE}",
    )


def link(a: Given, b: Given, reels: int | None) -> Link:
    since = START + timedelta(minutes=70)
    if reels is None:
        return Link(*a[:2], *b[:2], None, None, None, None, 14, 13, since)
    return Link(*a[:2], *b[:2], reels, reels - 1, 0.4, since)


MIDDLE = Linked(
    trend("A0", MEMBERS, ("r1", "r2")),
    (link(SOUND, TAG, 60), link(SOUND, MEMBERS[2], None), link(TAG, MEMBERS[7], 8)),
)
DOG: Given = ("hashtag", "dog", "#dog", 30)
FAR: Given = ("hashtag", "far", "#far", 6)
WORLD = [
    MIDDLE,
    Linked(trend("B0", [DOG, SOUND], ("r9",)), (link(DOG, SOUND, 25),)),
    Linked(trend("C0", [("phrase", "red", HOSTILE, 5)], ("r2", "r3"))),
    Linked(trend("D1", [FAR, DOG], ("r10",))),
    Linked(trend("D2", [("hashtag", "alone", "#alone", 6)], ("r11",))),
]


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    """A store of these trends."""
    path = tmp_path / "trends.db"
    part = Store(path).build_part("", "", None)
    part.write_batch(WORLD)
    part.close()
    return path


def ids(around: Neighbourhood) -> list[str]:
    return [one.trend.trend_id for one in around.trends]


def test_what_is_around_a_trend_shares_a_member_or_an_example(kept: Path) -> None:
    assert ids(neighbourhood(kept, "01KA0", 0, 12)) == ["01KA0"]
    assert ids(neighbourhood(kept, "01KA0", 1, 12)) == ["01KA0", "01KB0", "01KC0"]
    far = neighbourhood(kept, "01KA0", 2, 12)
    assert ids(far) == ["01KA0", "01KB0", "01KC0", "01KD1"]
    assert [one.steps for one in far.trends] == [0, 1, 1, 2]
    assert [(a.trend.trend_id, b.trend.trend_id, n) for a, b, n in far.shared_reels()] == [
        ("01KA0", "01KC0", 1)
    ]
    assert len(far.signals()) == len(MEMBERS) + 3


def test_the_limit_keeps_the_closest_and_says_what_is_left_out(kept: Path) -> None:
    around = neighbourhood(kept, "01KA0", 2, 1)
    assert ids(around) == ["01KA0", "01KB0"]
    assert around.more == 2  # one at the first step, one at the second
    assert "2 more are left out" in described(around)
    assert ids(neighbourhood(kept, "01KA0", 1, 0)) == ["01KA0"]


def test_links_are_told_once_for_each_pair(kept: Path) -> None:
    around = neighbourhood(kept, "01KA0", 1, 12)
    told = [{a, b} for a, b, _, _ in around.links()]
    assert len(told) == 4
    assert {SOUND[:2], TAG[:2]} in told
    assert {SOUND[:2], DOG[:2]} in told


@pytest.mark.parametrize("given", ["01KA0", "01ka", " 01KA0 "])
def test_an_id_may_be_given_by_its_beginning(kept: Path, given: str) -> None:
    assert neighbourhood(kept, given, 0, 0).middle.trend == MIDDLE.trend


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("01KX", "01KX: no trend has this id among the 5 in "),
        ("", "no trend has this id"),
        ("01KD", "several begin so: 01KD1, 01KD2"),
        ("%", "%: no trend has this id"),
    ],
)
def test_an_id_that_is_not_one_trend_is_refused(
    kept: Path, given: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["graph", given, "--store", str(kept)]) == 2
    told = capsys.readouterr()
    assert said in told.err
    assert told.err.count("\n") == 1
    assert told.out == ""


def test_what_is_no_store_is_refused_and_none_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing, other = tmp_path / "none.db", tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE users (name)")
    assert main(["graph", "01K", "--store", str(missing)]) == 2
    assert "there is no such store" in capsys.readouterr().err
    assert not missing.exists()
    assert main(["graph", "01K", "--store", str(other)]) == 2
    assert "not a store of Groundswell" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("to", "said"),
    [
        ("a.png", "expected a file that ends in .svg, .graphml, .json"),
        ("missing/a.svg", "does not exist"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_anything(
    kept: Path, tmp_path: Path, to: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good = tmp_path / "good.svg"
    assert main(["graph", "01KA0", "--store", str(kept), "--to", str(good), "--to", to]) == 2
    assert said in capsys.readouterr().err
    assert not good.exists()


def test_the_store_is_not_overwritten(kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
    as_json = kept.rename(kept.with_suffix(".json"))
    before = as_json.read_bytes()
    assert main(["graph", "01KA0", "--store", str(as_json), "--to", str(as_json)]) == 2
    assert "is the store itself" in capsys.readouterr().err
    assert as_json.read_bytes() == before


@pytest.mark.parametrize("columns", [60, 80, 140])
def test_the_tables_fit_and_hold_no_command(
    kept: Path, columns: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))
    assert main(["graph", "01KA0", "--store", str(kept)]) == 0
    out = capsys.readouterr().out
    joiner = "\u200d"  # of an emoji
    assert all(c in ("\n", joiner) or unicodedata.category(c) not in {"Cc", "Cf"} for c in out)
    tables = [line for line in out.splitlines() if not line.startswith("29 people")]
    assert max(map(cell_len, tables)) <= columns
    assert "#кошкападает" in out or columns == 60
    assert "05 Jan 01:10" in out
    assert "01KB0" in out


def parsed(around: Neighbourhood) -> ElementTree.Element:
    return ElementTree.fromstring(svg(around))


def test_the_picture_says_what_it_shows_and_escapes_what_it_is_given(kept: Path) -> None:
    around = neighbourhood(kept, "01KA0", 2, 12)
    root = parsed(around)
    assert root.get("role") == "img"
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert desc is not None
    assert root.get("aria-labelledby") == f"{title.get('id')} {desc.get('id')}"
    assert "Cat Drop – DJ Miau" in (title.text or "")
    for said in (
        "31 reels by 29 people",
        "#кошкападает (40 reels)",
        SHOWN,
        "60 reels by 59 people",
    ):
        assert said in (desc.text or "")
    used = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert used <= {"svg", "title", "desc", "rect", "g", "line", "text", "circle", "polygon"}
    assert not [k for e in root.iter() for k in e.attrib if k.startswith("on") or "href" in k]
    text = svg(around)
    assert "<script" not in text
    assert not [c for c in text if c not in "\n\u200d" and unicodedata.category(c) in {"Cc", "Cf"}]
    shown = [element.text for element in root.iter(f"{SVG}text")]
    for label in ("#catdrop", "#猫ドロップチャレンジ", "#😹👩‍🚀", "#قطة_تسقط", "60", "this trend"):
        assert label in shown


def test_every_signal_and_trend_has_a_title_of_its_own(kept: Path) -> None:
    around = neighbourhood(kept, "01KA0", 2, 12)
    nodes = next(g for g in parsed(around).iter(f"{SVG}g") if g.get("id") == "nodes")
    titles = [element.findtext(f"{SVG}title") for element in nodes]
    assert len(titles) == len(around.trends) + len(around.signals())
    assert f"phrase {SHOWN}: 9 reels" in titles
    assert "sound Cat Drop – DJ Miau: 90 reels" in titles


def test_of_other_trends_only_what_is_shared_and_strongest_is_drawn(tmp_path: Path) -> None:
    many: list[Given] = [("hashtag", f"t{i}", f"#t{i}", 20 - i) for i in range(12)]
    part = Store(tmp_path / "t.db").build_part("", "", None)
    part.write_batch([MIDDLE, Linked(trend("B0", [*many, TAG]))])
    part.close()
    around = neighbourhood(tmp_path / "t.db", "01KA0", 1, 12)
    assert len(around.signals()) == len(MEMBERS) + 12
    shown = [element.text for element in parsed(around).iter(f"{SVG}text")]
    assert [label for label in shown if (label or "").startswith("#t")] == ["#t0", "#t0", "#t1"]
    assert shown.count("#catdrop") == 1


def test_the_more_reels_the_larger_the_sign_and_the_wider_the_line(kept: Path) -> None:
    root = parsed(neighbourhood(kept, "01KA0", 1, 12))
    lines = next(g for g in root.iter(f"{SVG}g") if g.get("id") == "links")
    width = {
        (line.findtext(f"{SVG}title") or ""): float(line.get("stroke-width", 0)) for line in lines
    }
    many = next(w for about, w in width.items() if "60 reels" in about)
    few = next(w for about, w in width.items() if ": 8 reels" in about)
    edge = next(w for about, w in width.items() if ": 14 reels since" in about)
    member = next(w for about, w in width.items() if " is in " in about)
    assert many > edge > few > member
    nodes = next(g for g in root.iter(f"{SVG}g") if g.get("id") == "nodes")
    size = {
        element.findtext(f"{SVG}title"): float(shape.get("width", 0))
        for element in nodes
        for shape in element.iter(f"{SVG}rect")
    }
    assert size["hashtag #catdrop: 70 reels"] > size["hashtag #قطة_تسقط: 22 reels"]


def test_the_same_store_gives_the_same_picture(kept: Path) -> None:
    assert svg(neighbourhood(kept, "01KA0", 2, 12)) == svg(neighbourhood(kept, "01KA0", 2, 12))


@pytest.mark.parametrize("seed", range(6))
def test_no_two_boxes_lie_over_each_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 40))
    boxes = rng.uniform([10, 10], [110, 35], (count, 2))
    links = [
        (int(a), int(b)) for a, b in rng.integers(0, count, (int(rng.integers(0, 90)), 2)) if a < b
    ]
    at = placed(boxes, links, 100.0, 8.0)
    assert at.shape == (count, 2)
    apart = np.abs(at[:, None] - at[None]) - boxes[:, None] - boxes[None]
    apart[np.arange(count), np.arange(count)] = 8.0
    assert apart.max(axis=2).min() >= 8.0 - 1e-3


def test_a_trend_of_one_signal_is_drawn_too(kept: Path) -> None:
    root = parsed(neighbourhood(kept, "01KD2", 1, 12))
    assert [e.text for e in root.iter(f"{SVG}text")].count("#alone") == 3  # heading, trend, signal


def test_graphml_and_json_are_read_back_by_networkx(kept: Path, tmp_path: Path) -> None:
    files = [tmp_path / "g.graphml", tmp_path / "g.json"]
    to = [part for path in files for part in ("--to", str(path))]
    assert main(["graph", "01KA0", "--store", str(kept), "--depth", "2", *to]) == 0
    by_graphml = nx.read_graphml(files[0])
    by_json = nx.node_link_graph(json.loads(files[1].read_bytes()), edges="edges")
    assert set(by_graphml) == set(by_json)
    assert len(by_json) == 4 + len(MEMBERS) + 3
    for found in (by_graphml, by_json):
        assert found.graph["trend_id"] == "01KA0"
        assert found.nodes["trend:01KA0"]["why"] == f"29 people used it {SHOWN}"
        assert found.nodes["hashtag:猫"] == {
            "kind": "hashtag",
            "label": "#猫ドロップチャレンジ",
            "reels": 33,
        }
        assert found.edges["sound:s1", "hashtag:catdrop"] == {
            "relation": "together",
            "trend_id": "01KA0",
            "reels": 60,
            "authors": 59,
            "weight": 0.4,
            "since": "2026-01-05T01:10:00+00:00",
        } | ({"id": None} if "id" in found.edges["sound:s1", "hashtag:catdrop"] else {})
        assert found.edges["sound:s1", "hashtag:кот"]["edge_reels"] == 14
        assert found.edges["trend:01KA0", "trend:01KC0"]["relation"] == "shares"
        assert found.edges["trend:01KB0", "sound:s1"]["relation"] == "member"


def test_without_networkx_the_picture_is_drawn_and_the_rest_says_what_to_install(
    kept: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "networkx", None)
    picture = tmp_path / "a.svg"
    assert main(["graph", "01KA0", "--store", str(kept), "--to", str(picture)]) == 0
    assert picture.exists()
    for name in ("a.json", "a.graphml"):
        assert main(["graph", "01KA0", "--store", str(kept), "--to", str(tmp_path / name)]) == 2
        assert "pip install 'networkx>=3.5,<4'" in capsys.readouterr().err


def test_a_trend_that_goes_while_it_is_read_is_said(
    kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from flows import neighbourhood as module

    monkeypatch.setattr(module, "_sharing", lambda *_: ["gone"])
    with pytest.raises(UserError, match="changed while it was read"):
        neighbourhood(kept, "01KA0", 1, 12)
