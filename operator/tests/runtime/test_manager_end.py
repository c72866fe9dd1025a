"""A manager ends soon and in order, or with the defect that ended a part of it."""

import asyncio
import logging

import pytest

from support.homes import Raw, Thing, World, running
from support.virtual import now, virtual_time


@virtual_time
async def test_a_stop_lets_the_pass_in_flight_finish_and_begins_none() -> None:
    world = World(workers=1)
    world.make("homes", "red")
    world.make("homes", "blue")
    world.kind.takes = 0.7
    async with running(world) as task:
        await asyncio.sleep(0.1)
        world.stop.set()
        await task
        assert len(world.kind.passes) == len(world.kind.ended) == 1
        assert now() == pytest.approx(0.7, abs=0.1)


def test_a_stop_waits_less_than_a_second(caplog: pytest.LogCaptureFixture) -> None:
    @virtual_time
    async def check() -> None:
        world = World()
        world.make("homes", "red")
        world.kind.takes = 1000
        async with running(world) as task:
            await asyncio.sleep(10)
            world.stop.set()
            await task
            assert 10.5 < now() < 11
            assert world.kind.ended == []
            assert len(asyncio.all_tasks()) == 1, "nothing is left running"

    with caplog.at_level(logging.INFO, "imooc_operator"):
        check()
    assert "stopping" in [r.getMessage() for r in caplog.records]


@virtual_time
async def test_what_should_never_end_ends_the_manager_when_it_does() -> None:
    world = World()

    def broken(raw: Raw) -> Thing:
        raise ZeroDivisionError("a defect in a view")

    world.kind.watches[0].decoder.view = broken
    world.make("homes", "red")
    async with running(world) as task:
        with pytest.raises(ZeroDivisionError, match="a defect in a view"):
            await task
        assert now() < 1
