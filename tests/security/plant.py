"""A plant whose every name is a secret, so that a leaked one is found in whatever form it leaks."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from tests.security.orders import an_order_to_keep_secret
from tests.security.terminals import a_terminal_to_keep_secret
from yuheng.alarms.models import Alarm, AlarmDefinition, NotificationChannel, NotificationMessage, NotificationRule
from yuheng.alarms.services.checks import DefinitionSpec
from yuheng.alarms.services.definitions import define
from yuheng.alarms.services.facts import apply_facts
from yuheng.analysis.models import Explanation, Reason
from yuheng.analysis.services import saved_views
from yuheng.analysis.services.reasons import ReasonSpec, write_reasons
from yuheng.bus.messages import AlarmTransition
from yuheng.engineering import importing as product_files
from yuheng.engineering import services as products
from yuheng.engineering.rules import (
    BomSpec,
    ChangeSpec,
    LineSpec,
    MaterialSpec,
    SegmentSpec,
    Source,
    VersionKind,
    WorkMasterSpec,
)
from yuheng.engines.points import Refusal
from yuheng.equipment import services as equipment
from yuheng.equipment.models import Shift, ShiftCalendar
from yuheng.kernel.models import Organisation, Site
from yuheng.people import services as people
from yuheng.people.models import RoleAssignment
from yuheng.telemetry.models import (
    DataSource,
    DeadLetterGroup,
    DeadLetterSample,
    Device,
    MachineCommand,
    SourceGap,
    StateRuleSet,
    Tag,
    TagClass,
    TagWriting,
)
from yuheng.telemetry.selectors.templates import Variable
from yuheng.telemetry.services.templates import editing, following
from yuheng.telemetry.services.templates.specs import TagRow, TemplateSpec
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_person, an_actor

SECRET = "zq7kx9wv4j"
"""Part of every code and name of the plant, and of nothing else on any page."""

NAMES = {"name_zh": f"{SECRET}机密", "name_en": f"{SECRET} secret"}


@dataclass(frozen=True, slots=True)
class SecretPlant:
    """What addresses and requests may name: parameter -> value."""

    site: Site
    values: dict[str, Any]


def a_secret_plant() -> SecretPlant:
    """Make one of everything."""
    firm = Organisation.objects.create(code=f"{SECRET}firm", **NAMES)
    site = Site.objects.create(organisation=firm, code=f"{SECRET}site", **NAMES)
    a_person(f"{SECRET}chief", role="administrator", site=site)
    unit, kind = _equipment(site)
    source, device, tag, group = _telemetry(site, unit)
    StateRuleSet.objects.create(equipment_class=kind)
    definition, alarm = _alarm(kind, unit)
    channel, rule, message = _notifications(site)
    owner = an_actor(f"{SECRET}chief", role="administrator", site=site)
    token, _secret = people.issue_token(
        actor=owner, name=f"{SECRET} token", scopes=["audit.view"], days=9, at=SHIFT_START
    )
    upload, _plan = equipment.upload_plant(
        actor=SYSTEM,
        site_id=site.pk,
        file_name=f"{SECRET}.csv",
        content=f"code,name_zh,name_en\n{SECRET}x,{SECRET},{SECRET}\n".encode(),
        kind="areas",
        at=SHIFT_START,
    )
    reason_id, explanation_id = _analysis(site, unit, kind)
    view = saved_views.save_view(actor=owner, site_id=site.pk, query="", is_shared=True, at=SHIFT_START, **NAMES)
    command = _command(source, tag)
    known = an_order_to_keep_secret(site, unit, owner, secret=SECRET) | _products(site, kind)
    known |= a_terminal_to_keep_secret(site, unit, owner, secret=SECRET)
    values = known | {
        "reason_id": reason_id,
        "view_id": view.pk,
        "explanation_id": explanation_id,
        "site_id": site.pk,
        "code": site.code,
        "name": "producing_ratio",
        "work_unit_id": unit.pk,
        "work_center_id": unit.work_center_id,
        "area_id": unit.work_center.area_id,
        "calendar_id": ShiftCalendar.objects.get(site=site).pk,
        "work_unit_ids": [unit.pk],
        "equipment_class_id": kind.pk,
        "person_id": owner.person_id,
        "assignment_id": RoleAssignment.objects.get(person_id=owner.person_id).pk,
        "token_id": token.pk,
        "import_id": upload.pk,
        "source_id": source.pk,
        "source_ids": [source.pk],
        "device_id": device.pk,
        "tag_id": tag.pk,
        "tags": [tag.pk],
        "command_id": command.pk,
        "group_id": group.pk,
        "group_ids": [group.pk],
        "definition_id": definition.pk,
        "alarm_id": alarm.pk,
        "channel_id": channel.pk,
        "rule_id": rule.pk,
        "message_ids": [message.pk],
        "alarm_ids": [alarm.pk],
    }
    return SecretPlant(site, values)


def _products(site: Site, kind: Any) -> dict[str, Any]:
    at = SHIFT_START
    product, part = (
        products.create_material(
            actor=SYSTEM, site_id=site.pk, spec=MaterialSpec(f"{SECRET}{code}", source=source, **NAMES), at=at
        )
        for code, source in (("product", Source.MAKE), ("part", Source.BUY))
    )
    products.save_material_class(actor=SYSTEM, site_id=site.pk, code=f"{SECRET}kind", at=at, **NAMES)
    bill = BomSpec((LineSpec("10", part.pk, note=SECRET),), note=SECRET)
    steps = WorkMasterSpec((SegmentSpec("10", equipment_class_id=kind.pk, **NAMES),), note=SECRET)
    bom = products.define_bom(actor=SYSTEM, material_id=product.pk, spec=bill, at=at)
    master = products.define_work_master(actor=SYSTEM, material_id=product.pk, spec=steps, at=at)
    change = products.create_change(
        actor=SYSTEM, site_id=site.pk, spec=ChangeSpec(SECRET, SECRET, at.date(), code=f"{SECRET}eco"), at=at
    )
    affected = products.add_to_change(actor=SYSTEM, change_id=change.pk, kind=VersionKind.BOM, version_id=bom.pk, at=at)
    document = products.keep_document(
        actor=SYSTEM, site_id=site.pk, name=f"{SECRET}.pdf", content=f"%PDF-1.7 {SECRET}".encode(), at=at
    )
    file = product_files.upload(
        actor=SYSTEM,
        site_id=site.pk,
        kind="materials",
        file_name=f"{SECRET}.csv",
        pieces=[f"code,name_zh\n{SECRET}x,{SECRET}\n".encode()],
        at=at,
    )
    return {
        "product_import_id": file.pk,
        "file_kind": "materials",
        "material_id": product.pk,
        "bom_id": bom.pk,
        "work_master_id": master.pk,
        "other_id": bom.pk,
        "change_id": change.pk,
        "affected_id": affected.pk,
        "document_id": document.pk,
    }


def _equipment(site: Site) -> tuple[Any, Any]:
    at = SHIFT_START
    area = equipment.create_area(actor=SYSTEM, site_id=site.pk, code=f"{SECRET}area", at=at, **NAMES)
    center = equipment.create_work_center(actor=SYSTEM, area_id=area.pk, code=f"{SECRET}center", at=at, **NAMES)
    kind = equipment.create_equipment_class(actor=SYSTEM, site_id=site.pk, code=f"{SECRET}class", at=at, **NAMES)
    equipment.name_cause(actor=SYSTEM, equipment_class_id=kind.pk, code="1", at=at, **NAMES)
    unit = equipment.create_work_unit(
        actor=SYSTEM, work_center_id=center.pk, code=f"{SECRET}unit", equipment_class_id=kind.pk, at=at, **NAMES
    )
    drawing = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><text>{SECRET}</text></svg>'
    equipment.set_class_picture(actor=SYSTEM, equipment_class_id=kind.pk, content=drawing.encode(), at=at)
    equipment.install_asset(actor=SYSTEM, work_unit_id=unit.pk, serial=f"{SECRET}serial", at=at)
    equipment.set_site_target(actor=SYSTEM, site_id=site.pk, indicator=f"{SECRET}target", value=1, at=at)
    calendar = ShiftCalendar.objects.create(site=site, code=f"{SECRET}cal", is_site_default=True, **NAMES)
    Shift.objects.create(calendar=calendar, code=f"{SECRET}s", start="00:00", end="00:00", weekdays=[1], **NAMES)
    return unit, kind


def _analysis(site: Site, unit: Any, kind: Any) -> tuple[int, int]:
    spec = ReasonSpec(f"{SECRET}reason", loss="waiting", **NAMES)
    write_reasons(actor=SYSTEM, site_id=site.pk, reasons=[spec], at=SHIFT_START)
    reason = Reason.objects.get(code=spec.code)
    said = Explanation.objects.create(
        site=site,
        work_unit=unit,
        reason=reason,
        comment=f"{SECRET} comment",
        from_at=SHIFT_START,
        until_at=SHIFT_START + timedelta(hours=1),
        given_by=f"{SECRET}chief",
        given_at=SHIFT_START,
    )
    return reason.pk, said.pk


def _alarm(kind: Any, unit: Any) -> tuple[AlarmDefinition, Alarm]:
    spec = DefinitionSpec(code=f"{SECRET}alarm", when="run == 0", message_en=SECRET, guidance_en=SECRET, **NAMES)
    definition = define(actor=SYSTEM, spec=spec, at=SHIFT_START, equipment_class_id=kind.pk)
    at_us = int(SHIFT_START.timestamp() * 1e6)
    fact = AlarmTransition(definition.pk, unit.pk, "activated", at_us, at_us, at_us, value=SECRET)
    apply_facts([fact], at=SHIFT_START)
    return definition, Alarm.objects.get()


def _template(unit: Any, tag: Tag) -> None:
    """Let the unit follow a template that names its tag."""
    cells = {"symbol": tag.symbol, "address": f"{SECRET}/{{unit}}/run", "data_type": "bool"}
    spec = TemplateSpec((Variable(f"{SECRET}line", "1"),), (TagRow(cells),))
    editing.save_template(actor=SYSTEM, equipment_class_id=unit.equipment_class_id, spec=spec, at=SHIFT_START)
    machine = following.MachineSettings(unit.pk, tag.source.code, 1)
    following.follow_templates(actor=SYSTEM, site_id=unit.site_id, machines=[machine], at=SHIFT_START)


def _command(source: DataSource, tag: Tag) -> MachineCommand:
    """Everything is switched on for writing, so that only permissions can refuse."""
    DataSource.objects.filter(pk=source.pk).update(allows_writes=True)
    TagWriting.objects.create(tag=tag)
    common = {"site_id": tag.site_id, "source": source}
    gap = {"sentence": SECRET, "addresses": [SECRET], "ended_at": SHIFT_START, "noted_at": SHIFT_START}
    SourceGap.objects.create(id=uuid.uuid4(), **common, **gap)
    return MachineCommand.objects.create(
        id=uuid.uuid4(),
        **common,
        tag=tag,
        address=tag.address,
        value=True,
        raw_value=True,
        reason=f"{SECRET} reason",
        requested_by=f"{SECRET}chief",
        requested_at=SHIFT_START,
        expires_at=SHIFT_START,
    )


def _notifications(site: Site) -> tuple[NotificationChannel, NotificationRule, NotificationMessage]:
    channel = NotificationChannel.objects.create(
        site=site, code=f"{SECRET}hook", kind="webhook", url=f"http://{SECRET}.invalid/", secret=f"{SECRET}secret"
    )
    rule = NotificationRule.objects.create(site=site, code=f"{SECRET}rule", steps=[], changed_at=SHIFT_START, **NAMES)
    message = NotificationMessage.objects.create(
        site=site,
        rule=rule,
        channel=channel,
        recipient=f"{SECRET}@example.org",
        subject=SECRET,
        body=SECRET,
        state="dead",
        next_at=SHIFT_START,
        made_at=SHIFT_START,
        last_error=SECRET,
    )
    return channel, rule, message


def _telemetry(site: Site, unit: Any) -> tuple[DataSource, Device, Tag, DeadLetterGroup]:
    source = DataSource.objects.create(site=site, code=f"{SECRET}source", connector="mqtt_json", topics=[f"{SECRET}/#"])
    device = Device.objects.create(
        site=site,
        username=f"{SECRET}device",
        broker_hash="x",
        password_sha256="x",
        publish_topics=[f"{SECRET}/#"],
        issued_at=SHIFT_START,
    )
    device.sources.add(source)
    kept = TagClass.objects.create(site=site, code=f"{SECRET}kept")
    tag = Tag.objects.create(
        site=site,
        source=source,
        address=f"{SECRET}/run",
        data_type="bool",
        work_unit=unit,
        symbol=f"{SECRET}run",
        tag_class=kept,
        **NAMES,
    )
    _template(unit, tag)
    group = DeadLetterGroup.objects.create(
        site=site,
        source=source,
        reason=Refusal.UNKNOWN_TAG.value,
        kind="point",
        what=f"{SECRET}/what",
        count=1,
        first_seen_at=SHIFT_START,
        last_seen_at=SHIFT_START,
    )
    DeadLetterSample.objects.create(
        group=group,
        payload=SECRET.encode(),
        size=3,
        topic=f"{SECRET}/t",
        arrived_at=SHIFT_START + timedelta(seconds=1),
        sequence=1,
    )
    return source, device, tag, group
