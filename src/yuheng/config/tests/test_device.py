"""``yuheng device`` and the passwords of devices that a plant file made."""

from __future__ import annotations

import hashlib
from argparse import Namespace
from pathlib import Path

import pytest

from yuheng.config.commands import device, import_plant
from yuheng.telemetry.models import Device
from yuheng.testing.builders import a_site

pytestmark = [pytest.mark.django_db, pytest.mark.engines]

PLANT = """
format: yuheng/plant-1
site: {code: elevator1, name_zh: 厂, name_en: Plant}
devices:
  - {username: edge-laser, publish_topics: ["laser/#"]}
  - {username: edge-known, publish_topics: ["known/#"], password: known-to-us-1}
"""


@pytest.fixture(autouse=True)
def _connected(monkeypatch):
    for command in (device, import_plant):
        monkeypatch.setattr(command, "connect", lambda _data_dir: None)


def imported(tmp_path: Path) -> int:
    a_site()
    path = tmp_path / "plant.yaml"
    path.write_text(PLANT, encoding="utf-8")
    given = Namespace(path=path, dry_run=False, site="", kind="", leave_out_refused=False, all=False, data_dir=None)
    return import_plant.run(given)


def test_an_import_names_the_devices_whose_password_nobody_knows(tmp_path, capsys):
    assert imported(tmp_path) == 0
    said = capsys.readouterr().out.split("Written.\n")[1]
    assert "yuheng device rotate NAME" in said
    assert "edge-laser" in said
    assert "edge-known" not in said


def test_rotating_prints_the_password_that_works_from_now_on(tmp_path, capsys):
    imported(tmp_path)
    before = Device.objects.get(username="edge-laser").password_sha256
    capsys.readouterr()
    assert device.run(Namespace(verb="rotate", name="edge-laser", data_dir=None)) == 0
    lines = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines()[:2])
    after = Device.objects.get(username="edge-laser").password_sha256
    assert after == hashlib.sha256(lines["password"].encode()).hexdigest() != before


def test_an_unknown_device_is_not_rotated(capsys):
    assert device.run(Namespace(verb="rotate", name="nobody", data_dir=None)) == device.FAILED
    assert "no device called nobody" in capsys.readouterr().err
