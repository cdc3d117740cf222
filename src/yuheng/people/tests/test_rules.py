"""Permissions, grants and delays."""

from datetime import timedelta

import pytest

from yuheng.people.labels import PERMISSION_LABELS
from yuheng.people.models import Role
from yuheng.people.rules import BUILT_IN_ROLES, Permission, blocked_until, covers, merge_grants, restrict_grants
from yuheng.testing.builders import SHIFT_START


def test_roles_of_several_assignments_add_up_by_site():
    grants = merge_grants([(1, ["audit.view"]), (1, ["equipment.view"]), (None, ["telemetry.view"]), (2, [])])
    assert grants == {1: frozenset({"audit.view", "equipment.view"}), 0: frozenset({"telemetry.view"})}


def test_a_scope_never_adds_anything():
    grants = {1: frozenset({"audit.view"}), 2: frozenset({"equipment.view"})}
    assert restrict_grants(grants, ["audit.view", "people.manage"]) == {1: frozenset({"audit.view"})}


def test_nobody_covers_what_they_lack_somewhere():
    def may(name: str, site_id: int) -> bool:
        return site_id == 1 and name != "people.manage"

    assert covers(may, {1: frozenset({"audit.view"})})
    assert not covers(may, {1: frozenset({"people.manage"})})
    assert not covers(may, {2: frozenset({"audit.view"})})
    assert not covers(may, {0: frozenset({"audit.view"})})


@pytest.mark.parametrize(("failures", "wait_s"), [(4, None), (5, 30), (6, 60), (9, 480), (10, 900), (10_000, 900)])
def test_the_delay_doubles_from_the_fifth_failure(failures, wait_s):
    until = blocked_until(failures=failures, last_failed_at=SHIFT_START)
    assert until == (None if wait_s is None else SHIFT_START + timedelta(seconds=wait_s))


def test_every_permission_has_a_label():
    assert set(PERMISSION_LABELS) == set(Permission)


@pytest.mark.django_db
def test_the_migration_made_the_built_in_roles():
    rows = {role.code: (role.name_zh, role.name_en, set(role.permissions)) for role in Role.objects.all()}
    assert rows == {code: (zh, en, {p.value for p in some}) for code, (zh, en, some) in BUILT_IN_ROLES.items()}
