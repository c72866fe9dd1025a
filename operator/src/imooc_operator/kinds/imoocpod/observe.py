"""What the caches hold for one ImoocPod, as values that planning can decide on.

Invariant: pods are recognised by the uid in their controller reference, never by label or name.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import msgspec
from msgspec import Struct

from imooc_operator.runtime.cache import Cache
from imooc_operator.runtime.objects import Key, ObjectMeta

from .api import GROUP, KIND, ImoocPod

TEMPLATE_ANNOTATION = f"{GROUP}/template"
"""On each pod: the hash of the spec fields it was made from."""

Trouble = Literal["ContainerFailed", "CrashLooping", "ImagePullFailed", "Unschedulable"]
"""What keeps a pod from being ready, when waiting alone may not help."""

Refusal = Literal["AdmissionDenied", "NotPermitted", "PodInvalid", "QuotaExceeded"]
"""Why the API server takes no pod."""

_TROUBLES: dict[str, Trouble] = {
    "CrashLoopBackOff": "CrashLooping",
    "CreateContainerConfigError": "ContainerFailed",
    "CreateContainerError": "ContainerFailed",
    "ErrImageNeverPull": "ImagePullFailed",
    "ErrImagePull": "ImagePullFailed",
    "ImagePullBackOff": "ImagePullFailed",
    "InvalidImageName": "ImagePullFailed",
    "RunContainerError": "ContainerFailed",
}


class _Waiting(Struct, gc=False):
    reason: str = ""


class _ContainerState(Struct, gc=False):
    waiting: _Waiting | None = None


class _ContainerStatus(Struct, gc=False):
    state: _ContainerState | None = None


class _PodCondition(Struct, gc=False):
    type: str
    status: str
    reason: str = ""


class _PodStatus(Struct, rename="camel", gc=False):
    phase: str = "Pending"
    conditions: list[_PodCondition] | None = None
    container_statuses: list[_ContainerStatus] | None = None


class _PodSpec(Struct, rename="camel", gc=False):
    node_name: str = ""


class RawPod(Struct, gc=False):
    """The fields of a pod that the operator reads."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: _PodSpec = msgspec.field(default_factory=_PodSpec)
    status: _PodStatus = msgspec.field(default_factory=_PodStatus)


class PodView(Struct, frozen=True, gc=False):
    """One pod controlled by an ImoocPod, as the cache keeps it."""

    namespace: str
    name: str
    uid: str
    revision: int
    owner_uid: str
    owner_name: str
    phase: str = "Pending"
    ready: bool = False
    scheduled: bool = False
    terminating: bool = False
    created: str = ""
    template: str = ""
    trouble: Trouble | Literal[""] = ""

    @property
    def active(self) -> bool:
        """Whether the pod counts as one of the replicas."""
        return not self.terminating and self.phase in ("Pending", "Running")

    @property
    def finished(self) -> bool:
        """Whether the pod will never run again and is not being deleted yet."""
        return not self.terminating and self.phase in ("Failed", "Succeeded")


@dataclass(frozen=True, slots=True)
class Failure:
    """Why pods could not be made in this pass, when trying harder will not help."""

    reason: Refusal
    message: str


@dataclass(frozen=True, slots=True)
class Observed:
    """What the caches held for one key when the pass began, and what the pass met since.

    `cr` is None when there is no such ImoocPod. `pods` are those it controls, in any state.
    `taken` are names that belong to someone else's pods. `now` is RFC 3339 in UTC.
    """

    cr: ImoocPod | None
    pods: Sequence[PodView] = ()
    taken: frozenset[str] = frozenset()
    failure: Failure | None = None
    now: str = ""


def view(raw: RawPod) -> PodView | None:
    """Return what the cache keeps of a pod, None when no ImoocPod controls it."""
    meta = raw.metadata
    owner = meta.controller()
    if owner is None or owner.kind != KIND or not owner.api_version.startswith(f"{GROUP}/"):
        return None
    ready, trouble = _judged(raw.status)
    return PodView(
        namespace=sys.intern(meta.namespace),
        name=meta.name,
        uid=meta.uid,
        revision=meta.revision,
        owner_uid=sys.intern(owner.uid),
        owner_name=sys.intern(owner.name),
        phase=sys.intern(raw.status.phase),
        ready=ready,
        scheduled=raw.spec.node_name != "",
        terminating=meta.deletion_timestamp is not None,
        created=meta.creation_timestamp,
        template=sys.intern((meta.annotations or {}).get(TEMPLATE_ANNOTATION, "")),
        trouble=trouble,
    )


def owner_key(pod: PodView) -> Key:
    """Return the key of the ImoocPod that controls `pod`."""
    return f"{pod.namespace}/{pod.owner_name}"


def observe(
    key: Key,
    crs: Cache[ImoocPod],
    pods: Cache[PodView],
    *,
    taken: frozenset[str] = frozenset(),
    now: str = "",
) -> Observed:
    """Return what the caches hold for `key`, with what else a plan needs to know."""
    cr = crs.get(key)
    if cr is None:
        return Observed(cr=None)
    # The index spans namespaces, but a controller reference never does.
    own = [pod for pod in pods.indexed(cr.uid) if pod.namespace == cr.namespace]
    return Observed(cr=cr, pods=own, taken=taken, now=now)


def _judged(status: _PodStatus) -> tuple[bool, Trouble | Literal[""]]:
    """Return whether the pod is ready, and what stands in its way."""
    ready = unschedulable = False
    for condition in status.conditions or ():
        if condition.type == "Ready":
            ready = condition.status == "True"
        elif condition.type == "PodScheduled":
            unschedulable = condition.reason == "Unschedulable"
    for container in status.container_statuses or ():
        waiting = container.state and container.state.waiting
        if waiting and (trouble := _TROUBLES.get(waiting.reason)):
            return ready, trouble
    return ready, "Unschedulable" if unschedulable else ""
