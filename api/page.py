"""The files of the page: one script made of our modules, a style sheet, a page; or all in one file.

The modules in `static/` use no more of JavaScript's modules than `import {…} from "./x.js";` on a
line of its own and `export` before a function or constant, so that joining them in the order of
their imports is enough; no names are told twice among them.
"""

import base64
import gzip
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent / "static"
FIRST: Final = "main.js"
IMPORT: Final = re.compile(r'^import \{[^}]*\} from "\./(?P<file>[a-z]+\.js)";\n', re.MULTILINE)
EXPORT: Final = re.compile(r"^export (?=(?:async )?function|const|class)", re.MULTILINE)
FOREVER: Final = "public, max-age=31536000, immutable"


@dataclass(frozen=True)
class File:
    """A file of the page, in memory."""

    body: bytes
    kind: str
    caching: str = "no-cache"

    @cached_property
    def tag(self) -> str:
        """Its entity tag."""
        return f'"{_hash(self.body)}"'

    @cached_property
    def zipped(self) -> bytes:
        """The same compressed."""
        return gzip.compress(self.body, 9, mtime=0)


def script() -> str:
    """All modules as one script."""
    parts = [IMPORT.sub("", text) for _, text in _modules(FIRST, set())]
    return '"use strict";\n(() => {\n' + EXPORT.sub("", "\n".join(parts)) + "})();\n"


def _modules(name: str, seen: set[str]) -> Iterator[tuple[str, str]]:
    """A module after those that it imports."""
    seen.add(name)
    text = (FOLDER / name).read_text("utf-8")
    for found in IMPORT.finditer(text):
        if found["file"] not in seen:
            yield from _modules(found["file"], seen)
    yield name, text


def files() -> dict[str, File]:
    """What is served, by path. Scripts and styles have names that change with what is in them."""
    code, style = script().encode(), (FOLDER / "style.css").read_bytes()
    names = {"app.js": f"app.{_hash(code)}.js", "style.css": f"style.{_hash(style)}.css"}
    text = (FOLDER / "index.html").read_text("utf-8")
    for name, named in names.items():
        text = text.replace(f'"{name}"', f'"{named}"')
    return {
        "index.html": File(text.encode(), "text/html; charset=utf-8"),
        names["app.js"]: File(code, "text/javascript; charset=utf-8", FOREVER),
        names["style.css"]: File(style, "text/css; charset=utf-8", FOREVER),
        "icon.svg": File((FOLDER / "icon.svg").read_bytes(), "image/svg+xml"),
        "favicon.ico": File((FOLDER / "icon.svg").read_bytes(), "image/svg+xml"),
    }


def report(data: bytes) -> bytes:
    """One page that needs nothing else. `data`: JSON of what the API would answer.

    Only its own script and style may run: they are named by their hashes.
    """
    code, style = script(), (FOLDER / "style.css").read_text("utf-8")
    icon = base64.b64encode((FOLDER / "icon.svg").read_bytes()).decode()
    policy = (
        f"default-src 'none'; script-src '{_digest(code)}'; style-src '{_digest(style)}'; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )
    told = data.decode().replace("<", "\\u003c").replace("\u2028", "\\u2028")
    told = told.replace("\u2029", "\\u2029")
    text = (FOLDER / "index.html").read_text("utf-8")
    replaced = {
        '<meta charset="utf-8">': '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<link rel="icon" href="icon.svg">': '<link rel="icon" '
        f'href="data:image/svg+xml;base64,{icon}">',
        '<link rel="stylesheet" href="style.css">': f"<style>{style}</style>",
        '<script src="app.js" defer></script>': "",
        "</body>": f'<script type="application/json" id="data">{told}</script>\n'
        f"<script>{code}</script>\n</body>",
    }
    for old, new in replaced.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text.encode()


def _hash(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:12]


def _digest(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"sha256-{digest}"
