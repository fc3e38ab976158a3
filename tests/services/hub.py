"""A hub of models: a real HTTP server that gives files of repositories, badly if it is told to."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Hub:
    """Files by `REPOSITORY/FILE`, and how they are given.

    Attributes:
        cuts: bytes after which each of the next answers breaks off.
        commit: of every repository; other revisions than `main` and it are not there.
        claims: whether the SHA-256 of a file is said.
        asked: path and range of each request, in order.
    """

    files: dict[str, bytes]
    url: str = ""
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    commit: str = "c0ffee" * 6 + "0123"
    claims: bool = True
    lies: bool = False
    asked: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def hub(files: dict[str, bytes]) -> Iterator[Hub]:
    """A hub that runs until the end of the block."""
    of = Hub(files)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            if self.path.startswith("/store/"):
                self._bytes(self.path.removeprefix("/store/"))
                return
            of.asked.append((self.path, self.headers["range"]))
            repository, _, rest = self.path[1:].partition("/resolve/")
            revision, _, file = rest.partition("/")
            data = of.files.get(f"{repository}/{file}")
            if of.statuses and (status := of.statuses.pop(0)) != 200:
                self._nothing(status)
            elif data is None or revision not in ("main", of.commit):
                self._nothing(404)
            else:  # as hubs do: large files lie elsewhere
                self.send_response(302)
                self.send_header("location", f"/store/{repository}/{file}")
                self.send_header("x-repo-commit", of.commit)
                if of.claims:
                    said = b"something else" if of.lies else data
                    self.send_header("x-linked-etag", f'"{hashlib.sha256(said).hexdigest()}"')
                self.send_header("content-length", "0")
                self.end_headers()

        def _bytes(self, name: str) -> None:
            data = of.files[name]
            tag = f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
            start = 0
            if self.headers["range"] and self.headers["if-range"] == tag:
                start = int(self.headers["range"].removeprefix("bytes=").rstrip("-"))
            if start and start >= len(data):
                self.send_response(416)
                self.send_header("content-range", f"bytes */{len(data)}")
                self.send_header("content-length", "0")
                self.end_headers()
                return
            self.send_response(206 if start else 200)
            self.send_header("etag", tag)
            self.send_header("content-length", str(len(data) - start))
            self.end_headers()
            cut = of.cuts.pop(0) if of.cuts else len(data)
            self.wfile.write(data[start : start + cut])
            self.close_connection = cut < len(data) - start

        def _nothing(self, status: int) -> None:
            self.send_response(status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        of.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield of
        finally:
            server.shutdown()
            thread.join()
