"""What the caches keep of the objects that the API server sends."""

import json
from typing import Any

import msgspec
import pytest

from imooc_operator.kinds.imoocpod import api, observe
from imooc_operator.kinds.imoocpod.observe import RawPod
from imooc_operator.runtime.objects import ObjectList

OWNER = {
    "apiVersion": "k8s.imooc.com/v1alpha1",
    "kind": "ImoocPod",
    "name": "web",
    "uid": "cr-1",
    "controller": True,
}


def pod(**changes: Any) -> observe.PodView | None:
    raw: dict[str, Any] = {
        "metadata": {"name": "p", "namespace": "n", "ownerReferences": [OWNER]},
        "spec": {"nodeName": "node", "containers": [{"name": "busybox"}]},
        "status": {"phase": "Running"},
    }
    for path, value in changes.items():
        part, _, field = path.partition("_")
        raw[part] = {**raw[part], field: value}
    return observe.view(msgspec.json.decode(json.dumps(raw), type=RawPod))


@pytest.mark.parametrize(
    "references",
    [
        pytest.param(None, id="none"),
        pytest.param([{**OWNER, "controller": False}], id="not the controller"),
        pytest.param([{**OWNER, "kind": "ReplicaSet"}], id="another kind"),
        pytest.param([{**OWNER, "apiVersion": "k8s.imooc.com.evil/v1"}], id="another group"),
    ],
)
def test_pods_of_others_are_not_kept(references: Any) -> None:
    assert pod(metadata_ownerReferences=references) is None


def waiting(reason: str) -> list[dict[str, Any]]:
    return [{"name": "c", "state": {"waiting": {"reason": reason, "message": "m"}}}]


CASES = [
    pytest.param(
        {},
        {
            "namespace": "n",
            "name": "p",
            "owner_uid": "cr-1",
            "owner_name": "web",
            "phase": "Running",
            "ready": False,
            "scheduled": True,
            "terminating": False,
            "template": "",
            "trouble": "",
        },
        id="plain",
    ),
    pytest.param(
        {"metadata_uid": "u", "metadata_resourceVersion": "7", "metadata_creationTimestamp": "t"},
        {"uid": "u", "revision": 7, "created": "t"},
        id="made",
    ),
    pytest.param(
        {"metadata_annotations": {"k8s.imooc.com/template": "hash", "other": "x"}},
        {"template": "hash"},
        id="template",
    ),
    pytest.param(
        {"status_conditions": [{"type": "Ready", "status": "True"}]}, {"ready": True}, id="ready"
    ),
    pytest.param(
        {"status_conditions": [{"type": "Ready", "status": "False"}]},
        {"ready": False},
        id="unready",
    ),
    pytest.param({"metadata_deletionTimestamp": "2026"}, {"terminating": True}, id="terminating"),
    pytest.param({"spec_nodeName": ""}, {"scheduled": False}, id="unscheduled"),
    pytest.param({"spec_nodeName": "n"}, {"scheduled": True}, id="scheduled"),
    pytest.param(
        {"status_containerStatuses": waiting("ImagePullBackOff")},
        {"trouble": "ImagePullFailed"},
        id="image",
    ),
    pytest.param(
        {"status_containerStatuses": waiting("ContainerCreating")}, {"trouble": ""}, id="creating"
    ),
    pytest.param({"status_containerStatuses": [{"name": "c"}]}, {"trouble": ""}, id="no state"),
    pytest.param(
        {"status_containerStatuses": [{"name": "c", "state": {"running": {}}}]},
        {"trouble": ""},
        id="running",
    ),
    pytest.param(
        {"status_containerStatuses": [*waiting("ContainerCreating"), *waiting("ErrImagePull")]},
        {"trouble": "ImagePullFailed"},
        id="the second container",
    ),
    pytest.param(
        {"status_conditions": [{"type": "PodScheduled", "status": "True"}]},
        {"trouble": "", "ready": False},
        id="placed",
    ),
    pytest.param(
        {"status_conditions": [{"type": "X", "status": "True", "reason": "Unschedulable"}]},
        {"trouble": ""},
        id="a condition of someone else's",
    ),
    pytest.param(
        {"status_containerStatuses": waiting("CrashLoopBackOff")},
        {"trouble": "CrashLooping"},
        id="crash loop",
    ),
    pytest.param(
        {
            "status_conditions": [
                {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
            ]
        },
        {"trouble": "Unschedulable"},
        id="unschedulable",
    ),
]


@pytest.mark.parametrize(("changes", "expected"), CASES)
def test_pod_view(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    kept = pod(**changes)
    assert kept is not None
    assert {field: getattr(kept, field) for field in expected} == expected


def imoocpod(**fields: Any) -> api.ImoocPod:
    raw = {"metadata": {"name": "web", "namespace": "n", "uid": "u", "resourceVersion": "5"}}
    return api.view(msgspec.json.decode(json.dumps(raw | fields), type=api.RawImoocPod))


def test_an_imoocpod_is_kept_with_what_is_needed_of_its_metadata() -> None:
    meta = {"name": "web", "namespace": "n", "uid": "u", "resourceVersion": "5", "generation": 3}
    kept = imoocpod(metadata=meta, spec={"replicas": 1}, status={"replicas": 2})
    assert kept == api.ImoocPod(
        namespace="n",
        name="web",
        uid="u",
        revision=5,
        generation=3,
        deleting=False,
        spec=api.ImoocPodSpec(replicas=1),
        invalid="",
        status=api.ImoocPodStatus(replicas=2),
    )
    assert imoocpod(metadata={**meta, "deletionTimestamp": "t"}, spec={"replicas": 1}).deleting


@pytest.mark.parametrize(
    ("spec", "fault"),
    [
        pytest.param({}, "missing required field `replicas`", id="replicas missing"),
        pytest.param({"replicas": "three"}, "got `str` - at `$.replicas`", id="wrong type"),
        pytest.param({"replicas": -1}, "`int` >= 0 - at `$.replicas`", id="negative"),
        pytest.param({"replicas": 10**9}, "`int` <= 1000 - at `$.replicas`", id="huge"),
        pytest.param({"replicas": None}, "got `null` - at `$.replicas`", id="null"),
        pytest.param(
            {"replicas": 1, "command": "sleep"}, "got `str` - at `$.command`", id="command no list"
        ),
        pytest.param({"replicas": 1, "image": " "}, "regex", id="blank image"),
        pytest.param([], "Expected `object`, got `array`", id="spec is no object"),
    ],
)
def test_a_spec_that_breaks_the_types_is_reported_and_stops_nothing(spec: Any, fault: str) -> None:
    kept = imoocpod(spec=spec)
    assert kept.spec is None
    assert fault in kept.invalid
    assert kept.uid == "u"


def test_fields_from_the_future_are_passed_over() -> None:
    kept = imoocpod(spec={"replicas": 1, "colour": "red"}, status={"replicas": 1, "mood": "good"})
    assert kept.spec is not None
    assert kept.spec.command == ["sleep", "3600"]
    assert kept.status is not None


def test_a_status_of_another_shape_counts_as_none() -> None:
    assert imoocpod(spec={"replicas": 1}, status={"podNames": None}).status is None


def test_one_bad_object_does_not_spoil_a_list() -> None:
    items = [{"spec": {"replicas": "x"}}, {"spec": {"replicas": 2}}]
    page = msgspec.json.decode(
        json.dumps({"metadata": {"resourceVersion": "9"}, "items": items}),
        type=ObjectList[api.RawImoocPod],
    )
    bad, good = [api.view(item) for item in page.items]
    assert bad.spec is None
    assert good.spec is not None


def test_what_many_objects_say_is_in_memory_once() -> None:
    said = {"reason": "AllPodsReady", "message": "3 of 3", "lastTransitionTime": "2026"}
    conditions = [{"type": "Ready", "status": "True", **said}]
    meta = {"name": "web", "namespace": "n", "uid": "cr-1"}
    one, other = (
        imoocpod(metadata=meta, spec={"replicas": 3}, status={"conditions": conditions})
        for _ in range(2)
    )
    assert one == other
    assert one.namespace is other.namespace
    assert one.uid is other.uid
    assert one.status is not None
    assert other.status is not None
    (a,), (b,) = one.status.conditions, other.status.conditions
    assert (a.reason, a.message, a.last_transition_time) == tuple(said.values())
    assert a.reason is b.reason
    assert a.message is b.message
    assert a.last_transition_time is b.last_transition_time
    child = pod()
    assert child is not None
    assert child.owner_uid is one.uid
    assert child.namespace is one.namespace
