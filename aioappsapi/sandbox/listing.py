"""Pages of what belongs to apps: filtered, ordered and cut like every other list."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

from . import filters
from .answer import Answer, json_text
from .call import Call
from .filters import ListQuery, ListRules
from .resources import Resource
from .uaa import Token

R = TypeVar("R", bound=Any)
_OF_APPS: Final = ("guids", "app_guids", "space_guids", "organization_guids", "label_selector")
_ORDERS: Final = ("created_at", "updated_at")
DROPLETS: Final = ListRules(("states", "current", *_OF_APPS), orders=_ORDERS)
PACKAGES: Final = ListRules(("states", "types", *_OF_APPS), orders=_ORDERS)
BUILDS: Final = ListRules(("states", "package_guids", *_OF_APPS), orders=_ORDERS)
DEPLOYMENTS: Final = ListRules(
    ("app_guids", "states", "status_reasons", "status_values", "label_selector"), orders=_ORDERS
)
TASKS: Final = ListRules(("names", "states", "sequence_ids", *_OF_APPS), orders=_ORDERS)
REVISIONS: Final = ListRules(("versions", "deployable", "label_selector"), orders=_ORDERS)

Wish = tuple[str, Callable[[Any], str | None]]
_APP_WISHES: Final[tuple[Wish, ...]] = (
    ("guids", lambda row: row.guid),
    ("app_guids", lambda row: row.app.guid),
    ("space_guids", lambda row: row.app.space.guid),
    ("organization_guids", lambda row: row.app.space.organization.guid),
)


def page_of(
    call: Call,
    token: Token,
    rules: ListRules,
    rows: Iterable[R],
    show: Callable[[R], dict[str, Any]],
    *wishes: Wish,
) -> Answer:
    """Return the page that the request asks for, of those rows whose apps the token shows."""
    query = ListQuery(rules, filters.decode(call.query))
    visible = [row for row in rows if token.reads(row.app.space)]
    given = [wish for wish in (*_APP_WISHES, *wishes) if wish[0] in rules.filters]
    chosen, page = query.cut(query.refine(query.select(visible, *given)))
    resources = [json_text(show(row)) for row in chosen]
    return Answer(200, call.views.page(call.path, query.links(), page, resources))


def metadata_of(resource: Resource) -> dict[str, Any]:
    """Return the labels and annotations as resources show them."""
    return {"labels": resource.labels, "annotations": resource.annotations}


def to_app(app_guid: str) -> dict[str, Any]:
    """Return the relationship of a resource to its app."""
    return {"app": {"data": {"guid": app_guid}}}
