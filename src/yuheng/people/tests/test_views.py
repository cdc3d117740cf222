"""The people pages, the wall around everything, and who acts."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse

from yuheng.kernel.models import AuditRecord
from yuheng.people import labels, services
from yuheng.people.models import ApiToken, Person, RoleAssignment
from yuheng.people.rules import Permission
from yuheng.testing.builders import PASSWORD, SHIFT_START, a_person, a_site, an_actor, another_site

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _cheap_hashes(settings):
    settings.PASSWORD_HASHERS = [
        "django.contrib.auth.hashers.MD5PasswordHasher",
        "django.contrib.auth.hashers.PBKDF2PasswordHasher",
    ]


def signed_in(username: str, **more) -> Client:
    client = Client()
    client.force_login(a_person(username, **more))
    return client


def a_token(username: str = "lin", *, scopes=("equipment.view",), days: int = 1) -> str:
    at = datetime.now(UTC)
    return services.issue_token(actor=an_actor(username), name="t", scopes=scopes, days=days, at=at)[1]


# ---- signing in and out ----


def test_signing_in_leads_where_one_wanted_to_go(client):
    a_person("ana")
    answer = client.post(reverse("people:sign_in"), {"username": "ana", "password": PASSWORD, "next": "/account"})
    assert (answer.status_code, answer["Location"]) == (302, "/account")
    assert client.get("/account").status_code == 200


@pytest.mark.parametrize("target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "\\\\evil"])
def test_signing_in_leads_nowhere_else(client, target):
    a_person("ana")
    answer = client.post(reverse("people:sign_in"), {"username": "ana", "password": PASSWORD, "next": target})
    assert answer["Location"] == "/"


def test_a_wrong_password_stays_on_the_page_with_the_reason(client):
    a_person("ana")
    answer = client.post(reverse("people:sign_in"), {"username": "ana", "password": "wrong"})
    assert answer.status_code == 403
    assert "sessionid" not in answer.cookies


def test_signing_in_makes_a_new_session(client):
    a_person("ana")
    client.get(reverse("people:sign_in"))
    session = client.session
    session["planted"] = "yes"
    session.save()
    planted = session.session_key
    client.cookies["yuheng_session"] = planted

    client.post(reverse("people:sign_in"), {"username": "ana", "password": PASSWORD})

    assert client.session.session_key != planted
    assert "planted" not in client.session


def test_signing_in_brings_ones_language_and_theme(client):
    person = a_person("ana")
    Person.objects.filter(pk=person.pk).update(language="en", theme="dark")
    answer = client.post(reverse("people:sign_in"), {"username": "ana", "password": PASSWORD})
    assert answer.cookies["django_language"].value == "en"
    assert answer.cookies["yh_theme"].value == "dark"


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites(client):
    a_person("ana")
    answer = client.post(reverse("people:sign_in"), {"username": "ana", "password": PASSWORD})
    cookie = answer.cookies["yuheng_session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"


def test_signing_out_ends_the_session():
    client = signed_in("ana")
    assert client.post(reverse("people:sign_out")).status_code == 302
    assert client.get("/account").status_code == 302
    assert AuditRecord.objects.filter(action="people.signed_out").exists()


def test_a_deactivated_person_is_out_with_the_next_request():
    client = signed_in("ana")
    assert client.get("/account").status_code == 200
    services.deactivate_person(actor=an_actor("lin"), person_id=a_person("ana").pk, at=SHIFT_START)
    assert client.get("/account").status_code == 302


def test_a_generated_password_must_be_changed_before_anything_else():
    client = signed_in("ana")
    Person.objects.filter(username="ana").update(must_change_password=True)
    assert client.get("/account")["Location"] == reverse("people:password")
    answer = client.post(reverse("people:password"), {"old": PASSWORD, "new": "something else entirely"})
    assert answer["Location"] == reverse("people:account")
    assert client.get("/account").status_code == 200


# ---- demo ----


def test_in_a_demo_one_click_makes_one_of_the_cast(client, settings):
    settings.IS_DEMO = True
    services.ensure_demo_people(site_ids=[a_site().pk], at=SHIFT_START)
    page = client.get(reverse("people:sign_in")).content.decode()
    assert "安娜" in page or "Ana" in page
    answer = client.post(reverse("people:impersonate"), {"username": "ana"})
    assert answer.status_code == 302
    who = client.get("/api/v1/whoami").json()
    assert (who["name"], who["impersonator"]) == ("ana", "anonymous")
    assert AuditRecord.objects.filter(action="people.impersonated", actor_name="ana").exists()


def test_outside_a_demo_the_address_does_not_exist(client, settings):
    services.ensure_demo_people(site_ids=[a_site().pk], at=SHIFT_START)
    settings.IS_DEMO = False
    assert client.post(reverse("people:impersonate"), {"username": "ana"}).status_code == 404
    assert "Ana" not in client.get(reverse("people:sign_in")).content.decode()
    assert client.get("/account").status_code == 302


def test_impersonation_needs_the_csrf_token(settings):
    settings.IS_DEMO = True
    services.ensure_demo_people(site_ids=[a_site().pk], at=SHIFT_START)
    strict = Client(enforce_csrf_checks=True)
    assert strict.post(reverse("people:impersonate"), {"username": "ana"}).status_code == 403


# ---- who acts ----


def test_a_request_asks_the_database_twice_who_acts(django_assert_num_queries):
    client = signed_in("ana")
    with django_assert_num_queries(2):
        assert client.get("/api/v1/whoami").status_code == 200


def test_a_token_acts_as_its_person_within_its_scopes(client):
    secret = a_token("lin", scopes=["equipment.view"])
    who = client.get("/api/v1/whoami", headers={"Authorization": f"Bearer {secret}"}).json()
    assert who["name"] == "lin"
    assert who["permissions"] == {str(a_site().pk): ["equipment.view"]}
    assert ApiToken.objects.get().last_used_at is not None


def test_a_token_gives_no_more_than_its_person_has(client):
    secret = a_token("ana", scopes=["people.manage", "telemetry.view"])
    who = client.get("/api/v1/whoami", headers={"Authorization": f"Bearer {secret}"}).json()
    assert who["permissions"] == {str(a_site().pk): ["telemetry.view"]}


@pytest.mark.parametrize("how", ["wrong", "revoked", "expired", "deactivated"])
def test_a_token_that_does_not_hold_opens_nothing_even_with_a_session(how):
    secret = a_token("ana", scopes=["telemetry.view"])
    if how == "wrong":
        secret += "x"
    elif how == "revoked":
        services.revoke_token(actor=an_actor("ana"), token_id=ApiToken.objects.get().pk, at=SHIFT_START)
    elif how == "expired":
        past = datetime.now(UTC) - timedelta(days=2)
        ApiToken.objects.update(created_at=past, expires_at=past + timedelta(days=1))
    else:
        Person.objects.filter(username="ana").update(is_active=False)
    answer = signed_in("ben").get("/api/v1/whoami", headers={"Authorization": f"Bearer {secret}"})
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Bearer"


# ---- people, roles, account, audit ----


def test_an_administrator_adds_a_person_and_sees_the_password_once():
    client = signed_in("lin")
    values = {
        "username": "eve",
        "name_zh": "伊芙",
        "name_en": "Eve",
        "organisation": a_site().organisation_id,
        "language": "en",
    }
    answer = client.post(reverse("people:new_person"), values)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    eve = Person.objects.get(username="eve")
    secret = answer.context["secret"]
    assert eve.check_password(secret)
    assert secret not in client.get(reverse("people:person", args=[eve.pk])).content.decode()
    assert client.post(reverse("people:new_person"), values).status_code == 422


def test_the_list_has_everybody_of_ones_site_and_nobody_else():
    for name in ("ana", "dora"):
        a_person(name)
    page = signed_in("lin").get(reverse("people:people")).content.decode()
    assert "安娜" in page
    assert "dora" not in page
    found = signed_in("lin").get(reverse("people:people"), {"q": "ben"})
    assert "安娜" not in found.content.decode()


def test_the_list_asks_the_same_number_of_queries_for_any_number_of_people(django_assert_max_num_queries):
    for number in range(12):
        a_person(f"person{number}")
    client = signed_in("lin")
    with django_assert_max_num_queries(6):
        client.get(reverse("people:people"))


def test_roles_are_given_and_withdrawn_on_the_persons_page():
    client, ana = signed_in("lin"), a_person("ana")
    client.post(reverse("people:assign_role", args=[ana.pk]), {"role": "quality", "site": a_site().pk})
    given = RoleAssignment.objects.get(person=ana, role__code="quality")
    assert "质量员 · elevator1 厂" in client.get(reverse("people:person", args=[ana.pk])).content.decode()
    client.post(reverse("people:withdraw_role", args=[ana.pk, given.pk]))
    assert not RoleAssignment.objects.filter(pk=given.pk).exists()


def test_a_role_needs_a_site_for_a_site_administrator():
    client, ana = signed_in("lin"), a_person("ana")
    assert client.post(reverse("people:assign_role", args=[ana.pk]), {"role": "quality"}).status_code == 422
    form = {"role": "quality", "site": another_site().pk}
    assert client.post(reverse("people:assign_role", args=[ana.pk]), form).status_code == 422


def test_deactivating_reactivating_and_resetting():
    client, ana = signed_in("lin"), a_person("ana")
    client.post(reverse("people:deactivate_person", args=[ana.pk]))
    assert not Person.objects.get(pk=ana.pk).is_active
    client.post(reverse("people:reactivate_person", args=[ana.pk]))
    assert Person.objects.get(pk=ana.pk).is_active
    answer = client.post(reverse("people:reset_password", args=[ana.pk]))
    assert Person.objects.get(pk=ana.pk).check_password(answer.context["secret"])
    renamed = {"name_zh": "安妮", "name_en": "Annie"}
    client.post(reverse("people:rename_person", args=[ana.pk]), renamed)
    assert Person.objects.get(pk=ana.pk).name_en == "Annie"


def test_the_roles_page_says_what_each_allows_and_lets_an_administrator_of_everything_change_it():
    page = signed_in("lin").get(reverse("people:roles"))
    assert page.status_code == 200
    chief = signed_in("chief", role="administrator", everywhere=True)
    answer = chief.post(reverse("people:roles"), {"role": "viewer", "permissions": ["equipment.view"]})
    assert answer.status_code == 302
    assert not an_actor("guest", role="viewer").may("telemetry.view")


def test_one_makes_and_ends_a_token_on_ones_account():
    client = signed_in("ana")
    answer = client.post(reverse("people:issue_token"), {"name": "nb", "days": 5, "scopes": ["telemetry.view"]})
    assert answer.context["secret"].startswith("yh_")
    assert "nb" in client.get(reverse("people:account")).content.decode()
    client.post(reverse("people:revoke_token", args=[ApiToken.objects.get().pk]))
    assert ApiToken.objects.get().revoked_at is not None
    assert client.post(reverse("people:issue_token"), {"name": "nb", "days": 5}).status_code == 422


def test_language_and_theme_are_kept_with_the_person():
    client = signed_in("ana")
    answer = client.post(reverse("people:account"), {"language": "en", "theme": "dark"})
    assert answer.cookies["django_language"].value == "en"
    assert Person.objects.get(username="ana").theme == "dark"
    assert client.post(reverse("people:account"), {"language": "xx", "theme": "dark"}).status_code == 422


def test_the_audit_page_shows_ones_sites_only_and_pages_back():
    lin = an_actor("lin")
    for number in range(60):
        services.assign_role(
            actor=lin,
            person_id=a_person(f"person{number}").pk,
            role_code="operator",
            site_id=a_site().pk,
            at=SHIFT_START,
        )
    dora = an_actor("dora")
    services.assign_role(
        actor=dora, person_id=a_person("dora").pk, role_code="viewer", site_id=another_site().pk, at=SHIFT_START
    )
    client = signed_in("zhao")
    first = client.get(reverse("people:audit"))
    assert len(first.context["page"].rows) == 50
    second = client.get(f"{reverse('people:audit')}?{first.context['older']}")
    assert len(second.context["page"].rows) == 10
    assert "dora" not in first.content.decode() + second.content.decode()
    filtered = client.get(reverse("people:audit"), {"who": "lin", "action": "role", "from_day": "2026-11-23"})
    assert len(filtered.context["page"].rows) == 50
    assert not client.get(reverse("people:audit"), {"from_day": "2026-11-24"}).context["page"].rows


def test_the_audit_page_says_in_words_what_was_done():
    chief = signed_in("chief", role="administrator", everywhere=True)
    long = {"counts": {"tags.add": 2002}, "first_keys": [f"tags laser/L{number:02}" for number in range(30)]}
    for action, detail in (("equipment.imported", long), ("device.rotate", {"username": "edge"}), ("other.thing", {})):
        AuditRecord.objects.create(at=SHIFT_START, actor_kind="person", actor_name="n", action=action, detail=detail)
    page = chief.get(reverse("people:audit")).content.decode()
    assert ">Plant imported<" in page or ">导入工厂<" in page
    assert page.count("<details><summary>") >= 1
    assert "tags.add 2002" in page
    assert "username:</span> edge" in page
    assert ">other.thing<" in page
    for text, found in ((str(labels.ACTION_LABELS["device.rotate"]), ["device.rotate"]), ("other.", ["other.thing"])):
        rows = chief.get(reverse("people:audit"), {"action": text, "who": "n"}).context["page"].rows
        assert [row.action for row in rows] == found


def test_every_action_of_the_services_has_words():
    package = Path(labels.__file__).parents[1]
    sources = [path for path in package.rglob("*.py") if "services" in str(path.relative_to(package))]
    text = "\n".join(path.read_text(encoding="utf-8") for path in sources if "tests" not in path.parts)
    codes = set(re.findall(r'"((?:people|source|device|tags|tag_class|state_rules|dead_letters)\.[a-z_]+)"', text))
    codes |= {f"equipment.{kind}_{change}" for kind, change in re.findall(r'"(\w+)", [\w.]+, "(\w+)", at', text)}
    codes -= {permission.value for permission in Permission}
    assert len(codes) > 30
    assert codes <= set(labels.ACTION_LABELS)


def test_the_audit_page_survives_nonsense_in_the_address():
    client = signed_in("zhao")
    for query in ("from_day=yesterday", "older_than=-1", "site=999999", "older_than=x", "who=" + "x" * 500):
        assert client.get(f"{reverse('people:audit')}?{query}").status_code in {200, 404}


# ---- what a reader sees ----


def test_times_are_those_of_the_clock_on_the_sites_wall():
    client = signed_in("chief", role="administrator", everywhere=True)
    AuditRecord.objects.create(at=datetime(2026, 11, 23, 18, 30, tzinfo=UTC), actor_kind="person", actor_name="night")
    page = client.get(reverse("people:audit"), {"who": "night", "from_day": "2026-11-24"}).content.decode()
    assert "2026-11-24 02:30:00" in page
    assert "18:30:00" not in page


@pytest.mark.parametrize(("language", "theirs", "other"), [("en", "Lin", "林工"), ("zh-hans", "林工", "Lin")])
def test_pages_call_people_by_name_in_one_language(client, settings, language, theirs, other):
    settings.IS_DEMO = True
    services.ensure_demo_people(site_ids=[a_site().pk], at=SHIFT_START)
    client.cookies["django_language"] = language
    client.post(reverse("people:impersonate"), {"username": "lin"})
    client.cookies["django_language"] = language
    banner = client.get("/account").content.decode().split('class="impersonation', 1)[1].split("</div>")[0]
    assert theirs in banner
    assert other not in banner


def test_choices_are_in_the_readers_language():
    chief = signed_in("chief", role="administrator", everywhere=True)
    chief.cookies["django_language"] = "en"
    page = chief.get(reverse("people:person", args=[a_person("ana").pk])).content.decode()
    chosen = page.split("<select", 1)[1].split("</select>")[0]
    assert "Engineer" in chosen
    assert "工程师" not in chosen
