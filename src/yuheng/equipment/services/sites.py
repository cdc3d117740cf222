"""Adding sites."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import available_timezones

from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.equipment.rules import is_code
from yuheng.equipment.services.access import (
    check_named,
    tell,
    unique,
)
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.kernel.models import Organisation, Site


@transaction.atomic
def create_site(
    *,
    actor: Actor,
    organisation_code: str,
    code: str,
    name_zh: str,
    name_en: str,
    time_zone: str = "Asia/Shanghai",
    at: datetime,
) -> Site:
    """Add a plant to a firm; the firm is made when it is not there.

    Raises
    ------
    PermissionRefused
        The actor lacks ``site.admin`` for the whole installation.
    InvalidInput
        A code or the time zone is none, or the code is taken.
    """
    actor.require_everywhere("site.admin")
    check_named(code, name_zh, name_en)
    if not is_code(organisation_code):
        raise InvalidInput(_("The organisation needs a code."), {"organisation": organisation_code})
    if time_zone not in available_timezones():
        message = _("'%(zone)s' is not a time zone such as Asia/Shanghai.") % {"zone": time_zone}
        raise InvalidInput(message, {"time_zone": message})
    firm, _made = Organisation.objects.get_or_create(
        code=organisation_code, defaults={"name_zh": organisation_code, "name_en": organisation_code}
    )
    site = unique(
        lambda: Site.objects.create(organisation=firm, code=code, name_zh=name_zh, name_en=name_en, time_zone=time_zone)
    )
    tell(actor, site.pk, "site", site.pk, "created", at, code=code)
    return site
