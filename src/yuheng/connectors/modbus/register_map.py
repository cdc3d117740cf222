"""Register maps as manufacturers write them: a table, line by line, into addresses and what a tag needs. Pure."""

from __future__ import annotations

import csv
import io
import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from yuheng.connectors.modbus.addresses import Address, AddressRefused, Table, make, parse, read_modicon, read_unit
from yuheng.connectors.modbus.polls import read_rates, write_rates
from yuheng.gateway.connector import MapLine

WIRE, ONE, MODICON = "wire", "one", "modicon"
"""How a file counts registers: from 0 as on the wire, from 1, or with Modicon's five or six digits."""

MOST_LINES = 200_000

_COLUMNS = {
    "unit_id": ("unit id", "unitid", "slave", "slave id", "slave_id", "device", "device id", "station", "从站",
                "从站号", "从站地址", "站号", "设备地址", "单元号"),
    "table": ("function", "function code", "fc", "register type", "area", "区", "存储区", "功能码", "寄存器类型",
              "寄存器区", "区域"),
    "address": ("register", "register address", "addr", "offset address", "地址", "寄存器地址", "寄存器", "点地址"),
    "data_type": ("type", "datatype", "data type", "format", "数据类型", "类型", "数据格式"),
    "order": ("byte_order", "byte order", "word_order", "word order", "endian", "endianness", "字节序", "字序",
              "字节顺序"),
    "length": ("len", "size", "长度", "字节数"),
    "scale": ("factor", "multiplier", "gain", "倍率", "系数", "比例", "倍数"),
    "offset": ("偏移", "偏移量", "零点"),
    "unit": ("units", "uom", "ucum", "单位", "工程单位"),
    "name_zh": ("名称", "中文名", "中文名称", "变量名", "点名", "描述", "说明"),
    "name_en": ("name", "tag", "tag name", "description", "signal", "英文名", "英文名称"),
    "symbol": ("符号",),
    "role": ("用途",),
    "work_unit": ("work unit", "工位", "工作单元"),
    "deadband": ("死区",),
    "tag_class": ("tag class", "类别"),
    "stale_after_s": ("stale after s",),
    "every_s": ("every", "rate", "poll", "interval", "scan", "周期", "采集周期", "周期s"),
}  # fmt: skip
_BY_NAME = {alias: column for column, aliases in _COLUMNS.items() for alias in (column, *aliases)}
_KEPT = ("scale", "offset", "unit", "name_zh", "name_en", "symbol", "role", "work_unit", "deadband", "tag_class",
         "stale_after_s", "every_s")  # fmt: skip
_TABLES = {
    Table.COIL: ("coil", "coils", "0x", "0", "1", "01", "fc1", "fc01", "do", "线圈", "线圈寄存器", "输出线圈"),
    Table.DISCRETE: ("discrete", "discrete input", "discrete inputs", "1x", "2", "02", "fc2", "fc02", "di", "离散输入",
                     "离散量输入", "输入状态"),
    Table.INPUT: ("input", "input register", "input registers", "3x", "4", "04", "fc4", "fc04", "ir", "ai",
                  "输入寄存器"),
    Table.HOLDING: ("holding", "holding register", "holding registers", "4x", "3", "03", "fc3", "fc03", "hr", "ao",
                    "保持寄存器"),
}  # fmt: skip
_TABLE_OF = {word: table for table, words in _TABLES.items() for word in words if word != "0"}
_TYPES = {
    "int": "int16", "short": "int16", "signed": "int16", "sint16": "int16", "s16": "int16", "i16": "int16",
    "uint": "uint16", "word": "uint16", "ushort": "uint16", "unsigned": "uint16", "u16": "uint16", "enum": "uint16",
    "dint": "int32", "long": "int32", "s32": "int32", "i32": "int32", "udint": "uint32", "dword": "uint32",
    "ulong": "uint32", "u32": "uint32", "real": "float32", "float": "float32", "single": "float32", "f32": "float32",
    "lreal": "float64", "double": "float64", "f64": "float64", "lint": "int64", "s64": "int64", "i64": "int64",
    "ulint": "uint64", "qword": "uint64", "u64": "uint64", "bit": "bool", "boolean": "bool", "ascii": "string",
    "str": "string", "char": "string", "text": "string", "浮点": "float32", "浮点数": "float32", "单精度": "float32",
    "双精度": "float64", "整数": "int16", "无符号整数": "uint16", "布尔": "bool", "开关量": "bool", "位": "bool",
    "字符串": "string", "字": "uint16", "双字": "uint32",
}  # fmt: skip
_ORDERS = {
    "big": "abcd", "big endian": "abcd", "big_endian": "abcd", "be": "abcd", "1234": "abcd", "大端": "abcd",
    "little": "dcba", "little endian": "dcba", "little_endian": "dcba", "le": "dcba", "4321": "dcba", "小端": "dcba",
    "little_swap": "badc", "2143": "badc", "mid-big": "badc", "big_swap": "cdab", "3412": "cdab", "mid-little": "cdab",
    "word swap": "cdab", "swap": "cdab", "字交换": "cdab", "ab": "abcd", "ba": "badc",
}  # fmt: skip
_NUMBER = re.compile(r"(0x[0-9a-f]+|[0-9a-f]+h|\d+)(?:\.(\d{1,2})(?:-(\d{1,2}))?)?", re.ASCII)


class RegisterMaps:
    """What Modbus sources say about register maps; see `gateway.connector.Maps`."""

    numberings = (
        (WIRE, "Registers count from 0, as on the wire", "寄存器从 0 编号（报文地址）"),
        (ONE, "Registers count from 1", "寄存器从 1 编号"),
        (MODICON, "Modicon's numbers: 40001 or 400001", "Modicon 编号：40001 或 400001"),
    )

    def read(self, text: str, numbering: str = "") -> list[MapLine]:
        """Read a table; see `read_map`."""
        return read_map(text, numbering)

    def rhythms(self, settings: Mapping[str, Any], addresses: Iterable[str]) -> dict[str, float]:
        """Return how often each address is read, in seconds; addresses that are none are left out."""
        rates, usual_s = read_rates(settings.get("rates", ())), float(settings.get("every_s", 1.0))
        found: dict[str, float] = {}
        for text in addresses:
            try:
                address = parse(text)
            except AddressRefused:
                continue
            found[text] = next((rate.every_s for rate in rates if rate.covers(address)), usual_s)
        return found

    def with_rhythms(self, settings: Mapping[str, Any], rhythms: Mapping[str, float]) -> dict[str, Any]:
        """Return the settings with which each address is read as often as is said. All addresses must be given."""
        rates = write_rates(rhythms, usual_s=float(settings.get("every_s", 1.0)))
        others = {name: value for name, value in settings.items() if name != "rates"}
        return {**others, "rates": rates} if rates else others


def read_map(text: str, numbering: str = "") -> list[MapLine]:
    """Read a register map line by line; a line that cannot be read says why, the others stand.

    Parameters
    ----------
    text
        CSV with commas, semicolons or tabs; the first line names the columns (`_COLUMNS`, any of their names).
    numbering
        `WIRE`, `ONE`, `MODICON`, or "": then a number that could be read in two ways is refused.

    Raises
    ------
    ValueError
        There is no header that names an address; the sentence says which columns are known.
    """
    lines = io.StringIO(text.removeprefix("\ufeff"), newline="")
    first = text.partition("\n")[0]
    reader = csv.reader(lines, delimiter=max(",;\t", key=first.count))
    found: list[MapLine] = []
    seen: dict[str, int] = {}
    try:
        header = [_column(name) for name in next(reader, [])]
        _check_header(header)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(found) >= MOST_LINES:
                raise ValueError("The file has more than 200,000 lines. Split it.")
            line = _read_line(reader.line_num, dict(zip(header, cells, strict=False)), numbering)
            if line.address in seen and not line.problem:
                line = line._replace(problem=f"{line.address} stands in line {seen[line.address]} already.")
            elif not line.problem:
                seen[line.address] = line.line
            found.append(line)
    except csv.Error as error:
        raise ValueError(f"Line {reader.line_num} is not CSV: {error}.") from error
    return found


def _column(name: str) -> str:
    plain = _plain(name)
    return (
        _BY_NAME.get(plain)
        or _BY_NAME.get(re.sub(r"[\s_]*[(\[].*", "", plain))
        or _BY_NAME.get(plain.replace("_", " "), plain)
    )


def _check_header(header: list[str]) -> None:
    if "address" not in header:
        raise ValueError("The first line must name the columns, among them 'address' (or 'register', '地址').")
    if twice := sorted({name for name in header if name in _COLUMNS and header.count(name) > 1}):
        raise ValueError(f"Two columns mean the same: {', '.join(twice)}.")


def _plain(text: str) -> str:
    """Full-width signs and capitals, as spreadsheets in China have them, made plain."""
    return unicodedata.normalize("NFKC", text).strip().lower()


def _read_line(line: int, cells: Mapping[str, str], numbering: str) -> MapLine:
    given = {name: cells[name].strip() for name in _KEPT if cells.get(name, "").strip()}
    shown = cells.get("address", "").strip()
    try:
        address = _address(cells, numbering)
        values = _values(address, given)
    except ValueError as refusal:
        return MapLine(line, shown, {}, str(refusal))
    return MapLine(line, str(address), values)


def _address(cells: Mapping[str, str], numbering: str) -> Address:
    """Put an address together. Raises `ValueError` with a sentence."""
    text = _plain(cells.get("address", ""))
    if not text:
        raise ValueError("The line has no address.")
    if ":" in text:
        return parse(text)
    unit = read_unit(_whole(_plain(cells.get("unit_id", "")) or "1"))
    kind, order = _kind(cells), _order(_plain(cells.get("order", "")))
    table = _table(_plain(cells.get("table", "")))
    place, first, last = _numbers(text)
    looks_modicon = re.match(r"[0134]\d{4,5}(?!\d)", text) is not None
    if numbering == MODICON or (not numbering and table is None and looks_modicon):
        found, register, first, last = read_modicon(text)
        if table not in (None, found):
            raise ValueError(f"{text} is in the table {found}, but the line says {table}.")
        return make(unit, found, register, first, last, _of_table(found, kind, first), order)
    if table is None:
        raise ValueError("The line says no table: coil, discrete, input or holding.")
    if not numbering and looks_modicon:
        raise ValueError(f"{text} could be the number on the wire or Modicon's. Say how the file counts registers.")
    if numbering == ONE:
        if place == 0:
            raise ValueError("The file counts from 1, but this line has register 0.")
        place -= 1
    return make(unit, table, place, first, last, _of_table(table, kind, first), order)


def _of_table(table: Table, kind: str, first_bit: int) -> str:
    """A type that says only what the table or the bit says already is left out."""
    if table.is_bits and kind in ("bool", "uint16"):
        return ""
    return "" if first_bit >= 0 and kind in ("bool", "uint16", "int16") else kind


def _whole(text: str) -> str:
    """Spreadsheets write 1 as 1.0."""
    return text.removesuffix(".0")


def _numbers(text: str) -> tuple[int, int, int]:
    found = _NUMBER.fullmatch(text)
    if found is None:
        raise ValueError(f"'{text}' is no register: write 100, 0x64, or 100.3 for a bit.")
    digits = found.group(1)
    if digits.isdecimal():
        place = int(digits)
    elif digits.startswith("0x"):
        place = int(digits, 16)
    elif digits.endswith("h"):
        place = int(digits[:-1], 16)
    else:
        raise ValueError(f"'{text}' is no register: write 100, 0x64, or 100.3 for a bit.")
    first = -1 if found.group(2) is None else int(found.group(2))
    return place, first, first if found.group(3) is None else int(found.group(3))


def _table(word: str) -> Table | None:
    if not word:
        return None
    found = _TABLE_OF.get(_whole(word)) or _TABLE_OF.get(word.split("(")[0].strip())
    if found is None:
        raise ValueError(f"'{word}' is no table: write coil, discrete, input or holding, or the function 1 to 4.")
    return found


def _kind(cells: Mapping[str, str]) -> str:
    word = _plain(cells.get("data_type", ""))
    kind = _TYPES.get(word, word)
    length = _whole(_plain(cells.get("length", "")))
    if kind != "string":
        return kind
    if not (length.isascii() and length.isdigit()):
        raise ValueError("A string needs its length in bytes: a column 'length', or the type string20.")
    return f"string{int(length)}"


def _order(word: str) -> str:
    return _ORDERS.get(word, word)


def _values(address: Address, given: Mapping[str, str]) -> dict[str, str]:
    """Return what a tag needs, as cells; the data type is that of the scaled value."""
    values = dict(given)
    scale, offset = _number(given, "scale", 1.0), _number(given, "offset", 0.0)
    if scale == 0:
        raise ValueError("The scale is 0: every value would be the same.")
    if "every_s" in given and not 0.001 <= _number(given, "every_s", 1.0) <= 86_400:
        raise ValueError("A rhythm is 0.001 to 86400 seconds.")
    is_scaled = scale != 1 or offset != 0
    if is_scaled and address.data_type in ("bool", "text"):
        raise ValueError(f"A value that is {address.data_type} has no scale and no offset.")
    values["data_type"] = "float" if is_scaled else address.data_type
    return values


def _number(given: Mapping[str, str], name: str, default: float) -> float:
    text = given.get(name)
    if text is None:
        return default
    try:
        number = float(_plain(text))
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or "_" in text:
        raise ValueError(f"'{text}' in the column {name} is not a number.")
    return number
