"""``yuheng up --listen`` with TLS, as browsers, devices and people without https:// meet it."""

import json
import socket
import ssl
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import httpx
import paho.mqtt.client as mqtt
import pytest

from yuheng.bench.chaos import chaos_plant
from yuheng.bench.plants import a_credential
from yuheng.config.backup.tests.test_round_trip import Plant
from yuheng.config.supervisor.errors import CannotStart
from yuheng.config.supervisor.plant import Choices, chosen_tls, is_loopback
from yuheng.upkeep import certificates
from yuheng.upkeep.certificates import TlsPlaces

NOW = datetime.now(UTC)
ADDRESS = "127.0.0.2"


def test_an_address_that_others_reach_is_refused_without_a_certificate(tmp_path):
    with pytest.raises(CannotStart, match="yuheng tls init"):
        chosen_tls(Choices(tmp_path, host="192.168.7.1"), at=NOW)
    with pytest.raises(CannotStart, match="passwords would be readable"):
        chosen_tls(Choices(tmp_path, host="0.0.0.0"), at=NOW)


def test_plain_must_be_said(tmp_path):
    assert chosen_tls(Choices(tmp_path, host="0.0.0.0", is_plain=True), at=NOW) is None
    assert chosen_tls(Choices(tmp_path), at=NOW) is None
    with pytest.raises(CannotStart, match="choose one"):
        chosen_tls(Choices(tmp_path, is_plain=True, needs_tls=True), at=NOW)


def test_a_certificate_that_is_there_is_used_wherever_others_might_listen(tmp_path):
    places = TlsPlaces(tmp_path / "tls")
    certificates.init(places, names=["x"], at=NOW)
    assert chosen_tls(Choices(tmp_path, host="192.168.7.1"), at=NOW) == places.server
    assert chosen_tls(Choices(tmp_path, host=ADDRESS), at=NOW) == places.server
    assert chosen_tls(Choices(tmp_path), at=NOW) is None
    assert chosen_tls(Choices(tmp_path, needs_tls=True), at=NOW) == places.server


def test_a_certificate_of_ones_own_needs_its_own_key(tmp_path):
    with pytest.raises(CannotStart, match="give both"):
        chosen_tls(Choices(tmp_path, tls_certificate=tmp_path / "x.crt"), at=NOW)
    one, other = TlsPlaces(tmp_path / "one"), TlsPlaces(tmp_path / "other")
    for places in (one, other):
        certificates.init(places, names=["x"], at=NOW)
    mine = Choices(tmp_path, tls_certificate=one.server.certificate, tls_key=other.server.key)
    with pytest.raises(CannotStart, match="is not that of the certificate"):
        chosen_tls(mine, at=NOW)


def test_what_is_loopback():
    assert all(map(is_loopback, ("127.0.0.1", "127.9.9.9", "::1", "localhost")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.168.1.1", "plant.local")))


class TlsPlant(Plant):
    def start(self) -> None:
        words = [word for name, port in self.ports.items() for word in (f"--{name}-port", str(port))]
        command = [sys.executable, "-m", "yuheng.config.cli", "up", "--no-browser", "--listen", ADDRESS]
        with self.output.open("ab") as out:
            self.process = subprocess.Popen(
                [*command, "--data-dir", str(self.places.data_dir), *words],
                env=self.environment,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        deadline = time.monotonic() + 120
        while not self.status().get("is_ready"):
            assert self.process.poll() is None, self.output.read_text()
            assert time.monotonic() < deadline, self.output.read_text()
            time.sleep(0.1)


@pytest.fixture
def plant(tmp_path):
    plant = TlsPlant(tmp_path / "data")
    assert plant.run("tls", "init", "--name", ADDRESS, "--data-dir", str(plant.places.data_dir)).returncode == 0
    yield plant
    plant.stop()


def serial_of(port: int, ca: Path) -> str:
    context = ssl.create_default_context(cafile=ca)
    with (
        socket.create_connection((ADDRESS, port), 10) as plain,
        context.wrap_socket(plain, server_hostname=ADDRESS) as secure,
    ):
        return secure.getpeercert()["serialNumber"]


def publish(port: int, username: str, password: str, topic: str, *, ca: Path | None) -> int:
    """Publish one QoS 1 message; return 0, or MQTT's reason for refusing the connection."""
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="tls-test")
    client.username_pw_set(username, password)
    if ca is not None:
        client.tls_set(ca_certs=str(ca))
    outcome = []
    client.on_connect = lambda _c, _u, _f, reason, _p: outcome.append(reason.value)
    client.connect(ADDRESS, port, keepalive=10)
    client.loop_start()
    try:
        deadline = time.monotonic() + 20
        while not outcome:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        if outcome[0] == 0:
            client.publish(topic, '{"values": {"temperature": 21.5}}', qos=1).wait_for_publish(20)
        return outcome[0]
    finally:
        client.disconnect()
        client.loop_stop()


@pytest.mark.engines
def test_browsers_devices_and_newcomers_meet_one_trusted_installation(plant, tmp_path):
    plant.start()
    status, ca = plant.status(), plant.places.data_dir / "tls" / "ca.crt"
    assert status["url"] == f"https://{ADDRESS}:{plant.ports['web']}/"
    assert status["mqtt"]["tls"] is True
    url = status["url"].rstrip("/")
    trusting = ssl.create_default_context(cafile=ca)

    with httpx.Client(base_url=url, verify=trusting) as browser:
        page = browser.get("/sign-in")
        assert page.status_code == 200
        assert page.headers["strict-transport-security"].startswith("max-age=31536000")
        assert all("Secure" in cookie for cookie in page.headers.get_list("set-cookie"))
        assert browser.get("/ca").status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/sign-in")

    plain = url.replace("https:", "http:")
    sent_on = httpx.get(f"{plain}/work-units/1?span=8h")
    assert (sent_on.status_code, sent_on.headers["location"]) == (308, f"{url}/work-units/1?span=8h")
    assert httpx.post(f"{plain}/sign-in", data={"password": "x"}).status_code == 403
    assert httpx.get(f"{plain}/ca").status_code == 200
    assert httpx.get(f"{plain}/ca.crt").content == ca.read_bytes()

    description = tmp_path / "plant.json"
    description.write_text(json.dumps(chaos_plant(a_credential("edge-1"))))
    assert plant.run("import", str(description), "--data-dir", str(plant.places.data_dir)).returncode == 0
    added = plant.run("device", "--data-dir", str(plant.places.data_dir), "add", "edge-tls", "--own-tags")
    assert added.returncode == 0, added.stderr
    assert "--cafile yuheng-ca.crt" in added.stdout
    password = added.stdout.split("-P ")[1].split()[0].strip("'")
    deadline = time.monotonic() + 30
    while (reason := publish(plant.ports["mqtt"], "edge-tls", password, "devices/edge-tls/a", ca=ca)) != 0:
        assert time.monotonic() < deadline, reason
    with pytest.raises(ssl.SSLCertVerificationError):
        serial_of(plant.ports["mqtt"], a_strangers_authority(tmp_path))

    push = status["gateway_url"]
    assert httpx.get(f"{push}health", verify=trusting).status_code == 200

    ports = [plant.ports[name] for name in ("web", "mqtt", "gateway")]
    before = [serial_of(port, ca) for port in ports]
    assert plant.run("tls", "renew", "--data-dir", str(plant.places.data_dir)).returncode == 0
    deadline = time.monotonic() + 30
    while any(serial_of(port, ca) == old for port, old in zip(ports, before, strict=True)):
        assert time.monotonic() < deadline, "a renewed certificate is shown without a restart"
        time.sleep(0.2)
    assert json.loads(plant.run("status", "--json", "--data-dir", str(plant.places.data_dir)).stdout)["is_ready"]
    assert sum(service["restarts"] for service in plant.status()["services"].values()) == 0


def a_strangers_authority(tmp_path: Path) -> Path:
    """An authority that has nothing to do with the plant."""
    places = TlsPlaces(tmp_path / "stranger")
    certificates.init(places, names=["x"], at=NOW)
    return places.ca
