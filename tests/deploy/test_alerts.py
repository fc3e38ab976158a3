"""Alert rules and the operations board speak of metrics that there are, and alerts come in time."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from operators.metrics import BUFFERS, METRICS, OUTCOMES, SINKS, STEPS
from tests.deploy.conftest import DEPLOY
from tests.deploy.dashboards import PROMETHEUS, boards, targets, variables
from tests.deploy.tools import run, tool

RULES = DEPLOY / "prometheus" / "rules" / "groundswell.yml"
TRIALS = ("alerts.test.yml", "alerts.days.test.yml")
GIVEN = {"instance", "job"}
"""Labels that Prometheus adds."""
NAME = re.compile(r"\b(groundswell_\w+)(?:\{([^}]*)\})?")
GROUPED = re.compile(r"\bby \(([^)]*)\)")
MATCHER = re.compile(r'(\w+)(=~|=)"([^"]*)"')
VALUES = {"sink": {*SINKS}, "step": {*STEPS}, "buffer": {*BUFFERS}, "outcome": {*OUTCOMES}}

LABELS: dict[str, set[str]] = {}
for _one in METRICS:
    if _one.type == "histogram":
        for _part in ("_bucket", "_sum", "_count"):
            LABELS[_one.name + _part] = {*_one.labels, *(["le"] if _part == "_bucket" else [])}
    else:
        LABELS[_one.full_name] = {*_one.labels}


def rules() -> list[dict[str, Any]]:
    return [
        rule
        for group in yaml.safe_load(RULES.read_text("utf-8"))["groups"]
        for rule in group["rules"]
    ]


def expressions() -> Iterator[tuple[str, str]]:
    """Each expression in PromQL, by what it is of."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for target in targets(PROMETHEUS):
        said = target.said["expr"]
        yield str(target), said.replace("$__rate_interval", "1m").replace("$instance", ".*")


EXPRESSIONS = dict(expressions())


@pytest.mark.parametrize("of", EXPRESSIONS)
def test_an_expression_uses_metrics_that_there_are_with_their_labels(of: str) -> None:
    said = EXPRESSIONS[of]
    used = NAME.findall(said)
    there = set[str]()
    for name, matchers in used:
        assert name in LABELS, name
        there |= LABELS[name]
        for label, how, value in MATCHER.findall(matchers):
            assert label in LABELS[name] | GIVEN
            known = VALUES.get(label)
            if known and how == "=":
                assert value in known
            for choice in value.split("|") if known else []:
                assert any(re.fullmatch(choice, one) for one in known or ()), choice
    assert used or "up{" in said
    for grouped in GROUPED.findall(said):
        assert {label.strip() for label in grouped.split(",")} <= there | GIVEN
    for label in re.findall(r"\{\{(\w+)\}\}", legends().get(of, "")):
        by = {one.strip() for found in GROUPED.findall(said) for one in found.split(",")}
        assert label in (by or there | GIVEN)


def legends() -> dict[str, str]:
    return {str(target): target.said["legendFormat"] for target in targets(PROMETHEUS)}


def test_counters_are_never_shown_as_they_are() -> None:
    rising = {one.full_name for one in METRICS if one.type == "counter"}
    for of, said in EXPRESSIONS.items():
        for match in NAME.finditer(said):
            if match[1] in rising:
                assert re.search(r"(rate|increase)\($", said[: match.start()]), of


def test_the_runs_to_choose_from_are_those_that_say_who_they_are() -> None:
    query = variables(boards()["operations"])["instance"]["query"]
    assert re.fullmatch(r"label_values\((groundswell_\w+), instance\)", query)
    assert query.partition("(")[2].partition(",")[0] in LABELS


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_it_means_and_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["alert"].startswith("Groundswell")
    assert rule["labels"]["severity"] in {"page", "ticket"}
    assert rule["annotations"].keys() == {"summary", "description"}
    assert rule["for"]


def test_each_alert_is_tried_out_both_ways() -> None:
    silent, told = set[str](), set[str]()
    for name in TRIALS:
        trials = yaml.safe_load((Path(__file__).parent / name).read_text("utf-8"))["tests"]
        for one in (one for trial in trials for one in trial["alert_rule_test"]):
            (told if one.get("exp_alerts") else silent).add(one["alertname"])
    names = {rule["alert"] for rule in rules()}
    assert told == names
    assert silent == names


def test_alerts_come_when_they_should(tmp_path: Path) -> None:
    promtool = tool("promtool")
    shutil.copy(RULES, tmp_path)
    for name in TRIALS:
        shutil.copy(Path(__file__).parent / name, tmp_path)
    assert "SUCCESS" in run([promtool, "test", "rules", *TRIALS], tmp_path)


def test_prometheus_takes_the_configuration_and_all_expressions(tmp_path: Path) -> None:
    promtool = tool("promtool")
    asked = [
        {"record": f"panel:{number}", "expr": said}
        for number, said in enumerate(EXPRESSIONS.values())
    ]
    panels = tmp_path / "panels.yml"
    panels.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": asked}]}), "utf-8")
    run([promtool, "check", "rules", panels, RULES], tmp_path)
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8")
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(text.replace("/etc/prometheus", str(RULES.parents[1])), "utf-8")
    run([promtool, "check", "config", configuration], tmp_path)
