"""Settings of an OPC UA source: their JSON Schema, and what they mean."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from yuheng.gateway.connector import ConfigRefused, schema, setting

POLICIES = ("Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss")
MODES = ("Sign", "SignAndEncrypt")
NO_SECURITY = "none"
SECURITIES = (NO_SECURITY, *(f"{policy}/{mode}" for policy in POLICIES for mode in reversed(MODES)))

SCHEMA = schema(
    {
        "url": setting(
            "string",
            "Address of the server",
            "服务器地址",
            "opc.tcp://host:4840",
            pattern=r"^opc\.tcp://[^\s/@]+(/\S*)?$",
            maxLength=400,
        ),
        "security": setting(
            "string",
            "Security",
            "安全策略",
            "Policy and mode; the server's certificate must then be accepted once, on this page.",
            enum=list(SECURITIES),
            default=NO_SECURITY,
        ),
        "user": setting("string", "User name", "用户名", "Empty: anonymous.", maxLength=200),
        "password": setting("string", "Password", "密码", format="password", maxLength=1000),
        "allows_plain_password": setting(
            "boolean",
            "Send the password in clear text when the server offers nothing better",
            "服务器不支持加密时允许明文发送密码",
            default=False,
        ),
        "user_certificate": setting(
            "string", "User certificate (PEM), instead of a user name", "用户证书（PEM），代替用户名", maxLength=20_000
        ),
        "user_key": setting(
            "string",
            "Private key of the user certificate (PEM)",
            "用户证书私钥（PEM）",
            format="password",
            maxLength=20_000,
        ),
        "trusted_certificates": setting(
            "array",
            "Accepted server certificates (SHA-256)",
            "已接受的服务器证书（SHA-256）",
            items={"type": "string", "pattern": "^[0-9a-f]{64}$"},
            maxItems=20,
            default=[],
        ),
        "publishing_interval_ms": setting(
            "number", "Publishing interval, ms", "发布间隔（毫秒）", default=500, minimum=10, maximum=3_600_000
        ),
        "sampling_interval_ms": setting(
            "number",
            "Sampling interval, ms",
            "采样间隔（毫秒）",
            "0: as fast as the server can; -1: as the publishing interval.",
            default=-1,
            minimum=-1,
            maximum=3_600_000,
        ),
        "queue_size": setting(
            "integer",
            "Values that the server keeps for each node",
            "服务器为每个节点缓存的数值个数",
            "What bridges an interruption: samples a second × seconds.",
            default=1000,
            minimum=1,
            maximum=1_000_000,
        ),
        "keep_s": setting(
            "integer",
            "Seconds for which the server keeps the subscription while we are away",
            "断线期间服务器保留订阅的秒数",
            default=3600,
            minimum=10,
            maximum=2_592_000,
        ),
        "reads_history": setting(
            "boolean", "Fill gaps from the server's history", "用服务器历史数据补缺", default=True
        ),
        "timestamps": setting(
            "string",
            "Whose clock to use",
            "采用的时间",
            "source: the device's; server: the server's; arrival: ours, for devices without a clock.",
            enum=["source", "server", "arrival"],
            default="source",
        ),
        "request_timeout_s": setting(
            "number", "Longest wait for an answer, s", "最长等待应答（秒）", default=10, minimum=0.5, maximum=300
        ),
        "items_per_request": setting(
            "integer", "Nodes in one request, at most", "每个请求的最多节点数", default=1000, minimum=1, maximum=10_000
        ),
    },
    required=["url"],
)


@dataclass(frozen=True, slots=True)
class OpcUaSettings:
    """The settings, with defaults filled in. Secrets stay out of ``repr``."""

    url: str
    security: str
    user: str
    password: str = field(repr=False)
    user_certificate: str
    user_key: str = field(repr=False)
    allows_plain_password: bool
    trusted: frozenset[str]
    publishing_ms: float
    sampling_ms: float
    queue_size: int
    keep_s: int
    reads_history: bool
    timestamps: str
    request_timeout_s: float
    items_per_request: int

    @property
    def is_secure(self) -> bool:
        """Whether messages are signed."""
        return self.security != NO_SECURITY

    @property
    def policy(self) -> str:
        """Name of the policy, such as ``Basic256Sha256``; "" for none."""
        return self.security.partition("/")[0] if self.is_secure else ""

    @property
    def mode(self) -> str:
        """``Sign`` or ``SignAndEncrypt``; "" for none."""
        return self.security.partition("/")[2]

    @property
    def fingerprint(self) -> str:
        """What a session at the server belongs to: another server, user or policy needs another session."""
        parts = (self.url, self.security, self.user, self.user_certificate, self.publishing_ms, self.keep_s)
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_settings(config: Mapping[str, Any]) -> OpcUaSettings:
    """Read settings that passed the schema. Raises `ConfigRefused` where they contradict each other."""

    def of(name: str) -> Any:
        return config.get(name, SCHEMA["properties"][name].get("default", ""))

    if bool(of("user_certificate")) != bool(of("user_key")):
        raise ConfigRefused("A user certificate needs its private key, and a key its certificate.")
    if of("user_certificate") and of("user"):
        raise ConfigRefused("Give a user name or a user certificate, not both.")
    try:
        if urlsplit(of("url")).hostname is None or urlsplit(of("url")).port == 0:
            raise ValueError
    except ValueError:
        raise ConfigRefused("The address of the server has no host, or a port that is not a number.") from None
    return OpcUaSettings(
        url=of("url"),
        security=of("security"),
        user=of("user"),
        password=of("password"),
        user_certificate=of("user_certificate"),
        user_key=of("user_key"),
        allows_plain_password=of("allows_plain_password"),
        trusted=frozenset(of("trusted_certificates")),
        publishing_ms=float(of("publishing_interval_ms")),
        sampling_ms=float(of("sampling_interval_ms")),
        queue_size=of("queue_size"),
        keep_s=of("keep_s"),
        reads_history=of("reads_history"),
        timestamps=of("timestamps"),
        request_timeout_s=float(of("request_timeout_s")),
        items_per_request=of("items_per_request"),
    )
