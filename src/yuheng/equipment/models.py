"""ISA-95 role-based equipment, physical assets, map placement, shift calendars, targets."""

from __future__ import annotations

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q

from yuheng.kernel.models import SiteScopedModel

CODE_LENGTH = 40
NAME_LENGTH = 120


class NamedAtSite(SiteScopedModel):
    """Something of a site with a code, unique among its kind there, and a name in both languages."""

    code = models.CharField(max_length=CODE_LENGTH)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.code


class ShiftCalendar(NamedAtSite):
    """When people are planned to work. One calendar may be the site's; centers and units may have their own."""

    is_site_default = models.BooleanField(default=False)

    class Meta:
        ordering = ["code"]
        constraints = [
            models.UniqueConstraint(fields=["site", "code"], name="shift_calendar_code_once_per_site"),
            models.UniqueConstraint(
                fields=["site"], condition=Q(is_site_default=True), name="one_default_shift_calendar_per_site"
            ),
        ]


class Shift(models.Model):
    """A shift in the site's local time. An end at or before its start is on the next day."""

    calendar = models.ForeignKey(ShiftCalendar, on_delete=models.CASCADE, related_name="shifts")
    code = models.CharField(max_length=CODE_LENGTH)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)
    start = models.TimeField()
    end = models.TimeField()
    weekdays = models.JSONField(default=list)  # ISO weekdays on which it starts: 1 Monday … 7 Sunday

    class Meta:
        ordering = ["start", "code"]
        constraints = [models.UniqueConstraint(fields=["calendar", "code"], name="shift_code_once_per_calendar")]

    def __str__(self) -> str:
        return self.code


class ShiftBreak(models.Model):
    """A pause inside a shift, in the site's local time."""

    shift = models.ForeignKey(Shift, on_delete=models.CASCADE, related_name="breaks")
    start = models.TimeField()
    end = models.TimeField()

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.start:%H:%M}–{self.end:%H:%M}"


class CalendarException(models.Model):
    """Days from ``first`` to ``last`` that differ: a holiday, or a day worked as another weekday.

    ``works_as`` null: nobody works; 1 Monday … 7 Sunday: the shifts of that weekday run. ``shift_codes`` keeps
    only those of them; empty: all.
    """

    calendar = models.ForeignKey(ShiftCalendar, on_delete=models.CASCADE, related_name="exceptions")
    first = models.DateField()
    last = models.DateField()
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)
    works_as = models.PositiveSmallIntegerField(null=True, blank=True)
    shift_codes = models.JSONField(default=list, blank=True)

    class Meta:
        ordering = ["first", "id"]
        constraints = [
            models.UniqueConstraint(fields=["calendar", "first"], name="calendar_exception_begins_once"),
            models.CheckConstraint(condition=Q(last__gte=F("first")), name="calendar_exception_ends_after_it_begins"),
            models.CheckConstraint(
                condition=Q(works_as__isnull=True) | Q(works_as__gte=1, works_as__lte=7),
                name="calendar_exception_works_as_a_weekday",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.first} – {self.last}"


class EquipmentClass(NamedAtSite):
    """ISA-95 equipment class: what work units of a kind have in common. State rules on it belong to telemetry."""

    class Meta:
        ordering = ["code"]
        constraints = [models.UniqueConstraint(fields=["site", "code"], name="equipment_class_code_once_per_site")]


class ClassPicture(models.Model):
    """What machines of a class look like: an SVG or PNG, cleaned before it was kept (`equipment.pictures`)."""

    equipment_class = models.OneToOneField(
        EquipmentClass, on_delete=models.CASCADE, related_name="picture", primary_key=True
    )
    media_type = models.CharField(max_length=40)
    content = models.BinaryField()
    sha256 = models.CharField(max_length=64)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()

    def __str__(self) -> str:
        return f"{self.media_type} {self.width}×{self.height}"


class CauseName(models.Model):
    """What a cause code of a class means, e.g. fault 12: wire feed."""

    equipment_class = models.ForeignKey(EquipmentClass, on_delete=models.CASCADE, related_name="causes")
    code = models.CharField(max_length=CODE_LENGTH)
    name_zh = models.CharField(max_length=NAME_LENGTH)
    name_en = models.CharField(max_length=NAME_LENGTH)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["equipment_class", "code"], name="cause_code_once_per_class")]

    def __str__(self) -> str:
        return self.code


class Area(NamedAtSite):
    """ISA-95 area of a site, e.g. a workshop. ``retired_at`` instead of deletion: history keeps pointing at it."""

    position = models.PositiveIntegerField(default=0)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["site", "code"], name="area_code_once_per_site")]


class WorkCenter(NamedAtSite):
    """ISA-95 work center: a group of work units that production is planned on."""

    area = models.ForeignKey(Area, on_delete=models.PROTECT, related_name="work_centers")
    calendar = models.ForeignKey(ShiftCalendar, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField(default=0)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["site", "code"], name="work_center_code_once_per_site")]


class WorkUnit(NamedAtSite):
    """ISA-95 work unit: one station or machine, as a role that a physical asset plays."""

    work_center = models.ForeignKey(WorkCenter, on_delete=models.PROTECT, related_name="work_units")
    equipment_class = models.ForeignKey(
        EquipmentClass, null=True, blank=True, on_delete=models.PROTECT, related_name="work_units"
    )
    calendar = models.ForeignKey(ShiftCalendar, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    position = models.PositiveIntegerField(default=0)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [models.UniqueConstraint(fields=["site", "code"], name="work_unit_code_once_per_site")]


class MapPlacement(models.Model):
    """Where an area or a work unit is drawn on the plant map, in map pixels from the top left corner."""

    area = models.OneToOneField(Area, null=True, blank=True, on_delete=models.CASCADE, related_name="placement")
    work_unit = models.OneToOneField(
        WorkUnit, null=True, blank=True, on_delete=models.CASCADE, related_name="placement"
    )
    x = models.FloatField()
    y = models.FloatField()
    w = models.FloatField()
    h = models.FloatField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(area__isnull=True, work_unit__isnull=False) | Q(area__isnull=False, work_unit__isnull=True),
                name="placement_is_of_an_area_or_a_work_unit",
            ),
            models.CheckConstraint(condition=Q(w__gt=0, h__gt=0), name="placement_has_a_size"),
        ]

    def __str__(self) -> str:
        return f"{self.x:g},{self.y:g} {self.w:g}×{self.h:g}"


class PhysicalAsset(SiteScopedModel):
    """ISA-95 physical asset: the thing with a serial number that plays a work unit's role for a time."""

    serial = models.CharField(max_length=80)
    maker = models.CharField(max_length=NAME_LENGTH, blank=True, default="")
    model = models.CharField(max_length=NAME_LENGTH, blank=True, default="")
    built = models.PositiveSmallIntegerField(
        null=True, blank=True, validators=[MinValueValidator(1800), MaxValueValidator(2200)]
    )

    class Meta:
        ordering = ["serial"]
        constraints = [models.UniqueConstraint(fields=["site", "serial"], name="asset_serial_once_per_site")]

    def __str__(self) -> str:
        return self.serial


class AssetAssignment(models.Model):
    """From ``from_at`` until ``to_at`` (null: still) the asset plays the work unit. Rows are closed, never removed."""

    asset = models.ForeignKey(PhysicalAsset, on_delete=models.PROTECT, related_name="assignments")
    work_unit = models.ForeignKey(WorkUnit, on_delete=models.PROTECT, related_name="asset_assignments")
    from_at = models.DateTimeField()
    to_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-from_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["work_unit"], condition=Q(to_at__isnull=True), name="one_asset_at_a_time_per_work_unit"
            ),
            models.UniqueConstraint(
                fields=["asset"], condition=Q(to_at__isnull=True), name="one_work_unit_at_a_time_per_asset"
            ),
            models.CheckConstraint(
                condition=Q(to_at__isnull=True) | Q(to_at__gte=F("from_at")), name="asset_leaves_after_it_came"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.asset_id} as {self.work_unit_id}"


class SiteTarget(SiteScopedModel):
    """What a site aims at for one indicator, e.g. ``producing_ratio`` 0.75."""

    indicator = models.CharField(max_length=60)
    value = models.FloatField()
    unit = models.CharField(max_length=40, default="1")

    class Meta:
        ordering = ["indicator"]
        constraints = [models.UniqueConstraint(fields=["site", "indicator"], name="one_target_per_indicator_and_site")]

    def __str__(self) -> str:
        return f"{self.indicator} {self.value:g}"


class PlantImport(SiteScopedModel):
    """A file somebody uploaded, its dry run seen by them, perhaps applied. The content is dropped once applied."""

    person_name = models.CharField(max_length=150)
    file_name = models.CharField(max_length=200)
    content = models.BinaryField(default=bytes)
    kind = models.CharField(max_length=40, blank=True, default="")  # CSV: which section; "" for a plant file
    plan_sha256 = models.CharField(max_length=64)
    created_at = models.DateTimeField()
    applied_at = models.DateTimeField(null=True, blank=True)
    counts = models.JSONField(default=dict)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.file_name
