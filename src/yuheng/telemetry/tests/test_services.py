"""Sources, devices, tags and rules: what is accepted, what is refused, and that a refusal leaves nothing behind."""

import hashlib

import bcrypt
import pytest

from yuheng.engines.states.vocabulary import UnitState
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.telemetry.models import DataSource, Device, StateRule, Tag
from yuheng.telemetry.services import configuration, devices, sources, state_rules, tags
from yuheng.telemetry.services.state_rules import RuleSpec
from yuheng.telemetry.services.tags import TagSpec
from yuheng.testing.builders import SHIFT_START, a_site, a_work_unit, an_equipment_class, another_site

pytestmark = pytest.mark.django_db


def an_engineer(site=None):
    site = site or a_site()
    return Actor("person", "eng", permissions={site.pk: frozenset({"telemetry.view", "telemetry.edit"})})


def a_viewer():
    return Actor("person", "ana", permissions={a_site().pk: frozenset({"telemetry.view"})})


def a_source(code="laser", **fields):
    return sources.create_source(
        **{
            "actor": an_engineer(),
            "site_id": a_site().pk,
            "code": code,
            "connector": "mqtt_json",
            "topics": [f"plant/{code}/#"],
            "settings": {},
            "at": SHIFT_START,
        }
        | fields
    )


def nothing_was_told():
    return OutboxEvent.objects.count() == 0 and AuditRecord.objects.count() == 0


def test_creating_a_source_tells_the_others_and_is_audited():
    source = a_source()

    assert OutboxEvent.objects.get().kind == "telemetry.SourceChanged"
    record = AuditRecord.objects.get()
    assert (record.action, record.object_id, record.site_id) == ("source.create", str(source.pk), source.site_id)


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"code": "no spaces"}, "code"),
        ({"code": "yuheng-own"}, "code"),
        ({"connector": "telepathy"}, "connector"),
        ({"topics": ["plant/a#"]}, "topics"),
        ({"topics": ["plant/with space/#"]}, "topics"),
        ({"topics": ["$SYS/#"]}, "topics"),
        ({"settings": {"no_such_setting": 1}}, "settings"),
    ],
)
def test_a_source_that_cannot_be_accepted_says_why(fields, field):
    with pytest.raises(InvalidInput) as refusal:
        a_source(**fields)

    assert any(name.startswith(field) for name in refusal.value.fields)
    assert DataSource.objects.count() == 0
    assert nothing_was_told()


def test_a_viewer_cannot_create_a_source():
    with pytest.raises(PermissionRefused):
        a_source(actor=a_viewer())
    assert nothing_was_told()


def test_two_sources_cannot_claim_the_same_topics():
    a_source("one", topics=["plant/#"])
    with pytest.raises(Conflict, match="one"):
        a_source("two", topics=["plant/#"])
    with pytest.raises(Conflict):
        a_source("one", topics=[])
    assert DataSource.objects.count() == 1


def test_another_sites_source_does_not_exist_for_this_engineer():
    source = a_source()
    stranger = an_engineer(another_site())
    with pytest.raises(NotVisible):
        sources.switch_source(actor=stranger, source_id=source.pk, is_enabled=False, at=SHIFT_START)
    assert DataSource.objects.get().is_enabled


# ---- devices ----------------------------------------------------------------------------------------------------


def a_device(username="edge-1", **fields):
    return devices.issue_device(
        **{
            "actor": an_engineer(),
            "site_id": a_site().pk,
            "username": username,
            "publish_topics": ["plant/edge-1/#"],
            "source_ids": [],
            "at": SHIFT_START,
        }
        | fields
    )


def test_a_password_is_random_shown_once_and_stored_only_as_hashes():
    one, two = a_device("one"), a_device("two")

    assert one.password != two.password
    assert len(one.password) >= 22  # 128 bits and more in base 64
    stored = Device.objects.get(username="one")
    assert bcrypt.checkpw(one.password.encode(), stored.broker_hash.encode())
    assert stored.password_sha256 == hashlib.sha256(one.password.encode()).hexdigest()
    assert one.password not in repr(one)
    assert one.password not in str(AuditRecord.objects.values_list("detail", flat=True))
    assert one.password not in str(OutboxEvent.objects.values_list("payload", flat=True))


@pytest.mark.parametrize("topic", ["#", "+/x", "$JS/API", "_INBOX/x", "yh/in/1", "", "a/#/b", "with space"])
def test_a_device_may_not_be_given_topics_that_reach_too_far(topic):
    with pytest.raises(InvalidInput) as refusal:
        a_device(publish_topics=[topic])
    assert "publish_topics" in refusal.value.fields
    assert Device.objects.count() == 0
    assert nothing_was_told()


def test_rotating_replaces_the_password_and_revoking_takes_it_away():
    issued = a_device()
    rotated = devices.rotate_device_password(actor=an_engineer(), device_id=issued.device.pk, at=SHIFT_START)
    assert rotated.password != issued.password
    assert "edge-1" in configuration.render_devices()

    devices.revoke_device(actor=an_engineer(), device_id=issued.device.pk, at=SHIFT_START)

    assert configuration.render_devices() == ""
    assert configuration.build_plant(1).devices == ()


def test_a_device_name_exists_once():
    a_device()
    with pytest.raises(Conflict):
        a_device()


def test_a_device_cannot_feed_a_source_of_another_site():
    foreign = sources.create_source(
        actor=an_engineer(another_site()),
        site_id=another_site().pk,
        code="foreign",
        connector="mqtt_json",
        topics=[],
        settings={},
        at=SHIFT_START,
    )
    with pytest.raises(NotVisible):
        a_device(source_ids=[foreign.pk])
    assert Device.objects.count() == 0


# ---- tags -------------------------------------------------------------------------------------------------------


def write(*specs, actor=None):
    return tags.write_tags(actor=actor or an_engineer(), site_id=a_site().pk, tags=specs, at=SHIFT_START)


def test_writing_tags_creates_changes_and_leaves_alone():
    source, unit = a_source(), a_work_unit()
    assert write(TagSpec(source.pk, "a", "float"), TagSpec(source.pk, "b", "bool")).created == 2

    written = write(
        TagSpec(source.pk, "a", "float"),
        TagSpec(source.pk, "b", "bool", work_unit_id=unit.pk, symbol="run"),
        TagSpec(source.pk, "c", "int", unit="{piece}"),
    )

    assert (written.created, written.changed, written.unchanged) == (1, 1, 1)
    assert Tag.objects.get(address="b").symbol == "run"


@pytest.mark.parametrize(
    "fields",
    [
        {"data_type": "complex"},
        {"unit": "furlong"},
        {"scale": 0.0},
        {"scale": float("nan")},
        {"deadband": -1.0},
        {"stale_after_s": 0.0},
        {"symbol": "run"},  # without a work unit
        {"symbol": "not"},
        {"work_unit_id": 10**9},
        {"address": ""},
    ],
)
def test_one_wrong_tag_refuses_all_of_them(fields):
    source = a_source()
    OutboxEvent.objects.all().delete()
    good = TagSpec(source.pk, "good", "float")
    bad = TagSpec(**({"source_id": source.pk, "address": "bad", "data_type": "float"} | fields))
    with pytest.raises(InvalidInput) as refusal:
        write(good, bad)
    assert list(refusal.value.fields) == [bad.address]
    assert Tag.objects.count() == 0
    assert OutboxEvent.objects.count() == 0


def test_two_tags_may_swap_their_symbols_but_not_share_one():
    source, unit = a_source(), a_work_unit()
    write(
        TagSpec(source.pk, "a", "bool", work_unit_id=unit.pk, symbol="run"),
        TagSpec(source.pk, "b", "bool", work_unit_id=unit.pk, symbol="mode"),
    )
    write(
        TagSpec(source.pk, "a", "bool", work_unit_id=unit.pk, symbol="mode"),
        TagSpec(source.pk, "b", "bool", work_unit_id=unit.pk, symbol="run"),
    )
    assert dict(Tag.objects.values_list("address", "symbol")) == {"a": "mode", "b": "run"}

    with pytest.raises(Conflict):
        write(TagSpec(source.pk, "c", "bool", work_unit_id=unit.pk, symbol="run"))
    assert Tag.objects.count() == 2


def test_ten_thousand_tags_are_written_and_published_quickly(django_assert_max_num_queries):
    source, unit = a_source(), a_work_unit()
    with django_assert_max_num_queries(40):
        write(*(TagSpec(source.pk, f"t{i}", "float", work_unit_id=unit.pk, symbol=f"s{i}") for i in range(10_000)))
    with django_assert_max_num_queries(9):
        plant = configuration.build_plant(7)
    assert len(plant.tags) == 10_000
    assert len(plant.work_units[0].symbols) == 10_000


# ---- state rules ------------------------------------------------------------------------------------------------


def test_rules_are_kept_in_their_order_and_published():
    kind = an_equipment_class()
    a_work_unit(equipment_class=kind)
    rules = [RuleSpec(UnitState.DOWN, "fault_code != 0", "fault_code"), RuleSpec(UnitState.PRODUCING, "run")]
    for _ in range(2):  # setting them again replaces them
        state_rules.set_state_rules(
            actor=an_engineer(), equipment_class_id=kind.pk, rules=rules, no_data_after_s=30, at=SHIFT_START
        )

    plant = configuration.build_plant(1)
    assert [(r.state, r.when, r.cause) for r in plant.rule_sets[kind.code]] == [
        (5, "fault_code != 0", "fault_code"),
        (2, "run", ""),
    ]
    assert (plant.work_units[0].rule_set, plant.work_units[0].no_data_after_s) == (kind.code, 30)


@pytest.mark.parametrize("when", ["__import__('os')", "run(", "", "x.y", "lambda: 1", "a" * 2000])
def test_a_rule_outside_the_language_is_refused_and_the_old_ones_stay(when):
    kind = an_equipment_class()
    state_rules.set_state_rules(
        actor=an_engineer(), equipment_class_id=kind.pk, rules=[RuleSpec(UnitState.IDLE, "not run")], at=SHIFT_START
    )
    with pytest.raises(InvalidInput) as refusal:
        state_rules.set_state_rules(
            actor=an_engineer(),
            equipment_class_id=kind.pk,
            rules=[RuleSpec(UnitState.PRODUCING, "run"), RuleSpec(UnitState.DOWN, when)],
            at=SHIFT_START,
        )
    assert list(refusal.value.fields) == ["rules.1"]
    assert StateRule.objects.get().when == "not run"
