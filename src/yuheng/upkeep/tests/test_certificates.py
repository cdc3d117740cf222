"""An authority of one's own: what it signs is trusted by whoever trusts it, and by nobody else."""

import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest

from yuheng.bus.tls import ServerContext, pinned
from yuheng.upkeep import certificates
from yuheng.upkeep.certificates import TlsPlaces, TlsRefused

NOW = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def places(tmp_path):
    places = TlsPlaces(tmp_path / "tls")
    certificates.init(places, names=["plant.local", "127.0.0.1", "::1", "工厂.example"], at=NOW)
    return places


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> dict:
    """Do a real handshake over a socket pair; return the server's certificate as the client sees it."""
    ours, theirs = socket.socketpair()

    def serve() -> None:
        try:
            with server.wrap_socket(ours, server_side=True) as secure:
                secure.recv(1)
        except (ssl.SSLError, OSError):
            ours.close()

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        with client.wrap_socket(theirs, server_hostname=name) as secure:
            secure.send(b"x")
            return secure.getpeercert()
    finally:
        theirs.close()
        thread.join(5)


@pytest.mark.parametrize("name", ["plant.local", "127.0.0.1", "::1"])
def test_who_trusts_the_authority_trusts_the_server_under_each_of_its_names(places, name):
    client = ssl.create_default_context(cafile=places.ca)
    assert shake_hands(ServerContext(places.server).context, client, name)["notAfter"]


def test_another_name_is_not_trusted(places):
    client = ssl.create_default_context(cafile=places.ca)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(ServerContext(places.server).context, client, "elsewhere.local")


def test_who_does_not_know_the_authority_trusts_nothing(places):
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(ServerContext(places.server).context, ssl.create_default_context(), "plant.local")


def test_our_own_processes_trust_the_very_certificate_and_no_other(places, tmp_path):
    context = ServerContext(places.server).context
    shake_hands(context, pinned(places.server.certificate), "any.name")
    other = TlsPlaces(tmp_path / "other")
    certificates.init(other, names=["plant.local"], at=NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(context, pinned(other.server.certificate), "any.name")


def test_the_authority_lasts_ten_years_and_keys_are_the_owners_only(places):
    about = certificates.describe(places.ca)
    assert about.not_after - NOW >= timedelta(days=3650)
    for path in (places.ca_key, places.server.key):
        assert path.stat().st_mode & 0o077 == 0
    assert certificates.describe(places.server.certificate).names[:1] == ("plant.local",)


def test_a_second_authority_is_refused_because_tablets_trust_the_first(places):
    before = places.ca.read_bytes()
    with pytest.raises(TlsRefused, match="has an authority already"):
        certificates.init(places, names=["x"], at=NOW)
    assert places.ca.read_bytes() == before


def test_a_certificate_is_renewed_a_month_before_it_ends_for_the_same_names(places):
    before = certificates.describe(places.server.certificate)
    assert certificates.renew_when_due(places, at=before.not_after - timedelta(days=31)) is None
    made = certificates.renew_when_due(places, at=before.not_after - timedelta(days=29))
    assert made.names == before.names
    assert made.fingerprint != before.fingerprint
    assert made.not_after > before.not_after
    certificates.check_pair(places.server, at=made.not_after - timedelta(days=1))


def test_a_running_server_shows_a_renewed_certificate_to_new_clients(places):
    server = ServerContext(places.server)
    client = ssl.create_default_context(cafile=places.ca)
    first = shake_hands(server.context, client, "plant.local")["serialNumber"]
    certificates.renew(places, at=NOW)
    assert shake_hands(server.context, client, "plant.local")["serialNumber"] == first
    server.follow()
    assert shake_hands(server.context, client, "plant.local")["serialNumber"] != first


def test_half_replaced_files_leave_the_old_ones_in_force(places):
    server = ServerContext(places.server)
    places.server.certificate.write_text("not a certificate")
    server.follow()
    assert server.context.get_ciphers()


def test_what_cannot_serve_is_refused_with_a_sentence(places, tmp_path):
    other = TlsPlaces(tmp_path / "other")
    certificates.init(other, names=["x"], at=NOW)
    mixed = certificates.TlsFiles(places.server.certificate, other.server.key)
    with pytest.raises(TlsRefused, match="is not that of the certificate"):
        certificates.check_pair(mixed, at=NOW)
    with pytest.raises(TlsRefused, match="ended on"):
        certificates.check_pair(places.server, at=NOW + timedelta(days=400))
    with pytest.raises(TlsRefused, match="no certificate"):
        certificates.describe(places.server.key)
    with pytest.raises(TlsRefused, match="yuheng tls init"):
        certificates.renew(TlsPlaces(tmp_path / "nowhere"), at=NOW)
    with pytest.raises(TlsRefused, match="at least one name"):
        certificates.init(TlsPlaces(tmp_path / "third"), names=[], at=NOW)
    assert not (tmp_path / "third").exists()


def test_this_machine_has_names():
    names = certificates.names_of_this_machine()
    assert {"localhost", "127.0.0.1"} <= set(names)
    assert len(names) == len(set(names))
