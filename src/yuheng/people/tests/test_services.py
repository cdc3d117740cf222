"""Verbs about people."""

from datetime import timedelta

import pytest
from django.contrib.auth.hashers import check_password

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput, NotVisible, PermissionRefused
from yuheng.kernel.models import AuditRecord, Site
from yuheng.people import services
from yuheng.people.models import ApiToken, FailedSignIn, Person, RoleAssignment
from yuheng.testing.builders import (
    PASSWORD,
    SHIFT_START,
    SYSTEM,
    a_person,
    a_site,
    an_actor,
    another_site,
)

pytestmark = pytest.mark.django_db
ADDRESS = "192.0.2.7"


@pytest.fixture(autouse=True)
def _cheap_hashes(settings):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]


def try_to_sign_in(password: str = "wrong", *, username: str = "ana", after_s: float = 0, address: str = ADDRESS):
    return services.sign_in(
        username=username, password=password, address=address, at=SHIFT_START + timedelta(seconds=after_s)
    )


# ---- signing in ----


def test_the_right_password_lets_in_and_is_recorded():
    a_person("ana")
    assert try_to_sign_in(PASSWORD).username == "ana"
    assert AuditRecord.objects.get().action == "people.signed_in"


@pytest.mark.parametrize("username", ["ana", "nobody"])
def test_a_wrong_name_and_a_wrong_password_read_the_same(username):
    a_person("ana")
    with pytest.raises(services.SignInRefused, match="name or the password is wrong"):
        try_to_sign_in(username=username)


def test_after_five_failures_even_the_right_password_waits():
    a_person("ana")
    for second in range(5):
        with pytest.raises(services.SignInRefused, match="wrong"):
            try_to_sign_in(after_s=second)

    with pytest.raises(services.SignInRefused, match="Try again in"):
        try_to_sign_in(PASSWORD, after_s=5)
    assert try_to_sign_in(PASSWORD, after_s=60).username == "ana"
    assert AuditRecord.objects.filter(action="people.sign_in_failed").count() == 4
    assert AuditRecord.objects.filter(action="people.sign_in_blocked").count() == 1


def test_waiting_attempts_are_not_counted_so_nobody_can_lock_a_person_out_for_ever():
    a_person("ana")
    for second in range(5):
        with pytest.raises(services.SignInRefused):
            try_to_sign_in(after_s=second)
    for _attempt in range(20):
        with pytest.raises(services.SignInRefused, match="Try again"):
            try_to_sign_in(after_s=10)
    assert max(FailedSignIn.objects.values_list("failures", flat=True)) == 5


def test_one_address_cannot_try_many_names():
    for number in range(50):
        with pytest.raises(services.SignInRefused, match="wrong"):
            try_to_sign_in(username=f"person{number}", after_s=number)
    a_person("ana")
    with pytest.raises(services.SignInRefused, match="Try again"):
        try_to_sign_in(PASSWORD, after_s=50)
    assert try_to_sign_in(PASSWORD, after_s=50, address="192.0.2.8").username == "ana"


def test_an_unknown_name_is_not_written_down_because_it_may_be_a_password():
    with pytest.raises(services.SignInRefused):
        try_to_sign_in(username="hunter2hunter2")
    record = AuditRecord.objects.get()
    assert "hunter2" not in f"{record.object_id}{record.actor_name}{record.detail}"


def test_the_deactivated_stay_out():
    services.deactivate_person(actor=SYSTEM, person_id=a_person("ana").pk, at=SHIFT_START)
    with pytest.raises(services.SignInRefused):
        try_to_sign_in(PASSWORD)


# ---- persons ----


def test_a_new_person_gets_a_generated_password_to_be_changed():
    lin = an_actor("lin")
    person, secret = services.create_person(
        actor=lin,
        username="eve",
        name_zh="伊芙",
        name_en="Eve",
        organisation_id=a_site().organisation_id,
        at=SHIFT_START,
    )
    assert person.must_change_password
    assert check_password(secret, person.password)
    assert len(secret) == 16
    assert secret not in str(AuditRecord.objects.values())


@pytest.mark.parametrize("username", ["", "two words", "a/b", "x" * 81, "<script>"])
def test_a_user_name_is_simple(username):
    with pytest.raises(InvalidInput):
        services.create_person(
            actor=SYSTEM, username=username, name_zh="", name_en="", organisation_id=None, at=SHIFT_START
        )


def test_a_user_name_is_taken_whatever_its_case():
    a_person("ana")
    with pytest.raises(InvalidInput, match="already"):
        services.create_person(
            actor=SYSTEM, username="ANA", name_zh="", name_en="", organisation_id=None, at=SHIFT_START
        )


def test_a_site_administrator_adds_people_to_their_own_firm_only():
    lin, theirs = an_actor("lin"), another_site().organisation_id
    with pytest.raises(PermissionRefused):
        services.create_person(
            actor=lin, username="eve", name_zh="", name_en="", organisation_id=theirs, at=SHIFT_START
        )
    assert not Person.objects.filter(username="eve").exists()


@pytest.mark.parametrize("password", ["short", "1234567890123", "password12", "qwertyuiop"])
def test_a_weak_password_is_refused_with_the_reason(password):
    ana = a_person("ana")
    with pytest.raises(InvalidInput) as refusal:
        services.change_own_password(actor=an_actor("ana"), old=PASSWORD, new=password, at=SHIFT_START)
    assert refusal.value.fields["new"]
    ana.refresh_from_db()
    assert check_password(PASSWORD, ana.password)


def test_one_changes_ones_password_knowing_the_old_one():
    a_person("ana")
    with pytest.raises(InvalidInput, match="present password"):
        services.change_own_password(actor=an_actor("ana"), old="wrong", new="a much better one", at=SHIFT_START)
    changed = services.change_own_password(actor=an_actor("ana"), old=PASSWORD, new="a much better one", at=SHIFT_START)
    assert check_password("a much better one", changed.password)


def test_a_reset_password_must_be_changed():
    ana = a_person("ana")
    secret = services.reset_password(actor=an_actor("lin"), person_id=ana.pk, at=SHIFT_START)
    ana.refresh_from_db()
    assert ana.must_change_password
    assert check_password(secret, ana.password)


def test_nobody_deactivates_themselves():
    lin = an_actor("lin")
    assert lin.person_id is not None
    with pytest.raises(Conflict):
        services.deactivate_person(actor=lin, person_id=lin.person_id, at=SHIFT_START)


def test_another_firms_people_do_not_exist_for_this_administrator():
    dora = a_person("dora")
    for act in (services.deactivate_person, services.reset_password, services.reactivate_person):
        with pytest.raises(NotVisible):
            act(actor=an_actor("lin"), person_id=dora.pk, at=SHIFT_START)
    dora.refresh_from_db()
    assert dora.is_active
    assert not AuditRecord.objects.exists()


def test_an_operator_manages_nobody():
    cleo = a_person("cleo")
    with pytest.raises(PermissionRefused):
        services.reset_password(actor=an_actor("ana"), person_id=cleo.pk, at=SHIFT_START)
    cleo.refresh_from_db()
    assert check_password(PASSWORD, cleo.password)


def test_a_site_administrator_cannot_take_over_an_administrator_of_everything():
    chief = a_person("chief", role="administrator", everywhere=True)
    with pytest.raises(PermissionRefused):
        services.reset_password(actor=an_actor("lin"), person_id=chief.pk, at=SHIFT_START)
    chief.refresh_from_db()
    assert check_password(PASSWORD, chief.password)


# ---- roles ----


def test_an_administrator_gives_and_takes_roles_at_their_site():
    ana, lin = a_person("ana"), an_actor("lin")
    given = services.assign_role(actor=lin, person_id=ana.pk, role_code="quality", site_id=a_site().pk, at=SHIFT_START)
    assert an_actor("ana").may("audit.view", site_id=a_site().pk)
    services.withdraw_role(actor=lin, assignment_id=given.pk, at=SHIFT_START)
    assert not an_actor("ana").may("audit.view", site_id=a_site().pk)
    assert [record.action for record in AuditRecord.objects.order_by("id")] == [
        "people.role_assigned",
        "people.role_withdrawn",
    ]


@pytest.mark.parametrize("where", ["everywhere", "elsewhere"])
def test_a_site_administrator_gives_no_role_beyond_their_site(where):
    ana, site_id = a_person("ana"), None if where == "everywhere" else another_site().pk
    with pytest.raises((PermissionRefused, NotVisible)):
        services.assign_role(
            actor=an_actor("lin"), person_id=ana.pk, role_code="viewer", site_id=site_id, at=SHIFT_START
        )
    assert RoleAssignment.objects.filter(person=ana).count() == 1


def test_nobody_gives_more_than_they_have():
    site = a_site()
    manager = Actor("person", "half", permissions={site.pk: frozenset({"people.manage", "equipment.view"})})
    with pytest.raises(PermissionRefused, match="more than you may"):
        services.assign_role(
            actor=manager, person_id=a_person("ana").pk, role_code="administrator", site_id=site.pk, at=SHIFT_START
        )


def test_nobody_takes_the_managing_role_from_themselves():
    lin = an_actor("lin")
    own = RoleAssignment.objects.get(person_id=lin.person_id)
    with pytest.raises(Conflict):
        services.withdraw_role(actor=lin, assignment_id=own.pk, at=SHIFT_START)


def test_only_an_administrator_of_everything_changes_what_a_role_allows():
    with pytest.raises(PermissionRefused):
        services.set_role_permissions(
            actor=an_actor("lin"), role_code="viewer", permissions=["people.manage"], at=SHIFT_START
        )
    chief = an_actor("chief", role="administrator", everywhere=True)
    changed = services.set_role_permissions(
        actor=chief, role_code="viewer", permissions=["equipment.view"], at=SHIFT_START
    )
    assert changed.permissions == ["equipment.view"]
    with pytest.raises(InvalidInput):
        services.set_role_permissions(actor=chief, role_code="viewer", permissions=["root"], at=SHIFT_START)
    with pytest.raises(Conflict):
        services.set_role_permissions(actor=chief, role_code="administrator", permissions=[], at=SHIFT_START)


# ---- tokens ----


def test_a_token_is_stored_as_its_hash_only():
    ana = an_actor("ana")
    token, secret = services.issue_token(actor=ana, name="notebook", scopes=["telemetry.view"], days=30, at=SHIFT_START)
    assert secret.startswith("yh_")
    assert secret not in str(ApiToken.objects.values())
    assert secret not in str(AuditRecord.objects.values())
    assert token.expires_at == SHIFT_START + timedelta(days=30)


@pytest.mark.parametrize("wrong", [{"name": " "}, {"scopes": []}, {"scopes": ["root"]}, {"days": 0}, {"days": 367}])
def test_a_token_without_sense_is_refused(wrong):
    wanted = {"name": "x", "scopes": ["telemetry.view"], "days": 1, **wrong}
    with pytest.raises(InvalidInput):
        services.issue_token(actor=an_actor("ana"), at=SHIFT_START, **wanted)
    assert not ApiToken.objects.exists()


def test_a_token_of_somebody_else_does_not_exist():
    token, _secret = services.issue_token(
        actor=an_actor("ana"), name="x", scopes=["telemetry.view"], days=1, at=SHIFT_START
    )
    with pytest.raises(NotVisible):
        services.revoke_token(actor=an_actor("ben"), token_id=token.pk, at=SHIFT_START)
    token.refresh_from_db()
    assert token.revoked_at is None


# ---- first people ----


def test_the_first_administrator_is_made_once():
    secret = services.ensure_first_administrator(at=SHIFT_START)
    assert secret is not None
    assert services.ensure_first_administrator(at=SHIFT_START) is None
    admin = services.sign_in(username="admin", password=secret, address=ADDRESS, at=SHIFT_START)
    assert Person.objects.with_grants().get(pk=admin.pk).grants[0] >= {"people.manage", "site.admin"}


def test_demo_people_do_not_replace_the_first_administrator():
    services.ensure_demo_people(site_ids=[a_site().pk], at=SHIFT_START)
    assert services.ensure_first_administrator(at=SHIFT_START) is not None


def test_the_demo_cast_is_made_once_and_dora_sees_nothing_of_it():
    site = a_site()
    for _time in range(2):
        names = services.ensure_demo_people(site_ids=[site.pk], at=SHIFT_START)
    assert names == ["lin", "ana", "ben", "cleo", "zhao", "wei", "dora"]
    assert Person.objects.filter(is_demo=True).count() == 7
    dora = Person.objects.with_grants().get(username="dora")
    assert site.pk not in dora.grants
    assert dora.organisation_id != site.organisation_id
    assert Site.objects.count() == 2
    assert not dora.has_usable_password()


def test_of_the_demo_cast_only_the_keeper_sees_another_firm():
    site = a_site()
    services.ensure_demo_people(site_ids=[site.pk], at=SHIFT_START)
    for person in Person.objects.with_grants().filter(is_demo=True, organisation_id=site.organisation_id):
        seen = set(person.grants)
        assert seen == ({0} if person.username == "wei" else {site.pk})


def test_the_demo_gives_nothing_to_a_real_person_of_the_same_name():
    real = a_person("ana", role="viewer")
    services.ensure_demo_people(site_ids=[a_site().pk], at=SHIFT_START)
    assert [one.role.code for one in RoleAssignment.objects.filter(person=real)] == ["viewer"]


@pytest.mark.parametrize(("is_demo", "username"), [(False, "ana"), (True, "real"), (True, "nobody")])
def test_impersonation_is_for_demo_people_in_demo_mode(settings, is_demo, username):
    settings.IS_DEMO = is_demo
    services.ensure_demo_people(site_ids=[a_site().pk], at=SHIFT_START)
    a_person("real", role="administrator")
    before = AuditRecord.objects.count()
    with pytest.raises(NotVisible):
        services.impersonate(actor=SYSTEM, username=username, at=SHIFT_START)
    assert AuditRecord.objects.count() == before
