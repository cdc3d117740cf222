"""The session against real servers: outages, restarts, history, parts of values, browsing, writing, trust."""

import time
from contextlib import asynccontextmanager

import pytest

from yuheng.connectors.opcua import OpcUaConnector
from yuheng.connectors.opcua import history as history_module
from yuheng.gateway.connector import CommandRefused, ConfigRefused, State, TagAddress
from yuheng.testing.connector_suite import Bench, FakeLog, running
from yuheng.testing.opcua_device import FakeOpcUaDevice, OpcUaServer, address
from yuheng.testing.waiting import eventually

pytestmark = [pytest.mark.engines, pytest.mark.xdist_group("opcua")]

DAY_US = 86_400_000_000
QUICK = {"publishing_interval_ms": 50, "queue_size": 5000, "request_timeout_s": 20}


def a_bench(server, tmp_path, **settings):
    config = {"url": server.url, **QUICK, **settings}
    return Bench(
        connector=OpcUaConnector(),
        config=config,
        device=FakeOpcUaDevice(server),
        state_dir=tmp_path,
        address=address("n"),
    )


def tags(*names, data_type="float"):
    return tuple(sorted(TagAddress(address(name), data_type, is_writable=True) for name in names))


def kept(log, name="n"):
    """Every (time, value, quality) of a node's tag, by time."""
    wanted = address(name)
    rows = [
        (time_us, value, quality)
        for batch, _ in log.samples
        for one, time_us, value, quality in zip(
            batch.addresses, batch.times_us, batch.values, batch.qualities, strict=True
        )
        if one == wanted
    ]
    return sorted(set(rows), key=lambda row: row[0])


def values(log, name="n"):
    return {value for _, value, _ in kept(log, name)}


@asynccontextmanager
async def own_server(**options):
    server = OpcUaServer(nodes={"n": 0.0}, **options)
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
async def server(plain_server):
    async with plain_server.connected():
        await plain_server.do("write", name="n", values=[0.0])
        yield plain_server


# ---- interruptions --------------------------------------------------------------------------------------------------


async def test_four_days_of_outage_with_ten_thousand_queued_tags_lose_nothing_where_the_server_keeps_queues(
    server, tmp_path
):
    """The line is cut; four days of source time pass in one write for each; the subscription is taken up again."""
    many, days = 10_000, 4
    await FakeOpcUaDevice(server).send_many_tags(many)
    bench, log = a_bench(server, tmp_path), FakeLog()
    async with running(bench, log) as context:
        context.set_tags((*context.tags, *tags(*(f"tag{at}" for at in range(many)))))
        await eventually(lambda: len({a for batch, _ in log.samples for a in batch.addresses}) > many, timeout_s=60)
        await server.line.cut()
        await eventually(lambda: context.health.state is State.FAILED)
        start_us = (time.time_ns() // 1000) - days * DAY_US
        for day in range(days):
            await server.do("write_all", prefix="tag", count=many, value=100.0 + day, start_us=start_us + day * DAY_US)
        log.samples.clear()
        await server.line.mend()
        wanted = many * days
        await eventually(lambda: sum(len(batch.addresses) for batch, _ in log.samples) >= wanted, timeout_s=90)
        found = {
            (a, t, v)
            for batch, _ in log.samples
            for a, t, v in zip(batch.addresses, batch.times_us, batch.values, strict=True)
        }
        expected = {
            (address(f"tag{at}"), start_us + day * DAY_US, 100.0 + day) for at in range(many) for day in range(days)
        }
        assert expected <= found
        assert context.gaps == []
        assert context.health.counters["subscriptions_taken_up"] == 1


async def test_an_outage_under_load_is_bridged_by_the_queue(server, tmp_path):
    bench, log = a_bench(server, tmp_path), FakeLog()
    async with running(bench, log) as context:
        await bench.device.send(1, 200)
        await server.line.cut()
        await bench.device.send(201, 600)
        await eventually(lambda: context.health.state is State.FAILED)
        await bench.device.send(801, 600)
        await server.line.mend()
        await eventually(lambda: values(log) >= set(map(float, range(1, 1401))))
        assert context.gaps == []


async def test_a_queue_that_overflowed_is_a_gap_that_says_so(server, tmp_path):
    bench, log = a_bench(server, tmp_path, queue_size=10), FakeLog()
    async with running(bench, log) as context:
        await bench.device.send(1, 3)
        await eventually(lambda: 3.0 in values(log))
        await server.line.cut()
        await eventually(lambda: context.health.state is State.FAILED)
        await bench.device.send(100, 50)
        await server.line.mend()
        await eventually(lambda: context.gaps)
        (gap,) = context.gaps
        assert gap.sentence == history_module.OVERFLOWED
        assert gap.addresses == (address("n"),)
        await eventually(lambda: values(log) >= {140.0, 149.0})
        assert not values(log) >= set(map(float, range(100, 150)))
        times = [row[0] for row in kept(log)]
        assert gap.start_us == times[times.index(gap.end_us) - 1]


async def test_a_killed_server_without_history_leaves_a_gap_that_says_exactly_what_is_missing(tmp_path):
    async with own_server() as server:
        bench, log = a_bench(server, tmp_path), FakeLog()
        async with running(bench, log) as context:
            await bench.device.send(1, 5)
            await eventually(lambda: 5.0 in values(log))
            known_us = kept(log)[-1][0]
            await server.kill()
            await eventually(lambda: context.health.state is State.FAILED)
            await server.start()
            await eventually(lambda: context.gaps, timeout_s=60)
            (gap,) = context.gaps
            assert gap.addresses == (address("n"),)
            assert gap.sentence == history_module.NO_HISTORY
            assert known_us <= gap.start_us < gap.end_us
            assert gap.end_us == kept(log)[-1][0]
            await bench.device.send(6)
            await eventually(lambda: 6.0 in values(log))


async def test_a_dropped_subscription_is_filled_from_the_servers_history(tmp_path):
    """Four days again, this time with nothing in any queue: all of it is read from the history, page by page."""
    async with own_server(history=True, history_page=50) as server:
        bench, log = a_bench(server, tmp_path), FakeLog()
        async with running(bench, log) as context:
            await bench.device.send(1, 5)
            await eventually(lambda: 5.0 in values(log))
            start_us = time.time_ns() // 1000
            await server.line.cut()
            await eventually(lambda: context.health.state is State.FAILED)
            await server.do("end_subscriptions")
            step_us = 4 * DAY_US // 400
            await server.do(
                "write", name="n", values=[1000.0 + at for at in range(400)], start_us=start_us, step_us=step_us
            )
            await server.line.mend()
            await eventually(lambda: values(log) >= {1000.0 + at for at in range(400)}, timeout_s=60)
            assert {(start_us + at * step_us, 1000.0 + at) for at in range(400)} <= {row[:2] for row in kept(log)}
            assert context.gaps == []


async def test_a_history_that_does_not_reach_back_leaves_the_part_it_has_not_as_a_gap(tmp_path):
    async with own_server(history=True, keeps=10) as server:
        bench, log = a_bench(server, tmp_path), FakeLog()
        async with running(bench, log) as context:
            await bench.device.send(1, 5)
            await eventually(lambda: 5.0 in values(log))
            await server.line.cut()
            await eventually(lambda: context.health.state is State.FAILED)
            await server.do("end_subscriptions")
            await bench.device.send(100, 50)
            await server.line.mend()
            await eventually(lambda: context.gaps, timeout_s=60)
            (gap,) = context.gaps
            assert gap.sentence == history_module.SHORT_HISTORY
            first_us = next(time_us for time_us, value, _ in kept(log) if value >= 100)
            assert gap.end_us == first_us
            assert values(log) >= set(map(float, range(141, 150)))


async def test_a_gateway_that_was_killed_takes_its_subscription_up_again(server, tmp_path):
    bench, log = a_bench(server, tmp_path), FakeLog()
    async with running(bench, log):
        await bench.device.send(1, 5)
        await eventually(lambda: 5.0 in values(log))
    await bench.device.send(6, 20)
    async with running(bench, log) as context:
        await eventually(lambda: values(log) >= set(map(float, range(1, 26))))
        assert context.health.counters["subscriptions_taken_up"] == 1
        assert context.gaps == []


async def test_nothing_is_acknowledged_before_it_is_kept(server, tmp_path):
    """The log is held while values come; the gateway is killed; they come again."""
    bench, log = a_bench(server, tmp_path), FakeLog()
    async with running(bench, log):
        await eventually(lambda: 0.0 in values(log))
        log.hold()
        await bench.device.send(1, 50)
        await eventually(lambda: log.waiting > 0)
    log.release()
    async with running(bench, log):
        await eventually(lambda: values(log) >= set(map(float, range(1, 51))))


async def test_renumbered_namespaces_change_nothing(tmp_path):
    async with own_server() as server:
        bench, log = a_bench(server, tmp_path), FakeLog()
        async with running(bench, log) as context:
            await eventually(lambda: 0.0 in values(log))
            await server.kill()
            server.options["namespaces_before"] = ["urn:another:one", "urn:and:another"]
            await server.start()
            await eventually(lambda: context.health.state is State.CONNECTED, timeout_s=60)
            await bench.device.send(7)
            await eventually(lambda: 7.0 in values(log))


# ---- tags and values ------------------------------------------------------------------------------------------------


async def test_tags_come_and_go_while_the_session_stays_open(server, tmp_path):
    await server.do("add", nodes={"one": 1.0, "two": 2.0})
    bench, log = a_bench(server, tmp_path), FakeLog()
    async with running(bench, log) as context:
        context.set_tags(tags("n", "one", "two"))
        await eventually(lambda: 1.0 in values(log, "one") and 2.0 in values(log, "two"))
        context.set_tags(tags("n", "two"))
        await eventually(lambda: "2 tags" in context.health.sentence)
        await server.do("write", name="one", values=[10.0])
        await server.do("write", name="two", values=[20.0])
        await eventually(lambda: 20.0 in values(log, "two"))
        assert 10.0 not in values(log, "one")
        assert State.FAILED not in context.history


async def test_what_cannot_be_read_is_bad_and_named_and_the_rest_goes_on(server, tmp_path):
    bench, log = a_bench(server, tmp_path), FakeLog()
    async with running(bench, log) as context:
        context.set_tags((*tags("n", "nowhere"), TagAddress("no address", "float")))
        await eventually(lambda: context.health.state is State.DEGRADED)
        assert kept(log, "nowhere")[0][1:] == (None, 0x80)
        assert "no address" in context.health.sentence
        context.set_tags(tags("n", "nowhere"))
        await eventually(lambda: "BadNodeIdUnknown" in context.health.sentence)
        await bench.device.send(3)
        await eventually(lambda: 3.0 in values(log))


@pytest.mark.parametrize(
    ("status", "quality", "value"),
    [(0x00000000, 0x00, 5.0), (0x40000000, 0x40, 5.0), (0x80310000, 0x80, None)],
    ids=["good", "uncertain", "bad"],
)
async def test_status_codes_become_quality(server, tmp_path, status, quality, value):
    bench, log = a_bench(server, tmp_path), FakeLog()
    async with running(bench, log):
        await eventually(lambda: 0.0 in values(log))
        await server.do("write_status", name="n", value=5.0, status=status)
        await eventually(lambda: kept(log)[-1][1:] == (value, quality))


async def test_source_times_are_kept_to_the_microsecond(server, tmp_path):
    bench, log = a_bench(server, tmp_path), FakeLog()
    async with running(bench, log):
        await eventually(lambda: 0.0 in values(log))
        at_us = time.time_ns() // 1000 - 3_600_000_000
        await server.do("write", name="n", values=[5.0], start_us=at_us)
        await eventually(lambda: (at_us, 5.0, 0) in kept(log))


async def test_elements_and_fields_are_tags_of_their_own(tmp_path):
    async with own_server() as server:
        await server.do("add", nodes={"list": [1.5, 2.5, 3.5]})
        await server.do("structure", name="recipe")
        bench, log = a_bench(server, tmp_path), FakeLog()
        parts = ("list#[1]", "recipe#Speed", "recipe#Axes[1].Position", "recipe#Axes[0].On", "list#[9]")
        async with running(bench, log) as context:
            context.set_tags(tags(*parts))
            await eventually(lambda: all(kept(log, part) for part in parts))
            found = {part: kept(log, part)[0][1] for part in parts}
            assert found == {
                "list#[1]": 2.5,
                "recipe#Speed": 12.5,
                "recipe#Axes[1].Position": 2.5,
                "recipe#Axes[0].On": True,
                "list#[9]": None,
            }
            page = await context.session.browse(address("recipe"))
            assert {node.name: node.value for node in page.nodes}["Speed"] == "12.5"
            axes = await context.session.browse(address("recipe#Axes"))
            assert [node.name for node in axes.nodes] == ["[0]", "[1]"]


async def test_the_servers_limits_are_obeyed(tmp_path):
    limits = {
        "Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall": 7,
        "Server_ServerCapabilities_OperationLimits_MaxNodesPerRead": 5,
    }
    async with own_server(limits=limits) as server:
        names = [f"tag{at}" for at in range(40)]
        await server.do("add", nodes=dict.fromkeys(names, 1.5))
        bench, log = a_bench(server, tmp_path), FakeLog()
        async with running(bench, log) as context:
            context.set_tags(tags(*names))
            await eventually(lambda: all(kept(log, name) for name in names))
            assert context.session._link.limits.items == 7
            assert context.session._link.limits.read == 5


async def test_a_clock_that_is_wrong_is_said(server, tmp_path, monkeypatch):
    bench, log = a_bench(server, tmp_path), FakeLog()
    monkeypatch.setattr(
        "yuheng.testing.connector_suite.FakeContext.now_us", lambda self: time.time_ns() // 1000 + 7_200_000_000
    )
    async with running(bench, log) as context:
        await eventually(lambda: context.health.state is State.DEGRADED)
        assert "behind ours" in context.health.sentence


# ---- browsing and writing -------------------------------------------------------------------------------------------


async def test_units_and_types_are_proposed_and_search_finds_by_name(server, tmp_path):
    await server.do("add", nodes={"Oven temperature": 20.5, "Oven on": True, "Oven recipe": "A", "Oven count": 3})
    await server.do("unit", name="Oven temperature", unit_id=4408652, shown="°C")
    bench, log = a_bench(server, tmp_path), FakeLog()
    async with running(bench, log) as context:
        found = await context.session.browse(search="oven")
        assert {node.name: (node.data_type, node.unit) for node in found.nodes} == {
            "Oven temperature": ("float", "Cel"),
            "Oven on": ("bool", ""),
            "Oven recipe": ("text", ""),
            "Oven count": ("int", ""),
        }
        assert all(node.is_writable for node in found.nodes)
        with pytest.raises(CommandRefused):
            await context.session.browse("what is this")


@pytest.mark.parametrize(
    ("node", "value", "shown"),
    [("w-float", 2.5, 2.5), ("w-int", 7.0, 7), ("w-bool", 1, True), ("w-text", "B", "B"), ("w-list#[1]", 9.5, 9.5)],
)
async def test_values_are_written_as_the_type_of_the_node(server, tmp_path, node, value, shown):
    await server.do("add", nodes={"w-float": 0.0, "w-int": 0, "w-bool": False, "w-text": "A", "w-list": [0.0, 0.0]})
    bench, log = a_bench(server, tmp_path), FakeLog()
    async with running(bench, log) as context:
        await eventually(lambda: 0.0 in values(log))
        back = await context.session.write(address(node), value)
        assert back.is_confirmed, back.sentence
        assert back.value == shown
        if "list" in node:
            assert await server.do("read", name="w-list") == [0.0, 9.5]


@pytest.mark.parametrize(
    ("node", "value"),
    [("r-int", 1.5), ("r-int", 2.0**40), ("r-bool", 2), ("r-locked", 1.0), ("r-text", 1.0), ("r-list", 1.0), ("", 1.0)],
)
async def test_what_does_not_fit_is_refused_before_it_is_sent(server, tmp_path, node, value):
    nodes = {"r-int": 0, "r-bool": False, "r-locked": 0.0, "r-text": "A", "r-list": [0.0, 0.0]}
    await server.do("add", nodes=nodes)
    await server.do("lock", name="r-locked")
    bench, log = a_bench(server, tmp_path), FakeLog()
    async with running(bench, log) as context:
        await eventually(lambda: 0.0 in values(log))
        with pytest.raises(CommandRefused):
            await context.session.write(address(node) if node else "nonsense", value)
        if node:
            assert await server.do("read", name=node) == nodes[node]


# ---- trust and users ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def secure_server(tmp_path_factory):
    from yuheng.connectors.opcua.certificates import own_certificate  # noqa: PLC0415 - heavy

    directory = tmp_path_factory.mktemp("pki")
    own_certificate(directory, "urn:yuheng:test:server")
    server = OpcUaServer(
        nodes={"n": 0.0},
        certificate=str(directory / "own.der"),
        key=str(directory / "own-key.pem"),
        password="secret words",
        no_anonymous=True,
    )
    server.launch()
    yield server
    server.end()


USER = {"user": "operator", "password": "secret words"}


async def the_certificate(bench):
    """Ask for the certificate the server shows, as a person sees it on the page."""
    context = bench.context(FakeLog())
    with pytest.raises(ConfigRefused, match="accept"):
        async with bench.connector.open(bench.config, context) as session:
            await session.run()
    assert context.health.facts["certificate_is_wanted"] == "yes"
    return context.health.facts["certificate"]


@pytest.mark.parametrize("mode", ["Sign", "SignAndEncrypt"])
@pytest.mark.parametrize("policy", ["Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"])
async def test_every_policy_works_once_a_person_has_accepted_the_certificate(secure_server, tmp_path, policy, mode):
    async with secure_server.connected() as server:
        settings = {"security": f"{policy}/{mode}", **USER}
        thumbprint = await the_certificate(a_bench(server, tmp_path, **settings))
        bench, log = a_bench(server, tmp_path, **settings, trusted_certificates=[thumbprint]), FakeLog()
        async with running(bench, log) as context:
            await bench.device.send(5)
            await eventually(lambda: 5.0 in values(log))
            assert len(context.health.facts["own_certificate"]) > 500
        assert (tmp_path / "pki" / "own-key.pem").stat().st_mode & 0o077 == 0
        assert (tmp_path / "session.json").stat().st_mode & 0o077 == 0


async def test_a_secure_session_is_taken_up_again_after_the_line_was_cut(secure_server, tmp_path):
    async with secure_server.connected() as server:
        settings = {"security": "Basic256Sha256/SignAndEncrypt", **USER}
        thumbprint = await the_certificate(a_bench(server, tmp_path, **settings))
        bench, log = a_bench(server, tmp_path, **settings, trusted_certificates=[thumbprint]), FakeLog()
        async with running(bench, log) as context:
            await bench.device.send(1, 3)
            await eventually(lambda: 3.0 in values(log))
            await server.line.cut()
            await eventually(lambda: context.health.state is State.FAILED)
            await bench.device.send(4, 20)
            await server.line.mend()
            await eventually(lambda: values(log) >= set(map(float, range(1, 24))))
            assert context.health.counters["subscriptions_taken_up"] == 1


async def test_another_certificate_than_the_accepted_one_stops_the_source(secure_server, tmp_path):
    async with secure_server.connected() as server:
        settings = {"security": "Basic256Sha256/Sign", **USER, "trusted_certificates": ["0" * 64]}
        bench = a_bench(server, tmp_path, **settings)
        context = bench.context(FakeLog())
        with pytest.raises(ConfigRefused, match="another certificate"):
            async with bench.connector.open(bench.config, context) as session:
                await session.run()


async def test_a_password_never_goes_out_without_protection_or_in_a_sentence(secure_server, tmp_path):
    async with secure_server.connected() as server:
        bench = a_bench(server, tmp_path, **USER)
        context = bench.context(FakeLog())
        async with bench.connector.open(bench.config, context) as session:
            assert "secret words" not in repr(session._settings)
            with pytest.raises(ConfigRefused) as refusal:
                await session.run()
        assert "secret words" not in str(refusal.value)


async def test_a_wrong_password_is_said_and_tried_again(secure_server, tmp_path):
    async with secure_server.connected() as server:
        settings = {"security": "Basic256Sha256/SignAndEncrypt", "user": "operator", "password": "wrong"}
        thumbprint = await the_certificate(a_bench(server, tmp_path, **settings))
        bench = a_bench(server, tmp_path, **settings, trusted_certificates=[thumbprint])
        async with bench.connector.open(bench.config, bench.context(FakeLog())) as session:
            with pytest.raises(ConnectionError, match="user or the password"):
                await session.run()
