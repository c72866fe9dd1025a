"""What users do, on a server where the operator runs: the state of the world must follow."""

import asyncio
from typing import Any

import pytest

from imooc_operator.client.errors import NotFound
from support.process import OperatorProcess
from support.user import User

pytestmark = pytest.mark.asyncio


async def test_creates_the_pods_and_reports_them(user: User, operator: OperatorProcess) -> None:
    cr = await user.create("web", 3)
    names = await user.converged("web", 3)
    assert all(name.startswith("web-pod") for name in names)
    pod = (await user.pods(cr))[0]
    assert pod["metadata"]["labels"]["app"] == "web"
    (container,) = pod["spec"]["containers"]
    assert (container["name"], container["command"]) == ("busybox", ["sleep", "3600"])
    assert (await user.get("web"))["status"]["selector"] == "app=web"


async def test_scales_3_1_0_5(user: User, operator: OperatorProcess) -> None:
    await user.create("web", 3)
    await user.converged("web", 3)
    for replicas in (1, 0, 5):
        await user.scale("web", replicas)
        await user.converged("web", replicas)


async def test_replaces_a_deleted_pod(user: User, operator: OperatorProcess) -> None:
    await user.create("web", 2)
    first, kept = await user.converged("web", 2)
    await user.delete_pod(first)
    names = await user.eventually(
        lambda: _without(user, "web", first), "another pod stands in for the deleted one"
    )
    assert kept in names


async def test_replaces_a_failed_pod_and_cleans_it_up(
    user: User, operator: OperatorProcess
) -> None:
    await user.create("web", 2)
    first, _ = await user.converged("web", 2)
    await user.patch_pod(first, {"status": {"phase": "Failed", "reason": "Evicted"}}, "status")
    await user.eventually(lambda: _without(user, "web", first), "the failed pod is replaced")
    assert first not in {pod["metadata"]["name"] for pod in await user.pods()}


async def test_leaves_foreign_pods_with_the_same_label_alone(
    user: User, operator: OperatorProcess
) -> None:
    foreign = await user.create_pod("stranger", labels={"app": "web"})
    await user.create("web", 2)
    assert "stranger" not in await user.converged("web", 2)
    await user.scale("web", 0)
    await user.converged("web", 0)
    (left,) = [p for p in await user.pods() if "deletionTimestamp" not in p["metadata"]]
    assert left["metadata"]["uid"] == foreign["metadata"]["uid"]


async def test_two_imoocpods_keep_to_their_own_pods(user: User, operator: OperatorProcess) -> None:
    await user.create("one", 2)
    await user.create("two", 3)
    ones = await user.converged("one", 2)
    twos = await user.converged("two", 3)
    await user.scale("one", 0)
    await user.converged("one", 0)
    assert await user.converged("two", 3) == twos
    assert not set(ones) & set(twos)


async def test_releases_a_pod_that_lost_its_owner(user: User, operator: OperatorProcess) -> None:
    await user.create("web", 2)
    first, _ = await user.converged("web", 2)
    await user.patch_pod(first, {"metadata": {"ownerReferences": None}})
    names = await user.eventually(lambda: _without(user, "web", first), "the pod is replaced")
    assert len(names) == 2
    assert first in {pod["metadata"]["name"] for pod in await user.pods()}


async def test_counts_a_pod_that_lost_only_its_label(user: User, operator: OperatorProcess) -> None:
    cr = await user.create("web", 2)
    names = await user.converged("web", 2)
    await user.patch_pod(names[0], {"metadata": {"labels": {"app": None}}})

    async def unchanged() -> bool:
        return await user.active(cr) == names

    await user.stays(unchanged, 0.5, "the owner reference decides, not the label")


async def test_deleting_the_imoocpod_takes_its_pods(user: User, operator: OperatorProcess) -> None:
    cr = await user.create("web", 3)
    await user.converged("web", 3)
    await user.delete("web")

    async def empty() -> bool | None:
        return True if not await user.pods(cr) else None

    await user.eventually(empty, "the pods are collected")


async def test_orphans_live_on_and_a_new_imoocpod_does_not_adopt_them(
    user: User, operator: OperatorProcess
) -> None:
    old = await user.create("web", 2)
    orphans = await user.converged("web", 2)
    await user.delete("web", policy="Orphan")

    async def released() -> bool | None:
        try:
            await user.get("web")
        except NotFound:
            return True if not await user.pods(old) else None
        return None

    await user.eventually(released, "the garbage collector takes the owner references off")
    await user.create("web", 2)
    assert not set(orphans) & set(await user.converged("web", 2))
    assert set(orphans) <= {pod["metadata"]["name"] for pod in await user.pods()}


async def test_catches_up_after_a_crash(user: User, operator: OperatorProcess) -> None:
    await user.create("web", 3)
    names = await user.converged("web", 3)
    await operator.kill()
    for name in names[:2]:
        await user.delete_pod(name)
    await user.create("other", 2)
    await operator.start()
    assert names[2] in await user.converged("web", 3)
    await user.converged("other", 2)


async def test_an_idle_operator_changes_nothing(user: User, operator: OperatorProcess) -> None:
    await user.create("web", 2)
    await user.converged("web", 2)
    before = await _versions(user)
    await asyncio.sleep(0.3)
    await operator.terminate()
    await operator.start()
    await asyncio.sleep(0.3)
    after = await _versions(user)
    assert [name for name in before if name not in after] == []
    assert after.get("web-status") == before.get("web-status")


async def test_ends_within_a_second_of_sigterm(user: User, operator: OperatorProcess) -> None:
    loop = asyncio.get_running_loop()
    durations = []
    for attempt in range(3):  # the best of three: a busy machine may be late by itself
        if attempt:
            await operator.start()
        await user.create(f"web-{attempt}", 3)
        began = loop.time()
        assert await operator.terminate() == 0
        durations.append(loop.time() - began)
    assert min(durations) < 1.0


async def _without(user: User, name: str, pod: str) -> list[str] | None:
    cr = await user.get(name)
    names = await user.active(cr)
    right = len(names) == cr["spec"]["replicas"] and pod not in names
    return names if right and cr["status"]["podNames"] == names else None


async def _versions(user: User) -> dict[str, Any]:
    status = (await user.get("web"))["status"]
    return {p["metadata"]["name"]: p["metadata"]["uid"] for p in await user.pods()} | {
        "web-status": status["conditions"][0]["lastTransitionTime"]
    }
