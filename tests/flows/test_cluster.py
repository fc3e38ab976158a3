"""What a process of a cluster does around Bytewax: it waits for the others, and rests."""

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from flows import cluster

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0
   1: 0100007F:1F91 0100007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1 0
"""


def test_who_listens_is_read_from_the_table_of_the_kernel(tmp_path: Path) -> None:
    table = tmp_path / "tcp"
    table.write_text(TABLE)
    assert cluster.listening(table) == {8080, 80}
    assert cluster.listening(tmp_path / "none") == set()


def test_a_process_waits_until_those_before_it_listen() -> None:
    with socket.socket() as one, socket.socket() as other:
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
        addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in (one, other)]
        waiting = threading.Thread(target=cluster.connect, args=(addresses, 1))
        waiting.start()
        waiting.join(0.05)
        assert waiting.is_alive()
        one.listen()
        waiting.join(cluster.WAIT_S)
        assert not waiting.is_alive()
        cluster.connect(addresses, 0)  # there is nobody before it


def test_a_process_does_not_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "WAIT_S", 0.01)
    cluster.connect(["127.0.0.1:1", "127.0.0.1:2"], 1)


@pytest.fixture
def ended() -> Iterator[threading.Event]:
    """Ends a thread that is named as Bytewax names its worker."""
    named, ended = threading.Event(), threading.Event()

    def work() -> None:
        Path("/proc/thread-self/comm").write_text("timely:work-0")
        named.set()
        ended.wait()

    before = signal.getsignal(signal.SIGUSR1)
    worker = threading.Thread(target=work)
    worker.start()
    named.wait()
    yield ended
    ended.set()
    worker.join()
    signal.signal(signal.SIGUSR1, before)


def test_the_main_thread_rests_while_a_worker_works(ended: threading.Event) -> None:
    looked = 0
    threading.Timer(0.5, ended.set).start()
    cluster.rest_while_working()
    while not ended.is_set():
        looked += 1
        time.sleep(0.001)
    assert looked < 100


def test_other_signals_are_seen_to_while_it_rests(ended: threading.Event) -> None:
    def rest() -> None:
        cluster.rest_while_working()
        ended.wait(60)

    # Who runs the tests in the background may have them ignore it.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            rest()
    finally:
        signal.signal(signal.SIGINT, before)
    assert not ended.is_set()
