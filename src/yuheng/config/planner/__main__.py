"""``python -m yuheng.config.planner``; with ``--solve``: the child that solves plans until none waits."""

from __future__ import annotations

import logging
import os
import sys

import django
import uvloop
from django.conf import settings


def main() -> int:
    """Set up Django with plain connections, then plan until SIGTERM."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yuheng.config.settings")
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    settings.DATABASES["default"]["OPTIONS"] = {"connect_timeout": 2, "application_name": "yuheng-planner"}
    django.setup()
    # Imported here, after set-up: everything below reads Django's models.
    if "--solve" in sys.argv[1:]:
        from yuheng.config.planner.solving import solve_all  # noqa: PLC0415

        solve_all()
    else:
        from yuheng.config.environment import Environment  # noqa: PLC0415
        from yuheng.config.planner.process import serve  # noqa: PLC0415

        uvloop.run(serve(Environment.read(), ready_file=os.environ.get("YUHENG_READY_FILE", "")))
    sys.stdout.flush()
    os._exit(0)  # a statement waiting for a dead database must not hold the process


if __name__ == "__main__":
    main()
