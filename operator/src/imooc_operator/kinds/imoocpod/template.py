"""The pod that an ImoocPod asks for.

Invariant: meets Pod Security `restricted` whatever the spec says, and gains its author nothing: no
token, no host access, no volume, no reference out of the namespace.
"""

import hashlib
from functools import lru_cache

import msgspec
from msgspec import UNSET

from .api import API_VERSION, DEFAULT_COMMAND, KIND, ImoocPod, ImoocPodSpec
from .observe import TEMPLATE_ANNOTATION

_NOBODY = 65534
_NAME_SLOT = "{name}"


def template_hash(spec: ImoocPodSpec) -> str:
    """Return what changes when, and only when, pods have to be replaced.

    The operator's own default image and pod layout are left out on purpose: upgrading the operator
    restarts no pod.
    """
    image = "" if spec.image is UNSET else spec.image
    resources = None if spec.resources is UNSET else spec.resources
    return _hash(image, tuple(spec.command), msgspec.json.encode(resources, order="sorted"))


@lru_cache(maxsize=256)  # asked several times in each pass, and most specs differ in replicas alone
def _hash(image: str, command: tuple[str, ...], resources: bytes) -> str:
    parts = msgspec.json.encode((image, command, msgspec.Raw(resources)))
    return hashlib.sha256(parts).hexdigest()[:12]


class PodTemplate:
    """The body of a create request, encoded once, with a gap for the name."""

    def __init__(self, cr: ImoocPod, spec: ImoocPodSpec, default_image: str) -> None:
        body = msgspec.json.encode(_pod(cr, spec, default_image))
        # metadata.name comes first, so a command that contains the same text is no matter.
        self._head, _, self._tail = body.partition(_NAME_SLOT.encode())

    def body(self, name: str) -> bytes:
        """Return the request body for the pod called `name`."""
        return self._head + name.encode() + self._tail


def _pod(cr: ImoocPod, spec: ImoocPodSpec, default_image: str) -> dict[str, object]:
    container: dict[str, object] = {
        "name": "busybox",
        "image": default_image if spec.image is UNSET else spec.image,
        "imagePullPolicy": "IfNotPresent",
        "command": spec.command,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    if spec.resources is not UNSET:
        container["resources"] = spec.resources
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": _NAME_SLOT,
            "namespace": cr.namespace,
            "labels": {"app": cr.name},
            "annotations": {TEMPLATE_ANNOTATION: template_hash(spec)},
            "ownerReferences": [
                {
                    "apiVersion": API_VERSION,
                    "kind": KIND,
                    "name": cr.name,
                    "uid": cr.uid,
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": _grace(spec),
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _NOBODY,
                "runAsGroup": _NOBODY,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
        },
    }


def _grace(spec: ImoocPodSpec) -> int:
    """Return the seconds a pod has to end by itself.

    busybox's sleep as process 1 ignores SIGTERM and has nothing to save: waiting for it is lost
    time. A command of the user's own gets Kubernetes' default.
    """
    return 1 if tuple(spec.command) == DEFAULT_COMMAND else 30
