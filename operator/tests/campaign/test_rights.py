"""What the operator may do, from the audit log: all of it is used, and nothing else is tried.

The verdict is on every request of the session. Run alone, this file asks for everything itself.
"""

import asyncio
from functools import partial
from typing import Any

import pytest

from campaign.arena import Arena, Plan
from imooc_operator.settings import LEASE
from support.control_plane import manifests
from support.fault_proxy import Answer, Call, Cut, Send

pytestmark = [pytest.mark.asyncio, pytest.mark.timeout(120)]

Right = tuple[str, str, str]
"""API group, resource with its subresource, verb."""


def granted() -> set[Right]:
    """Return what the manifests let the operator do."""
    return {
        (group, resource, verb)
        for file in ("role.yaml", "lease_role.yaml")
        for manifest in manifests(file)
        for rule in manifest["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def asked(entry: dict[str, Any]) -> Right:
    """Return what right a request in the audit log needs."""
    about = entry["objectRef"]
    parts = (about["resource"], about.get("subresource"))
    return about.get("apiGroup", ""), "/".join(part for part in parts if part), entry["verb"]


def used(arena: Arena) -> set[Right]:
    """Return what the operator was let do, and did."""
    return {
        asked(entry) for entry in arena.audit() if entry["responseStatus"]["code"] in (200, 201)
    }


def denials(arena: Arena) -> list[dict[str, Any]]:
    """Return the requests that the operator had no right to.

    Quota and admission answer 403 too: the authorizer's own word tells a missing right from those.
    A 403 of the proxy never gets here, and what an API server says while it starts does not count.
    """
    return [
        entry
        for entry in arena.audit()
        if entry["annotations"]["authorization.k8s.io/decision"] == "forbid"
        and not any(
            began <= entry["requestReceivedTimestamp"] <= ready
            for began, ready in arena.plane.starts
        )
    ]


async def test_rights_are_taken_away_and_given_back(arena: Arena) -> None:
    async with arena.plan("rights: taken away") as plan:
        arena.rightless.add(plan.namespace)
        await plan.operator.start()
        await plan.user.create("web", 3)
        await plan.user.converged("web", 3)
        (binding,) = manifests("role_binding.yaml")
        binding["metadata"]["namespace"] = plan.namespace
        name = binding["metadata"]["name"]
        path = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{plan.namespace}/rolebindings/{name}"
        await asyncio.to_thread(arena.plane.call, "DELETE", path)
        plan.proxy.cut()
        await plan.user.scale("web", 4)
        await plan.user.eventually(partial(_denied, plan), "its watches are denied")
        await asyncio.to_thread(arena.plane.apply, binding)
        await plan.user.converged("web", 4)
        await plan.settled()
        assert plan.writes() == {"create": 4, "delete": 0}


async def test_every_granted_verb_is_used_and_none_is_denied(arena: Arena) -> None:
    await use_everything(arena)
    assert used(arena) == granted()
    unexpected = [
        entry
        for entry in denials(arena)
        if entry["objectRef"].get("namespace") not in arena.rightless
    ]
    assert unexpected == []


async def use_everything(arena: Arena) -> None:
    """Bring the operator into every situation in which it uses a right."""
    async with arena.plan("rights: all of them", "--leader-elect") as plan:
        plan.page_lists()  # the right to list is for an API server that asks for it
        lost = _Once("create pods")
        plan.proxy.rule(lost.matches, lost.strike)
        await plan.operator.start()
        await plan.user.create("web", 2)
        await plan.user.converged("web", 2)  # it got the pod whose create had no answer

        # Two pods fail alike, which is one event that happens twice; meanwhile the ImoocPod
        # changes unseen, so the status of the last is refused and it gets the ImoocPod.
        for _ in range(2):
            await _fail_one(plan)
        await plan.user.eventually(partial(_called, plan, "patch events"), "the event is counted")
        plan.proxy.freeze("imoocpods")
        await plan.user.patch("web", {"metadata": {"annotations": {"seen": "no"}}})
        await _fail_one(plan)
        plan.proxy.thaw("imoocpods")

        # The lease changes unseen, so its renewal is refused and it gets the lease.
        plan.proxy.freeze("leases")
        path = f"/apis/coordination.k8s.io/v1/namespaces/{plan.namespace}/leases/{LEASE}"
        lease = await asyncio.to_thread(arena.plane.call, "GET", path)
        lease["metadata"]["annotations"] = {"seen": "no"}
        await asyncio.to_thread(arena.plane.call, "PUT", path, lease)
        await plan.user.eventually(partial(_called, plan, "get leases"), "it gets the lease")
        await plan.settled()
        assert await plan.operator.terminate() == 0


class _Once:
    """Lets a call through, and loses the answer to the first one."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._left = 1

    def matches(self, call: Call) -> bool:
        matches = self._left > 0 and f"{call.verb} {call.resource}" == self._what
        self._left -= matches
        return matches

    async def strike(self, call: Call, send: Send) -> Answer:
        await send()
        raise Cut


async def _fail_one(plan: Plan) -> None:
    before = await plan.user.converged("web", 2)
    await plan.user.patch_pod(before[0], {"status": {"phase": "Failed"}}, "status")

    async def replaced() -> bool | None:
        now = await plan.user.active(await plan.user.get("web"))
        return True if len(now) == 2 and before[0] not in now else None

    await plan.user.eventually(replaced, f"{before[0]} is replaced")
    await plan.user.converged("web", 2)


async def _called(plan: Plan, what: str) -> bool | None:
    return any(f"{call.verb} {call.resource}" == what for call in plan.proxy.calls) or None


async def _denied(plan: Plan) -> bool | None:
    verbs = {
        asked(entry)[2]
        for entry in denials(plan.arena)
        if entry["objectRef"].get("namespace") == plan.namespace
    }
    return verbs >= {"watch"} or None
