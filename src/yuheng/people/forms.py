"""Forms of the people pages: they read what was sent; the services decide."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from yuheng.people.labels import permission_choices
from yuheng.people.selectors import Choice, RoleRow

LANGUAGES = [("zh-hans", "中文"), ("en", "English")]
THEMES = [("auto", _("As last chosen on this browser")), ("light", _("Light")), ("dark", _("Dark"))]


def _is_english() -> bool:
    return (get_language() or "").startswith("en")


def _named(thing: Choice | RoleRow) -> str:
    """Return the name in the reader's language."""
    return thing.name_en if _is_english() else thing.name_zh


class SignInForm(forms.Form):
    """User name and password."""

    username = forms.CharField(
        label=_("User name"),
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "username", "autofocus": True}),
    )
    password = forms.CharField(
        label=_("Password"),
        max_length=200,
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )


class PersonForm(forms.Form):
    """A new person."""

    username = forms.CharField(label=_("User name"), max_length=80)
    name_zh = forms.CharField(label=_("Name in Chinese"), max_length=80)
    name_en = forms.CharField(label=_("Name in English"), max_length=80)
    organisation = forms.TypedChoiceField(label=_("Organisation"), coerce=int, empty_value=None, required=False)
    language = forms.ChoiceField(label=_("Language"), choices=LANGUAGES)

    def __init__(self, *args: Any, organisations: list[Choice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["organisation"].choices = [  # type: ignore[attr-defined]
            ("", "—"),
            *((firm.code, _named(firm)) for firm in organisations),
        ]


class NamesForm(forms.Form):
    """How a person is called."""

    name_zh = forms.CharField(label=_("Name in Chinese"), max_length=80)
    name_en = forms.CharField(label=_("Name in English"), max_length=80)


class RoleForm(forms.Form):
    """A role at a site, or everywhere."""

    role = forms.ChoiceField(label=_("Role"))
    site = forms.TypedChoiceField(label=_("Site"), coerce=int, empty_value=None, required=False)

    def __init__(
        self, *args: Any, roles: list[RoleRow], sites: list[Choice], may_everywhere: bool, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["role"].choices = [  # type: ignore[attr-defined]
            (role.code, _named(role)) for role in roles
        ]
        everywhere = [("", _("All sites"))] if may_everywhere else []
        self.fields["site"].choices = [  # type: ignore[attr-defined]
            *((site.code, _named(site)) for site in sites),
            *everywhere,
        ]
        self.fields["site"].required = not may_everywhere


class PreferencesForm(forms.Form):
    """Language and theme."""

    language = forms.ChoiceField(label=_("Language"), choices=LANGUAGES)
    theme = forms.ChoiceField(label=_("Theme"), choices=THEMES)


class PasswordForm(forms.Form):
    """The old password and the new one."""

    old = forms.CharField(
        label=_("Present password"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    new = forms.CharField(
        label=_("New password"),
        strip=False,
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
        help_text=_("At least 12 characters; not a common one, not one of your last ones."),
    )


class TokenForm(forms.Form):
    """A new token."""

    name = forms.CharField(label=_("What uses it"), max_length=80)
    days = forms.IntegerField(label=_("Days until it ends"), min_value=1, max_value=366, initial=90)
    site_id = forms.TypedChoiceField(label=_("Site"), coerce=int, empty_value=None, required=False)
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"), choices=permission_choices, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, *args: Any, sites: list[Choice], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["site_id"].choices = [  # type: ignore[attr-defined]
            ("", _("All sites I may see")),
            *((site.code, _named(site)) for site in sites),
        ]


class RolePermissionsForm(forms.Form):
    """What a role allows."""

    permissions = forms.MultipleChoiceField(
        label=_("Permissions"), choices=permission_choices, widget=forms.CheckboxSelectMultiple, required=False
    )


class AuditForm(forms.Form):
    """What to look for in the audit trail."""

    who = forms.CharField(label=_("Who"), max_length=80, required=False)
    action = forms.CharField(
        label=_("What"), max_length=80, required=False, widget=forms.TextInput(attrs={"list": "audit-actions"})
    )
    object_kind = forms.CharField(
        label=_("On what"), max_length=80, required=False, widget=forms.TextInput(attrs={"list": "audit-kinds"})
    )
    object_id = forms.CharField(label=_("Which"), max_length=80, required=False)
    text = forms.CharField(label=_("Words in it"), max_length=80, required=False)
    site = forms.TypedChoiceField(label=_("Site"), coerce=int, empty_value=None, required=False)
    from_day = forms.DateField(label=_("From"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    to_day = forms.DateField(label=_("Until"), required=False, widget=forms.DateInput(attrs={"type": "date"}))
    older_than = forms.IntegerField(required=False, min_value=1, widget=forms.HiddenInput)

    def __init__(
        self,
        *args: Any,
        sites: list[tuple[int, str, str]],
        kinds: list[str],
        actions: list[tuple[str, str]],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.fields["site"].choices = [  # type: ignore[attr-defined]
            ("", _("All sites")),
            *((site_id, en if _is_english() else zh) for site_id, zh, en in sites),
        ]
        self.kinds, self.actions = kinds, actions
