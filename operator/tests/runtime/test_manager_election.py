"""Of several managers the leader works, and the others can take over or stop at any time."""

import asyncio

import pytest

from support.homes import World, running
from support.virtual import now, virtual_time


@virtual_time
async def test_only_the_leader_works_and_a_stop_releases_the_lease() -> None:
    world = World(election=True)
    assert world.election is not None
    world.led_by_another()
    world.make("homes", "red")
    async with running(world) as task:
        await asyncio.sleep(10)
        assert world.kind.keys() == []
        assert world.shown("leader_election_master_status") == [
            'leader_election_master_status{name="lease"} 0'
        ]
        await asyncio.sleep(10)
        assert world.kind.keys() == ["n/red"]
        assert world.shown("leader_election_master_status") == [
            'leader_election_master_status{name="lease"} 1'
        ]
        world.stop.set()
        await task
        assert world.store.get("leases", "home", "lease")["spec"]["holderIdentity"] == ""
        assert now() < 21


@virtual_time
async def test_a_standby_stops_at_once() -> None:
    world = World(election=True)
    world.led_by_another()
    async with running(world) as task:
        await asyncio.sleep(10)
        world.stop.set()
        await task
        assert now() == pytest.approx(10, abs=0.1)


@virtual_time
async def test_a_pass_cut_by_the_loss_of_the_lease_is_made_when_it_is_back() -> None:
    world = World(election=True)
    world.make("homes", "red")
    world.kind.takes = 20
    world.api.pace = 0.5
    async with running(world):
        await asyncio.sleep(1)
        world.api.cut = True
        await asyncio.sleep(15)
        assert world.kind.ended == []
        assert len(world.kind.passes) == 1
        world.api.cut = False
        await asyncio.sleep(60)
        assert len(world.kind.passes) == len(world.kind.ended) + 1 == 2
        world.api.pace = 5
        await asyncio.sleep(400)
        world.kind.passes.clear()
        await asyncio.sleep(350)
        assert len(world.kind.passes) == 1, "one resync: the first one ended with the lease"
