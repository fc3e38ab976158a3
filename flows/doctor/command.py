"""Runs all checks at once, each for so long at most, and shows what they have found."""

import json
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.text import Text

from flows.doctor import local
from flows.doctor.finding import Finding, Findings, Level, ok, problem
from flows.doctor.state import state
from flows.logs import HIDDEN, secrets_of
from flows.plain import plain
from flows.settings import Settings, SettingsError, load

LIMIT_S: Final = 40.0
"""How long all checks together may take; those of one service go one after the other."""
MARKS: Final = {"ok": ("ok     ", "green"), "warning": ("warning", "yellow")}
WRONG: Final = ("PROBLEM", "bold red")

Check = Callable[[], Findings]


def doctor(folder: Path | None, as_json: bool, console: Console) -> int:
    """Look at everything that the settings name, and say so; 1 where there is a problem."""
    try:
        settings = load()
    except SettingsError as error:
        found = [
            problem("settings", one, "see docs/settings.md for what is accepted")
            for one in str(error).split("; ")
        ]
        secrets: list[str] = []
    else:
        found = examine(settings, folder)
        secrets = secrets_of(settings)
    found = [_clean(one, secrets) for one in found]
    count = Counter(one.level for one in found)
    if as_json:
        shown = [
            {"check": one.check, "level": one.level, "seen": one.seen, "mend": one.mend}
            for one in found
        ]
        print(json.dumps({"problems": count["problem"], "findings": shown}, indent=2))
    else:
        _show(found, count, console)
    return 1 if count["problem"] else 0


def examine(
    settings: Settings, folder: Path | None = None, ahead_s: float = 0.0, limit_s: float = LIMIT_S
) -> list[Finding]:
    """Return all findings, service by service.

    `folder`: of a state. `ahead_s`: how far this machine's clock is put forward, to see what a
    wrong one is called. A check that does not end within `limit_s` is named.
    """
    checks: dict[str, Check] = {"this machine": lambda: _local(settings)}
    if folder is not None:
        checks[f"state {folder}"] = partial(state, folder)
    checks["Kafka"] = partial(_kafka, settings, ahead_s)
    if settings.database_url:
        checks["PostgreSQL"] = partial(_postgres, settings, ahead_s)
    if settings.redis_url:
        checks["Redis"] = partial(_redis, settings, ahead_s)
    return run(checks, limit_s)


def run(checks: Mapping[str, Check], limit_s: float) -> list[Finding]:
    """Run checks beside each other, and return what they found by then."""
    found: dict[str, list[Finding]] = {name: [] for name in checks}
    threads = {
        name: threading.Thread(target=_collect, args=(name, check, found[name]), daemon=True)
        for name, check in checks.items()
    }
    for thread in threads.values():
        thread.start()
    deadline = time.monotonic() + limit_s
    for name, thread in threads.items():
        thread.join(max(0.0, deadline - time.monotonic()))
        if thread.is_alive():
            mend = "it hangs: look at its log, and at what lies between"
            found[name].append(problem(name, f"no answer within {limit_s:g} s", mend))
    return [one for some in found.values() for one in list(some)]


def _collect(name: str, check: Check, found: list[Finding]) -> None:
    try:
        found.extend(check())
    except Exception as error:  # whatever it is, the others are to be seen
        found.append(problem(name, f"{type(error).__name__}: {error}"))


def _local(settings: Settings) -> Findings:
    yield ok("settings", "all can be used")
    yield from local.variables(os.environ)
    yield from local.packages(settings)
    yield local.memory(settings)
    yield from local.address(settings)
    yield from local.rules(settings)


def _kafka(settings: Settings, ahead_s: float) -> Findings:
    from flows.doctor.kafka import kafka

    yield from kafka(settings, ahead_s)


def _postgres(settings: Settings, ahead_s: float) -> Findings:
    if local.is_there("psycopg"):
        from flows.doctor.postgres import postgres

        yield from postgres(settings.database_url.get_secret_value(), ahead_s)


def _redis(settings: Settings, ahead_s: float) -> Findings:
    if local.is_there("redis"):
        from flows.doctor.redis import redis

        yield from redis(settings.redis_url.get_secret_value(), settings.redis_prefix, ahead_s)


def _clean(finding: Finding, secrets: list[str]) -> Finding:
    """The same without secrets, and without what a terminal would obey."""
    texts = [plain(text) for text in (finding.check, finding.seen, finding.mend)]
    for secret in secrets:
        texts = [text.replace(secret, HIDDEN) for text in texts]
    check, seen, mend = texts
    return Finding(check, finding.level, seen, mend)


def _show(found: list[Finding], count: Mapping[Level, int], console: Console) -> None:
    width = max(len(one.check) for one in found)
    for one in found:
        mark, colour = MARKS.get(one.level, WRONG)
        line = Text.assemble((mark, colour), "  ", one.check.ljust(width), "  ", one.seen)
        console.print(line, soft_wrap=True)
        if one.mend:
            console.print(Text(f"         → {one.mend}", "dim"), soft_wrap=True)
    problems, warnings = count.get("problem", 0), count.get("warning", 0)
    console.print(Text(f"problems: {problems}, warnings: {warnings}"), soft_wrap=True)
