"""Problems of query parameters, with the error texts of the server."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def unknown_parameters(given: Iterable[str], allowed: tuple[str, ...]) -> list[str]:
    """Return the problem of parameters that the list does not know."""
    unknown = ", ".join(f"'{name}'" for name in given if name not in allowed)
    if not unknown:
        return []
    valid = ", ".join(f"'{name}'" for name in allowed)
    return [f"Unknown query parameter(s): {unknown}. Valid parameters are: {valid}"]


def unknown_resources(wanted: tuple[str, ...], valid: tuple[str, ...], kind: str) -> list[str]:
    """Return the problems of resources that cannot be included or embedded, and of duplicates."""
    known = ", ".join(f"'{name}'" for name in valid)
    problems = []
    for index, name in enumerate(wanted):
        if name not in valid:
            problem = f"Invalid {kind} resource: '{name}'. Valid {kind} resources are: {known}"
            problems.append(problem)
        elif wanted[:index].count(name) == 1:
            problems.append(f"Duplicate {kind} resource: '{name}'")
    return problems


def unknown_members(
    wanted: Mapping[str, tuple[str, ...]], known: Mapping[str, tuple[str, ...]]
) -> list[str]:
    """Return the problems of members of related resources that cannot be requested."""
    for resource, names in wanted.items():
        if resource not in known:
            valid = ", ".join(f"'{name}'" for name in known)
            return [f"Fields [{resource}] valid resources are: {valid}"]
        if not set(names) <= set(known[resource]):
            valid = ", ".join(f"'{name}'" for name in known[resource])
            return [f"Fields valid keys for '{resource}' are: {valid}"]
    return []


def one_of(valid: tuple[str, ...]) -> str:
    """Return how the server names the valid values of a parameter."""
    if valid == ("true", "false"):
        return "must be 'true' or 'false'"
    return "must be one of " + ", ".join(f"'{name}'" for name in valid)
