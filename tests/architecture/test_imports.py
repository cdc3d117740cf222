"""The import contracts of pyproject.toml hold, and can fail."""

import subprocess
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LINTER = Path(sysconfig.get_path("scripts")) / "lint-imports"


def test_every_import_contract_is_kept():
    done = subprocess.run([LINTER, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 broken" in done.stdout


def test_a_forbidden_import_is_caught(tmp_path):
    configuration = tmp_path / "contracts.ini"
    configuration.write_text(
        "[importlinter]\nroot_package = yuheng\n"
        "[importlinter:contract:1]\nname = nobody may use the kernel's errors\ntype = forbidden\n"
        "source_modules =\n    yuheng.kernel.actor\nforbidden_modules =\n    yuheng.kernel.errors\n"
    )
    command = [LINTER, "--no-cache", "--config", str(configuration)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "1 broken" in done.stdout
