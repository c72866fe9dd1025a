"""What the operator sees is late, old, doubled or missing: it acts on no past and misses no end."""

import asyncio
import itertools
from collections.abc import Callable
from functools import partial

import pytest

from campaign.arena import LONG, Arena, Plan
from campaign.workloads import WORKLOADS
from support.fault_proxy import Answer, Call, Cut, Send

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]


EXPIRED = (
    b'{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired",'
    b'"message":"too old resource version"}}\n'
)


def calls(verb: str, resource: str) -> Callable[[Call], bool]:
    return lambda call: (call.verb, call.resource) == (verb, resource)


def watches(resource: str) -> Callable[[Call], bool]:
    return calls("watch", resource)


async def counted(plan: Plan, **wanted: int) -> None:
    """Assert how many pods were made and deleted, once all is quiet."""
    await plan.settled()
    assert plan.writes() == wanted


async def test_the_user_scales_there_and_back_while_all_watches_are_frozen(arena: Arena) -> None:
    async with arena.plan("stale: scaled 3, 1, 3 unseen") as plan:
        await plan.operator.start()
        await plan.user.create("web", 3)
        await plan.user.converged("web", 3)
        for resource in ("imoocpods", "pods"):
            plan.proxy.freeze(resource)
        await plan.user.scale("web", 1)
        await plan.user.scale("web", 3)
        for resource in ("imoocpods", "pods"):
            plan.proxy.thaw(resource)
        await plan.user.converged("web", 3)
        await plan.settled()
        # It may hear of 1 before it hears of 3 again, but never makes more than it took away.
        assert plan.writes()["create"] - plan.writes()["delete"] == 3


async def test_the_watch_of_pods_is_frozen_after_the_first_create(arena: Arena) -> None:
    async with arena.plan("stale: pods unseen") as plan:
        await plan.operator.start()
        plan.proxy.freeze("pods")
        await plan.user.create("web", 3)
        await plan.user.converged("web", 3)
        await plan.user.scale("web", 5)
        await plan.user.converged("web", 5)
        await plan.user.scale("web", 2)
        await plan.user.converged("web", 2)
        plan.proxy.thaw("pods")
        await counted(plan, create=5, delete=3)


async def test_an_imoocpod_is_made_anew_while_its_watch_is_frozen(arena: Arena) -> None:
    async with arena.plan("stale: another uid unseen") as plan:
        await plan.operator.start()
        await plan.user.create("web", 2)
        await plan.user.converged("web", 2)
        plan.proxy.freeze("imoocpods")
        await plan.user.delete("web")
        await plan.user.create("web", 1)
        await asyncio.sleep(0.3)  # time in which it may do wrong
        plan.proxy.thaw("imoocpods")
        await plan.user.converged("web", 1)


async def test_every_watch_is_closed_again_and_again(arena: Arena) -> None:
    async with arena.plan("unobserved: watches closed") as plan:
        await plan.operator.start()

        async def cutting() -> None:
            while True:
                await asyncio.sleep(0.3)
                plan.proxy.cut()

        cutter = asyncio.create_task(cutting())
        await WORKLOADS["W2 scale"](plan.user)
        cutter.cancel()


async def test_a_delete_is_lost_while_disconnected(arena: Arena) -> None:
    async with arena.plan("unobserved: a delete") as plan:
        await plan.operator.start()
        await plan.user.create("web", 3)
        first, *_ = await plan.user.converged("web", 3)
        gone = asyncio.Event()

        async def refuse(call: Call, send: Send) -> Answer:
            if gone.is_set():
                return await send()
            raise Cut

        plan.proxy.rule(lambda call: call.verb in ("watch", "list") and not gone.is_set(), refuse)
        plan.proxy.cut()
        await plan.user.delete_pod(first)
        await asyncio.sleep(0.3)
        gone.set()
        await plan.user.eventually(partial(_three, plan, first), "another pod stands in for it")
        await counted(plan, create=4, delete=0)


async def test_the_history_is_gone_when_the_watch_comes_back(arena: Arena) -> None:
    async with arena.plan("unobserved: 410") as plan:
        await plan.operator.start()
        await plan.user.create("web", 3)
        await plan.user.converged("web", 3)
        numbers = itertools.count()

        async def expired(call: Call, send: Send) -> Answer:
            return 200, b"", EXPIRED

        plan.proxy.rule(lambda call: call.verb == "watch" and next(numbers) < 4, expired)
        plan.proxy.cut()
        await plan.user.scale("web", 4)
        await plan.user.converged("web", 4)
        await counted(plan, create=4, delete=0)


def doubled(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines for _ in range(2)]


def backwards(lines: list[bytes]) -> list[bytes]:
    return lines[::-1]


def dropped(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if b'"MODIFIED"' not in line]


@pytest.mark.parametrize(
    "tamper", [doubled, backwards, dropped], ids=["doubled", "backwards", "modifications dropped"]
)
async def test_events_are(arena: Arena, tamper: Callable[[list[bytes]], list[bytes]]) -> None:
    """Those of pods: a status that is lost for good is found by the next look at the object."""
    async with arena.plan(f"unobserved: events {tamper.__name__}") as plan:
        plan.proxy.tamper(watches("pods"), tamper)
        await plan.operator.start()
        await WORKLOADS["W2 scale"](plan.user)
        await WORKLOADS["W8 strangers"](plan.user)


def hundredfold(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines for _ in range(100)]


async def test_ten_thousand_events_come_in_one_burst(arena: Arena) -> None:
    async with arena.plan("unobserved: burst of 10,000 events") as plan:
        plan.proxy.tamper(watches("imoocpods"), hundredfold)
        await plan.operator.start()
        await plan.user.create("web", 2)
        await plan.user.converged("web", 2)
        plan.proxy.freeze("imoocpods")
        for number in range(100):
            await plan.user.patch("web", {"metadata": {"labels": {"touched": str(number)}}})
        await plan.user.scale("web", 3)
        plan.proxy.thaw("imoocpods")
        await plan.user.converged("web", 3)
        await counted(plan, create=3, delete=0)


async def test_events_come_in_batches(arena: Arena) -> None:
    async with arena.plan("unobserved: events in batches") as plan:
        await plan.operator.start()

        async def batching() -> None:
            while True:
                for resource in ("imoocpods", "pods"):
                    plan.proxy.freeze(resource)
                await asyncio.sleep(0.3)
                for resource in ("imoocpods", "pods"):
                    plan.proxy.thaw(resource)
                await asyncio.sleep(0.01)

        batcher = asyncio.create_task(batching())
        await WORKLOADS["W2 scale"](plan.user)
        await WORKLOADS["W8 strangers"](plan.user)
        batcher.cancel()
        for resource in list(plan.proxy.thawed):
            plan.proxy.thaw(resource)


async def test_a_list_is_older_than_what_was_seen(arena: Arena) -> None:
    """As from an API server that lags behind the one asked before."""
    async with arena.plan("stale: list older than what was seen") as plan:
        old: list[Answer] = []
        told = 0

        async def remember(call: Call, send: Send) -> Answer:
            old.append(await send())
            return old[-1]

        async def lag(call: Call, send: Send) -> Answer:
            nonlocal told
            told += 1
            return old[0]

        async def expired(call: Call, send: Send) -> Answer:
            return 200, b"", EXPIRED

        plan.page_lists()
        lists = calls("list", "pods")
        plan.proxy.rule(lambda call: lists(call) and not old, remember)
        await plan.operator.start()
        await plan.user.create("web", 3)
        await plan.user.converged("web", 3)
        once = iter([True])
        plan.proxy.rule(lambda call: lists(call) and told < 2, lag)
        plan.proxy.rule(lambda c: watches("pods")(c) and next(once, False), expired)
        plan.proxy.cut()
        await plan.user.scale("web", 4)
        await plan.user.converged("web", 4)

        async def believed() -> bool | None:
            return told == 2 or None

        await plan.user.eventually(believed, "it asks again, and again")
        await counted(plan, create=4, delete=0)


@pytest.mark.skipif(not LONG, reason="IMOOC_CAMPAIGN_LONG: a watch counts as dead after 90 s")
async def test_etcd_is_restored_to_an_older_revision(arena: Arena) -> None:
    async with arena.plan("stale: etcd restored") as plan:
        plan.user.deadline = 240
        await plan.operator.start()
        await plan.user.create("web", 3)
        await plan.user.converged("web", 3)
        backup = await asyncio.to_thread(arena.plane.back_up)
        await plan.user.insist(partial(plan.user.scale, "web", 5))
        await plan.user.converged("web", 5)
        for name in (await plan.user.converged("web", 5))[:3]:
            await plan.user.delete_pod(name)
        await plan.user.create("forgotten", 2)
        await plan.user.converged("forgotten", 2)
        await asyncio.to_thread(arena.plane.restore, backup)
        await plan.user.insist(partial(plan.user.scale, "web", 4))
        await plan.user.converged("web", 4)
        assert len(await plan.user.pods()) == 4


async def test_all_is_late(arena: Arena) -> None:
    async with arena.plan("late: 100 ms each") as plan:

        async def late(call: Call, send: Send) -> Answer:
            await asyncio.sleep(0.05)
            answer = await send()
            await asyncio.sleep(0.05)
            return answer

        plan.proxy.rule(lambda call: call.verb != "watch", late)
        await plan.operator.start()
        await WORKLOADS["W2 scale"](plan.user)
        await counted(plan, create=6, delete=6)


async def _three(plan: Plan, gone: str) -> bool | None:
    cr = await plan.user.get("web")
    names = await plan.user.active(cr)
    right = len(names) == 3 and gone not in names and cr["status"]["podNames"] == names
    return True if right else None
