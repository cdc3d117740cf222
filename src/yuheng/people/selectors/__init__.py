"""Questions about people, roles, tokens and the audit trail."""

from yuheng.people.selectors.audit import (
    AuditFilter,
    AuditPage,
    AuditRow,
    audit_actions,
    audit_kinds,
    audit_rows,
    audit_sites,
    audit_trail,
)
from yuheng.people.selectors.persons import (
    AssignmentRow,
    Choice,
    PersonRow,
    RoleRow,
    TokenRow,
    demo_people,
    organisations_to_manage,
    own_tokens,
    people,
    person,
    roles,
    sites_to_manage,
)

__all__ = [
    "AssignmentRow",
    "AuditFilter",
    "AuditPage",
    "AuditRow",
    "Choice",
    "PersonRow",
    "RoleRow",
    "TokenRow",
    "audit_actions",
    "audit_kinds",
    "audit_rows",
    "audit_sites",
    "audit_trail",
    "demo_people",
    "organisations_to_manage",
    "own_tokens",
    "people",
    "person",
    "roles",
    "sites_to_manage",
]
