"""The API does what its OpenAPI says, whatever is asked: no 5xx, and no answer it does not name.

Requests are drawn by schemathesis from the document, as it allows them and as it does not.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.api.client import Client
from tests.api.trends import application, challenge, put, trend

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ENDLESS = "GET /v1/stream"
THERE: dict[str, Any] = {
    "trend_id": challenge().trend_id,
    "kind": "hashtag",
    "signal_id": "قطة",
    "form": "csv",
}
"""What is there, to be asked for in half of the requests."""


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A radar of its own, which is told things too."""
    path: Path = tmp_path_factory.mktemp("contract") / "t.db"
    put(path, [*map(trend, range(8)), challenge()])
    with Client(application(path, names=path.with_suffix(".names"))) as one:
        yield one


def test_the_api_answers_as_its_document_says(api: Client) -> None:
    answers = asked(api, 15)
    for wanted in (
        "GET /healthz 200",
        "GET /v1/trends 200",
        "GET /v1/trends 400",
        "GET /v1/trends 422",
        "GET /v1/overview 200",
        "GET /v1/export.{form} 200",
        "GET /v1/export.{form} 404",
        "GET /v1/trends/{trend_id} 200",
        "GET /v1/trends/{trend_id} 404",
        "GET /v1/signals/{kind}/{signal_id}/series 200",
        "GET /v1/signals/{kind}/{signal_id}/series 404",
        "GET /v1/feedback 200",
        "POST /v1/feedback 201",
        "POST /v1/feedback 404",
        "POST /v1/feedback 422",
        "POST /v1/names 201",
        "POST /v1/names 404",
        "POST /v1/names 422",
    ):
        assert answers[wanted], wanted


@pytest.mark.slow
def test_the_api_answers_so_to_many_requests(api: Client) -> None:
    assert asked(api, 500).total() > 5_000


def asked(api: Client, requests_each: int) -> Counter[str]:
    """Ask for everything, as it is allowed and as it is not; how often which answer came."""
    schema = schemathesis.openapi.from_dict(api.get("/openapi.json").json())
    answers: Counter[str] = Counter()
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.label == ENDLESS:
            continue
        for mode in GenerationMode:
            cases = operation.as_strategy(generation_mode=mode)
            try:
                _ask(api, cases, requests_each, answers)
            except Unsatisfiable:
                assert mode == GenerationMode.NEGATIVE  # it takes nothing that could be wrong
    return answers


def _ask(api: Client, cases: Any, most: int, answers: Counter[str]) -> None:
    @settings(
        max_examples=most,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, there=st.booleans())
    def ask(case: Any, there: bool) -> None:
        if there:
            for given in (case.path_parameters, case.body):
                if isinstance(given, dict):
                    given.update((name, THERE[name]) for name in given.keys() & THERE.keys())
        sent = requests.Request(**case.as_transport_kwargs(base_url="http://127.0.0.1")).prepare()
        assert sent.method
        assert sent.url
        try:
            answer = api.request(
                sent.method, sent.url, headers=dict(sent.headers), content=sent.body
            )
        except httpx.InvalidURL:
            return  # longer than a client sends
        answers[f"{case.operation.label} {answer.status_code}"] += 1
        case.validate_response(answer, checks=CHECKS)

    ask()
