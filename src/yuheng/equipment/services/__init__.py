"""Verbs about the plant's equipment: create, rename, move, retire, place, install; imports. The only writers.

Every verb: permission (``equipment.edit`` at the site), lock, rule, write, publish `events.EquipmentChanged`, audit.
Nothing is deleted: history keeps pointing at what was retired.
"""

from yuheng.equipment.services.assets import (
    install_asset,
)
from yuheng.equipment.services.calendars import (
    ExceptionSpec,
    ShiftSpec,
    assign_calendar,
    check_calendar,
    replace_exceptions,
    replace_shifts,
    save_calendar,
    set_site_target,
    what_is_wrong_with_exception,
)
from yuheng.equipment.services.classes import (
    create_equipment_class,
    forget_cause,
    name_cause,
    remove_class_picture,
    rename_equipment_class,
    set_class_picture,
)
from yuheng.equipment.services.imports import (
    apply_upload,
    plan_of_upload,
    sections,
    upload_plant,
)
from yuheng.equipment.services.placements import (
    Move,
    place_area,
    place_many,
    place_work_unit,
)
from yuheng.equipment.services.sites import (
    create_site,
)
from yuheng.equipment.services.tree import (
    NewUnit,
    classify_work_unit,
    classify_work_units,
    create_area,
    create_work_center,
    create_work_unit,
    create_work_units,
    edit_area,
    edit_work_center,
    edit_work_unit,
    move_work_center,
    move_work_unit,
    rename_area,
    rename_work_center,
    rename_work_unit,
    restore_area,
    restore_work_center,
    restore_work_unit,
    retire_area,
    retire_work_center,
    retire_work_unit,
)

__all__ = [
    "ExceptionSpec",
    "Move",
    "NewUnit",
    "ShiftSpec",
    "apply_upload",
    "assign_calendar",
    "check_calendar",
    "classify_work_unit",
    "classify_work_units",
    "create_area",
    "create_equipment_class",
    "create_site",
    "create_work_center",
    "create_work_unit",
    "create_work_units",
    "edit_area",
    "edit_work_center",
    "edit_work_unit",
    "forget_cause",
    "install_asset",
    "move_work_center",
    "move_work_unit",
    "name_cause",
    "place_area",
    "place_many",
    "place_work_unit",
    "plan_of_upload",
    "remove_class_picture",
    "rename_area",
    "rename_equipment_class",
    "rename_work_center",
    "rename_work_unit",
    "replace_exceptions",
    "replace_shifts",
    "restore_area",
    "restore_work_center",
    "restore_work_unit",
    "retire_area",
    "retire_work_center",
    "retire_work_unit",
    "save_calendar",
    "sections",
    "set_class_picture",
    "set_site_target",
    "upload_plant",
    "what_is_wrong_with_exception",
]
