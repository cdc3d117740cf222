"""From the pieces of an uploaded file to its rows, and to orders whose rows stand together; on disk, not in memory."""

from __future__ import annotations

import csv
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.db import connection
from django.utils.translation import gettext as _

from yuheng.engineering.importing.files import read_rows
from yuheng.kernel.errors import InvalidInput
from yuheng.operations.models import OrderFile, OrderFilePiece
from yuheng.operations.rules.files import FileKind
from yuheng.operations.services.order_rows import Group
from yuheng.operations.services.orders import MOST_LINES
from yuheng.operations.tables import TableRow

PIECE = 1024 * 1024
AT_ONCE = 2_000
"""Rows that are fetched, and about as many that are taken, at a time."""
TOLD_BACK = ("row", "refused_because")
"""Columns of the file of refused rows; a file that comes back with them is read as if they were not there."""
COLUMNS: dict[str, tuple[str, ...]] = {
    FileKind.ORDERS: (
        "order", "customer", "customer_name", "promised_at", "priority", "is_rush", "reference", "note", "material",
        "quantity", "unit", "serial", "options",
    ),
    FileKind.STOCK: ("material", "lot", "quantity", "unit", "location", "serial", "expires_at", "note"),
}  # fmt: skip
REQUIRED: dict[str, tuple[str, ...]] = {
    FileKind.ORDERS: ("order", "customer", "material", "quantity"),
    FileKind.STOCK: ("material", "quantity"),
}
Tell = Callable[[int, int | None], None]
"""Says how far it is: rows done, and of how many (None: not known yet). May raise to stop it."""


@contextmanager
def on_disk(row: OrderFile) -> Iterator[Path]:
    """Write a file's pieces to a scratch file with its own ending, gone afterwards."""
    endings = "".join(Path(row.file_name).suffixes[-2:])
    with tempfile.TemporaryDirectory(prefix="yuheng-file-") as folder:
        path = Path(folder) / f"file{endings if endings.isascii() and len(endings) < 24 else ''}"
        with path.open("wb") as file:
            ranks = OrderFilePiece.objects.filter(order_file=row, is_refused=False).order_by("rank")
            for pk in list(ranks.values_list("pk", flat=True)):
                file.write(OrderFilePiece.objects.values_list("content", flat=True).get(pk=pk))
        yield path


def pieces_of(path: Path) -> Callable[[], Iterable[bytes]]:
    """Return what gives a file from its beginning, a piece at a time."""

    def give() -> Iterator[bytes]:
        with path.open("rb") as file:
            while piece := file.read(PIECE):
                yield piece

    return give


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file: the same file given twice is known."""
    digest = hashlib.sha256()
    for piece in pieces_of(path)():
        digest.update(piece)
    return digest.hexdigest()


def rows_of(path: Path, kind: str) -> Iterator[TableRow]:
    """Yield the rows of a CSV or XLSX file.

    Raises
    ------
    InvalidInput
        It is no such file, or its first row lacks columns or names unknown ones.
    """
    is_known = False
    for raw in read_rows(pieces_of(path), path.name, (*COLUMNS[kind], *TOLD_BACK)):
        if not is_known:
            if missing := sorted(set(REQUIRED[kind]) - raw.cells.keys()):
                raise InvalidInput(_("These columns are missing: %(names)s.") % {"names": ", ".join(missing)})
            is_known = True
        cells = {name: text for name, text in raw.cells.items() if text and name not in TOLD_BACK}
        if cells:
            yield TableRow(raw.line, cells)


def stage(rows: Iterable[TableRow], tell: Tell) -> int:
    """Put rows of orders into a table of this transaction; return how many there are."""
    count = 0
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS order_file_stage")
        cursor.execute("CREATE TEMP TABLE order_file_stage (line bigint, key text, cells text) ON COMMIT DROP")
        with cursor.copy("COPY order_file_stage (line, key, cells) FROM STDIN") as copy:
            for row in rows:
                copy.write_row((row.line, row.get("order"), json.dumps(row.cells, ensure_ascii=False)))
                count += 1
                if count % (5 * AT_ONCE) == 0:
                    tell(0, None)
    return count


def groups() -> Iterator[list[Group]]:
    """Yield staged orders, some hundred at a time, by where they begin in the file."""
    with connection.cursor() as cursor:
        cursor.execute(
            "DECLARE order_file_groups NO SCROLL CURSOR FOR SELECT line, key, cells FROM (SELECT line, key, cells, "
            "min(line) OVER (PARTITION BY key) AS first FROM order_file_stage) AS one ORDER BY first, key, line"
        )
        batch: list[Group] = []
        held: list[TableRow] = []
        key, is_cut = "", False
        while True:
            cursor.execute(f"FETCH {AT_ONCE} FROM order_file_groups")
            found = cursor.fetchall()
            for line, code, cells in found:
                if held and (code != key or len(held) > MOST_LINES):
                    is_cut = is_cut or len(held) > MOST_LINES
                    batch.append(Group(key, held, is_cut))
                    held, is_cut = [], is_cut and code == key
                key = code
                held.append(TableRow(line, json.loads(cells)))
            if not found:
                break
            if sum(len(group.rows) for group in batch) >= AT_ONCE:
                yield batch
                batch = []
        if held:
            batch.append(Group(key, held, is_cut or len(held) > MOST_LINES))
        if batch:
            yield batch
        cursor.execute("CLOSE order_file_groups")


class RefusedRows:
    """Writes refused rows as CSV, as they stand in the file, each with where and why."""

    def __init__(self, file: IO[str], columns: Iterable[str]) -> None:
        self._columns = tuple(columns)
        self._writer = csv.writer(file)
        self._writer.writerow([*self._columns, *TOLD_BACK])
        self.count = 0

    def add(self, rows: Iterable[TableRow], reason: str) -> None:
        """Write the rows of one order or receipt."""
        for row in rows:
            cells = [_plain(row.get(name)) for name in self._columns]
            self._writer.writerow([*cells, row.line, reason])
            self.count += 1


def _plain(text: str) -> str:
    """Return a cell such that a spreadsheet takes it for a text, never for a formula."""
    return f"'{text}" if text[:1] in ("=", "@", "\t") else text


def keep_refused(row: OrderFile, path: Path, count: int) -> None:
    """Keep the refused rows of a file with it."""
    row.pieces.filter(is_refused=True).delete()
    if not count:
        return
    for rank, piece in enumerate(pieces_of(path)()):
        OrderFilePiece.objects.create(order_file=row, is_refused=True, rank=rank, content=piece)
