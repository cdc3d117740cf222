"""``yuheng up`` with the real engines and one dummy process, for tests: ``python reduced.py DATA_DIR MODE MQTT_PORT``.

Modes: ``usual`` ends on SIGTERM; ``stubborn`` ignores SIGTERM; ``broken`` says why it cannot start and ends.
"""

from __future__ import annotations

import signal
import sys
from pathlib import Path

from yuheng.config.supervisor.plant import Choices, Process, Table
from yuheng.config.supervisor.supervise import supervise

_SERVE = "import os, signal, sys; {first}open(os.environ['YUHENG_READY_FILE'], 'w').write(str(os.getpid())); {last}"
_STUBBORN = (
    "signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "import ctypes; ctypes.CDLL(None).prctl(1, 0, 0, 0, 0); "  # outlives its parent, as where there is no death signal
)
MODES = {
    "usual": _SERVE.format(first="", last="print('serving', flush=True); signal.pause()"),
    "stubborn": _SERVE.format(first=_STUBBORN, last="[signal.pause() for _ in iter(int, 1)]"),
    "broken": "import sys; sys.exit('the dummy has no reason to live')",
}


def main() -> int:
    """Run it. A test started in the background inherits an ignored SIGINT; a person's terminal does not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    data_dir, mode, mqtt_port = sys.argv[1:4]
    table = Table(processes=(Process("dummy", ("-c", MODES[mode])),), has_database_step=False)
    choices = Choices(Path(data_dir), web_port=0, gateway_port=0, mqtt_port=int(mqtt_port), opens_browser=False)
    return supervise(choices, table=table)


if __name__ == "__main__":
    sys.exit(main())
