"""Steps of a start that need Django: run in a child of their own, so that the supervisor stays small.

``python -m yuheng.config.supervisor.steps`` migrates, makes the first administrator and, in demo mode, installs the
demo plant. Its last line is one JSON object: ``{"administrator": null or {"username", "password"}}``.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

import django
from django.core.management import call_command

from yuheng.config.environment import Environment

ADMINISTRATOR = "admin"


def main() -> int:
    """Run the steps."""
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    from yuheng.people.services import ensure_first_administrator  # noqa: PLC0415 - models need django.setup()

    password = ensure_first_administrator(at=datetime.now(UTC))
    if Environment.read().is_demo:
        from yuheng.config.demo import install  # noqa: PLC0415 - models need django.setup()

        install()
    administrator = {"username": ADMINISTRATOR, "password": password} if password else None
    sys.stdout.write(json.dumps({"administrator": administrator}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
