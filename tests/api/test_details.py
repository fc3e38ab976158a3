"""One trend, one signal, what people say of it; and answers that are none."""

import json
import re
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from api.feedback import Feedback, Said
from tests.api.client import Client
from tests.api.trends import HOSTILE, application, challenge, later, put, trend

IDS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=300)


def test_a_trend_comes_with_all_that_is_known_of_it(client: Client) -> None:
    body = client.get("/v1/trends/01KT000007").json()
    assert (body["revision"], body["stage"]) == (3, "fading")
    lives = [(one["revision"], one["stage"]) for one in body["revisions"]]
    assert lives == [(1, "emerging"), (2, "peaking"), (3, "fading")]
    assert len(body["series"]) == 24
    assert len(body["forecast"]) == 24
    near = {one["trend_id"] for one in body["related"]}
    assert near == {"01KT000006", "01KT000008"}  # they share an example each
    assert body["feedback"] == {"real": 0, "noise": 0}


def test_links_of_members_come_with_a_trend(client: Client) -> None:
    body = client.get("/v1/trends/01KT000900").json()
    (link,) = body["links"]
    assert (link["a_id"], link["b_id"], link["reels"]) == ("s/1?#", "قطة", 21)
    assert body["name"] == HOSTILE


def test_a_trend_is_not_sent_again_until_it_changes(client: Client) -> None:
    first = client.get("/v1/trends/01KT000007")
    again = client.get("/v1/trends/01KT000007", headers={"if-none-match": first.headers["etag"]})
    assert again.status_code == 304


def test_a_signal_is_found_by_any_id(client: Client) -> None:
    members = challenge().members
    for member in members:
        name = member.id.replace("?", "%3F").replace("#", "%23").replace("/", "%2F")
        body = client.get(f"/v1/signals/{member.kind}/{name}/series").json()
        assert body["id"] == member.id
        leads = member is members[0]
        assert [one["leads"] for one in body["trends"]] == [leads]
        assert len(body["series"]) == (24 if leads else 0)


@pytest.mark.parametrize(
    "path",
    ["/v1/trends/none", "/v1/signals/sound/none/series", "/v1/export.xml", "/nothing", "/v1/x"],
)
def test_what_is_not_there_is_told_as_json(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert isinstance(answer.json()["detail"], str)


def test_the_last_word_of_each_person_counts(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    put(path, [trend(1), trend(2)])

    def said(client: Client, number: int, verdict: str, by: str) -> object:
        body = {"trend_id": f"01KT{number:06d}", "verdict": verdict, "by": by, "note": HOSTILE}
        answer = client.post("/v1/feedback", json=body)
        assert answer.status_code == 201
        return answer.json()

    with Client(application(path)) as client:
        assert said(client, 1, "real", "a") == {"real": 1, "noise": 0}
        assert said(client, 1, "noise", "b") == {"real": 1, "noise": 1}
        assert said(client, 1, "real", "b") == {"real": 2, "noise": 0}
        assert said(client, 2, "noise", "a") == {"real": 0, "noise": 1}
        assert client.get("/v1/overview").json()["precision"] == 0.5
        assert said(client, 2, "none", "a") == {"real": 0, "noise": 0}
        assert client.get("/v1/overview").json()["precision"] == 1.0
    with Client(application(path)) as client:  # after a restart
        assert client.get("/v1/feedback").json() == {
            "items": {"01KT000001": {"real": 2, "noise": 0}}
        }


def test_a_damaged_line_of_feedback_harms_no_other(tmp_path: Path) -> None:
    path = tmp_path / "f.jsonl"
    Feedback(path).add(Said(trend_id="a", verdict="real", by="x"))
    with path.open("ab") as file:
        file.write(b'{"trend_id":\n\xff\n' + b"x" * 9_000 + b"\n")
    Feedback(path).add(Said(trend_id="a", verdict="noise", by="y"))
    assert msgspec.structs.astuple(Feedback(path).of("a")) == (1, 1)


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"trend_id":"01KT000001","verdict":"real"}', "text/plain", 415),
        (b'{"trend_id":"01KT000001","verdict":"good"}', "application/json", 422),
        (b'{"trend_id":"01KT000001"', "application/json", 422),
        (b"\xff", "application/json", 422),
        (b'{"trend_id":"none","verdict":"real"}', "application/json", 404),
        (b'{"trend_id":"' + b"x" * 70_000 + b'","verdict":"real"}', "application/json", 413),
    ],
)
def test_feedback_that_is_none_is_refused(
    client: Client, body: bytes, kind: str, status: int
) -> None:
    answer = client.post("/v1/feedback", content=body, headers={"content-type": kind})
    assert answer.status_code == status


def test_feedback_without_a_place_to_keep_it_is_refused(store: Path) -> None:
    with Client(application(store, feedback=None)) as client:
        answer = client.post("/v1/feedback", json={"trend_id": "01KT000001", "verdict": "real"})
        assert answer.status_code == 507
        assert client.get("/v1/overview").json()["feedback"] is False


def test_there_may_be_no_store_yet(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with Client(application(path, poll_s=3600)) as client:
        assert client.get("/v1/trends").json() == {"items": [], "next": None}
        assert client.get("/v1/overview").json()["newest"] is None
        assert client.get("/healthz").status_code == 200
        put(path, [trend(1)])
        client.look()
        assert len(client.get("/v1/trends").json()["items"]) == 1


def test_a_store_that_cannot_be_read_is_told_and_read_again_when_it_can(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    put(path, [trend(1)])
    with Client(application(path, poll_s=3600)) as client:
        whole = path.rename(tmp_path / "away.db")
        path.write_text("this is no store, and far longer than the header of one" * 10)
        client.look()
        health = client.get("/healthz")
        assert health.status_code == 503
        assert "t.db: cannot be read" in health.json()["status"]
        assert client.get("/v1/trends/01KT000001").status_code == 503
        assert client.get("/v1/trends?view=brief").status_code == 200  # what it had
        whole.rename(path)
        put(path, [later(trend(1))])
        client.look()
        assert client.get("/healthz").status_code == 200
        assert client.get("/v1/trends/01KT000001").json()["revision"] == 2


@settings(max_examples=60)
@given(
    path=st.sampled_from(["trends", "stream", "overview", "export.csv", "export.parquet"]),
    query=st.dictionaries(
        st.sampled_from(
            ["kind", "stage", "scope", "since", "until", "q", "sort", "cursor", "limit", "view"]
        ),
        st.one_of(
            IDS,
            st.sampled_from(["sound", "rising", "brief", "0", "-1", "1e9", "9" * 40, "NaN", "\0"]),
            st.datetimes().map(str),
            st.sampled_from(["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"]),
        ),
        max_size=4,
    ),
)
def test_no_query_breaks_it(client: Client, path: str, query: dict[str, str]) -> None:
    if path == "stream":  # without an end where nothing is wrong
        query["limit"], path = "x", "trends"
    answer = client.get(f"/v1/{path}", params=query)
    assert answer.status_code < 500


@settings(max_examples=60)
@given(kind=st.sampled_from(["trends", "signals/sound", "signals/x"]), name=IDS)
def test_no_name_breaks_it(client: Client, kind: str, name: str) -> None:
    from urllib.parse import quote

    end = "/series" if kind != "trends" else ""
    answer = client.get(f"/v1/{kind}/{quote(name, safe='')}{end}")
    assert answer.status_code in {200, 404, 414, 422}


@settings(max_examples=60)
@given(
    body=st.one_of(
        st.binary(max_size=200),
        st.recursive(
            st.none() | st.booleans() | st.floats() | IDS,
            lambda inner: st.lists(inner, max_size=3) | st.dictionaries(IDS, inner, max_size=3),
            max_leaves=5,
        ),
        st.fixed_dictionaries(
            {"trend_id": IDS, "verdict": st.sampled_from(["real", "none", "x"])},
            optional={"by": IDS, "note": IDS, "revision": st.integers() | st.floats()},
        ),
    )
)
def test_no_body_breaks_it(client: Client, body: object) -> None:
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    for path in ("/v1/feedback", "/v1/names", "/v1/session"):
        answer = client.post(path, content=content, headers={"content-type": "application/json"})
        assert answer.status_code < 500


def test_the_api_describes_itself_with_examples(client: Client) -> None:
    told = client.get("/openapi.json").json()
    assert told["openapi"].startswith("3.1")
    paths = told["paths"]
    assert paths.keys() >= {
        "/healthz", "/v1/trends", "/v1/trends/{trend_id}", "/v1/stream", "/v1/feedback",
        "/v1/signals/{kind}/{signal_id}/series",
    }  # fmt: skip
    for path, methods in paths.items():
        for method, one in methods.items():
            (good,) = [code for code in one["responses"] if code in {"200", "201"}]
            content = one["responses"][good]["content"]
            assert content, (path, method)
            if "application/json" in content:
                assert content["application/json"]["example"], (path, method)
    refs = re.findall(r'"\$ref": ?"#/components/schemas/([^"]+)"', json.dumps(told))
    assert {*refs} <= told["components"]["schemas"].keys()
    assert told["components"]["schemas"].keys() >= {"Trend", "Brief", "Member", "Page"}
