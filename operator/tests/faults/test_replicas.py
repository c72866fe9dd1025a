"""Two replicas: one acts, the other is ready to; and one that may only say what it would do."""

import asyncio
from collections.abc import Callable

import pytest

from support.fake_api import FakeApi, Request
from support.inprocess import crashing, operating
from support.store import Object
from support.user import User

pytestmark = pytest.mark.asyncio

ELECT = "--leader-elect"


def holder(api: FakeApi) -> str:
    """Return who holds the lease."""
    name: str = api.store.get("leases", "default", "imoocpod-operator")["spec"]["holderIdentity"]
    return name


async def test_of_two_replicas_one_acts(api: FakeApi, user: User) -> None:
    async with operating(api, ELECT), operating(api, ELECT):
        await user.create("web", 5)
        await user.converged("web", 5)
    assert api.count("create", "pods") == 5
    assert sum(r.subresource == "status" for r in api.requests) == 1


async def test_a_standby_goes_on_where_the_leader_ended(api: FakeApi, user: User) -> None:
    async with operating(api, ELECT):

        async def led() -> str | None:
            leases = api.store.all("leases", "default")
            return holder(api) if leases else None

        first = await user.eventually(led, "the first replica leads")
        standby = operating(api, ELECT)
        await standby.__aenter__()
    await user.create("web", 3)
    await user.converged("web", 3)
    assert holder(api) not in ("", first)
    await standby.__aexit__(None, None, None)
    assert holder(api) == ""


async def test_two_leaders_do_no_harm(api: FakeApi, user: User) -> None:
    """As after a long pause of a leader that does not know yet: both act on everything."""
    async with operating(api), operating(api):
        await user.create("web", 10)
        await user.converged("web", 10)
        await user.scale("web", 3)
        await user.converged("web", 3)
        await user.scale("web", 7)
        await user.converged("web", 7)
    pods = [e.object for e in api.store.history if (e.type, e.plural) == ("ADDED", "pods")]
    names = [pod["metadata"]["name"] for pod in pods]
    assert len(names) == len(set(names)) == 14, "10, then 4 more: nothing was made twice"


async def test_a_rival_that_sees_it_otherwise_is_not_answered_at_once(
    api: FakeApi, user: User
) -> None:
    """Two leaders of which one is behind: each would put the status right as fast as it can."""

    async def contradict(request: Request, act: Callable[[], Object]) -> Object:
        answer = act()
        rival = {"status": {"replicas": 7}}
        api.store.patch("imoocpods", "default", "web", rival, "status")
        return answer

    def writes() -> int:
        return sum(r.subresource == "status" for r in api.requests)

    async with operating(api):
        api.fault(lambda r: r.subresource == "status" and writes() < 4, contradict)
        await user.create("web", 1)
        began = asyncio.get_running_loop().time()
        await user.converged("web", 1)
        assert writes() == 4
        assert asyncio.get_running_loop().time() - began >= 3.0, "a second after each"


async def test_a_dry_run_changes_nothing(
    api: FakeApi, user: User, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    await user.create("web", 2)
    before = api.store.revision
    async with operating(api, "--dry-run"):

        async def told() -> bool | None:
            plans = [r for r in caplog.records if r.message == "plan"]
            return True if plans and len(vars(plans[0])["actions"]) == 2 else None

        await user.eventually(told, "the plan is in the log")
    assert api.store.revision == before


async def test_a_crash_of_the_leader_loses_nothing(api: FakeApi, user: User) -> None:
    async with crashing(api):
        await user.create("web", 4)
        await user.eventually(lambda: _some(user), "the first pods are made")
    async with operating(api):
        await user.converged("web", 4)


async def _some(user: User) -> bool | None:
    return True if await user.pods() else None
