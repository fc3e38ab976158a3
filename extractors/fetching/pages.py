"""Where a page says that its media is: Open Graph, `<video>`, JSON-LD and oEmbed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urljoin

MAX_BYTES: Final = 4 << 20
MAX_TEXT: Final = 2_000
"""Characters of a title or a name."""
MAX_DATA: Final = 20
"""Scripts of JSON-LD that are looked at."""

_PROPERTIES: Final = (
    *("og:video:secure_url", "og:video:url", "og:video", "twitter:player:stream"),
    *("og:audio:secure_url", "og:audio:url", "og:audio"),
)


@dataclass(frozen=True, slots=True)
class Page:
    """What a page says of its media; None where it says nothing."""

    media: str | None = None
    title: str | None = None
    author: str | None = None
    oembed: str | None = None
    """Where it says more."""


def read(html: bytes, address: str) -> Page:
    """Return what a page at an address says. Raises ImportError without selectolax."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(html[:MAX_BYTES])
    said: dict[str, str] = {}
    for node in tree.css("meta[content]"):
        name = node.attributes.get("property") or node.attributes.get("name") or ""
        said.setdefault(name.lower(), (node.attributes.get("content") or "").strip())
    title = tree.css_first("title")
    link = tree.css_first('link[type="application/json+oembed"][href]')
    data = [*_data(tree)]
    media = next((said[one] for one in _PROPERTIES if _is_media(said, one)), None)
    media = media or _embedded(tree) or _text(data, "contentUrl")
    return Page(
        _joined(address, media),
        _cut(said.get("og:title") or _text(data, "name") or (title.text() if title else None)),
        _cut(said.get("author") or _text(data, "author")),
        _joined(address, link.attributes.get("href") if link else None),
    )


def with_oembed(page: Page, body: bytes) -> Page:
    """Return a page with what its oEmbed document adds.

    >>> with_oembed(Page("https://a.example/v.mp4"), b'{"title": "Drop", "author_name": "Ann"}')
    Page(media='https://a.example/v.mp4', title='Drop', author='Ann', oembed=None)
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return page
    if not isinstance(said, dict):
        return page
    return Page(
        page.media,
        page.title or _cut(said.get("title")),
        page.author or _cut(said.get("author_name")),
    )


def _is_media(said: dict[str, str], name: str) -> bool:
    """Whether a property names media, and not the page of a player."""
    kind = said.get(name.removesuffix(":url").removesuffix(":secure_url") + ":type", "")
    return bool(said.get(name)) and "html" not in kind and "flash" not in kind


def _embedded(tree: Any) -> str | None:
    for node in tree.css("video[src], video source[src], audio[src], audio source[src]"):
        if found := node.attributes.get("src"):
            return str(found)
    return None


def _data(tree: Any) -> Iterator[dict[str, Any]]:
    """Objects of JSON-LD that speak of a video or a sound."""
    for node in tree.css('script[type="application/ld+json"]')[:MAX_DATA]:
        try:
            said = json.loads(node.text())
        except (ValueError, RecursionError):
            continue
        graph = said.get("@graph", [said]) if isinstance(said, dict) else said
        for one in graph if isinstance(graph, list) else []:
            if isinstance(one, dict) and one.get("@type") in ("VideoObject", "AudioObject"):
                yield one


def _text(data: list[dict[str, Any]], key: str) -> str | None:
    for one in data:
        value = one.get(key)
        if isinstance(value, dict):
            value = value.get("name")
        if isinstance(value, str) and value:
            return value
    return None


def _joined(address: str, link: str | None) -> str | None:
    if not link:
        return None
    try:
        return urljoin(address, link.strip())
    except ValueError:
        return None


def _cut(text: object) -> str | None:
    if not isinstance(text, str):
        return None
    return " ".join(text.split())[:MAX_TEXT] or None
