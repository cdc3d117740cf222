"""Who acts: the only identity services and selectors know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from yuheng.kernel.errors import NotVisible, PermissionRefused


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, device or process, with what it may do and where.

    Attributes
    ----------
    kind
        ``person``, ``device``, ``system`` or ``anonymous``.
    permissions
        Site id -> names of permissions there, e.g. ``{1: {"telemetry.view"}}``; key 0 holds for every site.
    impersonator
        Who really sits there, when somebody acts as somebody else (demo mode only).
    name_zh, name_en
        How pages call a person; empty for everything else. ``name`` stays the identity that is recorded.
    """

    kind: str
    name: str
    person_id: int | None = None
    permissions: Mapping[int, frozenset[str]] = field(default_factory=dict)
    impersonator: str = ""
    name_zh: str = ""
    name_en: str = ""

    def may(self, permission: str, *, site_id: int | None = None) -> bool:
        """Return whether the permission holds at the site; without a site, whether it holds anywhere."""
        if permission in self.permissions.get(0, ()):
            return True
        if site_id is None:
            return any(permission in names for names in self.permissions.values())
        return permission in self.permissions.get(site_id, ())

    def may_everywhere(self, permission: str) -> bool:
        """Return whether the permission holds for the whole installation, sites yet to come included."""
        return permission in self.permissions.get(0, ())

    def require(self, permission: str, *, site_id: int | None = None) -> None:
        """Raise `PermissionRefused` unless `may`; at a site the actor cannot see at all, raise `NotVisible`."""
        if self.may(permission, site_id=site_id):
            return
        if site_id is not None and not self.sees_site(site_id):
            raise NotVisible("There is no such thing here.")
        raise PermissionRefused(f"{self.name} may not do this ({permission}).")

    def require_everywhere(self, permission: str) -> None:
        """Raise `PermissionRefused` unless the permission holds for the whole installation."""
        if not self.may_everywhere(permission):
            raise PermissionRefused(f"{self.name} may not do this for the whole installation ({permission}).")

    def sees_site(self, site_id: int) -> bool:
        """Return whether any permission reaches the site."""
        return bool(self.permissions.get(0)) or bool(self.permissions.get(site_id))

    def site_ids(self) -> frozenset[int] | None:
        """Sites the actor sees; None means all of them."""
        if self.permissions.get(0):
            return None
        return frozenset(site for site, names in self.permissions.items() if names)

    def site_ids_with(self, permission: str) -> frozenset[int] | None:
        """Sites where the permission holds; None means all of them."""
        if self.may_everywhere(permission):
            return None
        return frozenset(site for site, names in self.permissions.items() if permission in names)


def system_actor(name: str) -> Actor:
    """Return the actor of a process that acts for nobody in particular; it may do everything."""
    return Actor(kind="system", name=name, permissions={0: _Everything()})


class _Everything(frozenset[str]):
    """The set that holds every permission."""

    def __contains__(self, item: object) -> bool:
        return True

    def __bool__(self) -> bool:
        return True


ANONYMOUS = Actor(kind="anonymous", name="anonymous")
