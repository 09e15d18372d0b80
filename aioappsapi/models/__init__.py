"""The resources of the API as immutable, typed values."""

from aioappsapi.models.app import App, AppLinks, AppRelationships, Lifecycle, LifecycleData
from aioappsapi.models.base import Link, Metadata, Pagination, Ref, Relationship
from aioappsapi.models.error import ApiError
from aioappsapi.models.organization import Organization
from aioappsapi.models.page import Included, Page
from aioappsapi.models.root import Root
from aioappsapi.models.space import Space

__all__ = [
    "ApiError",
    "App",
    "AppLinks",
    "AppRelationships",
    "Included",
    "Lifecycle",
    "LifecycleData",
    "Link",
    "Metadata",
    "Organization",
    "Page",
    "Pagination",
    "Ref",
    "Relationship",
    "Root",
    "Space",
]
