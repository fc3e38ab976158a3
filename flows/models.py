"""`groundswell models list`, `pull`, `export` and `verify`."""

import json
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import TYPE_CHECKING

from extractors.exporting import ExportError, export
from extractors.media import MissingError
from extractors.models import KNOWN, Store, home
from extractors.packaged import wrong
from extractors.pulling import PullError, bring, pull
from flows.errors import UserError
from flows.settings import load

if TYPE_CHECKING:
    from rich.console import Console

OCR = "ocr"


def listed(as_json: bool) -> int:
    """Print each model, whether it is there, and what it is for."""
    store = _store()
    rows = []
    for name in [*KNOWN, *sorted({*store.locked} - {*KNOWN})]:
        known, locked = KNOWN.get(name), store.locked.get(name)
        pins = locked.files.values() if locked else KNOWN[name].files.values()
        sizes = [pin[1] for pin in pins if pin]
        rows.append(
            {
                "name": name,
                "kind": known.kind if known else store.locked[name].kind,
                "here": locked is not None
                and all((store.folder / name / file).is_file() for file in locked.files),
                "mb": round(sum(sizes) / 1e6, 1) if sizes else None,
                "about": known.about if known else store.locked[name].source,
            }
        )
    rows.append(
        {
            "name": OCR,
            "kind": "text",
            "here": _ocr() == [],
            "mb": None,
            "about": "text on the screen; comes with the package rapidocr",
        }
    )
    if as_json:
        print(json.dumps({"folder": str(store.folder), "models": rows}, indent=2))
        return 0
    print(f"models in {store.folder}")
    for row in rows:
        size = f"{row['mb']:,} MB" if row["mb"] else ""
        print(
            f"  {row['name']:<24} {row['kind']:<7} {'here' if row['here'] else '-':<5} {size:>10}"
            f"  {row['about']}"
        )
    return 0


def pulled(names: Sequence[str], source: Path | None, update: bool, console: "Console") -> int:
    """Fetch models, or copy one from a folder, and record their digests."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    settings = load()
    store = _store()
    for name in names:
        if name not in KNOWN:
            raise UserError(f"no model {name!r}: expected one of {', '.join(KNOWN)}")
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    for name in names:
        with Progress(*columns, console=console, transient=True) as progress:
            tasks = {file: progress.add_task(file, start=False) for file in KNOWN[name].files}

            def tell(file: str, done: int, size: int | None, to: Progress = progress) -> None:
                to.start_task(tasks[file])  # noqa: B023 - it is told within this turn alone
                to.update(tasks[file], completed=done, total=size)  # noqa: B023

            try:
                locked = (
                    bring(store, name, KNOWN[name], source)
                    if source
                    else pull(
                        store,
                        name,
                        KNOWN[name],
                        hub=settings.model_hub,
                        most_mb=settings.model_file_mb,
                        tell=tell,
                        update=update,
                    )
                )
            except (PullError, MissingError) as error:
                raise UserError(str(error)) from None
        size = sum(size for _, size in locked.files.values())
        print(f"{name}: {size / 1e6:,.1f} MB in {store.folder / name}")
        if locked.revision:
            print(f"  {locked.source} at {locked.revision}")
    return 0


def exported(architecture: str, weights: str | None, name: str | None, half: bool) -> int:
    """Write an open_clip model as ONNX into the folder of models, and record its digests."""
    store = _store()
    called = name or "-".join(
        part.lower().replace("/", "-")
        for part in (architecture, Path(weights).stem if weights else "random")
    )
    if "/" in called or called.startswith(".") or called in KNOWN:
        raise UserError(f"--name {called!r}: expected a name that is no path and not taken")
    print(f"{called}: takes a minute or more", flush=True)
    try:
        locked = export(store, architecture, weights, called, half=half)
    except (ExportError, MissingError) as error:
        raise UserError(str(error)) from None
    size = sum(size for _, size in locked.files.values())
    print(f"{called}: {size / 1e6:,.1f} MB in {store.folder / called}")
    print(f"use it with GROUNDSWELL_VISUAL_MODEL={called}")
    return 0


def verified(names: Sequence[str]) -> int:
    """Read every byte of models and compare with what was recorded; 1 if one differs."""
    store = _store()
    failed = 0
    for name in names or [*sorted(store.locked), OCR]:
        if name != OCR and name not in store.locked:
            raise UserError(f"{name!r} is not in {store.folder}: groundswell models list")
        found = _ocr() if name == OCR else store.wrong(name)
        for line in found:
            print(f"{name}: {line}")
        failed += bool(found)
        if not found:
            print(f"{name}: whole")
    return 1 if failed else 0


def _store() -> Store:
    try:
        return Store(home(load().models_dir))
    except MissingError as error:
        raise UserError(str(error)) from None


def _ocr() -> list[str]:
    try:
        return wrong("rapidocr", ".onnx")
    except PackageNotFoundError:
        return ["the package rapidocr is not installed: pip install 'groundswell[ocr]'"]
