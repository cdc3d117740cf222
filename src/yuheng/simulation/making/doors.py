"""Yuheng's doors as an ERP system and a tablet use them: HTTP, nothing else."""

from __future__ import annotations

import logging
import ssl
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx

log = logging.getLogger(__name__)

Json = dict[str, Any]

MOST_ACTIONS = 90
"""Of one report; the terminal's own limit is 100."""


class DoorClosed(Exception):
    """Yuheng does not answer now: try again later."""


class Refused(Exception):
    """Yuheng said no, with this sentence."""


class Web:
    """The web server.

    Parameters
    ----------
    url
        Of the installation, e.g. ``http://127.0.0.1:8000``.
    token
        Of the account through which orders and deliveries come.
    certificate
        File with the certificate that answers; "" without TLS.
    """

    def __init__(self, url: str, token: str, certificate: str = "") -> None:
        self._token = token
        self.csrf = ""
        self._http = httpx.AsyncClient(
            base_url=url, timeout=30.0, verify=_trusting(certificate) if certificate else True,
            limits=httpx.Limits(max_connections=4, max_keepalive_connections=2),
        )  # fmt: skip
        self._url = url

    async def ask(self, address: str, **query: Any) -> Any:
        """Ask the REST API, below ``/api/v1``."""
        return await self._send("GET", f"/api/v1{address}", params=query, headers=self._bearer())

    async def tell(self, address: str, body: Mapping[str, Any], *, method: str = "POST") -> Any:
        """Tell the REST API something."""
        return await self._send(method, f"/api/v1{address}", json=dict(body), headers=self._bearer())

    async def as_tablet(self, key: str, address: str, body: Mapping[str, Any] | None = None, **query: Any) -> Any:
        """Ask (without a body) or tell the terminal's API, as the tablet with this key in its cookie."""
        cookies = {"yuheng_terminal": key, "csrftoken": self.csrf}
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items() if value)}
        if body is None:
            return await self._send("GET", f"/terminal/{address}", params=query, headers=headers)
        headers |= {"X-CSRFToken": self.csrf, "Referer": f"{self._url}/terminal/"}
        return await self._send("POST", f"/terminal/{address}", json=dict(body), headers=headers)

    async def close(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    def _bearer(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    async def _send(self, method: str, address: str, **more: Any) -> Any:
        try:
            answer = await self._http.request(method, address, **more)
        except httpx.HTTPError as error:
            raise DoorClosed(str(error)) from error
        finally:
            self._http.cookies.clear()  # every tablet has its own
        self.csrf = answer.cookies.get("csrftoken") or self.csrf
        if answer.status_code >= 500 or answer.status_code == 429:
            raise DoorClosed(f"{answer.status_code} at {address}")
        found = answer.json() if answer.content else None
        if answer.status_code >= 400:
            raise Refused(str(found.get("detail") if isinstance(found, dict) else found)[:300])
        return found


def _trusting(certificate: str) -> ssl.SSLContext:
    """Trust exactly the installation's own certificate, whatever names it was made for."""
    context = ssl.create_default_context(cafile=certificate)
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.check_hostname = False
    return context


@dataclass(slots=True)
class Tablet:
    """The tablet of one station: it numbers what people do, keeps it while there is no network, and sends it in order.

    Attributes
    ----------
    is_offline
        Nothing goes out; what people do is kept.
    """

    web: Web
    key: str
    is_offline: bool = False
    stream: str = field(default_factory=lambda: str(uuid.uuid4()))
    _count: int = 0
    _waiting: list[Json] = field(default_factory=list)

    @property
    def kept(self) -> int:
        """How many actions wait to be sent."""
        return len(self._waiting)

    def note(self, kind: str, session: str, at: float, job: int | None = None, /, **payload: Any) -> str:
        """Keep one thing somebody did at ``at`` (seconds since 1970); return its id."""
        self._count += 1
        action_id = str(uuid.uuid4())
        self._waiting.append(
            {
                "id": action_id, "sequence": self._count, "kind": kind, "at_ms": int(at * 1000), "session": session,
                "job": job, "payload": payload,
            }
        )  # fmt: skip
        return action_id

    async def send(self) -> dict[str, str]:
        """Send what is kept; return action -> its sentence where it was refused, "" where it was accepted.

        Raises
        ------
        DoorClosed
            Nothing is lost: it is sent with the next.
        """
        answers: dict[str, str] = {}
        while self._waiting and not self.is_offline:
            if not self.web.csrf:  # a browser has it from its first page
                await self.picture()
            part = self._waiting[:MOST_ACTIONS]
            said = await self.web.as_tablet(self.key, "merge", {"stream": self.stream, "actions": part})
            for one in said["answers"]:
                answers[one["id"]] = "" if one["status"] in ("applied", "already") else one["sentence"] or one["status"]
            taken = said["last_sequence"]
            self._waiting = [one for one in self._waiting if one["sequence"] > taken]
            if taken < part[-1]["sequence"]:
                raise DoorClosed("The terminal's stream was not taken whole.")
        return answers

    async def picture(self) -> Json:
        """Return what the station looks like now."""
        found: Json = await self.web.as_tablet(self.key, "snapshot", stream=self.stream)
        return found
