"""The ``yuheng`` command. Each subcommand is a module that is imported only when it is called."""

from __future__ import annotations

import argparse
import importlib
import io
import sys
from collections.abc import Sequence
from typing import Protocol, cast

from yuheng import __version__

COMMANDS: dict[str, tuple[str, str]] = {
    "up": ("yuheng.config.commands.up", "start everything and keep it running"),
    "status": ("yuheng.config.commands.status", "say what runs, where, and since when"),
    "doctor": ("yuheng.config.commands.doctor", "check this machine and say what to do"),
    "connectors": ("yuheng.config.commands.connectors", "list the installed connectors with their quality tier"),
    "device": ("yuheng.config.commands.device", "add, list and remove devices' credentials"),
    "import": ("yuheng.config.commands.import_plant", "read a plant from CSV or YAML, with a dry run"),
    "import-orders": ("yuheng.config.commands.import_orders", "read customer orders or stock from CSV or XLSX"),
    "import-log": ("yuheng.config.commands.import_log", "read a plant's event log: orders, routings, a quality report"),
    "export": ("yuheng.config.commands.export_plant", "write a plant as YAML or CSV"),
    "b2mml": ("yuheng.config.commands.b2mml", "take B2MML documents of an ERP in, and write them"),
    "replay": ("yuheng.config.commands.replay", "send recordings of real machines through MQTT"),
    "schedule": ("yuheng.config.commands.schedule", "plan orders on machines, prove a plan, look at it"),
    "experiment": ("yuheng.config.commands.experiment", "measure what planning and the dispatch loop are worth"),
    "bench": ("yuheng.config.commands.bench", "measure ingest, latency, queries, and that nothing is lost"),
    "backup": ("yuheng.config.commands.backup", "copy a running installation, or verify a copy"),
    "restore": ("yuheng.config.commands.restore", "put a backup into an empty place"),
    "tls": ("yuheng.config.commands.tls", "make and renew certificates for serving others"),
    "migrate": ("yuheng.config.commands.migrate", "bring the database to this version"),
}
"""Name -> module and one line of help. A module is loaded only when its command is called: ``--help`` is immediate."""


class Command(Protocol):
    """What a module in ``config/commands`` offers."""

    HELP: str

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the subcommand's own arguments."""

    def run(self, args: argparse.Namespace) -> int:
        """Do it; the result is the exit code."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit code: 0 done, 1 failed, 2 cannot be done as asked, 3 not running."""
    words = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without Chinese must not end the plant
    if not words or words[0] in {"-h", "--help"}:
        print(_usage())
        return 0 if words else 2
    if words[0] == "--version":
        print(f"yuheng {__version__}")
        return 0
    name, *rest = words
    if name not in COMMANDS:
        print(f"There is no command {name!r}. Known: {', '.join(COMMANDS)}.", file=sys.stderr)
        return 2
    command = cast(Command, importlib.import_module(COMMANDS[name][0]))
    parser = argparse.ArgumentParser(prog=f"yuheng {name}", description=command.HELP)
    command.add_arguments(parser)
    return _run(command, parser.parse_args(rest))


def _run(command: Command, args: argparse.Namespace) -> int:
    try:
        return command.run(args)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # `yuheng ... | head`
        sys.stderr.close()
        return 0


def _usage() -> str:
    lines = [f"yuheng {__version__}: an open manufacturing brain", "", "usage: yuheng COMMAND [options]", ""]
    width = max(map(len, COMMANDS)) + 2
    lines += [f"  {name:<{width}}{line}" for name, (_, line) in COMMANDS.items()]
    return "\n".join([*lines, "", "yuheng COMMAND --help tells the options of one command."])


if __name__ == "__main__":
    sys.exit(main())
