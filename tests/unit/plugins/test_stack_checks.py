"""Each way in which a stack may not be what its user would look at is found, and named."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils import stack_checks

from plugins.modules.stack_verify import is_due

DIGEST = "sha256:" + "a" * 64
IMAGE = f"localhost:5000/busybox@{DIGEST}"


def pod(name: str, uid: str = "cr-1", image_id: str = IMAGE) -> dict[str, Any]:
    """Return a ready pod of the resource with this uid."""
    return {
        "metadata": {"name": name, "ownerReferences": [{"controller": True, "uid": uid}]},
        "status": {
            "containerStatuses": [{"name": "busybox", "imageID": image_id}],
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }


RESOURCE: dict[str, Any] = {
    "apiVersion": "k8s.imooc.com/v1alpha1",
    "kind": "ImoocPod",
    "metadata": {"name": "x", "uid": "cr-1", "resourceVersion": "40"},
    "spec": {"replicas": 2},
    "status": {"replicas": 2, "podNames": ["b", "a"]},
}
STORED: dict[str, Any] = {**RESOURCE, "metadata": {"name": "x", "uid": "cr-1"}}


@pytest.mark.parametrize(
    ("pods", "image", "finding"),
    [
        pytest.param([pod("a")], IMAGE, "", id="as pushed"),
        pytest.param([pod("a", image_id=f"mirror/b@{DIGEST}")], IMAGE, "", id="same digest"),
        pytest.param([pod("a", image_id="x@sha256:0")], IMAGE, "pod a runs x@sha256:0", id="other"),
        pytest.param([pod("a", image_id="")], IMAGE, "runs nothing yet", id="not started"),
        pytest.param([pod("a", image_id="sha256:9")], IMAGE, "pod a runs", id="side-loaded"),
        pytest.param([], IMAGE, "no pod runs", id="none"),
        pytest.param([pod("a")], "busybox:1.37", "not named by digest", id="by tag"),
        pytest.param([pod("a")], "", "(none)", id="unknown"),
    ],
)
def test_images(pods: list[dict[str, Any]], image: str, finding: str) -> None:
    found = "; ".join(stack_checks.image_findings(pods, image))
    assert finding in found
    assert bool(found) == bool(finding)


def test_a_pod_without_a_started_container_does_not_run_the_image() -> None:
    fresh = pod("a")
    fresh["status"] = {"phase": "Pending"}
    assert stack_checks.image_findings([fresh], IMAGE)


def test_only_pods_that_it_controls_and_that_stay_are_its_own() -> None:
    going = pod("going")
    going["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z"
    orphan = pod("orphan")
    del orphan["metadata"]["ownerReferences"]
    pods = [pod("a"), pod("foreign", uid="cr-2"), going, orphan]
    assert [p["metadata"]["name"] for p in stack_checks.own_pods(RESOURCE, pods)] == ["a"]


def unready() -> list[dict[str, Any]]:
    """Return two pods of which one is not ready."""
    pods = [pod("a"), pod("b")]
    pods[1]["status"]["conditions"][0]["status"] = "False"
    return pods


@pytest.mark.parametrize(
    ("pods", "status", "finding"),
    [
        pytest.param([pod("a"), pod("b")], {}, "", id="as the spec says"),
        pytest.param([pod("a")], {"podNames": ["a"]}, "1 pods where spec.replicas is 2", id="few"),
        pytest.param(unready(), {}, "pod b is not ready", id="not ready"),
        pytest.param(
            [pod("a"), pod("b")], {"replicas": 1}, "status.replicas is 1", id="stale count"
        ),
        pytest.param(
            [pod("a"), pod("b")], {"podNames": ["a"]}, "status.podNames", id="stale names"
        ),
    ],
)
def test_pods(pods: list[dict[str, Any]], status: dict[str, Any], finding: str) -> None:
    resource = {**RESOURCE, "status": RESOURCE["status"] | status}
    found = "; ".join(stack_checks.pod_findings(resource, pods))
    assert finding in found
    assert bool(found) == bool(finding)


CHANGES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "a field": (lambda stored: stored["spec"].update(replicas=9), "spec differs"),
    "a field only in etcd": (lambda stored: stored.update(extra=1), "extra differs"),
    "a field only in the API": (lambda stored: stored.pop("status"), "status differs"),
    "metadata": (lambda stored: stored["metadata"].update(labels={}), "metadata differs"),
}


def test_the_same_object_in_etcd_and_api() -> None:
    assert stack_checks.etcd_findings(RESOURCE, STORED, 40) == []


@pytest.mark.parametrize(("change", "finding"), CHANGES.values(), ids=CHANGES.keys())
def test_every_difference_between_etcd_and_api_is_named(change: Any, finding: str) -> None:
    stored = copy.deepcopy(STORED)
    change(stored)
    assert finding in "; ".join(stack_checks.etcd_findings(RESOURCE, stored, 40))


def test_objects_of_different_moments_are_not_compared() -> None:
    assert "revision 41" in stack_checks.etcd_findings(RESOURCE, STORED, 41)[0]


@pytest.mark.parametrize(
    ("disruptive", "content", "due"),
    [
        pytest.param("auto", None, True, id="never proven"),
        pytest.param("auto", '{"cluster": "1"}', False, id="proven"),
        pytest.param("auto", '{"cluster": "0"}', True, id="proven of another"),
        pytest.param("auto", "{half", True, id="an interrupted run's record"),
        pytest.param("always", '{"cluster": "1"}', True, id="always"),
        pytest.param("never", None, False, id="never"),
    ],
)
def test_when_healing_is_proven(
    tmp_path: Path, disruptive: str, content: str | None, due: bool
) -> None:
    record = tmp_path / "verified.json"
    if content is not None:
        record.write_text(content)
    assert is_due(disruptive, record, {"cluster": "1"}) is due


@pytest.mark.parametrize(("disruptive", "due"), [("auto", True), ("never", False)])
def test_nothing_was_proven_of_what_is_still_to_be_made(
    tmp_path: Path, disruptive: str, due: bool
) -> None:
    record = tmp_path / "verified.json"
    record.write_text('{"cluster": "1"}')
    assert is_due(disruptive, record, None) is due


def test_a_value_that_cannot_be_decoded_is_a_finding() -> None:
    assert stack_checks.etcd_findings(RESOURCE, None, 40)
