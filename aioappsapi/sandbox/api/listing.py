"""Pages of resources, and the members that all resources have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol, TypeVar

from aioappsapi.sandbox.api import list_query
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.call import Call
from aioappsapi.sandbox.api.list_query import ListQuery, ListRules, Value
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import App

ORDERS: Final = ("created_at", "updated_at")
DROPLETS: Final = ListRules(
    (
        "app_guid",
        "app_guids",
        "current",
        "organization_guids",
        "package_guid",
        "space_guids",
        "states",
        "label_selector",
    ),
    orders=ORDERS,
)
PACKAGES: Final = ListRules(
    (
        "states",
        "types",
        "app_guids",
        "app_guid",
        "space_guids",
        "organization_guids",
        "label_selector",
    ),
    orders=ORDERS,
)
BUILDS: Final = ListRules(("app_guids", "package_guids", "states", "label_selector"), orders=ORDERS)
APP_BUILDS: Final = ListRules(("states", "label_selector"), orders=ORDERS)
DEPLOYMENTS: Final = ListRules(
    ("app_guids", "states", "status_reasons", "status_values", "label_selector"), orders=ORDERS
)
TASKS: Final = ListRules(
    (
        "names",
        "states",
        "app_guids",
        "organization_guids",
        "space_guids",
        "app_guid",
        "sequence_ids",
        "label_selector",
    ),
    orders=ORDERS,
)
REVISIONS: Final = ListRules(
    ("versions", "deployable", "label_selector"),
    orders=ORDERS,
    # The server compares the text of the query with true and false, so that no value is valid.
    check=lambda given: ["Deployable must be a boolean"] if "deployable" in given else [],
)


class Identified(Protocol):
    """A row of a list."""

    @property
    def guid(self) -> str: ...


class Row(Identified, Protocol):
    """The members that all resources have."""

    @property
    def created_at(self) -> str: ...
    @property
    def updated_at(self) -> str: ...


class RowOfApp(Row, Protocol):
    """A resource that belongs to an app."""

    @property
    def app(self) -> App: ...


class Labelled(Protocol):
    """A resource with labels and annotations."""

    @property
    def labels(self) -> dict[str, str]: ...
    @property
    def annotations(self) -> dict[str, str]: ...


R = TypeVar("R", bound=Identified)
A = TypeVar("A", bound=RowOfApp)
Filter = tuple[str, Callable[[R], Value]]
Include = Callable[[ListQuery, Sequence[R]], Json]
_APP_FILTERS: Final[tuple[Filter[RowOfApp], ...]] = (
    ("app_guid", lambda row: row.app.guid),
    ("app_guids", lambda row: row.app.guid),
    ("space_guids", lambda row: row.app.space.guid),
    ("organization_guids", lambda row: row.app.space.organization.guid),
)


def page_of(
    call: Call,
    token: Token,
    rules: ListRules,
    rows: Iterable[A],
    show: Callable[[A], Json],
    *filters: Filter[A],
) -> Answer:
    """Return the requested page of the rows whose apps the token shows."""
    visible = [row for row in rows if token.reads(row.app.space)]
    return listed(call, rules, visible, show, *_APP_FILTERS, *filters)


def listed(
    call: Call,
    rules: ListRules,
    rows: Iterable[R],
    show: Callable[[R], Json],
    *filters: Filter[R],
    include: Include[R] | None = None,
    given: dict[str, str] | None = None,
    filters_in_links: bool = True,
) -> Answer:
    """Return the requested page of these rows.

    `include` makes the members of `included` for the rows of the page. `given` replaces the
    parameters of the request.
    """
    query = ListQuery(rules, list_query.decode(call.query) if given is None else given)
    wanted = [row_filter for row_filter in filters if row_filter[0] in rules.filters]
    found = query.select(rows, ("guids", lambda row: row.guid), *wanted)
    chosen, page = query.cut(query.refine(found))
    resources = [json_text(show(row)) for row in chosen]
    extra = include(query, chosen) if include else {}
    links = query.links()
    if not filters_in_links:
        links = {name: value for name, value in links.items() if name == "order_by"}
    included = f',"included":{json_text(extra)}' if extra else ""
    return Answer(200, call.views.page(call.path, links, page, resources, included))


def common_fields(row: Row) -> Json:
    """Return the members at the beginning of every resource."""
    return {"guid": row.guid, "created_at": row.created_at, "updated_at": row.updated_at}


def to_one(guid: str | None) -> Json:
    """Return a relationship to one resource, or an empty relationship."""
    return {"data": None if guid is None else {"guid": guid}}


def metadata_of(resource: Labelled) -> Json:
    """Return the labels and annotations as resources show them."""
    return {"labels": resource.labels, "annotations": resource.annotations}


def to_app(app_guid: str) -> Json:
    """Return the relationship of a resource to its app."""
    return {"app": to_one(app_guid)}
