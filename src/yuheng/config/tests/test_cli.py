"""The ``yuheng`` command's door."""

import json
import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from yuheng.config import cli
from yuheng.config.commands import connectors


def test_help_lists_every_command_and_imports_none_of_them():
    code = (
        "import sys; from yuheng.config import cli; cli.main(['--help']);"
        "print([m for m in sys.modules if m.startswith(('django', 'yuheng.config.commands', 'numpy'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert all(f"\n  {name} " in done.stdout for name in cli.COMMANDS)
    assert done.stdout.rstrip().endswith("[]")


def test_an_unknown_command_is_refused_with_the_known_ones(capsys):
    assert cli.main(["fly"]) == 2
    assert "'fly'" in (said := capsys.readouterr().err)
    assert "up, status, doctor" in said


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_of_the_table_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main([name, "--help"])
    assert ended.value.code == 0
    assert f"yuheng {name}" in capsys.readouterr().out


def test_a_connector_that_cannot_be_loaded_is_a_row_with_its_error():
    row = connectors.describe(EntryPoint("ghost", "no.such.module:Ghost", connectors.GROUP))
    assert row["name"] == "ghost"
    assert "No module named 'no'" in row["error"]


def test_the_doctor_says_that_single_sign_on_is_off(tmp_path, capsys):
    (tmp_path / "oidc.json").write_text('{"issuer": "https://id.example"}')
    assert cli.main(["doctor", "--data-dir", str(tmp_path), "--json"]) == 1
    found = {one["subject"]: one for one in json.loads(capsys.readouterr().out)["findings"]}
    assert found["single sign-on"]["level"] == "fail"
    assert "oidc.json lacks or misspells 'client_id'" in found["single sign-on"]["text"]
