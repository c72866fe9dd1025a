"""A watch is followed, and resumed after whatever ends it."""

import asyncio
import logging
from itertools import pairwise

import pytest

from imooc_operator.client.errors import Silent, Unreachable
from support.scripted_api import (
    LISTED,
    Step,
    Thing,
    bookmark,
    error_event,
    event,
    failure,
    informing,
)
from support.virtual import virtual_time


@virtual_time
async def test_events_after_the_list_are_followed() -> None:
    script = [
        *LISTED,
        [event("ADDED", 6, "b"), event("MODIFIED", 7, "a")],
        [event("DELETED", 8, "b"), event("ADDED", 9, "foreign")],
    ]
    async with informing(script) as (_, world):
        await asyncio.sleep(1)
        assert world.cache.keys() == ["n/a"]
        a3, a7, b = Thing("n", "a", "u", 3), Thing("n", "a", "u", 7), Thing("n", "b", "u", 6)
        assert world.changes == [(None, a3), (None, b), (a3, a7), (b, None)]
        assert world.informer.events == 4


@virtual_time
async def test_the_end_of_an_object_is_that_of_its_uid() -> None:
    """Our own create is newer than the end of its predecessor that the watch still has to tell."""
    async with informing([*LISTED, 1.0, event("DELETED", 6, "b", uid="old")]) as (_, world):
        await asyncio.sleep(0.5)
        own = Thing("n", "b", "new", 8)
        world.cache.learn(own, "n")
        await asyncio.sleep(1)
        assert world.cache.get("n/b") == own


@virtual_time
async def test_the_end_of_what_we_deleted_counts_at_the_revision_of_our_delete() -> None:
    async with informing([*LISTED, 1.0, event("DELETED", 8, "a")]) as (_, world):
        await asyncio.sleep(0.5)
        world.cache.learn(Thing("n", "a", "u", 8), "n")
        await asyncio.sleep(1)
        assert len(world.cache) == 0


@virtual_time
async def test_a_watch_that_ends_is_resumed_at_once_from_where_it_was() -> None:
    first: list[Step] = [*LISTED, event("MODIFIED", 6), bookmark(9), 300.0, None]
    async with informing(first) as (api, world):
        await asyncio.sleep(301)
        assert api.times() == [0, 300]
        _, _, query = api.asked[1]
        assert 300 <= int(query.pop("timeoutSeconds")) <= 600
        assert query == {"resourceVersion": "9", "allowWatchBookmarks": "true"}
        assert world.informer.relists == 1


@virtual_time
async def test_a_watch_that_ends_at_once_is_resumed_ever_more_slowly() -> None:
    async with informing([*LISTED, None], *([None],) * 6, [2.0, None]) as (api, _):
        await asyncio.sleep(60)
        gaps = [later - sooner for sooner, later in pairwise(api.times())]
        for gap, least in zip(gaps[:7], (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4), strict=True):
            assert least <= gap <= 1.5 * least
        assert 2.1 <= gaps[7] <= 2.15, "the last one had worked for two seconds: start over"


INTERRUPTIONS = [
    pytest.param(
        error_event(410, "Expired"),
        ("WARNING", "watch things: 410 Expired: a message", True),
        id="expired",
    ),
    pytest.param(
        error_event(410, "Expired", status="Failure"),
        ("WARNING", "watch things: 410 Expired: a message", True),
        id="expired, and the Status breaks the shape of a thing",
    ),
    pytest.param(
        error_event(500, "InternalError"),
        ("WARNING", "watch things: 500 InternalError: a message", False),
        id="an error that needs no list",
    ),
    pytest.param(
        failure(403, "Forbidden"),
        ("WARNING", "GET /things: 403 Forbidden: a message", False),
        id="forbidden",
    ),
    pytest.param(Unreachable("cut", sent=False), ("WARNING", "cut", False), id="cut"),
    pytest.param(Silent("silent", sent=False), ("WARNING", "silent", True), id="silent"),
    pytest.param(event("ADDED", 4), ("WARNING", "event at 4 after 6", True), id="order broken"),
    pytest.param(bookmark(4), ("WARNING", "event at 4 after 6", True), id="bookmark of the past"),
    pytest.param(
        b'{"type":"ADDED","object":{"status":7}}\n',
        ("WARNING", "Expected `object | null`, got `int` - at `$.object.status`", False),
        id="an object that breaks its type",
    ),
    pytest.param(b"{\n", ("WARNING", "Input data was truncated", False), id="no JSON"),
    pytest.param(None, ("DEBUG", "watch ended without an event", False), id="ended"),
]


@pytest.mark.parametrize(("step", "told"), INTERRUPTIONS)
def test_an_interruption_is_told_and_made_up_for(
    step: Step, told: tuple[str, str, bool], caplog: pytest.LogCaptureFixture
) -> None:
    """After a pause the watch goes on, from a new list where events may be missing."""
    level, reason, relist = told

    @virtual_time
    async def check() -> None:
        first = [*LISTED, event("MODIFIED", 6), None]
        again: list[Step] = [event("MODIFIED", 8), bookmark(9, ends_list=True)]
        async with informing(first, [2.0, step], again) as (api, world):
            await asyncio.sleep(60)
            assert api.times()[:2] == [0, 0]
            assert 2.1 <= api.times()[2] <= 2.15
            assert len(api.lists()) == 1 + relist
            assert world.cache.get("n/a") == Thing("n", "a", "u", 8)

    with caplog.at_level(logging.DEBUG, "imooc_operator"):
        check()
    (record,) = [r for r in caplog.records if r.getMessage() == "watch interrupted"]
    assert record.levelname == level
    fields = vars(record)
    assert 0.1 <= fields["delay"] <= 0.15
    assert fields["delay"] == round(fields["delay"], 3)
    assert (fields["resource"], fields["namespace"]) == ("things", "n")
    assert (fields["reason"], fields["relist"]) == (reason, relist)
