"""The defects of the tutorial's operator: ours has none of them. One test each, by its name."""

import asyncio
from pathlib import Path

import pytest
import yaml

from support.fake_api import FakeApi, Request
from support.inprocess import operating
from support.store import Object, Refusal
from support.user import User

pytestmark = pytest.mark.asyncio

DEPLOY = Path(__file__).parents[2] / "deploy"


async def test_counts_no_foreign_pod_that_shares_the_label(api: FakeApi, user: User) -> None:
    for number in range(3):
        await user.create_pod(f"stranger-{number}", labels={"app": "web"})
    async with operating(api):
        await user.create("web", 2)
        assert len(await user.converged("web", 2)) == 2


async def test_deletes_no_foreign_pod_that_shares_the_label(api: FakeApi, user: User) -> None:
    await user.create_pod("stranger", labels={"app": "web"})
    async with operating(api):
        await user.create("web", 2)
        await user.converged("web", 2)
        await user.scale("web", 0)
        await user.converged("web", 0)
    assert [pod["metadata"]["name"] for pod in await user.pods()] == ["stranger"]


async def test_scales_down_by_rank_and_never_by_a_pod_already_terminating(
    api: FakeApi, user: User
) -> None:
    api.store.graceful = True
    async with operating(api):
        await user.create("web", 3)
        names = await user.converged("web", 3)
        await user.delete_pod(names[0], grace=30)
        names = await user.converged("web", 3)
        ready = {"conditions": [{"type": "Ready", "status": "True"}], "phase": "Running"}
        for name in names[:2]:
            await user.patch_pod(name, {"status": ready}, "status")

        async def seen() -> bool | None:
            return True if (await user.get("web"))["status"]["readyReplicas"] == 2 else None

        # Pods and ImoocPods have a watch each: the wish must not overtake what it is decided on.
        await user.eventually(seen, "the operator sees that two are ready")
        await user.scale("web", 2)
        assert await user.converged("web", 2) == names[:2]
    deletes = [r.name for r in api.requests if r.verb == "delete" and "preconditions" in r.body]
    assert deletes == [names[2]], "one delete, of the pod that was not ready"


async def test_goes_down_to_zero_with_an_empty_list(api: FakeApi, user: User) -> None:
    async with operating(api):
        await user.create("web", 1)
        await user.converged("web", 1)
        await user.scale("web", 0)
        await user.converged("web", 0)
    assert (await user.get("web"))["status"]["podNames"] == []


async def test_does_nothing_on_negative_replicas_of_an_older_crd_and_says_so(
    api: FakeApi, user: User
) -> None:
    async with operating(api):
        await user.create("web", 1)
        names = await user.converged("web", 1)
        await user.scale("web", -1)

        async def said() -> str | None:
            conditions = (await user.get("web"))["status"]["conditions"]
            return next((c["message"] for c in conditions if c["reason"] == "InvalidSpec"), None)

        assert "replicas" in await user.eventually(said, "a condition names the fault")
        assert [pod["metadata"]["name"] for pod in await user.pods()] == names


async def test_writes_the_status_after_acting(api: FakeApi, user: User) -> None:
    async with operating(api):
        await user.create("web", 3)
        await user.converged("web", 3)
    writes = [r.verb for r in api.requests if r.verb in ("create", "update") and r.plural != "x"]
    own = writes[1:]  # the first is the user's
    assert own == ["create"] * 3 + ["update"], (
        "three pods, then one status; nothing before or after"
    )


async def test_creates_no_pod_too_many_from_a_stale_cache(api: FakeApi, user: User) -> None:
    async with operating(api):
        await user.create("web", 0)
        await user.converged("web", 0)
        api.frozen.add("pods")
        for replicas in (3, 5, 5, 4):
            await user.scale("web", replicas)
            await user.converged("web", replicas)
        await user.patch("web", {"metadata": {"labels": {"touched": "1"}}})
        await asyncio.sleep(0.1)
        assert api.count("create", "pods") == 5
        api.frozen.clear()
        await asyncio.sleep(0.1)
        assert api.count("create", "pods") == 5


async def test_is_silent_once_converged(api: FakeApi, user: User) -> None:
    async with operating(api):
        await user.create("web", 3)
        await user.converged("web", 3)
        await asyncio.sleep(0.1)
        before = len(api.requests)
        await asyncio.sleep(0.5)
        assert len(api.requests) == before


async def test_slows_down_on_a_lasting_refusal(api: FakeApi, user: User) -> None:
    async def refuse(request: Request, _: object) -> Object:
        raise Refusal(403, "Forbidden", 'pods "x" is forbidden: exceeded quota: q')

    api.fault(lambda r: (r.verb, r.plural) == ("create", "pods"), refuse)
    async with operating(api):
        await user.create("web", 100)
        await asyncio.sleep(1.0)
    attempts = api.count("create", "pods")
    assert 4 <= attempts <= 9, "5 ms doubling: about 8 attempts of one pod each in a second"


async def test_makes_all_pods_in_one_pass(api: FakeApi, user: User) -> None:
    async with operating(api):
        await user.create("web", 20)
        await user.converged("web", 20)
    assert api.count("create", "pods") == 20
    assert api.count("update", "imoocpods") == 1, "a status in between would be a pass in between"


@pytest.mark.parametrize("phase", ["Failed", "Succeeded"])
async def test_replaces_finished_and_evicted_pods(api: FakeApi, user: User, phase: str) -> None:
    async with operating(api):
        await user.create("web", 2)
        names = await user.converged("web", 2)
        await user.patch_pod(names[0], {"status": {"phase": phase, "reason": "Evicted"}}, "status")

        async def replaced() -> bool | None:
            left = {pod["metadata"]["name"] for pod in await user.pods()}
            return True if names[0] not in left and len(left) == 2 else None

        await user.eventually(replaced, "the finished pod is gone and replaced")


async def test_uses_every_right_it_has_and_no_other(api: FakeApi, user: User) -> None:
    api.streams = "refused"  # the right to list is for an API server like this
    """Drive it through all it does, a lost answer and a lost race included; compare with the Roles.

    The operator has a namespace of its own, so that rights there and rights here stay apart.
    """
    lost = iter([True])
    raced = iter([True])

    async def lose(request: Request, act: object) -> Object:
        assert callable(act)
        act()
        raise Refusal(500, "InternalError", "the answer got lost")

    async def race(request: Request, act: object) -> Object:
        raise Refusal(409, "Conflict", "someone was faster")

    api.fault(lambda r: (r.verb, r.plural) == ("create", "pods") and next(lost, False), lose)
    outdated = iter([True])
    api.fault(lambda r: (r.verb, r.plural) == ("patch", "leases") and next(raced, False), race)
    api.fault(lambda r: r.subresource == "status" and next(outdated, False), race)
    api.store.create("leases", "home", {"metadata": {"name": "imoocpod-operator"}, "spec": {}})
    api.store.create("imoocpods", "default", {"metadata": {"name": "web"}, "spec": {"replicas": 2}})
    before = len(api.requests)
    async with operating(api, "--leader-elect", home="home"):
        names = await user.converged("web", 2)
        for name in names:
            await _fail(user, name)
        api.store.patch("imoocpods", "default", "web", {"spec": {"replicas": 1}}, "")
        await user.converged("web", 1)
        lease = api.store.get("leases", "home", "imoocpod-operator")
        api.store.delete("leases", "home", "imoocpod-operator", {})

        async def made_anew() -> bool | None:
            new = api.store.all("leases", "home")
            return True if new and new[0]["metadata"]["uid"] != lease["metadata"]["uid"] else None

        await user.eventually(made_anew, "the leader makes its lease anew")
    used = {
        (r.namespace == "home", "/".join(filter(None, (r.plural, r.subresource))), r.verb)
        for r in api.requests[before:]
        if "authorization" not in r.headers  # people have a token here
    }
    granted = {
        (home, resource, verb)
        for home, path in ((False, "role.yaml"), (True, "lease_role.yaml"))
        for rule in yaml.safe_load((DEPLOY / path).read_text())["rules"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }
    assert used == granted


async def _fail(user: User, name: str) -> None:
    """Let the pod `name` fail and wait for what replaces it."""
    await user.patch_pod(name, {"status": {"phase": "Failed"}}, "status")

    async def replaced() -> bool | None:
        left = {pod["metadata"]["name"] for pod in await user.pods()}
        return True if name not in left and len(left) == 2 else None

    await user.eventually(replaced, "the failed pod is gone and replaced")
