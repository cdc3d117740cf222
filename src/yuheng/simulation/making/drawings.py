"""Small drawings of parts, made from their names: a view, its dimensions, a title block. PNG, drawn with NumPy.

A tablet shows PNG inside its page, and engineering keeps no SVG (it can carry scripts); so the drawing is pixels.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

from yuheng.simulation.engine import chance

WIDTH, HEIGHT = 640, 420
PAPER, INK, THIN = 255, 20, 130

Sheet = npt.NDArray[np.uint8]

_GLYPHS = {
    "0": "75557", "1": "26227", "2": "71747", "3": "71717", "4": "55711", "5": "74717", "6": "74757", "7": "71111",
    "8": "75757", "9": "75717", "A": "75755", "B": "65656", "C": "74447", "D": "65556", "E": "74747", "F": "74744",
    "G": "74557", "H": "55755", "I": "72227", "J": "11157", "K": "55655", "L": "44447", "M": "57755", "N": "65555",
    "O": "75557", "P": "75744", "Q": "75571", "R": "75655", "S": "74717", "T": "72222", "U": "55557", "V": "55552",
    "W": "55775", "X": "55255", "Y": "55222", "Z": "71247", "-": "00700", ".": "00002", ":": "02020", "/": "11244",
}  # fmt: skip
"""Letters of three by five points, a row an octal digit."""


def drawing(code: str, family: str, seed: int) -> bytes:
    """Return the drawing of a part as a PNG file; the same part has the same drawing, byte for byte.

    Parameters
    ----------
    family
        Decides what it looks like: long, round or flat.
    """
    stream = chance(seed, f"drawing/{code}")
    sheet = np.full((HEIGHT, WIDTH), PAPER, dtype=np.uint8)
    _box(sheet, 8, 8, WIDTH - 9, HEIGHT - 9, INK)
    length, height = stream.randrange(400, 6000, 25), stream.randrange(120, 1800, 5)
    if family in {"drive-shaft", "sheave", "step"}:
        _round_part(sheet, stream.randint(70, 110), stream.randint(4, 8))
    else:
        _flat_part(sheet, stream.randint(3, 7), stream.randint(200, 260))
    _dimension(sheet, 70, 320, 570, str(length))
    _text(sheet, 586, 180, str(height), 2)
    _line(sheet, 580, 80, 580, 290, THIN)
    _title(sheet, code, stream.choice("ABC"))
    return _png(sheet)


def _flat_part(sheet: Sheet, holes: int, height: int) -> None:
    _box(sheet, 70, 290 - height, 570, 290, INK)
    _box(sheet, 84, 304 - height, 556, 276, THIN)
    for place in range(holes):
        x = 110 + place * 420 // max(holes - 1, 1)
        _circle(sheet, x, 290 - height // 2, 12, INK)
        _line(sheet, x - 20, 290 - height // 2, x + 20, 290 - height // 2, THIN)
        _line(sheet, x, 270 - height // 2, x, 310 - height // 2, THIN)


def _round_part(sheet: Sheet, radius: int, steps: int) -> None:
    _circle(sheet, 180, 170, radius, INK)
    _circle(sheet, 180, 170, radius // 2, INK)
    _line(sheet, 60, 170, 300, 170, THIN)
    _line(sheet, 180, 50, 180, 290, THIN)
    for place in range(steps):
        half = radius * (place % 3 + 2) // 5
        _box(sheet, 320 + place * 240 // steps, 170 - half, 320 + (place + 1) * 240 // steps, 170 + half, INK)
    _line(sheet, 310, 170, 572, 170, THIN)


def _dimension(sheet: Sheet, left: int, y: int, right: int, text: str) -> None:
    _line(sheet, left, y, right, y, THIN)
    for x in (left, right):
        _line(sheet, x, y - 16, x, y + 6, THIN)
    _text(sheet, (left + right) // 2 - 4 * len(text), y - 14, text, 2)


def _title(sheet: Sheet, code: str, revision: str) -> None:
    _box(sheet, 320, 345, WIDTH - 9, HEIGHT - 9, INK)
    _line(sheet, 540, 345, 540, HEIGHT - 9, INK)
    _text(sheet, 334, 366, code.upper(), 4 if len(code) <= 12 else 3)
    _text(sheet, 556, 366, f"REV {revision}", 2)
    _text(sheet, 556, 388, "1:10", 2)


def _text(sheet: Sheet, x: int, y: int, text: str, size: int) -> None:
    for letter in text:
        for row, digit in enumerate(_GLYPHS.get(letter, "00000")):
            for column in range(3):
                if int(digit) >> (2 - column) & 1:
                    top, left = y + row * size, x + column * size
                    sheet[top : top + size, left : left + size] = INK
        x += 4 * size


def _line(sheet: Sheet, x1: int, y1: int, x2: int, y2: int, ink: int) -> None:
    count = max(abs(x2 - x1), abs(y2 - y1)) + 1
    xs, ys = np.linspace(x1, x2, count).round().astype(int), np.linspace(y1, y2, count).round().astype(int)
    sheet[ys.clip(0, HEIGHT - 1), xs.clip(0, WIDTH - 1)] = ink


def _box(sheet: Sheet, left: int, top: int, right: int, bottom: int, ink: int) -> None:
    for x1, y1, x2, y2 in (
        (left, top, right, top), (right, top, right, bottom), (left, bottom, right, bottom), (left, top, left, bottom)
    ):  # fmt: skip
        _line(sheet, x1, y1, x2, y2, ink)


def _circle(sheet: Sheet, x: int, y: int, radius: int, ink: int) -> None:
    turn = np.linspace(0, 2 * np.pi, 8 * radius)
    xs, ys = (x + radius * np.cos(turn)).round().astype(int), (y + radius * np.sin(turn)).round().astype(int)
    sheet[ys.clip(0, HEIGHT - 1), xs.clip(0, WIDTH - 1)] = ink


def _png(sheet: Sheet) -> bytes:
    def chunk(kind: bytes, content: bytes) -> bytes:
        checked = kind + content
        return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))

    rows = np.hstack([np.zeros((HEIGHT, 1), dtype=np.uint8), sheet]).tobytes()  # filter 0 before each row
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b"")
