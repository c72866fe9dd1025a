"""The operator: what a user would try first, seen through the official client."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from kubernetes.client import ApiException
from world import Stack, eventually


def kubectl(stack: Stack, *arguments: str) -> str:
    return subprocess.run(
        ["kubectl", f"--kubeconfig={stack.state}/kubeconfig", *arguments],
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


def ready_with(replicas: int) -> Callable[[dict[str, Any]], bool]:
    def is_ready(resource: dict[str, Any]) -> bool:
        status = resource.get("status", {})
        return (
            status.get("observedGeneration") == resource["metadata"]["generation"]
            and status.get("replicas") == replicas
            and status.get("readyReplicas", 0) == replicas
            and len(status.get("podNames", [])) == replicas
        )

    return is_ready


@pytest.fixture
def scaled_back(stack: Stack) -> Iterator[None]:
    yield
    kubectl(stack, "scale", "imoocpod/example-imoocpod", "--replicas=3")
    eventually(stack.imoocpod, ready_with(3))


def test_three_pods_run_on_the_image_from_the_registry(stack: Stack) -> None:
    pods = stack.pods()
    assert len(pods) == 3
    for pod in pods:
        (container,) = pod.spec.containers
        assert container.name == "busybox"
        assert container.command == ["sleep", "3600"]
        assert container.image.startswith(f"{stack.registry}/busybox@sha256:")
        digest = container.image.rpartition("@")[2]
        assert digest in pod.status.container_statuses[0].image_id
        assert pod.metadata.labels["app"] == "example-imoocpod"
        assert pod.metadata.name.startswith("example-imoocpod-pod")


def test_status_names_the_pods(stack: Stack) -> None:
    resource = eventually(stack.imoocpod, ready_with(3))
    assert sorted(resource["status"]["podNames"]) == sorted(p.metadata.name for p in stack.pods())


def test_a_deleted_pod_returns(stack: Stack) -> None:
    before = {pod.metadata.uid for pod in stack.pods()}
    victim = stack.pods()[0]
    stack.core.delete_namespaced_pod(victim.metadata.name, "default", grace_period_seconds=0)
    after = eventually(
        lambda: {pod.metadata.uid for pod in stack.pods()},
        lambda uids: len(uids) == 3 and victim.metadata.uid not in uids,
    )
    assert len(before & after) == 2
    eventually(stack.imoocpod, ready_with(3))


@pytest.mark.usefixtures("scaled_back")
def test_kubectl_scale_up_and_down_to_zero(stack: Stack) -> None:
    for replicas in (5, 0, 2):
        kubectl(stack, "scale", "imoocpod/example-imoocpod", f"--replicas={replicas}")
        eventually(stack.imoocpod, ready_with(replicas))
        eventually(lambda: len(stack.pods()), replicas.__eq__)


def test_negative_replicas_are_refused_before_anything_changes(stack: Stack) -> None:
    generation = stack.imoocpod()["metadata"]["generation"]
    with pytest.raises(ApiException) as refusal:
        stack.custom.patch_namespaced_custom_object(
            "k8s.imooc.com",
            "v1alpha1",
            "default",
            "imoocpods",
            "example-imoocpod",
            {"spec": {"replicas": -1}},
        )
    assert refusal.value.status == 422
    assert "replicas" in refusal.value.body
    assert stack.imoocpod()["metadata"]["generation"] == generation


def test_a_foreign_pod_with_the_label_is_neither_counted_nor_deleted(
    stack: Stack, scratch_pod: Callable[..., Any], busybox: str
) -> None:
    foreign = scratch_pod("foreign", busybox, ["sleep", "60"])
    stack.core.patch_namespaced_pod(
        "foreign", "default", {"metadata": {"labels": {"app": "example-imoocpod"}}}
    )
    kubectl(stack, "scale", "imoocpod/example-imoocpod", "--replicas=1")
    eventually(stack.imoocpod, ready_with(1))
    kubectl(stack, "scale", "imoocpod/example-imoocpod", "--replicas=3")
    resource = eventually(stack.imoocpod, ready_with(3))
    assert "foreign" not in resource["status"]["podNames"]
    still = stack.core.read_namespaced_pod("foreign", "default")
    assert (still.metadata.uid, still.metadata.deletion_timestamp) == (foreign.metadata.uid, None)


def acts(stack: Stack) -> None:
    """Assert that somebody looks after ImoocPods."""
    for replicas in (4, 3):
        kubectl(stack, "scale", "imoocpod/example-imoocpod", f"--replicas={replicas}")
        eventually(stack.imoocpod, ready_with(replicas))


def untouched(pods: list[Any]) -> dict[str, int]:
    """Return uid and restarts of pods."""
    return {pod.metadata.uid: pod.status.container_statuses[0].restart_count for pod in pods}


@pytest.mark.usefixtures("scaled_back")
def test_the_standby_follows_the_leader(stack: Stack) -> None:
    eventually(stack.operators, lambda pods: len(pods) == 2)
    leader = eventually(stack.leader, bool)
    stack.core.delete_namespaced_pod(leader, "imoocpod-operator")
    eventually(stack.leader, lambda name: name not in ("", leader))
    acts(stack)


def test_a_rollout_of_the_operator_touches_no_pod_of_its_imoocpods(stack: Stack) -> None:
    before = untouched(stack.pods())
    old = {pod.metadata.name for pod in stack.operators()}
    kubectl(stack, "rollout", "restart", "deployment/imoocpod-operator", "-n", "imoocpod-operator")
    eventually(
        stack.operators,
        lambda pods: len(pods) == 2 and not old & {pod.metadata.name for pod in pods},
    )
    eventually(stack.leader, lambda name: name not in ("", *old))
    assert untouched(stack.pods()) == before


def test_replicas_of_the_operator_spread_over_the_nodes(stack: Stack) -> None:
    nodes = {pod.spec.node_name for pod in eventually(stack.operators, lambda p: len(p) == 2)}
    assert len(nodes) == min(2, max(1, stack.workers))


def test_operator_holds_only_the_rights_it_uses(stack: Stack) -> None:
    account = "--as=system:serviceaccount:imoocpod-operator:imoocpod-operator"
    allowed = {
        line.split()[0]
        for line in kubectl(stack, "auth", "can-i", "--list", "-n", "default", account).splitlines()
        if "imooc" in line or line.startswith("pods")
    }
    assert "pods" in allowed
    for question in (
        ("get", "secrets"),
        ("create", "deployments"),
        ("create", "pods", "--subresource=exec"),
    ):
        answer = subprocess.run(
            [
                "kubectl",
                f"--kubeconfig={stack.state}/kubeconfig",
                "auth",
                "can-i",
                *question,
                account,
            ],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert answer.stdout.strip() == "no", question


def test_operator_namespace_enforces_restricted(stack: Stack) -> None:
    labels = stack.core.read_namespace("imoocpod-operator").metadata.labels
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_outputs_say_what_runs(stack: Stack) -> None:
    outputs = json.loads((stack.state / "outputs.json").read_text())
    nodes = {node.metadata.name for node in stack.core.list_node().items}
    images = {pod.spec.containers[0].image for pod in stack.operators()}
    assert {node["name"] for node in outputs["cluster"]["nodes"]} == nodes
    assert outputs["registry"]["host"] == stack.registry
    assert {outputs["operator"]["image"]} == images
    assert (outputs["resource"]["desired"], outputs["resource"]["ready"]) == (3, 3)
    assert len(outputs["resource"]["pods"]) == 3


def test_etcd_holds_the_custom_resource_as_the_api_shows_it(stack: Stack) -> None:
    certificates = "/etc/kubernetes/pki/etcd"
    raw = kubectl(
        stack,
        "exec",
        "-n",
        "kube-system",
        f"etcd-{stack.cluster}-control-plane",
        "--",
        "etcdctl",
        f"--cacert={certificates}/ca.crt",
        f"--cert={certificates}/server.crt",
        f"--key={certificates}/server.key",
        "get",
        "--print-value-only",
        "/registry/k8s.imooc.com/imoocpods/default/example-imoocpod",
    )
    stored, live = json.loads(raw), stack.imoocpod()
    for resource in (stored, live):
        resource["metadata"].pop("resourceVersion", None)
        resource["metadata"].pop("managedFields", None)
    assert stored == live
