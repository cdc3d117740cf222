"""Who is told: channels, rules with steps by shift, and the log, on pages."""

from html import unescape

import pytest
from django.test import Client

from yuheng.alarms.models import NotificationChannel, NotificationMessage, NotificationRule
from yuheng.alarms.rules import ChannelKind, MessageState
from yuheng.alarms.services.notifications import send_test, write_channel
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_person, a_site

pytestmark = pytest.mark.django_db
HOME = "/alarms/notifications"


@pytest.fixture
def wei() -> Client:
    client = Client(headers={"accept-language": "en"})
    client.force_login(a_person("wei", role="engineer", site=a_site()))
    return client


def a_channel(code="mail", kind=ChannelKind.MAIL, url="") -> NotificationChannel:
    return write_channel(actor=SYSTEM, site_id=a_site().pk, code=code, kind=kind, url=url, at=SHIFT_START)


def a_rule_form(**more):
    return {
        "code": "night",
        "name_zh": "夜间",
        "name_en": "Night",
        "is_enabled": "on",
        "priorities": ["1", "2"],
        "after_min": ["0", "10", ""],
        "channel": ["mail", "mail", ""],
        "language": ["zh", "en", "zh"],
        "recipients": ["day: a@plant.cn, b@plant.cn\nchief@plant.cn", "boss@plant.cn", ""],
        **more,
    }


def text(answer, status=200) -> str:
    assert answer.status_code == status, answer.content[:400]
    return unescape(answer.content.decode())


def test_a_channel_is_made_and_tested_and_its_secret_is_never_shown(wei):
    given = {"code": "hook", "kind": "webhook", "url": "https://hook.example/a", "secret": "very-secret-words"}
    assert wei.post(f"{HOME}/channels", {**given, "is_enabled": "on"}).status_code == 302
    channel = NotificationChannel.objects.get()
    assert wei.post(f"{HOME}/channels/{channel.pk}", {"action": "test"}).status_code == 302
    page = text(wei.get(HOME))
    assert "https://hook.example/a" in page
    assert "very-secret-words" not in page
    assert NotificationMessage.objects.get().is_test
    assert "Waiting" in page


@pytest.mark.parametrize(
    "given",
    [{"code": "hook", "kind": "webhook", "url": "ftp://x"}, {"code": "a b", "kind": "mail"}, {"kind": "pigeon"}],
)
def test_a_channel_that_cannot_work_is_refused_with_its_sentence(wei, given):
    assert "error-summary" in text(wei.post(f"{HOME}/channels", given), 422)
    assert not NotificationChannel.objects.exists()


def test_a_mail_test_needs_an_address(wei):
    channel = a_channel()
    assert "Give a mail address." in text(wei.post(f"{HOME}/channels/{channel.pk}", {"action": "test"}), 422)
    assert not NotificationMessage.objects.exists()


def test_a_rule_keeps_its_steps_and_shifts_through_the_form(wei):
    a_channel()
    assert wei.post(f"{HOME}/rules/new", a_rule_form()).status_code == 302
    row = NotificationRule.objects.get()
    assert [step["after_min"] for step in row.steps] == [0.0, 10.0]
    assert row.steps[0]["recipients"] == [
        {"shift": "day", "to": ["a@plant.cn", "b@plant.cn"]},
        {"shift": "", "to": ["chief@plant.cn"]},
    ]
    page = text(wei.get(f"{HOME}/rules/{row.pk}"))
    assert "day: a@plant.cn, b@plant.cn\nchief@plant.cn" in page
    assert "Night" in text(wei.get(HOME))


@pytest.mark.parametrize(
    "more", [{"after_min": ["soon", "1", ""]}, {"channel": ["pigeon", "", ""]}, {"recipients": ["", "", ""]}]
)
def test_a_rule_that_would_tell_nobody_is_refused_and_stays_as_typed(wei, more):
    a_channel()
    page = text(wei.post(f"{HOME}/rules/new", a_rule_form(**more)), 422)
    assert 'value="night"' in page
    assert not NotificationRule.objects.exists()


def test_what_was_given_up_is_tried_again(wei):
    row = send_test(actor=SYSTEM, channel_id=a_channel().pk, recipient="a@plant.cn", at=SHIFT_START)
    NotificationMessage.objects.filter(pk=row.pk).update(state=MessageState.DEAD.value, last_error="no route")
    assert "no route" in text(wei.get(f"{HOME}?state=dead"))
    assert wei.post(f"{HOME}/retry", {"message": [row.pk]}).status_code == 302
    assert NotificationMessage.objects.get().state == MessageState.WAITING.value
    text(wei.post(f"{HOME}/retry", {}), 422)


def test_removing_leaves_the_log(wei):
    channel = a_channel()
    wei.post(f"{HOME}/rules/new", a_rule_form())
    rule = NotificationRule.objects.get()
    assert wei.post(f"{HOME}/rules/{rule.pk}", {"action": "remove"}).status_code == 302
    assert not NotificationRule.objects.exists()
    assert wei.post(f"{HOME}/channels/{channel.pk}", {"action": "remove"}).status_code == 302
    assert not NotificationChannel.objects.exists()


def test_who_does_not_engineer_alarms_sees_no_notifications():
    looker = Client()
    looker.force_login(a_person("vera", role="viewer", site=a_site()))
    assert looker.get(HOME).status_code == 403
    assert "/alarms/notifications" not in text(looker.get("/alarms/"))


def test_a_rule_without_steps_is_refused_and_one_that_has_none_left_can_be_seen(wei):
    address = f"/api/v1/alarms/notification-rules/{a_site().pk}/usual"
    rule = {"name_zh": "通知", "name_en": "Usual", "steps": []}
    answer = wei.put(address, rule, content_type="application/json")
    assert answer.status_code == 422
    assert answer.json()["detail"]
    left = {"name_zh": "旧", "name_en": "Old", "steps": [], "changed_at": SHIFT_START}
    NotificationRule.objects.create(site=a_site(), code="old", **left)
    answer = wei.get("/api/v1/alarms/notification-rules", {"site_id": a_site().pk})
    assert answer.status_code == 200
    assert [(row["code"], row["steps"]) for row in answer.json()] == [("old", [])]
