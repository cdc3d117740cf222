"""Fixtures for every test; see `yuheng.testing.engines`."""

from yuheng.testing.engines import (
    chromium_path,
    django_db_modify_db_settings,
    fresh_nats,
    migrated_database_url,
    migrated_template,
    nats_server,
    postgres_server,
)

__all__ = [
    "chromium_path",
    "django_db_modify_db_settings",
    "fresh_nats",
    "migrated_database_url",
    "migrated_template",
    "nats_server",
    "postgres_server",
]
