"""Checks that refuse values before a request is sent, if the server would surely refuse them.

Each raises InvalidInputError. The rules are those of the API's pages on metadata, apps and lists,
and agree with recorded answers of a real server.
Source: https://v3-apidocs.cloudfoundry.org/#metadata
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from aioappsapi.errors import refuse_unless

Times = datetime | Sequence[datetime] | Mapping[str, datetime]

_LONGEST_NAME: Final = 255
_LONGEST_ANNOTATION: Final = 5_000
_WORD: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_PREFIX: Final = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*")
_OPERATORS: Final = ("lt", "lte", "gt", "gte")


def check_name(name: object) -> None:
    """Check the name of an app."""
    refuse_unless(isinstance(name, str) and bool(name.strip()), "name is empty: an app needs one.")
    length = len(str(name))
    refuse_unless(length <= _LONGEST_NAME, f"name has {length} characters; at most 255.")


def check_labels(labels: Mapping[str, str | None]) -> None:
    """Check labels: a word of at most 63 characters, for the key perhaps after a DNS prefix."""
    for key, value in labels.items():
        _check_key(key, "label")
        fits = value is None or value == "" or _WORD.fullmatch(value) is not None
        refuse_unless(
            fits, f"label {key!r} has the value {value!r}: at most 63 letters, digits and -_."
        )


def check_annotations(annotations: Mapping[str, str | None]) -> None:
    """Check annotations: keys as for labels, values of at most 5,000 characters."""
    for key, value in annotations.items():
        _check_key(key, "annotation")
        fits = value is None or len(value) <= _LONGEST_ANNOTATION
        refuse_unless(fits, f"annotation {key!r} is longer than 5,000 characters.")


def _check_key(key: str, kind: str) -> None:
    prefix, slash, word = key.rpartition("/")
    refuse_unless(
        _WORD.fullmatch(word) is not None,
        f"{kind} key {key!r}: 1 to 63 letters, digits and -_. after an optional prefix and slash.",
    )
    if slash:
        fits = len(prefix) <= 253 and _PREFIX.fullmatch(prefix) is not None
        refuse_unless(fits, f"{kind} key {key!r}: the prefix is no DNS name.")
        reserved = prefix.lower() == "cloudfoundry.org"
        refuse_unless(not reserved, f"{kind} key {key!r}: the prefix cloudfoundry.org is reserved.")


def check_variables(variables: Mapping[str, object], *, strings_only: bool) -> None:
    """Check an app's environment variables.

    `strings_only` is for a later change, which takes strings, and None to delete a variable.
    """
    for key, value in variables.items():
        refuse_unless(bool(key), "an environment variable has an empty name.")
        reserved = key == "PORT" or key.upper().startswith("VCAP_")
        refuse_unless(not reserved, f"the environment variable {key!r} is the platform's own.")
        fits = not strings_only or value is None or isinstance(value, str)
        # Without the value: it may be a secret.
        refuse_unless(fits, f"the environment variable {key!r} is not a string, nor None.")


def check_words(name: str, values: Sequence[str], allowed: Sequence[str]) -> None:
    """Check that each value is allowed and comes once."""
    for value in values:
        refuse_unless(
            value in allowed, f"{name}={value!r}: {', '.join(map(repr, allowed))} are known."
        )
    refuse_unless(len(set(values)) == len(values), f"{name} names something twice: {values!r}.")


def timestamps(name: str, value: Times | None) -> dict[str, str]:
    """Make the filter for times: one, several, or bounds by gt, gte, lt and lte."""
    if value is None:
        return {}
    if isinstance(value, datetime):
        return {name: _utc(name, value)}
    if isinstance(value, Mapping):
        check_words(name, list(value), _OPERATORS)
        return {f"{name}[{bound}]": _utc(name, time) for bound, time in value.items()}
    return {name: ",".join(_utc(name, time) for time in value)}


def _utc(name: str, time: object) -> str:
    refuse_unless(isinstance(time, datetime), f"{name}={time!r}: a datetime.")
    assert isinstance(time, datetime)  # noqa: S101 - said to the type checker
    refuse_unless(time.tzinfo is not None, f"{name}={time}: a datetime with its time zone.")
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
