"""The pod that is asked for."""

import json
from typing import Any

import msgspec
import pytest

from imooc_operator.kinds.imoocpod.api import ImoocPod, ImoocPodSpec, Resources
from imooc_operator.kinds.imoocpod.observe import RawPod, view
from imooc_operator.kinds.imoocpod.template import PodTemplate, template_hash
from support.builders import cr


def body(owner: ImoocPod) -> dict[str, Any]:
    assert owner.spec is not None
    made: dict[str, Any] = json.loads(PodTemplate(owner, owner.spec, "busybox:1").body("web-pod-x"))
    return made


def test_is_the_pod_of_the_tutorial_made_safe() -> None:
    owner = cr()
    assert owner.spec is not None
    assert body(owner) == {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": "web-pod-x",
            "namespace": "default",
            "labels": {"app": "web"},
            "annotations": {"k8s.imooc.com/template": template_hash(owner.spec)},
            "ownerReferences": [
                {
                    "apiVersion": "k8s.imooc.com/v1alpha1",
                    "kind": "ImoocPod",
                    "name": "web",
                    "uid": "cr-1",
                    "controller": True,
                    "blockOwnerDeletion": True,
                }
            ],
        },
        "spec": {
            "containers": [
                {
                    "name": "busybox",
                    "image": "busybox:1",
                    "imagePullPolicy": "IfNotPresent",
                    "command": ["sleep", "3600"],
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                }
            ],
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65534,
                "runAsGroup": 65534,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
        },
    }


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({}, id="default"),
        pytest.param({"image": "evil", "command": ["sh", "-c", "{name}"]}, id="own command"),
        pytest.param({"resources": Resources(limits={"cpu": 1})}, id="resources"),
    ],
)
def test_meets_pod_security_restricted_and_gains_nothing(spec: dict[str, Any]) -> None:
    made = body(cr(1, **spec))["spec"]
    security = made["securityContext"]
    assert security["runAsNonRoot"] is True
    assert security["runAsUser"] > 0
    assert security["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = made["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    assert made["automountServiceAccountToken"] is False
    gains = {"hostNetwork", "hostPID", "hostIPC", "volumes", "serviceAccountName", "nodeName"}
    assert not gains & set(made)


def test_takes_image_command_and_resources_from_the_spec() -> None:
    resources = Resources(requests={"cpu": "1m"})
    made = body(cr(1, image="i", command=["a", "{name}"], resources=resources))
    (container,) = made["spec"]["containers"]
    assert container["image"] == "i"
    assert container["command"] == ["a", "{name}"]
    assert container["resources"] == {"requests": {"cpu": "1m"}}


def test_sleep_is_not_waited_for_but_a_command_of_the_users_own_is() -> None:
    assert body(cr())["spec"]["terminationGracePeriodSeconds"] == 1
    assert body(cr(1, command=["serve"]))["spec"]["terminationGracePeriodSeconds"] == 30


def test_the_hash_follows_the_template_and_not_the_replicas() -> None:
    hashes = {
        template_hash(spec)
        for spec in (
            ImoocPodSpec(replicas=1),
            ImoocPodSpec(replicas=2),
            ImoocPodSpec(replicas=1, image="i"),
            ImoocPodSpec(replicas=1, command=["i"]),
            ImoocPodSpec(replicas=1, resources=Resources(limits={"cpu": 1})),
        )
    }
    assert len(hashes) == 4


def test_the_cache_recognises_what_was_asked_for() -> None:
    owner = cr()
    assert owner.spec is not None
    stored = body(owner)
    stored["metadata"] |= {"uid": "u", "resourceVersion": "7"}
    pod = view(msgspec.convert(stored, RawPod))
    assert pod is not None
    assert (pod.owner_uid, pod.owner_name, pod.revision) == ("cr-1", "web", 7)
    assert pod.template == template_hash(owner.spec)


def test_the_order_of_resources_does_not_count() -> None:
    one: dict[str, int | str] = {"cpu": 1, "memory": 2}
    other = dict(reversed(one.items()))
    assert list(one) != list(other)
    first = ImoocPodSpec(replicas=1, resources=Resources(requests=one, limits=one))
    second = ImoocPodSpec(replicas=1, resources=Resources(requests=other, limits=other))
    assert template_hash(first) == template_hash(second)


def test_an_upgrade_of_the_operator_replaces_no_pod() -> None:
    """These hashes stand on pods that run: a change of how they are made restarts every one."""
    assert template_hash(ImoocPodSpec(replicas=3)) == "f38563adb069"
    resources = Resources(requests={"cpu": "1m", "memory": 1}, limits={"cpu": "2m"})
    full = ImoocPodSpec(replicas=3, image="i:1", command=["a", "b"], resources=resources)
    assert template_hash(full) == "b579bd27ca68"
