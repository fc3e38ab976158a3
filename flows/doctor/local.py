"""What is on this machine: settings, packages, memory, the address of the metrics, alert rules."""

import importlib
import os
import socket
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Final

from flows.doctor.finding import Finding, Findings, ok, problem, warning
from flows.settings import CONFIG, PREFIX, Settings, host_and_port
from operators.alerts import rules as rules_file
from operators.alerts.rules import RulesError

PACKAGES: Final = {
    "kafka_bootstrap": ("confluent_kafka", "pip install confluent-kafka"),
    "database_url": ("psycopg", "pip install 'groundswell[postgres]'"),
    "redis_url": ("redis", "pip install 'groundswell[redis]'"),
    "alert_rules": ("httpx", "pip install 'groundswell[alerts]'"),
}
"""Setting -> the package that it needs, and how to get it."""


def variables(environment: Mapping[str, str]) -> Findings:
    """Look for variables that would silently do nothing."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {CONFIG}
    for name in sorted(environment):
        if name.startswith(PREFIX) and name not in known:
            near = get_close_matches(name, known, 1)
            mend = f"did you mean {near[0]}?" if near else "see docs/settings.md"
            yield warning("settings", f"{name}: there is no such setting", mend)


def is_there(package: str) -> bool:
    """Whether a package can be imported."""
    try:
        importlib.import_module(package)
    except ImportError:
        return False
    return True


def packages(settings: Settings) -> Findings:
    """Look for the packages that settings need."""
    found = []
    for name, (package, how) in PACKAGES.items():
        if not getattr(settings, name):
            continue
        if not is_there(package):
            yield problem(f"package {package}", f"{name} is set and it is not installed", how)
        else:
            found.append(package)
    yield ok("packages", f"{', '.join(found)}: installed")


def memory(settings: Settings) -> Finding:
    """Compare what a process may take with what there is."""
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    if settings.memory_mb > there:
        return warning(
            "memory",
            f"memory_mb is {settings.memory_mb:,}, this machine has {there:,} MiB",
            f"set memory_mb to {there * 3 // 4} or less",
        )
    return ok("memory", f"memory_mb is {settings.memory_mb:,} of {there:,} MiB")


def address(settings: Settings) -> Findings:
    """See whether the address of the metrics is free, and not open to all."""
    if not settings.metrics_address:
        return
    check = "metrics_address"
    host, port = host_and_port(settings.metrics_address)
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.create_server((host, port), family=family):
            pass
    except OSError as error:
        yield warning(
            check,
            f"{settings.metrics_address}: {error.strerror or error}",
            f"if no run of yours serves there, see who does: `ss -ltnp 'sport = :{port}'`",
        )
        return
    yield ok(check, f"{settings.metrics_address}: free")


def rules(settings: Settings) -> Findings:
    """Read the rules of alerts, and look for what they need of the environment."""
    path = settings.alert_rules
    if not path:
        return
    try:
        found = rules_file.load(Path(path))
        for name in sorted({rule.to for rule in found.rules}):
            rules_file.address(name, found.receivers[name], os.environ)
    except RulesError as error:
        mend = f"then `groundswell alerts test {path}` shows what would be sent"
        yield problem("alert rules", str(error), mend)
        return
    yield ok("alert rules", f"{path}: {len(found.rules)} rules")
