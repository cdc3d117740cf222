"""The bootstrap: what it decides, without installing anything."""

import importlib.util
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def bootstrap():
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "tools" / "bootstrap.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


HASH = "0" * 64


def link(version: str, *, needs: str = "", yanked: bool = False, name: str = "pip", fragment: str = f"#sha256={HASH}"):
    return (f"../../files/{name}-{version}-py3-none-any.whl{fragment}", needs, yanked)


def test_the_newest_final_pip_that_suits_this_python_is_taken(bootstrap):
    links = [
        link("9.0"),
        link("24.1"),
        link("25.0", needs=">=3.9"),
        link("99.0", needs=">=3.99"),
        link("98.0", yanked=True),
        link("97.0b1"),
        link("96.0", fragment=""),
        link("95.0", name="other-pip"),
    ]
    assert max(bootstrap.candidates(links))[1] == link("25.0")[0]


def test_an_index_page_is_read_as_pep_503_says(bootstrap):
    page = bootstrap.Page()
    page.feed(
        '<a href="pip-1.whl" data-requires-python="&gt;=3.8">x</a><a href="pip-2.whl" data-yanked="bad">y</a><a>z</a>'
    )
    assert page.links == [("pip-1.whl", ">=3.8", False), ("pip-2.whl", "", True)]


def test_pips_own_configuration_names_the_index_and_the_environment_wins(bootstrap, tmp_path, monkeypatch):
    file = tmp_path / "pip.conf"
    file.write_text("[global]\nindex-url = https://mirror.example/simple\ncert = /ca.pem\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(file))
    monkeypatch.delenv("PIP_CERT", raising=False)
    monkeypatch.delenv("PIP_INDEX_URL", raising=False)
    assert bootstrap.pip_settings()["index-url"] == "https://mirror.example/simple"
    assert bootstrap.pip_settings()["cert"] == "/ca.pem"
    monkeypatch.setenv("PIP_INDEX_URL", "https://other.example/simple")
    assert bootstrap.pip_settings()["index-url"] == "https://other.example/simple"


def test_a_pip_with_another_hash_than_the_index_names_is_not_used(bootstrap, tmp_path, monkeypatch):
    page = f'<a href="pip-25.0-py3-none-any.whl#sha256={HASH}">pip</a>'.encode()
    monkeypatch.setattr(bootstrap, "read", lambda address, context: page if address.endswith("/pip/") else b"forged")
    monkeypatch.setattr(bootstrap, "pip_settings", lambda: {"index-url": "https://mirror.example/simple"})
    with pytest.raises(LookupError, match="does not have the hash"):
        bootstrap.fetch_pip(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_an_environment_is_ready_only_for_the_state_it_was_made_for(bootstrap, tmp_path, monkeypatch):
    monkeypatch.setattr(bootstrap, "PYTHON", Path(sys.executable))
    monkeypatch.setattr(bootstrap, "STAMP", tmp_path / "stamp")
    assert not bootstrap.is_ready(False)
    bootstrap.STAMP.write_text(bootstrap.fingerprint(False))
    assert bootstrap.is_ready(False)
    assert not bootstrap.is_ready(True)
    bootstrap.STAMP.write_text(bootstrap.fingerprint(True))
    assert bootstrap.is_ready(False)


@pytest.mark.parametrize("name", ["requirements.lock", "requirements-dev.lock"])
def test_a_lock_file_pins_everything_with_hashes_and_names_no_index(name):
    text = (ROOT / name).read_text()
    pins = [line for line in text.splitlines() if line and line[0].isalnum()]
    assert len(pins) > 40
    assert all("==" in pin and pin.endswith("\\") for pin in pins)
    assert "://" not in text


def test_both_lock_files_agree():
    def pins(name: str) -> dict[str, str]:
        lines = [line.split() for line in (ROOT / name).read_text().splitlines() if line and line[0].isalnum()]
        return {words[0].split("==")[0]: words[0] for words in lines}

    run, develop = pins("requirements.lock"), pins("requirements-dev.lock")
    assert {name: develop.get(name) for name in run} == run
