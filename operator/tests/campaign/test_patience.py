"""What the operator needs seconds for by its own clocks: leases that run out, answers that do not
come. All cases run at once, and each is a test of its own.

IMOOC_CAMPAIGN_LONG=1 stops a leader for 30 s instead of just longer than its lease.
"""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

import pytest
import pytest_asyncio

from campaign.arena import LONG, Arena, Plan
from support.fault_proxy import Answer, Call, Send
from support.process import OperatorProcess

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

ELECT = "--leader-elect"

PAUSE = 30.0 if LONG else 17.0
"""Seconds for which a leader is stopped: its lease lasts 15."""

Case = Callable[[Arena], Awaitable[None]]

LEASE = "/apis/coordination.k8s.io/v1/namespaces/{}/leases/imoocpod-operator"


async def holder(plan: Plan) -> str:
    path = LEASE.format(plan.namespace)
    lease = await asyncio.to_thread(plan.arena.plane.call, "GET", path)
    return str(lease["spec"]["holderIdentity"])


async def taken_over(plan: Plan, first: str) -> None:
    async def check() -> bool | None:
        return True if await holder(plan) not in ("", first) else None

    await plan.user.eventually(check, "the other one leads")


async def pair(plan: Plan, standby: OperatorProcess) -> str:
    """Start both, the plan's own first; return the identity of that one, which leads."""
    plan.user.deadline = 60
    await plan.operator.start()
    await plan.user.create("web", 2)
    await plan.user.converged("web", 2)
    await standby.start()
    return await holder(plan)


async def scaled_exactly(plan: Plan, replicas: int, made: int) -> None:
    await plan.user.scale("web", replicas)
    await plan.user.converged("web", replicas)
    await asyncio.sleep(1)  # time in which a second leader may do wrong
    await plan.user.converged("web", replicas)
    assert plan.writes()["create"] == made


async def killed(arena: Arena) -> None:
    async with arena.plan("leader: kill -9", ELECT) as plan, plan.another(ELECT) as (_, other):
        first = await pair(plan, other)
        await plan.operator.kill()
        await plan.user.scale("web", 3)
        await taken_over(plan, first)
        await scaled_exactly(plan, 4, made=4)


async def stopped(arena: Arena) -> None:
    async with arena.plan("leader: SIGSTOP", ELECT) as plan, plan.another(ELECT) as (_, other):
        first = await pair(plan, other)
        plan.operator.send(signal.SIGSTOP)
        try:
            await plan.user.scale("web", 3)
            await asyncio.gather(asyncio.sleep(PAUSE), taken_over(plan, first))
            await plan.user.converged("web", 3)
        finally:
            plan.operator.send(signal.SIGCONT)
        await scaled_exactly(plan, 5, made=5)
        assert await holder(plan) != first
        assert plan.operator.runs, "it stands by"


async def cut_off(arena: Arena) -> None:
    async with arena.plan("leader: partition", ELECT) as plan, plan.another(ELECT) as (_, other):
        first = await pair(plan, other)
        apart = True
        plan.proxy.rule(lambda call: apart, never)
        plan.proxy.cut()
        await plan.user.scale("web", 3)
        await taken_over(plan, first)
        await plan.user.converged("web", 3)
        apart = False
        plan.proxy.cut()
        await scaled_exactly(plan, 5, made=5)


async def never(call: Call, send: Send) -> Answer:
    await asyncio.Event().wait()
    raise AssertionError("nobody sets it")


def answered(number: int, how: Callable[[Plan, Call, Send], Awaitable[Answer]], name: str) -> Case:
    """Let the n-th call be answered in some way, once."""

    async def case(arena: Arena) -> None:
        async with arena.plan(name) as plan:
            plan.user.deadline = 60
            met: list[Call] = []

            def nth(call: Call) -> bool:
                met.append(call)
                return len(met) == number

            async def rule(call: Call, send: Send) -> Answer:
                return await how(plan, call, send)

            plan.proxy.rule(nth, rule)
            starting = asyncio.create_task(plan.operator.start(within=60))
            await plan.user.create("web", 3)
            await starting
            await plan.user.converged("web", 3)
            await plan.user.scale("web", 2)
            await plan.user.converged("web", 2)
            assert len(met) > number
            assert plan.writes() == {"create": 3, "delete": 1}, f"{met[number - 1].verb}"

    return case


async def half_open(plan: Plan, call: Call, send: Send) -> Answer:
    """The other side is gone and nobody says so; a write has arrived all the same."""
    if call.writes:
        await send()
    return await never(call, send)


async def drip(plan: Plan, call: Call, send: Send) -> Answer:
    """A byte of the body each second."""
    answer = await send()
    plan.proxy.drip(call)
    return answer


CASES: Mapping[str, Case] = {
    "leader: kill -9": killed,
    "leader: SIGSTOP": stopped,
    "leader: partition": cut_off,
    **{
        name: answered(number, how, name)
        for what, how in (("half-open connection", half_open), ("1 byte/s", drip))
        for where, number in (("list", 1), ("create", 4), ("status", 6))
        for name in (f"{what}: {where}",)
    },
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(arena: Arena) -> AsyncIterator[Mapping[str, "asyncio.Task[None]"]]:
    """All cases, begun."""
    tasks = {name: asyncio.ensure_future(case(arena)) for name, case in CASES.items()}
    yield tasks
    for task in tasks.values():
        task.cancel()
    await asyncio.gather(*tasks.values(), return_exceptions=True)


@pytest.mark.parametrize("name", list(CASES))
async def test_waits_it_out(running: Mapping[str, "asyncio.Task[None]"], name: str) -> None:
    await running[name]
