"""`groundswell run` with a broker that wants TLS, a certificate or a password of its clients."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flows.kafka import Run, Topics
from tests.services.broker import USER, Broker, Given
from tests.services.certificates import Certificates
from tests.services.processes import missing

pytestmark = [pytest.mark.services]

SECRET = USER[1]


@pytest.fixture
def broker(kafka: Broker | Given) -> Broker:
    if not isinstance(kafka, Broker):
        pytest.skip("KAFKA_BOOTSTRAP names a Kafka that is not made for this test")
    return kafka


@pytest.fixture
def certificates(broker: Broker) -> Certificates:
    if broker.certificates is None:
        missing("Kafka with TLS", "openssl is not installed, which makes the certificates")
    return broker.certificates


@pytest.fixture
def run(broker: Broker, tmp_path: Path) -> Iterator[Run]:
    """A run over a topic with three reels and a message that is none."""
    topics = Topics(broker.address, f"security.{os.getpid()}.{time.time_ns() % 10**9}")
    topics.make(1)
    reel = b'{"reel_id":"r%d","published_at":"2026-01-05T10:00:00Z","author_id":"a"}'
    topics.send(0, [*(reel % n for n in range(3)), b"poison"])
    yield Run(tmp_path / "run", topics)
    topics.close()


def sasl(broker: Broker, password: str = SECRET, name: str = USER[0]) -> dict[str, str]:
    return {
        "GROUNDSWELL_KAFKA_BOOTSTRAP": broker.sasl,
        "GROUNDSWELL_KAFKA_SECURITY": "sasl_plaintext",
        "GROUNDSWELL_KAFKA_USERNAME": name,
        "GROUNDSWELL_KAFKA_PASSWORD": password,
    }


def sasl_over_tls(broker: Broker, authority: Path) -> dict[str, str]:
    return sasl(broker) | {
        "GROUNDSWELL_KAFKA_BOOTSTRAP": broker.sasl_ssl,
        "GROUNDSWELL_KAFKA_SECURITY": "sasl_ssl",
        "GROUNDSWELL_KAFKA_CA_FILE": str(authority),
    }


def own_certificate(broker: Broker, certificates: Certificates, password: str) -> dict[str, str]:
    certificate, key = certificates.client
    return {
        "GROUNDSWELL_KAFKA_BOOTSTRAP": broker.ssl,
        "GROUNDSWELL_KAFKA_SECURITY": "ssl",
        "GROUNDSWELL_KAFKA_CA_FILE": str(certificates.authority),
        "GROUNDSWELL_KAFKA_CERTIFICATE_FILE": str(certificate),
        "GROUNDSWELL_KAFKA_KEY_FILE": str(key),
        "GROUNDSWELL_KAFKA_KEY_PASSWORD": password,
    }


def goes_through(run: Run, settings: dict[str, str]) -> None:
    outcome = run.end(run.start(environment=settings))
    assert outcome.code == 0, outcome.err
    assert "4 lines" in outcome.out
    assert [one["value"] for one in run.topics.refused()] == [b"poison"]
    assert SECRET not in outcome.out + outcome.err
    written = [path.read_bytes() for path in run.folder.rglob("*") if path.is_file()]
    assert len(written) > 3
    assert not [one for one in written if SECRET.encode() in one]


def is_refused(run: Run, settings: dict[str, str], why: str) -> None:
    outcome = run.end(run.start(environment=settings))
    assert outcome.code == 2
    assert why in outcome.err
    assert settings["GROUNDSWELL_KAFKA_BOOTSTRAP"] in outcome.err
    assert outcome.err.count("\n") == 1, outcome.err
    for secret in (SECRET, "mistaken"):
        assert secret not in outcome.out + outcome.err
    assert not (run.folder / "state").exists()


def test_a_password_over_tls_lets_the_run_in(
    run: Run, broker: Broker, certificates: Certificates
) -> None:
    goes_through(run, sasl_over_tls(broker, certificates.authority))


def test_a_certificate_of_its_own_lets_the_run_in(
    run: Run, broker: Broker, certificates: Certificates
) -> None:
    goes_through(run, own_certificate(broker, certificates, certificates.password))


def test_what_is_wrong_with_the_way_in_is_said_in_one_line_without_the_password(
    run: Run, broker: Broker, certificates: Certificates
) -> None:
    is_refused(run, sasl(broker, "mistaken"), "invalid credentials")
    is_refused(run, sasl_over_tls(broker, certificates.stranger), "certificate verify failed")
    is_refused(run, own_certificate(broker, certificates, "mistaken"), "kafka_key_file")
