"""`groundswell migrate`: the tables of the database that the settings name."""

from flows.settings import SettingsError, load
from operators.sinks import migrate as schema
from operators.sinks import postgres


def migrate() -> int:
    """Apply what is missing and say so. Raises `SettingsError`, `OutputError`."""
    url = load().database_url
    if not url:
        raise SettingsError("database_url: not set, there is no database to migrate")
    applied = postgres.migrate(url.get_secret_value())
    for name in applied:
        print(f"applied {name}")
    print(f"{postgres.named(url.get_secret_value())}: schema version {schema.latest()}")
    return 0
