"""Drives the publishing process: starts it, keeps it within what is committed, reads how far it is."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import msgspec

from yuheng.bench.broker import stop
from yuheng.bench.publisher import Orders, Progress


class PublisherProcess:
    """A running `yuheng.bench.publisher`; `progress` is its newest line."""

    def __init__(self, orders: Orders) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "yuheng.bench.publisher"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self.progress: list[Progress] = []
        self._say(msgspec.json.encode(orders).decode())
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    def _say(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(BrokenPipeError):  # it ended; `done` tells how
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.progress.append(msgspec.json.decode(line, type=Progress))

    def allow(self, messages: int) -> None:
        """Let it send messages up to this number."""
        self._say(str(messages))

    def done(self) -> Progress | None:
        """Return the last word once it has ended, else None.

        Raises
        ------
        RuntimeError
            It ended without a last word.
        """
        if self._process.poll() is None:
            return None
        self._reader.join()
        if not self.progress or not self.progress[-1].done:
            raise RuntimeError("The publishing process ended early; its reason is printed above.")
        return self.progress[-1]

    def stop(self) -> None:
        """End it."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()
        stop(self._process)
        self._reader.join()
        if self._process.stdout is not None:
            self._process.stdout.close()


@contextmanager
def publishing(orders: Orders) -> Iterator[PublisherProcess]:
    """Start the process and make sure that it ends."""
    process = PublisherProcess(orders)
    try:
        yield process
    finally:
        process.stop()


def publish_in_step(
    process: PublisherProcess, committed: Callable[[], int], *, lead: int, pause: Callable[[], None]
) -> Progress:
    """Let the publisher run at most ``lead`` messages ahead of what is committed, until it is done.

    ``committed`` returns the number of committed messages; ``pause`` waits a moment between two questions.
    """
    while (done := process.done()) is None:
        process.allow(committed() + lead)
        pause()
    return done
