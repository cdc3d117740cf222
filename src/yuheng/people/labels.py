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
    Permission.PEOPLE_MANAGE: _("Manage people and roles"),
    Permission.AUDIT_VIEW: _("Read the audit trail"),
    Permission.SITE_ADMIN: _("Administer sites"),
}


def permission_choices() -> list[tuple[str, Promise]]:
    """Every permission with its label, in the order of `rules.Permission`."""
    return [(permission.value, PERMISSION_LABELS[permission]) for permission in Permission]
