"""``python -m yuheng.gateway``."""

from __future__ import annotations

import asyncio
import logging
import sys

import uvloop

from yuheng.gateway.process import GatewaySettings, serve


def main() -> int:
    """Run the gateway of this environment."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings = GatewaySettings.read()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except OSError as error:
        sys.stderr.write(f"The gateway cannot listen on {settings.host}:{settings.port}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
