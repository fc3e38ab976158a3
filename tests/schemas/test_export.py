"""The published documents: whole, explained, and never stale."""

import json
from pathlib import Path

import msgspec
import pytest

from schemas import export
from schemas.reels import Reel
from schemas.topics import TOPICS, Topic
from schemas.trends import Trend


class Unexplained(msgspec.Struct):
    field: int


def test_a_field_without_a_docstring_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Unexplained\.field has no docstring"):
        export.field_docs(Unexplained)


@pytest.mark.parametrize("struct", [Reel, Trend])
def test_every_field_is_explained(struct: type[msgspec.Struct]) -> None:
    schema = export.json_schema(struct, "any")
    objects = [schema, *(s for s in schema["$defs"].values() if s["type"] == "object")]
    assert len(objects) == len(export.structs_of(struct))
    for described in objects:
        assert all(field["description"] for field in described["properties"].values())


def test_a_missing_changed_or_foreign_file_is_stale(tmp_path: Path) -> None:
    for name, content in export.documents().items():
        (tmp_path / name).write_bytes(content)
    assert export.stale(tmp_path) == []
    (tmp_path / "reels.v1.json").unlink()
    (tmp_path / "trends.v1.json").write_text("{}")
    (tmp_path / "other.json").write_text("{}")
    assert export.stale(tmp_path) == ["other.json", "reels.v1.json", "trends.v1.json"]


def test_check_names_the_stale_file_and_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(export, "FOLDER", tmp_path)
    monkeypatch.setattr(export, "stale", lambda: ["reels.v1.json"])
    assert export.main(["--check"]) == 1
    assert capsys.readouterr().err == "schemas/json/reels.v1.json is stale: run `make docs`\n"


def test_references_in_the_asyncapi_document_lead_somewhere() -> None:
    documents = {name: json.loads(content) for name, content in export.documents().items()}
    document = documents["asyncapi.json"]

    def references(node: object) -> list[str]:
        match node:
            case {"$ref": str(ref)}:
                return [ref]
            case dict():
                return [ref for inner in node.values() for ref in references(inner)]
            case list():
                return [ref for inner in node for ref in references(inner)]
        return []

    found = references(document)
    assert found
    for ref in found:
        if ref.startswith("#/"):
            target = document
            for part in ref[2:].split("/"):
                target = target[part]
        else:
            assert ref.removeprefix("./") in documents


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_a_topic_is_keyed_by_a_required_field_of_its_record(topic: Topic) -> None:
    required = {field.name for field in msgspec.structs.fields(topic.record) if field.required}
    assert topic.key in required


def test_topic_names_are_unique() -> None:
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
