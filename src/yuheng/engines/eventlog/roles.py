"""What a column of a log may mean, and the names people give such columns, in English, Chinese and some German (SAP).

Names are compared folded (`fold`): case, full width, separators and units in brackets do not matter. Earlier names of
a role are stronger than later ones.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum


class Role(StrEnum):
    """What a column says of an event."""

    ORDER = "order"
    OPERATION = "operation"
    STEP = "step"
    MACHINE = "machine"
    OPERATOR = "operator"
    START = "start"
    END = "end"
    TIME = "time"
    DURATION = "duration"
    LIFECYCLE = "lifecycle"
    INSTANCE = "instance"
    QUANTITY = "quantity"
    GOOD = "good"
    SCRAP = "scrap"
    REWORK = "rework"
    MATERIAL = "material"
    MATERIAL_NAME = "material_name"
    CUSTOMER = "customer"
    DUE = "due"


TIMES = (Role.START, Role.END, Role.TIME, Role.DUE)
NUMBERS = (Role.QUANTITY, Role.GOOD, Role.SCRAP, Role.REWORK)

_NAMES: dict[Role, str] = {
    Role.ORDER: (
        "case concept name, case id, case, caseid, order id, order no, order number, order, orderno, "
        "work order, work order id, work order no, work order number, workorder, production order, "
        "production order no, manufacturing order, mo, mo no, wo, wo no, wo number, wo id, job id, job no, "
        "job number, job, job order, order code, batch id, batch no, batch, lot id, lot no, lot, trace id, "
        "trace, aufnr, auftrag, auftragsnummer, fertigungsauftrag, 案例id, 案例, 工单号, 工单编号, 工单, "
        "生产订单号, 生产订单, 生产工单, 生产工单号, 订单号, 订单编号, 订单, 制令单号, 制令, 令号, 任务单号, "
        "任务单, 生产任务单, 生产任务号, 任务号, 作业单号, 加工单号, 派工单号, 派工单, 流程卡号, 流程卡, "
        "流转卡号, 流转卡, 生产批号, 批次号, 批次, 批号, 生产单号, 单号, uniq, material uniq"
    ),
    Role.OPERATION: (
        "concept name, activity, activity name, ocel activity, operation name, operation, op name, "
        "operation description, process step, work step, step name, task name, process name, task, process, "
        "event name, event, op, step, vorgang, arbeitsgang, arbeitsvorgang, ltxa1, 活动, 活动名称, 工序名称, "
        "工序, 工序名, 工序描述, 工步名称, 工步, 工艺名称, 工艺, 作业名称, 作业, 操作, 操作名称, 加工工序, "
        "加工内容, 道序, 事件, 事件名称, type"
    ),
    Role.STEP: (
        "operation no, operation number, operation id, op no, op number, op id, opno, step no, step number, "
        "step id, sequence no, sequence number, sequence, seq, seq no, operation seq, vornr, 工序号, "
        "工序编号, 工序编码, 工序代码, 工步号, 道序号, 工序序号"
    ),
    Role.MACHINE: (
        "machine, machine id, machine no, machine name, machine number, machine code, equipment id, "
        "equipment, equipment name, equipment no, work center, work centre, workcenter, workcentre, "
        "work center id, workstation, workstation id, work station, station id, station, station name, "
        "work unit, asset id, asset, production line, line, device, device id, cell, resource, resource id, "
        "resource name, org resource, org machine, arbpl, arbeitsplatz, maschine, vehicle, truck, forklift, "
        "robot, agv, oven, crane, tool machine, 设备编号, 设备编码, 设备号, 设备名称, 设备, 机台编号, "
        "机台号, 机台, 机床编号, 机床, 机器编号, 机器号, 机器, 资源, 资源名称, 工位编号, 工位号, 工位, "
        "工作中心, 工作站, 产线, 生产线, 线体, 机组, 加工设备, loc"
    ),
    Role.OPERATOR: (
        "operator, operator id, operator name, operator no, worker id, worker, worker name, employee id, "
        "employee, employee no, employee name, person, person id, staff, staff id, personnel, personnel no, "
        "user, user id, username, performed by, org user, pernr, mitarbeiter, bediener, 操作员, 操作员工号, "
        "操作工, 操作者, 操作人, 操作人员, 员工编号, 员工号, 员工, 员工姓名, 作业员, 作业人员, 作业者, 工人, "
        "工号, 人员, 姓名, 报工人, 报工人员, 加工人员, 生产人员"
    ),
    Role.START: (
        "start timestamp, start time, start, start date, start datetime, start date time, starttime, "
        "started at, started, begin time, begin, begin timestamp, actual start, actual start time, "
        "time start, time begin, from, startzeit, beginn, start utc, startutc, 开始时间, 实际开始时间, "
        "实际开始, 开工时间, 实际开工时间, 起始时间, 开始日期, 上机时间, 开始, 开工, 加工开始时间, "
        "作业开始时间"
    ),
    Role.END: (
        "complete timestamp, completion timestamp, end timestamp, end time, end, end date, end datetime, "
        "end date time, endtime, ended at, ended, finish time, finish, finish timestamp, finished at, "
        "finished, completed at, completion time, complete time, completion date, complete, completed, "
        "stop time, stop, actual end, actual finish, actual end time, time end, to, endzeit, ende, end utc, "
        "endutc, 结束时间, 完成时间, 实际结束时间, 实际结束, 实际完成时间, 完工时间, 实际完工时间, 下机时间, "
        "结束日期, 完成日期, 完工日期, 结束, 完工, 加工结束时间, 作业结束时间"
    ),
    Role.TIME: (
        "time timestamp, timestamp, ocel timestamp, ocel time, event time, eventtime, time stamp, datetime, "
        "date time, time, date, event date, event timestamp, recorded at, when, ts, zeitstempel, zeit, "
        "datum, 时间戳, 时间, 发生时间, 事件时间, 报工时间, 记录时间, 采集时间, 报工日期, 日期, 日期时间"
    ),
    Role.DURATION: (
        "duration, span, elapsed, elapsed time, cycle time, processing time, process time, run time, "
        "runtime, actual time, work time, dauer, 时长, 持续时间, 加工时间, 加工时长, 工时, 实际工时, 用时, "
        "耗时, 作业时间"
    ),
    Role.LIFECYCLE: (
        "lifecycle transition, lifecycle, transition, transaction type, event type, event status, "
        "transition type, status, state, action, event kind, 生命周期, 状态, 事件类型, 动作, 操作类型, "
        "报工类型"
    ),
    Role.INSTANCE: (
        "concept instance, activity instance, instance, instance id, activity instance id, run id, run, "
        "task id, 实例, 实例id, 运行号"
    ),
    Role.QUANTITY: (
        "work order qty, order qty, order quantity, planned quantity, planned qty, plan qty, "
        "target quantity, target qty, lot size, batch size, quantity, qty, amount, menge, auftragsmenge, "
        "number of pieces, 订单数量, 工单数量, 计划数量, 计划数, 任务数量, 投产数量, 投入数量, 生产数量, "
        "数量, 批量, 总数"
    ),
    Role.GOOD: (
        "qty completed, quantity completed, completed qty, completed quantity, good quantity, good qty, "
        "good, good pieces, good count, ok qty, ok quantity, ok count, qty good, quantity good, yield qty, "
        "accepted qty, qty ok, accepted, output quantity, output qty, output, produced, produced qty, "
        "produced quantity, qty produced, pieces, parts made, gutmenge, 合格数量, 合格数, 合格品数, "
        "良品数量, 良品数, 良品, 完成数量, 完成数, 完工数量, 产出数量, 产出, 产量, 报工数量, 实际数量, "
        "加工数量, 合格"
    ),
    Role.SCRAP: (
        "qty rejected, quantity rejected, rejected qty, rejected quantity, reject qty, rejects, rejected, "
        "scrap quantity, scrap qty, qty scrap, quantity scrap, scrap, scrapped, scrap count, defect qty, "
        "defects, defective, ng qty, ng, nok, nok qty, bad qty, bad, ausschuss, 报废数量, 报废数, 报废, "
        "不合格数量, 不合格数, 不合格品数, 不良数量, 不良数, 不良品数, 不良, 废品数量, 废品数, 废品, 次品数, "
        "次品"
    ),
    Role.REWORK: (
        "rework qty, rework quantity, qty rework, rework, reworked, 返工数量, 返工数, 返工, 返修数量, 返修数, 返修"
    ),
    Role.MATERIAL: (
        "part number, part no, part id, part, product code, product id, product no, product number, "
        "material code, material number, material no, material id, material, item code, item no, "
        "item number, item id, sku, article, article no, product, item, matnr, model, product type, "
        "part type, part desc, part description, artikel, 物料编码, 物料号, 物料编号, 料号, 产品编码, "
        "产品编号, 产品代码, 产品号, 零件号, 零件编号, 图号, 品号, 件号, 型号, 产品型号, 规格型号, 物料, "
        "产品, 零件, 品种, 材料编码, material part"
    ),
    Role.MATERIAL_NAME: (
        "product name, part name, material name, item name, product description, material description, "
        "item description, part desc, part description, maktx, 产品名称, 物料名称, 零件名称, 品名, 物料描述, "
        "产品描述"
    ),
    Role.CUSTOMER: (
        "customer, customer id, customer name, customer code, customer no, client, kunde, 客户, 客户名称, "
        "客户编码, 客户编号, 客户代码, 客户名"
    ),
    Role.DUE: (
        "due date, due, deadline, delivery date, promise date, promised date, promised at, required date, "
        "due time, liefertermin, 交期, 交货期, 交货日期, 要求完成日期, 要求交期, 承诺交期, 计划交期"
    ),
}

NAMES: dict[str, list[tuple[Role, float]]] = {}
"""Folded name -> what it may mean, with how strongly (100 and less)."""

PLANNED = re.compile(r"\b(plan|planned|scheduled|target|expected|earliest|latest|estimated)\b|计划|预计|预定|排程")
"""Times of a plan are no times of what happened."""


def fold(name: str) -> str:
    """Return a column's name without case, full width, brackets with units, and separators.

    Examples
    --------
    >>> fold("  Complete_Timestamp "), fold("case:concept:name"), fold("工时（min）"), fold("StartTime")
    ('complete timestamp', 'case concept name', '工时', 'start time')
    """
    text = unicodedata.normalize("NFKC", name).strip()
    text = re.sub(r"\([^)]*\)|\[[^\]]*\]", " ", text) if re.search(r"[^\s]\s*[\(\[]", text) else text
    text = re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", text)
    return re.sub(r"[\s_\-.:/#\\]+", " ", text).strip().lower()


def _fill() -> None:
    for role, names in _NAMES.items():
        for rank, name in enumerate(names.split(",")):
            NAMES.setdefault(fold(name), []).append((role, 100.0 - 0.1 * rank))


_fill()

_ENDINGS: tuple[tuple[str, Role], ...] = (
    ("开始时间", Role.START), ("开工时间", Role.START), ("结束时间", Role.END), ("完成时间", Role.END),
    ("完工时间", Role.END), ("start timestamp", Role.START), ("start time", Role.START), ("end time", Role.END),
    ("complete timestamp", Role.END), ("end timestamp", Role.END), ("timestamp", Role.TIME),
    ("工单号", Role.ORDER), ("订单号", Role.ORDER), ("order id", Role.ORDER), ("order no", Role.ORDER),
    ("order number", Role.ORDER), ("case id", Role.ORDER), ("order", Role.ORDER), ("工序名称", Role.OPERATION),
    ("activity", Role.OPERATION),
    ("设备编号", Role.MACHINE), ("设备", Role.MACHINE), ("machine", Role.MACHINE), ("machine id", Role.MACHINE),
    ("操作员", Role.OPERATOR), ("operator", Role.OPERATOR), ("worker", Role.OPERATOR),
)  # fmt: skip
"""How a longer name of a column may end; weaker than a whole name."""


def meanings(name: str) -> list[tuple[Role, float]]:
    """Return what a column of this name may mean, with how strongly (above 0, at most 100).

    Examples
    --------
    >>> meanings("工单号")[0][0].value, meanings("Worker ID")[0][0].value, meanings("计划开始时间")
    ('order', 'operator', [])
    """
    folded = fold(name)
    if (found := NAMES.get(folded)) is not None:
        return found
    if folded.endswith("s") and (found := NAMES.get(folded[:-1])) is not None:  # types of objects: "orders"
        return [(role, score - 5) for role, score in found]
    for prefix in ("case ", "event ", "trace ", "ocel "):
        if folded.startswith(prefix) and (found := NAMES.get(folded.removeprefix(prefix))) is not None:
            return [(role, score - 3) for role, score in found]
    if PLANNED.search(folded):
        return []
    return [(role, 60.0 + len(end)) for end, role in _ENDINGS if folded.endswith(end)]
