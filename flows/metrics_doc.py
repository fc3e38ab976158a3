"""Writes `docs/metrics.md` from `operators.metrics`; with `--check` says whether it is stale."""

import sys

from flows.generated import DOCS, write
from operators.metrics import BUFFERS, METRICS, SECONDS, SINKS, STEPS

PAGE = DOCS / "metrics.md"

INTRODUCTION = """\
# Metrics

Made from `operators/metrics.py` by `python -m flows.metrics_doc`; do not edit.

`groundswell run` serves these at `/metrics` of the setting `metrics_address`, in the text format of
Prometheus or, where it is asked for, OpenMetrics; one address for all processes of a run
([how to operate it](operating.md)). Counters begin at 0 with each start.

| metric | type | labels | what it says |
|---|---|---|---|
"""

BUCKETS = """
A histogram has `_bucket`, `_sum` and `_count`; the upper bounds of its buckets are
{bounds} seconds.

"""


def page() -> str:
    """The text of the page."""
    rows = [
        f"| `{one.full_name}` | {one.type} | {', '.join(f'`{name}`' for name in one.labels)} "
        f"| {one.help} |\n"
        for one in METRICS
    ]
    bounds = ", ".join(f"{bound:g}" for bound in SECONDS)
    parts = [INTRODUCTION, *rows, BUCKETS.format(bounds=bounds)]
    parts += ["| `sink` | what it is |\n|---|---|\n"]
    parts += [f"| `{name}` | {what} |\n" for name, what in SINKS.items()]
    parts += ["\n| `step` | its state |\n|---|---|\n"]
    parts += [f"| `{name}` | {what} |\n" for name, what in STEPS.items()]
    parts += ["\n| `buffer` | unit | what it is |\n|---|---|---|\n"]
    parts += [f"| `{name}` | {unit} | {what} |\n" for name, (unit, what) in BUFFERS.items()]
    parts += [
        "\n`kind` and `stage` are those of [the contract](contract.md). A buffer is there when "
        "something was in it.\n"
    ]
    return "".join(parts)


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` return 1 where it is stale."""
    return write(PAGE, page(), "flows.metrics_doc", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
