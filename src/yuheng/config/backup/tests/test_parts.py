"""What a backup says, keeps, seals and refuses; without a running installation."""

import json
from pathlib import Path

import pytest

from yuheng.config.backup import keys, manifest
from yuheng.config.backup.manifest import BackupRefused, Manifest
from yuheng.config.backup.restoring import require_known_version, restore, verify
from yuheng.upkeep import backups


def a_backup(place: Path, name: str = "yuheng-20260101T000000Z", **about) -> Path:
    directory = place / name
    (directory / "streams").mkdir(parents=True)
    (directory / "relational.dump").write_bytes(b"rows" * 1000)
    (directory / "streams" / "log.snapshot").write_bytes(b"messages")
    found = Manifest(**{"version": "0.1.0", "made_at": "2026-01-01T00:00:00+00:00", **about})
    found.files = manifest.list_files(directory, known={})
    manifest.write(directory, found)
    return directory


def test_a_whole_backup_is_verified(tmp_path):
    assert set(verify(a_backup(tmp_path)).files) == {"relational.dump", "streams/log.snapshot"}


@pytest.mark.parametrize("name", ["relational.dump", "streams/log.snapshot"])
def test_one_changed_byte_is_found_and_the_file_is_named(tmp_path, name):
    backup = a_backup(tmp_path)
    content = bytearray((backup / name).read_bytes())
    content[3] ^= 1
    (backup / name).write_bytes(content)
    with pytest.raises(BackupRefused, match=name):
        verify(backup)


def test_a_missing_file_is_found(tmp_path):
    backup = a_backup(tmp_path)
    (backup / "relational.dump").unlink()
    with pytest.raises(BackupRefused, match=r"relational\.dump is missing"):
        verify(backup)


def test_a_changed_manifest_is_found(tmp_path):
    backup = a_backup(tmp_path)
    path = backup / "manifest.json"
    path.write_text(path.read_text().replace("0.1.0", "0.1.1"))
    with pytest.raises(BackupRefused, match="manifest is not what was written"):
        verify(backup)


@pytest.mark.parametrize(
    ("break_it", "sentence"),
    [
        (lambda backup, data: (data.mkdir(), (data / "something").touch()), "is not empty"),
        (lambda backup, data: (backup / "relational.dump").write_bytes(b"x"), "is damaged"),
        (lambda backup, data: (backup / "manifest.json").unlink(), "is no backup"),
    ],
)
def test_a_refused_restore_leaves_nothing_behind(tmp_path, break_it, sentence):
    backup, data = a_backup(tmp_path / "backups"), tmp_path / "plant" / "data"
    data.parent.mkdir()
    break_it(backup, data)
    before = sorted(data.parent.rglob("*"))
    with pytest.raises(BackupRefused, match=sentence):
        restore(source=backup, data_dir=data)
    assert sorted(data.parent.rglob("*")) == before


def test_a_newer_backup_is_refused_by_an_older_program():
    require_known_version(Manifest(version="0.9.3", made_at=""), version="0.10.0")
    require_known_version(Manifest(version="0.10.0", made_at=""), version="0.10.0")
    with pytest.raises(BackupRefused, match=r"made by Yuheng 0\.10\.0; this is 0\.9\.3"):
        require_known_version(Manifest(version="0.10.0", made_at=""), version="0.9.3")


def test_a_restore_without_room_is_refused_before_it_begins(tmp_path):
    backup = a_backup(tmp_path / "backups")
    with pytest.raises(BackupRefused, match="no room to restore"):
        restore(source=backup, data_dir=tmp_path / "data", free_bytes=lambda _path: 1_000)
    assert not (tmp_path / "data").exists()


def test_keys_come_back_as_they_were_sealed_or_not(tmp_path):
    files = {"secret.key": b"abc", "tls/ca.key": b"\x00\xff"}
    for place, passphrase in ((tmp_path / "open", ""), (tmp_path / "sealed", "a long passphrase")):
        place.mkdir()
        keys.write(place, files, passphrase)
        assert keys.read(place, passphrase) == files


def test_sealed_keys_hold_no_plain_secret_and_open_with_their_passphrase_only(tmp_path):
    keys.write(tmp_path, {"secret.key": b"very secret"}, "a long passphrase")
    assert b"very secret" not in (tmp_path / keys.SEALED).read_bytes()
    with pytest.raises(BackupRefused, match="does not open"):
        keys.read(tmp_path, "another passphrase")
    with pytest.raises(BackupRefused, match="give the passphrase"):
        keys.read(tmp_path, "")


def test_what_engines_keep_themselves_is_not_among_the_keys(tmp_path):
    for name in (
        "postgres/PG_VERSION",
        "columns/store/x",
        "nats/nats.conf",
        "nats/jetstream/x",
        "logs/web.log",
        "run/status.json",
        "backups/old/manifest.json",
        "secret.key",
        "tls/ca.key",
        "nats/devices.conf",
        "run/demo-devices.json",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    assert set(keys.kept_files(tmp_path)) == {"secret.key", "tls/ca.key", "nats/devices.conf", "run/demo-devices.json"}


def test_a_path_that_leads_outside_is_refused(tmp_path):
    with pytest.raises(BackupRefused, match="outside its place"):
        keys.place(tmp_path / "data", {"../elsewhere": b"x"})


def test_only_the_newest_backups_are_kept(tmp_path):
    made = [a_backup(tmp_path, f"yuheng-2026010{day}T000000Z") for day in range(1, 6)]
    (tmp_path / "something else").mkdir()
    assert manifest.prune(tmp_path, keep=2) == made[:3]
    assert manifest.backups_in(tmp_path) == made[3:]
    assert manifest.prune(tmp_path, keep=0) == []
    assert (tmp_path / "something else").exists()


def test_attempts_are_remembered_good_and_bad(tmp_path):
    assert backups.newest_good(tmp_path) is None
    backups.note(tmp_path, backups.Attempt("2026-01-01T00:00:00+00:00", "/b/1", 2.0, 5))
    backups.note(tmp_path, backups.Attempt("2026-01-02T00:00:00+00:00", "/b", 0.1, error="no room"))
    assert [row.error for row in backups.attempts(tmp_path)] == ["", "no room"]
    assert backups.newest_good(tmp_path).place == "/b/1"
    for _ in range(100):
        backups.note(tmp_path, backups.Attempt("2026-01-03T00:00:00+00:00", "/b/2", 1.0))
    assert len(json.loads((tmp_path / "backup-history.json").read_text())) == backups.KEPT
