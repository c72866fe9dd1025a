"""What a manager lets run, and when."""

import asyncio
import logging

import pytest

from imooc_operator.runtime.events import Event, Reference
from support.homes import World, running
from support.virtual import virtual_time


@virtual_time
async def test_a_change_concerns_the_key_of_each_object_it_touches() -> None:
    world = World()
    world.make("homes", "red")
    world.make("cats", "tom", home="red")
    async with running(world):
        await asyncio.sleep(1)
        assert world.kind.keys() == ["n/red"], "once, though two objects speak for it"
        world.move("tom", "blue")
        await asyncio.sleep(1)
        assert world.kind.keys() == ["n/blue", "n/red"], "the one it left, too"
        world.store.delete("cats", "n", "tom", {})
        await asyncio.sleep(1)
        assert world.kind.keys() == ["n/blue"]


@virtual_time
async def test_only_the_scopes_are_followed() -> None:
    world = World("n", "m")
    for namespace in ("n", "m", "o"):
        world.make("homes", "red", namespace)
    async with running(world):
        await asyncio.sleep(1)
        assert world.kind.keys() == ["m/red", "n/red"]


@virtual_time
async def test_as_many_passes_at_a_time_as_there_are_workers() -> None:
    world = World(workers=3)
    for number in range(5):
        world.make("homes", str(number))
    world.kind.takes = 10
    async with running(world):
        await asyncio.sleep(5)
        assert len(world.kind.passes) == 3


@pytest.mark.parametrize("held", ["homes", "cats"])
def test_nothing_is_reconciled_before_every_cache_is_filled(
    held: str, caplog: pytest.LogCaptureFixture
) -> None:
    @virtual_time
    async def check() -> None:
        world = World()
        world.api.held, world.api.pace = held, 0.5
        world.make("homes", "red")
        world.make("cats", "tom", home="red")
        async with running(world):
            await asyncio.sleep(30)
            assert world.kind.keys() == []
            assert world.health.ready() == [f"{held} in n: not synced"]
            assert told() == []
            world.api.held = ""
            await asyncio.sleep(60)
            assert world.kind.keys() == ["n/red"]
            assert world.health.ready() == []

    def told() -> list[logging.LogRecord]:
        return [r for r in caplog.records if r.getMessage() == "synced"]

    with caplog.at_level(logging.INFO, "imooc_operator"):
        check()
    (record,) = told()
    assert vars(record)["objects"] == 2


@virtual_time
async def test_every_home_is_looked_at_again_about_every_ten_minutes() -> None:
    world = World()
    world.make("homes", "red")
    world.make("cats", "tom", home="blue")
    world.api.pace = 5
    async with running(world):
        await asyncio.sleep(500)
        world.kind.keys()
        await asyncio.sleep(230)
        assert world.kind.keys() == ["n/red"]


@virtual_time
async def test_events_are_sent_meanwhile() -> None:
    world = World()
    async with running(world):
        world.recorder.emit(Event(Reference("v1", "Home", "n", "red", "u"), "Normal", "R", "A", ""))
        await asyncio.sleep(1)
        assert len(world.store.all("events", "n")) == 1
