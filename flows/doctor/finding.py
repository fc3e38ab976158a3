"""What a check has found."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

Level = Literal["ok", "warning", "problem"]
ANSWER_S: Final = 5.0
"""How long a service may take for one answer."""
SKEW_S: Final = 5.0
"""How far a service's clock may be from ours."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. A problem keeps a run from doing its work, a warning may."""

    check: str
    """What was looked at, such as `topic reels.v1`."""
    level: Level
    seen: str
    mend: str = ""
    """What to do about it, if there is something."""


Findings = Iterator[Finding]


def ok(check: str, seen: str) -> Finding:
    """Return that all is well."""
    return Finding(check, "ok", seen)


def warning(check: str, seen: str, mend: str = "") -> Finding:
    """Return what may become a problem."""
    return Finding(check, "warning", seen, mend)


def problem(check: str, seen: str, mend: str = "") -> Finding:
    """Return what keeps a run from its work."""
    return Finding(check, "problem", seen, mend)


def clock(service: str, theirs: float, ours: float) -> Finding:
    """Compare clocks, both in seconds of Unix time."""
    check, skew = f"{service} clock", theirs - ours
    if abs(skew) <= SKEW_S:
        return ok(check, f"within {SKEW_S:.0f} s of this one")
    where = "ahead of" if skew > 0 else "behind"
    return warning(
        check,
        f"{abs(skew):,.0f} s {where} this one",
        "synchronise both by NTP: `timedatectl set-ntp true`, or `chronyc tracking` to see why not",
    )
