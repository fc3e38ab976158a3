"""Names by a language model: validated, within a budget, and never in anyone's way."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from api.names import Name, Names, add
from flows.cli import main
from flows.name import IN_A_ROW, PAUSE_S, Breaker
from flows.naming import AnswerError, digest_of, name_in, request_of
from tests.api.client import Client
from tests.api.trends import HOSTILE, application, challenge, later, put, trend

Reply = Callable[[dict[str, Any]], tuple[int, bytes]]


def completion(**answer: object) -> bytes:
    content = json.dumps({"name": "Cat Drop", "summary": "Cats.", "category": "animals"} | answer)
    return json.dumps({"choices": [{"message": {"content": content}}]}).encode()


@contextmanager
def model(reply: Reply) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """A server of the OpenAI kind: its address, and what it was asked."""
    asked: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append({"path": self.path, "key": self.headers["authorization"], **body})
            status, answer = reply(body)
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1", asked
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of two trends."""
    monkeypatch.setenv("GROUNDSWELL_NAME_MODEL", "tiny")
    monkeypatch.setenv("GROUNDSWELL_NAME_KEY", "hidden")
    path = tmp_path / "t.db"
    put(path, [trend(1), challenge()])
    return path


def names_of(path: Path) -> dict[str, Name]:
    return Names(path.with_name("t.db.names.jsonl")).read()[1]


def test_trends_are_named_once_and_shown_so(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def reply(_: object) -> tuple[int, bytes]:
        return 200, completion()

    with model(reply) as (address, asked):
        monkeypatch.setenv("GROUNDSWELL_NAME_URL", address)
        for _ in range(2):
            assert main(["name", "--store", str(path), "--once"]) == 0
        assert [(one["path"], one["key"]) for one in asked] == [
            ("/v1/chat/completions", "Bearer hidden")
        ] * 2
        named = path.with_name("t.db.names.jsonl")
        add(named, Name(trend_id="01KT000001", name="By hand"))
        put(path, [later(trend(1)), later(challenge(), members=challenge().members[1:])])
        assert main(["name", "--store", str(path), "--once"]) == 0
        assert len(asked) == 3  # a person named the one, and the other is another now
    with Client(application(path, names=named)) as client:
        items = client.get("/v1/trends?view=brief").json()["items"]
        shown = {one["trend_id"]: (one["name"], one["named_by"]) for one in items}
        assert shown == {"01KT000001": ("By hand", "person"), "01KT000900": ("Cat Drop", "model")}
        full = client.get("/v1/trends?q=cat drop").json()["items"]
        assert [one["name"] for one in full] == [HOSTILE]  # a line of trends.v1 never changes
        body = client.get("/v1/trends/01KT000900").json()
        assert body["name"] == HOSTILE
        assert body["named"]["name"] == "Cat Drop"
        assert body["named"]["category"] == "animals"


def test_a_person_has_the_last_word_and_may_take_it_back(path: Path) -> None:
    named = path.with_name("t.db.names.jsonl")
    add(named, Name(trend_id="01KT000001", name="By a model", by="model"))
    with Client(application(path, names=named, poll_s=3600)) as client:

        def shown() -> str:
            client.look()
            items = client.get("/v1/trends?view=brief&kind=hashtag").json()["items"]
            return str(items[0]["name"])

        assert shown() == "By a model"
        for given, wanted in (("By hand", "By hand"), ("", "By a model")):
            answer = client.post("/v1/names", json={"trend_id": "01KT000001", "name": given})
            assert answer.status_code == 201
            assert shown() == wanted
        assert client.post("/v1/names", json={"trend_id": "x", "name": "y"}).status_code == 404
        assert client.post("/v1/names", json={"trend_id": "x"}).status_code == 422


def test_captions_are_data_to_the_model() -> None:
    system, user = request_of(challenge(), "tiny", "Russian")["messages"]
    assert "Russian" in system["content"]
    assert "DROP TABLE" not in system["content"]
    signals = json.loads(user["content"])["signals"]
    assert signals[0]["label"].startswith("<script>")
    assert not {"\x1b", "\u202e"} & {*user["content"]}
    assert all(len(one["label"]) <= 100 for one in signals)


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b'{"choices":[]}', b'{"choices":[{"message":{"content":null}}]}',
        b'{"choices":[{"message":{"content":"I think it is a dance"}}]}',
        completion(name=""), completion(name="\x1b[2J\u202e"), completion(name="x" * 81),
        completion(category="politics"), completion(more=1), completion(summary=3),
        completion(name="see https://evil.example"), b"\xff\xfe",
    ],
)  # fmt: skip
def test_an_answer_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(AnswerError):
        name_in(body, trend(1))


def test_what_is_no_sign_is_taken_out_of_a_name() -> None:
    name = name_in(completion(name="Cat\x1b[2J \u202eDrop", category="other"), trend(1))
    assert (name.name, name.category, name.of) == ("Cat Drop", None, digest_of(trend(1)))


def test_a_server_that_fails_is_left_alone_for_longer_and_longer(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def reply(_: object) -> tuple[int, bytes]:
        return 500, b"broken"

    with model(reply) as (address, asked):
        monkeypatch.setenv("GROUNDSWELL_NAME_URL", address)
        assert main(["name", "--store", str(path), "--once"]) == 0
    assert len(asked) == IN_A_ROW
    assert names_of(path) == {}
    clock = [0.0]
    breaker = Breaker(1000, lambda: clock[0])
    for number in range(12):
        assert breaker.wait_s() == 0.0
        breaker.asked(False)
        pause = min(PAUSE_S[0] * 2 ** (number + 1 - IN_A_ROW), PAUSE_S[1])
        assert breaker.wait_s() == (pause if number + 1 >= IN_A_ROW else 0.0)
        clock[0] += breaker.wait_s()
    breaker.asked(True)
    assert breaker.wait_s() == 0.0


def test_no_more_is_asked_than_an_hour_may_have() -> None:
    clock = [0.0]
    breaker = Breaker(2, lambda: clock[0])
    breaker.asked(True)
    clock[0] = 100.0
    breaker.asked(True)
    assert breaker.wait_s() == 3500.0
    clock[0] = 3600.0
    assert breaker.wait_s() == 0.0


def test_a_server_that_is_not_there_harms_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GROUNDSWELL_NAME_URL", "http://127.0.0.1:1/v1")
    assert main(["name", "--store", str(path), "--once"]) == 0
    assert names_of(path) == {}


def test_without_a_server_it_says_which_settings_it_needs(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["name", "--store", str(path)]) == 2
    assert capsys.readouterr().err == (
        "groundswell: name: expected the settings name_url and name_model\n"
    )
