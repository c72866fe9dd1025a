"""Short ways to the values that planning works on."""

from typing import Any

import msgspec

from imooc_operator.kinds.imoocpod.api import ImoocPod, ImoocPodSpec, ImoocPodStatus
from imooc_operator.kinds.imoocpod.observe import Observed, PodView
from imooc_operator.kinds.imoocpod.template import template_hash

NOW = "2026-01-02T03:04:05Z"


def cr(replicas: int = 3, **fields: Any) -> ImoocPod:
    """Return an ImoocPod `default/web` whose spec is replicas and whatever of it is in `fields`."""
    spec_fields = {k: fields.pop(k) for k in ("image", "command", "resources") if k in fields}
    values: dict[str, Any] = {
        "namespace": "default",
        "name": "web",
        "uid": "cr-1",
        "revision": 10,
        "generation": 1,
        "deleting": False,
        "spec": ImoocPodSpec(replicas=replicas, **spec_fields),
        "invalid": "",
        "status": None,
    }
    return ImoocPod(**{**values, **fields})


def pod(name: str, owner: ImoocPod | None = None, **fields: Any) -> PodView:
    """Return a pod of `owner` (default/web) that is running and ready unless `fields` says not."""
    owner = owner or cr()
    template = template_hash(owner.spec) if owner.spec else ""
    values: dict[str, Any] = {
        "namespace": owner.namespace,
        "name": name,
        "uid": f"uid-{name}",
        "revision": 20,
        "owner_uid": owner.uid,
        "owner_name": owner.name,
        "phase": "Running",
        "ready": True,
        "scheduled": True,
        "created": "2026-01-01T00:00:00Z",
        "template": template,
    }
    return PodView(**{**values, **fields})


def seen(owner: ImoocPod | None, *pods: PodView, **fields: Any) -> Observed:
    """Return the observation of `owner` with `pods`."""
    return Observed(cr=owner, pods=pods, now=NOW, **fields)


def with_status(owner: ImoocPod, status: ImoocPodStatus) -> ImoocPod:
    """Return `owner` with `status`."""
    return msgspec.structs.replace(owner, status=status)
