"""Lists, page by page: their requests, their links, and the resources."""

from __future__ import annotations

import asyncio
import gc
from collections import defaultdict
from contextlib import aclosing
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from aioappsapi import (
    App,
    ConnectError,
    DeadlineError,
    DecodeError,
    InvalidInputError,
    RetryPolicy,
    ServerError,
)
from aioappsapi.api.apps import Apps
from aioappsapi.api.feature_flags import FeatureFlags
from aioappsapi.api.organizations import Organizations
from aioappsapi.api.spaces import Spaces
from tests.replay import (
    BASE,
    Answer,
    Seen,
    Server,
    Wire,
    app_json,
    refusal,
    reply,
)


def page(*guids: str, next_href: str | None = None, **more: object) -> Answer:
    """Make a page of apps, with a link to the next one."""
    link = None if next_href is None else {"href": next_href}
    return reply(
        {"pagination": {"next": link}, "resources": [app_json(guid) for guid in guids], **more}
    )


class Pages:
    """Answers by target; each request waits until `release` lets it, if it is held back."""

    def __init__(self, table: dict[str, Answer]) -> None:
        self.table = table
        self.held: dict[str, asyncio.Event] = {}
        self.asked: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self.wire = Wire(self)
        self.apps = Apps(self.wire.caller())

    async def __call__(self, seen: Seen) -> Answer:
        self.asked[seen.target].set()
        if seen.target in self.held:
            await self.held[seen.target].wait()
        return self.table[seen.target]

    @property
    def targets(self) -> list[str]:
        return [seen.target for seen in self.wire.seen]


def three_pages(host: str = BASE) -> Pages:
    return Pages(
        {
            "/v3/apps": page("a", "b", next_href=f"{host}/v3/apps?page=2"),
            "/v3/apps?page=2": page("c", next_href=f"{host}/v3/apps?page=3"),
            "/v3/apps?page=3": page("d"),
        }
    )


def guids_of(apps: list[App]) -> list[str]:
    return [app.guid for app in apps]


def query_of(target: str) -> dict[str, list[str]]:
    return parse_qs(urlsplit(target).query)


# -- following


async def test_every_page_is_followed_in_order() -> None:
    pages = three_pages()
    assert [app.guid async for app in pages.apps.list()] == ["a", "b", "c", "d"]
    assert pages.targets == ["/v3/apps", "/v3/apps?page=2", "/v3/apps?page=3"]


async def test_all_and_pages_yield_the_same_resources() -> None:
    pages = three_pages()
    assert guids_of(await pages.apps.list().all()) == ["a", "b", "c", "d"]
    assert [len(one.resources) async for one in pages.apps.list().pages()] == [2, 1, 1]


async def test_each_iteration_sends_new_requests() -> None:
    pages = three_pages()
    pager = pages.apps.list()
    assert await pager.all() == await pager.all()
    assert len(pages.targets) == 6


async def test_an_empty_list_has_no_resources() -> None:
    pages = Pages({"/v3/apps": page(), "/v3/apps?per_page=1": page()})
    assert await pages.apps.list().all() == []
    assert await pages.apps.list().first() is None


async def test_first_requests_a_page_of_one() -> None:
    pages = Pages({"/v3/apps?per_page=1&names=x": page("a", next_href=f"{BASE}/v3/apps?page=2")})
    pages.table["/v3/apps?names=x&per_page=1"] = pages.table["/v3/apps?per_page=1&names=x"]
    first = await pages.apps.list(names=["x"], per_page=50).first()
    assert first is not None
    assert first.guid == "a"
    assert len(pages.targets) == 1


async def test_first_goes_on_if_the_first_part_of_a_long_list_is_empty() -> None:
    async def answering(seen: Seen) -> Answer:
        return page("x300") if "x300" in seen.target else page()

    wire = Wire(answering)
    first = await Apps(wire.caller()).list(guids=[f"x{n}" for n in range(301)]).first()
    assert first is not None
    assert first.guid == "x300"
    assert len(wire.seen) == 2


# -- where the token goes

FOREIGN = [
    "https://evil.test/v3/apps?page=2",
    "http://cc.test.evil.test/v3/apps?page=2",
    "//evil.test/v3/apps?page=2",
    "http://user:password@evil.test:8443/v3/apps?page=2",
    "/v3/apps?page=2",
]


@pytest.mark.parametrize("href", FOREIGN)
async def test_links_to_other_hosts_are_followed_on_our_host(href: str) -> None:
    pages = Pages({"/v3/apps": page("a", next_href=href), "/v3/apps?page=2": page("b")})
    assert guids_of(await pages.apps.list().all()) == ["a", "b"]
    assert pages.wire.urls == [f"{BASE}/v3/apps", f"{BASE}/v3/apps?page=2"]


@pytest.mark.parametrize(
    "href", ["@evil.test/v3/apps", ".evil.test/v3/apps", ":99/v3/apps", "v3/apps?page=2", "x:y"]
)
async def test_no_link_can_change_the_host(href: str) -> None:
    async def answering(seen: Seen) -> Answer:
        return page("a", next_href=href) if seen.target == "/v3/apps" else page("b")

    wire = Wire(answering)
    await Apps(wire.caller()).list().all()
    assert len(wire.urls) == 2
    assert {urlsplit(url).netloc for url in wire.urls} == {"cc.test"}


async def test_links_keep_the_path_of_the_address() -> None:
    base = "http://gateway.test/cf"
    table = {
        f"{base}/v3/apps": page("a", next_href=f"{base}/v3/apps?page=2"),
        f"{base}/v3/apps?page=2": page("b", next_href="/v3/apps?page=3"),
        f"{base}/v3/apps?page=3": page("c"),
    }

    async def answering(seen: Seen) -> Answer:
        return table[seen.target]

    apps = Apps(Wire(answering).caller(base=base))
    assert guids_of(await apps.list().all()) == ["a", "b", "c"]


async def test_no_request_reaches_another_host_over_a_real_socket() -> None:
    async def greedy(seen: Seen) -> Answer:
        return page("stolen")

    async with Server(greedy) as elsewhere:

        async def answering(seen: Seen) -> Answer:
            if "page=2" in seen.target:
                return page("b")
            return page("a", next_href=f"{elsewhere.url}/v3/apps?page=2")

        async with Server(answering) as server, server.client() as client:
            assert guids_of(await client.apps.list().all()) == ["a", "b"]
        assert elsewhere.seen == []
        assert [seen.target for seen in server.seen] == ["/v3/apps", "/v3/apps?page=2"]


# -- links that lead nowhere


def endless(**pagination: object) -> tuple[Wire, Apps]:
    """A server with a new next page after each page."""

    async def answering(seen: Seen) -> Answer:
        number = int(query_of(seen.target).get("page", ["1"])[0])
        link = {"href": f"{BASE}/v3/apps?page={number + 1}"}
        body = {
            "pagination": {"next": link, **pagination},
            "resources": [app_json(f"app-{number}")],
        }
        return reply(body)

    wire = Wire(answering)
    return wire, Apps(wire.caller())


async def test_a_link_beyond_the_last_page_is_an_error() -> None:
    wire, apps = endless(total_pages=3)
    async with aclosing(apps.list().__aiter__()) as several:
        assert [(await anext(several)).guid for _ in range(2)] == ["app-1", "app-2"]
        with pytest.raises(DecodeError, match="follows page 3, which is the last one"):
            await anext(several)
    assert len(wire.seen) == 3


async def test_pages_without_a_count_have_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aioappsapi.api.pager._MOST_PAGES", 20)
    wire, apps = endless()
    with pytest.raises(DecodeError, match="follows page 20"):
        await apps.list().all()
    assert len(wire.seen) == 20


async def test_an_empty_page_is_the_last_one_whatever_it_announces() -> None:
    async def answering(seen: Seen) -> Answer:
        link = {"href": f"{BASE}/v3/apps?page=2"}
        return reply({"pagination": {"next": link, "total_pages": 10_000_000}, "resources": []})

    wire = Wire(answering)
    with pytest.raises(DecodeError, match="link to the next page follows an empty page"):
        await Apps(wire.caller()).list().all()
    assert len(wire.seen) == 1


async def test_a_list_that_grows_while_it_is_read_is_read_to_its_end() -> None:
    async def answering(seen: Seen) -> Answer:
        number = int(query_of(seen.target).get("page", ["1"])[0])
        link = {"href": f"{BASE}/v3/apps?page={number + 1}"} if number < 5 else None
        pagination = {"next": link, "total_pages": max(2, min(number + 1, 5))}
        return reply({"pagination": pagination, "resources": [app_json(f"app-{number}")]})

    assert len(await Apps(Wire(answering).caller()).list().all()) == 5


@pytest.mark.parametrize(
    "href",
    [
        "/v3/apps?page=2\x00",
        "/v3/a pps?page=2",
        "/v3/apps?page=2&names=a b",
        "/v3/\u00e4pps?page=2",
        "http://[cc.test/v3/apps?page=2",
        "/v3/apps",
    ],
)
async def test_a_link_that_cannot_be_followed_is_an_error(href: str) -> None:
    pages = Pages({"/v3/apps": page("a", next_href=href)})
    with pytest.raises(DecodeError, match="list apps: the server's link to the next page leads"):
        await pages.apps.list().all()
    assert pages.targets == ["/v3/apps"]


# -- deadlines


async def test_all_and_first_take_a_deadline() -> None:
    pages = three_pages()
    pages.held["/v3/apps?page=2"] = pages.held["/v3/apps?per_page=1"] = asyncio.Event()
    with pytest.raises(DeadlineError, match="list apps"):
        await pages.apps.list().all(deadline=0.01)
    with pytest.raises(DeadlineError, match="list apps"):
        await pages.apps.list().first(deadline=0.01)
    assert guids_of(await pages.apps.list(names=[]).all(deadline=5)) == []


# -- lists of what has no GUID


async def test_lists_of_flags_and_features_are_pagers_too() -> None:
    async def answering(seen: Seen) -> Answer:
        more = seen.target == "/v3/feature_flags?per_page=1"
        link = {"href": "/v3/feature_flags?page=2&per_page=1"} if more else None
        flag = {"name": f"flag of {seen.target}", "enabled": True}
        return reply({"pagination": {"next": link, "total_pages": 2}, "resources": [flag]})

    caller = Wire(answering).caller()
    flags = await FeatureFlags(caller).list(per_page=1).all()
    assert [flag.name for flag in flags] == [
        "flag of /v3/feature_flags?per_page=1",
        "flag of /v3/feature_flags?page=2&per_page=1",
    ]
    async for feature in Apps(caller).list_features("app-1"):
        assert feature.name == "flag of /v3/apps/app-1/features"


# -- fetching ahead


async def test_the_next_page_is_fetched_while_this_one_is_read() -> None:
    pages = three_pages()
    async with aclosing(pages.apps.list().pages()) as several:
        first = await anext(several)
        assert guids_of(first.resources) == ["a", "b"]
        await pages.asked["/v3/apps?page=2"].wait()
        assert "/v3/apps?page=3" not in pages.targets, "only one page ahead"


async def test_a_reader_that_leaves_early_leaves_no_task_behind() -> None:
    pages = three_pages()
    pages.held["/v3/apps?page=2"] = asyncio.Event()  # never set
    before = asyncio.all_tasks()
    async with aclosing(pages.apps.list().__aiter__()) as apps:
        async for app in apps:
            assert app.guid == "a"
            await pages.asked["/v3/apps?page=2"].wait()
            break
    assert asyncio.all_tasks() == before


async def test_a_page_that_fails_unread_causes_no_warning() -> None:
    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, what: complaints.append(what))
    pages = three_pages()
    pages.table["/v3/apps?page=2"] = refusal(500, "UnknownError")
    async with aclosing(pages.apps.list().pages()) as several:
        await anext(several)
        await pages.asked["/v3/apps?page=2"].wait()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    gc.collect()
    assert complaints == []


async def test_a_cancelled_reader_cancels_the_request() -> None:
    pages = three_pages()
    pages.held["/v3/apps"] = asyncio.Event()  # never set
    before = asyncio.all_tasks()
    reader = asyncio.create_task(pages.apps.list().all())
    await pages.asked["/v3/apps"].wait()
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert asyncio.all_tasks() == before


async def test_the_error_of_the_second_page_comes_after_the_first_page() -> None:
    pages = three_pages()
    pages.table["/v3/apps?page=2"] = refusal(500, "UnknownError")
    async with aclosing(pages.apps.list().__aiter__()) as apps:
        assert [(await anext(apps)).guid for _ in range(2)] == ["a", "b"]
        with pytest.raises(ServerError, match="list apps: 500 UnknownError"):
            await anext(apps)


async def test_the_second_page_is_retried_like_the_first() -> None:
    failures = [ConnectError("no"), refusal(503, "CF-ServiceUnavailable")]
    pages = three_pages()

    async def answering(seen: Seen) -> Answer:
        if "page=2" in seen.target and failures:
            failure = failures.pop()
            if isinstance(failure, Answer):
                return failure
            raise failure
        return await pages(seen)

    apps = Apps(Wire(answering).caller(retry=RetryPolicy(base=0.0)))
    assert guids_of(await apps.list().all()) == ["a", "b", "c", "d"]
    assert failures == []


# -- long lists


async def test_a_long_list_is_split_and_merged_without_duplicates() -> None:
    wanted = [f"{n:08d}-0000-4000-8000-000000000000" for n in range(450)]

    async def answering(seen: Seen) -> Answer:
        # The server gives one app that every part has, as an app that moved would be.
        return page("everywhere", *query_of(seen.target)["guids"][0].split(","))

    wire = Wire(answering)
    got = await Apps(wire.caller()).list(guids=[*wanted, *wanted[:7]]).all()
    assert guids_of(got) == ["everywhere", *wanted]
    sizes = [len(query_of(seen.target)["guids"][0].split(",")) for seen in wire.seen]
    assert sizes == [200, 200, 50]
    assert all("," in seen.target for seen in wire.seen), "commas are not spelt out"


async def test_two_long_lists_are_split_into_short_addresses() -> None:
    async def answering(seen: Seen) -> Answer:
        return page()

    wire = Wire(answering)
    apps = Apps(wire.caller())
    await apps.list(
        guids=[f"{n:036d}" for n in range(200)], names=[f"näme of {n}" for n in range(400)]
    ).all()
    assert max(len(seen.target) for seen in wire.seen) < 8_192
    assert {
        name for seen in wire.seen for name in query_of(seen.target)["names"][0].split(",")
    } == {f"näme of {n}" for n in range(400)}


async def test_a_short_list_beside_a_long_list_takes_no_extra_request() -> None:
    async def answering(seen: Seen) -> Answer:
        return page()

    wire = Wire(answering)
    guids = [f"{n:036d}" for n in range(400)]
    await Apps(wire.caller()).list(guids=guids, space_guids=["s" * 36]).all()
    assert len(wire.seen) == 2


@pytest.mark.parametrize("name", ["guids", "names", "space_guids", "organization_guids"])
async def test_an_empty_filter_makes_no_request(name: str) -> None:
    pages = Pages({})
    pager = pages.apps.list(**{name: []})
    assert await pager.all() == []
    assert await pager.first() is None
    assert pages.targets == []


# -- what is refused before anything is sent

BAD: list[dict[str, Any]] = [
    {"per_page": 0},
    {"per_page": -1},
    {"per_page": 5001},
    {"per_page": True},
    {"guids": "one-guid"},
    {"names": "name"},
    {"stacks": "cflinuxfs4"},
    {"include": "space"},
    {"names": ["a,b"]},
    {"guids": ["a", ""]},
    {"guids": [None]},
]


@pytest.mark.parametrize("bad", BAD, ids=repr)
async def test_bad_parameters_are_refused_at_once(bad: dict[str, Any]) -> None:
    pages = Pages({})
    with pytest.raises(InvalidInputError) as caught:
        pages.apps.list(**bad)
    assert next(iter(bad)) in str(caught.value)
    assert pages.targets == []


@pytest.mark.parametrize("size", [1, 5000])
async def test_page_sizes_of_1_and_5000_are_valid(size: int) -> None:
    pages = Pages({f"/v3/apps?per_page={size}": page("a")})
    assert len(await pages.apps.list(per_page=size).all()) == 1


async def test_all_parameters_are_sent() -> None:
    async def answering(seen: Seen) -> Answer:
        return page()

    wire = Wire(answering)
    await (
        Apps(wire.caller())
        .list(
            guids=["g"],
            names=["n m", "ö"],
            space_guids=["s"],
            organization_guids=["o"],
            stacks=["cflinuxfs4", "cflinuxfs5"],
            lifecycle_type="docker",
            label_selector="env in (prod,dev),!old",
            order_by="-name",
            include=["space", "space.organization"],
            per_page=7,
        )
        .all()
    )
    assert query_of(wire.seen[0].target) == {
        "guids": ["g"],
        "names": ["n m,ö"],
        "space_guids": ["s"],
        "organization_guids": ["o"],
        "stacks": ["cflinuxfs4,cflinuxfs5"],
        "lifecycle_type": ["docker"],
        "label_selector": ["env in (prod,dev),!old"],
        "order_by": ["-name"],
        "include": ["space,space.organization"],
        "per_page": ["7"],
    }
    assert wire.seen[0].target.isascii()


# -- the other lists


async def test_spaces_and_organizations_are_listed_and_fetched() -> None:
    async def answering(seen: Seen) -> Answer:
        one = {"guid": "x", "name": f"at {seen.path}"}
        if seen.path.count("/") == 3:
            return reply(one)
        return reply({"pagination": {"next": None}, "resources": [one]})

    wire = Wire(answering)
    caller = wire.caller()
    spaces, organizations = Spaces(caller), Organizations(caller)
    (space,) = await spaces.list(names=["n"], organization_guids=["o"], per_page=3).all()
    (organization,) = await organizations.list(guids=["g"], names=["n"]).all()
    assert (space.name, organization.name) == ("at /v3/spaces", "at /v3/organizations")
    assert (await spaces.get("s")).name == "at /v3/spaces/s"
    assert (await organizations.get("o")).name == "at /v3/organizations/o"
    assert query_of(wire.seen[0].target) == {
        "names": ["n"],
        "organization_guids": ["o"],
        "per_page": ["3"],
    }
    with pytest.raises(InvalidInputError):
        spaces.list(names="dev")
