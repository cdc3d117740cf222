"""Fixtures for every test, see `yuheng.testing.engines`; and the order of tests."""

from collections.abc import Generator

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


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Take its group, which pytest-xdist adds to a test's name, away again.

    Tests around one costly server form an ``xdist_group``: they run in one process rather than start it in each. The
    name is remembered when the test failed, and ``--last-failed`` without processes has to know it.
    """
    report = yield
    for mark in item.iter_markers("xdist_group"):
        report.nodeid = report.nodeid.removesuffix(f"@{mark.args[0]}")
    return report
