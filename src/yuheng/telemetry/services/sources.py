"""Creating and changing data sources."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from jsonschema import Draft202012Validator

from yuheng.kernel import audit
from yuheng.kernel.actor import Actor
from yuheng.kernel.errors import Conflict, InvalidInput
from yuheng.kernel.events import publish
from yuheng.telemetry.events import SourceChanged
from yuheng.telemetry.models import DataSource
from yuheng.telemetry.rules import is_username, what_is_wrong_with_filter
from yuheng.telemetry.services.access import EDIT, locked
from yuheng.telemetry.source_settings import settings_schema, with_kept_passwords

MAX_TOPICS = 1000


@transaction.atomic
def create_source(
    *,
    actor: Actor,
    site_id: int,
    code: str,
    connector: str,
    topics: Sequence[str],
    settings: dict[str, Any],
    at: datetime,
    is_enabled: bool = True,
    makes_tags_by_itself: bool = False,
    own_tags_limit: int = 5000,
) -> DataSource:
    """Create a data source at a site; needs ``telemetry.edit`` there.

    Raises
    ------
    PermissionRefused, NotVisible
    InvalidInput
        The code, a topic or the settings cannot be accepted; ``fields`` says which and why.
    Conflict
        The site already has a source of that code, or another source claims the same topic filter.
    """
    actor.require(EDIT, site_id=site_id)
    settings = with_kept_passwords(settings, {})
    check_source(code=code, connector=connector, topics=topics, settings=settings)
    _check_free(site_id=site_id, topics=topics, own_id=None)
    source = DataSource(
        site_id=site_id,
        code=code,
        connector=connector,
        topics=list(topics),
        settings=settings,
        is_enabled=is_enabled,
        makes_tags_by_itself=makes_tags_by_itself,
        own_tags_limit=own_tags_limit,
    )
    try:
        with transaction.atomic():
            source.save()
    except IntegrityError as error:
        raise Conflict(_("The site already has a data source called %(code)s.") % {"code": code}) from error
    _tell(actor, source, "source.create", at)
    return source


@transaction.atomic
def configure_source(
    *,
    actor: Actor,
    source_id: int,
    topics: Sequence[str],
    settings: dict[str, Any],
    at: datetime,
    makes_tags_by_itself: bool = False,
    own_tags_limit: int = 5000,
) -> DataSource:
    """Give a source new topics and settings (its payload mapping among them); raises as `create_source` does.

    A password given as `source_settings.MASK` stays as it is.
    """
    source = locked(DataSource, actor=actor, pk=source_id)
    settings = with_kept_passwords(settings, source.settings)
    check_source(code=source.code, connector=source.connector, topics=topics, settings=settings)
    _check_free(site_id=source.site_id, topics=topics, own_id=source.pk)
    source.topics = list(topics)
    source.settings = settings
    source.makes_tags_by_itself = makes_tags_by_itself
    source.own_tags_limit = own_tags_limit
    source.save(update_fields=["topics", "settings", "makes_tags_by_itself", "own_tags_limit"])
    _tell(actor, source, "source.configure", at)
    return source


@transaction.atomic
def switch_source(*, actor: Actor, source_id: int, is_enabled: bool, at: datetime) -> DataSource:
    """Let a source deliver, or stop it; what a stopped MQTT source is sent goes to the dead letters, not away."""
    source = locked(DataSource, actor=actor, pk=source_id)
    if source.is_enabled != is_enabled:
        source.is_enabled = is_enabled
        source.save(update_fields=["is_enabled"])
        _tell(actor, source, "source.enable" if is_enabled else "source.disable", at)
    return source


def check_source(*, code: str, connector: str, topics: Sequence[str], settings: dict[str, Any]) -> None:
    """Raise `InvalidInput` with a sentence for each field that cannot be accepted."""
    fields: dict[str, str] = {}
    if not is_username(code):
        fields["code"] = _("Use 2 to 60 letters, digits, dots, dashes or underscores; not beginning with yuheng.")
    schema = settings_schema(connector)
    if schema is None:
        fields["connector"] = _("No connector called %(name)s is installed.") % {"name": connector}
    else:
        fields.update(_settings_errors(schema, settings))
    if len(topics) > MAX_TOPICS:
        fields["topics"] = _("A source has at most %(count)s topics.") % {"count": MAX_TOPICS}
    for topic in topics:
        wrong = what_is_wrong_with_filter(topic)
        if wrong:
            fields["topics"] = sentence_about_filter(topic, wrong)
    if fields:
        raise InvalidInput(_("The data source cannot be accepted as it is."), fields)


def sentence_about_filter(topic: str, wrong: str) -> str:
    """Return what `rules.what_is_wrong_with_filter` found, in the reader's words."""
    sentences = {
        "empty": _("A topic filter must not be empty."),
        "space": _("The topic filter %(topic)s has a space, which the broker refuses."),
        "wildcards": _("In the topic filter %(topic)s, + must stand alone between slashes and # alone at the end."),
        "private": _("The topic filter %(topic)s begins with a name that the system keeps for itself."),
        "too_wide": _("The topic filter %(topic)s must begin with a word, not with a wildcard."),
    }
    return sentences[wrong] % {"topic": topic}


def _settings_errors(schema: dict[str, Any], settings: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for error in Draft202012Validator(schema).iter_errors(settings):
        place = ".".join(str(part) for part in error.absolute_path)
        found["settings." + place if place else "settings"] = error.message
    return found


def _check_free(*, site_id: int, topics: Sequence[str], own_id: int | None) -> None:
    wanted = set(topics)
    others = DataSource.objects.exclude(pk=own_id or 0).filter(is_enabled=True).values_list("site_id", "code", "topics")
    for other_site, code, claimed in others:
        for topic in sorted(wanted.intersection(claimed)):
            if other_site != site_id:
                raise Conflict(_("The topic filter %(topic)s is taken by another site.") % {"topic": topic})
            raise Conflict(
                _("The data source %(code)s already claims the topic filter %(topic)s.")
                % {"code": code, "topic": topic}
            )


def _tell(actor: Actor, source: DataSource, action: str, at: datetime) -> None:
    publish(SourceChanged(source_id=source.pk, site_id=source.site_id), at=at)
    audit.record(
        actor=actor,
        action=action,
        at=at,
        site_id=source.site_id,
        object_kind="data_source",
        object_id=source.pk,
        code=source.code,
        topics=source.topics,
        is_enabled=source.is_enabled,
    )
