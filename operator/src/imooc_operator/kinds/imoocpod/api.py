"""The types of ImoocPod; the CRD is generated from them.

Invariant: an object that breaks these types still becomes an ImoocPod, with `invalid` saying why,
so that one bad object (an older CRD, a field from the future) never stops the others.
"""

import sys
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from imooc_operator.runtime.objects import ObjectMeta

GROUP = "k8s.imooc.com"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
KIND = "ImoocPod"
PLURAL = "imoocpods"

DEFAULT_COMMAND = ("sleep", "3600")
MAX_REPLICAS = 1000
MAX_NAME = 50
"""A pod's name, `<name>-pod-<8 characters>`, must stay a valid host name of 63 characters."""

Quantities = Annotated[
    dict[str, int | str],
    Meta(description="Quantities by resource name, such as cpu: 100m.", max_length=16),
]


class Resources(Struct, frozen=True, omit_defaults=True):
    """Compute resources of the container."""

    requests: Annotated[
        Quantities | UnsetType, Meta(description="What the scheduler sets aside for each pod.")
    ] = UNSET
    limits: Annotated[
        Quantities | UnsetType, Meta(description="What the container may use at most.")
    ] = UNSET


class ImoocPodSpec(Struct, frozen=True, omit_defaults=True):
    """What the user wants."""

    replicas: Annotated[
        int,
        Meta(description="How many pods there should be.", ge=0, le=MAX_REPLICAS),
    ]
    image: Annotated[
        Annotated[str, Meta(min_length=1, max_length=512, pattern=r"^\S+$")] | UnsetType,
        Meta(description="Image of the container; by default the operator's --pod-image."),
    ] = UNSET
    command: Annotated[
        list[Annotated[str, Meta(max_length=4096)]],
        Meta(
            description="Command of the container, not run in a shell.",
            min_length=1,
            max_length=64,
            extra_json_schema={"default": list(DEFAULT_COMMAND)},
        ),
    ] = msgspec.field(default_factory=lambda: list(DEFAULT_COMMAND))
    resources: Annotated[
        Resources | UnsetType,
        Meta(description="Requests and limits of the container; none by default."),
    ] = UNSET


ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(Struct, frozen=True, rename="camel"):
    """One aspect of the state, as metav1.Condition."""

    type: Annotated[str, Meta(description="Ready, Progressing or Degraded.", max_length=316)]
    status: Annotated[ConditionStatus, Meta(description="True, False or Unknown.")]
    reason: Annotated[str, Meta(description="Why, in one CamelCase word.", max_length=1024)]
    message: Annotated[str, Meta(description="Why, in a sentence.", max_length=32768)]
    observed_generation: Annotated[
        int, Meta(description="The generation of the spec this was said about.", ge=0)
    ] = 0
    last_transition_time: Annotated[
        str,
        Meta(
            description="When the status last changed.", extra_json_schema={"format": "date-time"}
        ),
    ] = ""


class ImoocPodStatus(Struct, frozen=True, rename="camel"):
    """What the operator saw after its last pass."""

    replicas: Annotated[
        int, Meta(description="Pods that are pending or running and not being deleted.", ge=0)
    ] = 0
    ready_replicas: Annotated[int, Meta(description="Those of them that are ready.", ge=0)] = 0
    pod_names: Annotated[list[str], Meta(description="Their names, sorted.")] = []
    observed_generation: Annotated[
        int, Meta(description="The generation of the spec this status describes.", ge=0)
    ] = 0
    selector: Annotated[
        str, Meta(description="Label selector of the pods, for the scale subresource.")
    ] = ""
    conditions: Annotated[
        list[Condition],
        Meta(
            description="Ready, Progressing and Degraded.",
            extra_json_schema={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["type"],
            },
        ),
    ] = []


class ImoocPod(Struct, frozen=True, gc=False):
    """One custom resource as the cache keeps it."""

    namespace: str
    name: str
    uid: str
    revision: int
    generation: int
    deleting: bool
    spec: ImoocPodSpec | None
    invalid: str
    status: ImoocPodStatus | None


class RawImoocPod(Struct):
    """The object as it comes: spec and status undecoded, for they may break the types."""

    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)
    spec: msgspec.Raw = msgspec.Raw(b"{}")
    status: msgspec.Raw = msgspec.Raw(b"{}")


_SPEC = msgspec.json.Decoder(ImoocPodSpec)
_STATUS = msgspec.json.Decoder(ImoocPodStatus)

_set = msgspec.structs.force_setattr


def view(raw: RawImoocPod) -> ImoocPod:
    """Return what the cache keeps of `raw`; a spec that breaks the types is reported."""
    spec, invalid = None, ""
    try:
        spec = _SPEC.decode(raw.spec)
    except msgspec.ValidationError as error:
        invalid = str(error)
    try:
        status = _shared(_STATUS.decode(raw.status))
    except msgspec.ValidationError:
        status = None  # not written by this operator; it will be replaced
    meta = raw.metadata
    return ImoocPod(
        namespace=sys.intern(meta.namespace),
        name=meta.name,
        uid=sys.intern(meta.uid),
        revision=meta.revision,
        generation=meta.generation,
        deleting=meta.deletion_timestamp is not None,
        spec=spec,
        invalid=invalid,
        status=status,
    )


def _shared(status: ImoocPodStatus) -> ImoocPodStatus:
    """Return `status` with one copy in memory of what the statuses of others say too."""
    for condition in status.conditions:
        _set(condition, "reason", sys.intern(condition.reason))
        _set(condition, "message", sys.intern(condition.message))
        _set(condition, "last_transition_time", sys.intern(condition.last_transition_time))
    return status
