"""The typed values: complete, and tolerant of other servers."""

from __future__ import annotations

import pickle
from datetime import UTC
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aioappsapi import App, NotIncludedError
from aioappsapi.models import Deployment, Link, Organization, Page, Relationship, Root, Space
from aioappsapi.models.error import ErrorBody
from tests.replay import app_json, recording

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_floats = st.floats(allow_nan=False, allow_infinity=False)  # JSON has neither
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def resolve(kind: type[Any]) -> st.SearchStrategy[Any]:
    """Make any value that the fields of a model can hold."""
    return st.builds(kind, **{one.name: of_type(one.type) for one in msgspec.structs.fields(kind)})


def of_type(kind: Any) -> st.SearchStrategy[Any]:
    return of_info(msgspec.inspect.type_info(kind))


PLAIN: dict[type[Any], st.SearchStrategy[Any]] = {
    msgspec.inspect.BoolType: st.booleans(),
    msgspec.inspect.CustomType: json_values,
    msgspec.inspect.DateTimeType: st.datetimes(timezones=st.just(UTC)),
    msgspec.inspect.FloatType: _floats,
    msgspec.inspect.IntType: st.integers(-(2**53), 2**53),
    msgspec.inspect.NoneType: st.none(),
    msgspec.inspect.StrType: texts,
}


def of_info(info: Any) -> st.SearchStrategy[Any]:
    """Make any value of a type; a KeyError says that a model holds something new."""
    match info:
        case msgspec.inspect.StructType(cls=cls):
            return st.deferred(lambda: resolve(cls))
        case msgspec.inspect.ListType(item_type=item):
            return st.lists(of_info(item), max_size=2)
        case msgspec.inspect.DictType(value_type=value):
            return st.dictionaries(texts, of_info(value), max_size=2)
        case msgspec.inspect.UnionType(types=types):
            return st.one_of([of_info(one) for one in types])
    return PLAIN[type(info)]


@pytest.mark.parametrize("kind", [App, Space, Organization, Root, ErrorBody, Page[App]], ids=str)
def test_any_value_survives_json(kind: Any) -> None:
    @settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(resolve(kind))
    def survives(value: object) -> None:
        assert msgspec.json.decode(msgspec.json.encode(value), type=kind) == value

    survives()


@given(st.dictionaries(texts.map(lambda name: f"x_{name}"), json_values))
def test_unknown_fields_are_ignored_everywhere(extra: dict[str, Any]) -> None:
    plain = recording("get-app__as-auditor").json
    changed = {
        **plain,
        **extra,
        "lifecycle": {**plain["lifecycle"], **extra},
        "relationships": {**plain["relationships"], **extra},
        "links": {**plain["links"], **extra},
        "metadata": {**plain["metadata"], **extra},
    }
    assert msgspec.convert(changed, App) == msgspec.convert(plain, App)


@pytest.mark.parametrize("kind", [App, Space, Organization])
def test_only_the_guid_is_required(kind: type[Any]) -> None:
    assert msgspec.json.decode(b'{"guid":"g"}', type=kind).guid == "g"
    with pytest.raises(msgspec.ValidationError, match="guid"):
        msgspec.json.decode(b'{"name":"n"}', type=kind)


@pytest.mark.parametrize("name", sorted(app_json("g").keys() - {"guid"}))
def test_any_other_field_may_be_missing(name: str) -> None:
    data = app_json("g")
    del data[name]
    assert msgspec.convert(data, App).guid == "g"


def test_states_of_newer_servers_are_kept() -> None:
    data = app_json("g", state="HIBERNATING", lifecycle={"type": "wasm", "data": {"x": 1}})
    app = msgspec.convert(data, App)
    assert (app.state, app.lifecycle.type) == ("HIBERNATING", "wasm")


# -- shapes that surprise, as recorded


def test_an_app_without_a_droplet_has_an_empty_relation() -> None:
    one = recording("stop-app__never-started-no-droplet")
    assert one.json["relationships"]["current_droplet"] == {"data": {"guid": None}}
    droplet = msgspec.json.decode(one.text, type=App).relationships.current_droplet
    assert droplet is not None
    assert droplet.guid is None


def test_a_space_may_have_no_quota() -> None:
    one = recording("list-apps__include-space")
    page = msgspec.json.decode(one.text, type=Page[App])
    assert one.json["included"]["spaces"][0]["relationships"]["quota"] == {"data": None}
    quota = page.included.spaces[0].relationships.quota
    assert quota is not None
    assert quota.guid is None


def test_a_docker_app_has_an_empty_lifecycle() -> None:
    app = msgspec.json.decode(recording("get-app__docker").text, type=App)
    assert app.lifecycle.type == "docker"
    assert (app.lifecycle.data.buildpacks, app.lifecycle.data.stack) == (None, None)


@pytest.mark.parametrize("said", ["***", {"registry.test": {"username": "u"}}, None])
def test_credentials_of_a_cnb_app_are_read_and_not_shown(said: object) -> None:
    lifecycle = {"type": "cnb", "data": {"credentials": said}}
    app = msgspec.convert(app_json("g", lifecycle=lifecycle), App)
    assert app.lifecycle.data.credentials == said
    assert "registry" not in repr(app)


def test_links_with_another_method_than_get_name_it() -> None:
    links = msgspec.json.decode(recording("get-app__docker").text, type=App).links
    assert links.start is not None
    assert links.start.method == "POST"
    assert links.self is not None
    assert links.self.method is None


@pytest.mark.parametrize("null", [None, {"data": None}, {"data": {"guid": None}}, {"data": {}}])
def test_every_form_of_an_empty_relation_is_none(null: object) -> None:
    relation = msgspec.convert(null, Relationship | None)
    assert (relation.guid if relation is not None else None) is None


# -- what values are


def test_values_cannot_be_changed() -> None:
    app = msgspec.convert(app_json("g"), App)
    with pytest.raises(AttributeError):
        app.state = "STOPPED"  # type: ignore[misc]
    with pytest.raises(TypeError):
        Link("positional")  # type: ignore[call-arg,misc]


@pytest.mark.parametrize("kind", [App, Space, Organization])
def test_defaults_are_not_shared(kind: type[Any]) -> None:
    one = msgspec.json.decode(b'{"guid":"a"}', type=kind)
    one.metadata.labels["x"] = "y"
    assert msgspec.json.decode(b'{"guid":"b"}', type=kind).metadata.labels == {}
    assert kind(guid="c").metadata.labels == {}


def test_values_can_be_pickled() -> None:
    app = msgspec.json.decode(recording("get-app__as-auditor").text, type=App)
    assert pickle.loads(pickle.dumps(app)) == app


def test_a_resource_that_was_not_included_raises_not_included_error() -> None:
    with pytest.raises(NotIncludedError):
        _ = App(guid="g").space
    app = App(guid="g", included_space=Space(guid="s", name="dev"))
    assert app.space.name == "dev"


def test_a_deployment_from_an_old_server_may_have_no_reason() -> None:
    body = b'{"guid": "d", "status": {"value": "FINALIZED", "reason": null}}'

    deployment = msgspec.json.decode(body, type=Deployment)

    assert (deployment.status.value, deployment.status.reason) == ("FINALIZED", None)
