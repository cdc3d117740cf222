"""Verbs about products: define, release, change. The only writers.

Every verb: permission, lock (plant, then material, then version), rule, write, publish, audit.
"""

from yuheng.engineering.services.bills import copy_bom, define_bom, discard_bom, replace_bom
from yuheng.engineering.services.changes import (
    add_to_change,
    approve_change,
    create_change,
    edit_change,
    implement_change,
    reject_change,
    remove_from_change,
    submit_change,
    withdraw_change,
)
from yuheng.engineering.services.materials import (
    LARGEST_DOCUMENT,
    create_material,
    edit_material,
    keep_document,
    restore_material,
    retire_material,
    revise_material,
    save_material_class,
)
from yuheng.engineering.services.releasing import release_bom, release_work_master, retire_version
from yuheng.engineering.services.work_masters import (
    copy_work_master,
    define_work_master,
    discard_work_master,
    replace_work_master,
)

__all__ = [
    "LARGEST_DOCUMENT",
    "add_to_change",
    "approve_change",
    "copy_bom",
    "copy_work_master",
    "create_change",
    "create_material",
    "define_bom",
    "define_work_master",
    "discard_bom",
    "discard_work_master",
    "edit_change",
    "edit_material",
    "implement_change",
    "keep_document",
    "reject_change",
    "release_bom",
    "release_work_master",
    "remove_from_change",
    "replace_bom",
    "replace_work_master",
    "restore_material",
    "retire_material",
    "retire_version",
    "revise_material",
    "save_material_class",
    "submit_change",
    "withdraw_change",
]
