"""Who is told what and when: one message a root, escalation by shift, quiet while hidden, tried again, given up."""

import hashlib
import hmac
import json
from datetime import timedelta

import pytest

from yuheng.alarms.models import Alarm, NotificationMessage
from yuheng.alarms.rules import MAX_ATTEMPTS, ChannelKind
from yuheng.alarms.selectors import notifications as selectors
from yuheng.alarms.services import notifications, operate
from yuheng.alarms.services.facts import apply_facts
from yuheng.alarms.services.outgoing import note_failed, note_sent, plan_messages, take_due
from yuheng.alarms.tests.test_facts import a_definition, a_fact, a_unit, now
from yuheng.config.worker.delivery import MailServer, NotDelivered, deliver
from yuheng.engines.alarms.vocabulary import Priority
from yuheng.equipment.models import Shift, ShiftCalendar
from yuheng.kernel.errors import InvalidInput, PermissionRefused
from yuheng.testing.builders import SHIFT_START, SYSTEM, a_site, an_actor, an_actor_with
from yuheng.testing.receivers import mail_server, web_server

pytestmark = pytest.mark.django_db


def a_mail_channel():
    return notifications.write_channel(
        actor=SYSTEM, site_id=a_site().pk, code="mail", kind=ChannelKind.MAIL, at=SHIFT_START
    )


def a_rule(steps, **fields):
    given = {"code": "usual", "name_zh": "通知", "name_en": "Usual", **fields}
    return notifications.write_rule(actor=SYSTEM, site_id=a_site().pk, steps=steps, at=SHIFT_START, **given)


def a_step(*to, after_min=0, shift="", **fields):
    return {"after_min": after_min, "channel": "mail", "recipients": [{"shift": shift, "to": list(to)}], **fields}


def shifts():
    calendar = ShiftCalendar.objects.create(site=a_site(), code="c", name_zh="c", name_en="c", is_site_default=True)
    for code, start, end in (("day", "08:00", "20:00"), ("night", "20:00", "08:00")):
        Shift.objects.create(
            calendar=calendar, code=code, name_zh=code, name_en=code, start=start, end=end, weekdays=list(range(1, 8))
        )


def recipients():
    return list(NotificationMessage.objects.order_by("id").values_list("recipient", flat=True))


def test_a_root_is_told_once_and_what_is_grouped_under_it_never():
    a_mail_channel()
    a_rule([a_step("ana@example.org")])
    unit = a_unit()
    root, child = a_definition("no-air"), a_definition("clamp", parent_code="no-air")
    apply_facts([a_fact(root, unit), a_fact(child, unit, t=1)], at=now(1))

    assert plan_messages(at=now(2)) == 1
    assert plan_messages(at=now(3)) == 0
    assert NotificationMessage.objects.get().episode.alarm.definition == root


def test_the_next_step_comes_when_nobody_has_acknowledged_by_then_and_goes_to_the_shift_that_runs():
    a_mail_channel()
    shifts()
    day_and_night = [{"shift": "day", "to": ["day@example.org"]}, {"shift": "night", "to": ["night@example.org"]}]
    a_rule([a_step("ana@example.org"), {"after_min": 10, "channel": "mail", "recipients": day_and_night}])
    first, second = a_definition(), a_definition("other")
    unit = a_unit()
    apply_facts([a_fact(first, unit), a_fact(second, unit, t=1)], at=now(1))
    plan_messages(at=now(2))
    operate.acknowledge(actor=an_actor(), alarm_ids=[Alarm.objects.get(definition=second).pk], at=now(30))
    plan_messages(at=now(599))
    assert recipients() == ["ana@example.org"] * 2
    plan_messages(at=now(605))
    assert recipients()[2:] == ["day@example.org"]
    (told,) = NotificationMessage.objects.filter(step=1)
    assert told.episode.alarm.definition == first
    assert "还没有人确认" in told.body or "Nobody has acknowledged" in told.body


def test_hidden_and_unwanted_alarms_are_not_told():
    a_mail_channel()
    a_rule([a_step("ana@example.org")], priorities=[1, 2])
    unit = a_unit()
    apply_facts([a_fact(a_definition("small", priority=Priority.LOW), unit)], at=now())
    high = a_definition("high", priority=Priority.HIGH)
    apply_facts([a_fact(high, unit, t=1)], at=now(1))
    pk = Alarm.objects.get(definition=high).pk
    operate.shelve(actor=SYSTEM, alarm_ids=[pk], reason="cleaning", at=now(2), until=now(600))
    assert plan_messages(at=now(3)) == 0
    operate.unshelve(actor=SYSTEM, alarm_ids=[pk], at=now(4))
    assert plan_messages(at=now(5)) == 1


def test_mail_arrives_in_the_language_of_the_step():
    a_mail_channel()
    a_rule([a_step("ana@example.org", language="en"), a_step("lin@example.org")])
    definition = a_definition(guidance_zh="关闭加热", guidance_en="Shut the heater")
    apply_facts([a_fact(definition, a_unit())], at=now())
    plan_messages(at=now(1))
    with mail_server() as box:
        server = MailServer("127.0.0.1", box.port, "", "", "yuheng@example.org", "none")
        for message in take_due(at=now(1)):
            deliver(message, server)
            note_sent(message_id=message.id, at=now(2))
    assert sorted(box.recipients) == ["ana@example.org", "lin@example.org"]
    english = next(mail for mail in box.mails if mail["To"] == "ana@example.org")
    assert english["Subject"] == "[Medium] L01 Hot"
    assert "What to do: Shut the heater" in english.get_content()
    chinese = next(mail for mail in box.mails if mail["To"] == "lin@example.org")
    assert "关闭加热" in chinese.get_content()
    assert take_due(at=now(9999)) == []


def test_a_webhook_is_signed():
    with web_server() as hook:
        row = notifications.write_channel(
            actor=SYSTEM, site_id=a_site().pk, code="hook", kind=ChannelKind.WEBHOOK, url=hook.url, at=SHIFT_START
        )
        a_rule([{"channel": "hook"}])
        apply_facts([a_fact(a_definition(), a_unit(), value=81.5)], at=now())
        plan_messages(at=now(1))
        (message,) = take_due(at=now(1))
        deliver(message, None)
    ((headers, body),) = hook.requests
    stamp, digest = (part.split("=")[1] for part in headers["Yuheng-Signature"].split(","))
    assert digest == hmac.new(row.secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()
    told = json.loads(body)
    assert (told["alarm"]["code"], told["alarm"]["value"], told["alarm"]["work_unit"]) == ("hot", "81.5", "L01")
    assert row.secret not in body.decode()


def test_what_fails_is_tried_again_later_and_later_then_given_up_and_can_be_revived():
    a_mail_channel()
    a_rule([a_step("ana@example.org")])
    apply_facts([a_fact(a_definition(), a_unit())], at=now())
    plan_messages(at=now(1))
    at, waits = now(1), []
    with mail_server() as box:
        box.refuses = True
        server = MailServer("127.0.0.1", box.port, "", "", "yuheng@example.org", "none")
        for _ in range(MAX_ATTEMPTS):
            (message,) = take_due(at=at)
            with pytest.raises(NotDelivered) as refusal:
                deliver(message, server)
            note_failed(message_id=message.id, error=str(refusal.value), at=at)
            row = NotificationMessage.objects.get()
            waits.append((row.next_at - at).total_seconds())
            assert take_due(at=at) == []
            at = row.next_at
    assert waits[:4] == [5.0, 10.0, 20.0, 40.0]
    (row,) = selectors.messages(actor=SYSTEM, site_id=a_site().pk, state="dead")
    assert row.last_error == "The mail server refuses the recipient."
    assert notifications.retry_dead(actor=SYSTEM, message_ids=[row.id], at=at) == 1
    assert len(take_due(at=at)) == 1


def test_without_a_mail_server_the_log_says_so():
    channel = a_mail_channel()
    notifications.send_test(actor=SYSTEM, channel_id=channel.pk, recipient="ana@example.org", at=SHIFT_START)
    (message,) = take_due(at=SHIFT_START + timedelta(seconds=1))
    with pytest.raises(NotDelivered, match="YUHENG_SMTP_HOST"):
        deliver(message, MailServer.read({}))


def test_a_rule_that_could_tell_nobody_is_refused():
    a_mail_channel()
    with pytest.raises(InvalidInput) as refusal:
        a_rule([a_step("not an address"), {"channel": "nowhere"}])
    assert set(refusal.value.fields) == {"steps.0.recipients", "steps.1.channel"}
    with pytest.raises(PermissionRefused):
        notifications.write_channel(
            actor=an_actor_with("alarms.view"),
            site_id=a_site().pk,
            code="mail",
            kind=ChannelKind.MAIL,
            at=SHIFT_START,
        )


def test_the_secret_of_a_channel_is_never_shown():
    notifications.write_channel(
        actor=SYSTEM,
        site_id=a_site().pk,
        code="hook",
        kind=ChannelKind.WEBHOOK,
        url="https://example.org/x",
        secret="very-secret-words",
        at=SHIFT_START,
    )
    (row,) = selectors.channels(actor=SYSTEM, site_id=a_site().pk)
    assert row.has_secret
    assert "very-secret-words" not in repr(row)
