"""``python -m yuheng.historian``: reads NATS_URL, YUHENG_STORE_URL and YUHENG_READY_FILE."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import uvloop

from yuheng.historian.service import Historian
from yuheng.historian.store import Store, StoreFailure
from yuheng.upkeep import forgetting


def _data_dir() -> Path:
    return Path(os.environ.get("YUHENG_DATA_DIR", "var")).absolute()


def _store_url() -> str:
    return os.environ.get("YUHENG_STORE_URL") or f"chdb://{_data_dir() / 'columns'}"


def _note_forgotten(removed: dict[str, int]) -> None:
    """Say what retention removed, in the log and for the health page; a full disk is told by others."""
    logging.getLogger(__name__).info("Retention removed: %s", {k: n for k, n in removed.items() if n} or "nothing")
    with suppress(OSError):
        forgetting.note(_data_dir(), "historian", at=datetime.now(UTC).isoformat(), removed=removed)


async def _main(store_url: str) -> None:
    ready = os.environ.get("YUHENG_READY_FILE")
    store = await asyncio.to_thread(Store, store_url)
    historian = Historian(
        nats_url=os.environ.get("NATS_URL") or "nats://127.0.0.1:4222",
        store=store,
        ready_file=Path(ready) if ready else None,
        on_forgotten=_note_forgotten,
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, historian.stop)
    await historian.run()


def main() -> int:
    """Run until SIGTERM."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    try:
        uvloop.run(_main(_store_url()))
    except StoreFailure as error:
        logging.getLogger(__name__).error("The history cannot be opened: %s", error)
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    os._exit(status)  # threads of the engine may still calculate for a question nobody will read; do not wait for them
