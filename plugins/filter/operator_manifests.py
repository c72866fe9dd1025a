"""Fit the manifests of operator/deploy to an environment, as data.

The files are usable by hand as they are; this puts namespaces, images and settings in their place.
Invariant: a manifest is never changed in place, and what is not named here passes through as it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

JsonObject = dict[str, Any]

HOME = "imoocpod-operator"
"""The operator's own namespace, as the manifests have it."""

NAMESPACED_RIGHTS = ("Role", "RoleBinding")
CLUSTER_RIGHTS = ("ClusterRole", "ClusterRoleBinding")


def operator_rights(
    manifests: Iterable[JsonObject], operator_namespace: str, watch_namespaces: list[str]
) -> list[JsonObject]:
    """Return the objects that let the operator work, in the order in which they are applied.

    Roles and bindings come once for each watched namespace; with none named, the cluster-wide
    ones stand in for them. What the manifests have in the operator's own namespace stays there.
    """
    objects: list[JsonObject] = []
    for manifest in manifests:
        kind = manifest["kind"]
        if kind in NAMESPACED_RIGHTS and manifest["metadata"]["namespace"] != HOME:
            places: list[str | None] = [*watch_namespaces]
        elif kind in CLUSTER_RIGHTS:
            places = [] if watch_namespaces else [None]
        else:
            places = [operator_namespace]
        objects += [_placed(manifest, place, operator_namespace) for place in places]
    return objects


def _placed(manifest: JsonObject, namespace: str | None, operator_namespace: str) -> JsonObject:
    """Return the manifest in ``namespace``, its subjects in the operator's namespace."""
    placed = cast("JsonObject", _copy(manifest))
    if placed["kind"] == "Namespace":
        placed["metadata"]["name"] = namespace
    elif namespace is not None:
        placed["metadata"]["namespace"] = namespace
    for subject in placed.get("subjects", []):
        subject["namespace"] = operator_namespace
    return placed


def operator_deployment(
    manifest: JsonObject, namespace: str, image: str, env: dict[str, str]
) -> JsonObject:
    """Return the Deployment with ``image`` in its only container, and ``env`` set there.

    A variable that the manifest has keeps its place; others come last, in the order given.
    """
    deployment = cast("JsonObject", _copy(manifest))
    deployment["metadata"]["namespace"] = namespace
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["image"] = image
    known = [entry["name"] for entry in container.get("env", [])]
    container["env"] = [
        {"name": entry["name"], "value": env[entry["name"]]} if entry["name"] in env else entry
        for entry in container.get("env", [])
    ]
    container["env"] += [
        {"name": name, "value": value} for name, value in env.items() if name not in known
    ]
    return deployment


def in_namespace(manifest: JsonObject, namespace: str) -> JsonObject:
    """Return the manifest in ``namespace``."""
    placed = cast("JsonObject", _copy(manifest))
    placed["metadata"]["namespace"] = namespace
    return placed


def _copy(value: Any) -> Any:
    """Return a copy in plain dictionaries and lists.

    What Ansible hands to a filter holds on to the templating engine and all variables, and
    copy.deepcopy would copy those too: seconds for each manifest.
    """
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_copy(item) for item in value]
    return value


class FilterModule:
    """The filters of this file, as Ansible looks them up."""

    def filters(self) -> dict[str, Callable[..., object]]:
        """Return the filters by the names that templates use."""
        return {
            "in_namespace": in_namespace,
            "operator_deployment": operator_deployment,
            "operator_rights": operator_rights,
        }
