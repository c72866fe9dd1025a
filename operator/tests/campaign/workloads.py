"""What users do, W1 to W11 of the fault list; each ends when the world is as it should be.

Each makes the same number of pods in every run, so that a fault that makes one more shows.
"""

from collections.abc import Awaitable, Callable
from functools import partial

from support.user import Object, User

Workload = Callable[[User], Awaitable[None]]

MANY = 30
"""ImoocPods of two pods each in the small W9."""


async def create(user: User) -> None:
    """W1."""
    await user.create("web", 3)
    await user.converged("web", 3)


async def scale(user: User) -> None:
    """W2."""
    await user.create("web", 0)
    for replicas in (0, 3, 1, 4, 0):
        await user.scale("web", replicas)
        await user.converged("web", replicas)


async def delete(user: User) -> None:
    """W3: the pods go with it, or stay when they are orphaned."""
    for name, policy in (("web", "Background"), ("old", "Orphan")):
        cr = await user.create(name, 2)
        pods = await user.converged(name, 2)
        await user.delete(name, policy)
        await user.eventually(partial(_none, user, cr), f"nothing is owned by {name}")
        left = {pod["metadata"]["name"] for pod in await user.pods()}
        assert left >= set(pods) if policy == "Orphan" else not left & set(pods)


async def recreate(user: User) -> None:
    """W4: the same name, another uid."""
    old = await user.create("web", 2)
    await user.converged("web", 2)
    await user.delete("web")
    await user.create("web", 3)
    await user.converged("web", 3)
    await user.eventually(partial(_none, user, old), "the pods of the first are gone")


async def lose_a_pod(user: User) -> None:
    """W5."""
    await user.create("web", 2)
    first, _ = await user.converged("web", 2)
    await user.delete_pod(first)
    await user.eventually(partial(_without, user, first), "another pod stands in for it")


async def fail(user: User) -> None:
    """W6: one pod fails, one succeeds."""
    await user.create("web", 2)
    for phase in ("Failed", "Succeeded"):
        name = (await user.converged("web", 2))[0]
        await user.patch_pod(name, {"status": {"phase": phase, "reason": "Evicted"}}, "status")
        await user.eventually(partial(_without, user, name), f"{name} is replaced")


async def release(user: User) -> None:
    """W7: a pod loses its owner, is replaced, and comes back: one too many."""
    await user.create("web", 2)
    first, _ = await user.converged("web", 2)
    pods = {pod["metadata"]["name"]: pod for pod in await user.pods()}
    owner = pods[first]["metadata"]["ownerReferences"]
    await user.patch_pod(first, {"metadata": {"ownerReferences": None}})
    await user.eventually(partial(_without, user, first), "the released pod is replaced")
    await user.patch_pod(first, {"metadata": {"ownerReferences": owner}})

    async def two() -> bool | None:
        return True if len(await user.pods()) == 2 else None

    await user.eventually(two, "one of three is deleted")
    await user.converged("web", 2)


async def strangers(user: User) -> None:
    """W8: two ImoocPods, and foreign pods with the labels of both."""
    for name in ("one", "two"):
        await user.create_pod(f"stranger-of-{name}", labels={"app": name})
        await user.create(name, 2)
    for name in ("one", "two"):
        await user.converged(name, 2)
        await user.scale(name, 0)
        await user.converged(name, 0)
    left = sorted(pod["metadata"]["name"] for pod in await user.pods())
    assert left == ["stranger-of-one", "stranger-of-two"]


async def many(user: User) -> None:
    """W9, small."""
    names = [f"web-{number}" for number in range(MANY)]
    for name in names:
        await user.create(name, 2)
    for name in names:
        await user.converged(name, 2)


async def template(user: User) -> None:
    """W11: every pod is of the new template in the end."""
    await user.create("web", 3)
    before = set(await user.converged("web", 3))
    await user.patch("web", {"spec": {"command": ["sleep", "7200"]}})

    async def renewed() -> bool | None:
        cr = await user.get("web")
        names = await user.active(cr)
        right = len(names) == 3 and not before & set(names) and cr["status"]["podNames"] == names
        return True if right else None

    await user.eventually(renewed, "all pods are of the new template, and the status says so")


# W9 has too many writes to crash at each, W10 ends what the others live in: both have own files.
WORKLOADS: dict[str, Workload] = {
    "W1 create": create,
    "W2 scale": scale,
    "W3 delete": delete,
    "W4 recreate": recreate,
    "W5 lose a pod": lose_a_pod,
    "W6 fail": fail,
    "W7 release": release,
    "W8 strangers": strangers,
    "W11 template": template,
}


async def _none(user: User, owner: Object) -> bool | None:
    return True if not await user.pods(owner) else None


async def _without(user: User, pod: str) -> bool | None:
    cr = await user.get("web")
    names = await user.active(cr)
    right = len(names) == cr["spec"]["replicas"] and pod not in names
    return True if right and cr["status"]["podNames"] == names else None
