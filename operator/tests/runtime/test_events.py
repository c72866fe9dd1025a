"""Events: sent in the background, counted when they repeat, never in the way."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from imooc_operator.runtime.events import REMEMBERED, WAITING, Event, Recorder, Reference
from support.memory_api import MemoryApi
from support.store import Object, Store
from support.virtual import virtual_time

ABOUT = Reference("k8s.imooc.com/v1alpha1", "ImoocPod", "default", "web", "uid-1")


def event(note: str = "quota", reason: str = "QuotaExceeded") -> Event:
    return Event(ABOUT, "Warning", reason, "Reconcile", note)


def stored(store: Store) -> list[Object]:
    return store.all("events", "default")


@asynccontextmanager
async def recording() -> AsyncIterator[tuple[Recorder, MemoryApi]]:
    api = MemoryApi(Store())
    recorder = Recorder(api, "k8s.imooc.com/test", "host_1")
    task = asyncio.ensure_future(recorder.run())
    try:
        yield recorder, api
        assert not task.done(), "the recorder ended by itself"
    finally:
        task.cancel()


@virtual_time
async def test_an_event_has_all_that_the_api_requires() -> None:
    async with recording() as (recorder, api):
        recorder.emit(event("q" * 2000))
        await asyncio.sleep(1)
        (found,) = stored(api.store)
        assert found["regarding"]["uid"] == "uid-1"
        assert found["metadata"]["name"].startswith("web.")
        assert (found["type"], found["reason"], found["action"]) == (
            "Warning",
            "QuotaExceeded",
            "Reconcile",
        )
        assert found["reportingController"] == "k8s.imooc.com/test"
        assert found["reportingInstance"] == "host_1"
        assert found["eventTime"].endswith("Z")
        assert found["note"] == "q" * 1024


@virtual_time
async def test_a_repetition_becomes_a_count() -> None:
    async with recording() as (recorder, api):
        for _ in range(3):
            recorder.emit(event())
        recorder.emit(event("another"))
        await asyncio.sleep(1)
        first, second = sorted(stored(api.store), key=lambda found: found["note"])
        assert "series" not in first
        assert second["series"]["count"] == 3


@virtual_time
async def test_an_event_the_api_server_forgot_is_told_anew() -> None:
    async with recording() as (recorder, api):
        recorder.emit(event())
        await asyncio.sleep(1)
        (old,) = stored(api.store)
        api.store.delete("events", "default", old["metadata"]["name"], {})
        recorder.emit(event())
        await asyncio.sleep(1)
        (new,) = stored(api.store)
        assert "series" not in new


@virtual_time
async def test_an_unreachable_api_server_costs_events_and_nothing_else() -> None:
    async with recording() as (recorder, api):
        api.cut = True
        for number in range(WAITING * 2):
            recorder.emit(event(str(number)))
        await asyncio.sleep(1)
        api.cut = False
        recorder.emit(event())
        await asyncio.sleep(1)
        assert [found["note"] for found in stored(api.store)] == ["quota"]


@virtual_time
async def test_memory_is_bounded() -> None:
    async with recording() as (recorder, api):
        for number in range(REMEMBERED + 1):
            recorder.emit(event(str(number)))
            await asyncio.sleep(0.001)
        recorder.emit(event("0"))
        await asyncio.sleep(1)
        assert sum(found["note"] == "0" for found in stored(api.store)) == 2
