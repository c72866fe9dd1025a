"""W10: the namespace is deleted during scaling, its rights with it, and is made anew."""

import asyncio
from functools import partial
from typing import Any

import pytest

from campaign.arena import LONG, Arena, Plan, side_by_side
from campaign.crashes import POINTS, crashing
from support.control_plane import Refused

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(900)]

FEW, LOTS = 3, 20
"""Pods before scaling, and those asked for when the namespace goes."""

GROWN = FEW + 2
"""Pods that are there when it goes: scaling has begun, and the next batch is on its way."""

WRITES = 30 if LONG else 20
"""With the first namespace there are 10 to 25, by how fast it ends; the rest is of the second."""

CALM = 25
"""Requests in two seconds after the end: what is asked again comes at growing intervals."""


async def ends_and_comes_back(plan: Plan) -> None:
    """W10; nothing is left of the first namespace, and the second is served without a restart."""
    user, plane = plan.user, plan.arena.plane
    plan.arena.rightless.add(plan.namespace)
    user.deadline = 90  # what failed until now is tried again after up to 45 s
    await user.create("web", FEW)
    await user.converged("web", FEW)
    await user.scale("web", LOTS)
    await user.eventually(partial(_grown, plan), "scaling has begun")
    await asyncio.to_thread(plane.call, "DELETE", _path(plan))
    await user.eventually(partial(_gone, plan), "the namespace ends, with all that was in it")
    plan.proxy.cut()  # so that it asks anew, where it has no rights any more
    before = len(plan.proxy.calls)
    await asyncio.sleep(2)
    asked = plan.proxy.calls[before:]
    assert len(asked) <= CALM, [f"{call.verb} {call.resource}" for call in asked]
    assert await _left(plan) == []

    made = plan.writes()
    meta = {"name": plan.namespace}
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
    await asyncio.to_thread(plane.apply, body)
    await asyncio.to_thread(plan.arena.grant, plan.namespace)
    await user.create("web", 2)
    await user.converged("web", 2)
    await plan.settled()
    assert plan.writes() == {"create": made["create"] + 2, "delete": made["delete"]}


async def crash(arena: Arena, number: int, point: str, times: int) -> bool:
    async with arena.plan(f"crash{' twice' if times > 1 else ''}: W10 namespace") as plan:
        async with crashing(plan, number, point, times) as killer:
            await plan.operator.start()
            await ends_and_comes_back(plan)
        return killer.done


async def test_it_is_deleted_and_made_anew(arena: Arena) -> None:
    async with arena.plan("fault-free: W10 namespace") as plan:
        await plan.operator.start()
        await ends_and_comes_back(plan)


@pytest.mark.parametrize("times", [1, 2] if LONG else [1])
async def test_a_crash_at_any_write_changes_nothing(arena: Arena, times: int) -> None:
    outcomes = await side_by_side(
        [
            partial(crash, arena, number, point, times)
            for number in range(1, WRITES + 1)
            for point in POINTS
        ],
        at_once=16,
    )
    assert sum(outcomes) > len(outcomes) / 2, "the crashes really happened"


def _path(plan: Plan) -> str:
    return f"/api/v1/namespaces/{plan.namespace}"


async def _grown(plan: Plan) -> bool | None:
    return len(await plan.user.pods()) >= GROWN or None


async def _gone(plan: Plan) -> bool | None:
    try:
        await asyncio.to_thread(plan.arena.plane.call, "GET", _path(plan))
    except Refused:
        return True
    return None


async def _left(plan: Plan) -> list[dict[str, Any]]:
    paths = (
        f"{_path(plan)}/pods",
        f"{_path(plan)}/events",
        f"/apis/k8s.imooc.com/v1alpha1/namespaces/{plan.namespace}/imoocpods",
    )
    answers = [await asyncio.to_thread(plan.arena.plane.call, "GET", path) for path in paths]
    return [item for answer in answers for item in answer["items"]]
