"""The compose file: valid, reachable from this machine alone, nothing with a password of ours."""

import importlib.util
import json
import os
import re
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jsonschema
import pytest
import redis as client
import typer
import yaml
from redis.backoff import NoBackoff
from redis.retry import Retry

from flows.cli import app
from flows.doctor.finding import Finding
from flows.doctor.redis import redis as examined
from flows.settings import PREFIX, Settings
from operators.sinks import redis as sink
from operators.sinks.redis import Keeping
from tests.deploy.conftest import DEPLOY
from tests.deploy.tools import CACHE, run
from tests.operators.streams import stream
from tests.services.processes import NotStartedError, Server, free_port, missing

COMPOSE = DEPLOY / "compose.yaml"
EXAMPLE = DEPLOY / ".env.example"
VARIABLE = re.compile(r"\$\{([A-Z_]+)(:[?-][^}]*)?\}")
PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+\.\d+[\w.-]*")
ONCE = {"topics", "migrate", "roles"}
AT_ONCE = Retry(NoBackoff(), 0)

composed: dict[str, Any] = yaml.safe_load(COMPOSE.read_text("utf-8"))
services: dict[str, dict[str, Any]] = composed["services"]


def defaulted(text: str) -> str:
    """A text with the defaults of its variables."""
    return VARIABLE.sub(lambda match: match[2][2:] if match[2] else match[0], text)


def make_env() -> ModuleType:
    """The script, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("make_env", DEPLOY / "make_env.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_is_what_the_compose_specification_wants() -> None:
    schema = CACHE / "compose-spec.json"
    if not schema.exists():
        pytest.skip("no schema of compose files; `.ci/deploy .cache/deploy.done` may fetch it")
    jsonschema.validate(composed, json.loads(schema.read_text("utf-8")))


def test_docker_compose_reads_it(tmp_path: Path) -> None:
    docker = shutil.which("docker")
    if (
        docker is None
        or subprocess.run(
            [docker, "compose", "version"], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("docker compose is not there")
    shutil.copy(EXAMPLE, tmp_path)
    make_env().main(tmp_path)
    run([docker, "compose", "--env-file", tmp_path / ".env", "-f", COMPOSE, "config", "-q"], DEPLOY)


def test_all_that_was_promised_is_there() -> None:
    wanted = {"kafka", "timescaledb", "redis", "prometheus", "grafana", "groundswell", "radar"}
    assert services.keys() == wanted | ONCE


@pytest.mark.parametrize("name", services)
def test_a_service_is_pinned_limited_and_watched(name: str) -> None:
    one = services[name]
    assert PINNED.fullmatch(defaulted(one["image"]))
    limits = one["deploy"]["resources"]["limits"]
    assert limits["memory"]
    assert limits["pids"]
    assert "no-new-privileges:true" in one["security_opt"]
    assert not {"privileged", "cap_add", "network_mode", "pid", "devices"} & one.keys()
    assert one.get("cap_drop") == ["ALL"] or name == "timescaledb"  # it changes its user itself
    if name in ONCE:
        assert one["restart"] == "no"
    else:
        assert one["restart"] == "unless-stopped"
        assert "healthcheck" in one or name == "groundswell"  # its image has one


@pytest.mark.parametrize("name", services)
def test_a_port_is_open_on_the_loopback_interface_alone(name: str) -> None:
    for port in services[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:\d+:\d+", defaulted(port)), port


def test_what_is_mounted_is_there_and_read_only() -> None:
    for name, one in services.items():
        for volume in one.get("volumes", []):
            source, _, rest = volume.partition(":")
            if source.startswith("."):
                assert (DEPLOY / source).exists(), f"{name}: {source}"
                assert rest.endswith(":ro")
            else:
                assert source in composed["volumes"]


def test_each_password_must_be_given() -> None:
    needed = set[str]()
    for name, said in VARIABLE.findall(COMPOSE.read_text("utf-8")):
        assert said, f"{name} has neither a default nor a way to say that it is missing"
        if said.startswith(":?"):
            needed.add(name)
            assert "make_env.py" in said
        else:
            assert "PASSWORD" not in name
    example = make_env().assigned(EXAMPLE.read_text("utf-8"))
    assert example == dict.fromkeys(needed, "")
    for one in services.values():
        for variable, value in one.get("environment", {}).items():
            if "PASSWORD" in variable:
                assert VARIABLE.fullmatch(value)
            for password in re.findall(r"://[^:/]+:([^@]+)@", value):
                assert VARIABLE.fullmatch(password)


def test_defaults_are_told() -> None:
    told = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", EXAMPLE.read_text("utf-8"), re.MULTILINE))
    used = {
        name: said[2:]
        for name, said in VARIABLE.findall(COMPOSE.read_text("utf-8"))
        if said.startswith(":-")
    }
    assert told == used


@pytest.mark.parametrize("name", services)
def test_what_groundswell_is_given_are_settings_and_commands(name: str) -> None:
    one = services[name]
    names = {variable for variable in one.get("environment", {}) if variable.startswith(PREFIX)}
    assert {variable.removeprefix(PREFIX).lower() for variable in names} <= {*Settings.model_fields}
    if "groundswell" in one["image"]:
        words = [defaulted(word) for word in one["command"]]
        command = typer.main.get_command(app).commands[words[0]]  # type: ignore[attr-defined]
        command.make_context(words[0], words[1:])


def test_passwords_are_made_once_and_for_their_owner_alone(tmp_path: Path) -> None:
    script = make_env()
    shutil.copy(EXAMPLE, tmp_path)
    made = tmp_path / ".env"
    made.write_text("# mine\nREDIS_PASSWORD=kept\nGRAFANA_ADMIN_PASSWORD=\nKAFKA_PORT=9999\n")
    script.main(tmp_path)
    first = script.assigned(made.read_text())
    assert first.keys() == {*script.assigned(EXAMPLE.read_text()), "KAFKA_PORT"}
    assert (first["REDIS_PASSWORD"], first["KAFKA_PORT"]) == ("kept", "9999")
    passwords = [value for name, value in first.items() if name.endswith("PASSWORD")]
    assert len({*passwords}) == len(passwords)
    assert all(re.fullmatch(r"[\w-]{32}", one) for one in passwords if one != "kept")
    assert stat.S_IMODE(made.stat().st_mode) == 0o600
    before = made.read_bytes()
    script.main(tmp_path)
    assert made.read_bytes() == before


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[int]:
    """The port of a Redis that was started as the compose file does."""
    program = shutil.which("redis-server")
    if program is None:
        missing("Redis", "redis-server is not installed")
    port = free_port()
    settings = {
        "REDIS_PASSWORD": "p-w_1",
        "REDIS_ACL": str(tmp_path / "users.acl"),
        "REDIS_FOLDER": str(tmp_path),
        "REDIS_PORT": str(port),
    }

    def answers() -> bool:
        try:
            with client.Redis(port=port, username="health", password="none", retry=AT_ONCE) as one:
                return bool(one.ping())
        except client.RedisError:
            return False

    script = ["env", *(f"{name}={value}" for name, value in settings.items())]
    server = Server("Redis", [*script, str(DEPLOY / "redis" / "start")], tmp_path, answers)
    try:
        server.start()
    except NotStartedError as error:
        missing("Redis", str(error))
    try:
        yield port
    finally:
        server.kill()


@pytest.mark.services
def test_redis_lets_groundswell_write_and_nobody_else(guarded: int, tmp_path: Path) -> None:
    url = f"redis://groundswell:p-w_1@127.0.0.1:{guarded}/0"
    part = sink.RedisSink(url, Keeping("groundswell"), None, 10.0, None).build_part(
        "s", "redis", None
    )
    trends = stream(1)[:50]
    part.write_batch(trends)
    assert part.snapshot()[1] == len(trends)
    part.close()
    found: list[Finding] = [*examined(url, "groundswell")]
    assert {one.level for one in found} == {"ok"}
    assert any("clock" in one.check for one in found)  # it may look at it
    for user, password, command in (
        (None, None, "PING"),
        ("groundswell", "other", "PING"),
        ("groundswell", "p-w_1", "FLUSHALL"),
        ("groundswell", "p-w_1", "CONFIG GET requirepass"),
        ("groundswell", "p-w_1", "SET elsewhere 1"),
        ("health", "none", "GET groundswell:position"),
    ):
        with (
            client.Redis(port=guarded, username=user, password=password, retry=AT_ONCE) as one,
            pytest.raises(client.RedisError),
        ):
            one.execute_command(*command.split())
    assert stat.S_IMODE(os.stat(tmp_path / "users.acl").st_mode) == 0o600


def test_grafana_finds_its_dashboards_and_data_sources() -> None:
    folder = DEPLOY / "grafana" / "provisioning"
    sources = yaml.safe_load((folder / "datasources" / "groundswell.yaml").read_text("utf-8"))
    kinds = {one["type"]: one for one in sources["datasources"]}
    assert kinds.keys() == {"grafana-postgresql-datasource", "prometheus"}
    database = kinds["grafana-postgresql-datasource"]
    assert database["user"] == "grafana"
    password = database["secureJsonData"]["password"].removeprefix("$")
    assert password in services["grafana"]["environment"]
    assert database["url"].partition(":")[0] in services
    providers = yaml.safe_load((folder / "dashboards" / "groundswell.yaml").read_text("utf-8"))
    (provider,) = providers["providers"]
    mounted = dict(volume.split(":")[:2] for volume in services["grafana"]["volumes"])
    assert mounted["./grafana/dashboards"] == provider["options"]["path"]
    assert mounted["./grafana/provisioning"] == "/etc/grafana/provisioning"
    home = services["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert home == f"{provider['options']['path']}/trends.json"
    assert (DEPLOY / "grafana" / "dashboards" / "trends.json").exists()


def test_prometheus_asks_where_groundswell_answers() -> None:
    asked = yaml.safe_load((DEPLOY / "prometheus" / "prometheus.yml").read_text("utf-8"))
    jobs = {one["job_name"]: one["static_configs"][0]["targets"] for one in asked["scrape_configs"]}
    port = services["groundswell"]["environment"]["GROUNDSWELL_METRICS_ADDRESS"].rpartition(":")[2]
    assert jobs["groundswell"] == [f"groundswell:{port}"]
    networks = services["prometheus"]["networks"]
    assert {*networks} & {*services["groundswell"]["networks"]}
