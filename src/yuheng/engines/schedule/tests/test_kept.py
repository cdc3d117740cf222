"""Compiled kernels are kept where they can be: beside the sources, else in the data directory, the cache, or aside."""

from pathlib import Path

import pytest

from yuheng.engines.schedule import kept


@pytest.fixture
def read_only(monkeypatch, tmp_path):
    """A package that nobody may write to, whoever runs the tests."""
    package = tmp_path / "package"
    package.mkdir()
    monkeypatch.setattr(kept.os, "access", lambda path, _mode: Path(path) != package)
    return package


def test_kernels_stay_beside_writable_sources(tmp_path):
    environment = {}
    kept.keep_kernels(environment, tmp_path)
    assert environment == {}


def test_a_read_only_package_keeps_them_in_the_data_directory(read_only, tmp_path):
    environment = {"YUHENG_DATA_DIR": str(tmp_path), "HOME": str(tmp_path)}
    kept.keep_kernels(environment, read_only)
    assert environment[kept.SETTING] == str(tmp_path / "kernels")


def test_without_a_data_directory_the_users_cache_serves_and_a_choice_is_respected(read_only, tmp_path):
    environment = {"HOME": str(tmp_path)}
    kept.keep_kernels(environment, read_only)
    assert environment[kept.SETTING] == str(tmp_path / ".cache" / "yuheng" / "kernels")
    chosen = {kept.SETTING: "/elsewhere"}
    kept.keep_kernels(chosen, read_only)
    assert chosen == {kept.SETTING: "/elsewhere"}


def test_with_no_home_a_temporary_directory_serves(read_only):
    environment = {}
    kept.keep_kernels(environment, read_only)
    assert "yuheng-kernels" in environment[kept.SETTING]
