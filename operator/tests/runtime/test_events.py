"""Events: sent in the background, counted when they repeat, never in the way."""

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from imooc_operator.runtime.events import REMEMBERED, WAITING, Event, Recorder, Reference
from support.memory_api import MemoryApi
from support.store import Object, Refusal, Store
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


TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
"""metav1.MicroTime."""


@pytest.mark.usefixtures("two_hours_east")
@virtual_time
async def test_an_event_has_all_that_the_api_requires() -> None:
    async with recording() as (recorder, api):
        recorder.emit(event("q" * 2000))
        await asyncio.sleep(1)
        (found,) = stored(api.store)
        meta, happened = found.pop("metadata"), found.pop("eventTime")
        assert re.fullmatch("web\\.[0-9a-f]{10,20}", meta["name"])
        assert meta["namespace"] == "default"
        assert TIME.fullmatch(happened)
        assert abs(datetime.fromisoformat(happened) - datetime.now(UTC)) < timedelta(minutes=5)
        assert found == {
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "reportingController": "k8s.imooc.com/test",
            "reportingInstance": "host_1",
            "regarding": {
                "apiVersion": "k8s.imooc.com/v1alpha1",
                "kind": "ImoocPod",
                "namespace": "default",
                "name": "web",
                "uid": "uid-1",
            },
            "type": "Warning",
            "reason": "QuotaExceeded",
            "action": "Reconcile",
            "note": "q" * 1024,
        }


@virtual_time
async def test_a_note_is_cut_between_two_characters() -> None:
    async with recording() as (recorder, api):
        recorder.emit(event("é" + "x" * 1021 + "é"))
        await asyncio.sleep(1)
        (found,) = stored(api.store)
        assert found["note"] == "é" + "x" * 1021


@virtual_time
async def test_the_name_of_an_event_on_a_long_name_is_still_a_name() -> None:
    async with recording() as (recorder, api):
        about = msgspec.structs.replace(ABOUT, name="n" * 253)
        recorder.emit(Event(about, "Normal", "R", "A", ""))
        await asyncio.sleep(1)
        (found,) = stored(api.store)
        assert found["metadata"]["name"].startswith("n" * 200 + ".")
        assert len(found["metadata"]["name"]) <= 253


@virtual_time
async def test_a_repetition_becomes_a_count() -> None:
    async with recording() as (recorder, api):
        for _ in range(3):
            recorder.emit(event())
        recorder.emit(event("another"))
        await asyncio.sleep(1)
        first, second = sorted(stored(api.store), key=lambda found: found["note"])
        assert "series" not in first
        assert set(second["series"]) == {"count", "lastObservedTime"}
        assert second["series"]["count"] == 3
        assert TIME.fullmatch(second["series"]["lastObservedTime"])


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
        recorder.emit(event())
        await asyncio.sleep(1)
        (new,) = stored(api.store)
        assert new["series"]["count"] == 2


@virtual_time
async def test_a_count_that_fails_makes_no_second_event() -> None:
    async with recording() as (recorder, api):
        recorder.emit(event())
        await asyncio.sleep(1)
        api.cut = True
        recorder.emit(event())
        await asyncio.sleep(1)
        api.cut = False
        recorder.emit(event())
        await asyncio.sleep(1)
        (found,) = stored(api.store)
        assert found["series"]["count"] == 3, "what could not be sent has happened all the same"


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


@pytest.mark.parametrize(
    ("cut", "level", "reason"),
    [
        pytest.param(True, "WARNING", "cut", id="unreachable"),
        pytest.param(
            False,
            "DEBUG",
            "POST /apis/events.k8s.io/v1/namespaces/default/events: 403 ",
            id="refused",
        ),
    ],
)
def test_what_could_not_be_sent_is_told(
    cut: bool, level: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal only to those who look for it: the namespace may be on its way out, and so on."""

    class Refusing(Store):
        def create(self, plural: str, namespace: str, body: Object) -> Object:
            raise Refusal(403, "Forbidden", "no")

    @virtual_time
    async def check() -> None:
        async with recording() as (recorder, api):
            api.cut, api.store = cut, Refusing()
            recorder.emit(event())
            await asyncio.sleep(1)

    with caplog.at_level(logging.DEBUG, "imooc_operator"):
        check()
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == (level, "event not sent")
    assert vars(record)["reason"].startswith(reason)


def test_what_is_dropped_is_told_to_those_who_look_for_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    @virtual_time
    async def check() -> None:
        async with recording() as (recorder, _):
            for number in range(WAITING + 1):
                recorder.emit(event(str(number)))

    with caplog.at_level(logging.DEBUG, "imooc_operator"):
        check()
    (record,) = caplog.records
    assert (record.levelname, record.getMessage()) == ("DEBUG", "event dropped")
    assert vars(record)["reason"] == "QuotaExceeded"


@virtual_time
async def test_memory_is_bounded_and_keeps_what_was_seen_last() -> None:
    async with recording() as (recorder, api):

        async def emit(note: str) -> None:
            recorder.emit(event(note))
            await asyncio.sleep(0.001)

        for number in range(REMEMBERED):
            await emit(str(number))
        for note in ("0", "new", "0", "1"):
            await emit(note)
        notes = [found["note"] for found in stored(api.store)]
        assert notes.count("0") == 1, "seen again before the new one came"
        assert notes.count("1") == 2, "the one that gave way to the new one"
