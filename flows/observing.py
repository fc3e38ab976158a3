"""The address at which a run is observed: `/metrics`, `/healthz` and `/readyz`.

Served by threads of the main process, which reads no reels. Only GET, a few connections at a time,
each for some seconds; what is served names no secret, and listens where the setting
`metrics_address` says.
"""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Protocol

from flows import metrics
from flows.errors import UserError
from flows.health import ASK_S, Health
from flows.metrics import Facts, Run
from flows.settings import Settings, host_and_port
from operators.kafka import Connection, place_of

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

CONNECTIONS: Final = 16
"""Connections at a time; more are closed."""
CLOSING_S: Final = 1.0
"""How long a question to the brokers that is under way is waited for in the end."""
REQUEST_S: Final = 5.0
"""How long a client may take to send its request, or to take a part of the answer."""


class Observer:
    """What is observed of a run. Its methods are called by the main loop."""

    def __init__(self, settings: Settings, connection: Connection) -> None:
        self.health = Health(settings.idle_seconds)
        self.address = ""
        """Where it listens; empty: nowhere."""
        self._connection = connection
        self._facts = Facts(settings.fdr)
        self._run: Run | None = None
        self._closing = threading.Event()

    @contextmanager
    def watching(self, run: Run) -> Iterator[None]:
        """Observe this run until the block ends."""
        self._run = run
        try:
            yield
        finally:
            self._run = None

    def beat(self, stopping: bool) -> None:
        """Note that the main loop goes round."""
        self.health.stopping = stopping
        self.health.beat(self._run)

    def faults(self) -> list[str]:
        """Why the run is not ready."""
        return self.health.faults(self._run)

    def collect(self) -> "Iterator[Family]":
        """All metrics, as prometheus-client asks for them."""
        return metrics.gathered(self._run, self._facts, ready=not self.faults())

    @contextmanager
    def listening(self, address: str) -> Iterator[None]:
        """Serve at host:port until the block ends. Raises `UserError` where that is taken."""
        asking = threading.Thread(target=self._ask, name="lag", daemon=True)
        with serving(address, self) as self.address:
            asking.start()
            try:
                yield
            finally:
                self._closing.set()
                asking.join(CLOSING_S)

    def _ask(self) -> None:
        """Ask the brokers now and then where the partitions end."""
        from confluent_kafka import IsolationLevel, KafkaException, TopicPartition
        from confluent_kafka.admin import AdminClient
        from confluent_kafka.admin._listoffsets import OffsetSpec

        admin = AdminClient(self._connection.admin())
        newest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        while not self._closing.is_set():
            run = self._run
            try:
                if run is not None:
                    places = {
                        name: TopicPartition(*place_of(name)) for name in run.board.partitions
                    }
                    said = admin.list_offsets(
                        dict.fromkeys(places.values(), newest),
                        isolation_level=IsolationLevel.READ_COMMITTED,
                        request_timeout=ASK_S,
                    )
                    run.ends |= {
                        name: said[place].result(2 * ASK_S).offset for name, place in places.items()
                    }
                    self.health.answered()
            except (KafkaException, TimeoutError):
                pass  # how long that lasts is said by /readyz
            self._closing.wait(ASK_S if run is not None else 0.2)


class Observed(Protocol):
    """What can be served."""

    @property
    def health(self) -> "Alive":
        """Whether it goes on."""

    def faults(self) -> list[str]:
        """Why it is not ready."""

    def collect(self) -> "Iterator[Family]":
        """All metrics."""


class Alive(Protocol):
    """Whether something goes on."""

    def is_alive(self) -> bool:
        """Whether its main loop goes round."""


@contextmanager
def serving(address: str, observed: Observed) -> Iterator[str]:
    """Serve at host:port until the block ends, and say where that is.

    Raises `UserError` where it is taken.
    """
    host, port = host_and_port(address)
    try:
        server = _Server(host, port, observed)
    except OSError as error:
        raise UserError(f"metrics_address = {address}: {error.strerror or error}") from None
    host = f"[{host}]" if ":" in host else host
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="http", daemon=True)
    thread.start()
    try:
        yield f"{host}:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(CLOSING_S)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = CONNECTIONS

    def __init__(self, host: str, port: int, observer: Observed) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.observer = observer
        self._free = threading.BoundedSemaphore(CONNECTIONS)
        super().__init__((host, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Take a connection if there are not too many."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that went away."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = REQUEST_S
    server_version = "groundswell"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer."""
        observer = self.server.observer
        path = self.path.partition("?")[0]
        if path == "/metrics":
            from prometheus_client.exposition import choose_encoder

            encode, kind = choose_encoder(self.headers.get("Accept", ""))
            self._answer(200, kind, encode(observer))
        elif path == "/healthz":
            alive = observer.health.is_alive()
            self._say(200 if alive else 503, {"status": "alive" if alive else "hung"})
        elif path == "/readyz":
            faults = observer.faults()
            status = "not ready" if faults else "ready"
            self._say(503 if faults else 200, {"status": status, "reasons": faults})
        else:
            self._say(404, {"status": "there are /metrics, /healthz and /readyz"})

    def log_message(self, format: str, *args: object) -> None:
        """Log no requests: they come every few seconds."""

    def _say(self, code: int, answer: dict[str, object]) -> None:
        self._answer(code, "application/json", json.dumps(answer).encode() + b"\n")

    def _answer(self, code: int, kind: str, body: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(body)
