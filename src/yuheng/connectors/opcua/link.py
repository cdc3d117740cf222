"""The connection to one server: endpoints, trust, secure channel, session; a session is taken up again when it can be.

The library's own supervision is not used: it acknowledges notifications before anybody has them, and reconnects behind
our back. What runs here ends with the first failure, and the gateway opens the source anew.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from asyncua import Client, ua
from asyncua.common.utils import Buffer
from asyncua.crypto import security_policies
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from yuheng.connectors.opcua import certificates
from yuheng.connectors.opcua.memory import HeldSession
from yuheng.connectors.opcua.settings import OpcUaSettings
from yuheng.connectors.opcua.values import name_of_status
from yuheng.gateway.connector import ConfigRefused, Context, State

logger = logging.getLogger(__name__)
logging.getLogger("asyncua").setLevel(logging.CRITICAL)  # it logs each failure; ours go into one sentence of health

CLOSE_WITHIN_S = 0.7
SKEW_TOLERATED_S = 60.0
"""Difference of clocks that is told; the same order as what a historian accepts as not in the future."""

Result = TypeVar("Result")


class LinkLost(ConnectionError):
    """The server does not answer any more; the message says since what."""


class Limits:
    """Operation limits that the server announces (Part 5, 6.3.11); 0 there means none."""

    def __init__(self, most: int) -> None:
        self.read = self.items = self.browse = self.history = most

    def take(self, read: int, items: int, browse: int, history: int) -> None:
        """Apply what the server says, where it is tighter."""
        self.read = min(self.read, read or self.read)
        self.items = min(self.items, items or self.items)
        self.browse = min(self.browse, browse or self.browse)
        self.history = min(self.history, history or self.history)


class Link:
    """An open session at the server."""

    def __init__(self, settings: OpcUaSettings, context: Context) -> None:
        self._settings = settings
        self._context = context
        self._client = Client(settings.url, timeout=settings.request_timeout_s)
        self._client.application_uri = f"urn:yuheng:gateway:{context.source.code}"
        self._client.product_uri = "urn:yuheng"
        self._client.name = self._client.description = f"Yuheng {context.source.code}"
        self._client.session_timeout = settings.keep_s * 1000
        self.namespaces: list[str] = []
        self.limits = Limits(settings.items_per_request)
        self.is_resumed = False
        self.skew_s = 0.0

    @property
    def session(self) -> Any:
        """The library's session, with all its services."""
        return self._client.uaclient.session

    # ---- connecting -------------------------------------------------------------------------------------------

    async def open(self, held: HeldSession | None) -> HeldSession:
        """Connect; take up ``held`` if the server still has it, else make a new session.

        Raises
        ------
        ConfigRefused
            A person must do something: accept a certificate, correct a password or the settings.
        OSError, TimeoutError, ua.UaError
            It did not work this time.
        """
        self._context.set_health(State.CONNECTING, f"Connecting to {self._settings.url}.")
        endpoint = self._choose(await self._endpoints())
        await self._secure(endpoint)
        self._client._policy_ids = endpoint.UserIdentityTokens or []
        self._choose_user(endpoint)
        await self._client.connect_socket()
        await self._client.send_hello()
        await self._client.open_secure_channel()
        self.is_resumed = held is not None and await self._resumed(held)
        if not self.is_resumed:
            await self._new_session()
        await self._learn_server()
        return self._held()

    async def _endpoints(self) -> list[ua.EndpointDescription]:
        try:
            return list(await self._client.connect_and_get_server_endpoints())
        except ua.UaStatusCodeError as error:
            raise LinkLost(
                f"{self._settings.url} does not say how it can be reached: {name_of_status(error.code)}."
            ) from error
        except OSError as error:
            raise LinkLost(f"{self._settings.url} cannot be reached: {error.strerror or error}.") from error
        except TimeoutError as error:
            raise LinkLost(f"{self._settings.url} does not answer.") from error

    def _choose(self, endpoints: Sequence[ua.EndpointDescription]) -> ua.EndpointDescription:
        """Return the endpoint with our security, and note what the server shows."""
        policy = _policy(self._settings.policy).URI
        mode = getattr(ua.MessageSecurityMode, self._settings.mode or "None_")
        for endpoint in endpoints:
            is_tcp = str(endpoint.EndpointUrl).startswith("opc.tcp")
            if is_tcp and endpoint.SecurityPolicyUri == policy and endpoint.SecurityMode == mode:
                return endpoint
        offers = sorted({_spoken(each) for each in endpoints})
        raise ConfigRefused(f"The server does not offer this security. It offers: {', '.join(offers) or 'nothing'}.")

    async def _secure(self, endpoint: ua.EndpointDescription) -> None:
        """Set up the channel's security; the server's certificate must have been accepted by a person."""
        shown = endpoint.ServerCertificate or b""
        if not self._settings.is_secure:
            self._note_certificate(shown)
            return
        if not shown:
            raise ConfigRefused("The server shows no certificate.")
        self._note_certificate(shown)
        self._require_trust(shown)
        own = await self._own_certificate()
        server = x509.load_der_x509_certificate(certificates.first_certificate(shown))
        mode = getattr(ua.MessageSecurityMode, self._settings.mode)
        policy = _policy(self._settings.policy)(server, own.certificate, own.key, mode)
        self._client.security_policy = policy
        self._client.uaclient.set_security(policy)

    async def _own_certificate(self) -> certificates.OwnCertificate:
        directory = self._context.state_dir / "pki"
        own = await asyncio.to_thread(certificates.own_certificate, directory, self._client.application_uri)
        self._context.set_fact("own_certificate", certificates.base64_of(own.der))
        self._context.set_fact("own_certificate_until", f"{own.certificate.not_valid_after_utc:%Y-%m-%d}")
        return own

    def _note_certificate(self, shown: bytes) -> None:
        facts = dict.fromkeys(certificates.FACTS, "")
        with suppress(ValueError):
            facts |= certificates.describe(shown)
        for name, text in facts.items():
            self._context.set_fact(name, text)
        is_known = bool(facts["certificate"]) and facts["certificate"] in self._settings.trusted
        self._context.set_fact("certificate_is_accepted", "yes" if is_known else "")

    def _require_trust(self, shown: bytes) -> None:
        try:
            found = certificates.thumbprint(shown)
        except ValueError as error:
            raise ConfigRefused(f"The server's certificate cannot be read: {error}") from None
        if found not in self._settings.trusted:
            self._context.set_fact("certificate_is_wanted", "yes")
            if self._settings.trusted:
                raise ConfigRefused(
                    "The server shows another certificate than the accepted one. Compare it before you accept it."
                )
            raise ConfigRefused("Nobody has accepted the server's certificate yet. Compare it and accept it.")
        self._context.set_fact("certificate_is_wanted", "")

    def _choose_user(self, endpoint: ua.EndpointDescription) -> None:
        settings, client = self._settings, self._client
        offered = {token.TokenType for token in endpoint.UserIdentityTokens or []}
        if settings.user_certificate:
            self._require_token(ua.UserTokenType.Certificate in offered, "user certificates")
            self._take_user_certificate()
        elif settings.user:
            self._require_token(ua.UserTokenType.UserName in offered, "user names")
            self._check_password_is_safe(endpoint)
            client.set_user(settings.user)
            client.set_password(settings.password)
        elif offered:
            self._require_token(ua.UserTokenType.Anonymous in offered, "anonymous users")

    @staticmethod
    def _require_token(is_offered: bool, what: str) -> None:
        if not is_offered:
            raise ConfigRefused(f"The server does not take {what} at this security.")

    def _take_user_certificate(self) -> None:
        try:
            certificate = x509.load_pem_x509_certificate(self._settings.user_certificate.encode())
            key = serialization.load_pem_private_key(self._settings.user_key.encode(), password=None)
        except (ValueError, TypeError) as error:  # the message never shows the key
            raise ConfigRefused("The user certificate or its key is not PEM, or the key has a password.") from error
        self._client.user_certificate, self._client.user_private_key = certificate, key

    def _check_password_is_safe(self, endpoint: ua.EndpointDescription) -> None:
        """A password goes encrypted to a server whose certificate was accepted; in clear text if a person said so."""
        token = next(each for each in endpoint.UserIdentityTokens if each.TokenType == ua.UserTokenType.UserName)
        token_policy = token.SecurityPolicyUri or endpoint.SecurityPolicyUri
        is_clear = token_policy == security_policies.SecurityPolicyNone.URI
        if is_clear and self._settings.mode != "SignAndEncrypt":
            if not self._settings.allows_plain_password:
                raise ConfigRefused("The password would travel in clear text. Choose a security, or allow it.")
        elif not is_clear and not self._settings.is_secure:
            shown = endpoint.ServerCertificate or b""
            self._require_trust(shown)
            self._client.security_policy.peer_certificate = certificates.first_certificate(shown)

    async def _resumed(self, held: HeldSession) -> bool:
        """Take up a session (Part 4, 6.7): a new channel may activate it with the token and the last nonce."""
        self.session.restore_authentication_token(ua.NodeId.from_string(held.token))
        self._client._server_nonce = bytes.fromhex(held.nonce)
        try:
            await self._client._activate_with_credentials()
        except (ua.UaStatusCodeError, ValueError) as error:
            logger.debug("%s: session not taken up: %s", self._context.source.code, error)
            self.session.reset_authentication_token()
            self._client._server_nonce = None
            return False
        self._client.session_timeout = held.timeout_ms
        return True

    async def _new_session(self) -> None:
        try:
            await self._client.create_session()
            await self._client._activate_with_credentials()
        except ua.UaStatusCodeError as error:
            raise self._refusal(error) from error

    def _refusal(self, error: ua.UaStatusCodeError) -> Exception:
        """Say what a person must do; only what cannot come right by itself stops the source."""
        code = name_of_status(error.code)
        if code in ("BadUserAccessDenied", "BadIdentityTokenRejected", "BadIdentityTokenInvalid"):
            return LinkLost(f"The server does not accept the user or the password: {code}.")
        if code.startswith("BadCertificate") or code == "BadSecurityChecksFailed":
            return LinkLost(f"The server does not accept our certificate: {code}. Put it into the server's trust list.")
        return LinkLost(f"The server does not open a session: {code}.")

    def _held(self) -> HeldSession:
        nonce = self._client._server_nonce or b""
        return HeldSession(
            self._settings.fingerprint,
            self.session.authentication_token.to_string(),
            nonce.hex(),
            float(self._client.session_timeout),
        )

    # ---- what the server says of itself -----------------------------------------------------------------------

    async def _learn_server(self) -> None:
        ids = ua.ObjectIds
        wanted = (
            ids.Server_NamespaceArray,
            ids.Server_ServerStatus_CurrentTime,
            ids.Server_ServerStatus_BuildInfo_ProductName,
            ids.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
            ids.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
            ids.Server_ServerCapabilities_OperationLimits_MaxNodesPerBrowse,
            ids.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData,
        )
        found = [await self._read_one(number) for number in wanted]  # one by one: MaxNodesPerRead is not known yet
        if not isinstance(found[0], list):
            raise LinkLost("The server does not say which namespaces it has.")
        self.namespaces = [str(uri) for uri in found[0]]
        if found[1] is not None:
            self.skew_s = found[1].timestamp() - self._context.now_us() / 1e6
        self._context.set_fact("server", str(found[2] or ""))
        self._context.set_fact("clock_skew_s", f"{self.skew_s:.1f}")
        read, items, browse, history = (value if isinstance(value, int) else 0 for value in found[3:])
        self.limits.take(read, items, browse, history)

    async def _read_one(self, number: int) -> Any:
        (value,) = await self.session.read_attributes([ua.NodeId(number)], ua.AttributeIds.Value)
        return None if value.Value is None or not value.StatusCode.is_good() else value.Value.Value

    @property
    def skew_sentence(self) -> str:
        """What a person should know of the server's clock; "" when it is right."""
        if abs(self.skew_s) < SKEW_TOLERATED_S:
            return ""
        direction = "ahead of" if self.skew_s > 0 else "behind"
        return f"The server's clock is {abs(self.skew_s):.0f} s {direction} ours."

    # ---- using it ---------------------------------------------------------------------------------------------

    async def ask(self, request: Any, *, timeout_s: float | None = None) -> Buffer:
        """Send a request and return the body of its response; ``timeout_s`` 0 waits for ever.

        Raises
        ------
        LinkLost
            The connection was lost, or nothing came in time.
        """
        try:
            answer: Buffer = await self.session._send_request(request, timeout_s)
        except (OSError, TimeoutError) as error:
            raise LinkLost(f"The connection to the server was lost: {error or 'it does not answer'}.") from error
        return answer

    async def in_batches(
        self, items: Sequence[Any], most: int, send: Callable[[Sequence[Any]], Awaitable[Sequence[Result]]]
    ) -> list[Result]:
        """Send items in batches; a server that calls a batch too large gets halves."""
        found: list[Result] = []
        start = 0
        while start < len(items):
            batch = items[start : start + most]
            try:
                found.extend(await send(batch))
            except ua.UaStatusCodeError as error:
                too_much = name_of_status(error.code) in _TOO_MUCH
                if not too_much or len(batch) == 1:
                    raise
                most = max(1, len(batch) // 2)
                continue
            start += len(batch)
            await asyncio.sleep(0)
        return found

    async def read(self, nodes: Sequence[ua.NodeId], attribute: ua.AttributeIds = ua.AttributeIds.Value) -> list[Any]:
        """Return the `DataValue` of an attribute of many nodes."""

        async def send(batch: Sequence[ua.NodeId]) -> Sequence[Any]:
            values: Sequence[Any] = await self.session.read_attributes(list(batch), attribute)
            return values

        return await self.in_batches(nodes, self.limits.read, send)

    async def keep_alive(self) -> None:
        """Ask for the server's state now and then; raise `LinkLost` when it does not answer, or shuts down."""
        pause_s = max(0.5, min(5.0, self._client.session_timeout / 3000))
        while True:
            await asyncio.sleep(pause_s)
            try:
                state = await self._read_one(ua.ObjectIds.Server_ServerStatus_State)
            except (OSError, TimeoutError) as error:
                raise LinkLost(f"The server does not answer any more: {error or 'no reply'}.") from error
            if state not in (None, ua.ServerState.Running, ua.ServerState.Test):
                self._context.set_health(State.DEGRADED, f"The server says that it is not running: state {state}.")

    async def renew(self) -> None:
        """Renew the channel's keys after three quarters of their life (Part 4, 5.5.2)."""
        while True:
            await asyncio.sleep(self._client.secure_channel_timeout * 0.75 / 1000)
            try:
                await self._client.open_secure_channel(renew=True)
            except (OSError, TimeoutError) as error:
                raise LinkLost(f"The secure channel could not be renewed: {error}.") from error
            self._client.uaclient.revolve_security_token()

    async def close(self, *, ends_session: bool) -> None:
        """Close the connection. The session stays at the server to be taken up again, unless it is to end."""
        with suppress(Exception):  # whatever the other end does now is its own business
            async with asyncio.timeout(CLOSE_WITHIN_S):
                if ends_session:
                    self._client.uaclient.pre_request_hook = None
                    await self._client.uaclient.close_session(True)
                await self._client.close_secure_channel()
        with suppress(Exception):
            self._client.disconnect_socket()


_TOO_MUCH = (
    "BadTooManyOperations",
    "BadRequestTooLarge",
    "BadResponseTooLarge",
    "BadEncodingLimitsExceeded",
    "BadTcpMessageTooLarge",
)


def _policy(name: str) -> type[security_policies.SecurityPolicy]:
    found: type[security_policies.SecurityPolicy] = getattr(security_policies, f"SecurityPolicy{name or 'None'}")
    return found


def _spoken(endpoint: ua.EndpointDescription) -> str:
    policy = str(endpoint.SecurityPolicyUri).rpartition("#")[2].replace("_", "")
    mode = ua.MessageSecurityMode(endpoint.SecurityMode).name.removesuffix("_")
    return "none" if policy == "None" else f"{policy}/{mode}"
