"""Verbs about people: signing in, persons, roles, passwords, tokens, the demo's cast. The only writers."""

from yuheng.people.services.badges import (
    floor_actor,
    issue_badge,
    set_pin,
    sign_in_with_badge,
    sign_in_with_pin,
    withdraw_badge,
)
from yuheng.people.services.external import sign_in_with_identity
from yuheng.people.services.first_people import (
    DEMO_CAST,
    DEMO_KEEPER,
    DEMO_STRANGER,
    ensure_demo_people,
    ensure_first_administrator,
)
from yuheng.people.services.persons import (
    change_own_password,
    change_own_preferences,
    create_person,
    deactivate_person,
    enter_person,
    reactivate_person,
    rename_person,
    reset_password,
)
from yuheng.people.services.reach import (
    may_manage,
)
from yuheng.people.services.roles import (
    assign_role,
    set_role_permissions,
    withdraw_role,
)
from yuheng.people.services.signing_in import SignInRefused, impersonate, sign_in, sign_out, unlock_person
from yuheng.people.services.tokens import (
    issue_token,
    revoke_token,
)
from yuheng.people.services.trail import (
    note_audit_export,
)

__all__ = [
    "DEMO_CAST",
    "DEMO_KEEPER",
    "DEMO_STRANGER",
    "SignInRefused",
    "assign_role",
    "change_own_password",
    "change_own_preferences",
    "create_person",
    "deactivate_person",
    "ensure_demo_people",
    "ensure_first_administrator",
    "enter_person",
    "floor_actor",
    "impersonate",
    "issue_badge",
    "issue_token",
    "may_manage",
    "note_audit_export",
    "reactivate_person",
    "rename_person",
    "reset_password",
    "revoke_token",
    "set_pin",
    "set_role_permissions",
    "sign_in",
    "sign_in_with_badge",
    "sign_in_with_identity",
    "sign_in_with_pin",
    "sign_out",
    "unlock_person",
    "withdraw_badge",
    "withdraw_role",
]
