"""A real Apache Kafka for the tests: one process of Java, broker and controller in one (KRaft).

`make test` has its files fetched by Maven (`.ci/kafka`). A test can kill the broker, stop it in
its tracks, and start it again on the same port and data.
"""

import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from flows.supervisor import TieToParent, free_addresses

ROOT: Final = Path(__file__).parents[2]
JARS: Final = ROOT / ".cache" / "kafka" / "jars"
READY_S: Final = 120
"""How long a broker may take to answer; a fifth of a minute is usual on a busy machine."""

_LEAST_JAVA: Final = 17
_JAVA: Final = (
    "-Xms64m",
    "-Xmx384m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # it starts sooner, and is as fast as a test needs
    "-Xshare:auto",
)


class MissingError(Exception):
    """What the broker needs and this machine does not have, and how to get it."""


@dataclass(frozen=True)
class Given:
    """A broker that somebody else runs."""

    address: str


class Broker:
    """A broker whose data is in `folder`. It does not run yet. Raises `MissingError`."""

    def __init__(self, folder: Path) -> None:
        self._java = _java()
        if not any(JARS.glob("kafka_*.jar")):
            raise MissingError(f"no Kafka in {JARS}: `make test` fetches it")
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.address, self._controller = free_addresses(2)
        self._properties = folder / "server.properties"
        self._properties.write_text(_properties(folder, self.address, self._controller))
        self._tool("kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c")

    @property
    def log(self) -> Path:
        """What the broker says."""
        return self._folder / "broker.log"

    def start(self) -> None:
        """Start it, and return when it answers."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*self._command("kafka.Kafka"), str(self._properties)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=TieToParent(),  # noqa: PLW1509 — it only makes a system call
                process_group=0,
            )
        self._wait()

    def kill(self) -> None:
        """Kill -9."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def pause(self) -> None:
        """Stop it in its tracks: its port is open and nothing answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Have it run, whatever became of it."""
        if self._process is not None and self._process.poll() is None:
            self.resume()
        else:
            self.start()

    def _wait(self) -> None:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        assert self._process is not None
        deadline = time.monotonic() + READY_S
        quiet = {"bootstrap.servers": self.address, "log_level": 0, "error_cb": _ignored}
        while True:
            code = self._process.poll()
            if code is not None:
                raise RuntimeError(f"Kafka ended with code {code}:\n{self._last_lines()}")
            try:
                AdminClient(quiet).list_topics(timeout=2)
                return
            except KafkaException:
                if time.monotonic() > deadline:
                    self.kill()
                    raise RuntimeError(f"Kafka does not answer:\n{self._last_lines()}") from None
                time.sleep(0.1)

    def _last_lines(self) -> str:
        return "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-20:])

    def _command(self, name: str) -> list[str]:
        logs = f"-Dlog4j2.configurationFile={Path(__file__).parent / 'kafka' / 'log4j2.yaml'}"
        return [self._java, *_JAVA, logs, "-cp", f"{JARS}/*", name]

    def _tool(self, name: str, *arguments: str) -> None:
        command = [*self._command(name), *arguments, str(self._properties)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name} ended with code {done.returncode}:\n{done.stderr}")


def _ignored(error: object) -> None:
    """Say nothing of a broker that is not there yet."""


@contextmanager
def running(folder: Path) -> Iterator[Broker]:
    """A broker that runs until the block ends, however it ends."""
    broker = Broker(folder)
    try:
        broker.start()
        yield broker
    finally:
        broker.kill()


def _properties(folder: Path, address: str, controller: str) -> str:
    values = {
        "node.id": 1,
        "process.roles": "broker,controller",
        "controller.quorum.voters": f"1@{controller}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://{address},CONTROLLER://{controller}",
        "advertised.listeners": f"PLAINTEXT://{address}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": folder / "data",
        "num.partitions": 1,
        "auto.create.topics.enable": "false",
        "offsets.topic.num.partitions": 1,
        "offsets.topic.replication.factor": 1,
        "transaction.state.log.num.partitions": 1,
        "transaction.state.log.replication.factor": 1,
        "transaction.state.log.min.isr": 1,
        "share.coordinator.state.topic.num.partitions": 1,
        "share.coordinator.state.topic.replication.factor": 1,
        "share.coordinator.state.topic.min.isr": 1,
        "group.initial.rebalance.delay.ms": 0,
        # Everybody may do everything but what a test forbids.
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "allow.everyone.if.no.acl.found": "true",
    }
    return "".join(f"{name}={value}\n" for name, value in values.items())


def _java() -> str:
    """The command of a Java that is new enough. Raises `MissingError`."""
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=f"{home}/bin") if home else shutil.which("java")
    if java is None:
        raise MissingError(f"no java: Kafka needs {_LEAST_JAVA} or newer; `make test` installs it")
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
    version = said.partition('"')[2].partition('"')[0]
    if not version.split(".")[0].isdecimal() or int(version.split(".")[0]) < _LEAST_JAVA:
        raise MissingError(f"{java} is {version}: Kafka needs Java {_LEAST_JAVA} or newer")
    return java
