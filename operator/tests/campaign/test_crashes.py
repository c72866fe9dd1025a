"""kill -9 at every write, W1 to W8 and W11: the end is the same, and so is the way there."""

from functools import partial

import pytest

from campaign.arena import LONG, Arena, side_by_side
from campaign.crashes import POINTS, counts, crashing
from campaign.workloads import WORKLOADS

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(600)]

DELETING = ("W3 delete", "W4 recreate")
"""Here the end of the pods may be seen before the end of their owner, for each type has a watch of
its own: pods may be made for an owner that is gone. The garbage collector takes them, as the
workload waits to see."""

TWICE = list(WORKLOADS) if LONG else ["W1 create", "W5 lose a pod"]


async def run(
    arena: Arena, name: str, number: int, point: str, expected: dict[str, int], times: int = 1
) -> bool:
    """Run a workload with crashes at as many writes in a row; return whether there were those."""
    async with arena.plan(f"crash{' twice' if times > 1 else ''}: {name}") as plan:
        async with crashing(plan, number, point, times) as killer:
            await plan.operator.start()
            await WORKLOADS[name](plan.user)
            await plan.settled()
        writes = plan.writes()
        if name in DELETING:
            assert writes["delete"] == expected["delete"], f"write {number}, {point}"
            assert writes["create"] >= expected["create"], f"write {number}, {point}"
        else:
            assert writes == expected, f"write {number}, {point}"
        return killer.done


async def everywhere(arena: Arena, name: str, times: int) -> None:
    """Crash at every write of a workload, at every point of it."""
    async with arena.plan(f"fault-free: {name}") as plan:
        await plan.operator.start()
        await WORKLOADS[name](plan.user)
        await plan.settled()
        expected = plan.writes()
        writes = sum(map(counts, plan.proxy.calls))
    outcomes = await side_by_side(
        [
            partial(run, arena, name, number, point, expected, times)
            for number in range(1, writes + 1)
            for point in POINTS
        ]
    )
    # Two changes may share one status write, so the last of the numbers may not be reached.
    assert sum(outcomes) > len(outcomes) / 2, "the crashes really happened"


@pytest.mark.parametrize("name", list(WORKLOADS))
async def test_a_crash_at_any_write_changes_nothing(arena: Arena, name: str) -> None:
    await everywhere(arena, name, times=1)


@pytest.mark.parametrize("name", TWICE)
async def test_two_crashes_in_a_row_change_nothing(arena: Arena, name: str) -> None:
    await everywhere(arena, name, times=2)
