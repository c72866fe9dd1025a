"""Verdicts are about the newest generation, and troubles are told from mere waiting."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils import kube_wait


def deployment(status: dict[str, Any], generation: int = 2, replicas: int = 1) -> dict[str, Any]:
    """Return a Deployment with this status."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "op", "generation": generation},
        "spec": {"replicas": replicas},
        "status": status,
    }


def rolled_out(**changes: Any) -> dict[str, Any]:
    """Return the status of a complete rollout of one replica, with changes."""
    status = {
        "observedGeneration": 2,
        "replicas": 1,
        "updatedReplicas": 1,
        "availableReplicas": 1,
        "conditions": [condition("Progressing", "True", "NewReplicaSetAvailable")],
    }
    return status | changes


def condition(kind: str, status: str, reason: str = "", **more: Any) -> dict[str, Any]:
    """Return a status condition."""
    return {"type": kind, "status": status, "reason": reason, "message": "told", **more}


@pytest.mark.parametrize(
    ("status", "ready", "trouble"),
    [
        pytest.param(rolled_out(), True, False, id="complete"),
        pytest.param(rolled_out(observedGeneration=1), False, False, id="generation not seen"),
        pytest.param(rolled_out(replicas=2), False, False, id="an old pod is left"),
        pytest.param(rolled_out(updatedReplicas=0), False, False, id="not updated"),
        pytest.param(rolled_out(availableReplicas=0), False, False, id="not available"),
        pytest.param(
            rolled_out(conditions=[condition("Progressing", "True", "ReplicaSetUpdated")]),
            False,
            False,
            id="still progressing",
        ),
        pytest.param(
            rolled_out(
                updatedReplicas=0,
                conditions=[condition("Progressing", "False", "ProgressDeadlineExceeded")],
            ),
            False,
            True,
            id="deadline exceeded",
        ),
        pytest.param(
            rolled_out(
                replicas=0, conditions=[condition("ReplicaFailure", "True", "FailedCreate")]
            ),
            False,
            True,
            id="quota",
        ),
        pytest.param({}, False, False, id="no status yet"),
    ],
)
def test_deployment(status: dict[str, Any], ready: bool, trouble: bool) -> None:
    verdict = kube_wait.judge(deployment(status))
    assert (verdict.ready, bool(verdict.trouble)) == (ready, trouble)


def custom(status: dict[str, Any]) -> dict[str, Any]:
    """Return a custom resource of generation 3 with this status."""
    return {
        "apiVersion": "k8s.imooc.com/v1alpha1",
        "kind": "ImoocPod",
        "metadata": {"name": "x", "generation": 3},
        "status": status,
    }


@pytest.mark.parametrize(
    ("status", "ready"),
    [
        pytest.param(
            {"observedGeneration": 3, "conditions": [condition("Ready", "True")]}, True, id="ready"
        ),
        pytest.param(
            {"observedGeneration": 2, "conditions": [condition("Ready", "True")]},
            False,
            id="status of an earlier generation",
        ),
        pytest.param(
            {
                "observedGeneration": 3,
                "conditions": [condition("Ready", "True", observedGeneration=2)],
            },
            False,
            id="condition of an earlier generation",
        ),
        pytest.param(
            {"observedGeneration": 3, "conditions": [condition("Ready", "False", "PodsNotReady")]},
            False,
            id="not ready",
        ),
        pytest.param({"observedGeneration": 3}, False, id="no condition"),
        pytest.param({}, False, id="no status"),
    ],
)
def test_custom_resource(status: dict[str, Any], ready: bool) -> None:
    assert kube_wait.judge(custom(status)).ready is ready


def test_a_degraded_custom_resource_is_in_trouble() -> None:
    told = [condition("Ready", "False"), condition("Degraded", "True", "QuotaExceeded")]
    verdict = kube_wait.judge(custom({"observedGeneration": 3, "conditions": told}))
    assert verdict.trouble == "QuotaExceeded: told"


@pytest.mark.parametrize(
    ("conditions", "ready", "trouble"),
    [
        ([condition("NamesAccepted", "True"), condition("Established", "True")], True, False),
        ([condition("Established", "False", "Installing")], False, False),
        ([condition("NamesAccepted", "False", "Conflict")], False, True),
        ([], False, False),
    ],
    ids=["established", "installing", "names taken", "new"],
)
def test_definition(conditions: list[dict[str, Any]], ready: bool, trouble: bool) -> None:
    obj = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "x"},
        "status": {"conditions": conditions},
    }
    verdict = kube_wait.judge(obj)
    assert (verdict.ready, bool(verdict.trouble)) == (ready, trouble)


@pytest.mark.parametrize(
    ("api_version", "kind"), [("v1", "ConfigMap"), ("rbac.authorization.k8s.io/v1", "Role")]
)
def test_kinds_without_a_rule_are_ready(api_version: str, kind: str) -> None:
    obj = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "x"}}
    assert kube_wait.judge(obj).ready


def test_nothing_that_is_being_deleted_is_ready() -> None:
    obj = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "x", "deletionTimestamp": "2026-01-01T00:00:00Z"},
    }
    assert not kube_wait.judge(obj).ready


def pod(reason: str) -> dict[str, Any]:
    """Return a pod whose container waits for this reason."""
    state = {"waiting": {"reason": reason, "message": "told"}}
    rows = [{"name": "main", "restartCount": 4, "state": state}]
    return {"metadata": {"name": "p"}, "status": {"phase": "Pending", "containerStatuses": rows}}


def test_stuck_pods_are_told_from_starting_ones() -> None:
    assert kube_wait.stuck_pods([pod("ContainerCreating")]) == ""
    assert "p, container main: ImagePullBackOff told" in kube_wait.stuck_pods(
        [pod("ImagePullBackOff")]
    )


def test_a_pod_is_described_with_its_reasons() -> None:
    scheduled = condition("PodScheduled", "False", "Unschedulable")
    subject = pod("CrashLoopBackOff")
    subject["status"]["conditions"] = [scheduled]
    assert kube_wait.describe_pod(subject) == (
        "p: Pending, 4 restarts; main CrashLoopBackOff told; Unschedulable: told"
    )
