"""Settings that every connector with JSON payloads offers: how a payload becomes addresses, values and times."""

from __future__ import annotations

from typing import Any

from yuheng.engines.codec import MAX_PAYLOAD_BYTES
from yuheng.engines.codec.moments import TIME_FORMATS
from yuheng.gateway.connector import setting

MAX_PAYLOAD: dict[str, Any] = setting(
    "integer",
    "Largest payload, bytes",
    "最大报文（字节）",
    "Larger messages are kept as dead letters.",
    minimum=1,
    maximum=16 * 1024 * 1024,
    default=MAX_PAYLOAD_BYTES,
)

MAPPING: dict[str, Any] = {
    "topic_pattern": setting("string", "Topic pattern", "主题格式", "Names levels: plant/{area}/{unit}."),
    "address": setting("string", "Address", "地址格式", "Made from names, must have {name}: {unit}/{name}."),
    "time_path": setting("string", "Path of the time", "时间路径", "Dots go inside: data.ts."),
    "time_format": setting("string", "Format of the time", "时间格式", enum=list(TIME_FORMATS), default="auto"),
    "time_zone": setting("string", "Time zone of times without one", "无时区时间的时区", default="UTC"),
    "list_path": setting("string", "Path of the list of records", "记录列表路径"),
    "values_path": setting("string", "Path of the object of values", "数值对象路径"),
    "name_path": setting("string", "Path of the name", "名称路径"),
    "value_path": setting("string", "Path of the value", "数值路径"),
    "seq_path": setting("string", "Path of the sequence number", "序号路径"),
    "quality_path": setting("string", "Path of the quality", "质量路径"),
    "quality_codes": setting(
        "string", "Meaning of quality numbers", "质量码含义", enum=["opc_ua", "opc_da"], default="opc_ua"
    ),
    "encoding": setting("string", "Text encoding", "文本编码", enum=["utf-8", "gb18030"], default="utf-8"),
    "max_payload_bytes": MAX_PAYLOAD,
}

BROKER: dict[str, Any] = setting(
    "object",
    "External MQTT broker",
    "外部 MQTT 服务器",
    "Leave out to use the built-in broker: then devices connect to it directly.",
    additionalProperties=False,
    required=["host"],
    properties={
        "host": setting("string", "Host", "主机", minLength=1),
        "port": setting("integer", "Port", "端口", minimum=1, maximum=65535, default=1883),
        "username": setting("string", "User name", "用户名"),
        "password": setting("string", "Password", "密码", format="password"),
        "client_id": setting("string", "Client id", "客户端标识", "Default: yuheng-<source code>.", maxLength=64),
        "tls": setting("boolean", "TLS", "TLS 加密", default=False),
        "tls_ca_file": setting("string", "CA certificate file", "CA 证书文件"),
        "keep_alive_s": setting("integer", "Keep-alive, seconds", "心跳（秒）", minimum=2, maximum=3600, default=30),
    },
)
