"""The queries of lists: filters, page sizes, and lists that are too long for one address.

Source: https://v3-apidocs.cloudfoundry.org/#filters and #pagination
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from aioappsapi._http.batches import LARGEST_PAGE
from aioappsapi._http.message import Query
from aioappsapi._http.protocol import quoted
from aioappsapi.errors import InvalidInputError

Values = Sequence[str] | None

# The server refuses a query above 10,240 bytes, and proxies in front of it may stop at 8 K.
_LONGEST_VALUES: Final = 7_600
_MOST_VALUES: Final = 200
# An empty value selects here: ``stacks=`` lists the apps without a stack.
_MAY_BE_EMPTY: Final = frozenset({"stacks"})


def list_queries(
    split: Mapping[str, Values] | None = None,
    *,
    lists: Mapping[str, Values] | None = None,
    per_page: int | None = None,
    validate: bool = True,
    **words: str | None,
) -> list[Query]:
    """Return the queries of a list, one for each of its requests.

    `split` are filters of any length, such as GUIDs, which are spread over several requests.
    `lists` are short filters and `words` single values, both sent with each request. A filter that
    is None is not sent. An empty list selects nothing, so there is no request at all. Raises
    InvalidInputError for a value that no list can hold, and for a `per_page` out of bounds unless
    `validate` is false.
    """
    query = {name: word for name, word in words.items() if word is not None}
    for name, values in (lists or {}).items():
        if values is not None:
            _check_values(name, values)
            if not values:
                return []
            query[name] = ",".join(values)
    if per_page is not None:
        query["per_page"] = _page_size(per_page, validate=validate)
    return _spread(query, split or {})


def joined(name: str, values: Values) -> str | None:
    """Join values that are no filter, such as `include`; None if there are none."""
    if not values:
        return None
    _check_values(name, values)
    return ",".join(values)


def _page_size(per_page: int, *, validate: bool) -> str:
    fits = not isinstance(per_page, bool) and 1 <= per_page <= LARGEST_PAGE
    if validate and not fits:
        raise InvalidInputError(f"per_page={per_page!r}: 1 to {LARGEST_PAGE}.")
    return str(per_page)


def _check_values(name: str, values: Sequence[object]) -> None:
    if isinstance(values, str):
        raise InvalidInputError(f"{name}={values!r}: give a list, like [{values!r}].")
    may_be_empty = name in _MAY_BE_EMPTY
    if not all(isinstance(value, str) and (value or may_be_empty) for value in values):
        raise InvalidInputError(f"{name} holds an empty value.")
    if with_comma := [value for value in values if "," in str(value)]:
        raise InvalidInputError(
            f"{name} holds {with_comma[0]!r}: the API separates values by commas, "
            "so a value with a comma cannot be sent."
        )


def _spread(query: Query, split: Mapping[str, Values]) -> list[Query]:
    """Spread long lists over several requests.

    Several lists share the length of an address. The shortest is placed first, and the others get
    the remaining length. An empty list makes no request.
    """
    lists = {name: values for name, values in split.items() if values is not None}
    if len(lists) == 1:
        [(name, values)] = lists.items()
        if (guids := _joined_guids(values)) is not None:
            return [{**query, name: guids}]
    given: list[tuple[str, dict[str, int]]] = []
    for name, values in lists.items():
        _check_values(name, values)
        given.append((name, {value: _size(value) for value in values}))
    given.sort(key=lambda item: sum(item[1].values()))
    queries = [dict(query)]
    free = _LONGEST_VALUES
    for index, (name, sizes) in enumerate(given):
        chunks = list(_chunks(sizes, free // (len(given) - index)))
        if index + 1 < len(given):
            free -= max((sum(sizes[value] for value in chunk) for chunk in chunks), default=0)
        queries = [{**one, name: ",".join(chunk)} for one in queries for chunk in chunks]
    return list(queries)


def _joined_guids(values: Sequence[str]) -> str | None:
    """Join a list that fits into one request and needs no quoting, as GUIDs do; None for others.

    fast path: a run reads the states of all of its apps, and would look at each GUID several times.
    """
    if isinstance(values, str) or not 0 < len(values) <= _MOST_VALUES:
        return None
    try:
        joined = ",".join(dict.fromkeys(values))
    except TypeError:  # not all are texts
        return None
    is_plain = joined.isascii() and joined.replace("-", "").replace(",", "").isalnum()
    commas = len(set(values)) - 1
    is_list = joined.count(",") == commas and ",," not in f",{joined},"
    return joined if is_plain and is_list and len(joined) < _LONGEST_VALUES else None


def _chunks(sizes: Mapping[str, int], free: int) -> Iterator[list[str]]:
    chunk: list[str] = []
    size = 0
    for value, its_size in sizes.items():
        if chunk and (len(chunk) == _MOST_VALUES or size + its_size > free):
            yield chunk
            chunk, size = [], 0
        chunk.append(value)
        size += its_size
    if chunk:
        yield chunk


def _size(value: str) -> int:
    """Return the number of bytes of a value and its comma in an address."""
    if value.isascii() and value.replace("-", "").isalnum():
        return len(value) + 1  # fast path: a GUID needs no quoting
    return len(quoted(value)) + 1
