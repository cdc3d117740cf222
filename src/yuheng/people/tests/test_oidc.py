"""Single sign-on: against a real provider over HTTP, and against tokens that nobody should believe."""

import base64
import hmac
import json
import os
import subprocess
import sys
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.test import Client
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from yuheng.config.supervisor.ports import free_port
from yuheng.kernel.models import AuditRecord
from yuheng.people import oidc, single_sign_on
from yuheng.people.models import ExternalIdentity, Person, RoleAssignment
from yuheng.people.oidc import Attempt, OidcError, Provider, Settings, state_of
from yuheng.people.services import assign_role
from yuheng.testing.builders import PASSWORD, SHIFT_START, SYSTEM, a_person, a_site

# ---- the protocol -------------------------------------------------------------------------------------------------

ISSUER = "https://id.example"
KEY = RSAKey.generate_key(2048, {"kid": "one", "alg": "RS256", "use": "sig"})
OTHER_KEY = RSAKey.generate_key(2048, {"kid": "two", "alg": "RS256", "use": "sig"})
NOW = 1_770_000_000.0
ATTEMPT = Attempt("state", "nonce", "verifier" * 6, "/")


class FakeProvider(Provider):
    """Answers itself what a provider would."""

    def __init__(self, **more):
        super().__init__(Settings(ISSUER, "yuheng", "secret"), clock=lambda: self.now)
        self.now = NOW
        self.keys = [KEY]
        self.asked = []
        self.token = ""
        self.description = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{ISSUER}/auth",
            "token_endpoint": f"{ISSUER}/token",
            "jwks_uri": f"{ISSUER}/keys",
            **more,
        }

    def _ask(self, method, address, **what):
        self.asked.append((address, what))
        if address.endswith("/keys"):
            return KeySet(self.keys).as_dict(private=False)
        if address.endswith("/token"):
            return {"id_token": self.token, "access_token": "a"}
        return self.description


def claims(**more):
    usual = {"iss": ISSUER, "aud": "yuheng", "sub": "s1", "nonce": "nonce", "iat": NOW, "exp": NOW + 300}
    return {name: value for name, value in {**usual, **more}.items() if value is not None}


def signed(key=KEY, alg="RS256", kid="one", **more) -> str:
    return jwt.encode({"alg": alg, "kid": kid}, claims(**more), key, algorithms=[alg])


def test_a_good_token_is_believed_also_when_clocks_differ_a_little():
    for more in ({}, {"exp": NOW - 30}, {"iat": NOW + 30}, {"aud": ["yuheng", "x"], "azp": "yuheng"}):
        assert FakeProvider().checked(signed(**more), nonce="nonce")["sub"] == "s1"


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"iss": "https://evil.example"}, "issuer"),
        ({"aud": "another"}, "audience"),
        ({"aud": ["yuheng", "x"]}, "audience"),
        ({"aud": None}, "audience"),
        ({"exp": NOW - 120}, "expiry"),
        ({"exp": None}, "expiry"),
        ({"iat": NOW + 120}, "time of issue"),
        ({"nonce": "replayed"}, "nonce"),
        ({"nonce": None}, "nonce"),
        ({"sub": ""}, "subject"),
    ],
)
def test_a_token_that_is_not_ours_of_now_is_refused(more, reason):
    with pytest.raises(OidcError, match=reason):
        FakeProvider().checked(signed(**more), nonce="nonce")


def test_a_token_that_the_provider_did_not_sign_is_refused():
    forged = signed(key=OTHER_KEY)
    head, body, _signature = signed().split(".")
    hmac_head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"one"}').rstrip(b"=").decode()
    mac = hmac.digest(KEY.as_pem(private=False), f"{hmac_head}.{body}".encode(), "sha256")  # the public key as a secret
    confused = f"{hmac_head}.{body}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"
    unsigned = "eyJhbGciOiJub25lIn0." + body + "."
    for token in (forged, confused, unsigned, f"{head}.{body}.AAAA", "", "a.b", "x"):
        with pytest.raises(OidcError, match="cannot be trusted"):
            FakeProvider().checked(token, nonce="nonce")


def test_new_keys_of_the_provider_are_fetched_but_not_for_every_stranger():
    provider = FakeProvider()
    provider.checked(signed(), nonce="nonce")
    provider.keys = [OTHER_KEY]
    rotated = signed(key=OTHER_KEY, kid="two")
    with pytest.raises(OidcError):
        provider.checked(rotated, nonce="nonce")
    fetched = sum(address.endswith("/keys") for address, _ in provider.asked)
    for _ in range(20):
        with pytest.raises(OidcError):
            provider.checked(rotated, nonce="nonce")
    assert sum(address.endswith("/keys") for address, _ in provider.asked) == fetched
    provider.now += 60
    assert provider.checked(rotated, nonce="nonce")["sub"] == "s1"


def test_the_verifier_never_leaves_before_the_code_comes_back():
    provider = FakeProvider()
    address = provider.leave(ATTEMPT, "https://plant/return")
    query = parse_qs(urlsplit(address).query)
    assert query["code_challenge_method"] == ["S256"]
    assert query["code_challenge"] == [ATTEMPT.challenge]
    assert ATTEMPT.verifier not in address
    provider.token = signed(groups=["a"], preferred_username="ana")
    found = provider.come_back(ATTEMPT, code="c", return_to="https://plant/return")
    assert (found.username, found.groups) == ("ana", {"a"})
    form = next(what["data"] for address, what in provider.asked if address.endswith("/token"))
    assert form["code_verifier"] == ATTEMPT.verifier


def test_a_provider_that_calls_itself_otherwise_or_speaks_plainly_is_refused():
    with pytest.raises(OidcError, match="calls itself"):
        FakeProvider(issuer="https://evil.example").metadata()
    with pytest.raises(OidcError, match="https"):
        FakeProvider(token_endpoint="http://id.example/token").metadata()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{", "cannot be read"),
        ('{"client_id": "x"}', "issuer"),
        ('{"issuer": "http://id.example", "client_id": "x"}', "https"),
        ('{"issuer": "https://id.example", "client_id": "x", "creates": "all"}', "creates"),
        ('{"issuer": "https://id.example", "client_id": "x", "scopes": ["profile"]}', "openid"),
    ],
)
def test_settings_that_cannot_be_used_say_why(tmp_path, text, reason):
    (tmp_path / "oidc.json").write_text(text)
    with pytest.raises(OidcError, match=reason):
        oidc.read_settings(tmp_path / "oidc.json")
    assert oidc.read_settings(tmp_path / "none.json") is None


# ---- a whole sign-in with a real provider ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def provider_url():
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "oidc_provider_mock", "--port", str(port), "--require-nonce", "true"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                httpx.get(f"{url}/.well-known/openid-configuration")
                break
            except httpx.HTTPError:
                assert process.poll() is None
                assert time.monotonic() < deadline, "the provider does not start"
                time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture
def configure(provider_url, monkeypatch, tmp_path):
    """Write ``oidc.json`` of this test's installation."""
    environment = settings.ENVIRONMENT
    values = {name: getattr(environment, name) for name in environment.__slots__} | {"data_dir": tmp_path}
    monkeypatch.setattr(settings, "ENVIRONMENT", type(environment)(**values))
    stamps = iter(range(1, 100))

    def write(**more) -> None:
        told = {"issuer": provider_url, "client_id": "yuheng", "client_secret": "s", **more}
        path = tmp_path / "oidc.json"
        path.write_text(json.dumps(told))
        stamp = time.time() + next(stamps)
        os.utime(path, (stamp, stamp))

    return write


ROLES = {
    "floor": [{"role": "operator", "site": "elevator1"}],
    "chiefs": [{"role": "manager", "site": "elevator1"}, {"role": "viewer"}],
}


def somebody(url: str, subject: str, **told) -> None:
    answer = httpx.put(f"{url}/users/{subject}", json=told)
    assert answer.status_code < 300, answer.text


def come_in(client: Client, subject: str, *, wanted: str = "/people") -> object:
    """Do what a browser and a person do; return the answer to the browser's coming back."""
    left = client.get("/sign-in/oidc", {"next": wanted})
    assert left.status_code == 302, left.content
    allowed = httpx.post(left["Location"], data={"sub": subject})
    assert allowed.status_code in {302, 303}, allowed.text
    back = urlsplit(allowed.headers["location"])
    return client.get(f"{back.path}?{back.query}")


def roles_of(username: str) -> set:
    rows = RoleAssignment.objects.filter(person__username=username)
    return set(rows.values_list("role__code", "site__code"))


pytestmark = [pytest.mark.django_db, pytest.mark.xdist_group("oidc")]


def test_a_person_of_a_mapped_group_comes_in_with_its_roles(configure, provider_url):
    a_site()
    configure(roles=ROLES)
    somebody(provider_url, "s-1", preferred_username="wang", name="王工", groups=["floor", "unknown"])
    client = Client()
    answer = come_in(client, "s-1")
    assert (answer.status_code, answer["Location"]) == (302, "/people")
    person = Person.objects.get(username="wang")
    assert (person.name_zh, person.has_usable_password()) == ("王工", False)
    assert roles_of("wang") == {("operator", "elevator1")}
    assert client.get("/account").status_code == 200
    actions = list(AuditRecord.objects.order_by("id").values_list("action", flat=True))
    assert actions == ["people.created", "people.identity_linked", "people.role_assigned", "people.signed_in"]


def test_roles_follow_the_groups_and_what_was_given_by_hand_stays(configure, provider_url):
    site = a_site()
    configure(roles=ROLES)
    somebody(provider_url, "s-2", preferred_username="li", groups=["floor"])
    come_in(Client(), "s-2")
    li = Person.objects.get(username="li")
    assign_role(actor=SYSTEM, person_id=li.pk, role_code="quality", site_id=site.pk, at=SHIFT_START)
    somebody(provider_url, "s-2", preferred_username="li.renamed", groups=["chiefs"])
    come_in(Client(), "s-2")
    assert roles_of("li") == {("quality", "elevator1"), ("manager", "elevator1"), ("viewer", None)}
    assert ExternalIdentity.objects.get().person.username == "li"


@pytest.mark.parametrize(("creates", "status"), [("mapped", 403), ("never", 403), ("always", 302)])
def test_whoever_comes_for_the_first_time_without_a_group_meets_the_policy(configure, provider_url, creates, status):
    configure(roles=ROLES, creates=creates)
    somebody(provider_url, f"s-{creates}", preferred_username="guest", groups=[])
    before = AuditRecord.objects.count()
    assert come_in(Client(), f"s-{creates}").status_code == status
    assert Person.objects.filter(username="guest").exists() is (status == 302)
    if status == 403:
        assert (AuditRecord.objects.count(), Session.objects.count()) == (before, 0)


def test_an_account_of_the_same_name_is_not_taken_over(configure, provider_url):
    a_person("ana")
    somebody(provider_url, "s-3", preferred_username="ANA", groups=["floor"])
    configure(roles=ROLES)
    assert come_in(Client(), "s-3").status_code == 403
    assert not ExternalIdentity.objects.exists()
    configure(roles=ROLES, links_by_username=True)
    assert come_in(Client(), "s-3").status_code == 302
    assert ExternalIdentity.objects.get().person.username == "ana"


def test_who_was_deactivated_here_stays_out(configure, provider_url):
    a_site()
    configure(roles=ROLES)
    somebody(provider_url, "s-4", preferred_username="gone", groups=["floor"])
    come_in(Client(), "s-4")
    Person.objects.filter(username="gone").update(is_active=False)
    client = Client()
    assert come_in(client, "s-4").status_code == 403
    assert client.get("/account").status_code == 302


def test_an_answer_of_another_attempt_or_browser_is_refused(configure, provider_url):
    configure(roles=ROLES)
    somebody(provider_url, "s-5", preferred_username="zhou", groups=["floor"])
    mine, other = Client(), Client()
    left = mine.get("/sign-in/oidc")
    back = urlsplit(httpx.post(left["Location"], data={"sub": "s-5"}).headers["location"])
    assert other.get(f"{back.path}?{back.query}").status_code == 403
    assert mine.get(f"{back.path}?code=x&state=forged").status_code == 403
    assert mine.get(f"{back.path}?error=access_denied&state={parse_qs(back.query)['state'][0]}").status_code == 403
    assert not Person.objects.filter(username="zhou").exists()
    assert not Session.objects.exists()


def test_the_way_back_leads_to_this_host_only(configure, provider_url):
    a_site()
    configure(roles=ROLES)
    somebody(provider_url, "s-6", preferred_username="qian", groups=["floor"])
    assert come_in(Client(), "s-6", wanted="https://evil.example/")["Location"] == "/"


def test_signing_out_leads_to_the_providers_own_signing_out(configure, provider_url):
    a_site()
    configure(roles=ROLES)
    somebody(provider_url, "s-7", preferred_username="sun", groups=["floor"])
    client = Client()
    come_in(client, "s-7")
    answer = client.post("/sign-out")
    assert answer["Location"] == "/signed-out"
    page = client.get("/signed-out").content.decode()
    described = httpx.get(f"{provider_url}/.well-known/openid-configuration").json()
    if "end_session_endpoint" in described:
        assert described["end_session_endpoint"] in page
    assert client.get("/account").status_code == 302


def test_a_local_administrator_comes_in_when_the_provider_is_away(configure):
    a_person("lin")
    configure(issuer=f"http://127.0.0.1:{free_port()}", roles=ROLES)
    client = Client()
    assert client.get("/sign-in/oidc").status_code == 403
    page = client.get("/sign-in")
    assert page.status_code == 200
    assert b"/sign-in/oidc" in page.content
    assert client.post("/sign-in", {"username": "lin", "password": PASSWORD}).status_code == 302


def test_without_settings_there_is_no_single_sign_on(monkeypatch, tmp_path):
    environment = settings.ENVIRONMENT
    values = {name: getattr(environment, name) for name in environment.__slots__} | {"data_dir": tmp_path}
    monkeypatch.setattr(settings, "ENVIRONMENT", type(environment)(**values))
    assert single_sign_on.provider() is None
    assert Client().get("/sign-in/oidc").status_code == 404
    assert Client().get("/sign-in/oidc/return?code=x&state=y").status_code == 404
    assert b"/sign-in/oidc" not in Client().get("/sign-in").content


def test_settings_that_cannot_be_used_are_logged_once_and_told_to_administrators(monkeypatch, tmp_path, caplog):
    environment = settings.ENVIRONMENT
    replaced = {name: getattr(environment, name) for name in environment.__slots__} | {"data_dir": tmp_path}
    monkeypatch.setattr(settings, "ENVIRONMENT", type(environment)(**replaced))
    monkeypatch.setattr(single_sign_on, "_told", "")
    file = tmp_path / "oidc.json"
    file.write_text("{broken")
    for _ in range(2):
        assert b"/sign-in/oidc" not in Client().get("/sign-in").content
    (told,) = [record for record in caplog.records if record.name == "yuheng.people.single_sign_on"]
    assert "Single sign-on is off" in told.message
    assert "oidc.json cannot be read" in told.message
    issuer, complaint = state_of(tmp_path)
    assert not issuer
    assert "oidc.json cannot be read" in complaint
    file.write_text(json.dumps({"issuer": "https://id.example", "client_id": "yuheng"}))
    assert state_of(tmp_path) == ("https://id.example", "")
