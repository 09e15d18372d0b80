"""Names of attributes.

Those of HTTP and Cloud Foundry are the semantic conventions of OpenTelemetry. Those that begin with
``aioappsapi`` are ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from aioappsapi.bulk.reports.outcome import Outcome
from aioappsapi.bulk.run.app_run import AppRun

Attributes = Mapping[str, str | int | float | bool]

METHOD: Final = "http.request.method"
METHOD_ORIGINAL: Final = "http.request.method_original"
RESENDS: Final = "http.request.resend_count"
STATUS: Final = "http.response.status_code"
REQUEST_ID_SENT: Final = "http.request.header.x-vcap-request-id"
REQUEST_ID: Final = "http.response.header.x-vcap-request-id"
ERROR: Final = "error.type"
URL: Final = "url.full"
TEMPLATE: Final = "url.template"

APP: Final = "cloudfoundry.app.id"
APP_NAME: Final = "cloudfoundry.app.name"
SPACE_NAME: Final = "cloudfoundry.space.name"
ORGANIZATION_NAME: Final = "cloudfoundry.org.name"

ACTION: Final = "aioappsapi.action"
OUTCOME: Final = "aioappsapi.outcome"
REASON: Final = "aioappsapi.reason"
ATTEMPTS: Final = "aioappsapi.attempts"
WAVE: Final = "aioappsapi.wave"
APPS: Final = "aioappsapi.apps"
REQUESTS: Final = "aioappsapi.requests"
STOPPED: Final = "aioappsapi.stopped"
SECONDS: Final = "aioappsapi.seconds"

METHODS: Final = frozenset(
    {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"}
)
# What stands in a path behind these words; behind any other it is a GUID.
_NAMES: Final = {"processes": "{type}", "features": "{name}", "feature_flags": "{name}"}


def server_of(url: str) -> dict[str, str | int]:
    """Return the attributes of a server's address."""
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {"server.address": parts.hostname or "", "server.port": port}


def template_of(path: str) -> str:
    """Return an endpoint's path with names for what differs: ``/v3/apps/{guid}/actions/start``."""
    words = path.split("/")
    return "/".join(
        _NAMES.get(before, "{guid}") if word == "{}" else word
        for before, word in zip(["", *words], words, strict=False)
    )


def app_of(run: AppRun) -> dict[str, str | int]:
    """Return what is known of an app in a run."""
    found = {
        APP: run.key,
        APP_NAME: run.name,
        SPACE_NAME: run.space,
        ORGANIZATION_NAME: run.organization,
        WAVE: run.wave,
    }
    return {name: value for name, value in found.items() if value is not None}


def end_of(outcome: Outcome[object], reason: str) -> dict[str, str | int]:
    """Return how an app ended, and why."""
    found = {
        OUTCOME: outcome.status.value,
        ATTEMPTS: outcome.attempts,
        REASON: reason or None,
        ERROR: None if outcome.error is None else type(outcome.error).__name__,
        APP_NAME: outcome.name,
        SPACE_NAME: outcome.space,
        ORGANIZATION_NAME: outcome.organization,
    }
    return {name: value for name, value in found.items() if value is not None}
