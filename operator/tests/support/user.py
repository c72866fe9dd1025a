"""A person with a client: makes and changes objects, and waits for the cluster to follow."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from imooc_operator.client.api import ApiClient, Resource
from imooc_operator.client.errors import (
    AlreadyExists,
    NotFound,
    ServerFailure,
    TooManyRequests,
    Unreachable,
)

Object = dict[str, Any]
T = TypeVar("T")

IMOOCPODS = Resource("k8s.imooc.com", "v1alpha1", "imoocpods")
PODS = Resource("", "v1", "pods")


class User:
    """Works in one namespace."""

    def __init__(self, client: ApiClient, namespace: str, deadline: float) -> None:
        """`deadline` is how many seconds the cluster gets to follow."""
        self.client = client
        self.namespace = namespace
        self.deadline = deadline

    async def create(self, name: str, replicas: int | str | None, **spec: Any) -> Object:
        body = {
            "apiVersion": "k8s.imooc.com/v1alpha1",
            "kind": "ImoocPod",
            "metadata": {"name": name},
            "spec": {"replicas": replicas, **spec},
        }
        return await self._create(IMOOCPODS, body)

    async def create_pod(self, name: str, **metadata: Any) -> Object:
        """Create a pod of nobody's, or of whoever `metadata` says."""
        restricted = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
        body = {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, **metadata},
            "spec": {
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65534,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {"name": "c", "image": "busybox:1.37", "securityContext": restricted}
                ],
            },
        }
        return await self._create(PODS, body)

    async def patch(self, name: str, body: Object) -> Object:
        path = IMOOCPODS.path(self.namespace, name)
        return _object(await self.client.patch(path, json.dumps(body).encode()))

    async def scale(self, name: str, replicas: int) -> Object:
        return await self.patch(name, {"spec": {"replicas": replicas}})

    async def patch_pod(self, name: str, body: Object, subresource: str = "") -> Object:
        path = PODS.path(self.namespace, name, subresource)
        return _object(await self.client.patch(path, json.dumps(body).encode()))

    async def get(self, name: str) -> Object:
        return _object(await self.client.get(IMOOCPODS.path(self.namespace, name)))

    async def delete(self, name: str, policy: str = "Background") -> None:
        options = json.dumps({"propagationPolicy": policy}).encode()
        await self.client.delete(IMOOCPODS.path(self.namespace, name), options)

    async def delete_pod(self, name: str, grace: int = 0) -> None:
        options = json.dumps({"gracePeriodSeconds": grace}).encode()
        await self.client.delete(PODS.path(self.namespace, name), options)

    async def pods(self, owner: Object | None = None) -> list[Object]:
        """Return all pods, or those that `owner` controls."""
        answer = _object(await self.client.get(PODS.path(self.namespace)))
        return [pod for pod in answer["items"] if owner is None or _controls(owner, pod)]

    async def active(self, owner: Object) -> list[str]:
        """Return the names of the pods that count for `owner`, sorted."""
        return sorted(
            pod["metadata"]["name"]
            for pod in await self.pods(owner)
            if "deletionTimestamp" not in pod["metadata"]
            and pod["status"]["phase"] in ("Pending", "Running")
        )

    async def converged(self, name: str, replicas: int) -> list[str]:
        """Wait until pods and status of `name` are as its spec says; return the pods' names."""

        async def check() -> list[str] | None:
            try:
                cr = await self.get(name)
            except NotFound:
                return None
            names = await self.active(cr)
            status = cr.get("status", {})
            right = (
                cr["spec"]["replicas"] == replicas == len(names)
                and status.get("podNames") == names
                and status.get("replicas") == replicas
                and status.get("observedGeneration") == cr["metadata"]["generation"]
            )
            return names if right else None

        return await self.eventually(check, f"{name} has {replicas} pods and says so")

    async def eventually(self, check: Callable[[], Awaitable[T | None]], what: str) -> T:
        """Return what `check` finds; fail with the evidence when the deadline passes."""
        try:
            async with asyncio.timeout(self.deadline):
                while True:
                    if (found := await check()) is not None:
                        return found
                    await asyncio.sleep(0.02)
        except TimeoutError:
            crs = _object(await self.client.get(IMOOCPODS.path(self.namespace)))["items"]
            evidence = {"imoocpods": crs, "pods": await self.pods()}
            raise AssertionError(
                f"not within {self.deadline:g} s: {what}\n{json.dumps(evidence, indent=1)}"
            ) from None

    async def insist(self, act: Callable[[], Awaitable[T]]) -> T | None:
        """Try `act` until the API server answers; None when an earlier try had done it."""
        async with asyncio.timeout(self.deadline):
            while True:
                try:
                    return await act()
                except AlreadyExists:
                    return None
                except (Unreachable, ServerFailure, TooManyRequests):
                    await asyncio.sleep(0.1)

    async def stays(self, check: Callable[[], Awaitable[bool]], seconds: float, what: str) -> None:
        """Assert that `check` holds again and again for `seconds`."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while loop.time() < end:
            assert await check(), what
            await asyncio.sleep(0.02)

    async def _create(self, resource: Resource, body: Object) -> Object:
        path = resource.path(self.namespace)
        return _object(await self.client.create(path, json.dumps(body).encode()))


def _controls(owner: Object, pod: Object) -> bool:
    return any(
        reference["uid"] == owner["metadata"]["uid"] and reference.get("controller")
        for reference in pod["metadata"].get("ownerReferences", [])
    )


def _object(answer: bytes) -> Object:
    decoded: Object = json.loads(answer)
    return decoded
