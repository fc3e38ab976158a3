"""The Dockerfiles keep to what makes an image small, repeatable and harmless."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.deploy.conftest import DEPLOY, ROOT

FILES = sorted((DEPLOY / "docker").glob("Dockerfile*"))
PINNED = re.compile(r"[a-z0-9./-]+:(\d+\.\d+\.\d+[\w.-]*)(@sha256:[0-9a-f]{64})?")
SECRET = re.compile(r"(?i)passw|secret|token|credential|api_?key")


def instructions(path: Path) -> list[tuple[str, str]]:
    """The instructions of a Dockerfile, each in one line, without comments."""
    kept = [
        line for line in path.read_text("utf-8").splitlines() if not line.lstrip().startswith("#")
    ]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(kept))
    pairs = (line.partition(" ") for line in joined.splitlines() if line.strip())
    return [(word.upper(), rest.strip()) for word, _, rest in pairs]


def stages(path: Path) -> list[list[tuple[str, str]]]:
    """The instructions of each stage, its FROM the first."""
    found: list[list[tuple[str, str]]] = []
    for one in instructions(path):
        if one[0] == "FROM":
            found.append([])
        if found:
            found[-1].append(one)
    return found


def ignored(path: str) -> bool:
    """Whether `.dockerignore` keeps a path out: the last pattern that fits decides."""
    out = False
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        pattern = line.strip().lstrip("!")
        if not pattern or pattern.startswith("#"):
            continue
        name = path.rpartition("/")[2]
        fits = pattern in ("*", path) or path.startswith(pattern + "/") or pattern == f"**/{name}"
        if fits:
            out = not line.startswith("!")
    return out


@pytest.fixture(params=FILES, ids=lambda path: str(path.name))
def dockerfile(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


def test_there_are_an_image_and_one_for_gpus() -> None:
    assert [path.name for path in FILES] == ["Dockerfile", "Dockerfile.gpu"]


def test_bases_are_named_by_an_exact_version(dockerfile: Path) -> None:
    names = set[str]()
    for stage in stages(dockerfile):
        base, _, name = stage[0][1].partition(" AS ")
        assert base in names or PINNED.fullmatch(base), base
        names.add(name)


def test_packages_come_with_their_hashes(dockerfile: Path) -> None:
    installs = re.findall(
        r"pip install ([^&;]*)", "\n".join(r for w, r in instructions(dockerfile) if w == "RUN")
    )
    assert installs
    for arguments in installs:
        if "-r " in arguments:
            assert "--require-hashes --only-binary :all:" in arguments
        else:
            assert arguments.split()[:2] == ["--no-deps", "--no-build-isolation"]


def test_what_runs_is_not_root_and_has_no_tools_to_build(dockerfile: Path) -> None:
    last = stages(dockerfile)[-1]
    users = [rest for word, rest in last if word == "USER"]
    assert users == ["10001:10001"]
    words = [word for word, _ in last]
    after = last[words.index("USER") :]
    assert not [word for word, _ in after if word in {"RUN", "COPY", "ADD"}]
    assert not any("pip install" in rest for word, rest in last if word == "RUN")
    assert words.count("HEALTHCHECK") == words.count("ENTRYPOINT") == words.count("CMD") == 1
    for word, rest in last:
        if word in {"ENTRYPOINT", "CMD"}:
            assert rest.startswith("[")  # or a shell would get the signals


def test_nothing_is_fetched_past_the_package_manager(dockerfile: Path) -> None:
    for word, rest in instructions(dockerfile):
        assert word not in {"ADD", "MAINTAINER"}
        assert not re.search(r"\b(curl|wget|sudo)\b", rest)
        if "apt-get install" in rest:
            assert "--no-install-recommends" in rest
            assert "rm -rf /var/lib/apt/lists" in rest


def test_no_secret_is_written_into_an_image(dockerfile: Path) -> None:
    for word, rest in instructions(dockerfile):
        if word in {"ENV", "ARG", "LABEL"}:
            assert not SECRET.search(rest), rest


def test_what_is_copied_is_there_and_not_ignored(dockerfile: Path) -> None:
    for word, rest in instructions(dockerfile):
        if word == "COPY" and "--from=" not in rest:
            for source in rest.split()[:-1]:
                assert (ROOT / source).exists(), source
                assert not ignored(source), source
                entries = [ROOT / source, *(ROOT / source).rglob("*")]
                assert not [one for one in entries if one.suffix in {".env", ".pem", ".key"}]


def test_what_is_not_named_stays_out() -> None:
    for path in (".git/config", ".venv/bin/python", "deploy/.env", "tests/conftest.py", "any.db"):
        assert ignored(path), path


def test_the_entrypoint_copies_the_kernels_and_becomes_the_command(tmp_path: Path) -> None:
    text = (DEPLOY / "docker" / "entrypoint").read_text("utf-8")
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    (kernels / "one.nbi").write_text("x")
    program = tmp_path / "groundswell"
    program.write_text('#!/bin/sh\necho "$0 $*"; exit 3\n')
    program.chmod(0o755)
    script = tmp_path / "entrypoint"
    script.write_text(text.replace("/opt/kernels", str(kernels)))
    done = subprocess.run(
        ["sh", script, "run", "--state", "a b"],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "NUMBA_CACHE_DIR": str(tmp_path / "to")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (3, f"{program} run --state a b\n")
    assert (tmp_path / "to" / "one.nbi").read_text() == "x"


def test_the_image_holds_the_versions_that_were_tested() -> None:
    def pins(name: str) -> dict[str, str]:
        text = (ROOT / name).read_text("utf-8")
        return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))

    held, tested = pins("constraints-service.txt"), pins("constraints.txt")
    assert held.keys() >= {"bytewax", "confluent-kafka", "httpx", "psycopg-binary", "redis"}
    assert held.items() <= tested.items()
    gpu = pins("deploy/docker/gpu.txt")
    assert {name: held[name] for name in gpu.keys() & held.keys()}.items() <= gpu.items()
