"""Real servers, in processes of their own."""

import pytest

from yuheng.testing.opcua_device import OpcUaServer


@pytest.fixture(scope="session")
def plain_server():
    """One server without history, for all tests that do not end it."""
    server = OpcUaServer(nodes={"n": 0.0})
    server.launch()
    yield server
    server.end()
