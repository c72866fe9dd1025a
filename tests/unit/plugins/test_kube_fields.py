"""Convergence is read off managedFields: never True of a drifted object."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible.module_utils import kube_fields

MANAGER = "imooc-ansible"

DESIRED: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "op", "namespace": "ns", "labels": {"app": "op"}},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "op"}},
        "template": {
            "spec": {
                "containers": [
                    {
                        "name": "main",
                        "image": "a@sha256:1",
                        "args": ["--x"],
                        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                        "securityContext": {"readOnlyRootFilesystem": True},
                        "ports": [{"containerPort": 8080}],
                    }
                ]
            }
        },
    },
}
OWNED: dict[str, Any] = {
    "f:metadata": {"f:labels": {"f:app": {}}},
    "f:spec": {
        "f:replicas": {},
        "f:selector": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    'k:{"name":"main"}': {
                        ".": {},
                        "f:name": {},
                        "f:image": {},
                        "f:args": {},
                        "f:env": {
                            'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}},
                            'k:{"name":"B"}': {".": {}, "f:name": {}, "f:value": {}},
                        },
                        "f:ports": {
                            'k:{"containerPort":8080,"protocol":"TCP"}': {
                                ".": {},
                                "f:containerPort": {},
                            }
                        },
                        "f:securityContext": {"f:readOnlyRootFilesystem": {}},
                    }
                }
            }
        },
    },
}


def live_object() -> dict[str, Any]:
    """Return DESIRED as the server stores it, with defaults and what it adds for itself."""
    live = copy.deepcopy(DESIRED)
    live["metadata"] |= {
        "uid": "u",
        "resourceVersion": "7",
        "generation": 1,
        "managedFields": [
            {"manager": "kube-controller-manager", "operation": "Update", "subresource": "status"},
            {
                "manager": MANAGER,
                "operation": "Apply",
                "apiVersion": "apps/v1",
                "time": "2026-01-01T00:00:00Z",
                "fieldsV1": copy.deepcopy(OWNED),
            },
        ],
    }
    live["spec"]["progressDeadlineSeconds"] = 600
    container(live)["terminationMessagePath"] = "/dev/x"
    container(live)["ports"][0]["protocol"] = "TCP"
    live["status"] = {"replicas": 2}
    return live


def container(obj: dict[str, Any]) -> dict[str, Any]:
    """Return the only container of the Deployment."""
    found: dict[str, Any] = obj["spec"]["template"]["spec"]["containers"][0]
    return found


def owned_container(live: dict[str, Any]) -> dict[str, Any]:
    """Return what the manager owns of the container."""
    fields = live["metadata"]["managedFields"][1]["fieldsV1"]
    found: dict[str, Any] = fields["f:spec"]["f:template"]["f:spec"]["f:containers"][
        'k:{"name":"main"}'
    ]
    return found


def test_what_was_applied_is_converged_whatever_the_server_added() -> None:
    assert kube_fields.is_converged(DESIRED, live_object(), MANAGER)


def test_an_object_that_only_others_wrote_is_not_converged() -> None:
    assert not kube_fields.is_converged(DESIRED, live_object(), "somebody-else")


DRIFTS: dict[str, Any] = {
    "another image": lambda live: container(live).update(image="evil"),
    "an atomic list changed": lambda live: container(live)["args"].append("--y"),
    "true became 1": lambda live: container(live)["securityContext"].update(
        readOnlyRootFilesystem=1
    ),
    "a label removed": lambda live: live["metadata"].pop("labels"),
    "a field taken by another manager": lambda live: live["metadata"]["managedFields"][1][
        "fieldsV1"
    ]["f:spec"].pop("f:replicas"),
    "env in another order": lambda live: container(live)["env"].reverse(),
    "a list item gone": lambda live: container(live)["env"].pop(),
    "the same key twice": lambda live: container(live)["env"].append({"name": "A", "value": "9"}),
    "applied under another version": lambda live: live["metadata"]["managedFields"][1].update(
        apiVersion="apps/v2"
    ),
    "a key that was applied, and is not in the manifest": lambda live: owned_container(live)[
        "f:ports"
    ]['k:{"containerPort":8080,"protocol":"TCP"}'].update({"f:protocol": {}}),
    "the container gone": lambda live: live["spec"]["template"]["spec"]["containers"].clear(),
    "the whole spec replaced by a list": lambda live: live.update(spec=[]),
}


@pytest.mark.parametrize("drift", DRIFTS.values(), ids=DRIFTS.keys())
def test_drift_is_seen(drift: Any) -> None:
    live = live_object()
    drift(live)
    assert not kube_fields.is_converged(DESIRED, live, MANAGER)


def test_a_field_dropped_from_the_manifest_is_a_change() -> None:
    desired = copy.deepcopy(DESIRED)
    del container(desired)["args"]
    assert not kube_fields.is_converged(desired, live_object(), MANAGER)


def test_a_field_new_in_the_manifest_is_a_change_even_with_the_live_value() -> None:
    desired = copy.deepcopy(DESIRED)
    desired["spec"]["progressDeadlineSeconds"] = 600
    assert not kube_fields.is_converged(desired, live_object(), MANAGER)


@pytest.mark.parametrize(
    ("live_set", "converged"),
    [(["a", "b"], True), (["b"], True), (["a"], False), (["b", "b"], False), (None, False)],
    ids=["with a foreign item", "alone", "ours gone", "twice", "not a list"],
)
def test_sets_are_compared_by_value(live_set: Any, converged: bool) -> None:
    desired = {"apiVersion": "v1", "kind": "X", "metadata": {"name": "x", "finalizers": ["b"]}}
    entry = {
        "manager": MANAGER,
        "operation": "Apply",
        "apiVersion": "v1",
        "fieldsV1": {"f:metadata": {"f:finalizers": {'v:"b"': {}}}},
    }
    metadata = {"name": "x", "finalizers": live_set, "managedFields": [entry]}
    assert (
        kube_fields.is_converged(desired, {**desired, "metadata": metadata}, MANAGER) is converged
    )


def test_a_dry_run_that_moves_only_times_and_versions_differs_in_nothing() -> None:
    before, after = live_object(), live_object()
    after["metadata"]["resourceVersion"] = "8"
    after["metadata"]["managedFields"][1]["time"] = "2027-01-01T00:00:00Z"
    assert not kube_fields.differs(before, after)


def test_a_dry_run_that_moves_ownership_differs() -> None:
    after = live_object()
    owned_container(after)["f:command"] = {}
    assert kube_fields.differs(live_object(), after)


def test_what_people_see_has_no_noise() -> None:
    shown = kube_fields.without_noise(live_object())
    assert shown["metadata"] == DESIRED["metadata"]
    assert "status" not in shown
