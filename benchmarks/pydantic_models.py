"""The models of apps for pydantic 2, with the same fields as ours, for `benchmarks.decode`."""

# mypy: ignore-errors
# pyright: basic
# ruff: noqa: D101
from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel


class Link(BaseModel):
    href: str
    method: str | None = None


class Ref(BaseModel):
    guid: str | None = None


class Relationship(BaseModel):
    data: Ref | None = None


class LifecycleData(BaseModel):
    buildpacks: list[str] | None = None
    stack: str | None = None
    credentials: str | dict[str, object] | None = None


class Lifecycle(BaseModel):
    type: str
    data: LifecycleData


class Relationships(BaseModel):
    space: Relationship
    current_droplet: Relationship | None = None


class Metadata(BaseModel):
    labels: dict[str, str | None] = {}
    annotations: dict[str, str | None] = {}


class App(BaseModel):
    guid: str
    created_at: datetime | None = None
    updated_at: datetime | None = None
    name: str
    state: str
    lifecycle: Lifecycle
    relationships: Relationships
    metadata: Metadata
    links: dict[str, Link]


class Owned(BaseModel):
    organization: Relationship


class Space(BaseModel):
    guid: str
    name: str
    relationships: Owned


class Organization(BaseModel):
    guid: str
    name: str


class Included(BaseModel):
    spaces: list[Space]
    organizations: list[Organization]


class Page(BaseModel):
    resources: list[App]
    included: Included
