"""What the import linter cannot see: a foreign key names its target by a string."""

import pytest
from django.apps import apps
from django.db import models

ORDER = [
    "kernel",
    "people",
    "equipment",
    "engineering",
    "telemetry",
    "alarms",
    "operations",
    "terminal",
    "scheduling",
    "performance",
    "analysis",
]
"""Contexts from the lowest up; a context that is missing here has no place yet."""

OURS = [
    config.label for config in apps.get_app_configs() if config.name.startswith("yuheng.") and config.label != "web"
]


def relations():
    for model in apps.get_models():
        if model._meta.app_label not in OURS:
            continue
        for field in model._meta.get_fields():
            if (
                isinstance(field, models.ForeignKey | models.OneToOneField | models.ManyToManyField)
                and not field.auto_created
            ):
                yield pytest.param(field, id=f"{model._meta.label}.{field.name}")


def test_every_context_has_its_place():
    assert sorted(OURS) == sorted(ORDER)


@pytest.mark.parametrize("field", list(relations()))
def test_a_relation_points_down_and_leaves_no_trace_on_its_target(field):
    here, there = field.model._meta.app_label, field.related_model._meta.app_label
    if here == there:
        return
    assert there not in ORDER or ORDER.index(there) < ORDER.index(here), f"{here} may not point up to {there}"
    assert field.remote_field.related_name == "+", 'a cross-context relation has related_name="+"'


def test_there_are_no_generic_foreign_keys():
    generic = [
        model._meta.label for model in apps.get_models() if model._meta.app_label in OURS and model._meta.private_fields
    ]
    assert generic == []
