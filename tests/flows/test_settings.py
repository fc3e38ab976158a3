"""A setting comes from where it should, a bad one is named in a line, and the page is fresh."""

import os
from pathlib import Path

import pytest

from flows import dotenv, settings_doc
from flows import job as jobs
from flows.errors import UserError
from flows.job import Job
from flows.kafka import connection_of
from flows.settings import SECRETS, Settings, SettingsError, affecting_result, load, told


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in Settings.model_fields:
        monkeypatch.delenv(f"GROUNDSWELL_{name.upper()}", raising=False)
    monkeypatch.delenv("GROUNDSWELL_CONFIG", raising=False)


def test_arguments_win_over_the_environment_and_that_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "g.toml"
    file.write_text("fdr = 0.05\nmin_authors = 20\nbatch_size = 7\nwindows_h = [2, 4]\n")
    monkeypatch.setenv("GROUNDSWELL_CONFIG", str(file))
    monkeypatch.setenv("GROUNDSWELL_MIN_AUTHORS", "30")
    monkeypatch.setenv("GROUNDSWELL_BATCH_SIZE", "8")
    settings = load(batch_size=9)
    assert (settings.fdr, settings.min_authors, settings.batch_size) == (0.05, 30, 9)
    assert settings.windows_h == (2, 4)
    assert load(batch_size=None).batch_size == 8


def test_windows_may_be_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_WINDOWS_H", "1, 6,24")
    assert load().windows_h == (1, 6, 24)


def test_scopes_may_be_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GROUNDSWELL_SCOPES", "region:BR, language:pt")
    assert load().scopes == ("region:BR", "language:pt")
    monkeypatch.setenv("GROUNDSWELL_SCOPES", "")
    assert load().scopes == ()


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("FDR", "2", "expected a number above 0 and at most 1"),
        ("FDR", "nan", "expected a number above 0 and at most 1"),
        ("MIN_GROWTH", "inf", "expected a number at least 1 and at most 1,000"),
        ("TICK_SECONDS", "ten", "expected a whole number at least 60 and at most 3,600"),
        ("TICK_SECONDS", "700", "expected a number that divides an hour (3600)"),
        ("WINDOWS_H", "3,1", "expected rising whole hours from 1 to 24"),
        (
            "SCOPES",
            "region:BR,BR",
            "expected at most 64 with commas, such as region:BR,language:pt",
        ),
        ("SCOPES", "region:BR,region:BR", "expected at most 64 with commas"),
        ("WINDOWS_H", "1,x", "expected rising whole hours from 1 to 24"),
        ("WINDOWS_H", "", "expected rising whole hours from 1 to 24"),
        ("KAFKA_SECURITY", "tls", "expected plaintext or ssl or sasl_plaintext or sasl_ssl"),
        ("KAFKA_REELS", "", "expected a text of at most 249 characters"),
        ("BATCH_SIZE", "0", "expected a whole number at least 1 and at most 1,000,000"),
        ("METRICS_ADDRESS", "9464", "expected host:port, such as 127.0.0.1:9464"),
        ("METRICS_ADDRESS", "::1:9464", "expected host:port, such as 127.0.0.1:9464"),
        ("METRICS_ADDRESS", "a:65536", "expected host:port, such as 127.0.0.1:9464"),
        ("LOG_FORMAT", "xml", "expected text or json"),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(f"GROUNDSWELL_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load()
    assert str(caught.value).startswith(f"GROUNDSWELL_{name} = ")
    assert expected in str(caught.value)


def test_a_misspelt_name_in_the_file_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "g.toml").write_text("min_autors = 3\n")
    monkeypatch.setenv("GROUNDSWELL_CONFIG", str(tmp_path / "g.toml"))
    with pytest.raises(SettingsError, match="min_autors: there is no such setting"):
        load()


def test_a_file_of_variables_gives_way_to_the_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / ".env"
    file.write_text("GROUNDSWELL_FDR=0.05\nexport GROUNDSWELL_MIN_AUTHORS='20' # people\nPATH=no\n")
    monkeypatch.setenv("GROUNDSWELL_FDR", "0.2")
    monkeypatch.setenv("GROUNDSWELL_MIN_AUTHORS", "1")  # or what is read would outlive the test
    monkeypatch.delenv("GROUNDSWELL_MIN_AUTHORS")
    dotenv.read(file)
    assert (load().fdr, load().min_authors) == (0.2, 20)
    assert os.environ["PATH"] != "no"
    dotenv.read(tmp_path / "absent")


@pytest.mark.parametrize("content", [None, "fdr = = 1", "fdr"])
def test_a_file_that_cannot_be_read_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str | None
) -> None:
    if content is not None:
        (tmp_path / "g.toml").write_text(content)
    monkeypatch.setenv("GROUNDSWELL_CONFIG", str(tmp_path / "g.toml"))
    with pytest.raises(SettingsError, match=r"GROUNDSWELL_CONFIG = .*g\.toml: expected a readable"):
        load()


def test_settings_survive_the_way_to_a_worker(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = load(windows_h=(2, 5), fdr=0.2)
    job = Job(
        inputs=["a.jsonl"],
        to=None,
        store="/tmp/t.db",
        rejects=None,
        state=None,
        board="/tmp/board",
        processes=1,
        addresses=[],
        batch_size=7,
        settings=told(settings),
    )
    jobs.write(job, tmp_path / "job.json")
    monkeypatch.setenv("GROUNDSWELL_FDR", "0.9")  # what the job says holds
    assert jobs.read(tmp_path / "job.json") == job
    assert Settings(**job.settings) == settings


def test_secrets_are_neither_shown_nor_written_down(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DATABASE_URL", "REDIS_URL"):
        monkeypatch.setenv(f"GROUNDSWELL_{name}", f"scheme://user:hidden@host/{name}")
    settings = load()
    assert settings.redis_url.get_secret_value() == "scheme://user:hidden@host/REDIS_URL"
    assert "hidden" not in f"{settings} {settings!r} {told(settings)}"
    assert not SECRETS & told(settings).keys()
    assert Settings(**told(settings)) == settings  # as a worker makes them, from its environment
    file = tmp_path / "g.toml"
    file.write_text('database_url = ["hidden"]\n')
    monkeypatch.delenv("GROUNDSWELL_DATABASE_URL")
    monkeypatch.setenv("GROUNDSWELL_CONFIG", str(file))
    with pytest.raises(SettingsError, match=r"^database_url = .hidden.: expected .postgresql://"):
        load()


def test_settings_that_change_no_result_are_known() -> None:
    settings = load().model_dump()
    same = settings.keys() - affecting_result(settings).keys()
    ways = {name for name in same if name.startswith("kafka_")}
    known = (
        *("alert_", "database_", "redis_", "sink_", "sound", "serve_", "name_"),
        *("extract_", "fetch_", "acoustid_", "model", "visual_", "speech_", "ocr_", "categories_"),
    )
    ways |= {name for name in same if name.startswith(known)}
    assert same - ways == {
        "batch_size",
        "epoch_seconds",
        "exchange_mb",
        "feedback_seconds",
        "idle_seconds",
        "log_format",
        "max_skew_hours",
        "metrics_address",
        "stop_seconds",
    }
    assert not ways & {
        "kafka_reels",
        "kafka_trends",
        "kafka_current",
        "kafka_dead_letters",
    }
    assert ways >= {"kafka_bootstrap", "kafka_password"}


def test_secrets_of_kafka_are_neither_shown_nor_written_down(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("GROUNDSWELL_KAFKA_SECURITY", "sasl_ssl")
    monkeypatch.setenv("GROUNDSWELL_KAFKA_USERNAME", "me")
    monkeypatch.setenv("GROUNDSWELL_KAFKA_PASSWORD", "hunter2")
    (tmp_path / "g.toml").write_text('kafka_key_password = "hunter3"\n')
    monkeypatch.setenv("GROUNDSWELL_CONFIG", str(tmp_path / "g.toml"))
    settings = load()
    connection = connection_of(settings)
    shown = repr(settings) + repr(told(settings)) + repr(connection) + settings_doc.page()
    assert "hunter" not in shown
    assert connection.security["sasl.password"] == "hunter2"
    assert connection.security["ssl.key.password"] == "hunter3"
    assert connection_of(Settings(**told(settings))).security == connection.security


def test_a_secret_that_cannot_be_used_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "g.toml").write_text("kafka_password = 1234567\n")
    monkeypatch.setenv("GROUNDSWELL_CONFIG", str(tmp_path / "g.toml"))
    with pytest.raises(SettingsError, match=r"kafka_password = \(hidden\): expected a text"):
        load()


def test_a_file_of_a_certificate_is_looked_for(tmp_path: Path) -> None:
    missing = str(tmp_path / "ca.pem")
    with pytest.raises(UserError, match=r"kafka_ca_file = .*: expected a file"):
        connection_of(load(kafka_security="ssl", kafka_ca_file=missing))


def test_every_setting_has_a_unit_a_range_and_a_description() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert f"| `{name}`" in settings_doc.page()


def test_the_page_of_settings_is_fresh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert settings_doc.main(["--check"]) == 0
    monkeypatch.setattr(settings_doc, "PAGE", tmp_path / "settings.md")
    assert settings_doc.main(["--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert settings_doc.main([]) == 0
    assert settings_doc.main(["--check"]) == 0
