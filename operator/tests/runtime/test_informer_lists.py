"""A list is whole and of one moment before it counts, whichever way it comes."""

import asyncio
import logging

import pytest

from imooc_operator.client.errors import ApiError, Silent
from support.scripted_api import (
    LISTED,
    Object,
    Step,
    Thing,
    bookmark,
    error_event,
    event,
    failure,
    informing,
    page,
)
from support.virtual import virtual_time


@virtual_time
async def test_the_list_comes_in_the_watch_and_counts_when_it_is_whole() -> None:
    script: list[Step] = [
        [event("ADDED", 3, "a"), event("ADDED", 4, "b"), event("ADDED", 2, "foreign")],
        [event("DELETED", 5, "b"), event("MODIFIED", 6, "a")],
        1.0,
        bookmark(7, ends_list=True),
    ]
    async with informing(script) as (api, world):
        await asyncio.sleep(0.5)
        assert not world.informer.is_synced()
        assert len(world.cache) == 0
        await asyncio.sleep(1)
        assert world.informer.is_synced()
        assert world.cache.keys() == ["n/a"]
        assert world.changes == [(None, Thing("n", "a", "u", 6))]
        assert world.cache.revision("n") == 7
        assert (world.informer.relists, world.informer.events) == (1, 0)
        ((_, path, query),) = api.asked
        assert path == "/apis/test.imooc.com/v1/namespaces/n/things"
        assert 300 <= int(query.pop("timeoutSeconds")) <= 600
        assert query == {
            "sendInitialEvents": "true",
            "resourceVersionMatch": "NotOlderThan",
            "allowWatchBookmarks": "true",
        }
        assert api.silences == {90.0}


@pytest.mark.parametrize(
    "hint",
    [
        pytest.param([failure(400, "BadRequest")], id="the option is refused"),
        pytest.param([failure(422, "Invalid")], id="the option is forbidden"),
        pytest.param([Silent("nothing for 90 s", sent=False)], id="nothing comes"),
        pytest.param([bookmark(4)], id="the option is unknown"),
    ],
)
def test_where_lists_in_watches_are_not_served_they_come_in_pages(
    hint: list[Step], caplog: pytest.LogCaptureFixture
) -> None:
    @virtual_time
    async def check() -> None:
        pages: list[Object | ApiError] = [page(5, "a", "foreign", rest="more"), page(5, "b")]
        gone: list[Step] = [1.0, error_event(410, "Expired")]
        async with informing(hint, gone, pages=[*pages, page(9, "c")]) as (api, world):
            await asyncio.sleep(0.5)
            assert sorted(world.cache.keys()) == ["n/a", "n/b"]
            assert world.informer.is_synced()
            _, first, second, watch = api.asked
            assert first == (0, "/apis/test.imooc.com/v1/namespaces/n/things", {"limit": "500"})
            assert second == (0, first[1], {"limit": "500", "continue": "more"})
            assert watch[2]["resourceVersion"] == "5"
            await asyncio.sleep(2)
            assert world.cache.keys() == ["n/c"]
            assert world.informer.relists == 2
            assert sum("sendInitialEvents" in query for query in api.lists()) == 1, "asked once"

    with caplog.at_level(logging.INFO):
        check()
    told = caplog.records[0]
    assert (told.levelname, told.getMessage()) == ("INFO", "listing in pages")
    assert vars(told)["of"] == "things in n"
    assert vars(told)["reason"] in (
        "GET /things: 400 BadRequest: a message",
        "GET /things: 422 Invalid: a message",
        "nothing for 90 s",
        "the API server does not know of lists in watches",
    )


@virtual_time
async def test_a_refusal_of_a_watch_that_goes_on_is_not_about_lists() -> None:
    async with informing([*LISTED, None], [failure(400, "BadRequest")], []) as (api, _):
        await asyncio.sleep(5)
        assert len(api.lists()) == 1
        assert len(api.asked) == 3


@virtual_time
async def test_a_name_narrows_lists_and_watches_to_one_object() -> None:
    selector = {"fieldSelector": "metadata.name=a"}
    script: list[Step] = [failure(422, "Invalid")]
    async with informing(script, pages=[page(5, "a")], name="a") as (api, _):
        await asyncio.sleep(1)
        assert len(api.asked) == 3
        assert all(selector.items() <= query.items() for _, _, query in api.asked)


@virtual_time
async def test_a_list_whose_end_overtakes_its_objects_is_asked_for_in_pages() -> None:
    script: list[Step] = [bookmark(5, ends_list=True), event("ADDED", 4)]
    async with informing(script, pages=[page(5, "a")]) as (api, world):
        await asyncio.sleep(1)
        assert world.cache.keys() == ["n/a"]
        assert api.times()[:3] == [0, 0, 0], "at once, and not once more in a watch"


@virtual_time
async def test_a_list_older_than_what_was_seen_is_believed_the_third_time_in_a_row() -> None:
    past: list[Step] = [event("ADDED", 2, "b"), bookmark(2, ends_list=True)]
    silent = Silent("silent", sent=False)
    first: list[Step] = [*LISTED, silent]
    newer: list[Step] = [bookmark(7, ends_list=True), 20.0, silent]
    async with informing(first, past, past, newer, past, past, past) as (api, world):
        await asyncio.sleep(10)
        assert world.cache.revision("n") == 7, "two are not believed"
        await asyncio.sleep(60)
        assert world.cache.revision("n") == 2
        assert world.cache.keys() == ["n/b"]
        assert len(api.lists()) == world.informer.relists == 7
