"""``yuheng export PATH``: write a site as a plant file, or as one CSV file a kind."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from yuheng.config.commands.import_plant import CANNOT, FAILED, NOT_RUNNING, connect
from yuheng.config.running import NothingRuns

HELP = "Write a plant as YAML or CSV. Importing it again changes nothing. Passwords of devices are not in it."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Where to, which site, which format."""
    parser.add_argument("path", type=Path, help="a file for YAML ('-' for the screen), a directory for CSV")
    parser.add_argument("--format", choices=("yaml", "csv"), default="yaml")
    parser.add_argument("--site", default="", metavar="CODE", help="the site (default: the only one)")
    parser.add_argument("--data-dir", type=Path, default=None, metavar="DIR", help="the data directory of `yuheng up`")


def run(args: argparse.Namespace) -> int:
    """Export."""
    try:
        connect(args.data_dir)
    except NothingRuns as error:
        sys.stderr.write(f"{error}\n")
        return NOT_RUNNING
    return _export(args)


def _export(args: argparse.Namespace) -> int:
    # Imported here: everything below reads Django's models.
    from yuheng.config.plant_file import SECTIONS  # noqa: PLC0415
    from yuheng.equipment import importing, selectors  # noqa: PLC0415
    from yuheng.kernel.actor import system_actor  # noqa: PLC0415

    actor = system_actor("yuheng export")
    sites = {site.code: site for site in selectors.visible_sites(actor=actor)}
    code = args.site or (next(iter(sites)) if len(sites) == 1 else "")
    if code not in sites:
        sys.stderr.write(f"Say which site with --site: {', '.join(sites) or 'there is none yet'}.\n")
        return CANNOT
    document = importing.export_document(actor=actor, sections=SECTIONS, site_id=sites[code].id)
    files = (
        {args.path / name: content for name, content in importing.csv_files(document, SECTIONS)}
        if args.format == "csv"
        else {args.path: importing.write_plant_file(document)}
    )
    return _write(files)


def _write(files: dict[Path, bytes]) -> int:
    for path, content in files.items():
        if str(path) == "-":
            sys.stdout.write(content.decode())
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError as error:
            sys.stderr.write(f"{path} cannot be written: {error.strerror}.\n")
            return FAILED
        sys.stdout.write(f"{path}\n")
    return 0
