"""Two that act, of which one is blind for pods or for ImoocPods: the view of the other prevails."""

import asyncio

import pytest

from machine.pods import active
from machine.world import World
from support.virtual import virtual_time

A_WHILE = 60.0
"""Virtual seconds: less than a silent watch takes to be noticed; enough to ask without end."""


@pytest.mark.parametrize("blind", [0, 1])
@pytest.mark.parametrize("wishes", [(4,), (1, 4), (0, 4), (3, 1, 4)])
@virtual_time
async def test_pods_are_right_while_one_leader_is_blind(
    wishes: tuple[int, ...], blind: int
) -> None:
    world = World(asyncio.get_running_loop().time)
    try:
        world.delay = 0.01
        for _ in range(2):
            world.start()
        await asyncio.sleep(1)
        world.operators[blind].wire.freeze("pods")
        world.create("a", "web", 2)
        for replicas in wishes:
            await asyncio.sleep(A_WHILE / len(wishes))
            world.change("a", "web", {"replicas": replicas})
        await asyncio.sleep(A_WHILE / len(wishes))
        world.check()
        assert sum(map(active, world.owned())) == wishes[-1]
        await world.settles(kubelet=True)
    finally:
        await world.end()


@pytest.mark.parametrize("late", [0, 1])
@pytest.mark.parametrize("wishes", [(4,), (0,), (4, 1, 3)])
@virtual_time
async def test_leaders_do_not_fight_over_an_older_spec(wishes: tuple[int, ...], late: int) -> None:
    """One does not see what users wish: `check` bounds the requests, and the last wish prevails."""
    world = World(asyncio.get_running_loop().time)
    try:
        world.delay = 0.01
        for _ in range(2):
            world.start()
        world.create("a", "web", 2)
        await asyncio.sleep(1)
        world.operators[late].wire.freeze("imoocpods")
        for replicas in wishes:
            world.change("a", "web", {"replicas": replicas})
            await asyncio.sleep(A_WHILE / len(wishes))
            world.check()
            assert sum(map(active, world.owned())) == replicas
        await world.settles(kubelet=True)
    finally:
        await world.end()
