"""Write the contract for those who do not read Python: JSON Schema and AsyncAPI.

    python -m schemas.export            write the files in schemas/json/
    python -m schemas.export --check    exit with 1 where one of them is not what would be written

The documents are made of nothing but the structs, their docstrings and the topics, so that they
cannot say anything else than the code.
"""

import ast
import inspect
import json
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from schemas.base import Base64, Time
from schemas.reels import Reel
from schemas.topics import TOPICS, Topic
from schemas.trends import Trend

FOLDER: Final = Path(__file__).parent / "json"
CONTRACT_VERSION: Final = "1.0.0"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_FILES: Final[dict[type[msgspec.Struct], str]] = {Reel: "reels.v1", Trend: "trends.v1"}

SHARED: Final = {"Time": (Time, "RFC 3339 with an offset."), "Base64": (Base64, "With padding.")}
"""Types that many fields share: they are described once and referred to."""

SCHEMA_FORMAT: Final = "application/schema+json;version=draft-2020-12"


def field_docs(struct: type[msgspec.Struct]) -> dict[str, str]:
    """Return the docstring under each field of a struct, on one line.

    Raises
    ------
    ValueError
        Where a field has none: a field that nobody explains is not part of a contract.
    """
    body = ast.parse(inspect.getsource(struct)).body[0]
    assert isinstance(body, ast.ClassDef)
    docs = {}
    for field, after in zip(body.body, [*body.body[1:], None], strict=True):
        if not isinstance(field, ast.AnnAssign):
            continue
        name = ast.unparse(field.target)
        match after:
            case ast.Expr(value=ast.Constant(value=str(text))):
                docs[name] = " ".join(text.split())
            case _:
                raise ValueError(f"{struct.__name__}.{name} has no docstring under it")
    return docs


def structs_of(struct: type[msgspec.Struct]) -> dict[str, type[msgspec.Struct]]:
    """Return a struct and all structs in its fields, by name."""
    found: dict[str, type[msgspec.Struct]] = {}

    def visit(node: msgspec.inspect.Type) -> None:
        match node:
            case msgspec.inspect.StructType(cls=cls, fields=fields):
                found[cls.__name__] = cls
                for field in fields:
                    visit(field.type)
            case msgspec.inspect.UnionType(types=types):
                for inner in types:
                    visit(inner)
            case msgspec.inspect.Metadata(type=inner):
                visit(inner)
            case (
                msgspec.inspect.ListType(item_type=item)
                | msgspec.inspect.VarTupleType(item_type=item)
            ):
                visit(item)
            case _:
                pass

    visit(msgspec.inspect.type_info(struct))
    return found


def json_schema(struct: type[msgspec.Struct], name: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a struct, with the docstring of every field."""
    (_,), definitions = msgspec.json.schema_components([struct])
    for cls in structs_of(struct).values():
        properties = definitions[cls.__name__]["properties"]
        for field, text in field_docs(cls).items():
            properties[field] = {"description": text, **properties[field]}
    shared = {key: msgspec.json.schema(of) for key, (of, _) in SHARED.items()}
    referring = {cls: _refer(schema, shared) for cls, schema in definitions.items()}
    used = json.dumps(referring)
    for key, (_, text) in SHARED.items():
        if f'"#/$defs/{key}"' in used:
            referring[key] = {"description": text, **shared[key]}
    top = referring.pop(struct.__name__)
    document = {"$schema": DIALECT, "$id": f"urn:groundswell:{name}", **top}
    return {**document, "$defs": dict(sorted(referring.items()))} if referring else document


def _refer(node: Any, shared: dict[str, dict[str, Any]]) -> Any:
    """Replace each copy of a shared type's schema by a reference to it."""
    match node:
        case dict():
            for key, schema in shared.items():
                if schema.items() <= node.items():
                    rest = {k: v for k, v in node.items() if k not in schema}
                    return {**rest, "$ref": f"#/$defs/{key}"}
            return {k: _refer(v, shared) for k, v in node.items()}
        case list():
            return [_refer(item, shared) for item in node]
        case _:
            return node


def asyncapi() -> dict[str, Any]:
    """Return the AsyncAPI 3.0 document of all topics."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Groundswell",
            "version": CONTRACT_VERSION,
            "description": "Reels go in, trends come out. The payloads are described by the JSON "
            "Schemas beside this file.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {
            f"{topic.action}.{topic.name}": {
                "action": topic.action,
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "summary": topic.about,
            }
            for topic in TOPICS
        },
        "components": {"messages": {topic.name: _message(topic) for topic in TOPICS}},
    }


def _channel(topic: Topic) -> dict[str, Any]:
    milliseconds = int(topic.retention.total_seconds() * 1000)
    return {
        "address": topic.name,
        "description": topic.about,
        "messages": {"message": {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {
            "kafka": {
                "topicConfiguration": {
                    "cleanup.policy": [*topic.cleanup],
                    "retention.ms": milliseconds,
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _message(topic: Topic) -> dict[str, Any]:
    key = {"type": "string", "description": f"The record's `{topic.key}`, UTF-8."}
    message: dict[str, Any] = {"name": topic.name, "summary": topic.about}
    if topic.headers is not None:
        headers = json_schema(topic.headers, f"{topic.name}.headers")
        message["headers"] = {"schemaFormat": SCHEMA_FORMAT, "schema": headers}
    if topic.opaque:
        message["contentType"] = "application/octet-stream"
        key["description"] = "As it came."
    else:
        schema = {"$ref": f"./{SCHEMA_FILES[topic.record]}.json"}
        message["payload"] = {"schemaFormat": SCHEMA_FORMAT, "schema": schema}
    return {**message, "bindings": {"kafka": {"key": key, "bindingVersion": "0.5.0"}}}


def documents() -> dict[str, bytes]:
    """Return every generated file: its name and its bytes, the same at each call."""
    schemas = {f"{name}.json": json_schema(of, name) for of, name in SCHEMA_FILES.items()}
    return {
        name: json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"
        for name, document in {**schemas, "asyncapi.json": asyncapi()}.items()
    }


def stale(folder: Path = FOLDER) -> list[str]:
    """Return the names of the files in `folder` that are missing, outdated or not ours."""
    wanted = documents()
    present = {path.name: path.read_bytes() for path in folder.glob("*.json")}
    return sorted(
        name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name)
    )


def main(arguments: list[str]) -> int:
    """Write the files, or with `--check` say which are stale. Returns the exit code."""
    match arguments:
        case []:
            FOLDER.mkdir(exist_ok=True)
            for name, content in documents().items():
                (FOLDER / name).write_bytes(content)
            return 0
        case ["--check"]:
            for name in (names := stale()):
                print(f"schemas/json/{name} is stale: run `make docs`", file=sys.stderr)
            return 1 if names else 0
        case _:
            print("usage: python -m schemas.export [--check]", file=sys.stderr)
            return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
