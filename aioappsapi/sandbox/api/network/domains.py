"""Domains: shared domains, private domains of organizations, and reserved routes."""

from __future__ import annotations

from typing import Final

from aioappsapi.sandbox.api import errors, list_query, validation
from aioappsapi.sandbox.api.access import Access, manages
from aioappsapi.sandbox.api.answer import Answer, json_text
from aioappsapi.sandbox.api.call import Call, text_at
from aioappsapi.sandbox.api.list_query import ListRules
from aioappsapi.sandbox.api.listing import common_fields, listed, metadata_of, to_one
from aioappsapi.sandbox.api.network.domain_checks import new_domain_problems
from aioappsapi.sandbox.api.query_problems import unknown_parameters
from aioappsapi.sandbox.api.router import Handler
from aioappsapi.sandbox.api.token import Token
from aioappsapi.sandbox.world.json_types import Json
from aioappsapi.sandbox.world.model import Organization, guid
from aioappsapi.sandbox.world.network import Domain, Network
from aioappsapi.sandbox.world.state import World

_DOMAINS: Final = ListRules(
    ("names", "guids", "organization_guids", "label_selector"),
    orders=("created_at", "updated_at"),
)


class Domains:
    """The routes of domains."""

    def __init__(self, world: World, network: Network, access: Access) -> None:
        self._world = world
        self._network = network
        self._access = access

    def routes(self) -> dict[str, Handler]:
        """Return the routes of this part."""
        return {
            "GET domains": self._list,
            "GET domains/*": self._show,
            "POST domains": self._create,
            "GET domains/*/route_reservations": self._reserved,
            "GET organizations/*/domains": self._of_organization,
            "GET organizations/*/domains/default": self._default,
        }

    def _visible(self, token: Token) -> list[Domain]:
        shown = self._access.organizations(token)
        domains = self._network.domains.values()
        return [d for d in domains if d.organization is None or d.organization in shown]

    def _found(self, token: Token, domain_guid: str) -> Domain:
        for domain in self._visible(token):
            if domain.guid == domain_guid:
                return domain
        raise errors.not_found("Domain")

    def _list(self, call: Call) -> Answer:
        return self._listed(call, self._visible(call.reader()))

    def _listed(self, call: Call, domains: list[Domain]) -> Answer:
        return listed(
            call,
            _DOMAINS,
            domains,
            lambda domain: domain_fields(call, domain),
            ("names", lambda domain: domain.name),
            ("organization_guids", _owner),
        )

    def _show(self, call: Call, domain_guid: str) -> Answer:
        domain = self._found(call.reader(), domain_guid)
        return Answer(200, json_text(domain_fields(call, domain)))

    def _of_organization(self, call: Call, organization_guid: str) -> Answer:
        token = call.reader()
        organization = self._access.organization(token, organization_guid)
        near = (None, organization)
        return self._listed(call, [d for d in self._visible(token) if d.organization in near])

    def _default(self, call: Call, organization_guid: str) -> Answer:
        self._access.organization(call.reader(), organization_guid)
        domain = self._network.default_domain()
        if domain is None:
            raise errors.not_found("Domain")
        return Answer(200, json_text(domain_fields(call, domain)))

    def _reserved(self, call: Call, domain_guid: str) -> Answer:
        domain = self._found(call.reader(), domain_guid)
        given = list_query.decode(call.query)
        problems = unknown_parameters(given, ("host", "path", "port"))
        if problems:
            raise errors.bad_query(problems)
        wanted = (given.get("host", ""), given.get("path", ""), given.get("port"))
        taken = any(
            (route.host, route.path, str(route.port) if route.port else None) == wanted
            for route in self._network.all_routes()
            if route.domain is domain
        )
        return Answer(200, json_text({"matching_route": taken}))

    def _create(self, call: Call) -> Answer:
        fields = call.fields()
        token = call.writer()
        validation.refuse(new_domain_problems(fields))
        organization = self._requested_owner(token, fields)
        name = str(fields["name"]).lower()
        if any(domain.name == name for domain in self._network.domains.values()):
            raise errors.unprocessable(f'The domain name "{name}" is already in use')
        domain = Domain(
            guid=guid(self._world.rng),
            name=name,
            internal=fields.get("internal") is True,
            organization=organization,
        )
        validation.merge_metadata(fields, domain.labels, domain.annotations)
        self._network.domains[domain.guid] = domain
        return Answer(201, json_text(domain_fields(call, domain)))

    def _requested_owner(self, token: Token, fields: Json) -> Organization | None:
        organization_guid = text_at(fields, "relationships", "organization", "data", "guid")
        if not organization_guid:
            if not token.is_admin:
                raise errors.not_authorized()
            return None
        self._access.check_flag(token, "private_domain_creation")
        organization = self._world.organizations.get(organization_guid)
        if organization is None or organization not in self._access.organizations(token):
            raise errors.unprocessable(
                f"Organization with guid '{organization_guid}' does not exist or you do not "
                "have access to it."
            )
        if not manages(token, organization):
            raise errors.not_authorized()
        if organization.suspended and not token.is_admin:
            raise errors.org_suspended()
        return organization


def _owner(domain: Domain) -> str | None:
    return None if domain.organization is None else domain.organization.guid


def domain_fields(call: Call, domain: Domain) -> Json:
    """Return the members of a domain."""
    at = f"{call.views.base}/v3/domains/{domain.guid}"
    links = {"self": at, "route_reservations": f"{at}/route_reservations"}
    owner = _owner(domain)
    if owner is not None:
        links["organization"] = f"{call.views.base}/v3/organizations/{owner}"
        links["shared_organizations"] = f"{at}/relationships/shared_organizations"
    return common_fields(domain) | {
        "name": domain.name,
        "internal": domain.internal,
        "router_group": None,
        "supported_protocols": ["http"],
        "relationships": {"organization": to_one(owner), "shared_organizations": {"data": []}},
        "metadata": metadata_of(domain),
        "links": {name: {"href": href} for name, href in links.items()},
    }
