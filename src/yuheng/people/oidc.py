"""OpenID Connect, authorization code flow with PKCE: the protocol and nothing of our people. No Django.

References
----------
OpenID Connect Core 1.0 (3.1 code flow, 3.1.3.7 validation of the ID token), Discovery 1.0, RFC 7636 (PKCE),
OpenID Connect RP-Initiated Logout 1.0, RFC 9700 (security of OAuth).
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
"""Only keys of which the provider alone has the private half; never ``none``, never a shared secret."""
LEEWAY_S = 60
TIMEOUT_S = 5.0
METADATA_S = 600.0
KEYS_AGAIN_S = 30.0
"""An unknown key makes us ask for the keys anew, but not more often than this: otherwise anybody could make us ask."""
POLICIES = ("mapped", "always", "never")


class OidcError(Exception):
    """Signing in with the provider did not work; the message says why, for the log and the administrator."""


@dataclass(frozen=True, slots=True)
class RoleAt:
    """A role that a group gives; ``site`` "" for everywhere."""

    role: str
    site: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Contents of ``<data>/oidc.json``; see ``docs/administrators.md``."""

    issuer: str
    client_id: str
    client_secret: str = field(default="", repr=False)
    scopes: tuple[str, ...] = ("openid", "profile", "email")
    groups_claim: str = "groups"
    roles: Mapping[str, tuple[RoleAt, ...]] = field(default_factory=dict)
    creates: str = "mapped"
    links_by_username: bool = False
    label: str = "Single sign-on"
    ca_file: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """What must be remembered between leaving for the provider and coming back."""

    state: str
    nonce: str
    verifier: str
    next: str

    @classmethod
    def fresh(cls, wanted: str) -> Attempt:
        """Return one with new secrets."""
        return cls(secrets.token_urlsafe(24), secrets.token_urlsafe(24), secrets.token_urlsafe(48), wanted)

    @property
    def challenge(self) -> str:
        """What the provider is told of the verifier (S256)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the provider says it is. ``groups`` as in its claim; ``id_token`` is needed to sign out there."""

    issuer: str
    subject: str
    username: str
    name: str
    groups: frozenset[str]
    id_token: str = field(default="", repr=False)


def read_settings(path: Path) -> Settings | None:
    """Return the settings of a file; None when there is none.

    Raises
    ------
    OidcError
        The file cannot be used; the sentence says what is wrong.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise OidcError(f"{path.name} cannot be read: {error}") from error
    try:
        roles = {
            str(group): tuple(RoleAt(str(one["role"]), str(one.get("site") or "")) for one in given)
            for group, given in values.get("roles", {}).items()
        }
        found = Settings(
            issuer=str(values["issuer"]).rstrip("/"),
            client_id=str(values["client_id"]),
            client_secret=str(values.get("client_secret", "")),
            scopes=tuple(values.get("scopes", Settings.__dataclass_fields__["scopes"].default)),
            groups_claim=str(values.get("groups_claim", "groups")),
            roles=roles,
            creates=str(values.get("creates", "mapped")),
            links_by_username=bool(values.get("links_by_username", False)),
            label=str(values.get("label", "Single sign-on")),
            ca_file=str(values.get("ca_file", "")),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise OidcError(f"{path.name} lacks or misspells {error}.") from error
    if found.creates not in POLICIES:
        raise OidcError(f"{path.name}: creates is one of {', '.join(POLICIES)}.")
    if "openid" not in found.scopes:
        raise OidcError(f"{path.name}: the scopes must contain openid.")
    if not _is_safe(found.issuer):
        raise OidcError(f"{path.name}: the issuer must be reached with https.")
    return found


def state_of(data_dir: Path) -> tuple[str, str]:
    """Return the provider of ``<data>/oidc.json`` and what is wrong with that file; both empty when there is none."""
    try:
        found = read_settings(data_dir / "oidc.json")
    except OidcError as error:
        return "", str(error)
    return (found.issuer, "") if found is not None else ("", "")


def _is_safe(address: str) -> bool:
    """Return whether an address may carry codes and keys: TLS, or this very machine."""
    parts = urlsplit(address)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"})


class Provider:
    """One provider: its metadata and keys, kept for a while. Safe for threads."""

    def __init__(self, settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
        self.settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._metadata: dict[str, Any] = {}
        self._metadata_at = float("-inf")
        self._keys: KeySet | None = None
        self._keys_at = float("-inf")

    def metadata(self) -> dict[str, Any]:
        """Return the provider's own description. Raises `OidcError`."""
        with self._lock:
            if self._clock() - self._metadata_at > METADATA_S:
                found = self._get(f"{self.settings.issuer}/.well-known/openid-configuration")
                if str(found.get("issuer", "")).rstrip("/") != self.settings.issuer:
                    raise OidcError(f"The provider calls itself {found.get('issuer')!r}, not {self.settings.issuer!r}.")
                needed = ("authorization_endpoint", "token_endpoint", "jwks_uri")
                for name in needed:
                    if not _is_safe(str(found.get(name, ""))):
                        raise OidcError(f"The provider's {name} is missing or not reached with https.")
                self._metadata, self._metadata_at = found, self._clock()
            return self._metadata

    def leave(self, attempt: Attempt, return_to: str) -> str:
        """Return the address to send the browser to."""
        query = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": return_to,
            "scope": " ".join(self.settings.scopes),
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": attempt.challenge,
            "code_challenge_method": "S256",
        }
        endpoint = str(self.metadata()["authorization_endpoint"])
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def come_back(self, attempt: Attempt, *, code: str, return_to: str) -> Identity:
        """Exchange the code and check what comes back. Raises `OidcError`."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": return_to,
            "client_id": self.settings.client_id,
            "code_verifier": attempt.verifier,
        }
        if self.settings.client_secret:
            form["client_secret"] = self.settings.client_secret
        tokens = self._ask("POST", str(self.metadata()["token_endpoint"]), data=form)
        id_token = str(tokens.get("id_token", ""))
        claims = self.checked(id_token, nonce=attempt.nonce)
        if self.settings.groups_claim not in claims and "userinfo_endpoint" in self.metadata():
            claims = {**self._userinfo(str(tokens.get("access_token", "")), str(claims["sub"])), **claims}
        return self._identity(claims, id_token)

    def checked(self, id_token: str, *, nonce: str) -> dict[str, Any]:
        """Return the claims of an ID token that is the provider's, for us, of now and of this attempt."""
        claims = self._decoded(id_token)
        now, ours = self._clock(), self.settings.client_id
        audience = claims.get("aud")
        audiences = [audience] if isinstance(audience, str) else list(audience or [])
        reasons = {
            "issuer": str(claims.get("iss", "")).rstrip("/") == self.settings.issuer,
            "audience": ours in audiences and (len(audiences) == 1 or claims.get("azp") == ours),
            "expiry": _number(claims.get("exp")) > now - LEEWAY_S,
            "time of issue": _number(claims.get("iat")) <= now + LEEWAY_S,
            "not-before time": _number(claims.get("nbf", 0)) <= now + LEEWAY_S,
            "nonce": secrets.compare_digest(str(claims.get("nonce", "")).encode(), nonce.encode()),
            "subject": bool(claims.get("sub")),
        }
        if wrong := [name for name, is_right in reasons.items() if not is_right]:
            raise OidcError(f"The provider's ID token has a wrong {', '.join(wrong)}.")
        return claims

    def sign_out_address(self, id_token: str, return_to: str) -> str:
        """Return where one signs out at the provider too; "" when it offers nothing."""
        try:
            endpoint = str(self.metadata().get("end_session_endpoint", ""))
        except OidcError:
            return ""
        query = {"client_id": self.settings.client_id, "post_logout_redirect_uri": return_to}
        if id_token:
            query["id_token_hint"] = id_token
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}" if _is_safe(endpoint) else ""

    def _decoded(self, id_token: str) -> dict[str, Any]:
        for is_last in (False, True):
            try:
                return dict(jwt.decode(id_token, self._key_set(), algorithms=ALGORITHMS).claims)
            except (JoseError, ValueError, TypeError) as error:
                if is_last or not self._forget_keys():
                    raise OidcError(f"The provider's ID token cannot be trusted: {error}") from error
        raise AssertionError("unreachable")

    def _key_set(self) -> KeySet:
        address = str(self.metadata()["jwks_uri"])
        with self._lock:
            if self._keys is None or self._clock() - self._keys_at > METADATA_S:
                try:
                    self._keys = KeySet.import_key_set(self._get(address))  # type: ignore[arg-type]
                except (JoseError, ValueError, KeyError, TypeError) as error:
                    raise OidcError(f"The provider's keys cannot be read: {error}") from error
                self._keys_at = self._clock()
            return self._keys

    def _forget_keys(self) -> bool:
        """Let the keys be asked for anew, unless that was just done; the provider may have changed them."""
        with self._lock:
            if self._clock() - self._keys_at < KEYS_AGAIN_S:
                return False
            self._keys = None
            return True

    def _userinfo(self, access_token: str, subject: str) -> dict[str, Any]:
        header = {"Authorization": f"Bearer {access_token}"}
        found = self._ask("GET", str(self.metadata()["userinfo_endpoint"]), headers=header)
        if found.get("sub") != subject:
            raise OidcError("The provider's user information is about somebody else.")
        return found

    def _identity(self, claims: Mapping[str, Any], id_token: str) -> Identity:
        groups = claims.get(self.settings.groups_claim, [])
        groups = [groups] if isinstance(groups, str) else groups
        username = str(claims.get("preferred_username") or claims.get("email") or claims["sub"])
        name = str(claims.get("name") or username)
        given = frozenset(str(group) for group in groups) if isinstance(groups, list) else frozenset[str]()
        return Identity(self.settings.issuer, str(claims["sub"]), username, name, given, id_token)

    def _get(self, address: str) -> dict[str, Any]:
        return self._ask("GET", address)

    def _ask(self, method: str, address: str, **what: Any) -> dict[str, Any]:
        verify: Any = self.settings.ca_file or True
        try:
            answer = httpx.request(method, address, timeout=TIMEOUT_S, verify=verify, follow_redirects=False, **what)
            found = answer.json()
        except (httpx.HTTPError, ValueError, OSError) as error:
            raise OidcError(f"The provider does not answer as one at {urlsplit(address).netloc}: {error}") from error
        if answer.status_code >= 400 or not isinstance(found, dict):
            reason = found.get("error_description") or found.get("error") if isinstance(found, dict) else ""
            raise OidcError(f"The provider refused ({answer.status_code}): {reason or 'no reason given'}")
        return found


def _number(value: Any) -> float:
    """Return a time claim; one that is missing or no number is in the far past and future at once: it never fits."""
    return float(value) if isinstance(value, int | float) else float("nan")


def wanted_roles(settings: Settings, groups: frozenset[str]) -> frozenset[RoleAt]:
    """Return the roles that groups give.

    Examples
    --------
    >>> settings = Settings("https://id", "x", roles={"a": (RoleAt("operator", "s1"),), "b": (RoleAt("viewer"),)})
    >>> sorted(one.role for one in wanted_roles(settings, frozenset({"a", "unknown"})))
    ['operator']
    """
    return frozenset(one for group in groups for one in settings.roles.get(group, ()))
