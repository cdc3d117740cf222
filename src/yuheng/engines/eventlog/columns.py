"""Which column means what: by name, by what stands in it, or as somebody said."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from zoneinfo import ZoneInfo

from yuheng.engines.eventlog.faults import LogError, gettext_noop
from yuheng.engines.eventlog.lifecycle import step_of
from yuheng.engines.eventlog.readers.source import Row, Source
from yuheng.engines.eventlog.roles import NUMBERS, TIMES, Role, fold, meanings
from yuheng.engines.eventlog.values import (
    DateEvidence,
    DateOrder,
    DecimalMark,
    TimeStyle,
    learn_mark,
    read_duration,
    read_number,
    read_time,
    seconds_of_unit,
)

SAMPLE = 2_000
_UTC = TimeStyle(ZoneInfo("UTC"))
_IDENTIFIERS = (Role.ORDER, Role.OPERATION, Role.MACHINE, Role.OPERATOR, Role.MATERIAL, Role.CUSTOMER)


@dataclass(slots=True)
class Columns:
    """What the columns of a log mean, and how they write times and numbers.

    ``guessed``: roles whose column was found by its content only. ``unclear``: columns of times whose day and month
    could be the other way round.
    """

    of: dict[Role, str]
    style: TimeStyle
    marks: dict[str, DecimalMark] = field(default_factory=dict)
    each_s: float = 1.0
    guessed: list[Role] = field(default_factory=list)
    unclear: list[str] = field(default_factory=list)
    has_naive_times: bool = False
    unused: list[str] = field(default_factory=list)


def find_columns(
    source: Source,
    sample: Sequence[Row],
    *,
    given: Mapping[str, str],
    zone: ZoneInfo,
    order: DateOrder | None = None,
) -> Columns:
    """Say what the columns of a log mean.

    Parameters
    ----------
    given
        Role -> column as somebody said; a role with "" is not in the log.
    order
        How dates of two small numbers are written; None: as the column shows.

    Raises
    ------
    LogError
        There is no order, no operation or no time in it, or a column that was named is not there.
    """
    texts = {name: [row[name] for _line, row in sample if row.get(name, "") != ""] for name in source.columns}
    of = _given(source, given)
    refused = {Role(role) for role, column in given.items() if not column}
    for role, column in source.hints.items():
        if Role(role) not in of and Role(role) not in refused and column not in of.values():
            of[Role(role)] = column
    _by_name(of, texts, refused)
    guessed = _by_content(of, texts, refused)
    _settle(of, texts)
    for role in (Role.ORDER, Role.OPERATION):
        if role not in of:
            raise LogError(
                gettext_noop(
                    "No column of the log says which %(what)s it is about. Columns: %(columns)s. "
                    "Name it: --map %(role)s=COLUMN."
                ),
                {"what": role.value, "role": role.value, "columns": ", ".join(source.columns)[:500]},
            )
    if not set(of) & {Role.START, Role.END, Role.TIME}:
        raise LogError(
            gettext_noop("No column of the log holds times. Columns: %(columns)s. Name one: --map end=COLUMN."),
            {"columns": ", ".join(source.columns)[:500]},
        )
    found = Columns(of, TimeStyle(zone, order or DateOrder.DAY_FIRST), guessed=guessed)
    for role in NUMBERS:
        if role in of:
            found.marks[of[role]] = learn_mark([str(one) for one in texts[of[role]] if isinstance(one, str)])
    if Role.DURATION in of:
        found.each_s = _each(of[Role.DURATION])
    found.unused = [name for name in source.columns if name not in of.values()]
    _learn_dates(found, source, texts, order)
    return found


def _given(source: Source, given: Mapping[str, str]) -> dict[Role, str]:
    of: dict[Role, str] = {}
    known = {fold(name): name for name in source.columns} | {name: name for name in source.columns}
    for word, column in given.items():
        if word not in {role.value for role in Role}:
            raise LogError(
                gettext_noop("'%(word)s' is nothing that a log says. There are: %(known)s."),
                {"word": word[:60], "known": ", ".join(role.value for role in Role)},
            )
        if not column:
            continue
        name = known.get(column) or known.get(fold(column))
        if name is None:
            raise LogError(
                gettext_noop("There is no column '%(name)s' in the log. There are: %(known)s."),
                {"name": column[:60], "known": ", ".join(source.columns)[:500]},
            )
        of[Role(word)] = name
    return of


def _by_name(of: dict[Role, str], texts: Mapping[str, list[object]], refused: set[Role]) -> None:
    scored = [
        (score, role, name)
        for name, cells in texts.items()
        for role, score in meanings(name)
        if role not in refused and _may_be(role, cells)
    ]
    for _score, role, name in sorted(scored, key=lambda one: -one[0]):
        if role not in of and name not in of.values():
            of[role] = name


def _may_be(role: Role, cells: list[object]) -> bool:
    """Return whether what stands in a column goes with a role; an empty column goes with any but those needed."""
    if not cells:
        return False
    if role in TIMES:
        return _share(cells, lambda one: read_time(one, _UTC) is not None and not _is_small(one)) >= 0.1
    if role in NUMBERS:
        return (
            _share(cells, lambda one: read_number(one) is not None or read_number(one, DecimalMark.COMMA) is not None)
            >= 0.3
        )
    if role is Role.DURATION:
        return _share(cells, lambda one: read_duration(one) is not None) >= 0.6
    if role is Role.LIFECYCLE:
        return _share(cells, lambda one: step_of(str(one)) is not None) >= 0.5
    if role is Role.MATERIAL:  # what is different in each row is a piece, not a product
        return len(cells) < 10 or len(set(map(str, cells))) <= 0.8 * len(cells)
    if role is Role.OPERATION:
        return not (len(cells) > 20 and all(read_time(one, _UTC) is not None for one in cells[:50]))
    return True


def _is_small(cell: object) -> bool:
    """Return whether a bare number is no time but could be read as one: 45662 pieces."""
    return isinstance(cell, int) and not isinstance(cell, bool) and cell < 20_000


def _share(cells: Sequence[object], holds: Callable[[object], bool]) -> float:
    looked = cells[:300]
    return sum(map(holds, looked)) / len(looked)


def _by_content(of: dict[Role, str], texts: Mapping[str, list[object]], refused: set[Role]) -> list[Role]:
    """Find what names did not tell: times that parse, a key that repeats, a vocabulary."""
    guessed: list[Role] = []

    def free() -> list[str]:
        return [name for name in texts if name not in of.values() and texts[name]]

    if not set(of) & {Role.START, Role.END, Role.TIME}:
        times = [name for name in free() if _share(texts[name], _is_certain_time) >= 0.9]
        if len(times) == 1:
            of[Role.TIME] = times[0]
            guessed.append(Role.TIME)
        elif len(times) > 1:
            first, second = sorted(times[:2], key=lambda name: _median(texts[name]))
            of[Role.START], of[Role.END] = first, second
            guessed += [Role.START, Role.END]
    if Role.OPERATION not in of and Role.OPERATION not in refused:
        if Role.STEP in of:
            of[Role.OPERATION] = of[Role.STEP]
            del of[Role.STEP]
        else:
            words = [name for name in free() if _is_vocabulary(texts[name])]
            if words:
                of[Role.OPERATION] = min(words, key=lambda name: len(set(map(str, texts[name]))))
                guessed.append(Role.OPERATION)
    if Role.ORDER not in of and Role.ORDER not in refused:
        keys = [name for name in free() if _repeats(texts[name]) and _share(texts[name], _is_certain_time) < 0.5]
        if keys:
            of[Role.ORDER] = max(keys, key=lambda name: len(set(map(str, texts[name]))))
            guessed.append(Role.ORDER)
    return guessed


def _is_certain_time(cell: object) -> bool:
    if isinstance(cell, int | float):
        return False
    text = str(cell)
    return len(text) >= 8 and any(mark in text for mark in "-/.:年T") and read_time(cell, _UTC) is not None


def _median(cells: Sequence[object]) -> int:
    times = sorted(at for one in cells[:300] if (at := read_time(one, _UTC)) is not None)
    return times[len(times) // 2]


def _is_vocabulary(cells: Sequence[object]) -> bool:
    different = len(set(map(str, cells)))
    numbers = _share(cells, lambda one: read_number(one) is not None)
    return (
        2 <= different <= max(2, min(500, len(cells) // 3)) and numbers < 0.5 and _share(cells, _is_certain_time) < 0.5
    )


def _repeats(cells: Sequence[object]) -> bool:
    different = len(set(map(str, cells)))
    return 1 < different <= len(cells) * 0.7


def _settle(of: dict[Role, str], texts: Mapping[str, list[object]]) -> None:
    """Set right what single names got wrong."""
    if Role.MATERIAL not in of and Role.MATERIAL_NAME in of:
        of[Role.MATERIAL] = of.pop(Role.MATERIAL_NAME)
    if Role.TIME in of and Role.END not in of and Role.START in of:
        of[Role.END] = of.pop(Role.TIME)  # a start, and one more time: when it was told
    elif Role.TIME in of and (Role.END in of or Role.START in of):
        del of[Role.TIME]
    if Role.LIFECYCLE in of and Role.START in of and Role.END in of:
        del of[Role.LIFECYCLE]
    if Role.LIFECYCLE in of and _share(texts[of[Role.LIFECYCLE]], lambda one: step_of(str(one)) is not None) < 0.5:
        del of[Role.LIFECYCLE]


def _each(column: str) -> float:
    """Return what a bare number of a column of durations counts in: seconds, unless its name says."""
    return seconds_of_unit(column) or (3600.0 if "工时" in column else 1.0)


def _learn_dates(found: Columns, source: Source, texts: Mapping[str, list[object]], order: DateOrder | None) -> None:
    """Find out whether day or month comes first: from the sample, else from the whole log, else by what fits better."""
    columns = [found.of[role] for role in TIMES if role in found.of]
    seen = _evidence(columns, ([row.get(name, "") for name in columns] for row in _rows_of(texts, columns)))
    found.has_naive_times = any(one.naive > one.aware for one in seen.values())
    if order is not None or not any(one.unclear and not one.day_first + one.month_first for one in seen.values()):
        chosen = _chosen(seen)
        if order is None and chosen is not None:
            found.style = TimeStyle(found.style.zone, chosen)
        return
    seen = _evidence(columns, ([row.get(name, "") for name in columns] for _line, row in source.rows()))
    chosen = _chosen(seen)
    if chosen is None:
        found.unclear = [name for name, one in seen.items() if one.unclear]
        chosen = _better(found, columns, texts, half_days=sum(one.half_days for one in seen.values()))
    found.style = TimeStyle(found.style.zone, chosen)


def _rows_of(texts: Mapping[str, list[object]], columns: Sequence[str]) -> list[dict[str, object]]:
    longest = max((len(texts[name]) for name in columns), default=0)
    return [{name: texts[name][at] for name in columns if at < len(texts[name])} for at in range(longest)]


def _evidence(columns: Sequence[str], rows: object) -> dict[str, DateEvidence]:
    seen = {name: DateEvidence() for name in columns}
    for cells in rows:  # type: ignore[attr-defined]
        for name, cell in zip(columns, cells, strict=True):
            if isinstance(cell, str) and cell:
                seen[name].see(cell)
            elif cell != "":
                seen[name].naive += 1
    return seen


def _chosen(seen: Mapping[str, DateEvidence]) -> DateOrder | None:
    day, month = sum(one.day_first for one in seen.values()), sum(one.month_first for one in seen.values())
    if day == month:
        return None
    return DateOrder.DAY_FIRST if day > month else DateOrder.MONTH_FIRST


def _better(found: Columns, columns: Sequence[str], texts: Mapping[str, list[object]], *, half_days: int) -> DateOrder:
    """Return the reading under which the log spans less time and goes back less often."""
    worth: dict[DateOrder, tuple[int, int]] = {}
    for one in DateOrder:
        style = TimeStyle(found.style.zone, one)
        times = [[at for cell in texts[name] if (at := read_time(cell, style)) is not None] for name in columns]
        back = sum(a > b for row in times for a, b in pairwise(row))
        every = [at for row in times for at in row]
        worth[one] = (back, max(every) - min(every)) if every else (0, 0)
    day, month = worth[DateOrder.DAY_FIRST], worth[DateOrder.MONTH_FIRST]
    if day == month:
        return DateOrder.MONTH_FIRST if half_days else DateOrder.DAY_FIRST
    return DateOrder.DAY_FIRST if day < month else DateOrder.MONTH_FIRST
