"""Short-lived, signed permission to listen to the live streams; read by the hub without the database."""

from __future__ import annotations

import time

from django.core import signing

from yuheng.kernel.actor import Actor
from yuheng.web.live.stream import BadToken, Grant

LIFETIME_S = 600
"""How long somebody who lost their rights may still listen."""
_SALT = "yuheng.web.live"


def make_token(actor: Actor) -> str:
    """Return a token for the sites where the actor may see telemetry, those of alarms, and those of orders."""
    body = {
        name: None if sites is None else sorted(sites)
        for name, sites in (
            ("sites", actor.site_ids_with("telemetry.view")),
            ("alarms", actor.site_ids_with("alarms.view")),
            ("orders", actor.site_ids_with("operations.view")),
        )
    }
    return signing.dumps(body, salt=_SALT, compress=True)


def read_token(token: str) -> Grant:
    """Return what the token allows.

    Raises
    ------
    BadToken
        It is not ours, or older than `LIFETIME_S`.
    """
    try:
        body = signing.loads(token, salt=_SALT, max_age=LIFETIME_S)
    except signing.BadSignature:
        raise BadToken("Sign in again: the permission to listen has expired.") from None
    sites, alarms, orders = (
        None if found is None else frozenset(found)
        for found in (body["sites"], body["alarms"], body.get("orders", ()))  # one issued before orders had none
    )
    return Grant(sites, _issued_at(token) + LIFETIME_S, alarms, orders)


def _issued_at(token: str) -> float:
    """Return when a verified token was signed, seconds since the epoch (1 s resolution)."""
    return float(min(signing.b62_decode(token.rsplit(":", 2)[1]), int(time.time())))
