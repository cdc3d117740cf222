"""Persons, roles, assignments, API tokens, failed sign-ins."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.postgres.aggregates import JSONBAgg
from django.db import models
from django.db.models import Q, Value
from django.db.models.functions import JSONObject

from yuheng.people.rules import merge_grants


class PersonQuerySet(models.QuerySet["Person"]):
    """Persons."""

    def with_grants(self) -> PersonQuerySet:
        """Add what each person may do, in the same query; see `Person.grants`."""
        return self.annotate(
            grant_rows=JSONBAgg(
                JSONObject(site="assignments__site_id", permissions="assignments__role__permissions"),
                filter=Q(assignments__isnull=False),
                default=Value([], models.JSONField()),
            )
        )

    def get_by_natural_key(self, username: str) -> Person:
        """Find by user name (asked for by Django's authentication)."""
        return self.get(username=username)


class Person(AbstractBaseUser):
    """Somebody who can sign in. What they may do is in their role assignments, nowhere else."""

    username = models.CharField(max_length=80, unique=True)
    name_zh = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80)
    organisation = models.ForeignKey(
        "kernel.Organisation", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    language = models.CharField(max_length=10, default="zh-hans")
    theme = models.CharField(max_length=10, default="auto")
    is_active = models.BooleanField(default=True)
    is_demo = models.BooleanField(default=False)
    must_change_password = models.BooleanField(default=False)
    former_passwords = models.JSONField(default=list, blank=True)  # hashes of the last ones: they are not taken again
    created_at = models.DateTimeField()

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = PersonQuerySet.as_manager()

    class Meta:
        ordering = ["username"]

    def __str__(self) -> str:
        return self.username

    @property
    def grants(self) -> dict[int, frozenset[str]]:
        """Site id (0: every site) -> permissions. Only on rows read through ``with_grants()``."""
        rows: list[dict[str, Any]] = self.grant_rows  # type: ignore[attr-defined]
        return merge_grants((row["site"], row["permissions"]) for row in rows)


class Role(models.Model):
    """A named set of permissions (values of `rules.Permission`)."""

    code = models.SlugField(max_length=40, unique=True)
    name_zh = models.CharField(max_length=80)
    name_en = models.CharField(max_length=80)
    permissions = models.JSONField(default=list)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.code


class RoleAssignment(models.Model):
    """A person has a role at a site; without a site, everywhere."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="assignments")
    role = models.ForeignKey(Role, on_delete=models.PROTECT, related_name="assignments")
    site = models.ForeignKey("kernel.Site", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    given_by = models.CharField(max_length=20, blank=True, default="")  # "": by hand; "oidc": by a provider's group

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(
                fields=["person", "role", "site"], nulls_distinct=False, name="role_assignment_once_per_site"
            )
        ]

    def __str__(self) -> str:
        return f"{self.person_id}: {self.role_id} @ {self.site_id or '*'}"


class ExternalIdentity(models.Model):
    """Who a person is at a provider of identities: the subject never changes there, names and mail addresses do."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=300)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["issuer", "subject"], name="external_identity_is_one_person")]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class ApiToken(models.Model):
    """A credential for programs, acting as its person within ``scopes``. Only the SHA-256 of the secret is kept."""

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=80)
    token_sha256 = models.CharField(max_length=64, unique=True)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    site = models.ForeignKey("kernel.Site", null=True, blank=True, on_delete=models.PROTECT, related_name="+")

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(expires_at__gt=models.F("created_at")), name="api_token_expires_after_it_was_made"
            )
        ]

    def __str__(self) -> str:
        return self.name


class FailedSignIn(models.Model):
    """Wrong passwords in a row, by user name and by address. ``key`` is a hash: names may be mistyped secrets."""

    key = models.CharField(max_length=64, unique=True)
    failures = models.PositiveIntegerField(default=0)
    last_failed_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"{self.failures} since {self.last_failed_at}"


class FloorCredential(models.Model):
    """How a person is known at a registered station terminal: a badge that is scanned, or a number and a PIN.

    It opens nothing but terminals. Of the badge only the SHA-256 is kept, of the PIN a slow hash.
    """

    person = models.OneToOneField(Person, on_delete=models.CASCADE, related_name="floor_credential")
    number = models.CharField(max_length=8, unique=True)  # digits: typed on the terminal's number pad
    badge_sha256 = models.CharField(max_length=64, unique=True, null=True, blank=True)
    badge_hint = models.CharField(max_length=4, blank=True, default="")  # its last characters, to tell cards apart
    pin = models.CharField(max_length=128, blank=True, default="")
    changed_at = models.DateTimeField()

    class Meta:
        ordering = ["number"]

    def __str__(self) -> str:
        return self.number
