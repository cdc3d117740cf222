"""Fixtures for every test, see `yuheng.testing.engines`; and the order of tests."""

import pytest

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


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run browser tests last: once Playwright runs, its event loop runs too, and no other can in that process."""
    items.sort(key=lambda item: not {"browser", "chromium_path"}.isdisjoint(getattr(item, "fixturenames", ())))
