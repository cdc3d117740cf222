"""The engines that other tests stand on."""

import nats
import paho.mqtt.client as mqtt
import psycopg
import pytest
from django.db import connection

from yuheng.testing.engines import running_postgres

DEVICE = '{user: "laser", password: "pw", permissions: {publish: ["plant.laser.>"]}}'


@pytest.mark.django_db
def test_a_django_test_has_a_real_postgresql():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('server_version_num')::int / 10000, current_setting('listen_addresses')")
        assert cursor.fetchone() == (18, "127.0.0.1")


def test_the_database_asks_for_its_password(postgres_server):
    address = postgres_server.url.replace(postgres_server.postgres.password, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(address)


def test_a_killed_database_comes_back_with_what_was_committed(tmp_path):
    with running_postgres(tmp_path, is_durable=True) as server:
        with psycopg.connect(server.url) as session:
            session.execute("CREATE TABLE kept (n int)")
            session.execute("INSERT INTO kept VALUES (7)")
        server.kill()
        server.start()
        with psycopg.connect(server.url) as session:
            assert session.execute("SELECT n FROM kept").fetchone() == (7,)


def test_a_migrated_database_has_djangos_tables(migrated_database_url):
    with psycopg.connect(migrated_database_url) as session:
        assert session.execute("SELECT count(*) FROM django_migrations").fetchone()[0] > 0


async def test_the_broker_keeps_its_streams_over_a_kill(fresh_nats):
    session = await nats.connect(fresh_nats.url)
    await session.jetstream().add_stream(name="KEPT", subjects=["kept.>"])
    await session.jetstream().publish("kept.1", b"x")
    await session.close()
    fresh_nats.restart()
    session = await nats.connect(fresh_nats.url)
    assert (await session.jetstream().stream_info("KEPT")).state.messages == 1
    await session.close()


def test_a_device_connects_only_after_its_user_is_in_force(fresh_nats):
    assert _connect(fresh_nats) == "Not authorized"
    fresh_nats.set_devices(DEVICE)
    assert _connect(fresh_nats) == "Success"


def test_a_broken_devices_file_is_refused_and_changes_nothing(fresh_nats):
    fresh_nats.set_devices(DEVICE)
    with pytest.raises(ValueError, match="refused"):
        fresh_nats.set_devices("{user: ")
    assert _connect(fresh_nats) == "Success"


def _connect(server) -> str:
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="laser")
    client.username_pw_set("laser", "pw")
    said = []
    client.on_connect = lambda *args: said.append(str(args[3]))
    client.connect(server.host, server.mqtt_port)
    while not said:
        client.loop(timeout=1)
    client.disconnect()
    client.loop(timeout=0.1)
    return said[0]
