"""Writes that the API server refuses: the status says why, and recovery needs no restart."""

import asyncio
from collections.abc import Callable

import pytest

from support.fake_api import FakeApi, Request
from support.inprocess import operating
from support.store import Object, Refusal
from support.user import User

pytestmark = pytest.mark.asyncio

QUOTA = 'pods "web-pod-x" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2'

REFUSALS = [
    pytest.param(403, "Forbidden", QUOTA, "QuotaExceeded", id="quota"),
    pytest.param(
        403,
        "Forbidden",
        'pods "web-pod-x" is forbidden: violates PodSecurity "restricted:latest"',
        "AdmissionDenied",
        id="admission",
    ),
    pytest.param(
        403,
        "Forbidden",
        'pods is forbidden: User "u" cannot create resource "pods"',
        "NotPermitted",
        id="rbac",
    ),
    pytest.param(422, "Invalid", "spec.containers[0].image: Invalid", "PodInvalid", id="invalid"),
]


async def degraded(user: User, reason: str) -> str:
    async def check() -> str | None:
        conditions = (await user.get("web")).get("status", {}).get("conditions", [])
        return next(
            (c["message"] for c in conditions if c["status"] == "True" and c["reason"] == reason),
            None,
        )

    return await user.eventually(check, f"Degraded says {reason}")


@pytest.mark.parametrize(("code", "word", "message", "reason"), REFUSALS)
async def test_the_status_says_why_and_recovers_once_it_is_put_right(
    api: FakeApi, user: User, code: int, word: str, message: str, reason: str
) -> None:
    refusing = True

    async def refuse(request: Request, act: Callable[[], Object]) -> Object:
        raise Refusal(code, word, message)

    api.fault(lambda r: refusing and (r.verb, r.plural) == ("create", "pods"), refuse)
    async with operating(api):
        await user.create("web", 3)
        assert "web-pod-x" not in await degraded(user, reason), "names differ in each attempt"
        writes = api.count("update", "imoocpods")
        await asyncio.sleep(0.2)
        assert api.count("update", "imoocpods") == writes, "nothing new is not written again"
        refusing = False
        await user.converged("web", 3)


async def test_a_quota_that_lets_some_through_is_met_with_few_requests(
    api: FakeApi, user: User
) -> None:
    async def quota(request: Request, act: Callable[[], Object]) -> Object:
        if len(api.store.all("pods", "default")) >= 3:
            raise Refusal(403, "Forbidden", QUOTA)
        return act()

    api.fault(lambda r: (r.verb, r.plural) == ("create", "pods"), quota)
    async with operating(api):
        await user.create("web", 500)
        await degraded(user, "QuotaExceeded")
        status = (await user.get("web"))["status"]
        assert status["replicas"] == len(status["podNames"]) == 3
        assert api.count("create", "pods") < 20


async def test_a_namespace_that_is_being_deleted_is_left_in_peace(api: FakeApi, user: User) -> None:
    async def terminating(request: Request, act: Callable[[], Object]) -> Object:
        raise Refusal(403, "Forbidden", "being terminated", causes=["NamespaceTerminating"])

    api.fault(lambda r: (r.verb, r.plural) == ("create", "pods"), terminating)
    async with operating(api):
        await user.create("web", 3)
        await asyncio.sleep(0.3)
    assert api.count("create", "pods") == 1


async def test_too_many_requests_are_followed_by_the_pause_asked_for(
    api: FakeApi, user: User
) -> None:
    once = iter([True])

    async def busy(request: Request, act: Callable[[], Object]) -> Object:
        raise Refusal(429, "TooManyRequests", "later")

    api.fault(lambda r: (r.verb, r.plural) == ("create", "pods") and next(once, False), busy)
    loop = asyncio.get_running_loop()
    async with operating(api):
        began = loop.time()
        await user.create("web", 1)
        await user.converged("web", 1)
        assert loop.time() - began >= 1.0, "Retry-After: 1"


async def test_a_status_written_by_somebody_else_meanwhile_is_put_right(
    api: FakeApi, user: User
) -> None:
    async with operating(api):
        await user.create("web", 1)
        (name,) = await user.converged("web", 1)
        api.store.patch(
            "imoocpods", "default", "web", {"status": {"replicas": 7, "podNames": None}}, "status"
        )
        assert await user.converged("web", 1) == [name]


async def test_an_older_crd_that_drops_a_field_of_the_status_is_not_written_to_for_ever(
    api: FakeApi, user: User
) -> None:
    async def drop(request: Request, act: Callable[[], Object]) -> Object:
        request.body["status"].pop("readyReplicas")
        return act()

    def writes() -> int:
        return api.count("update", "imoocpods")

    api.fault(lambda r: r.subresource == "status", drop)
    async with operating(api):
        await user.create("web", 2)
        await user.converged("web", 2)
        before = writes()
        for name in ("other", "more"):
            await user.create(name, 1)
            await user.converged(name, 1)
        assert writes() == before + 2, "one for each new ImoocPod, none for the first"
