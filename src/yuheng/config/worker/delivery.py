"""Delivering notifications: mail by SMTP, webhooks by signed POST. Blocking: call it in a thread of its own."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import smtplib
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

import httpx

from yuheng.alarms.services.outgoing import Outgoing

TIMEOUT_S = 10.0
SIGNATURE_HEADER = "Yuheng-Signature"


class NotDelivered(Exception):
    """The message did not arrive; the sentence says why, without any secret."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail goes out, from the environment."""

    host: str
    port: int
    user: str
    password: str
    sender: str
    security: str  # "starttls", "tls" or "none"

    @classmethod
    def read(cls, environment: Mapping[str, str] | None = None) -> MailServer | None:
        """Read ``YUHENG_SMTP_*``; None when no server is named."""
        given = os.environ if environment is None else environment
        host = given.get("YUHENG_SMTP_HOST", "")
        if not host:
            return None
        security = given.get("YUHENG_SMTP_SECURITY", "starttls")
        port = int(given.get("YUHENG_SMTP_PORT", "") or {"tls": 465, "none": 25}.get(security, 587))
        user = given.get("YUHENG_SMTP_USER", "")
        sender = given.get("YUHENG_SMTP_FROM", "") or user or f"yuheng@{host}"
        return cls(host, port, user, given.get("YUHENG_SMTP_PASSWORD", ""), sender, security)


def deliver(message: Outgoing, server: MailServer | None) -> None:
    """Deliver one message. Raises `NotDelivered`."""
    if message.kind == "mail":
        if server is None:
            raise NotDelivered("No mail server is configured: set YUHENG_SMTP_HOST.")
        _send_mail(message, server)
    else:
        post(message.id, message.url, message.secret, message.payload)


def _send_mail(message: Outgoing, server: MailServer) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = server.sender, message.recipient, message.subject.replace("\n", " ")
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(f"yuheng-{message.id}", domain="yuheng.invalid")
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.body)
    try:
        with _connected(server) as smtp:
            smtp.send_message(mail)
    except (smtplib.SMTPException, OSError, ssl.SSLError) as error:
        raise NotDelivered(_reason(error)) from error


def _connected(server: MailServer) -> smtplib.SMTP:
    context = ssl.create_default_context()
    smtp: smtplib.SMTP
    if server.security == "tls":
        smtp = smtplib.SMTP_SSL(server.host, server.port, timeout=TIMEOUT_S, context=context)
    else:
        smtp = smtplib.SMTP(server.host, server.port, timeout=TIMEOUT_S)
    try:
        if server.security == "starttls":
            smtp.starttls(context=context)
        if server.user:
            smtp.login(server.user, server.password)
    except BaseException:
        smtp.close()
        raise
    return smtp


def _reason(error: Exception) -> str:
    if isinstance(error, smtplib.SMTPAuthenticationError):
        return "The mail server refuses user and password."
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return "The mail server refuses the recipient."
    if isinstance(error, smtplib.SMTPResponseException):
        return f"The mail server answers {error.smtp_code}."
    return f"The mail server cannot be used: {type(error).__name__}: {error}"


def signature(secret: str, stamp: int, body: bytes) -> str:
    """Return what the receiver recomputes: HMAC-SHA256 over ``<stamp>.<body>``, with the stamp, seconds since 1970."""
    digest = hmac.new(secret.encode(), b"%d.%s" % (stamp, body), hashlib.sha256).hexdigest()
    return f"t={stamp},v1={digest}"


def post(delivery_id: int, url: str, secret: str, payload: Mapping[str, Any]) -> None:
    """Post a signed JSON document to a webhook. Raises `NotDelivered`."""
    body = json.dumps(payload, ensure_ascii=False).encode()
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Yuheng",
        "Yuheng-Delivery": str(delivery_id),
        SIGNATURE_HEADER: signature(secret, int(time.time()), body),
    }
    try:
        answer = httpx.post(
            url, content=body, headers=headers, timeout=TIMEOUT_S, follow_redirects=False, trust_env=False
        )
    except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
        raise NotDelivered(f"The webhook cannot be reached: {type(error).__name__}") from error
    if not 200 <= answer.status_code < 300:
        raise NotDelivered(f"The webhook answers {answer.status_code}.")
