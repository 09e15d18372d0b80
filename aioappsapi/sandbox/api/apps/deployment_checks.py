"""Checks of a new deployment, with the error texts of the server."""

from __future__ import annotations

from itertools import pairwise
from typing import Final

from aioappsapi.sandbox.api import ruby, validation
from aioappsapi.sandbox.api.apps.scaling import scaling_problems
from aioappsapi.sandbox.api.labels import metadata_problems
from aioappsapi.sandbox.world.json_types import Json, JsonValue

_STRATEGIES: Final = ("rolling", "canary")
SCALED: Final = {
    "web_instances": "instances",
    "memory_in_mb": "memory_in_mb",
    "disk_in_mb": "disk_in_mb",
    "log_rate_limit_in_bytes_per_second": "log_rate_limit_in_bytes_per_second",
}
_OPTIONS: Final = ("canary", "max_in_flight", *SCALED)
_FIELDS: Final = ("relationships", "droplet", "revision", "strategy", "options", "metadata")


def check_fields(fields: Json) -> None:
    """Refuse a bad body, with the server's text for every problem."""
    problems = metadata_problems(fields) + validation.unknown_fields(fields, _FIELDS)
    strategy = fields.get("strategy")
    # A list is looked up member by member, so that an empty one passes.
    asked = strategy if isinstance(strategy, list) else [strategy]
    if strategy is not None and not all(one in _STRATEGIES for one in asked):
        problems.append(f"Strategy '{ruby.text(strategy)}' is not a supported deployment strategy")
    if not ruby.blank(fields.get("revision")) and not ruby.blank(fields.get("droplet")):
        problems.append("Droplet Cannot set both fields 'droplet' and 'revision'")
    validation.refuse(problems + _option_problems(fields))


def _option_problems(fields: Json) -> list[str]:
    options = fields.get("options")
    if ruby.blank(options):
        return []
    if not isinstance(options, dict):
        return ["Options must be an object"]
    unknown = ", ".join(name for name in options if name not in _OPTIONS)
    problems = [f"Options has unsupported key(s): {unknown}"] if unknown else []
    problems += scaling_problems({name: options.get(name) for name in SCALED})
    in_flight = options.get("max_in_flight")
    if validation.given(in_flight) and (type(in_flight) is not int or in_flight < 1):
        problems.append("Max in flight must be an integer greater than 0")
    canary = options.get("canary")
    if validation.given(canary):
        problems += _canary_problems(canary, fields.get("strategy"))
    return problems


def _canary_problems(canary: JsonValue, strategy: JsonValue) -> list[str]:
    if not isinstance(canary, dict):
        return ["Options canary must be an object"]
    if strategy != "canary":
        return ["Options canary are only valid for Canary deployments"]
    steps = canary.get("steps")
    if not validation.given(steps):
        return []
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        return ["Options canary steps must be an array of objects"]
    problems = []
    for step in steps:
        unknown = ", ".join(name for name in step if name != "instance_weight")
        if unknown:
            problems.append(f"Options canary steps has unsupported key(s): {unknown}")
    if not all("instance_weight" in step for step in steps):
        problems.append('Options canary steps missing key: "instance_weight"')
    return problems + _weight_problems([step.get("instance_weight") for step in steps])


def _weight_problems(weights: list[JsonValue]) -> list[str]:
    label = "Options canary steps instance weight"
    bounds = f"{label} must be an Integer between 1-100 (inclusive)"
    if any(type(weight) is not int for weight in weights):
        return [bounds]
    problems = [] if all(1 <= weight <= 100 for weight in weights) else [bounds]
    if any(first > second for first, second in pairwise(weights)):
        problems.append(f"{label} must be sorted in ascending order")
    return problems
