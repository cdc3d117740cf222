"""Fixtures for every test, see `yuheng.testing.engines`; and the order of tests."""

import pytest

from yuheng.testing.engines import (
    chromium_path,
    django_db_keepdb,
    django_db_modify_db_settings,
    django_db_setup,
    fresh_nats,
    migrated_database_url,
    migrated_template,
    nats_server,
    postgres_server,
)

__all__ = [
    "chromium_path",
    "django_db_keepdb",
    "django_db_modify_db_settings",
    "django_db_setup",
    "fresh_nats",
    "migrated_database_url",
    "migrated_template",
    "nats_server",
    "postgres_server",
]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the tests, and let those that empty the database find it as the migrations left it.

    Browser tests run last: once Playwright runs, its event loop runs too, and no other can in that process.
    """
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker is not None and marker.kwargs.get("transaction"):
            options = marker.kwargs | {"serialized_rollback": True}
            item.add_marker(pytest.mark.django_db(*marker.args, **options), append=False)
    items.sort(key=lambda item: not {"browser", "chromium_path"}.isdisjoint(getattr(item, "fixturenames", ())))
