"""SQL as Grafana sends it: variables and macros replaced as its PostgreSQL data source does.

In the browser variables are replaced, by their format; on the server then the interval, and what
looks like a call that begins with a dollar sign. What Grafana would not know is an error here.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)(?::(\w+))?\}")
MACRO = re.compile(r"\$([_a-zA-Z0-9]+)\(([^)]*)\)")
LENGTH = re.compile(r"(\d+)(ms|s|m|h|d)")
UNITS = {
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
}
STEPS = [
    *(UNITS["s"] * n for n in (1, 2, 5, 10, 15, 20, 30)),
    *(UNITS["m"] * n for n in (1, 2, 5, 10, 15, 20, 30)),
    *(UNITS["h"] * n for n in (1, 2, 3, 6, 12)),
    *(UNITS["d"] * n for n in (1, 7, 30, 365)),
]
"""Lengths that an interval may have."""


class UnknownError(ValueError):
    """A variable, format or macro that Grafana has not."""


@dataclass(frozen=True)
class Asked:
    """What a dashboard is asked for."""

    start: datetime
    end: datetime
    variables: Mapping[str, str | Sequence[str]]
    timescaledb: bool = False

    def sql(self, query: str, points: int = 1000, least: str = "1s") -> str:
        """The query as it is sent, for a panel of so many points and with that least interval."""
        step = max(length(least), self.step(points))
        known = {
            "__interval": _short(step),
            "__interval_ms": str(int(step.total_seconds() * 1000)),
        }

        def variable(match: re.Match[str]) -> str:
            name = match[1] or match[2]
            if name in known:
                return known[name]
            if name in self.variables:
                return formatted(self.variables[name], match[3])
            if match[1] and query[match.end() : match.end() + 1] == "(":
                return match[0]
            raise UnknownError(f"variable {match[0]}")

        half = VARIABLE.sub(variable, query)
        return MACRO.sub(lambda match: self._macro(match, half), half)

    def step(self, points: int) -> timedelta:
        """The interval of a panel with so many points."""
        exact = (self.end - self.start) / points
        return min((step for step in STEPS if step >= exact), default=STEPS[-1])

    def _macro(self, match: re.Match[str], query: str) -> str:
        name = match[1]
        column, *rest = (part.strip() for part in match[2].split(","))
        start, end = (f"'{when.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'" for when in self._range())
        # A comma behind it means that it is the column of the time.
        if name == "__timeGroup" and query[match.end() : match.end() + 1] == ",":
            name = "__timeGroupAlias"
        if name in {"__timeFrom", "__timeTo"}:
            return start if name == "__timeFrom" else end
        if not column:
            raise UnknownError(f"{match[0]} without a column")
        if name == "__timeFilter":
            return f"{column} BETWEEN {start} AND {end}"
        if name == "__time":
            return f'{column} AS "time"'
        if name == "__timeEpoch":
            return f'extract(epoch from {column}) as "time"'
        if name in {"__timeGroup", "__timeGroupAlias"}:
            return self._group(column, rest) + (' AS "time"' if name.endswith("Alias") else "")
        raise UnknownError(f"macro {match[0]}")

    def _group(self, column: str, rest: Sequence[str]) -> str:
        if not rest:
            raise UnknownError("$__timeGroup without an interval")
        seconds = length(rest[0].strip("'")).total_seconds()
        if self.timescaledb:
            return f"time_bucket('{seconds:.3f}s',{column})"
        return f"floor(extract(epoch from {column})/{seconds:g})*{seconds:g}"

    def _range(self) -> tuple[datetime, datetime]:
        return self.start, self.end


def formatted(value: str | Sequence[str], how: str | None) -> str:
    """A value of a variable in the text of a query."""
    if how == "sqlstring":
        values = [value] if isinstance(value, str) else value
        return ",".join("'" + one.replace("'", "''") + "'" for one in values)
    if how is None and isinstance(value, str):
        return value
    raise UnknownError(f"format {how} of {value!r}")


def length(said: str) -> timedelta:
    """A length of time such as `1h`."""
    match = LENGTH.fullmatch(said)
    if match is None:
        raise UnknownError(f"interval {said}")
    return int(match[1]) * UNITS[match[2]]


def _short(step: timedelta) -> str:
    name, unit = max(
        ((name, unit) for name, unit in UNITS.items() if step % unit == timedelta()),
        key=lambda one: one[1],
    )
    return f"{step // unit}{name}"
