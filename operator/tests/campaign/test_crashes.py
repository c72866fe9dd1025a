"""kill -9 at every write: before it is sent, before its answer, after it. The end is the same."""

import asyncio
from dataclasses import dataclass
from functools import partial

import pytest

from campaign.arena import Arena, Plan, side_by_side
from campaign.workloads import WORKLOADS
from support.fault_proxy import Answer, Call, Cut, Send

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(300)]

POINTS = ("before it is sent", "applied, not answered", "answered")

DELETING = ("W3 delete", "W4 recreate")
"""Here the end of the pods may be seen before the end of their owner, for each type has a watch of
its own: pods may be made for an owner that is gone. The garbage collector takes them, as the
workload waits to see."""


@dataclass
class Killer:
    """Ends the operator at its n-th write, and starts it again."""

    plan: Plan
    number: int
    point: str
    times: int = 1
    sprung: int = 0
    _seen: int = 0

    def matches(self, call: Call) -> bool:
        if call.verb not in ("create", "update", "patch", "delete") or "events" in call.resource:
            return False
        self._seen += 1
        return self.number <= self._seen < self.number + self.times

    async def strike(self, call: Call, send: Send) -> Answer:
        self.sprung += 1
        if self.point == POINTS[0]:
            await self._restart()
            raise Cut
        answer = await send()
        if self.point == POINTS[1]:
            await self._restart()
            raise Cut
        self._later = asyncio.ensure_future(self._restart())
        return answer

    async def _restart(self) -> None:
        await self.plan.operator.kill()
        await self.plan.operator.start()


async def run(
    arena: Arena, name: str, number: int, point: str, expected: dict[str, int], times: int
) -> bool:
    """Run a workload with crashes at as many writes in a row; return whether there were those."""
    async with arena.plan(f"crash{' twice' if times > 1 else ''}: {name}") as plan:
        killer = Killer(plan, number, point, times)
        plan.proxy.rule(killer.matches, killer.strike)
        await plan.operator.start()
        await WORKLOADS[name](plan.user)
        await plan.settled()
        writes = plan.writes()
        if name in DELETING:
            assert writes["delete"] == expected["delete"], f"write {number}, {point}"
            assert writes["create"] >= expected["create"], f"write {number}, {point}"
        else:
            assert writes == expected, f"write {number}, {point}"
        return killer.sprung == times


async def everywhere(arena: Arena, name: str, times: int) -> None:
    """Crash at every write of a workload, at every point of it."""
    async with arena.plan(f"fault-free: {name}") as plan:
        await plan.operator.start()
        await WORKLOADS[name](plan.user)
        await plan.settled()
        expected = plan.writes()
        writes = sum(call.writes and "events" not in call.resource for call in plan.proxy.calls)
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


@pytest.mark.parametrize("name", ["W1 create", "W5 lose a pod"])
async def test_two_crashes_in_a_row_change_nothing(arena: Arena, name: str) -> None:
    await everywhere(arena, name, times=2)
