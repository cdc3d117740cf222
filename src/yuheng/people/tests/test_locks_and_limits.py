"""Lock-out that an administrator sees and ends, passwords that do not come back, tokens of one site."""

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from yuheng.kernel.errors import InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord
from yuheng.people import selectors, services
from yuheng.people.models import ApiToken
from yuheng.testing.builders import PASSWORD, SHIFT_START, a_person, a_site, an_actor, another_site

pytestmark = pytest.mark.django_db


def fail(times: int, *, username: str = "ana", at=SHIFT_START) -> None:
    for number in range(times):
        with pytest.raises(services.SignInRefused):
            services.sign_in(username=username, password="wrong", address=f"10.0.0.{number}", at=at)


def test_an_administrator_sees_a_lock_and_ends_it():
    ana, lin = a_person("ana"), an_actor("lin")
    fail(7)
    lock = selectors.lock_of(actor=lin, person_id=ana.pk, now=SHIFT_START)
    assert lock.failures >= 5
    assert lock.until > SHIFT_START
    with pytest.raises(services.SignInRefused, match=r"many|次"):
        services.sign_in(username="ana", password=PASSWORD, address="10.1.1.1", at=SHIFT_START)
    services.unlock_person(actor=lin, person_id=ana.pk, at=SHIFT_START)
    assert selectors.lock_of(actor=lin, person_id=ana.pk, now=SHIFT_START) is None
    assert services.sign_in(username="ana", password=PASSWORD, address="10.1.1.1", at=SHIFT_START).pk == ana.pk
    assert AuditRecord.objects.filter(action="people.unlocked", object_id=str(ana.pk)).count() == 1


def test_who_does_not_manage_people_unlocks_nobody():
    ana = a_person("ana")
    fail(6)
    for actor, refusal in ((an_actor("ben"), PermissionRefused), (an_actor("dora"), NotVisible)):
        with pytest.raises(refusal):
            services.unlock_person(actor=actor, person_id=ana.pk, at=SHIFT_START)
    assert selectors.lock_of(actor=an_actor("lin"), person_id=ana.pk, now=SHIFT_START) is not None
    assert not AuditRecord.objects.filter(action="people.unlocked").exists()


def test_the_page_of_a_person_shows_the_lock_and_a_button_ends_it():
    ana = a_person("ana")
    fail(6, at=datetime.now(UTC))
    client = Client(headers={"accept-language": "en"})
    client.force_login(a_person("lin"))
    page = client.get(f"/people/{ana.pk}").content.decode()
    assert "held until" in page
    assert "object_kind=person" in page
    assert client.post(f"/people/{ana.pk}/unlock").status_code == 302
    assert "held until" not in client.get(f"/people/{ana.pk}").content.decode()


def test_a_password_of_before_is_not_taken_again():
    actor = an_actor("ana")
    first, second = "first long password 1", "second long password 2"
    services.change_own_password(actor=actor, old=PASSWORD, new=first, at=SHIFT_START)
    services.change_own_password(actor=actor, old=first, new=second, at=SHIFT_START)
    for again in (PASSWORD, first, second):
        with pytest.raises(InvalidInput):
            services.change_own_password(actor=actor, old=second, new=again, at=SHIFT_START)
    services.change_own_password(actor=actor, old=second, new="third long password 3", at=SHIFT_START)
    services.change_own_password(actor=actor, old="third long password 3", new=PASSWORD, at=SHIFT_START)


def test_a_password_has_twelve_characters():
    with pytest.raises(InvalidInput):
        services.change_own_password(actor=an_actor("ana"), old=PASSWORD, new="k7#mQ2!xZ9a", at=SHIFT_START)


def test_a_token_of_one_site_reaches_no_other():
    here, there = a_site(), another_site()
    actor = an_actor("root", role="administrator", everywhere=True)
    now = datetime.now(UTC)
    token, secret = services.issue_token(
        actor=actor, name="x", scopes=["equipment.view", "people.manage"], days=2, at=now, site_id=here.pk
    )
    assert ApiToken.objects.get(pk=token.pk).site_id == here.pk
    client = Client(headers={"authorization": f"Bearer {secret}"})
    assert client.get("/api/v1/whoami").json()["permissions"] == {str(here.pk): ["equipment.view", "people.manage"]}
    assert client.get(f"/equipment/sites/{there.pk}").status_code == 404


def test_nobody_makes_a_token_for_a_site_they_do_not_see():
    with pytest.raises(NotVisible):
        services.issue_token(
            actor=an_actor("ana"),
            name="x",
            scopes=["equipment.view"],
            days=1,
            at=SHIFT_START,
            site_id=another_site().pk,
        )
    assert not ApiToken.objects.exists()


def test_a_lock_ends_by_itself():
    ana = a_person("ana")
    fail(5)
    later = SHIFT_START + timedelta(hours=1)
    assert selectors.lock_of(actor=an_actor("lin"), person_id=ana.pk, now=later).until is None
    assert services.sign_in(username="ana", password=PASSWORD, address="10.2.2.2", at=later).pk == ana.pk
