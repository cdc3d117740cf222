"""The supervisor's parts, without engines."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from yuheng.config.supervisor import broker as brokers
from yuheng.config.supervisor import ports, supervise
from yuheng.config.supervisor.announcement import lines
from yuheng.config.supervisor.broker import Broker
from yuheng.config.supervisor.errors import CannotStart, StartFailed
from yuheng.config.supervisor.keeper import Keeper
from yuheng.config.supervisor.logs import RotatedLog, Tail
from yuheng.config.supervisor.orphans import remember, stop_orphans
from yuheng.config.supervisor.places import Lock, Places, identity, passwords, same_process
from yuheng.config.supervisor.plant import Choices, engine_environment, install
from yuheng.config.supervisor.ports import FREE_RANGE, claim, free_port, is_free
from yuheng.config.supervisor.postgres import SETTINGS, check_external
from yuheng.config.supervisor.privileges import child_setup
from yuheng.config.supervisor.service import Service, ServiceState
from yuheng.config.supervisor.supervise import Supervisor
from yuheng.config.supervisor.violations import MAX_DISTINCT, Violations


@pytest.fixture
def places(tmp_path):
    found = Places(tmp_path / "data")
    found.make()
    return found


# ---- ports --------------------------------------------------------------------------------------------------------


def test_a_free_port_is_below_the_ephemeral_range_and_nobody_listens_there():
    port = free_port()
    assert port in FREE_RANGE
    assert is_free("127.0.0.1", port)


def test_port_zero_means_any_free_one_and_a_taken_one_is_refused():
    assert claim("127.0.0.1", 0, option="--x-port") in FREE_RANGE
    with closing(socket.create_server(("127.0.0.1", free_port()))) as taken, pytest.raises(CannotStart, match="--x-"):
        claim("127.0.0.1", taken.getsockname()[1], option="--x-port")


def test_an_address_of_another_machine_is_refused_with_a_sentence():
    with pytest.raises(CannotStart, match="cannot listen on"):
        claim("192.0.2.1", 8000, option="--web-port")


def test_two_options_with_one_port_are_refused(places):
    port = free_port()
    with pytest.raises(CannotStart, match="same port"):
        install(Choices(places.data_dir, web_port=port, gateway_port=port, mqtt_port=0))


# ---- places -------------------------------------------------------------------------------------------------------


def test_secrets_are_made_once_and_are_their_owners_only(places):
    first = passwords(places)
    assert passwords(places) == first
    assert (places.data_dir / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert first.postgres[1:] != first.nats[1:]


def test_a_data_directory_that_is_a_file_is_refused_with_the_option_that_helps(tmp_path):
    (tmp_path / "data").write_text("")
    with pytest.raises(CannotStart, match="--data-dir"):
        Places(tmp_path / "data").make()


def test_the_lock_is_free_again_after_release(places):
    first, second = Lock(places), Lock(places)
    first.take()
    with pytest.raises(CannotStart, match=f"pid {os.getpid()}"):
        second.take()
    first.release()
    second.take()
    second.release()


def test_a_reused_pid_is_not_taken_for_the_process_that_had_it():
    known = identity(os.getpid())
    assert same_process(known).pid == os.getpid()
    assert same_process(known | {"created": known["created"] - 100}) is None


# ---- orphans ------------------------------------------------------------------------------------------------------


def test_an_orphan_is_stopped_and_a_stranger_with_its_pid_is_not(places):
    command = [sys.executable, "-c", "import signal; signal.pause()"]
    orphan = subprocess.Popen(command, start_new_session=True)
    stranger = subprocess.Popen(command, start_new_session=True)
    remember(places, {"worker": (orphan.pid, signal.SIGTERM), "web": (stranger.pid, signal.SIGTERM)})
    known = json.loads(places.children_file.read_text())
    known["web"]["created"] -= 1000
    places.children_file.write_text(json.dumps(known))
    try:
        (sentence,) = stop_orphans(places)
        assert sentence.startswith("worker")
        assert not psutil.pid_exists(orphan.pid)
        assert stranger.poll() is None
        assert stop_orphans(places) == []
    finally:
        for process in (orphan, stranger):
            process.kill()
            process.wait()


# ---- logs ---------------------------------------------------------------------------------------------------------


async def test_a_child_that_shouts_fills_a_bounded_number_of_bounded_files_also_over_restarts(tmp_path):
    shout = "import sys; line = 'x' * 999 + chr(10)\nfor _ in range(500): sys.stdout.write(line)"
    for _ in range(3):  # each start opens the log that the one before left
        tail = Tail(RotatedLog(tmp_path / "x.log", max_bytes=100_000, kept=3))
        child = await asyncio.create_subprocess_exec(sys.executable, "-c", shout, stdout=asyncio.subprocess.PIPE)
        assert child.stdout is not None
        await tail.read(child.stdout)
        assert await child.wait() == 0
        tail.log.close()
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes.keys() == {"x.log", "x.log.1", "x.log.2", "x.log.3"}
    assert max(sizes.values()) <= 100_000


def test_no_engine_writes_a_log_of_its_own_beside_the_rotated_one(tmp_path):
    server = Broker(tmp_path / "nats", port=1, mqtt_port=2, monitor_port=3, password="p" * 32)
    server.directory.mkdir()
    server.devices_file.write_text("")
    server.write_configuration()
    written = [path.read_text() for path in tmp_path.rglob("*.conf")]
    assert written
    assert not any("log_file" in text or "logfile" in text for text in written)
    assert SETTINGS["logging_collector"] == "off"


def test_a_log_rotates_by_size_and_drops_the_oldest(tmp_path):
    log = RotatedLog(tmp_path / "x.log", max_bytes=10, kept=2)
    for text in (b"first....\n", b"second...\n", b"third....\n", b"fourth...\n"):
        log.write(text)
    log.close()
    kept = {path.name: path.read_text().strip(".\n") for path in tmp_path.iterdir()}
    assert kept == {"x.log": "fourth", "x.log.1": "third", "x.log.2": "second"}


async def test_the_tail_remembers_the_last_lines_however_they_arrive(tmp_path):
    stream, seen = asyncio.StreamReader(), []
    tail = Tail(RotatedLog(tmp_path / "x.log"), on_line=seen.append)
    for piece in (b"one\ntw", b"o\n", b"\xff\n", b"y" * 9000, b"\nlast"):
        stream.feed_data(piece)
    stream.feed_eof()
    await tail.read(stream)
    tail.log.close()
    assert [len(line) for line in seen] == [3, 3, 1, 4096, 4]
    assert tail.last(1) == "last"


# ---- keeper -------------------------------------------------------------------------------------------------------


def a_service(code: str, **changes) -> Service:
    service = Service(
        name="dummy",
        command=[sys.executable, "-c", code],
        environment=dict(os.environ),
        is_ready=lambda pid: psutil.pid_exists(pid),
        child_setup=child_setup,
    )
    return replace(service, **changes)


@pytest.fixture
def keep(tmp_path):
    said = []

    def make(service: Service) -> tuple[Keeper, list[str]]:
        return Keeper(service, logs=tmp_path, say=said.append, changed=lambda: None), said

    return make


async def until(condition) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is watched belongs to the keeper and has no event
            await asyncio.sleep(0.01)


async def test_the_pause_between_starts_doubles(keep):
    keeper, said = keep(a_service("import sys; sys.exit('out of paper')", is_ready=lambda pid: False))
    task = keeper.start()
    await until(lambda: keeper.status.restarts == 3)
    keeper.ask_to_stop()
    await task
    assert [line.rsplit("in ", 1)[1] for line in said] == ["0.2 s", "0.4 s", "0.8 s"]
    assert keeper.status.last_exit == "exit code 1"
    assert keeper.status.reason == "out of paper"
    assert keeper.status.state is ServiceState.STOPPED


async def test_a_process_that_never_serves_is_killed_and_says_so(keep):
    service = a_service("import signal; signal.pause()", is_ready=lambda pid: False, start_timeout_s=0.2)
    keeper, _ = keep(service)
    task = keeper.start()
    await until(lambda: keeper.status.restarts == 1)
    keeper.ask_to_stop()
    await task
    assert keeper.status.last_exit.startswith("killed: not ready")


async def test_a_program_that_does_not_exist_is_a_reason_not_a_crash(keep):
    keeper, _ = keep(a_service("", command=["/no/such/program"]))
    task = keeper.start()
    await until(lambda: keeper.status.restarts == 1)
    keeper.ask_to_stop()
    await task
    assert "No such file" in keeper.status.reason


# ---- broker -------------------------------------------------------------------------------------------------------


@pytest.fixture
def broker(tmp_path):
    three = [free_port() for _ in range(3)]
    return Broker(tmp_path / "nats", *three, password="secret", max_store_bytes=10**9)


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{user: "a", password: "b"}\n{user: "c", password: "d"}\n',
        'users = [ {user: "a", password: "b"} ]',
        '[{"user": "a", "password": "b", "permissions": {"publish": ["x.>"]}}]',
    ],
)
def test_devices_are_read_in_every_usual_spelling(broker, text):
    broker.directory.mkdir()
    broker.devices_file.write_text(text)
    assert broker.write_configuration() == ""
    assert (broker.directory / "nats.conf").stat().st_mode & 0o777 == 0o600


def test_a_store_takes_a_bounded_share_of_the_disk(tmp_path, monkeypatch):
    (tmp_path / "jetstream").mkdir()
    (tmp_path / "jetstream" / "1.blk").write_bytes(b"x" * 1000)

    class Usage:
        free = 9000

    monkeypatch.setattr(brokers.shutil, "disk_usage", lambda path: Usage)
    assert brokers.store_limit(tmp_path) == 4000
    Usage.free = 10**15
    assert brokers.store_limit(tmp_path) == brokers.MAX_STORE_BYTES


def test_refusals_are_counted_within_a_bound():
    seen = Violations()
    for number in range(MAX_DISTINCT + 50):
        seen.take(f'[ERR] 127.0.0.1:1 - mid:5 - "x" - Publish Violation - Subject "s.{number}"')
    seen.take("[INF] something else")
    assert seen.total == MAX_DISTINCT + 50
    assert len(seen.by_pair) == MAX_DISTINCT + 1
    assert seen.by_pair[("other", "")] == 50
    assert len(seen.take_untold()) == MAX_DISTINCT + 1
    assert seen.take_untold() == {}


# ---- what is told -------------------------------------------------------------------------------------------------


def test_engines_are_not_told_our_addresses(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@h/d")
    monkeypatch.setenv("YUHENG_DATA_DIR", "x")
    monkeypatch.setenv("PGPASSWORD", "p")
    assert {"DATABASE_URL", "YUHENG_DATA_DIR", "PGPASSWORD"} & set(engine_environment()) == set()
    assert "PATH" in engine_environment()


def test_your_own_engines_are_used_and_not_started(places, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:p@db.example/d")
    monkeypatch.setenv("NATS_URL", "nats://u:p@broker.example:4222")
    found = install(Choices(places.data_dir, web_port=0, gateway_port=0, mqtt_port=1883))
    assert (found.postgres, found.broker) == (None, None)
    assert found.nats_user() == ("u", "p")
    assert found.addresses()["mqtt"] == {"host": "broker.example", "port": 1883, "tls": False}
    assert found.environment["DATABASE_URL"] == "postgresql://u:p@db.example/d"
    assert "p@" not in json.dumps(found.addresses())


def test_a_database_of_yours_that_does_not_answer_is_a_sentence_without_its_password():
    with pytest.raises(StartFailed, match="DATABASE_URL does not let us in") as refused:
        check_external(f"postgresql://u:hidden@127.0.0.1:{free_port()}/d")
    assert "hidden" not in str(refused.value)


def test_the_last_lines_name_the_addresses_the_people_and_the_password_once():
    status = {
        "version": "1",
        "url": "http://127.0.0.1:8000/",
        "gateway_url": "http://127.0.0.1:8080/",
        "mqtt": {"host": "127.0.0.1", "port": 1883},
        "data_dir": "/data",
        "demo": {"people": [{"username": "ana", "name_zh": "安娜", "role": "operator"}], "device": {"username": "d"}},
    }
    said = "\n".join(lines(status, {"username": "admin", "password": "once"}, seconds=3.2))
    for word in ("http://127.0.0.1:8000/", "127.0.0.1:1883", "ana · 安娜 · operator", "admin / once"):
        assert said.count(word) == 1


def test_the_reduced_table_of_the_other_tests_is_found():
    assert Path(__file__).with_name("reduced.py").exists()


def test_what_the_store_was_given_is_not_taken_back_when_the_disk_fills(tmp_path, monkeypatch):
    class Usage:
        free = 10_000

    monkeypatch.setattr(brokers.shutil, "disk_usage", lambda path: Usage)
    assert brokers.store_limit(tmp_path) == 4000
    Usage.free = 100
    assert brokers.store_limit(tmp_path) == 4000
    Usage.free = 20_000
    assert brokers.store_limit(tmp_path) == 8000


def test_only_the_historians_reader_keeps_messages(broker):
    readers = broker.directory / "jetstream" / "$G" / "streams" / "$MQTT_msgs" / "obs"
    (readers / "some_subscriber").mkdir(parents=True)
    assert not broker.keeps_messages()
    (readers / "historian").mkdir()
    assert broker.keeps_messages()


async def test_a_log_that_cannot_be_written_is_still_read_to_its_end(tmp_path, monkeypatch):
    log = RotatedLog(tmp_path / "x.log", max_bytes=10)
    tail = Tail(log)
    real, is_full = Path.open, [False]

    def opened(path, *args, **options):
        if is_full[0] and path.name == "x.log":
            raise OSError(28, "No space left on device")
        return real(path, *args, **options)

    monkeypatch.setattr(Path, "open", opened)
    stream = asyncio.StreamReader()
    stream.feed_data(b"first line\n")
    reading = asyncio.create_task(tail.read(stream))
    is_full[0] = True
    stream.feed_data(b"lost on a full disk\n")
    async with asyncio.timeout(30):
        while "lost on a full disk" not in tail.last():  # noqa: ASYNC110 - the tail has no event
            await asyncio.sleep(0)
    is_full[0] = False
    stream.feed_data(b"written again\n")
    stream.feed_eof()
    await asyncio.wait_for(reading, 5)
    log.close()
    assert (tmp_path / "x.log").read_text() == "written again\n"


async def test_producers_are_held_before_the_disk_is_full_and_let_go_when_there_is_room(broker, monkeypatch):
    did: list[str] = []

    async def hold(url: str) -> None:
        did.append("hold")

    async def prepare(self: Supervisor) -> None:
        did.append("let go")
        self._is_holding = False

    class Usage:
        free = 10**12

    monkeypatch.setattr(supervise, "hold_producers", hold)
    monkeypatch.setattr(Supervisor, "_prepare_streams", prepare)
    monkeypatch.setattr(supervise.shutil, "disk_usage", lambda path: Usage)
    supervisor = Supervisor(SimpleNamespace(nats_url="nats://x"), table=None, say=lambda line: None)
    supervisor._prepared_pid = 1
    for free in (10**12, 299_000_000, 250_000_000, 310_000_000, 10**12, 10**12):
        Usage.free = free
        await supervisor._mind_the_disk(broker)
        if free < 300_000_000:
            assert "almost full" in supervisor.complaint
    assert did == ["hold", "let go"]


async def test_a_broker_that_refuses_although_there_is_room_again_is_asked_again_and_then_started_anew(
    broker, monkeypatch
):
    did: list[str] = []

    async def hold(url: str) -> None:
        did.append("hold")

    async def prepare(self: Supervisor) -> None:
        if "killed" not in did:
            did.append("refused")
            raise StartFailed("insufficient storage resources available")
        did.append("let go")
        self._is_holding = False

    class Usage:
        free = 1

    monkeypatch.setattr(supervise, "hold_producers", hold)
    monkeypatch.setattr(Supervisor, "_prepare_streams", prepare)
    monkeypatch.setattr(supervise.shutil, "disk_usage", lambda path: Usage)
    supervisor = Supervisor(SimpleNamespace(nats_url="nats://x"), table=None, say=lambda line: None)
    supervisor._prepared_pid = 1
    supervisor.keepers["nats"] = SimpleNamespace(kill=lambda: did.append("killed"))
    await supervisor._mind_the_disk(broker)
    Usage.free = 10**12
    for _ in range(3):
        with pytest.raises(StartFailed):
            await supervisor._mind_the_disk(broker)
    await supervisor._mind_the_disk(broker)
    await supervisor._mind_the_disk(broker)
    assert did == ["hold", "refused", "refused", "refused", "killed", "let go"]


@pytest.mark.skipif(sys.platform != "linux", reason="the abstract socket namespace is Linux's")
def test_two_processes_are_never_given_the_same_port(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ports, "FREE_RANGE", range(31_000, 31_200))
    ours = {ports.free_port() for _ in range(40)}
    ask = "from yuheng.config.supervisor import ports; ports.FREE_RANGE = range(31_000, 31_200)\n"
    ask += "print(*(ports.free_port() for _ in range(40)))"
    theirs = {int(port) for port in subprocess.check_output([sys.executable, "-c", ask], text=True).split()}
    assert len(ours) == len(theirs) == 40
    assert not ours & theirs
