"""What people write into an ImoocPod: sensible, impossible, malicious, of another time.

What the API server takes is followed, and what is put back ends in the state it began with.
"""

import asyncio
from typing import Any

import pytest

from campaign.arena import Arena
from imooc_operator.client.errors import Refused
from support.user import Object, User

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

SEED: Object = {
    "replicas": 2,
    "image": "busybox:1.37",
    "command": ["sleep", "3600"],
    "resources": {"requests": {"cpu": "10m"}},
}

TAKEN = [
    ("replicas", 0),
    ("replicas", 1),
    ("replicas", 40),
    ("image", "busybox:1.36"),
    ("image", "x" * 512),
    ("image", None),
    ("command", ["true"]),
    ("command", ["x" * 4096] * 64),
    ("command", None),
    ("resources", {"limits": {"cpu": 1, "memory": "1Gi"}, "requests": None}),
    ("resources", {"requests": {"cpu": "0"}}),
    ("resources", None),
    ("nodeName", "pruned"),
]

REFUSED = [
    ("replicas", -1),
    ("replicas", 1001),
    ("replicas", 10**30),
    ("replicas", 1.5),
    ("replicas", "three"),
    ("replicas", None),
    ("image", ""),
    ("image", "two words"),
    ("image", "x" * 513),
    ("image", 5),
    ("command", []),
    ("command", "sleep"),
    ("command", [1]),
    ("command", ["x"] * 65),
    ("command", ["x" * 4097]),
    ("resources", "much"),
    ("resources", {"limits": {"cpu": "lots"}}),
    ("resources", {"limits": {f"example.com/{n}": 1 for n in range(17)}}),
]


def state(crs: list[Object], pods: list[Object]) -> Any:
    """Return what there is without what differs from one making to the next."""
    (cr,) = crs
    status = {k: v for k, v in cr["status"].items() if k not in ("podNames", "observedGeneration")}
    for condition in status["conditions"]:
        del condition["lastTransitionTime"], condition["observedGeneration"]
    kept = ("labels", "annotations", "ownerReferences", "namespace")
    made = [{k: pod["metadata"][k] for k in kept} | {"spec": pod["spec"]} for pod in pods]
    return cr["spec"], status, sorted(made, key=str)


async def follows(user: User, name: str = "web") -> Any:
    """Wait until all pods are of the spec that is there now; return the state."""

    async def check() -> Any:
        cr = await user.get(name)
        pods, status = await user.pods(cr), cr.get("status", {})
        spec = cr["spec"]
        image, command = spec.get("image", "busybox:1.37"), spec.get("command")
        right = (
            len(pods) == spec["replicas"] == status.get("replicas")
            and status["observedGeneration"] == cr["metadata"]["generation"]
            and status["podNames"] == sorted(pod["metadata"]["name"] for pod in pods)
            and all(made_of(pod) == (image, command) for pod in pods)
        )
        return state([cr], pods) if right else None

    return await user.eventually(check, f"{name} is as its spec says")


def made_of(pod: Object) -> tuple[str, list[str]]:
    (container,) = pod["spec"]["containers"]
    return container["image"], container["command"]


async def degraded(user: User, reason: str, name: str = "web") -> str:
    async def check() -> str | None:
        for condition in (await user.get(name)).get("status", {}).get("conditions", ()):
            if (condition["type"], condition["status"]) == ("Degraded", "True"):
                return str(condition["message"]) if condition["reason"] == reason else None
        return None

    return await user.eventually(check, f"{name} is degraded: {reason}")


async def test_every_field_there_and_back(arena: Arena) -> None:
    async with arena.plan("spec: every field there and back") as plan:
        user = plan.user
        await plan.operator.start()
        await user.create("web", **SEED)
        seed = await follows(user)
        fields = (await user.get("web"))["metadata"]["managedFields"]
        written = [entry["fieldsV1"] for entry in fields if entry.get("subresource") == "status"]
        assert written == [{"f:status": {}}], "one value: tracking its fields costs a pod's work"
        for field, value in TAKEN:
            await user.patch("web", {"spec": {field: value}})
            await follows(user)
            # A merge patch would leave what the change has added.
            await user.patch("web", {"spec": {field: None}} if field != "replicas" else {})
            await user.patch("web", {"spec": SEED})
            assert await follows(user) == seed, f"{field} was {str(value)[:80]}"


async def test_what_the_api_server_refuses_changes_nothing(arena: Arena) -> None:
    async with arena.plan("spec: refused values") as plan:
        user = plan.user
        await plan.operator.start()
        await user.create("web", **SEED)
        seed = await follows(user)
        before = plan.writes()
        for field, value in REFUSED:
            with pytest.raises(Refused) as refusal:
                await user.patch("web", {"spec": {field: value}})
            assert field in str(refusal.value), "the message names the field"
        await plan.settled()
        assert await follows(user) == seed
        assert plan.writes() == before


async def test_a_quota_that_is_raised(arena: Arena) -> None:
    async with arena.plan("impossible: quota") as plan:
        path = f"/api/v1/namespaces/{plan.namespace}/resourcequotas"
        spec = {"hard": {"pods": "1"}}
        quota = arena.plane.call("POST", path, {"metadata": {"name": "q"}, "spec": spec})
        # The controller that would compute it is not there.
        quota["status"] = {"hard": {"pods": "1"}, "used": {"pods": "0"}}
        arena.plane.call("PUT", f"{path}/q/status", quota)
        await plan.operator.start()
        await plan.user.create("web", 3)
        assert "exceeded quota" in await degraded(plan.user, "QuotaExceeded")
        arena.plane.call("DELETE", f"{path}/q")
        await plan.user.converged("web", 3)
        await healthy(plan.user)


async def test_an_admission_rule_that_is_lifted(arena: Arena) -> None:
    async with arena.plan("impossible: admission") as plan:
        path = f"/api/v1/namespaces/{plan.namespace}/limitranges"
        spec = {"limits": [{"type": "Container", "max": {"cpu": "10m"}}]}
        arena.plane.call("POST", path, {"metadata": {"name": "l"}, "spec": spec})
        await plan.operator.start()
        resources = {"limits": {"cpu": "1"}, "requests": {"cpu": "1m"}}
        await plan.user.create("web", 2, resources=resources)
        await degraded(plan.user, "AdmissionDenied")
        arena.plane.call("DELETE", f"{path}/l")
        await plan.user.converged("web", 2)
        await healthy(plan.user)


async def test_resources_that_contradict_each_other_and_are_put_right(arena: Arena) -> None:
    async with arena.plan("impossible: pod invalid") as plan:
        await plan.operator.start()
        mistaken = {"limits": {"cpu": "1"}, "requests": {"cpu": "2"}}
        await plan.user.create("web", 2, resources=mistaken)
        assert "must be less than or equal to cpu limit" in await degraded(plan.user, "PodInvalid")
        await plan.user.patch("web", {"spec": {"resources": {"requests": {"cpu": "1"}}}})
        await plan.user.converged("web", 2)
        await healthy(plan.user)


async def test_pods_that_fit_nowhere_for_a_while(arena: Arena) -> None:
    async with arena.plan("impossible: unschedulable") as plan:
        await plan.operator.start()
        await plan.user.create("web", 2)
        first, _ = await plan.user.converged("web", 2)
        for fits in (False, True):
            condition = {"type": "PodScheduled", "status": str(fits)}
            if not fits:
                condition["reason"] = "Unschedulable"
            await plan.user.patch_pod(first, {"status": {"conditions": [condition]}}, "status")
            await (healthy(plan.user) if fits else degraded(plan.user, "Unschedulable"))
        assert first in await plan.user.converged("web", 2), "waiting is no reason to replace it"


async def healthy(user: User) -> None:
    async def check() -> bool | None:
        conditions = (await user.get("web"))["status"]["conditions"]
        found = {c["type"]: c["status"] for c in conditions}
        return True if found["Degraded"] == "False" else None

    await user.eventually(check, "web is degraded no more")


MALICE: Object = {
    "replicas": 1,
    "command": ['{name}", "securityContext": {"privileged": true}, "x": "'],
    "privileged": True,
    "hostNetwork": True,
    "serviceAccountName": "admin",
    "namespace": "kube-system",
    "volumes": [{"name": "host", "hostPath": {"path": "/"}}],
    "securityContext": {"privileged": True, "runAsUser": 0},
    "template": {"spec": {"hostPID": True, "nodeName": "control-plane"}},
}


async def test_malice_gains_nothing(arena: Arena) -> None:
    async with arena.plan("malice") as plan:
        user = plan.user
        await plan.operator.start()
        everywhere = arena.plane.call("GET", "/api/v1/namespaces/kube-system/pods")["items"]
        await user.create("web", **MALICE)
        await user.create("a.b-c.d", **MALICE)
        huge = {f"label-{number}": "x" * 63 for number in range(500)}
        annotations = {"k8s.imooc.com/template": "forged", "big": "x" * 200_000}
        await user.patch("web", {"metadata": {"labels": huge, "annotations": annotations}})
        await user.patch("a.b-c.d", {"metadata": {"labels": {"app": "kube-apiserver"}}})
        with pytest.raises(Refused):
            await user.create("x" * 51, 1)
        with pytest.raises(Refused):
            await user.create("../../pods", 1)
        for name in ("web", "a.b-c.d"):
            await user.converged(name, 1)
        pods = await user.pods()
        assert len(pods) == 2
        for pod in pods:
            harmless(pod, plan.namespace)
        assert arena.plane.call("GET", "/api/v1/namespaces/kube-system/pods")["items"] == everywhere
        asked = {entry["objectRef"].get("namespace") for entry in arena.audit()}
        assert not asked & {"kube-system", "default"}


def harmless(pod: Object, namespace: str) -> None:
    """Assert that `pod` may do nothing that a pod of restricted Pod Security may not."""
    meta, spec = pod["metadata"], pod["spec"]
    assert meta["namespace"] == namespace
    assert set(meta["labels"]) == {"app"}
    assert list(meta["annotations"]) == ["k8s.imooc.com/template"]
    assert spec.get("serviceAccountName", "default") == "default"
    assert spec["automountServiceAccountToken"] is False
    assert not {"volumes", "nodeName", "hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert spec["securityContext"]["runAsNonRoot"] is True
    (container,) = spec["containers"]
    assert container["command"] == MALICE["command"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }


CRD = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/imoocpods.k8s.imooc.com"


async def test_objects_of_another_time(arena: Arena) -> None:
    """Under a CRD that lets everything through, as an older one or one yet to come may do."""
    ours = arena.plane.call("GET", CRD)
    async with arena.plan("another time") as plan:
        user = plan.user
        await plan.operator.start()
        await asyncio.to_thread(_replace_version, arena, _ANYTHING)
        try:
            await _let_through(user)
            bad: dict[str, Object] = {
                "text": {"replicas": "many"},
                "below": {"replicas": -1},
                "far": {"replicas": 10**12},
                "none": {},
                "mixed": {"replicas": 1, "command": "sleep", "image": ["x"]},
            }
            for name, spec in bad.items():
                await create(user, name, spec)
            await create(user, "new", {"replicas": 2, "strategy": {"type": "Future"}})
            for name in bad:
                await degraded(user, "InvalidSpec", name)
            await user.converged("new", 2)
            assert len(await user.pods()) == 2
            await plan.settled()
            writes = sum(call.writes for call in plan.proxy.calls)
            await asyncio.sleep(1)
            now = sum(call.writes for call in plan.proxy.calls)
            assert now == writes, "there is nothing to try again"
            for name in bad:
                await user.patch(name, {"spec": {"replicas": 1, "command": None, "image": None}})
                await user.converged(name, 1)
            assert plan.operator.runs
        finally:
            await asyncio.to_thread(_replace_version, arena, ours["spec"]["versions"][0])


_SCHEMA: Object = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}

_ANYTHING: Object = {
    "name": "v1alpha1",
    "served": True,
    "storage": True,
    "schema": {"openAPIV3Schema": _SCHEMA},
    "subresources": {"status": {}},
}


def _replace_version(arena: Arena, version: Object) -> None:
    crd = arena.plane.call("GET", CRD)
    crd["spec"]["versions"] = [version]
    arena.plane.call("PUT", CRD, crd)


async def create(user: User, name: str, spec: Object) -> None:
    await user.create(name, spec.get("replicas"), **{k: spec[k] for k in spec if k != "replicas"})


async def _let_through(user: User) -> None:
    """Wait until the API server goes by the other schema."""

    async def check() -> bool | None:
        try:
            await create(user, "probe", {"replicas": "none"})
        except Refused:
            return None
        return True

    await user.eventually(check, "the other schema is in force")
    await user.delete("probe")
