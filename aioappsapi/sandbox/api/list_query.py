"""The query parameters of a list: checked with the API's error texts, then applied."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar
from urllib.parse import parse_qsl, unquote

from aioappsapi.sandbox.api import ruby
from aioappsapi.sandbox.api.errors import ApiError, bad_query, unprocessable
from aioappsapi.sandbox.api.labels import NO_SELECTOR, Predicate, selected
from aioappsapi.sandbox.api.moments import OPERATORS, comparing, is_moment
from aioappsapi.sandbox.api.outages import UnknownError
from aioappsapi.sandbox.api.query_problems import (
    one_of,
    unknown_members,
    unknown_parameters,
    unknown_resources,
)
from aioappsapi.sandbox.world.json_types import JsonValue

T = TypeVar("T")
Value = str | Collection[str] | None

_COMMON: Final = ("page", "per_page", "order_by", "created_ats", "updated_ats", "guids")
_BAD_PERCENT: Final = re.compile(r"%(?![0-9A-Fa-f]{2})")
_MOST_ROWS: Final = 2**63 - 1
_INTEGER: Final = re.compile(r"\s*\+?([0-9]+)")
_MOMENT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
_SINGLE: Final = frozenset({"label_selector", "order_by"})
_WITH_BRACKETS: Final = frozenset({"fields", "target_guids", "label_selector", "include", "embed"})
_NO_MOMENT: Final = (
    "has an invalid timestamp format. Timestamps should be formatted as 'YYYY-MM-DDThh:mm:ssZ'"
)
_SEPARATOR: Final = re.compile(r",\s*")


@dataclass(frozen=True, slots=True)
class ListRules:
    """The parameters of one list beyond the common ones: its filters, includes and embeds.

    `choices` are the only values that some parameters take. `fields` are the members of related
    resources that can be requested, by resource. `refuse` makes the error of a bad query. `check`
    returns problems that only this list has.
    """

    filters: tuple[str, ...]
    includes: tuple[str, ...] = ()
    embeds: tuple[str, ...] = ()
    orders: tuple[str, ...] = ("created_at", "updated_at", "name")
    default_order: str | None = None
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    refuse: Callable[[list[str]], ApiError] = bad_query
    checks_labels: bool = True
    check: Callable[[Mapping[str, str]], list[str]] = lambda _: []

    def allowed(self) -> tuple[str, ...]:
        """Every parameter of the list, in the order of the server's error."""
        return (*_COMMON, *self.filters)


APPS: Final = ListRules(
    (
        "names",
        "organization_guids",
        "space_guids",
        "stacks",
        "include",
        "lifecycle_type",
        "label_selector",
    ),
    includes=("space", "org", "space.organization"),
    orders=("created_at", "updated_at", "name", "state"),
)
SPACES: Final = ListRules(
    ("names", "organization_guids", "include", "label_selector"),
    includes=("org", "organization"),
)
ORGANIZATIONS: Final = ListRules(("names", "isolation_segment_guid", "label_selector"))
PROCESSES: Final = ListRules(
    (
        "app_guid",
        "types",
        "space_guids",
        "organization_guids",
        "app_guids",
        "embed",
        "label_selector",
    ),
    embeds=("process_instances",),
    orders=("created_at", "updated_at"),
)


class UndecodableQueryError(Exception):
    """The query has a broken escape, for which the server answers 500 before any routing."""


def decode(query: str) -> dict[str, str]:
    """Return the parameters of a query string; the last value of a repeated parameter counts."""
    if _BAD_PERCENT.search(query):
        raise UndecodableQueryError(query)
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise UndecodableQueryError(query) from error
    found: dict[str, str] = {}
    arrays: dict[str, list[JsonValue]] = {}
    for name, value in pairs:
        if name.endswith("[]"):
            # The server uses the text of a Ruby array.
            values = arrays.setdefault(name, [])
            values.append(value)
            value = ruby.text(values)
        found[name.removesuffix("[]")] = value
    return found


class ListQuery:
    """The checked parameters of one list request.

    Raises ApiError 400 with all problems at once, in the server's order.
    """

    def __init__(self, rules: ListRules, given: dict[str, str]) -> None:
        self._rules = rules
        self.given = given
        if not given.get("order_by"):
            given.pop("order_by", None)
        if rules.default_order:
            given.setdefault("order_by", rules.default_order)
        self._problems: list[str] = []
        # Whether the server falls over a value that its checks let pass.
        self._fails = False
        self._labels: list[Predicate] = []
        self._moments: list[tuple[str, Callable[[str], bool]]] = []
        self.number = self._positive("page", 1)
        self.size = self._page_size()
        self._check_last_row()
        self._check_order()
        self._read_moments()
        self._check_arrays("guids")
        self._read_labels()
        self._check_unknown()
        self.includes = self._named("include", rules.includes, "included")
        self.embeds = self._named("embed", rules.embeds, "embedded")
        self._check_lifecycle()
        self._check_choices()
        self._problems += rules.check(given)
        self._check_arrays(*(name for name in rules.filters if name != "guids"))
        self.fields = self._read_fields()
        if self._problems:
            raise rules.refuse(self._problems)
        if self._fails:
            raise UnknownError

    def values(self, name: str) -> frozenset[str] | None:
        """Return the comma-separated values of a parameter, or None if it was not given."""
        text = self.given.get(name)
        if text is None:
            return None
        return frozenset(named(text))

    def select(self, rows: Iterable[T], *filters: tuple[str, Callable[[T], Value]]) -> Sequence[T]:
        """Return the rows that match every given filter.

        A filter is the name of a parameter and the function that reads its value from a row. A row
        matches if one of several values is equal.
        """
        for name, read in filters:
            wanted, unwanted = self.values(name), self.values(f"{name}[not]")
            if wanted is not None:
                rows = [row for row in rows if _among(read(row), wanted)]
            if unwanted is not None:
                rows = [row for row in rows if not _among(read(row), unwanted)]
        return list(rows)

    def refine(self, rows: Sequence[T]) -> Sequence[T]:
        """Return the rows with these labels and timestamps, in the requested order."""
        found = rows
        for predicate in self._labels:
            found = [row for row in found if predicate(operator.attrgetter("labels")(row))]
        for attribute, holds in self._moments:
            found = [row for row in found if holds(getattr(row, attribute))]
        return self._ordered(found)

    def cut(self, rows: Sequence[T]) -> tuple[Sequence[T], tuple[int, int, int]]:
        """Return one page of the rows with (number, size, total); total is 0 beyond the last."""
        begin = (self.number - 1) * self.size
        chosen = rows[begin : begin + self.size]
        return chosen, (self.number, self.size, len(rows) if chosen else 0)

    def links(self) -> dict[str, str]:
        """Return the parameters as the paging links repeat them."""
        fields = {k: v for k, v in self.given.items() if k not in {"page", "per_page"}}
        order = fields.get("order_by")
        if order and order[0] not in "+-":
            fields["order_by"] = f"+{order}"
        return {
            f"{k}[]" if k.endswith("[not]") else k: v if k in _SINGLE else _repeated(v)
            for k, v in fields.items()
        }

    def _ordered(self, rows: Sequence[T]) -> Sequence[T]:
        order = self.given.get("order_by")
        if order is None:
            return rows
        attribute = order.lstrip("+-")
        if attribute == "created_at":
            # Timestamps have whole seconds only, so equal ones keep the order of creation.
            rows = rows[::-1] if order.startswith("-") else rows
        else:
            # The server orders equal rows by GUID, in the same direction.
            guid = operator.attrgetter("guid")
            rows = sorted(rows, key=guid, reverse=order.startswith("-"))
        key = _collated if attribute == "name" else operator.attrgetter(attribute)
        return sorted(rows, key=key, reverse=order.startswith("-"))

    def _positive(self, name: str, default: int) -> int:
        text = self.given.get(name)
        if text is None:
            return default
        # Ruby's to_i: the digits at the beginning of the text, or 0.
        digits = _INTEGER.match(text)
        if digits is None or int(digits[1]) < 1:
            label = name.replace("_", " ").capitalize()
            self._problems.append(f"{label} must be a positive integer")
            return default
        return int(digits[1])

    def _page_size(self) -> int:
        size = self._positive("per_page", 50)
        if size > 5000:
            self._problems.append("Per page must be between 1 and 5000")
        return size

    def _check_last_row(self) -> None:
        if self.number * self.size > _MOST_ROWS:
            self._problems.append(
                f"Maximum result (page * per_page) must be less than {_MOST_ROWS}"
            )

    def _check_order(self) -> None:
        order = self.given.get("order_by")
        if order is not None and re.sub(r"\A[+-]", "", order) not in self._rules.orders:
            valid = ", ".join(f"'{name}'" for name in self._rules.orders)
            self._problems.append(f"Order by can only be: {valid}")

    def _read_moments(self) -> None:
        for wanted in ("created_ats", "updated_ats"):
            for name, text in self.given.items():
                base, _, comparison = name.partition("[")
                if base == wanted:
                    self._read_moment(wanted, comparison.removesuffix("]"), text)

    def _read_moment(self, field: str, comparison: str, text: str) -> None:
        label = field.replace("_", " ").capitalize()
        moments = _SEPARATOR.split(text)
        problems = []
        if comparison and comparison not in OPERATORS:
            problems.append(f"Invalid relational operator: '{comparison}'")
        if comparison and len(moments) > 1:
            problems.append("only accepts one value when using a relational operator")
        else:
            problems += [_NO_MOMENT for moment in moments if not _MOMENT.fullmatch(moment)]
        self._problems += [f"{label} {problem}" for problem in problems]
        if not problems:
            # PostgreSQL knows no such day or hour.
            self._fails |= not all(map(is_moment, moments))
            self._moments.append((field.removesuffix("s"), comparing(comparison, moments)))

    def _check_unknown(self) -> None:
        allowed = self._rules.allowed()
        names = dict.fromkeys(name.partition("[")[0] for name in self.given)
        self._problems += unknown_parameters(names, allowed)

    def _named(self, name: str, valid: tuple[str, ...], kind: str) -> tuple[str, ...]:
        if name not in self._rules.filters or name not in self.given:
            return ()
        wanted = named(self.given[name])
        self._problems += unknown_resources(wanted, valid, kind)
        return wanted

    def _check_arrays(self, *names: str) -> None:
        """Refuse an operator in brackets after a filter that takes only values."""
        operated = {name.partition("[")[0] for name in self.given if name.endswith("]")}
        for name in names:
            if name in operated and name not in _WITH_BRACKETS:
                label = name.replace("_", " ").capitalize()
                self._problems.append(f"{label} must be an array")

    def _check_lifecycle(self) -> None:
        wanted = self.given.get("lifecycle_type")
        if wanted is None or "lifecycle_type" not in self._rules.filters:
            return
        if wanted not in {"buildpack", "docker", "cnb"}:
            self._problems.append(f"Invalid lifecycle_type: '{wanted}'")

    def _check_choices(self) -> None:
        for name, valid in self._rules.choices.items():
            if name in self.given and self.given[name] not in valid:
                label = name.replace("_", " ").capitalize()
                self._problems.append(f"{label} {one_of(valid)}")

    def _read_fields(self) -> dict[str, tuple[str, ...]]:
        """Return the requested members, by related resource."""
        if "fields" not in self._rules.filters:
            return {}
        requested = {n[7:-1]: v for n, v in self.given.items() if n.startswith("fields[")}
        wanted = {resource: tuple(text.split(",")) for resource, text in requested.items()}
        self._problems += unknown_members(wanted, self._rules.fields)
        return wanted

    def _read_labels(self) -> None:
        selector = self.given.get("label_selector")
        if selector is None or "label_selector" not in self._rules.filters:
            return
        self._labels, problems = selected(selector)
        if self._rules.checks_labels:
            self._problems += problems
        elif problems:
            # No resource has a label with such a name.
            self._labels.append(lambda _: False)
            self._fails |= NO_SELECTOR in problems


def named(text: str) -> tuple[str, ...]:
    """Return the comma-separated values of a parameter; a %2C is a comma within a value."""
    return tuple(map(unquote, _SEPARATOR.split(text)))


def requested_names(
    query: str, rules: ListRules, name: str = "include", *, also: tuple[str, ...] = ()
) -> tuple[str, ...]:
    """Return the resources that a request for one resource includes, by the rules of its list.

    With the `name` embed, return the resources that it embeds. `also` are other valid parameters.
    """
    embeds = name == "embed"
    valid, kind = (rules.embeds, "embedded") if embeds else (rules.includes, "included")
    given = decode(query)
    wanted = named(given[name]) if name in given else ()
    bases = dict.fromkeys(one.partition("[")[0] for one in given)
    problems = unknown_parameters(bases, (*also, name)) + unknown_resources(wanted, valid, kind)
    if problems:
        raise rules.refuse(problems)
    return wanted


def nested(rules: ListRules, *unknown: str) -> ListRules:
    """Return the rules of a list below one resource, which has no filters of the names `unknown`.

    Their error does not list the valid parameters, unlike that of other unknown parameters.
    """

    def check(given: Mapping[str, str]) -> list[str]:
        names = "', '".join(name for name in unknown if name in given)
        refusals = [f"Unknown query parameter(s): '{names}'"] if names else []
        return rules.check(given) + refusals

    return replace(rules, check=check)


def bad_body(problems: list[str]) -> ApiError:
    """Refuse a bad query like a bad body (422), as a few lists do."""
    return unprocessable(", ".join(problems))


def without(name: str) -> Callable[[Mapping[str, str]], list[str]]:
    """Return a check that refuses a filter which all other lists have."""

    def check(given: Mapping[str, str]) -> list[str]:
        if any(one.partition("[")[0] == name for one in given):
            return [f"Filtering by '{name}' is not allowed on this resource."]
        return []

    return check


def _repeated(text: str) -> str:
    return ",".join(value.replace(",", "%2C") for value in named(text))


def _among(value: Value, wanted: frozenset[str]) -> bool:
    if value is None or isinstance(value, str):
        return value in wanted
    return not wanted.isdisjoint(value)


def _collated(row: object) -> tuple[str, str]:
    """Return the sort key of a name: alphabetical, small letters before capital letters."""
    name = str(getattr(row, "name", ""))
    return name.casefold(), name.swapcase()
