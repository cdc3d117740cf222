"""What the demo plants did before the visitor came. ``python -m yuheng.config.demo_past``, run by the simulation.

Products are defined, customers have ordered since some hours, and the floor has worked on it: every verb is a service
of operations, called as the person who did it and for the moment at which it happened. Each job order is a transaction
of its own; a run that was stopped goes on with the next order. Where orders are enough already, nothing happens.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime

import django

log = logging.getLogger(__name__)

SUPPLIERS_H = 3
"""The demo's suppliers bring what is missing within so long (`simulation.making.deliveries`): plans reckon with it."""

SHARE_OF_CORE = 0.6
"""How much of a core the telling of the past takes, so that pages stay quick meanwhile."""


class Pacer:
    """Rests after each piece of work, in proportion."""

    def __init__(self, share: float = SHARE_OF_CORE) -> None:
        self._ratio = 1 / share - 1
        self._since = time.monotonic()

    def __call__(self) -> None:
        """Rest for what has been done since the last rest."""
        time.sleep(min(1.0, (time.monotonic() - self._since) * self._ratio))
        self._since = time.monotonic()


def main() -> int:
    """Tell the past of the plants of this demo."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "yuheng.config.settings")
    django.setup()
    from yuheng.config.demo_telling import tell  # noqa: PLC0415 - models need django.setup()
    from yuheng.equipment import selectors as equipment  # noqa: PLC0415
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415
    from yuheng.scheduling.selectors.plant import policy_of  # noqa: PLC0415
    from yuheng.scheduling.services.settings import change_settings, keep_first_plan  # noqa: PLC0415
    from yuheng.simulation.catalogues import CATALOGUES  # noqa: PLC0415
    from yuheng.simulation.plants import CHOICES  # noqa: PLC0415

    os.nice(10)
    actor = system_actor("demo")
    for name in CHOICES[os.environ.get("YUHENG_DEMO_PLANT") or "elevator"]:
        if (catalogue := CATALOGUES.get(name)) is None:
            continue
        is_told = tell(catalogue, now=datetime.now(UTC), pace=Pacer()) > 0
        site = equipment.site_by_code(actor=actor, code=catalogue.plant.site_code)
        at = datetime.now(UTC)
        if is_told:
            policy = replace(policy_of(site_id=site.id), material_h=SUPPLIERS_H)
            change_settings(actor=actor, site_id=site.id, policy=policy, at=at)
        keep_first_plan(actor=actor, site_id=site.id, at=at)  # of all there is, so not before
    return 0


if __name__ == "__main__":
    sys.exit(main())
