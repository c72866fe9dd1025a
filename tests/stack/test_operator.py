"""The operator: what a user would try first, seen through the official client."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest
from kubernetes.client import ApiException
from world import Stack, acts, eventually, kubectl, ready_with


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


def test_kubectl_explains_each_field_of_the_spec(stack: Stack) -> None:
    page = kubectl(stack, "explain", "imoocpod.spec")
    for field in ("replicas", "image", "command", "resources"):
        (line,) = [line for line in page.splitlines() if line.startswith(f"  {field}\t")]
        assert line.endswith("-required-") is (field == "replicas")
        assert "DESCRIPTION:" in (told := kubectl(stack, "explain", f"imoocpod.spec.{field}"))
        assert "<empty>" not in told


def test_kubectl_get_shows_what_there_is(stack: Stack) -> None:
    head, row = kubectl(stack, "get", "imoocpods", "-o", "wide").splitlines()
    assert head.split() == ["NAME", "DESIRED", "CURRENT", "READY", "AGE", "REASON", "SELECTOR"]
    name, desired, current, ready, _, reason, selector = row.split()
    assert (name, desired, current, ready) == ("example-imoocpod", "3", "3", "3")
    assert (reason, selector) == ("AsExpected", "app=example-imoocpod")


@pytest.mark.usefixtures("scaled_back")
def test_kubectl_wait_does_not_take_what_was_ready_before(stack: Stack) -> None:
    """The condition says of which generation it speaks."""
    kubectl(stack, "scale", "imoocpod/example-imoocpod", "--replicas=5")
    kubectl(stack, "wait", "--for=condition=Ready", "imoocpod/example-imoocpod", "--timeout=60s")
    assert ready_with(5)(stack.imoocpod())


def may(stack: Stack, *question: str) -> bool:
    """Whether the API server would let the operator do something."""
    account = "--as=system:serviceaccount:imoocpod-operator:imoocpod-operator"
    answer = subprocess.run(
        ["kubectl", f"--kubeconfig={stack.state}/kubeconfig", "auth", "can-i", *question, account],
        capture_output=True,
        text=True,
        timeout=30,
    ).stdout.strip()
    assert answer in {"yes", "no"}
    return answer == "yes"


def test_operator_holds_only_the_rights_it_uses(stack: Stack) -> None:
    assert may(stack, "create", "pods")
    assert not may(stack, "get", "secrets")
    assert not may(stack, "create", "deployments")
    assert not may(stack, "create", "pods", "--subresource=exec")


def test_operator_namespace_enforces_restricted(stack: Stack) -> None:
    labels = stack.core.read_namespace("imoocpod-operator").metadata.labels
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"
    pod = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "x", "image": "x"}]}}
    with pytest.raises(ApiException) as refusal:
        stack.core.create_namespaced_pod("imoocpod-operator", pod, dry_run="All")
    assert refusal.value.status == 403
    assert "PodSecurity" in refusal.value.body


def test_the_operator_serves_the_namespaces_it_was_given(stack: Stack, elsewhere: str) -> None:
    acts(stack)
    everywhere = not stack.namespaces
    if everywhere:
        eventually(lambda: stack.imoocpod("web", elsewhere), ready_with(2))
    else:
        assert "status" not in stack.imoocpod("web", elsewhere)
        assert stack.pods("web", elsewhere) == []
    assert may(stack, "create", "pods", "-n", elsewhere) is everywhere


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
