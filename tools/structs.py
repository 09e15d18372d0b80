"""For mkdocstrings: the fields of Structs and TypedDicts become arguments of constructors."""

from __future__ import annotations

from collections.abc import Iterator

from griffe import (
    Attribute,
    Class,
    Extension,
    Function,
    Module,
    Parameter,
    ParameterKind,
    Parameters,
)


class Structs(Extension):
    """Gives every Struct and TypedDict the `__init__` that it has at run time."""

    def on_package(self, *, pkg: Module, **_: object) -> None:
        """Work on a package when all of it is loaded, so that base classes are known."""
        for cls in list(_classes(pkg)):
            if "__init__" not in cls.members and _has_fields(cls):
                cls.set_member("__init__", _constructor(cls))


def _classes(parent: Module | Class) -> Iterator[Class]:
    for member in parent.members.values():
        if isinstance(member, Class):
            yield member
        if isinstance(member, Class | Module):
            yield from _classes(member)


def _has_fields(cls: Class) -> bool:
    return any(
        str(getattr(base, "canonical_path", base)).startswith(
            ("msgspec.Struct", "typing.TypedDict")
        )
        for one in (cls, *cls.mro())
        for base in one.bases
    )


def _constructor(cls: Class) -> Function:
    fields: dict[str, Parameter] = {}
    for one in (*reversed(cls.mro()), cls):
        for field in one.members.values():
            if isinstance(field, Attribute) and _is_field(field):
                fields[field.name] = Parameter(
                    field.name,
                    annotation=field.annotation,
                    kind=ParameterKind.keyword_only,
                    default=field.value,
                )
    first = Parameter("self", kind=ParameterKind.positional_or_keyword)
    return Function("__init__", parent=cls, parameters=Parameters(first, *fields.values()))


def _is_field(member: Attribute) -> bool:
    return (
        member.annotation is not None
        and "property" not in member.labels
        and not ("class-attribute" in member.labels and "instance-attribute" not in member.labels)
        and not member.name.startswith("_")
    )
