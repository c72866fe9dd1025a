"""The informer: what it asks for, what it makes of each answer, how long it waits. Virtual time."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import msgspec
import pytest

from imooc_operator.client.api import ApiClient, Resource
from imooc_operator.client.config import Token, client_config
from imooc_operator.client.errors import ApiError, Silent, Unreachable, refusal
from imooc_operator.runtime.cache import Cache
from imooc_operator.runtime.informer import Decoder, Informer
from imooc_operator.runtime.objects import ObjectMeta
from support.virtual import now, virtual_time

THINGS = Resource("test.imooc.com", "v1", "things")

Object = dict[str, Any]
Step = Object | list[Object] | ApiError | bytes | float | None
"""Of a watch: a line, lines that come at once, a failure, raw bytes, a pause, or the end."""


class RawThing(msgspec.Struct):
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    status: dict[str, str] | None = None


class Thing(msgspec.Struct, frozen=True):
    namespace: str
    name: str
    uid: str
    revision: int


def view(raw: RawThing) -> Thing | None:
    meta = raw.metadata
    if meta.name.startswith("foreign"):
        return None
    return Thing(meta.namespace, meta.name, meta.uid, meta.revision)


class ScriptedApi(ApiClient):
    """Answers as the test has written down; a watch without a script stays open and silent."""

    def __init__(self) -> None:
        super().__init__(client_config("http://nowhere", token=Token(), origin="test"))
        self.pages: list[Object | ApiError] = []
        self.watches: list[Sequence[Step]] = []
        self.asked: list[tuple[float, str, dict[str, str]]] = []
        self.silences: set[float] = set()

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        self.asked.append((now(), path, dict(query or {})))
        answer = self.pages.pop(0)
        if isinstance(answer, ApiError):
            raise answer
        return json.dumps(answer).encode()

    async def watch(
        self, path: str, query: Mapping[str, str], *, silence: float
    ) -> AsyncGenerator[list[bytes], None]:
        self.asked.append((now(), path, dict(query)))
        self.silences.add(silence)
        yield []
        for step in self.watches.pop(0) if self.watches else []:
            match step:
                case None:
                    return
                case ApiError():
                    raise step
                case float():
                    await asyncio.sleep(step)
                case bytes():
                    yield [step]
                case _:
                    lines = step if isinstance(step, list) else [step]
                    yield [json.dumps(line).encode() for line in lines]
        await asyncio.sleep(1e9)

    def times(self) -> list[float]:
        """Return when each request was made."""
        return [when for when, _, _ in self.asked]

    def lists(self) -> list[dict[str, str]]:
        """Return the queries of the requests for everything."""
        return [q for _, _, q in self.asked if "limit" in q or "sendInitialEvents" in q]


def event(kind: str, revision: int, name: str = "a", uid: str = "u") -> Object:
    meta = {"namespace": "n", "name": name, "uid": uid, "resourceVersion": str(revision)}
    return {"type": kind, "object": {"metadata": meta}}


def bookmark(revision: int, *, ends_list: bool = False) -> Object:
    annotations = {"k8s.io/initial-events-end": "true"} if ends_list else None
    meta = {"resourceVersion": str(revision), "annotations": annotations}
    return {"type": "BOOKMARK", "object": {"metadata": meta}}


def page(revision: int, *names: str, rest: str = "") -> Object:
    items = [event("", revision, name)["object"] for name in names]
    return {"metadata": {"resourceVersion": str(revision), "continue": rest}, "items": items}


def failure(code: int, reason: str) -> ApiError:
    body = {"reason": reason, "message": "a message", "code": code}
    return refusal("GET /things", code, json.dumps(body).encode())


def error_event(code: int, reason: str, **fields: str) -> Object:
    status = {"metadata": {}, "code": code, "reason": reason, "message": "a message", **fields}
    return {"type": "ERROR", "object": status}


LISTED: list[Step] = [event("ADDED", 3, "a"), bookmark(5, ends_list=True)]
"""The beginning of a watch that brings one thing as its list."""


class World:
    """An informer at work, its cache and what its listeners heard."""

    def __init__(self, api: ScriptedApi, scope: str, name: str) -> None:
        self.cache: Cache[Thing] = Cache()
        self.changes: list[tuple[Thing | None, Thing | None]] = []
        self.cache.listen(lambda old, new: self.changes.append((old, new)))
        self.informer = Informer(api, THINGS, scope, Decoder(RawThing, view), self.cache, name)


@asynccontextmanager
async def informing(
    *watches: Sequence[Step],
    pages: list[Object | ApiError] | None = None,
    scope: str = "n",
    **name: str,
) -> AsyncIterator[tuple[ScriptedApi, World]]:
    api = ScriptedApi()
    api.watches, api.pages = list(watches), pages or []
    world = World(api, scope, name.get("name", ""))
    task = asyncio.ensure_future(world.informer.run())
    try:
        yield api, world
        assert not task.done(), "the informer ended by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


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


@virtual_time
async def test_age_is_the_time_since_the_last_sign_of_life() -> None:
    async with informing([*LISTED, 50.0, bookmark(9), 20.0, Unreachable("cut", sent=False)]) as (
        api,
        world,
    ):
        await asyncio.sleep(49)
        assert world.informer.age() == 49
        await asyncio.sleep(11)
        assert world.informer.age() == 10
        api.watches = [[failure(403, "Forbidden")]] * 9
        await asyncio.sleep(10.05)
        assert world.informer.age() == pytest.approx(20.05), "a cut is none"
        await asyncio.sleep(1)
        assert world.informer.age() < 1, "a refusal is one: a restart would not change its mind"


@virtual_time
async def test_each_page_of_a_list_is_a_sign_of_life() -> None:
    class SlowPages(ScriptedApi):
        async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
            await asyncio.sleep(20)
            return await super().get(path, query)

    api = SlowPages()
    api.watches, api.pages = [[bookmark(1)]], [page(5, "a", rest="more"), page(5, "b")]
    world = World(api, "", "")
    task = asyncio.ensure_future(world.informer.run())
    await asyncio.sleep(30)
    assert world.informer.age() == 10
    assert world.informer.title() == "things in all namespaces"
    assert api.asked[0][1] == "/apis/test.imooc.com/v1/things"
    task.cancel()
