"""What is made of the API server's objects: whose a pod is, how it is, and who leads."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible.module_utils import etcd_kinds, status_objects

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DEPLOYMENT: Any = {
    "metadata": {"name": "op", "namespace": "home"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "op"}},
        "template": {"spec": {"containers": [{"image": "i@sha256:1"}]}},
    },
    "status": {"availableReplicas": 1, "updatedReplicas": 2},
}
CUSTOM: Any = {
    "metadata": {"name": "web", "namespace": "team", "uid": "cr", "generation": 2},
    "spec": {"replicas": 2},
    "status": {
        "observedGeneration": 2,
        "conditions": [{"type": "Ready", "status": "False", "reason": "R", "message": "m"}],
    },
}


def pod(name: str, namespace: str, owner: str = "", **more: Any) -> Any:
    return {
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": more.get("labels", {}),
            "ownerReferences": [{"uid": owner, "controller": True}] if owner else [],
            **({"deletionTimestamp": "x"} if more.get("leaving") else {}),
        },
        "spec": {"nodeName": "one"},
        "status": {
            "phase": more.get("phase", "Running"),
            "conditions": [{"type": "Ready", "status": str(more.get("ready", True))}],
            "containerStatuses": [{"restartCount": 2, "state": more.get("state", {})}],
        },
    }


PODS = [
    pod("web-b", "team", "cr", ready=False),
    pod("web-a", "team", "cr"),
    pod("stranger", "team", "other", labels={"app": "op"}),
    pod("op-1", "home", "rs", labels={"app": "op", "hash": "x"}),
    pod("dns", "kube-system"),
]


def names(pods: list[dict[str, Any]]) -> list[str]:
    return [item["name"] for item in pods]


def test_each_pod_is_somebodys() -> None:
    assert names(status_objects.operator(DEPLOYMENT, None, PODS, NOW)["replicas"]) == ["op-1"]
    assert names(status_objects.resource(CUSTOM, PODS)["pods"]) == ["web-a", "web-b"]
    assert names(status_objects.others(PODS, [CUSTOM], DEPLOYMENT)) == ["dns", "stranger"]
    assert names(status_objects.others(PODS, [], None)) == [
        *("op-1", "dns", "stranger", "web-a", "web-b")
    ]


def test_a_resource_tells_what_it_wants_and_has() -> None:
    told = status_objects.resource(CUSTOM, PODS)
    assert (told["desired"], told["ready"], told["observed"]) == (2, 1, True)
    assert told["conditions"] == CUSTOM["status"]["conditions"]
    stale = {**CUSTOM, "metadata": {**CUSTOM["metadata"], "generation": 3}}
    assert status_objects.resource(stale, [])["observed"] is False


@pytest.mark.parametrize(
    ("more", "state", "ready"),
    [
        ({}, "Running", True),
        ({"ready": False}, "Running", False),
        ({"leaving": True}, "Terminating", False),
        ({"state": {"waiting": {"reason": "ImagePullBackOff"}}}, "ImagePullBackOff", True),
        ({"state": {"terminated": {"reason": "OOMKilled"}}}, "OOMKilled", True),
        ({"phase": "Pending", "ready": False}, "Pending", False),
    ],
)
def test_a_pods_state_is_a_word(more: dict[str, Any], state: str, ready: bool) -> None:
    told = status_objects.pod(pod("a", "b", **more))
    assert (told["state"], told["ready"], told["restarts"]) == (state, ready, 2)


def test_a_pod_without_a_node_says_why() -> None:
    unplaced: Any = {
        "metadata": {"name": "a", "namespace": "b"},
        "spec": {},
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False"}],
        },
    }
    told = status_objects.pod(unplaced)
    assert (told["state"], told["node"], told["started"]) == ("Unschedulable", "", "")


def lease(renewed: datetime, holder: str = "op-1_abc") -> Any:
    spec = {"holderIdentity": holder, "leaseDurationSeconds": 15}
    return {"spec": {**spec, "renewTime": renewed.isoformat().replace("+00:00", "Z")}}


@pytest.mark.parametrize(
    ("found", "holder"),
    [
        (lease(NOW - timedelta(seconds=14)), "op-1"),
        (lease(NOW - timedelta(seconds=16)), ""),
        (lease(NOW, holder=""), ""),
        ({"spec": {}}, ""),
        (None, ""),
    ],
    ids=["holds", "expired", "released", "never held", "no lease"],
)
def test_who_leads_holds_a_lease_that_lasts(found: Any, holder: str) -> None:
    assert status_objects.holder(found, NOW) == holder
    (replica,) = status_objects.operator(DEPLOYMENT, found, PODS, NOW)["replicas"]
    assert replica["leads"] is bool(holder)


@pytest.mark.parametrize(
    ("conditions", "ready", "trouble"),
    [
        ([("Ready", "True", "")], True, ""),
        ([("Ready", "False", "not yet")], False, "not yet"),
        ([("Ready", "True", ""), ("DiskPressure", "True", "full")], True, "DiskPressure"),
        ([], False, "says nothing"),
    ],
)
def test_a_node_says_what_troubles_it(
    conditions: list[tuple[str, str, str]], ready: bool, trouble: str
) -> None:
    told = status_objects.node(
        {
            "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/control-plane": ""}},
            "status": {
                "nodeInfo": {"kubeletVersion": "v1"},
                "conditions": [
                    {"type": kind, "status": status, "message": message}
                    for kind, status, message in conditions
                ],
            },
        }
    )
    assert (told["ready"], told["trouble"], told["roles"]) == (ready, trouble, ["control-plane"])


def test_keys_are_counted_by_kind() -> None:
    keys = [
        "/registry/pods/default/a",
        "/registry/pods/default/b",
        "/registry/minions/one",
        "/registry/ingress/default/a",
        "/registry/services/specs/default/kubernetes",
        "/registry/services/endpoints/default/kubernetes",
        "/registry/k8s.imooc.com/imoocpods/default/web",
        "/registry/ranges/serviceips",
        "compact_rev_key",
    ]
    assert etcd_kinds.by_kind(keys) == [
        ("pods", 2),
        ("", 1),
        ("endpoints", 1),
        ("ingresses", 1),
        ("k8s.imooc.com/imoocpods", 1),
        ("nodes", 1),
        ("ranges", 1),
        ("services", 1),
    ]
