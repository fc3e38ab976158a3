"""JSON documents to try a schema with: valid ones, made from the schema, and broken ones."""

import base64
import copy
from collections.abc import Callable
from datetime import UTC, timedelta, timezone
from typing import Any

from hypothesis import strategies as st

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
times = st.builds(
    lambda moment, zulu: moment.isoformat().replace("+00:00", "Z" if zulu else "+00:00"),
    st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=-9, minutes=-30))])),
    st.booleans(),
)
almost_times = st.from_regex(
    r"\A[0-9]{4}-[01][0-9]-[0-3][0-9][Tt _][0-2][0-9]:[0-6][0-9](:[0-6][0-9])?"
    r"([.,][0-9]{0,9})?(Z|z|[+-][0-2][0-9]:?[0-6][0-9]|)\n?\Z"
)
base64s = st.binary(max_size=12).map(lambda raw: base64.b64encode(raw).decode())
almost_base64s = st.text("AQ+/=_- \n", max_size=9)
numbers = st.one_of(
    st.integers(-(2**70), 2**70),
    st.integers(-2, 2**16).map(float),
    st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from([0, -0.0, 1, 1.5, 2**53 - 1, 2**53, 2**63 - 1, 2**63, 1e300, 604_800]),
)
scalars = st.one_of(
    st.none(), st.booleans(), numbers, text, times, almost_times, base64s, almost_base64s
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3),
    max_leaves=8,
)
lengths = st.sampled_from([0, 1, 10, 11, 100, 101, 255, 256, 257])


def valid(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return documents that a schema, as `schemas.export` writes them, accepts."""
    return _valid(schema, schema["$defs"])


def _valid(node: dict[str, Any], named: dict[str, Any]) -> st.SearchStrategy[Any]:
    match node:
        case {"$ref": "#/$defs/Time"}:
            return times
        case {"$ref": "#/$defs/Base64"}:
            return base64s
        case {"$ref": ref}:
            return _valid(named[ref.rpartition("/")[2]], named)
        case {"anyOf": options}:
            return st.one_of([_valid(option, named) for option in options])
        case {"enum": names}:
            return st.sampled_from(names)
        case {"pattern": pattern}:
            return st.from_regex(pattern, fullmatch=True).filter(_utf8)
        case {"type": "object", "properties": properties, "required": required}:
            fields = {name: _valid(field, named) for name, field in properties.items()}
            optional = {name: fields.pop(name) for name in properties if name not in required}
            return st.fixed_dictionaries(fields, optional=optional)
        case {"type": "object", "properties": properties}:
            fields = {name: _valid(field, named) for name, field in properties.items()}
            return st.fixed_dictionaries({}, optional=fields)
        case {"type": "array", "items": items}:
            return st.lists(
                _valid(items, named),
                min_size=node.get("minItems", 0),
                max_size=min(3, node.get("maxItems", 3)),
            )
        case {"type": "string"}:
            return text.filter(lambda value: len(value) >= node.get("minLength", 0))
        case {"type": "integer"}:
            return st.integers(node.get("minimum"), node.get("maximum", 2**63 - 1))
        case {"type": "number", "multipleOf": 1}:
            return st.integers(node["minimum"], min(2**20, node["maximum"])).map(float)
        case {"type": "number"}:
            return st.floats(node.get("minimum", -1e9), node.get("maximum", 1e9))
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "null"}:
            return st.none()
    raise NotImplementedError(node)


def _utf8(value: str) -> bool:
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


@st.composite
def broken(draw: st.DrawFn, schema: dict[str, Any]) -> Any:
    """Return a valid document in which something was replaced, removed, added or stretched."""
    document = copy.deepcopy(draw(valid(schema)))
    for _ in range(draw(st.integers(1, 2))):
        containers = list(_containers(document))
        if not containers:
            break
        container = draw(st.sampled_from(containers))
        draw(st.sampled_from([_replace, _remove, _add, _stretch]))(draw, container)
    return document


def _containers(node: Any) -> Any:
    if isinstance(node, dict | list):
        yield node
        for inner in node.values() if isinstance(node, dict) else node:
            yield from _containers(inner)


def _keys(container: Any) -> list[Any]:
    return list(container) if isinstance(container, dict) else list(range(len(container)))


def _replace(draw: st.DrawFn, container: Any) -> None:
    if keys := _keys(container):
        container[draw(st.sampled_from(keys))] = draw(values)


def _remove(draw: st.DrawFn, container: Any) -> None:
    if keys := _keys(container):
        del container[draw(st.sampled_from(keys))]


def _add(draw: st.DrawFn, container: Any) -> None:
    if isinstance(container, dict):
        container[draw(text)] = draw(values)
    else:
        container.append(draw(values))


def _stretch(draw: st.DrawFn, container: Any) -> None:
    if keys := _keys(container):
        key = draw(st.sampled_from(keys))
        stretched: list[Callable[[int], Any]] = [lambda n: "é" * n, lambda n: ["x"] * n]
        container[key] = draw(st.sampled_from(stretched))(draw(lengths))
