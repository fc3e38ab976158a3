"""Models are pulled whole or not at all, recorded, and never another than was recorded."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from extractors.media import MissingError
from extractors.models import KNOWN, DamagedError, Known, Store
from extractors.packaged import wrong
from extractors.pulling import TRIES, PullError, pull
from flows.cli import main
from tests.extractors.small_models import clip, lock
from tests.services.hub import Hub, hub

NAME = "whisper-tiny"
TINY = Known("speech", "some/tiny", "main", dict.fromkeys(KNOWN[NAME].files), "made for tests")
FILES = {f"{TINY.repository}/{file}": file.encode() * 4000 for file in TINY.files}
LARGEST = f"{TINY.repository}/model.bin"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GROUNDSWELL_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setitem(KNOWN, NAME, TINY)  # type: ignore[arg-type]
    return tmp_path / "models"


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    with hub(dict(FILES)) as running:
        monkeypatch.setenv("GROUNDSWELL_MODEL_HUB", running.url)
        yield running


def fetched(store: Store, served: Hub, **given: object) -> None:
    options = {"hub": served.url, "most_mb": 1, "tell": lambda *_: None, "wait_s": 0.0}
    pull(store, NAME, TINY, **(options | given))  # type: ignore[arg-type]


def contents(folder: Path) -> dict[str, bytes]:
    return {
        f"{TINY.repository}/{path.name}": path.read_bytes()
        for path in folder.iterdir()
        if path.is_file()
    }


def test_a_model_is_pulled_recorded_and_whole(
    folder: Path, served: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "pull", NAME]) == 0
    assert contents(folder / NAME) == FILES
    said = lock(folder)["models"]
    assert isinstance(said, dict)
    assert said[NAME]["revision"] == served.commit
    assert said[NAME]["files"]["model.bin"] == [
        hashlib.sha256(FILES[LARGEST]).hexdigest(),
        len(FILES[LARGEST]),
    ]
    assert main(["models", "verify", NAME]) == 0
    assert main(["models", "list", "--json"]) == 0
    out = capsys.readouterr().out
    listed = json.loads(out[out.index("{") :])["models"]
    assert [one["here"] for one in listed if one["name"] in (NAME, "whisper-base")] == [True, False]
    before = len(served.asked)
    assert main(["models", "pull", NAME]) == 0
    assert len(served.asked) == before  # it is here


def test_a_pull_that_is_cut_off_goes_on_where_it_was(folder: Path, served: Hub) -> None:
    size = len(FILES[LARGEST])
    served.cuts = [10**6, size // 3, size // 3]
    fetched(Store(folder), served)
    assert contents(folder / NAME) == FILES
    ranges = [asked for path, asked in served.asked if path.endswith("model.bin")]
    assert ranges == [None, f"bytes={size // 3}-", f"bytes={2 * (size // 3)}-"]


def test_a_pull_that_gave_up_is_gone_on_with_by_the_next(folder: Path, served: Hub) -> None:
    served.cuts = [10**6, *[1000] * TRIES]
    with pytest.raises(PullError, match=rf"model.bin: .*, {TRIES} times"):
        fetched(Store(folder), served)
    assert Store(folder).locked == {}
    assert (folder / NAME / "model.bin.part").stat().st_size == 1000 * TRIES
    fetched(Store(folder), served)
    assert contents(folder / NAME) == FILES
    assert f"bytes={1000 * TRIES}-" in [asked for _, asked in served.asked]


def test_a_file_that_changed_meanwhile_is_begun_anew(folder: Path, served: Hub) -> None:
    served.cuts = [10**6, *[1000] * TRIES]
    with pytest.raises(PullError):
        fetched(Store(folder), served)
    served.files[LARGEST] = b"another" * 5000
    fetched(Store(folder), served)
    assert (folder / NAME / "model.bin").read_bytes() == served.files[LARGEST]


def test_a_whole_part_is_not_fetched_again(folder: Path, served: Hub) -> None:
    del served.files[f"{TINY.repository}/vocabulary.txt"]
    with pytest.raises(PullError, match="the hub answers 404"):
        fetched(Store(folder), served)
    served.files = dict(FILES)
    fetched(Store(folder), served)
    assert contents(folder / NAME) == FILES
    assert (f"/{TINY.repository}/resolve/main/model.bin", f"bytes={len(FILES[LARGEST])}-") in (
        served.asked
    )


def test_a_busy_hub_is_asked_again_and_one_that_refuses_is_not(folder: Path, served: Hub) -> None:
    served.statuses = [503, 429, 200]
    fetched(Store(folder), served)
    assert contents(folder / NAME) == FILES
    served.statuses = [403]
    with pytest.raises(PullError, match="the hub answers 403"):
        fetched(Store(folder / "other"), served)
    assert len(served.asked) == 3 + len(FILES)


def test_what_is_not_what_the_hub_says_is_thrown_away(folder: Path, served: Hub) -> None:
    served.lies = True
    with pytest.raises(PullError, match=r"has the SHA-256 [0-9a-f]{64}, the hub says"):
        fetched(Store(folder), served)
    assert Store(folder).locked == {}
    assert not list((folder / NAME).glob("*.part"))


@pytest.mark.parametrize("claims", [True, False])
def test_only_what_was_recorded_is_taken_until_somebody_asks_for_more(
    folder: Path, served: Hub, claims: bool
) -> None:
    served.claims = claims
    store = Store(folder)
    fetched(store, served)
    served.files[LARGEST] = b"another" * 5000
    (folder / NAME / "model.bin").unlink()
    with pytest.raises(PullError, match=r"the lock says [0-9a-f]{64}; nothing was changed"):
        fetched(store, served)
    assert not (folder / NAME / "model.bin").exists()
    served.files = dict(FILES)
    fetched(store, served)
    assert contents(folder / NAME) == FILES
    assert f"/{TINY.repository}/resolve/{served.commit}/model.bin" in {p for p, _ in served.asked}
    served.files[LARGEST] = b"another" * 5000
    fetched(store, served, update=True)
    assert (folder / NAME / "model.bin").read_bytes() == served.files[LARGEST]
    assert Store(folder).wrong(NAME) == []


def test_what_is_known_before_is_all_that_is_taken(folder: Path, served: Hub) -> None:
    pins = {
        file: (hashlib.sha256(FILES[f"{TINY.repository}/{file}"]).hexdigest(), 1)
        for file in TINY.files
    }
    known = replace(TINY, revision=served.commit, files=pins)
    options = {"hub": served.url, "most_mb": 1, "tell": lambda *_: None, "wait_s": 0.0}
    served.files[LARGEST] = b"another" * 5000  # and the hub says that this is what it should be
    with pytest.raises(PullError, match=r"expected [0-9a-f]{64}; nothing was changed"):
        pull(Store(folder), NAME, known, **options)  # type: ignore[arg-type]
    assert Store(folder).locked == {}
    served.files = dict(FILES)
    pull(Store(folder), NAME, known, **options)  # type: ignore[arg-type]
    assert contents(folder / NAME) == FILES
    assert {path.split("/")[4] for path, _ in served.asked} == {served.commit}


def test_a_file_that_is_too_large_is_not_fetched(folder: Path, served: Hub) -> None:
    served.files[LARGEST] = bytes((1 << 20) + 1)
    with pytest.raises(PullError, match=r"at most 1,048,576 are fetched.*model_file_mb"):
        fetched(Store(folder), served)
    assert not (folder / NAME / "model.bin.part").exists()


def test_a_model_is_taken_from_a_folder_where_there_is_no_network(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "stick"
    source.mkdir()
    for name, data in FILES.items():
        (source / name.rpartition("/")[2]).write_bytes(data)
    assert main(["models", "pull", NAME, "--from", str(source)]) == 0
    assert contents(folder / NAME) == FILES
    (source / "model.bin").write_bytes(b"another")
    assert main(["models", "pull", NAME, "--from", str(source)]) == 2
    assert "the lock says" in capsys.readouterr().err
    (source / "model.bin").unlink()
    assert main(["models", "pull", NAME, "--from", str(source)]) == 2
    assert "no such file" in capsys.readouterr().err
    assert contents(folder / NAME) == FILES


def test_a_damaged_model_is_found_and_not_opened(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = clip(folder)
    assert store.open("small-clip", "visual")[0] == folder / "small-clip"
    assert store.card("small-clip").size == 32
    path = folder / "small-clip" / "image.onnx"
    data = bytearray(path.read_bytes())
    data[100] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedError, match=r"model small-clip: .*image.onnx has the SHA-256"):
        Store(folder).open("small-clip", "visual")
    assert main(["models", "verify"]) == 1
    assert "image.onnx has the SHA-256" in capsys.readouterr().out
    path.write_bytes(data[:-1])
    with pytest.raises(DamagedError, match=r"bytes, expected"):
        Store(folder).open("small-clip", "visual")
    path.unlink()
    with pytest.raises(DamagedError, match="is missing"):
        Store(folder).open("small-clip", "visual")


def test_a_model_that_is_not_there_says_how_to_get_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(MissingError, match="groundswell models pull whisper-base"):
        Store(folder).open("whisper-base", "speech")
    clip(folder)
    with pytest.raises(MissingError, match="needs a speech model, and small-clip is a visual"):
        Store(folder).open("small-clip", "speech")
    assert main(["models", "pull", "gpt"]) == 2
    assert main(["models", "verify", "whisper-base"]) == 2
    err = capsys.readouterr().err
    assert "no model 'gpt': expected one of clip-vit-b-32" in err
    assert "groundswell models list" in err


@pytest.mark.parametrize(
    "text",
    [
        "", "{", "[]", '{"models": []}', '{"models": {"m": {}}}',
        '{"models": {"m": {"kind": "visual", "source": "", "revision": "", "files": {"../x": '
        '["00", 1]}}}}',
    ],
)  # fmt: skip
def test_a_lock_that_cannot_be_read_is_said(
    folder: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder.mkdir()
    (folder / "models.lock.json").write_text(text)
    assert main(["models", "list"]) == 2
    assert "models.lock.json cannot be read" in capsys.readouterr().err


def test_every_known_model_says_what_it_needs() -> None:
    for name, known in KNOWN.items():
        assert isinstance(known, Known)
        assert known.kind in ("visual", "speech")
        assert re.fullmatch("[0-9a-f]{40}", known.revision)
        for pin in known.files.values():
            assert pin is not None
            assert re.fullmatch("[0-9a-f]{64}", pin[0])
            assert 0 < pin[1] < 1 << 32
        assert "/" not in name
        if known.card is not None:
            assert {known.card.image, known.card.text, known.card.tokenizer} <= {*known.files}


def test_models_within_a_package_are_those_it_was_made_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert wrong("rapidocr", ".onnx") == []
    own = tmp_path / "fake-1.0.dist-info"
    own.mkdir()
    (own / "METADATA").write_text("Metadata-Version: 2.1\nName: fake\nVersion: 1.0\n")
    (own / "RECORD").write_text("fake/a.onnx,sha256=AAAA,3\nfake/b.onnx,sha256=AAAA,3\n")
    (tmp_path / "fake").mkdir()
    (tmp_path / "fake" / "a.onnx").write_bytes(b"abc")
    monkeypatch.syspath_prepend(tmp_path)
    first, second = wrong("fake", ".onnx")
    assert "a.onnx is not what the package fake was made with" in first
    assert "b.onnx is missing" in second


def test_exporting_without_pytorch_says_what_to_install(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["models", "export", "ViT-B-32"]) == 2
    assert "pip install 'groundswell[export]'" in capsys.readouterr().err
    assert main(["models", "export", "ViT-B-32", "--name", "../x"]) == 2
    assert not folder.exists()
