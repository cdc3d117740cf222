"""TCP ports: is one taken, by whom, and which is free."""

from __future__ import annotations

import errno
import os
import random
import socket
import sys
from collections import deque

import psutil

from yuheng.config.supervisor.errors import CannotStart

FREE_RANGE = range(20_000, 32_000)
"""Below Linux's ephemeral range: a client that reconnects to a closed port there could otherwise connect to itself."""

_CHANCE = random.SystemRandom()  # a test that seeds `random` would send two processes to the same ports
_MOST_PROMISED = 64
_PROMISED: deque[int] = deque()  # file descriptors: each stands for one port that we told somebody to be free


def is_free(host: str, port: int) -> bool:
    """Return whether a server could listen there now.

    Raises
    ------
    CannotStart
        The address is not one of this machine, or the port needs more rights.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise CannotStart(f"This machine cannot listen on {host}:{port} ({error.strerror}).") from error
        return True


def free_port(host: str = "127.0.0.1") -> int:
    """Return a port nobody listens on and that no process of this machine was given a moment ago.

    Between the answer and the listening another process could be given the same port. On Linux a name in the abstract
    socket namespace keeps it until this process ends, or has been given 64 more.
    """
    for port in _CHANCE.sample(FREE_RANGE, k=200):
        if is_free(host, port) and _promise(port):
            return port
    raise CannotStart(f"No free port was found on {host}.")


def _promise(port: int) -> bool:
    """Return whether no other process was promised the port; keeps the promise of this one."""
    if sys.platform != "linux":
        return True
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sign:
        try:
            sign.bind(f"\0yuheng-port-{port}")
        except OSError:
            return False
        _PROMISED.append(sign.detach())
    if len(_PROMISED) > _MOST_PROMISED:
        os.close(_PROMISED.popleft())
    return True


def listener(port: int) -> str:
    """Say who listens on a port: ``"pid 123 (python -m http.server)"``, or an empty text when that cannot be told."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.AccessDenied, OSError):
        return ""
    for connection in connections:
        if (
            connection.status == psutil.CONN_LISTEN
            and connection.laddr
            and connection.laddr.port == port
            and connection.pid
        ):
            return f"pid {connection.pid} ({_command_of(connection.pid)})"
    return ""


def claim(host: str, port: int, *, option: str) -> int:
    """Return the port to use: the one asked for, or any free one for 0.

    Raises
    ------
    CannotStart
        Somebody else listens there; the sentence names who and which option chooses another port.
    """
    if port == 0:
        return free_port(host)
    if is_free(host, port):
        return port
    who = listener(port)
    by = f" by {who}" if who else ""
    raise CannotStart(f"Port {port} is taken{by}. Choose another with {option} PORT ({option} 0: any free port).")


def _command_of(pid: int) -> str:
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return "unknown command"
    return " ".join(words)[:80] or "unknown command"
