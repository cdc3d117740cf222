"""Every address and every operation, as somebody who may not: nothing is shown, nothing breaks, nothing is written.

The addresses are asked from Django and the operations from the API, so a new one is covered by being there. A new
kind of parameter fails `test_the_walk_knows_a_value_for_every_parameter` until `plant.a_secret_plant` makes one.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db.models import Q
from django.test import Client

from tests.security.plant import SECRET, SecretPlant, a_secret_plant
from tests.security.routes import Operation, all_operations, all_routes
from yuheng.kernel.models import AuditRecord, OutboxEvent
from yuheng.people.models import Person, Role, RoleAssignment
from yuheng.testing.builders import a_person

pytestmark = pytest.mark.django_db

ROUTES = all_routes()
OPERATIONS = all_operations()
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
NAME_NOTHING = {"document_kind"}
"""Parameters that are no thing of a plant: which document of one's own site is asked for."""
TURNED_AWAY = {401, 403, 404, 405}
TABLET_ROUTES = ("page", "worker", "pair", "snapshot", "merge", "station", "sign_in", "documents", "document")
"""They answer to a registered tablet's cookie; `test_only_a_registered_tablet_is_answered` asks without one."""

OWN_THINGS = ("people.signed", "people.preferences", "people.password", "people.token")


@pytest.fixture
def plant() -> SecretPlant:
    return a_secret_plant()


def _client(person: Person | None = None) -> Client:
    client = Client(raise_request_exception=False)
    if person is not None:
        client.force_login(person)
    return client


class Visitor:
    """One person's client, signed in once, and again only after an address that signed them out."""

    def __init__(self, person: Person) -> None:
        self.person, self.client = person, _client(person)

    def ask(self, method: str, path: str) -> Any:
        answer = self.client.generic(method, path)
        if settings.SESSION_COOKIE_NAME in answer.cookies:
            self.client = _client(self.person)
        return answer


def _text(answer: Any) -> str:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode("utf-8", "replace") + "".join(f"{name}: {value}\n" for name, value in answer.headers.items())


def _beyond_what_was_sent(answer: Any, path: str) -> str:
    """The answer without the address that was asked for: repeating it (``next=``, a form's target) tells nothing."""
    text = _text(answer)
    for spelling in (path, path.replace("/", "%2F")):
        text = text.replace(spelling, "")
    return text


def test_the_walk_finds_the_pages_and_the_api():
    names = {route.name for route in ROUTES}
    assert {"people:people", "equipment:site", "web:home", "people:audit"} <= names
    assert len(ROUTES) > 50
    assert len(OPERATIONS) > 20


def test_the_walk_knows_a_value_for_every_parameter(plant):
    unknown = {name for route in ROUTES for name in route.parameters} - set(plant.values)
    assert not unknown, f"Let a_secret_plant() make a value for: {unknown}"


def test_only_a_few_routes_are_public():
    public = {route.name for route in ROUTES} & settings.PUBLIC_ROUTES
    oidc = {"people:oidc_leave", "people:oidc_return", "people:signed_out"}
    tablets = {f"terminal:{name}" for name in TABLET_ROUTES}
    assert (
        public
        == {"people:sign_in", "people:impersonate", "web:preferences", "web:ca", "web:ca_file"}
        | {"web:terminal_live"}
        | oidc
        | tablets
    )


def test_the_walk_would_notice_a_leak(plant):
    """The negative control: who may see the plant does see its names."""
    chief = _client(Person.objects.get(username=f"{SECRET}chief"))
    answer = chief.get(f"/equipment/sites/{plant.site.pk}")
    assert answer.status_code == 200
    assert SECRET in _beyond_what_was_sent(answer, "")


# ---- anonymous ----------------------------------------------------------------------------------------------------


def test_the_anonymous_are_turned_away_from_everything_that_is_not_public(plant):
    wrong: list[object] = []
    for route in ROUTES:
        if route.name in settings.PUBLIC_ROUTES:
            continue
        path = route.path(plant.values)
        for method in METHODS:
            answer = _client().generic(method, path)
            is_sent_to_sign_in = answer.status_code == 302 and urlsplit(answer["Location"]).path == "/sign-in"
            is_turned_away = is_sent_to_sign_in or answer.status_code in TURNED_AWAY
            if not is_turned_away or SECRET in _beyond_what_was_sent(answer, path):
                wrong.append((method, path, answer.status_code))
    assert not wrong
    assert not Session.objects.exists()


def test_public_routes_tell_nothing_of_the_plant(plant):
    for route in ROUTES:
        if route.name in settings.PUBLIC_ROUTES:
            for method in METHODS:
                answer = _client().generic(method, route.path(plant.values))
                assert answer.status_code < 500
                assert SECRET not in _text(answer)


def test_only_a_registered_tablet_is_answered(plant):
    names = {f"terminal:{name}" for name in set(TABLET_ROUTES) - {"page", "worker", "pair"}}
    for name in names | {"web:terminal_live"}:
        route = next(one for one in ROUTES if one.name == name)
        for client in (_client(), _client(Person.objects.get(username=f"{SECRET}chief"))):
            client.cookies["yuheng_terminal"] = "yht_guessed"
            answers = [client.get(route.path(plant.values)), client.post(route.path(plant.values), "{}", "text/json")]
            assert {answer.status_code for answer in answers} <= {403, 405}, name


# ---- wrong site, wrong role ---------------------------------------------------------------------------------------


def _somebody(who: str, plant: SecretPlant) -> Person:
    if who == "of another site":
        return a_person("dora")
    Role.objects.create(code="nothing", name_zh="无", name_en="None", permissions=[])
    return a_person("nobody", role="nothing", site=plant.site)


def _events_not_of_others(site_id: int) -> int:
    """Count what was told, but for what somebody did at a site of their own: to plan it, say."""
    of_others = Q(payload__has_key="site_id") & ~Q(payload__site_id=site_id)
    return OutboxEvent.objects.exclude(of_others).count()


@pytest.mark.parametrize("who", ["of another site", "whose role allows nothing"])
def test_a_stranger_finds_nothing(who: str, plant):
    person = _somebody(who, plant)
    visitor = Visitor(person)
    before = (_events_not_of_others(plant.site.pk), RoleAssignment.objects.count())
    wrong: list[object] = []
    for route in ROUTES:
        path = route.path(plant.values)
        refusals = TURNED_AWAY | ({422} if path.startswith("/api/") else set())  # an empty body is read before all
        is_open = not set(route.parameters) - NAME_NOTHING or route.name in settings.PUBLIC_ROUTES
        for method in METHODS:
            answer = visitor.ask(method, path)
            is_fine = answer.status_code != 500 and (is_open or answer.status_code in refusals)
            if not is_fine or SECRET in _beyond_what_was_sent(answer, path):
                wrong.append((method, path, answer.status_code))
    assert not wrong
    assert (_events_not_of_others(plant.site.pk), RoleAssignment.objects.count()) == before


def test_somebody_who_may_only_look_changes_nothing(plant):
    person = a_person("viewer1", role="viewer", site=plant.site)
    visitor = Visitor(person)
    events, records = OutboxEvent.objects.count(), AuditRecord.objects.count()
    for route in ROUTES:
        path = route.path(plant.values)
        for method in METHODS[1:]:
            answer = visitor.ask(method, path)
            assert answer.status_code != 500, (method, path)
    assert OutboxEvent.objects.count() == events
    new = list(AuditRecord.objects.order_by("id").values_list("action", flat=True)[records:])
    assert all(action.startswith(OWN_THINGS) for action in new), new


# ---- operations of the API, with queries and bodies that name the plant's things ----------------------------------


def _call(client: Client, operation: Operation, plant: SecretPlant) -> Any:
    address, content = operation.address(plant.values), operation.content(plant.values)
    if operation.method == "GET":
        return client.get(address, operation.query(plant.values))
    query = {one["name"]: _example_of(one, plant) for one in operation.parameters if _is_needed(one)}
    address = f"{address}?{urlencode(query)}" if query else address
    return client.generic(operation.method, address, json.dumps(content), content_type="application/json")


def _is_needed(parameter: dict[str, Any]) -> bool:
    return bool(parameter["in"] == "query" and parameter.get("required"))


def _example_of(parameter: dict[str, Any], plant: SecretPlant) -> Any:
    return plant.values.get(parameter["name"], "x")


@pytest.mark.parametrize("who", ["anonymous", "of another site", "whose role allows nothing"])
def test_an_operation_shows_and_does_nothing_for_who_may_not(who: str, plant):
    client = _client(None if who == "anonymous" else _somebody(who, plant))
    events, records = OutboxEvent.objects.count(), AuditRecord.objects.count()
    wrong: list[object] = []
    for operation in OPERATIONS:
        answer = _call(client, operation, plant)
        is_fine = answer.status_code == 401 if who == "anonymous" else answer.status_code < 500
        if not is_fine or SECRET in _text(answer):
            wrong.append((operation.method, operation.path, answer.status_code, answer.content[:200]))
    assert not wrong
    assert (OutboxEvent.objects.count(), AuditRecord.objects.count()) == (events, records)


def _is_about_the_shape(content: bytes) -> bool:
    """Return whether the API could not read the request, rather than refused what it says."""
    return json.loads(content).get("detail") in {"请求的格式不符合说明。", "The request is not built as described."}


def test_the_requests_made_for_operations_are_ones_that_the_api_reads(plant):
    """Otherwise a refusal would say nothing: they must get past the reading for somebody who may do all."""
    chief = _client(Person.objects.get(username=f"{SECRET}chief"))
    answers = {f"{one.method} {one.path}": _call(chief, one, plant) for one in OPERATIONS}
    unread = {name: answer.content for name, answer in answers.items() if answer.status_code == 422}
    assert not [name for name, content in unread.items() if _is_about_the_shape(content)], unread
