"""The manifests: one pod that may do nothing it need not, and settings that there are."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from flows.cli import app
from flows.settings import PREFIX, Settings
from tests.deploy.conftest import DEPLOY
from tests.deploy.tools import run, tool

KUBERNETES = DEPLOY / "kubernetes"
SECRETS = {"groundswell": "groundswell.env", "groundswell-owner": "owner.env"}

Manifest = dict[str, Any]


def manifests(folder: Path) -> dict[str, Manifest]:
    """The manifests of a folder as they lie there, by kind and name."""
    found = {}
    for path in sorted(folder.rglob("*.yaml")):
        for one in yaml.safe_load_all(path.read_text("utf-8")):
            if one["kind"] not in {"Kustomization", "Component"}:
                found[f"{one['kind']}/{one['metadata']['name']}"] = one
    return found


BASE = manifests(KUBERNETES / "base")
PODS = {
    name: one["spec"]["template"]["spec"]
    for name, one in BASE.items()
    if "template" in one.get("spec", {})
}


def rendered(tmp_path: Path, folder: str, component: str = "") -> dict[str, Manifest]:
    """What kustomize makes of a folder, with the examples of its secrets, and maybe a component."""
    copied = tmp_path / "kubernetes"
    shutil.copytree(KUBERNETES, copied)
    for example in copied.rglob("*.example.env"):
        shutil.copy(example, example.with_name(example.name.replace(".example", "")))
    if component:
        with (copied / folder / "kustomization.yaml").open("a", encoding="utf-8") as file:
            file.write(f"components: [../../components/{component}]\n")
    program = tool("kustomize", "kubectl")
    command = "kustomize" if program.endswith("kubectl") else "build"
    said = run([program, command, folder], copied)
    found = {f"{one['kind']}/{one['metadata']['name']}": one for one in yaml.safe_load_all(said)}
    assert len(found) == said.count("\nkind:") + said.startswith("kind:")
    return found


@pytest.mark.parametrize("name", PODS)
def test_a_pod_may_do_nothing_it_need_not(name: str) -> None:
    pod = PODS[name]
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] == 10001  # as in the Dockerfile
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & pod.keys()
    for container in pod["containers"]:
        allowed = container["securityContext"]
        assert allowed["allowPrivilegeEscalation"] is False
        assert allowed["readOnlyRootFilesystem"] is True
        assert allowed["capabilities"] == {"drop": ["ALL"]}
        assert container["resources"]["limits"]["memory"]
        assert {one["name"] for one in container["volumeMounts"]} >= {"tmp"}


@pytest.mark.parametrize("name", PODS)
def test_a_container_is_given_a_command_that_there_is(name: str) -> None:
    for container in PODS[name]["containers"]:
        words = [word.replace("$(PROCESSES)", "2") for word in container["args"]]
        command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
        command.make_context(words[0], words[1:])


def test_it_is_one_pod_with_its_state_on_a_volume() -> None:
    whole = BASE["StatefulSet/groundswell"]["spec"]
    assert whole["replicas"] == 1
    (container,) = whole["template"]["spec"]["containers"]
    arguments = container["args"]
    state = arguments[arguments.index("--state") + 1]
    mounts = {one["mountPath"]: one["name"] for one in container["volumeMounts"]}
    (claim,) = whole["volumeClaimTemplates"]
    assert mounts[state] == claim["metadata"]["name"]
    kept = whole["persistentVolumeClaimRetentionPolicy"]
    assert {*kept.values()} == {"Retain"}
    assert whole["template"]["spec"]["terminationGracePeriodSeconds"] >= 90


def test_it_is_probed_where_it_answers() -> None:
    (container,) = PODS["StatefulSet/groundswell"]["containers"]
    assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
    assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    (port,) = container["ports"]
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert container[probe]["httpGet"]["port"] == port["name"]
    kustomization = yaml.safe_load((KUBERNETES / "base" / "kustomization.yaml").read_text("utf-8"))
    literals = dict(one.split("=", 1) for one in kustomization["configMapGenerator"][0]["literals"])
    assert literals["GROUNDSWELL_METRICS_ADDRESS"] == f"0.0.0.0:{port['containerPort']}"
    allowed = BASE["NetworkPolicy/groundswell"]["spec"]["ingress"][0]["ports"]
    assert [one["port"] for one in allowed] == [port["containerPort"]]
    assert BASE["Service/groundswell"]["spec"]["ports"][0]["targetPort"] == port["name"]


def test_the_number_of_processes_stands_in_one_place() -> None:
    text = "".join(path.read_text("utf-8") for path in sorted((KUBERNETES / "base").glob("*.yaml")))
    assert len(re.findall(r"PROCESSES=\d", text)) == 1
    assert not re.search(r"--processes[ ,\]]+\d", text)


def test_selectors_find_what_they_are_about() -> None:
    labels = {
        one["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/name"]
        for one in BASE.values()
        if "template" in one.get("spec", {})
    }
    service = BASE["Service/groundswell"]["spec"]["selector"]["app.kubernetes.io/name"]
    budget = BASE["PodDisruptionBudget/groundswell"]["spec"]["selector"]["matchLabels"]
    assert {service, budget["app.kubernetes.io/name"]} <= labels
    (policy,) = BASE["NetworkPolicy/groundswell"]["spec"]["podSelector"]["matchExpressions"]
    assert {*policy["values"]} == labels


@pytest.mark.parametrize("folder", ["base", "overlays/example"])
def test_it_renders(tmp_path: Path, folder: str) -> None:
    made = rendered(tmp_path, folder)
    kinds = {name.partition("/")[0] for name in made}
    assert {
        "StatefulSet", "Service", "ServiceAccount", "ConfigMap", "Job", "PodDisruptionBudget",
        "NetworkPolicy",
    } <= kinds  # fmt: skip
    config = next(one for name, one in made.items() if name.startswith("ConfigMap/groundswell-"))
    (container,) = made["StatefulSet/groundswell"]["spec"]["template"]["spec"]["containers"]
    sources = {key: ref["name"] for one in container["envFrom"] for key, ref in one.items()}
    assert sources["configMapRef"] == config["metadata"]["name"]  # so that a change restarts it
    assert "PROCESSES" in config["data"]
    names = {name for name in config["data"] if name.startswith(PREFIX)}
    assert {name.removeprefix(PREFIX).lower() for name in names} <= {*Settings.model_fields}
    if folder != "base":
        assert config["data"]["PROCESSES"] == container["resources"]["requests"]["cpu"]
        assert container["image"] == "groundswell:0.1.0"
        assert {one["metadata"].get("namespace", "groundswell") for one in made.values()} == {
            "groundswell"
        }
        assert f"Secret/{sources['secretRef']}" in made


def test_the_radar_stands_behind_the_run_and_hands_it_what_people_say(tmp_path: Path) -> None:
    made = rendered(tmp_path, "overlays/example", "radar")
    pod = made["StatefulSet/groundswell"]["spec"]["template"]["spec"]
    run, radar = pod["containers"]
    assert (run["name"], radar["name"], radar["image"]) == ("groundswell", "radar", run["image"])
    assert run["resources"]["limits"]["memory"] == "8Gi"  # as the overlay has it
    assert radar["securityContext"] == run["securityContext"]
    assert radar["envFrom"] == run["envFrom"]
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    command.make_context("serve", radar["args"][1:])
    (store,) = radar["args"][2:]
    config = next(one for name, one in made.items() if name.startswith("ConfigMap/groundswell-"))
    assert config["data"]["GROUNDSWELL_FEEDBACK"] == f"{store}.feedback.jsonl"
    state = next(one for one in run["volumeMounts"] if one["mountPath"] == "/state")
    assert state in radar["volumeMounts"]
    assert {one["name"] for one in radar["volumeMounts"]} - {"state"} <= {
        one["name"] for one in pod["volumes"]
    } - {one["name"] for one in run["volumeMounts"]}
    (port,) = radar["ports"]
    assert port["containerPort"] == Settings.model_fields["serve_port"].default
    assert made["Service/groundswell-radar"]["spec"]["ports"][0]["targetPort"] == port["name"]
    (allowed,) = made["NetworkPolicy/groundswell-radar"]["spec"]["ingress"]
    assert [one["port"] for one in allowed["ports"]] == [port["containerPort"]]


def test_no_secret_lies_beside_the_manifests() -> None:
    assert not any(one["kind"] == "Secret" for one in manifests(KUBERNETES).values())
    for name in SECRETS.values():
        example = KUBERNETES / "overlays" / "example" / name.replace(".env", ".example.env")
        for line in example.read_text("utf-8").splitlines():
            variable, _, value = line.partition("=")
            assert variable.removeprefix(PREFIX).lower() in Settings.model_fields
            assert not re.search(r"://\w+:(?!PASSWORD@)", value)
