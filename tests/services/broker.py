"""A real Apache Kafka for the tests: one process of Java, broker and controller in one (KRaft).

`make test` has its files fetched by Maven (`.ci/kafka`). A test can kill the broker, stop it in
its tracks, and start it again on the same port and data. It listens in several ways: openly, for
clients that come through a proxy of the test, and with TLS and SASL.
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
from tests.services.certificates import OPENSSL, Certificates

ROOT: Final = Path(__file__).parents[2]
JARS: Final = ROOT / ".cache" / "kafka" / "jars"
READY_S: Final = 120
"""How long a broker may take to answer; a fifth of a minute is usual on a busy machine."""

USER: Final = ("detector", "hidden")
"""Name and password of the one who may log in."""

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
        (
            self.address,
            self.front,
            self.behind,
            self.sasl,
            self.ssl,
            self.sasl_ssl,
            self._controller,
        ) = free_addresses(7)
        self.certificates: Certificates | None = None
        if OPENSSL is not None:
            self.certificates = Certificates(folder / "certificates")
            self.certificates.make()
        self._properties = folder / "server.properties"
        values = self._listeners() | {"log.dirs": folder / "data"} | _SMALL
        self._properties.write_text("".join(f"{key}={value}\n" for key, value in values.items()))
        user = "SCRAM-SHA-512=[name={},password={}]".format(*USER)
        self._tool(
            "kafka.tools.StorageTool",
            *("format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "--add-scram", user, "-c"),
        )

    def _listeners(self) -> dict[str, object]:
        """How it is spoken to: `behind` is advertised as `front`, where a test has its proxy."""
        ways = {
            "PLAINTEXT": (self.address, self.address, "PLAINTEXT"),
            "PROXIED": (self.behind, self.front, "PLAINTEXT"),
            "SASL": (self.sasl, self.sasl, "SASL_PLAINTEXT"),
        }
        values: dict[str, object] = {}
        if self.certificates is not None:
            ways |= {
                "SSL": (self.ssl, self.ssl, "SSL"),
                "SASL_SSL": (self.sasl_ssl, self.sasl_ssl, "SASL_SSL"),
            }
            values |= {
                "ssl.keystore.type": "PEM",
                "ssl.keystore.location": self.certificates.broker,
                "ssl.truststore.type": "PEM",
                "ssl.truststore.location": self.certificates.authority,
                "listener.name.ssl.ssl.client.auth": "required",
            }
        said = {name: f"{name}://{advertised}" for name, (_, advertised, _) in ways.items()}
        heard = [f"{name}://{address}" for name, (address, _, _) in ways.items()]
        protocols = [f"{name}:{protocol}" for name, (_, _, protocol) in ways.items()]
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        for name in ("sasl", "sasl_ssl"):
            values[f"listener.name.{name}.sasl.enabled.mechanisms"] = "SCRAM-SHA-512"
            values[f"listener.name.{name}.scram-sha-512.sasl.jaas.config"] = scram
        return values | {
            "node.id": 1,
            "process.roles": "broker,controller",
            "controller.quorum.voters": f"1@{self._controller}",
            "controller.listener.names": "CONTROLLER",
            "listeners": ",".join([*heard, f"CONTROLLER://{self._controller}"]),
            "advertised.listeners": ",".join(said.values()),
            "inter.broker.listener.name": "PLAINTEXT",
            "listener.security.protocol.map": ",".join([*protocols, "CONTROLLER:PLAINTEXT"]),
        }

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


_SMALL: Final = {
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
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
    # Everybody may do everything but what a test forbids.
    "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
    "allow.everyone.if.no.acl.found": "true",
}


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
