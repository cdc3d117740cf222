"""Actors."""

import pytest

from yuheng.kernel.actor import ANONYMOUS, Actor, system_actor
from yuheng.kernel.errors import NotVisible, PermissionRefused

ANA = Actor("person", "ana", permissions={1: frozenset({"telemetry.view"})})
LIN = Actor("person", "lin", permissions={0: frozenset({"telemetry.view", "people.manage"})})


def test_a_permission_holds_at_its_site_only():
    assert ANA.may("telemetry.view", site_id=1)
    assert not ANA.may("telemetry.view", site_id=2)
    assert ANA.may("telemetry.view")
    assert not ANA.may_everywhere("telemetry.view")


def test_a_permission_for_every_site_holds_everywhere():
    assert LIN.may("people.manage", site_id=99)
    assert LIN.may_everywhere("people.manage")
    assert LIN.site_ids() is None
    assert LIN.site_ids_with("people.manage") is None
    LIN.require_everywhere("people.manage")


def test_another_site_looks_as_if_it_did_not_exist():
    with pytest.raises(NotVisible):
        ANA.require("telemetry.view", site_id=2)
    with pytest.raises(PermissionRefused):
        ANA.require("telemetry.edit", site_id=1)
    with pytest.raises(PermissionRefused):
        ANA.require_everywhere("telemetry.view")


def test_the_anonymous_see_nothing_and_the_system_everything():
    assert ANONYMOUS.site_ids() == frozenset()
    assert not ANONYMOUS.may("telemetry.view")
    assert system_actor("worker").may("whatever", site_id=5)
    assert system_actor("worker").may_everywhere("whatever")
    assert ANA.site_ids_with("telemetry.view") == frozenset({1})
