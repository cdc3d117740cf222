"""Plant files for the benches: the same import a person would use."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from yuheng.bench.workload import WORKLOADS, Workload

SITE = {
    "code": "bench",
    "name_zh": "测试厂",
    "name_en": "Bench plant",
    "time_zone": "Asia/Shanghai",
}
ORGANISATION = {"code": "bench", "name_zh": "测试企业", "name_en": "Bench works"}


@dataclass(frozen=True, slots=True)
class Credential:
    """A device's user name and password."""

    username: str
    password: str


def a_credential(username: str) -> Credential:
    """Make a random password; the letter first keeps it a text in every configuration format."""
    return Credential(username, "b" + secrets.token_hex(16))


def source_code(kind: str) -> str:
    """Return the code of a workload's source."""
    return f"bench-{kind}"


def a_tag(source: str, address: str, data_type: str = "float", **more: Any) -> dict[str, Any]:
    """Return one row of ``tags``."""
    return {
        "source": source,
        "address": address,
        "data_type": data_type,
        "name_zh": address,
        "name_en": address,
        **more,
    }


def a_plant(**sections: Any) -> dict[str, Any]:
    """Return a plant file with the bench's organisation and site."""
    return {"format": "yuheng/plant-1", "organisation": ORGANISATION, "site": SITE, **sections}


def throughput_plant(credential: Credential, workloads: dict[str, Workload]) -> dict[str, Any]:
    """Return the plant of the throughput bench: one source a workload, one device that may feed them all."""
    sources, tags = [], []
    for kind, workload in workloads.items():
        topics = [WORKLOADS[kind].topics]
        connector = "sparkplug_b" if kind == "sparkplug" else "mqtt_json"
        sources.append({"code": source_code(kind), "connector": connector, "topics": topics, "settings": {}})
        tags += [a_tag(source_code(kind), tag.address, tag.data_type) for tag in workload.tags]
    device = {
        "username": credential.username,
        "password": credential.password,
        "publish_topics": [WORKLOADS[kind].topics for kind in workloads],
        "subscribe_topics": [],
        "sources": [source_code(kind) for kind in workloads],
    }
    return a_plant(sources=sources, tags=tags, devices=[device])


MACHINE = {
    "code": "bench-machine",
    "name_zh": "测试设备",
    "name_en": "Bench machine",
    "no_data_after_s": 86_400,
    "states": [{"state": "producing", "when": "run"}, {"state": "idle", "when": "not run"}],
}


def a_unit_tree(areas: dict[str, list[str]]) -> dict[str, Any]:
    """Return classes and areas of a plant: one work center an area, and machines that run or do not."""
    return {
        "classes": [MACHINE],
        "areas": [
            {
                "code": area,
                "name_zh": area,
                "name_en": area,
                "work_centers": [
                    {
                        "code": f"{area}-center",
                        "name_zh": area,
                        "name_en": area,
                        "work_units": [
                            {"code": unit, "name_zh": unit, "name_en": unit, "class": MACHINE["code"]} for unit in units
                        ],
                    }
                ],
            }
            for area, units in areas.items()
        ],
    }
