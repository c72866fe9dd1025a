"""W9: many ImoocPods at once, while the operator or the API server ends again and again."""

import asyncio
import random
from functools import partial

import pytest

from campaign.arena import LONG, Arena, Plan, side_by_side
from campaign.crashes import POINTS, crashing
from campaign.workloads import MANY, many

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(3600 if LONG else 300)]

WRITES = 3 * MANY
"""Of each ImoocPod two pods and at least one status."""

SAMPLE = 4
"""At how many of the writes there is a crash of each sort; in long mode at all."""

SEED = 9
"""Of the sample: the same writes in every campaign."""


def crashes() -> list[tuple[int, str, int]]:
    """Return at which write, at which point of it, and how often in a row."""
    chance = random.Random(SEED)  # noqa: S311 - chooses tests, guards nothing
    every = range(1, WRITES + 1)
    return [
        (number, point, times)
        for times in (1, 2)
        for point in POINTS
        for number in sorted(every if LONG else chance.sample(every, SAMPLE))
    ]


async def crash(arena: Arena, number: int, point: str, times: int) -> None:
    async with arena.plan(f"crash{' twice' if times > 1 else ''}: W9 many") as plan:
        plan.user.deadline = 60
        async with crashing(plan, number, point, times) as killer:
            await plan.operator.start()
            await many(plan.user)
            await plan.settled()
        # Nothing was deleted and each has two, so each got no more than two.
        assert plan.writes() == {"create": 2 * MANY, "delete": 0}, f"write {number}, {point}"
        assert killer.ends, "the crash really happened"


async def test_a_crash_changes_nothing(arena: Arena) -> None:
    await side_by_side([partial(crash, arena, *each) for each in crashes()])


async def test_the_api_server_is_killed(arena: Arena) -> None:
    """20 of them and 3 ends, in long mode 1,000 and 100."""
    async with arena.plan("W9: API server killed") as plan:
        plan.user.deadline = 1200 if LONG else 60
        await plan.operator.start()
        work = asyncio.create_task(_insist_on(plan, 1000 if LONG else 20))
        for _ in range(100 if LONG else 3):
            await asyncio.sleep(0.5)
            await asyncio.to_thread(arena.plane.kill_api_server)
            await asyncio.to_thread(arena.plane.start_api_server)
        await work


async def test_the_operator_is_killed(arena: Arena) -> None:
    """Never in the midst of a write that nobody asked for twice."""
    async with arena.plan("W9: operator killed") as plan:
        await plan.operator.start()
        number = 1000 if LONG else 40
        plan.user.deadline = 600 if LONG else 60
        work = asyncio.create_task(_insist_on(plan, number))
        for _ in range(3):
            await asyncio.sleep(0.3)
            await plan.operator.kill()
            await plan.operator.start()
        await work
        await plan.settled()
        assert plan.writes() == {"create": 2 * number, "delete": 0}


async def _insist_on(plan: Plan, number: int) -> None:
    """Make them as a user who tries again when the API server is away."""
    user = plan.user
    names = [f"web-{each}" for each in range(number)]
    for name in names:
        await user.insist(partial(user.create, name, 2))
        await asyncio.sleep(0.05)
    for name in names:
        await user.insist(partial(user.converged, name, 2))
