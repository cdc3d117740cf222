"""Badges and PINs: given by who manages people, worth something at terminals only, not to be guessed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client

from yuheng.kernel.errors import InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord
from yuheng.people import selectors, services
from yuheng.people.models import FloorCredential
from yuheng.people.rules import badge_fingerprint
from yuheng.testing.builders import SHIFT_START as AT
from yuheng.testing.builders import a_person, a_site, an_actor

pytestmark = pytest.mark.django_db


def given_badge(username="ana", code=""):
    return services.issue_badge(actor=an_actor("lin"), person_id=a_person(username).pk, at=AT, code=code)


def signed_in(code: str, **more):
    return services.sign_in_with_badge(fingerprint=badge_fingerprint(code), terminal="7", at=more.get("at", AT))


def test_a_new_badge_opens_terminals_as_its_person_and_is_kept_as_a_hash():
    number, code = given_badge()
    assert len(number) == 4
    assert code.startswith("YHB-")
    assert signed_in(code).name == "ana"
    kept = FloorCredential.objects.values().get()
    assert code not in str(kept)
    assert code not in str(list(AuditRecord.objects.values()))


@pytest.mark.parametrize("scanned", ["ＡＢ１２－３４５６", "ab12-3456 ", " AB12-3456\n"])
def test_a_card_reads_the_same_under_any_input_method(scanned):
    given_badge(code="AB12-3456")
    assert signed_in(scanned).name == "ana"


def test_a_card_belongs_to_one_person():
    given_badge("ana", "CARD-0001")
    with pytest.raises(InvalidInput):
        given_badge("ben", "card-0001")
    assert list(
        FloorCredential.objects.filter(badge_sha256__isnull=False).values_list("person__username", flat=True)
    ) == ["ana"]


@pytest.mark.parametrize("code", ["short", "has a space in it", "汉字汉字汉字汉字", "x" * 81])
def test_a_card_is_something_that_scanners_type(code):
    with pytest.raises(InvalidInput):
        given_badge(code=code)


def test_a_pin_needs_its_number():
    number = services.set_pin(actor=an_actor("ana"), person_id=a_person("ana").pk, pin="4827", at=AT)
    assert services.sign_in_with_pin(number=number, pin="4827", terminal="7", at=AT).name == "ana"
    other = "1000" if number != "1000" else "1001"
    for wrong in ((number, "4828"), (other, "4827"), ("", "")):
        with pytest.raises(PermissionRefused):
            services.sign_in_with_pin(number=wrong[0], pin=wrong[1], terminal="7", at=AT)


@pytest.mark.parametrize("pin", ["", "123", "abcd", "1234", "8765", "0000", "123456789", "１２３４"])
def test_some_pins_are_refused(pin):
    with pytest.raises(InvalidInput):
        services.set_pin(actor=an_actor("ana"), person_id=a_person("ana").pk, pin=pin, at=AT)
    assert not FloorCredential.objects.exclude(pin="").exists()


def test_a_pin_cannot_be_guessed_for_long():
    number = services.set_pin(actor=an_actor("ana"), person_id=a_person("ana").pk, pin="4827", at=AT)
    for _n in range(5):
        with pytest.raises(PermissionRefused):
            services.sign_in_with_pin(number=number, pin="9999", terminal="7", at=AT)
    with pytest.raises(PermissionRefused, match=r"\d+ s"):
        services.sign_in_with_pin(number=number, pin="4827", terminal="8", at=AT)
    later = AT + timedelta(minutes=1)
    assert services.sign_in_with_pin(number=number, pin="4827", terminal="7", at=later).name == "ana"


def test_badges_cannot_be_tried_for_long_at_one_terminal():
    _number, code = given_badge()
    for _n in range(20):
        with pytest.raises(PermissionRefused):
            signed_in("WRONG-BADGE")
    with pytest.raises(PermissionRefused, match=r"\d+ s"):
        signed_in(code)


def test_who_is_gone_or_lost_the_badge_is_not_known():
    _number, code = given_badge()
    services.withdraw_badge(actor=an_actor("lin"), person_id=a_person("ana").pk, at=AT)
    with pytest.raises(PermissionRefused):
        signed_in(code)
    with pytest.raises(NotVisible):
        services.withdraw_badge(actor=an_actor("lin"), person_id=a_person("ana").pk, at=AT)
    _number, code = given_badge()
    services.deactivate_person(actor=an_actor("lin"), person_id=a_person("ana").pk, at=AT)
    with pytest.raises(PermissionRefused):
        signed_in(code)


def test_only_who_manages_a_person_gives_them_a_badge():
    ana = a_person("ana").pk
    for who in ("ben", "dora"):
        with pytest.raises((PermissionRefused, NotVisible)):
            services.issue_badge(actor=an_actor(who), person_id=ana, at=AT)
        with pytest.raises((PermissionRefused, NotVisible)):
            services.set_pin(actor=an_actor(who), person_id=ana, pin="4827", at=AT)
    assert not FloorCredential.objects.exists()


def test_the_directory_of_a_site_holds_who_may_work_there():
    given_badge("ana", "CARD-0001")
    given_badge("cleo", "CARD-0002")  # quality: may not execute
    services.issue_badge(actor=an_actor("dora"), person_id=a_person("dora").pk, code="CARD-0003", at=AT)
    rows = selectors.floor_people(actor=an_actor("ana"), site_id=a_site().pk)
    assert [(row.name_en, row.badge_sha256) for row in rows] == [("Ana", badge_fingerprint("CARD-0001"))]


def test_the_pages_give_and_withdraw():
    lin, ana = Client(), a_person("ana").pk
    lin.force_login(a_person("lin"))
    shown = lin.post(f"/people/{ana}/badge", {"code": ""})
    assert "no-store" in shown["Cache-Control"]
    assert b"YHB-" in shown.content
    assert b"<svg" in shown.content
    assert lin.post(f"/people/{ana}/badge", {"code": "CARD-0001"}).status_code == 302
    assert lin.post(f"/people/{ana}/pin", {"pin": "4827"}).status_code == 302
    page = lin.get(f"/people/{ana}").content.decode()
    assert "…0001" in page
    assert lin.post(f"/people/{ana}/badge/withdraw").status_code == 302
    assert not FloorCredential.objects.exists()


def test_one_sets_ones_own_pin():
    ana = Client()
    ana.force_login(a_person("ana"))
    assert ana.post("/account/pin", {"pin": "4827"}).status_code == 302
    number = FloorCredential.objects.get().number
    assert number in ana.get("/account").content.decode()
