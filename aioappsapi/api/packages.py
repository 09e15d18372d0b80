"""Packages, which hold the code of apps. Source: https://v3-apidocs.cloudfoundry.org/#packages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aioappsapi.api.endpoint import Endpoints, endpoint
from aioappsapi.api.pager import Pager
from aioappsapi.api.queries import list_queries
from aioappsapi.errors import refuse_unless
from aioappsapi.models.build import Package
from aioappsapi.models.page import Page

LIST: Final = endpoint("list packages", "GET", "/v3/packages", Page[Package], "list-packages")
GET: Final = endpoint("get package", "GET", "/v3/packages/{}", Package, "get-a-package")
CREATE: Final = endpoint("create package", "POST", "/v3/packages", Package, "create-a-package")


class Packages(Endpoints):
    """The endpoints of packages."""

    def list(
        self,
        *,
        guids: Sequence[str] | None = None,
        app_guids: Sequence[str] | None = None,
        states: Sequence[str] | None = None,
        types: Sequence[str] | None = None,
        per_page: int | None = None,
        validate: bool = True,
    ) -> Pager[Package]:
        """List packages.

        Raises InvalidInputError for a `per_page` out of bounds, unless `validate` is false.
        Source: GET /v3/packages.
        """
        queries = list_queries(
            {"guids": guids, "app_guids": app_guids},
            lists={"states": states, "types": types},
            per_page=per_page,
            validate=validate,
        )
        return Pager(self._caller, LIST, queries)

    async def get(self, guid: str, *, deadline: float | None = None) -> Package:
        """Fetch a package. Raises NotFoundError. Source: GET /v3/packages/{guid}."""
        return await self._caller.call(GET, guid, deadline=deadline)

    async def create_docker(
        self,
        app_guid: str,
        image: str,
        *,
        username: str | None = None,
        password: str | None = None,
        validate: bool = True,
        deadline: float | None = None,
    ) -> Package:
        """Create a package of a docker image, with a login of its registry if it needs one.

        The server does not check the image: with a wrong image the app does not come up.
        Raises InvalidInputError for an empty image, unless `validate` is false;
        UnprocessableError. Source: POST /v3/packages.
        """
        fits = not validate or bool(image)
        refuse_unless(fits, "image is empty: it would look like registry.example.com/x:1.")
        login = {"username": username, "password": password}
        data = {"image": image} | {name: one for name, one in login.items() if one is not None}
        of_app = {"app": {"data": {"guid": app_guid}}}
        body = {"type": "docker", "data": data, "relationships": of_app}
        return await self._caller.call(CREATE, body=body, deadline=deadline)
