"""The schema of the PostgreSQL store: numbered SQL files, in the order they are applied."""
