"""Words for permissions and audit actions, in the reader's language."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from yuheng.people.rules import Permission

PERMISSION_LABELS: dict[Permission, Promise] = {
    Permission.EQUIPMENT_VIEW: _("See equipment"),
    Permission.EQUIPMENT_EDIT: _("Change equipment, calendars and targets"),
    Permission.TELEMETRY_VIEW: _("See states, values and history"),
    Permission.TELEMETRY_EDIT: _("Change sources, devices, tags and state rules"),
    Permission.TELEMETRY_REPLAY: _("Replay dead letters"),
    Permission.STATES_EXPLAIN: _("Give the reasons of stops"),
    Permission.ALARMS_VIEW: _("See alarms"),
    Permission.ALARMS_OPERATE: _("Acknowledge, confirm and comment alarms"),
    Permission.ALARMS_SHELVE: _("Shelve alarms and take them out of service"),
    Permission.ALARMS_EDIT: _("Change alarm definitions and notifications"),
    Permission.MACHINES_COMMAND: _("Write to machines"),
    Permission.PEOPLE_MANAGE: _("Manage people and roles"),
    Permission.AUDIT_VIEW: _("Read the audit trail"),
    Permission.SITE_ADMIN: _("Administer sites"),
    Permission.METRICS_READ: _("Read metrics of the installation"),
}


def permission_choices() -> list[tuple[str, Promise]]:
    """Every permission with its label, in the order of `rules.Permission`."""
    return [(permission.value, PERMISSION_LABELS[permission]) for permission in Permission]


ACTION_LABELS: dict[str, Promise] = {
    "people.signed_in": _("Signed in"),
    "people.signed_out": _("Signed out"),
    "people.sign_in_failed": _("Sign-in failed"),
    "people.sign_in_blocked": _("Sign-in blocked after too many attempts"),
    "people.impersonated": _("Became another person"),
    "people.created": _("Person added"),
    "people.renamed": _("Person renamed"),
    "people.deactivated": _("Person deactivated"),
    "people.reactivated": _("Person reactivated"),
    "people.password_reset": _("Password reset by an administrator"),
    "people.password_changed": _("Password changed"),
    "people.preferences_changed": _("Preferences changed"),
    "people.role_assigned": _("Role assigned"),
    "people.role_withdrawn": _("Role withdrawn"),
    "people.role_changed": _("Permissions of a role changed"),
    "people.token_issued": _("API token issued"),
    "people.token_revoked": _("API token revoked"),
    "people.identity_linked": _("Identity of a provider linked"),
    "people.audit_exported": _("Audit trail exported"),
    "equipment.imported": _("Plant imported"),
    "equipment.site_created": _("Site added"),
    "equipment.area_created": _("Area added"),
    "equipment.area_renamed": _("Area renamed"),
    "equipment.area_retired": _("Area retired"),
    "equipment.work_center_created": _("Work center added"),
    "equipment.work_center_renamed": _("Work center renamed"),
    "equipment.work_center_moved": _("Work center moved"),
    "equipment.work_center_retired": _("Work center retired"),
    "equipment.area_restored": _("Area restored"),
    "equipment.work_center_restored": _("Work center restored"),
    "equipment.work_center_units_created": _("Work units added"),
    "equipment.work_unit_created": _("Work unit added"),
    "equipment.work_unit_renamed": _("Work unit renamed"),
    "equipment.work_unit_moved": _("Work unit moved"),
    "equipment.work_unit_classified": _("Class of a work unit set"),
    "equipment.work_unit_retired": _("Work unit retired"),
    "equipment.work_unit_restored": _("Work unit restored"),
    "equipment.equipment_class_created": _("Equipment class added"),
    "equipment.equipment_class_renamed": _("Equipment class renamed"),
    "equipment.equipment_class_cause_named": _("Cause named"),
    "equipment.equipment_class_cause_forgotten": _("Cause removed"),
    "equipment.equipment_class_picture_set": _("Picture of a class set"),
    "equipment.equipment_class_picture_removed": _("Picture of a class removed"),
    "equipment.asset_installed": _("Asset installed"),
    "equipment.calendar_created": _("Shift calendar added"),
    "equipment.calendar_changed": _("Shift calendar changed"),
    "equipment.calendar_assigned": _("Shift calendar assigned"),
    "equipment.target_set": _("Target set"),
    "equipment.placement_placed": _("Placed on the map"),
    "equipment.placement_removed": _("Place on the map left to the layout"),
    "source.create": _("Data source added"),
    "source.configure": _("Data source configured"),
    "source.enable": _("Data source enabled"),
    "source.disable": _("Data source disabled"),
    "source.allow_writes": _("Writing to a data source allowed"),
    "source.forbid_writes": _("Writing to a data source forbidden"),
    "source.trust": _("Server certificate accepted"),
    "source.distrust": _("Server certificate no longer accepted"),
    "tag.allow_writing": _("Writing to a tag allowed"),
    "tag.forbid_writing": _("Writing to a tag forbidden"),
    "command.request": _("Value to be written to a machine"),
    "command.end": _("Outcome of a command"),
    "device.issue": _("Device credential issued"),
    "device.configure": _("Device configured"),
    "device.rotate": _("Device password replaced"),
    "device.revoke": _("Device credential revoked"),
    "tags.write": _("Tags written"),
    "tags.edit": _("Cells of tags changed"),
    "tags.retire": _("Tags retired"),
    "template.save": _("Template of a class changed"),
    "template.instantiate": _("Machines made from a template"),
    "template.machine_set": _("A machine's template settings changed"),
    "template.back": _("Overrides given up"),
    "template.release": _("Machine released from its template"),
    "tag_class.define": _("Tag class defined"),
    "state_rules.set": _("State rules set"),
    "reason.give": _("Reason of a stop given"),
    "reason.withdraw": _("Reason of a stop taken back"),
    "reasons.write": _("Reasons written"),
    "reasons.retire": _("Reason retired"),
    "reasons.restore": _("Reason taken into use again"),
    "view.save": _("View saved"),
    "view.change": _("View changed"),
    "view.delete": _("View deleted"),
    "dead_letters.replay": _("Dead letters replayed"),
    "dead_letters.resolve": _("Dead letters resolved"),
    "system.backup_taken": _("Backup taken"),
    "alarm.define": _("Alarm defined"),
    "alarm.define_all": _("Alarms of a class defined"),
    "alarm.define_many": _("Alarms defined by import"),
    "alarm.retire": _("Alarm definition retired"),
    "alarm.override": _("Alarm set otherwise for a work unit"),
    "alarm.clear_override": _("Alarm of a work unit as in its class again"),
    "alarm.acknowledge": _("Alarms acknowledged"),
    "alarm.confirm": _("Alarms confirmed"),
    "alarm.add_comment": _("Alarms commented"),
    "alarm.reset": _("Latched alarms reset"),
    "alarm.timed_shelve": _("Alarms shelved for a time"),
    "alarm.one_shot_shelve": _("Alarms shelved once"),
    "alarm.unshelve": _("Alarms unshelved"),
    "alarm.suppress": _("Alarms suppressed"),
    "alarm.unsuppress": _("Suppression of alarms ended"),
    "alarm.remove_from_service": _("Alarms taken out of service"),
    "alarm.place_in_service": _("Alarms put back into service"),
    "alarm.disable": _("Alarms disabled"),
    "alarm.enable": _("Alarms enabled"),
    "notification.write_channel": _("Notification channel set"),
    "notification.remove_channel": _("Notification channel removed"),
    "notification.write_rule": _("Notification rule set"),
    "notification.remove_rule": _("Notification rule removed"),
    "notification.test": _("Test notification sent"),
    "notification.retry": _("Failed notifications tried again"),
}
"""What the audit trail's codes say. A code that is not here is shown as it is."""


def action_label(code: str) -> str:
    """Return an audit action in the reader's language."""
    return str(ACTION_LABELS.get(code, code))


def actions_said_with(text: str) -> list[str]:
    """Return the codes whose words, in the reader's language, contain a text."""
    return [code for code, label in ACTION_LABELS.items() if text.casefold() in str(label).casefold()]
