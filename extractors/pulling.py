"""Fetching models from a hub: in pieces where the network is bad, and only those that were meant.

A hub gives a file of a repository at `HUB/REPOSITORY/resolve/REVISION/FILE`, as that of Hugging
Face and its mirrors do. What was fetched before a connection broke stays in `FILE.part` and is
gone on from, as long as the hub says that it is still the same file.
"""

import contextlib
import re
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from extractors.media import MissingError
from extractors.models import CARD, Known, Locked, Pin, Store, digest, write_card

if TYPE_CHECKING:
    import httpx

TRIES: Final = 5
"""Times that a file is asked for when the connection breaks."""
TIMEOUT_S: Final = 30.0
NEWEST: Final = "main"

Tell = Callable[[str, int, int | None], None]
"""Told how far a file is: its name, bytes so far, bytes of all of it if that is known."""


class PullError(Exception):
    """A model that could not be fetched: the message names the file and what went wrong."""


def pull(
    store: Store,
    name: str,
    known: Known,
    *,
    hub: str,
    most_mb: int,
    tell: Tell,
    update: bool = False,
    wait_s: float = 1.0,
) -> Locked:
    """Fetch a model and record it; files that are there and whole stay.

    Args:
        store: where it goes.
        name: what it is called there.
        known: what it consists of.
        hub: address of the hub.
        most_mb: size of a file.
        tell: is told how far it is.
        update: take what the hub has now; otherwise only what the lock says, or else `known`.
        wait_s: seconds before the second try, twice as long before each further one.

    Raises `PullError`, `MissingError` without httpx.
    """
    try:
        import httpx
    except ImportError:
        raise MissingError("needs the package httpx: pip install 'groundswell[visual]'") from None
    folder = store.folder / name
    locked = None if update else store.locked.get(name)
    commits: list[str] = []
    with httpx.Client(follow_redirects=True, timeout=TIMEOUT_S) as client:
        for file in known.files:
            expected, whose = (None, "") if update else _expected(known, locked, file)
            if expected and _whole(folder / file, expected):
                continue
            revision = NEWEST if update else _revision(known, locked)
            address = f"{hub.rstrip('/')}/{known.repository}/resolve/{revision}/{file}"
            fetch = _Fetch(client, address, folder / f"{file}.part", most_mb << 20, tell, file)
            fetch.all(wait_s)
            claimed = expected[0] if expected else fetch.claimed
            if claimed and (seen := digest(fetch.part)) != claimed:
                fetch.part.unlink()
                raise PullError(
                    f"{address}: has the SHA-256 {seen}, {whose or 'the hub says'} {claimed}; "
                    "nothing was changed"
                    + ("; --update takes what is there now" if expected else "")
                )
            commits.append(fetch.commit or ("" if revision == NEWEST else revision))
    _placed(folder, [*known.files])
    return _recorded(store, name, known, known.repository, commits[0] if commits else "", locked)


def bring(store: Store, name: str, known: Known, source: Path) -> Locked:
    """Copy a model from a folder and record it.

    Raises `PullError` where a file is not in it, or is not the one that the lock says.
    """
    folder = store.folder / name
    locked = store.locked.get(name)
    for file in known.files:
        if not (source / file).is_file():
            raise PullError(f"{source / file}: no such file; {name} needs {', '.join(known.files)}")
        expected, whose = _expected(known, locked, file)
        if expected and (seen := digest(source / file)) != expected[0]:
            raise PullError(
                f"{source / file}: has the SHA-256 {seen}, {whose} {expected[0]}; nothing was "
                "changed"
            )
    for file in known.files:
        part = folder / f"{file}.part"
        part.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / file, part)
    _placed(folder, [*known.files])
    return _recorded(store, name, known, str(source), "", locked)


def _expected(known: Known, locked: Locked | None, file: str) -> tuple[Pin | None, str]:
    """What a file must be, and who says so."""
    if locked and file in locked.files:
        return locked.files[file], "the lock says"
    return known.files[file], "expected" if known.files[file] else ""


def _revision(known: Known, locked: Locked | None) -> str:
    return (locked.revision if locked else "") or known.revision


def _whole(path: Path, expected: tuple[str, int]) -> bool:
    sha256, size = expected
    return path.is_file() and path.stat().st_size == size and digest(path) == sha256


def _placed(folder: Path, files: Sequence[str]) -> None:
    for file in files:
        part = folder / f"{file}.part"
        if part.is_file():
            part.replace(folder / file)
            (folder / f"{file}.part.tag").unlink(missing_ok=True)


def _recorded(
    store: Store, name: str, known: Known, source: str, commit: str, locked: Locked | None
) -> Locked:
    files = [*known.files]
    if known.card is not None:
        write_card(store.folder / name, known.card)
        files.append(CARD)
    if locked is not None:
        source, commit = locked.source, locked.revision
    return store.record(name, known.kind, source, commit, files)


class _Fetch:
    """One file on its way.

    Attributes:
        claimed: SHA-256 that the hub says it has; empty: it does not say.
        commit: of the repository that it is of; empty: the hub does not say.
    """

    def __init__(
        self, client: "httpx.Client", address: str, part: Path, most: int, tell: Tell, file: str
    ) -> None:
        self.part = part
        self.claimed = self.commit = ""
        self._tag = part.with_name(f"{part.name}.tag")
        self._client, self._address, self._most = client, address, most
        self._tell, self._file = tell, file

    def all(self, wait_s: float) -> None:
        """Fetch what is missing of it, however often the connection breaks, up to a limit."""
        import httpx

        self.part.parent.mkdir(parents=True, exist_ok=True)
        for turn in range(TRIES):
            try:
                if self._some():
                    return
                wrong = "the connection ends too early"
            except httpx.HTTPError as error:
                wrong = str(error) or type(error).__name__
            if turn + 1 < TRIES:
                time.sleep(wait_s * 2**turn)
        raise PullError(
            f"{self._address}: {wrong}, {TRIES} times; what there is of it stays for the next try"
        )

    def _some(self) -> bool:
        """Whether it is whole now."""
        there = self.part.stat().st_size if self.part.exists() else 0
        tag = self._tag.read_text() if there and self._tag.exists() else ""
        asked = {"Accept-Encoding": "identity"}
        if tag:
            asked |= {"Range": f"bytes={there}-", "If-Range": tag}
        with self._client.stream("GET", self._address, headers=asked) as answer:
            if answer.status_code == 416 and answer.headers.get("content-range") == (
                f"bytes */{there}"
            ):
                self._note([*answer.history, answer])
                return True
            if answer.status_code == 416:
                self.part.unlink()
                return False
            if answer.status_code >= 500 or answer.status_code == 429:
                answer.raise_for_status()
            if answer.status_code not in (200, 206):
                raise PullError(f"{self._address}: the hub answers {answer.status_code}")
            self._note([*answer.history, answer])
            there = there if answer.status_code == 206 else 0
            length = answer.headers.get("content-length", "")
            size = there + int(length) if length.isdecimal() else None
            self._small_enough(size or 0)
            tag = answer.headers.get("etag", "")
            with contextlib.suppress(FileNotFoundError):
                self._tag.unlink()
            with self.part.open("ab" if there else "wb") as out:
                if tag.startswith('"'):  # one that says that the bytes are the same
                    self._tag.write_text(tag)
                for some in answer.iter_bytes():  # as they come, so that none is lost
                    there += len(some)
                    self._small_enough(there)
                    out.write(some)
                    self._tell(self._file, there, size)
        return size is None or there == size

    def _small_enough(self, size: int) -> None:
        if size > self._most:
            self.part.unlink(missing_ok=True)
            raise PullError(
                f"{self._address}: has {size:,} bytes, at most {self._most:,} are fetched; the "
                "setting is model_file_mb"
            )

    def _note(self, answers: Sequence["httpx.Response"]) -> None:
        for answer in answers:
            linked = answer.headers.get("x-linked-etag", "").strip('"')
            if re.fullmatch("[0-9a-f]{64}", linked):
                self.claimed = linked
            commit = answer.headers.get("x-repo-commit", "")
            if re.fullmatch("[0-9a-f]{7,64}", commit):
                self.commit = commit
