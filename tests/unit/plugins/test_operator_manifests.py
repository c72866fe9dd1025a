"""The manifests of operator/deploy fit every choice of namespaces, images and settings."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from plugins.filter.operator_manifests import operator_deployment, operator_rights

DEPLOY = Path(__file__).resolve().parents[3] / "operator" / "deploy"


def manifests(*names: str) -> list[dict[str, Any]]:
    """Return the objects of files in operator/deploy."""
    return [obj for name in names for obj in yaml.safe_load_all((DEPLOY / name).read_text())]


@pytest.fixture
def rights() -> list[dict[str, Any]]:
    """All that the role operator_rbac hands to the filter."""
    return manifests(
        "service_account.yaml",
        "role.yaml",
        "role_binding.yaml",
        "lease_role.yaml",
        "lease_role_binding.yaml",
        "all-namespaces/cluster_role.yaml",
        "all-namespaces/cluster_role_binding.yaml",
    )


def placed(objects: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Return kind and namespace of objects, in order."""
    return [(obj["kind"], obj["metadata"].get("namespace", "")) for obj in objects]


@pytest.mark.parametrize(
    ("watched", "expected"),
    [
        pytest.param(["default"], [("Role", "default"), ("RoleBinding", "default")], id="one"),
        pytest.param(
            ["a", "b"],
            [("Role", "a"), ("Role", "b"), ("RoleBinding", "a"), ("RoleBinding", "b")],
            id="several",
        ),
        pytest.param([], [("ClusterRole", ""), ("ClusterRoleBinding", "")], id="all"),
    ],
)
def test_rights_come_where_they_are_needed_and_nowhere_else(
    rights: list[dict[str, Any]], watched: list[str], expected: list[tuple[str, str]]
) -> None:
    found = operator_rights(rights, "ops", watched)
    lease = [("Role", "ops"), ("RoleBinding", "ops")]
    got = placed(found)
    assert got[:2] == [("Namespace", ""), ("ServiceAccount", "ops")]
    assert sorted(got[2:]) == sorted([*expected, *lease])


def test_another_namespace_of_the_operator_is_set_everywhere(rights: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(rights)
    found = operator_rights(rights, "ops", ["default"])
    assert found[0]["metadata"]["name"] == "ops"
    assert [s["namespace"] for obj in found for s in obj.get("subjects", [])] == ["ops", "ops"]
    assert rights == before


def test_the_deployment_gets_its_image_and_settings() -> None:
    (manifest,) = manifests("operator.yaml")
    found = operator_deployment(
        manifest, "ops", "r/op@sha256:1", {"POD_IMAGE": "r/bb@sha256:2", "EXTRA": "x"}
    )
    (container,) = found["spec"]["template"]["spec"]["containers"]
    env = {entry["name"]: entry["value"] for entry in container["env"]}
    assert found["metadata"]["namespace"] == "ops"
    assert container["image"] == "r/op@sha256:1"
    assert env["POD_IMAGE"] == "r/bb@sha256:2"
    assert env["EXTRA"] == "x"
    assert env["WATCH_NAMESPACES"] == "default"  # not named, so the manifest's own
    assert len(env) == len(container["env"])
