"""One embedded engine for the tests of this process: there can be only one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from yuheng.historian.store import Store

HISTORY = ("samples", "text_samples", "minutes", "hours", "state_changes", "shown", "boards")
TABLES = (*HISTORY, "latest", "progress", "dirty")


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    store = Store(f"chdb://{tmp_path_factory.mktemp('columns')}")
    store.migrate()
    yield store
    store.close()


@pytest.fixture
def store(engine: Store) -> Store:
    """An empty store."""
    for table in TABLES:
        engine.command(f"TRUNCATE TABLE {table}")
    return engine
