"""Who works at which stations of a demo plant, in which shift; their badges, and the keys of the stations' tablets.

Everything follows from the catalogue and one secret that the installer has drawn: nothing else has to be kept.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from yuheng.simulation.products import Catalogue

STATIONS_OF_COUNTING, STATIONS_OF_OTHERS = 3, 2
"""How many stations one person looks after: machines that count run by themselves for a while."""

SHIFTS = ("day", "night")
DAY_BEGINS_H, NIGHT_BEGINS_H = 8, 20

_SURNAMES = (
    ("张", "Zhang"), ("王", "Wang"), ("李", "Li"), ("赵", "Zhao"), ("刘", "Liu"), ("陈", "Chen"), ("杨", "Yang"),
    ("黄", "Huang"), ("周", "Zhou"), ("吴", "Wu"), ("徐", "Xu"), ("孙", "Sun"), ("马", "Ma"), ("朱", "Zhu"),
    ("胡", "Hu"), ("郭", "Guo"), ("何", "He"), ("林", "Lin"), ("罗", "Luo"), ("郑", "Zheng"), ("梁", "Liang"),
    ("谢", "Xie"), ("宋", "Song"),
)  # fmt: skip
_GIVEN = (
    ("建国", "Jianguo"), ("秀英", "Xiuying"), ("志强", "Zhiqiang"), ("丽", "Li"), ("军", "Jun"), ("敏", "Min"),
    ("伟", "Wei"), ("静", "Jing"), ("磊", "Lei"), ("芳", "Fang"), ("勇", "Yong"), ("娜", "Na"), ("海涛", "Haitao"),
    ("晓燕", "Xiaoyan"), ("浩", "Hao"), ("雪梅", "Xuemei"), ("文杰", "Wenjie"), ("桂兰", "Guilan"), ("鹏", "Peng"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Operator:
    """One person of the floor.

    Attributes
    ----------
    number
        From 1, within the plant.
    stations
        Codes of the work units where this person works in their shift.
    """

    number: int
    username: str
    name_zh: str
    name_en: str
    shift: str
    skill: str
    stations: tuple[str, ...]


def operators(catalogue: Catalogue) -> list[Operator]:
    """Return everybody of the floor; each station has one of each shift."""
    found: list[Operator] = []
    for shift in SHIFTS:
        for machine, units in _units_by_class(catalogue).items():
            trade = catalogue.trade(machine)
            each = STATIONS_OF_COUNTING if trade.is_counting else STATIONS_OF_OTHERS
            for start in range(0, len(units), each):
                found.append(_operator(catalogue, len(found) + 1, shift, trade.skill[0], units[start : start + each]))
    return found


def shift_at(local_hour: int) -> str:
    """Return which shift works at an hour of the plant's day.

    Examples
    --------
    >>> shift_at(8), shift_at(19), shift_at(20), shift_at(3)
    ('day', 'day', 'night', 'night')
    """
    return SHIFTS[0] if DAY_BEGINS_H <= local_hour < NIGHT_BEGINS_H else SHIFTS[1]


def badge_of(secret: str, operator: Operator) -> str:
    """Return what a person's badge says when it is scanned."""
    return f"YHB-{_digest(secret, f'badge/{operator.username}')[:20].upper()}"


def token_of(secret: str, station: str) -> str:
    """Return the key in the cookie of the tablet at a station."""
    return f"yht_{_digest(secret, f'tablet/{station}')}"


def tablet_name(station: str) -> str:
    """Return the name under which the tablet of a station is registered."""
    return f"{station} 工位终端"


def _units_by_class(catalogue: Catalogue) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for unit in catalogue.plant.units():
        found.setdefault(unit.kind.code, []).append(unit.code)
    return found


def _operator(catalogue: Catalogue, number: int, shift: str, skill: str, stations: Sequence[str]) -> Operator:
    # Surnames and given names have coprime counts: no two people of one plant share both.
    (family_zh, family_en), (given_zh, given_en) = _SURNAMES[number % len(_SURNAMES)], _GIVEN[number % len(_GIVEN)]
    return Operator(
        number=number,
        username=f"{catalogue.plant.organisation[0]}-{number:03d}",
        name_zh=f"{family_zh}{given_zh}",
        name_en=f"{given_en} {family_en}",
        shift=shift,
        skill=skill,
        stations=tuple(stations),
    )


def _digest(secret: str, what: str) -> str:
    return hmac.new(secret.encode(), what.encode(), hashlib.sha256).hexdigest()
