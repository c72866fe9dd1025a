"""The controller of ImoocPods on kopf, as its documentation recommends.

Handlers for create, update and resume; in-memory indices instead of reads; an event handler for
the pods; one shared aiohttp session; uvloop; no events for log lines. Own writes that the indices
do not show yet are remembered, so nothing is made twice.
"""

import asyncio
import itertools
import json
import os
import secrets
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import kopf

GROUP, VERSION, PLURAL = "k8s.imooc.com", "v1alpha1", "imoocpods"
TEMPLATE = json.loads(Path(os.environ["POD_TEMPLATE"]).read_text())
CONNECTIONS = 64
BACKOFF = 1.0
"""Seconds until a failed handler is tried again; kopf's own minute is long for a pod."""


@dataclass
class State:
    """What this process did to one ImoocPod that the indices may not show yet."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    created: set[str] = field(default_factory=set)
    deleted: set[str] = field(default_factory=set)
    version: int = 0
    status: dict[str, Any] | None = None


states: dict[str, State] = {}
owners: dict[str, str] = {}
"""By uid of a pod the uid of the ImoocPod that had it last: who loses a pod must hear of it."""


@kopf.on.startup()
async def configure(settings: kopf.OperatorSettings, memo: kopf.Memo, **_: Any) -> None:
    settings.posting.enabled = False
    settings.scanning.disabled = True  # the resource types are known and do not change
    info = kopf.login_with_kubeconfig(settings=settings)
    memo.session = aiohttp.ClientSession(
        base_url=info.server,
        headers={"Authorization": f"Bearer {info.token}"},
        connector=aiohttp.TCPConnector(
            limit=CONNECTIONS, ssl=ssl.create_default_context(cafile=info.ca_path)
        ),
    )


@kopf.on.cleanup()
async def close(memo: kopf.Memo, **_: Any) -> None:
    await memo.session.close()


@kopf.index("", "v1", "pods")
async def pods_of(meta: kopf.Meta, status: kopf.Status, **_: Any) -> Any:
    if (owner := controller(meta)) is None:
        return None
    gone = meta.get("deletionTimestamp") is not None
    return {owner["uid"]: (meta["name"], meta["uid"], status.get("phase", "Pending"), gone)}


@kopf.index(GROUP, VERSION, PLURAL)
async def imoocpods(body: kopf.Body, meta: kopf.Meta, **_: Any) -> Any:
    return {meta["uid"]: body}


@kopf.on.resume(GROUP, VERSION, PLURAL, backoff=BACKOFF)
@kopf.on.create(GROUP, VERSION, PLURAL, backoff=BACKOFF)
@kopf.on.update(GROUP, VERSION, PLURAL, field="spec", backoff=BACKOFF)
async def changed(uid: str, memo: kopf.Memo, pods_of: Any, imoocpods: Any, **_: Any) -> None:
    await reconcile(uid, memo.session, pods_of, imoocpods)


@kopf.on.event("", "v1", "pods")
async def pod_changed(
    type: str | None,
    uid: str,
    meta: kopf.Meta,
    memo: kopf.Memo,
    pods_of: Any,
    imoocpods: Any,
    logger: Any,
    **_: Any,
) -> None:
    owner = controller(meta)
    concerned = {owners.pop(uid, None)}
    if owner is not None:
        concerned.add(owner["uid"])
        if type != "DELETED":
            owners[uid] = owner["uid"]
    for owner_uid in concerned - {None}:
        # Unlike the handlers above, those of events are not tried again by kopf.
        for attempt in itertools.count():
            try:
                await reconcile(owner_uid, memo.session, pods_of, imoocpods)
            except (aiohttp.ClientError, TimeoutError, ValueError) as error:
                logger.warning("%s: trying again", error)
                await asyncio.sleep(min(30, 0.05 * 2**attempt))
            else:
                break


@kopf.on.event(GROUP, VERSION, PLURAL)
async def forget(type: str | None, uid: str, **_: Any) -> None:
    if type == "DELETED":
        states.pop(uid, None)


def controller(meta: kopf.Meta) -> Any:
    owners = meta.get("ownerReferences", ())
    return next((o for o in owners if o.get("controller") and o["kind"] == "ImoocPod"), None)


async def reconcile(uid: str, session: Any, pods_of: Any, imoocpods: Any) -> None:
    state = states.setdefault(uid, State())
    async with state.lock:
        cr = next(iter(imoocpods.get(uid, ())), None)
        if cr is None or cr["metadata"].get("deletionTimestamp"):
            states.pop(uid, None)
            return
        pods = list(pods_of.get(uid, ()))
        state.created -= {name for name, *_ in pods}
        state.deleted &= {pod_uid for _, pod_uid, *_ in pods}
        live = [pod for pod in pods if not pod[3] and pod[1] not in state.deleted]
        finished = [pod for pod in live if pod[2] in ("Failed", "Succeeded")]
        active = [pod for pod in live if pod[2] not in ("Failed", "Succeeded")]
        missing = cr["spec"]["replicas"] - len(active) - len(state.created)
        surplus = active[:-missing] if missing < 0 else []
        await act(session, cr, state, [*finished, *surplus], max(0, missing))
        names = {pod[0] for pod in active} - {pod[0] for pod in surplus} | state.created
        await report(session, cr, state, sorted(names))


async def act(session: Any, cr: Any, state: State, surplus: list[Any], missing: int) -> None:
    namespace = cr["metadata"]["namespace"]
    path = f"/api/v1/namespaces/{namespace}/pods"

    async def delete(name: str, uid: str) -> None:
        body = {"preconditions": {"uid": uid}}
        async with session.delete(f"{path}/{name}", json=body) as answer:
            if answer.status not in (404, 409):
                answer.raise_for_status()
            state.deleted.add(uid)
            await answer.read()

    async def create(name: str) -> None:
        state.created.add(name)
        try:
            async with session.post(path, json=pod(cr, name)) as answer:
                answer.raise_for_status()
                await answer.read()
        except BaseException:
            state.created.discard(name)
            raise

    await asyncio.gather(*(delete(name, uid) for name, uid, *_ in surplus))
    await asyncio.gather(*(create(new_name(cr)) for _ in range(missing)))


async def report(session: Any, cr: Any, state: State, names: list[str]) -> None:
    """Write the status when it differs from the newest one known."""
    meta = cr["metadata"]
    status = {
        "replicas": len(names),
        "podNames": names,
        "observedGeneration": meta["generation"],
    }
    newer = state.version > int(meta["resourceVersion"])
    known = state.status if newer else cr.get("status", {})
    if known is not None and all(known.get(key) == value for key, value in status.items()):
        return
    path = f"/apis/{GROUP}/{VERSION}/namespaces/{meta['namespace']}/{PLURAL}/{meta['name']}/status"
    headers = {"Content-Type": "application/merge-patch+json"}
    async with session.patch(path, data=json.dumps({"status": status}), headers=headers) as answer:
        if answer.status == 404:
            return
        answer.raise_for_status()
        state.version = int((await answer.json())["metadata"]["resourceVersion"])
        state.status = status


def new_name(cr: Any) -> str:
    return f"{cr['metadata']['name']}-pod-{secrets.token_hex(4)}"


def pod(cr: Any, name: str) -> dict[str, Any]:
    meta = cr["metadata"]
    owner = {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "ImoocPod",
        "name": meta["name"],
        "uid": meta["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": meta["namespace"],
            "labels": {"app": meta["name"]},
            "annotations": TEMPLATE["metadata"]["annotations"],
            "ownerReferences": [owner],
        },
        "spec": TEMPLATE["spec"],
    }
