"""Crashes and lost answers at each write: the same end, and the same number of pods made."""

import asyncio
from collections.abc import Callable

import pytest

from support.fake_api import Cut, FakeApi, Request
from support.inprocess import crashing, operating
from support.store import Event, Object, Refusal
from support.user import User

pytestmark = pytest.mark.asyncio


def own_write(request: Request) -> bool:
    """Return whether the operator wrote this (the user writes specs and deletes without uid)."""
    return (
        (request.verb == "create" and request.plural == "pods")
        or (request.verb == "update" and request.subresource == "status")
        or (request.verb == "delete" and "preconditions" in request.body)
    )


def made(api: FakeApi) -> list[Event]:
    """Return the creations of pods so far."""
    return [e for e in api.store.history if e.type == "ADDED" and e.plural == "pods"]


class Trap:
    """Springs at the n-th write of the operator, before or after it is applied."""

    def __init__(self, number: int, *, applied: bool, answer: str) -> None:
        self.sprung = asyncio.Event()
        self._left = number
        self._applied = applied
        self._answer = answer

    def matches(self, request: Request) -> bool:
        if not own_write(request):
            return False
        self._left -= 1
        return self._left == 0

    async def spring(self, request: Request, act: Callable[[], Object]) -> Object:
        if self._applied:
            act()
        self.sprung.set()
        if self._answer == "504":
            raise Refusal(504, "Timeout", "the request may or may not have been applied")
        raise Cut


ANSWERS = [
    pytest.param(False, "cut", id="not applied, connection cut"),
    pytest.param(True, "cut", id="applied, connection cut"),
    pytest.param(True, "504", id="applied, answered 504"),
]
NUMBERS = range(1, 8)
"""3 creates, a status, 2 deletes, a status."""


async def workload(user: User) -> None:
    """0 → 3 → 1, which takes seven writes."""
    await user.create("web", 3)
    await user.converged("web", 3)
    await user.scale("web", 1)
    await user.converged("web", 1)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize(("applied", "answer"), ANSWERS)
async def test_a_lost_answer_makes_no_pod_twice(
    api: FakeApi, user: User, number: int, applied: bool, answer: str
) -> None:
    trap = Trap(number, applied=applied, answer=answer)
    api.fault(trap.matches, trap.spring)
    async with operating(api):
        await workload(user)
    assert trap.sprung.is_set()
    assert len(made(api)) == 3, "as many as without the fault"


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("applied", [False, True], ids=["before", "after"])
async def test_a_crash_at_a_write_ends_as_if_nothing_had_happened(
    api: FakeApi, user: User, number: int, applied: bool
) -> None:
    trap = Trap(number, applied=applied, answer="cut")
    api.fault(trap.matches, trap.spring)
    work = asyncio.create_task(workload(user))
    async with crashing(api):
        await trap.sprung.wait()
    async with operating(api):
        await work
    gone = [event for event in api.store.history if event.type == "DELETED"]
    assert (len(made(api)), len(gone)) == (3, 2), "as many as without the crash"


async def test_a_lost_create_is_looked_up_even_when_the_plan_has_changed(
    api: FakeApi, user: User
) -> None:
    """The pod is there, the cache does not know, and another pod vanished meanwhile."""
    trap = Trap(3, applied=True, answer="cut")
    api.fault(trap.matches, trap.spring)
    async with operating(api):
        await user.create("web", 2)
        await user.converged("web", 2)
        api.frozen.add("pods")
        await user.scale("web", 3)
        await user.converged("web", 3)
    assert trap.sprung.is_set()
    assert len(api.store.all("pods", "default")) == 3


async def test_a_lost_create_is_found_although_its_name_is_not_asked_for_again(
    api: FakeApi, user: User
) -> None:
    """Scaled down before the retry: what was made unseen must not stay."""
    lost: list[str] = []

    async def lose(request: Request, act: Callable[[], Object]) -> Object:
        lost.append(act()["metadata"]["name"])
        await user.scale("web", 1)
        await asyncio.sleep(0.1)  # the watch of ImoocPods is faster than the failure
        raise Cut

    async with operating(api):
        await user.create("web", 2)
        await user.converged("web", 2)
        api.frozen.add("pods")
        api.fault(lambda r: own_write(r) and r.verb == "create" and not lost, lose)
        await user.scale("web", 3)
        await user.converged("web", 1)
        await user.scale("web", 3)
        await user.converged("web", 3)
    assert lost


async def test_a_successor_of_the_same_name_is_found_though_its_watch_is_frozen(
    api: FakeApi, user: User
) -> None:
    """W4: the operator only knows the ImoocPod that is gone, until a write is refused."""
    async with operating(api):
        await user.create("web", 1)
        await user.converged("web", 1)
        api.frozen.add("imoocpods")
        await user.delete("web")
        await user.create("web", 2)
        before = api.count("create", "pods")
        await user.converged("web", 2)
        assert api.count("create", "pods") - before <= 3, "one in vain at most, then its own two"


@pytest.mark.parametrize("status", [404, 409])
@pytest.mark.parametrize(
    ("verb", "plural"), [("update", "imoocpods"), ("delete", "pods"), ("create", "pods")]
)
async def test_a_refusal_without_a_cause_is_looked_into(
    api: FakeApi, user: User, verb: str, plural: str, status: int
) -> None:
    """What is said to be gone or changed is not: no event will come to tell."""
    once = iter([True])

    async def refuse(request: Request, act: Callable[[], Object]) -> Object:
        raise Refusal(status, "NotFound" if status == 404 else "Conflict", "a mistake")

    def matches(request: Request) -> bool:
        hit = (request.verb, request.plural) == (verb, plural) and own_write(request)
        return hit and next(once, False)

    api.fault(matches, refuse)
    async with operating(api):
        await workload(user)
    assert next(once, None) is None, "it was refused"


async def test_a_pod_recreated_under_the_same_name_is_not_deleted(api: FakeApi, user: User) -> None:
    """The uid precondition: what we saw is gone, what has its name now is not ours."""
    async with operating(api):
        await user.create("web", 1)
        (name,) = await user.converged("web", 1)
        api.frozen.add("pods")
        await user.delete_pod(name)
        await user.create_pod(name)
        await user.scale("web", 0)

        async def tried() -> bool | None:
            return True if any(own_write(r) and r.verb == "delete" for r in api.requests) else None

        await user.eventually(tried, "the operator tries to delete the pod it knew")
        await asyncio.sleep(0.1)
        assert [pod["metadata"]["name"] for pod in await user.pods()] == [name]


async def test_a_name_taken_by_a_stranger_does_not_stop_the_scaling(
    api: FakeApi, user: User
) -> None:
    names: list[str] = []

    async def occupy(request: Request, act: Callable[[], Object]) -> Object:
        name = request.body["metadata"]["name"]
        names.append(name)
        api.store.create("pods", "default", {"metadata": {"name": name}})
        return act()

    api.fault(lambda r: own_write(r) and r.verb == "create" and not names, occupy)
    async with operating(api):
        await user.create("web", 2)
        assert not set(names) & set(await user.converged("web", 2))
    assert len(await user.pods()) == 3


async def test_two_operators_at_once_make_no_pod_too_many(api: FakeApi, user: User) -> None:
    async with operating(api), operating(api):
        await user.create("web", 5)
        await user.converged("web", 5)
        assert len(made(api)) == 5
        await user.scale("web", 2)
        await user.converged("web", 2)
        await user.scale("web", 4)
        await user.converged("web", 4)
