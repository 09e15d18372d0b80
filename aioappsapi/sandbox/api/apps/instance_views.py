"""JSON of instances, with their usage and without."""

from __future__ import annotations

import time
from typing import Final

from aioappsapi.sandbox.world.instances import DOWN, RUNNING, Instance
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import Process, instance_guid
from aioappsapi.sandbox.world.randomness import rolls

_MEGABYTE: Final = 1024 * 1024
_FILE_DESCRIPTORS: Final = 16384
_NO_QUOTAS: Final = dict.fromkeys(("mem_quota", "disk_quota", "log_rate_limit"))


def age(instance: Instance, now: float) -> int | None:
    """Return the seconds since the instance entered its state; None if Diego has no instance."""
    return None if instance.since is None else max(0, int(now - instance.since))


def brief(instance: Instance, now: float) -> Json:
    """Return an instance in its short form."""
    return {"index": instance.index, "state": instance.state, "since": age(instance, now)}


def stat(process: Process, instance: Instance, now: float, *, measured: bool) -> Json:
    """Return an instance as the statistics show it; an instance that is DOWN has few members.

    If it is not `measured` (log-cache is away) or not running, it has no usage.
    """
    head = {"type": process.type, "index": instance.index}
    details = {"isolation_segment": None, "details": instance.placement_error}
    uptime = age(instance, now) or 0
    if instance.state == DOWN:
        return head | {"state": DOWN, "routable": None, "uptime": uptime} | details
    runs = instance.state == RUNNING
    found = head | {
        "instance_guid": _guid(process, instance),
        "state": instance.state,
        "routable": instance.routable(now) if runs else None,
        "host": _host(instance) if runs else "",
        "instance_internal_ip": _internal_address(instance) if runs else "",
        "uptime": uptime,
    }
    found |= _quotas(process) if runs and measured else _NO_QUOTAS
    found |= {"fds_quota": _FILE_DESCRIPTORS, **details}
    found["instance_ports"] = _ports(instance.port) if runs else []
    found["usage"] = _usage(process, instance, runs=runs) if measured else {}
    return found


def _guid(process: Process, instance: Instance) -> str:
    if instance.cell is None:
        return ""
    return instance_guid(process, instance)


def _host(instance: Instance) -> str:
    number = instance.cell.number if instance.cell is not None else 0
    return f"10.0.{16 + number // 200}.{number % 200 + 11}"


def _internal_address(instance: Instance) -> str:
    number = instance.port // 6
    return f"10.255.{number // 250 % 250}.{number % 250 + 2}"


def _quotas(process: Process) -> Json:
    return {
        "mem_quota": process.memory_in_mb * _MEGABYTE,
        "disk_quota": (process.disk_in_mb or 0) * _MEGABYTE,
        "log_rate_limit": process.log_rate,
    }


def _usage(process: Process, instance: Instance, *, runs: bool) -> Json:
    """Return the usage of the instance: a share of its limits that never changes."""
    measures = [0.0] * 4
    if runs:
        measures = rolls(process.guid, instance.number, instance.index, count=4)
    cpu, memory, disk, rate = measures
    return {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime()),
        "cpu": round(cpu / 10, 6) if runs else 0,
        "cpu_entitlement": round(cpu / 4, 6) if runs else 0,
        "mem": _share(memory, process.memory_in_mb * _MEGABYTE) if runs else 0,
        "disk": _share(disk, (process.disk_in_mb or 0) * _MEGABYTE) if runs else 0,
        "log_rate": int(rate * max(0, process.log_rate) / 100),
    }


def _share(roll: float, whole: int) -> int:
    """Return a part between 20 % and 70 % of the whole."""
    return int((0.2 + roll / 2) * whole)


def _ports(first: int) -> list[Json]:
    """Return the ports of a container: for the app and for ssh, each with its TLS proxy."""
    return [
        {
            "external": first + offset,
            "internal": internal,
            "external_tls_proxy_port": first + offset + 3,
            "internal_tls_proxy_port": 61001,
        }
        for offset, internal in ((0, 8080), (1, 2222))
    ]
