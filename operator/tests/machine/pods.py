"""What pods and ImoocPods say, as the specification has it."""

from typing import Any

from support.store import Object


def controller(obj: Object) -> str | None:
    """Return the uid of the ImoocPod that controls `obj`."""
    for reference in obj["metadata"].get("ownerReferences") or ():
        if reference.get("controller"):
            return str(reference["uid"]) if reference["kind"] == "ImoocPod" else None
    return None


def active(pod: Object) -> bool:
    """Return whether `pod` counts as a replica."""
    alive = "deletionTimestamp" not in pod["metadata"]
    return alive and pod["status"]["phase"] in ("Pending", "Running")


def finished(pod: Object) -> bool:
    """Return whether `pod` has ended and waits to be cleaned up."""
    alive = "deletionTimestamp" not in pod["metadata"]
    return alive and pod["status"]["phase"] in ("Failed", "Succeeded")


def is_ready(pod: Object) -> bool:
    conditions = pod["status"].get("conditions", ())
    return any((c["type"], c["status"]) == ("Ready", "True") for c in conditions)


def valid(cr: Object) -> bool:
    replicas = cr["spec"].get("replicas")
    return isinstance(replicas, int) and 0 <= replicas <= 1000


def template(pod: Object) -> tuple[Any, ...]:
    """Return what of `pod` its ImoocPod decides."""
    (container,) = pod["spec"]["containers"]
    return container["image"], container["command"], container.get("resources")


def wanted_template(cr: Object) -> tuple[Any, ...]:
    spec = cr["spec"]
    image, command = spec.get("image", "busybox:1.37"), spec.get("command", ["sleep", "3600"])
    return image, command, spec.get("resources")
