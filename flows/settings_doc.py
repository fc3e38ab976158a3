"""Writes `docs/settings.md` from `flows.settings`; with `--check` only says whether it is stale."""

import sys

from pydantic import SecretStr

from flows.generated import DOCS, write
from flows.settings import CONFIG, PREFIX, Settings, accepted, extra

PAGE = DOCS / "settings.md"

INTRODUCTION = f"""\
# Settings

Made from `flows/settings.py` by `python -m flows.settings_doc`; do not edit.

Each setting is read from the environment (`{PREFIX}` and its name in capitals, as in
`{PREFIX}FDR=0.05`), from a file `.env` in the folder that the command is started in (lines of the
same form), or from the TOML file that `{CONFIG}` names (`fdr = 0.05`). The environment
wins over `.env`, that over the TOML file, and options over all. A value that
cannot be used stops the command before it starts, with one line that names the setting, the value
and what was expected.

A run with `--state` is resumed only with the settings it began with; those marked † may differ,
they change no result.

| setting | default | unit | accepted | what it is |
|---|--:|---|---|---|
"""


def page() -> str:
    """The text of the page."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr):
            default = ""
        if isinstance(default, tuple):
            default = ",".join(map(str, default))
        mark = "" if extra(field)["result"] else " †"
        rows.append(
            f"| `{name}`{mark} | {default} | {extra(field)['unit']} | {accepted(name)} "
            f"| {field.description} |\n"
        )
    return INTRODUCTION + "".join(rows)


def main(arguments: list[str]) -> int:
    """Write the page, or with `--check` return 1 where it is stale."""
    return write(PAGE, page(), "flows.settings_doc", arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
