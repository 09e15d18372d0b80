"""How the API writes instances, with their usage and without."""

from __future__ import annotations

import time

from ...world.instances import Instance
from ...world.model import App, Process


def age(instance: Instance, now: float) -> int:
    """Return for how many seconds the instance has been in its state; 0 if nobody knows."""
    return max(0, int(now - instance.since)) if instance.since else 0


def stat(app: App, process: Process, instance: Instance, now: float) -> dict[str, object]:
    """Return an instance as statistics show it; of one that is DOWN there is little to say."""
    index, state = instance.index, instance.state
    details = instance.details or process.details
    if state == "DOWN":
        return {
            "type": process.type,
            "index": index,
            "state": state,
            "routable": None,
            "uptime": 0,
            "isolation_segment": None,
            "details": details,
        }
    moment = time.strftime("%Y-%m-%dT%H:%M:%S+00:00", time.gmtime())
    ports = (61000, 8080, 61003), (61001, 2222, 61004)
    return {
        "type": process.type,
        "index": index,
        "instance_guid": f"{app.guid[:8]}-4b0e-4c11-6b12-{index:04d}",
        "state": state,
        "routable": state == "RUNNING" and instance.routable_at <= now,
        "host": "10.0.16.11",
        "instance_internal_ip": "10.255.1.4",
        "uptime": age(instance, now),
        "mem_quota": 268435456,
        "disk_quota": 1073741824,
        "log_rate_limit": 1048576,
        "fds_quota": 16384,
        "isolation_segment": None,
        "details": details,
        "instance_ports": [_port(*numbers) for numbers in ports],
        "usage": {
            "time": moment,
            "cpu": 0.015,
            "cpu_entitlement": 0.035,
            "mem": 52428800,
            "disk": 104857600,
            "log_rate": 120,
        },
    }


def _port(external: int, internal: int, tls: int) -> dict[str, int]:
    return {
        "external": external,
        "internal": internal,
        "external_tls_proxy_port": tls,
        "internal_tls_proxy_port": 61001,
    }
