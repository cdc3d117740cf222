"""Permissions, built-in roles, and who may manage whom. Plain Python."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum


class Permission(StrEnum):
    """Everything that can be allowed. The value is stored in roles and tokens: never rename one."""

    EQUIPMENT_VIEW = "equipment.view"
    EQUIPMENT_EDIT = "equipment.edit"
    TELEMETRY_VIEW = "telemetry.view"
    TELEMETRY_EDIT = "telemetry.edit"
    TELEMETRY_REPLAY = "telemetry.replay"
    STATES_EXPLAIN = "states.explain"
    ALARMS_VIEW = "alarms.view"
    ALARMS_OPERATE = "alarms.operate"
    ALARMS_SHELVE = "alarms.shelve"
    ALARMS_EDIT = "alarms.edit"
    MACHINES_COMMAND = "machines.command"
    PEOPLE_MANAGE = "people.manage"
    AUDIT_VIEW = "audit.view"
    SITE_ADMIN = "site.admin"
    METRICS_READ = "metrics.read"
    ENGINEERING_VIEW = "engineering.view"
    ENGINEERING_EDIT = "engineering.edit"
    ENGINEERING_APPROVE = "engineering.approve"
    OPERATIONS_VIEW = "operations.view"
    OPERATIONS_EXECUTE = "operations.execute"
    OPERATIONS_DISPATCH = "operations.dispatch"
    ORDERS_EDIT = "orders.edit"
    MATERIALS_MOVE = "materials.move"


ALL_PERMISSIONS = frozenset(permission.value for permission in Permission)

_VIEW = (
    Permission.EQUIPMENT_VIEW,
    Permission.TELEMETRY_VIEW,
    Permission.ALARMS_VIEW,
    Permission.ENGINEERING_VIEW,
    Permission.OPERATIONS_VIEW,
)
_FLOOR = (
    *_VIEW,
    Permission.ALARMS_OPERATE,
    Permission.STATES_EXPLAIN,
    Permission.OPERATIONS_EXECUTE,
    Permission.MATERIALS_MOVE,
)

BUILT_IN_ROLES: dict[str, tuple[str, str, tuple[Permission, ...]]] = {
    # code: (Chinese name, English name, permissions); rows are made by migration and may be edited afterwards
    "administrator": ("管理员", "Administrator", tuple(Permission)),
    "engineer": (
        "工程师",
        "Engineer",
        (
            *_FLOOR,
            Permission.ALARMS_SHELVE,
            Permission.ALARMS_EDIT,
            Permission.MACHINES_COMMAND,
            Permission.EQUIPMENT_EDIT,
            Permission.TELEMETRY_EDIT,
            Permission.TELEMETRY_REPLAY,
            Permission.ENGINEERING_EDIT,
            Permission.ENGINEERING_APPROVE,
        ),
    ),
    "dispatcher": (
        "调度员",
        "Dispatcher",
        (*_FLOOR, Permission.ALARMS_SHELVE, Permission.OPERATIONS_DISPATCH, Permission.ORDERS_EDIT),
    ),
    "operator": ("操作工", "Operator", _FLOOR),
    "quality": ("质量员", "Quality", (*_VIEW, Permission.AUDIT_VIEW, Permission.ENGINEERING_APPROVE)),
    "manager": (
        "厂长",
        "Plant manager",
        (*_VIEW, Permission.AUDIT_VIEW, Permission.ENGINEERING_APPROVE, Permission.ORDERS_EDIT),
    ),
    "viewer": ("访客", "Viewer", _VIEW),
}

Grants = Mapping[int, frozenset[str]]
"""Site id (0: every site) -> permissions, as in `kernel.actor.Actor.permissions`."""


def merge_grants(rows: Iterable[tuple[int | None, Iterable[str]]]) -> dict[int, frozenset[str]]:
    """Unite role assignments ``(site id or None, permissions)``; names that are no permission are ignored.

    Examples
    --------
    >>> sorted(merge_grants([(1, ["audit.view"]), (1, ["site.admin", "gone"]), (None, [])])[1])
    ['audit.view', 'site.admin']
    """
    merged: dict[int, frozenset[str]] = {}
    for site_id, names in rows:
        known = ALL_PERMISSIONS.intersection(names)
        if known:
            merged[site_id or 0] = merged.get(site_id or 0, frozenset()) | known
    return merged


def restrict_grants(grants: Grants, scopes: Iterable[str], site_id: int | None = None) -> dict[int, frozenset[str]]:
    """Keep only what a token's scopes allow, and of that only what holds at its site when it is for one.

    Examples
    --------
    >>> restrict_grants({0: frozenset({"audit.view"}), 2: frozenset({"site.admin"})}, ["audit.view"], 7)
    {7: frozenset({'audit.view'})}
    """
    allowed = frozenset(scopes)
    if site_id is not None:
        grants = {site_id: grants.get(0, frozenset()) | grants.get(site_id, frozenset())}
    return {site: names & allowed for site, names in grants.items() if names & allowed}


def covers(may: Callable[[str, int], bool], theirs: Grants) -> bool:
    """Return whether ``may(permission, site id)`` holds for everything in ``theirs`` (site id 0: everywhere).

    Whoever manages people may neither give nor take over what they do not hold themselves.
    """
    return all(may(name, site_id) for site_id, names in theirs.items() for name in names)


# ---- sign-in attempts -------------------------------------------------------------------------------------------

FREE_FAILURES = 5
"""Wrong passwords for one name before the first delay."""

FREE_FAILURES_OF_ADDRESS = 50
"""Wrong passwords from one address, whatever the name, before the first delay."""

FIRST_DELAY_S = 30
LONGEST_DELAY_S = 900
FORGET_AFTER = timedelta(hours=24)


SHORTEST_PASSWORD = 12
FORMER_PASSWORDS = 3
"""So many passwords of before are not taken again; each costs a slow comparison."""


# ---- badges and PINs of the floor --------------------------------------------------------------------------------

PIN_PATTERN = re.compile(r"[0-9]{4,8}")
BADGE_PATTERN = re.compile(r"[!-~]{8,80}")
"""What a scanner can type: 8 to 80 visible ASCII characters. Ours have 100 random bits."""

BADGE_PREFIX = "YHB-"
FREE_FAILURES_OF_TERMINAL = 20
"""Wrong badges and PINs at one terminal before the first delay: several people share it."""


def badge_text(scanned: str) -> str:
    """Return a scanned badge as it is compared: full-width characters of an input method made plain, no spaces.

    Examples
    --------
    >>> badge_text(" ＹＨＢ－１２３４ ")
    'YHB-1234'
    """
    return unicodedata.normalize("NFKC", scanned).strip().upper()


def badge_fingerprint(scanned: str) -> str:
    """How a badge is kept and looked up."""
    return hashlib.sha256(badge_text(scanned).encode()).hexdigest()


def failure_key(kind: str, text: str) -> str:
    """Under which key failures are counted; a hash, because a name that was typed may be a mistyped secret."""
    return hashlib.sha256(f"{kind}:{text}".encode()).hexdigest()


USERNAME_PATTERN = re.compile(r"[A-Za-z0-9\u3400-\u9fff][A-Za-z0-9\u3400-\u9fff.@_-]{0,79}")
LONGEST_TOKEN_DAYS = 366


def blocked_until(*, failures: int, last_failed_at: datetime, free_failures: int = FREE_FAILURES) -> datetime | None:
    """When the next attempt is allowed: 30 s after the fifth failure, doubling to 15 min; None when allowed now."""
    if failures < free_failures:
        return None
    delay_s = min(FIRST_DELAY_S * 2 ** min(failures - free_failures, 10), LONGEST_DELAY_S)
    return last_failed_at + timedelta(seconds=delay_s)
