"""Connecting a device in one step: a data source, a credential, and commands to paste."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import InvalidInput
from yuheng.telemetry.rules import is_username
from yuheng.telemetry.services.devices import issue_device
from yuheng.telemetry.services.sources import create_source

MQTT_JSON, SPARKPLUG, HTTP = "mqtt_json", "sparkplug_b", "http"
CA_FILE = "yuheng-ca.crt"
"""What the page ``/ca`` hands out."""
_SAFE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-/#+"


@dataclass(frozen=True, slots=True)
class Command:
    """Something to paste into a shell."""

    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Connected:
    """A new source with its device. The password is shown this once."""

    source_id: int
    source_code: str
    device_id: int
    username: str
    protocol: str
    topic: str
    password: str = field(repr=False)
    host: str = "127.0.0.1"
    mqtt_port: int = 1883
    http_port: int = 8080
    has_tls: bool = False
    has_mqtt_tls: bool = False

    def commands(self, quote: Callable[[str], str]) -> list[Command]:
        """Return ready commands; ``quote`` protects what a shell would read as its own."""
        if self.protocol == HTTP:
            return self._http(quote)
        if self.protocol == SPARKPLUG:
            return self._sparkplug(quote)
        return self._mqtt(quote)

    def _login(self, quote: Callable[[str], str]) -> str:
        trust = f"--cafile {CA_FILE} " if self.has_mqtt_tls else ""
        return f"-h {self.host} -p {self.mqtt_port} {trust}-u {quote(self.username)} -P {quote(self.password)}"

    def _mqtt(self, quote: Callable[[str], str]) -> list[Command]:
        topic = self.topic.removesuffix("/#").replace("+", "demo") or self.topic
        payload = '{"values": {"temperature": 21.5}}'
        trust = f', tls={{"ca_certs": "{CA_FILE}"}}' if self.has_mqtt_tls else ""
        paho = (
            "python3 -c 'import paho.mqtt.publish as p; "
            f'p.single("{topic}", """{payload}""", qos=1, hostname="{self.host}", port={self.mqtt_port}, '
            f'auth={{"username": "{self.username}", "password": "{self.password}"}}{trust})\''
        )
        return [
            Command("mosquitto_pub", f"mosquitto_pub {self._login(quote)} -q 1 -t {quote(topic)} -m {quote(payload)}"),
            Command("paho-mqtt", paho),
        ]

    def _sparkplug(self, quote: Callable[[str], str]) -> list[Command]:
        return [
            Command(
                _("Settings of the edge node"),
                f"host={self.host} port={self.mqtt_port} user={self.username} password={self.password} "
                f"topics={self.topic}" + (f" tls ca={CA_FILE}" if self.has_mqtt_tls else ""),
            ),
            Command(
                _("Listen to the commands for the node"),
                f"mosquitto_sub {self._login(quote)} -t {quote(self._commands_topic())} -v",
            ),
        ]

    def _commands_topic(self) -> str:
        levels = self.topic.split("/")
        group = levels[1] if len(levels) > 1 else "+"
        node = levels[3] if len(levels) > 3 else "+"
        return f"spBv1.0/{group}/NCMD/{node}/#"

    def _http(self, quote: Callable[[str], str]) -> list[Command]:
        trust = f" --cacert {CA_FILE}" if self.has_tls else ""
        login = f"curl -i{trust} -u {quote(self.username + ':' + self.password)}"
        door = f"{'https' if self.has_tls else 'http'}://{self.host}:{self.http_port}"
        return [
            Command(
                _("Line protocol"),
                f"{login} '{door}/write?db={self.source_code}' --data-binary 'machine,line=1 temperature=21.5'",
            ),
            Command(
                "JSON",
                f"{login} {door}/push/{self.source_code} -H 'Content-Type: application/json' "
                '--data-binary \'{"values": {"temperature": 21.5}}\'',
            ),
        ]


@transaction.atomic
def connect_device(
    *,
    actor: Actor,
    site_id: int,
    name: str,
    protocol: str,
    at: datetime,
    topic: str = "",
    makes_tags_by_itself: bool = False,
) -> Connected:
    """Create a data source and a credential that may feed it, both called ``name``; needs ``telemetry.edit``.

    Parameters
    ----------
    topic
        MQTT filter that the device may publish and the source claims; "": ``devices/<name>/#``, for Sparkplug B
        ``spBv1.0/<name>/+/<name>/#``, for HTTP none.

    Raises
    ------
    PermissionRefused, NotVisible, InvalidInput, Conflict
    """
    if not is_username(name):
        sentence = _("Use 2 to 60 letters, digits, dots, dashes or underscores; not beginning with yuheng.")
        raise InvalidInput(sentence, {"name": sentence})
    if topic and not set(topic) <= set(_SAFE):
        sentence = _("Use letters, digits and . _ - / + # only; what you paste into a shell must be safe.")
        raise InvalidInput(sentence, {"topic": sentence})
    claimed = topic or {MQTT_JSON: f"devices/{name}/#", SPARKPLUG: f"spBv1.0/{name}/+/{name}/#"}.get(protocol, "")
    topics = [claimed] if claimed and protocol != HTTP else []
    source = create_source(
        actor=actor,
        site_id=site_id,
        code=name,
        connector=protocol,
        topics=topics,
        settings={},
        makes_tags_by_itself=makes_tags_by_itself,
        at=at,
    )
    issued = issue_device(
        actor=actor, site_id=site_id, username=name, publish_topics=topics, source_ids=[source.pk], at=at
    )
    environment = settings.ENVIRONMENT
    return Connected(
        source_id=source.pk,
        source_code=source.code,
        device_id=issued.device.pk,
        username=name,
        protocol=protocol,
        topic=claimed,
        password=issued.password,
        host="127.0.0.1" if environment.web_host in {"0.0.0.0", "::"} else environment.web_host,
        mqtt_port=environment.mqtt_port,
        http_port=environment.gateway_port,
        has_tls=environment.is_tls and not environment.is_behind_proxy,
        has_mqtt_tls=environment.has_mqtt_tls,
    )
