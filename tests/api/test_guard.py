"""What stands before every request: hosts, keys, rates, headers."""

from pathlib import Path

import pytest

from api.guard import CLIENTS, Guard, Rates
from tests.api.client import Client
from tests.api.trends import application

KEY = "a-key-of-some-length"


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:8787", "localhost:1", "LOCALHOST", "[::1]:8787", "[::1]"]
)
def test_its_own_names_are_served(client: Client, host: str) -> None:
    assert client.get("/healthz", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:80", "", "localhost.x"])
def test_a_name_pointed_at_this_machine_is_not(client: Client, host: str) -> None:
    assert client.get("/v1/trends", headers={"host": host}).status_code == 421


def test_browsers_are_told_to_run_nothing_else(client: Client) -> None:
    for path in ("/", "/v1/trends", "/v1/none", "/healthz"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_another_site_may_not_send(client: Client) -> None:
    body = {"trend_id": "01KT000001", "verdict": "real"}
    for site, status in (("cross-site", 403), ("same-site", 403), ("same-origin", 201)):
        answer = client.post("/v1/feedback", json=body, headers={"sec-fetch-site": site})
        assert answer.status_code == status


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY} "},
        {"x-api-key": KEY},
        {"cookie": f"groundswell_key={KEY}"},
    ],
)
def test_a_key_opens_it(store: Path, headers: dict[str, str]) -> None:
    with Client(application(store, keys=("another-long-key", KEY))) as client:
        assert client.get("/v1/trends", headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Bearer x"},
        {"authorization": f"Basic {KEY}"},
        {"x-api-key": ""},
        {"x-api-key": "é\udce9".encode("utf-8", "surrogateescape").decode("latin-1")},
        {"cookie": "groundswell_key=x; ;;="},
    ],
)
def test_without_a_key_there_is_nothing_but_the_page(store: Path, headers: dict[str, str]) -> None:
    raw = {name: value.encode("latin-1") for name, value in headers.items()}
    with Client(application(store, keys=(KEY,))) as client:
        for path in ("/v1/trends", "/v1/trends/x", "/v1/stream", "/v1/export.csv", "/openapi.json"):
            answer = client.get(path, headers=raw)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get("/", headers=raw).status_code == 200
        assert client.get("/healthz", headers=raw).status_code == 200


def test_the_page_gets_a_cookie_for_a_key(store: Path) -> None:
    with Client(application(store, keys=(KEY,))) as client:
        assert client.post("/v1/session", json={"key": "wrong"}).status_code == 401
        answer = client.post("/v1/session", json={"key": KEY})
        assert answer.status_code == 204
        cookie = answer.headers["set-cookie"].casefold()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert client.get("/v1/trends").status_code == 200  # the client keeps cookies


def test_who_asks_too_often_has_to_wait(store: Path) -> None:
    with Client(application(store, rate=3)) as client:
        codes = [client.get("/v1/overview").status_code for _ in range(5)]
        assert codes == [200, 200, 200, 429, 429]
        assert 1 <= int(client.get("/v1/overview").headers["retry-after"]) <= 20
        assert client.get("/healthz").status_code == 200


def test_a_bucket_fills_again() -> None:
    rates = Rates(60)
    assert [rates.wait_s("a", 0.0) for _ in range(60)] == [0.0] * 60
    assert rates.wait_s("a", 0.0) == pytest.approx(1.0)
    assert rates.wait_s("b", 0.0) == 0.0
    assert rates.wait_s("a", 1.5) == 0.0
    assert rates.wait_s("a", 1.5) == pytest.approx(0.5)


def test_only_so_many_clients_are_remembered() -> None:
    rates = Rates(1)
    for number in range(CLIENTS + 10):
        rates.wait_s(str(number), 0.0)
    assert len(rates._clients) == CLIENTS


def test_a_long_address_is_refused(client: Client) -> None:
    assert client.get("/v1/trends?q=" + "x" * 9_000).status_code == 414


def test_no_key_is_any_key() -> None:
    async def nothing(*_: object) -> None: ...

    assert Guard(nothing, frozenset(), (), 0).opens("anything")
