"""What is judged, how, and what the forecast says."""

from datetime import UTC, datetime, timedelta

import pytest

from yuheng.upkeep import forgetting, growth
from yuheng.upkeep.backups import Attempt
from yuheng.upkeep.certificates import Certificate
from yuheng.upkeep.checks import findings, worst
from yuheng.upkeep.forgetting import Run
from yuheng.upkeep.growth import Sample
from yuheng.upkeep.picture import Picture, Service, SourceAge, clock_is_synchronised, gather

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def a_picture(**facts) -> Picture:
    usual = {
        "is_running": True,
        "disk_free": 50 * 10**9,
        "disk_total": 100 * 10**9,
        "memory_available": 4 * 10**9,
        "memory_total": 8 * 10**9,
        "is_clock_synchronised": True,
        "last_backup": Attempt((NOW - timedelta(hours=9)).isoformat(), "/b", 1.0, 5),
        "health": {"historian": {"lag_messages": 0, "buffer_fill": 0.0, "hold_reason": ""}},
        "services": [Service("web", "ready", NOW.timestamp() - 9e5, 0, "", "", 5)],
    }
    return Picture(at=NOW, **{**usual, **facts})


def level_of(subject: str, **facts) -> str:
    return worst([one for one in findings(a_picture(**facts)) if one.subject == subject])


def a_certificate(days: float) -> Certificate:
    return Certificate("s", "i", (), NOW, NOW + timedelta(days=days), "AA")


def test_a_well_installation_has_nothing_to_do():
    assert worst(findings(a_picture())) == "ok"


@pytest.mark.parametrize(
    ("subject", "facts", "level"),
    [
        ("web", {"services": [Service("web", "waiting", 1.0, 3, "signal 9", "x", 0)]}, "fail"),
        ("web", {"services": [Service("web", "ready", NOW.timestamp() - 60, 1, "signal 9", "x", 5)]}, "warn"),
        ("web", {"services": [Service("web", "ready", NOW.timestamp() - 9e5, 1, "signal 9", "x", 5)]}, "ok"),
        ("log", {"health": {"historian": {"hold_reason": "The disk is full."}}}, "fail"),
        ("log", {"health": {}}, "warn"),
        ("database", {"database_error": "refused"}, "fail"),
        ("outbox", {"outbox_waiting": 3, "outbox_oldest_s": 1.0}, "ok"),
        ("outbox", {"outbox_waiting": 3, "outbox_oldest_s": 90.0}, "warn"),
        ("outbox", {"outbox_poisoned": 1}, "fail"),
        ("dead letters", {"dead_letters_open": 2}, "warn"),
        ("s/plc", {"sources": [SourceAge(1, "plc", "s", 3.0)]}, "ok"),
        ("s/plc", {"sources": [SourceAge(1, "plc", "s", 3_000.0)]}, "warn"),
        ("s/plc", {"sources": [SourceAge(1, "plc", "s", None)]}, "warn"),
        ("disk", {"disk_free": 10**8}, "fail"),
        ("disk", {"disk_free": 3 * 10**9}, "warn"),
        ("forecast", {"disk_days_left": 3.0}, "fail"),
        ("forecast", {"disk_days_left": 20.0}, "warn"),
        ("forecast", {"disk_days_left": 200.0}, "ok"),
        ("backup", {"last_backup": None}, "warn"),
        ("backup", {"backup_place": "/b", "last_backup": Attempt("2026-03-01T08:00:00+00:00", "/b", 1.0)}, "warn"),
        ("attempt", {"last_attempt": Attempt(NOW.isoformat(), "/b", 1.0, error="no room")}, "fail"),
        ("server", {"certificates": {"server": a_certificate(100)}}, "ok"),
        ("server", {"certificates": {"server": a_certificate(20)}}, "warn"),
        ("server", {"certificates": {"server": a_certificate(-1)}}, "fail"),
        ("authority", {"certificate_errors": {"authority": "unreadable"}}, "fail"),
        ("single sign-on", {"sign_on_error": "oidc.json lacks 'issuer'."}, "fail"),
        ("single sign-on", {"sign_on_issuer": "https://id.example"}, "ok"),
        ("columns", {"forgotten": []}, "ok"),
        ("columns", {"forgotten": [Run((NOW - timedelta(hours=20)).isoformat(), "historian", {"samples": 3})]}, "ok"),
        ("columns", {"forgotten": [Run((NOW - timedelta(hours=60)).isoformat(), "historian")]}, "warn"),
        ("clock", {"is_clock_synchronised": False}, "warn"),
        ("clock", {"database_skew_s": 30.0}, "warn"),
        ("memory", {"memory_available": 10**8}, "fail"),
        ("yuheng", {"running_version": "0.0.1"}, "warn"),
    ],
)
def test_each_fact_is_judged(subject, facts, level):
    assert level_of(subject, **facts) == level


def test_every_sentence_takes_its_facts():
    pictures = [
        a_picture(services=[Service("web", "waiting", 1.0, 3, "", "x", 0)], complaint="100 % wrong"),
        a_picture(sources=[SourceAge(1, "plc", "s", 3.0)], outbox_waiting=1, dead_letters_open=1, disk_days_left=2.0),
        a_picture(health={"historian": {"lag_messages": 10**9}}, database_version="18.1"),
    ]
    for picture in pictures:
        for one in findings(picture):
            text, advice = one.say()
            assert text
            assert "%(" not in text + advice


def test_a_disk_that_does_not_fill_has_no_forecast():
    steady = [Sample(hour * 3600, 10**9) for hour in range(48)]
    assert growth.days_until_full(steady, at=47 * 3600, reserve=0) is None
    assert growth.days_until_full([], at=0, reserve=0) is None


def test_a_saw_is_forecast_by_its_middle():
    """Every six hours a merge takes 20 GB for an hour; below it 1 GB goes every hour."""
    saw = [Sample(h * 3600, (500 - h - (20 if h % 6 == 5 else 0)) * 10**9) for h in range(24 * 10)]
    days = growth.days_until_full(saw, at=saw[-1].at, reserve=0)
    assert days == pytest.approx((500 - 239) / 24, rel=0.15)


def test_samples_are_kept_a_month_and_not_more_often_than_each_quarter_of_an_hour(tmp_path):
    for minute in range(0, 35 * 24 * 60, 300):
        growth.note(tmp_path, at=minute * 60)
        growth.note(tmp_path, at=minute * 60 + 30)
    known = growth.samples(tmp_path)
    assert known[-1].at - known[0].at <= growth.KEPT_S
    assert len(known) == len({one.at for one in known}) <= growth.KEPT_S / 300 / 60 + 1
    assert known[-1].free > 0


def test_the_picture_of_nothing_says_what_is_not_known(tmp_path):
    picture = gather(data_dir=tmp_path / "nowhere", database_url="", health={})
    assert (picture.is_running, picture.services, picture.outbox_waiting) == (False, [], None)
    assert picture.disk_total > 0
    assert clock_is_synchronised() in {True, False, None}


def test_a_database_that_is_away_is_a_finding(tmp_path):
    picture = gather(data_dir=tmp_path, database_url="postgresql://u:p@127.0.0.1:1/x", health={})
    assert picture.database_error
    assert "p@" not in picture.database_error


def test_what_retention_removed_stays_known_and_the_file_small(tmp_path):
    forgetting.note(tmp_path, "historian", at="2026-03-01T00:00:00+00:00", removed={"samples": 5, "minutes": 0})
    for hour in range(30):
        forgetting.note(tmp_path, "worker", at=f"2026-03-02T{hour % 24:02}:00:00+00:00", removed={"events": 0})
    historian, worker = forgetting.runs(tmp_path, "historian"), forgetting.runs(tmp_path, "worker")
    assert [run.removed for run in historian] == [{"samples": 5}]
    assert len(worker) == 1  # runs that removed nothing follow each other
    for day in range(1, 100):
        forgetting.note(tmp_path, "worker", at=f"2027-01-01T00:00:{day % 60:02}+00:00", removed={"events": day})
    assert len(forgetting.runs(tmp_path, "worker")) == forgetting.KEPT
    assert forgetting.newest(tmp_path)[-1] == historian[0]
    (tmp_path / "forgotten-worker.json").write_text('{"a": 1}')
    assert forgetting.newest(tmp_path) == historian
