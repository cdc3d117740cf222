"""Making the recorded machines part of a plant, and the command's refusals."""

import json
import stat
from pathlib import Path

import pytest

from yuheng.config.cli import main
from yuheng.config.commands import replay
from yuheng.config.running import NothingRuns, Running, find_running
from yuheng.config.supervisor.places import Places
from yuheng.kernel.models import Site
from yuheng.simulation.recorded.readers import MACHINE_TEMPERATURE, SCREW_STATION, WATER_RIG
from yuheng.telemetry.models import DataSource, Device, Tag
from yuheng.telemetry.services.configuration import build_plant
from yuheng.testing.builders import a_site


@pytest.fixture
def running(tmp_path):
    places = Places(tmp_path)
    places.make()
    return Running(places, {"mqtt": {"host": "127.0.0.1", "port": 1}}, {})


@pytest.mark.django_db
def test_recorded_machines_become_work_units_of_the_plant_with_states_and_a_device(running):
    site = a_site()

    configured = replay.configure(running, {WATER_RIG, SCREW_STATION}, site.code)

    plant = build_plant(version=1)
    assert configured.site_id == site.pk
    assert {unit.code for unit in plant.work_units} == {"R01", "R03"}
    assert configured.tag_ids == {tag.id for tag in plant.tags}
    assert all(plant.rule_sets[unit.rule_set] for unit in plant.work_units)
    device = Device.objects.get(username="recordings")
    assert device.publish_topics == ["recordings/#"]
    kept = running.places.run / replay.CREDENTIALS_FILE
    assert json.loads(kept.read_text())["password"] == configured.password
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.django_db
def test_playing_again_adds_only_what_is_new_and_keeps_the_password(running):
    site = a_site()
    first = replay.configure(running, {WATER_RIG}, site.code)
    again = replay.configure(running, {WATER_RIG, MACHINE_TEMPERATURE}, site.code)

    assert again.password == first.password
    assert first.tag_ids < again.tag_ids
    assert DataSource.objects.filter(code="recordings").count() == 1

    (running.places.run / replay.CREDENTIALS_FILE).unlink()
    assert replay.configure(running, {WATER_RIG}, site.code).password != first.password
    assert Tag.objects.count() == len(again.tag_ids)


@pytest.mark.django_db
def test_without_any_site_one_is_made_and_an_unknown_one_is_refused(running):
    with pytest.raises(replay.CannotPlay, match="There is no site 'mars'"):
        replay.configure(running, {WATER_RIG}, "mars")
    assert not Site.objects.exists()

    configured = replay.configure(running, {WATER_RIG})

    assert Site.objects.get(pk=configured.site_id).code == "recorded1"


@pytest.mark.django_db
def test_machines_that_another_site_already_plays_are_refused_with_a_sentence(running):
    one, other = a_site("one"), a_site("other")
    replay.configure(running, {WATER_RIG}, one.code)
    with pytest.raises(replay.CannotPlay):
        replay.configure(running, {WATER_RIG}, other.code)
    assert not DataSource.objects.filter(site=other).exists()


def test_the_command_says_what_it_cannot_do(tmp_path, capsys):
    recording = tmp_path / "machine_temperature.csv"
    recording.write_text("timestamp,value\n2013-12-02 21:15:00,73.9\n")
    empty = tmp_path / "empty"
    empty.mkdir()

    assert main(["replay", str(tmp_path / "absent")]) == 2
    assert main(["replay", str(empty)]) == 2
    assert main(["replay", str(recording), "--data-dir", str(empty)]) == 3
    said = capsys.readouterr().err
    assert "There is nothing at" in said
    assert "There is no recording of a machine in" in said
    assert "Start it with: yuheng up" in said
    with pytest.raises(SystemExit):
        main(["replay", str(recording), "--speed", "0.5"])
    with pytest.raises(SystemExit):
        main(["replay", str(recording), "--speed", "2", "--as-recorded"])


def test_an_installation_that_does_not_run_is_no_installation(tmp_path):
    with pytest.raises(NothingRuns, match="Nothing runs on"):
        find_running(Path(tmp_path))
