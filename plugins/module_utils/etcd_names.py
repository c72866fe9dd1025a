"""Where the API server stores an object that people call as kubectl does."""

from __future__ import annotations

import difflib
from collections.abc import Sequence

from ansible.module_utils import etcd_types
from ansible.module_utils.etcd_question import EtcdError, Range
from ansible.module_utils.kube_discovery import Resource

ROOT = "/registry"  # what --etcd-prefix is unless one says otherwise; kubeadm says nothing

# Resources whose keys have an older name.
# https://github.com/kubernetes/kubernetes/blob/master/pkg/kubeapiserver/default_storage_factory_builder.go
RENAMED = {
    "replicationcontrollers": "controllers",
    "endpoints": "services/endpoints",
    "nodes": "minions",
    "services": "services/specs",
    "ingresses.networking.k8s.io": "ingress",
}

# Groups of the built-in kinds, whose names are not part of the keys; of all others they are.
_BUILT_IN = {
    api_version.rpartition("/")[0]
    for api_version in (line.split(" ")[0] for line in etcd_types.PACKAGES.splitlines())
}


def find(name: str, namespace: str, default: str, resources: Sequence[Resource]) -> Range:
    """Return the keys of `pods`, `pods/x`, `deploy.apps/default/x`, `crd`, or `pods x -n y`.

    ``namespace`` is where to look, unless the name says so; without one all are meant, or for one
    object ``default``. Errors: EtcdError.
    """
    words = name.split()
    if "-n" in words[:-1]:
        namespace = words.pop(words.index("-n") + 1)
        words.remove("-n")
    kind, *path = "/".join(words).split("/")
    resource = _resource(kind, resources)
    if resource.namespaced and len(path) == 1:
        path.insert(0, namespace or default)
    elif resource.namespaced and namespace and not path:
        path = [namespace]
    if len(path) > (2 if resource.namespaced else 1) or any(part[:1] in "-" for part in path):
        raise EtcdError(
            f"not a name: {name!r}; give one like pods, pods/example, pods/default/example, "
            "or pods -n default"
        )
    stem = "/".join([folder(resource), *path])
    whole = len(path) == (2 if resource.namespaced else 1)
    return Range.key(stem) if whole else Range.prefix(f"{stem}/")


def folder(resource: Resource) -> str:
    """Return what the keys of all objects of a kind begin with."""
    full = f"{resource.plural}.{resource.group}".rstrip(".")
    if full in RENAMED:
        return f"{ROOT}/{RENAMED[full]}"
    group = [] if resource.group in _BUILT_IN else [resource.group]
    return "/".join([ROOT, *group, resource.plural])


def _resource(kind: str, resources: Sequence[Resource]) -> Resource:
    """Return the first kind of a name, as kubectl does: the core group comes first."""
    wanted, _, group = kind.lower().partition(".")
    for resource in resources:
        if wanted in resource.names and (not group or group == resource.group):
            return resource
    known = sorted({name for resource in resources for name in resource.names})
    close = difflib.get_close_matches(wanted, known)
    hint = f"did you mean {' or '.join(close)}?" if close else "see: kubectl api-resources"
    raise EtcdError(f"the cluster serves no kind {kind!r}; {hint}")
