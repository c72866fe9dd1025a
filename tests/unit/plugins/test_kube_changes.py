"""The fields in which a live object differs, and who set them."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible.module_utils.changes import Field
from ansible.module_utils.kube_changes import HIDDEN, between, taken

MANAGER = "imooc-ansible"
THEN, LATER = "2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z"


def entry(manager: str, operation: str, time: str, fields: dict[str, Any]) -> dict[str, Any]:
    return {
        "manager": manager,
        "operation": operation,
        "apiVersion": "apps/v1",
        "time": time,
        "fieldsV1": fields,
    }


CONTAINER = 'k:{"name":"main"}'
OURS: dict[str, Any] = {
    "f:spec": {
        "f:replicas": {},
        "f:template": {
            "f:spec": {
                "f:containers": {
                    CONTAINER: {
                        ".": {},
                        "f:name": {},
                        "f:image": {},
                        "f:args": {},
                        "f:env": {'k:{"name":"A"}': {".": {}, "f:name": {}, "f:value": {}}},
                    }
                }
            }
        },
    }
}


def deployment() -> dict[str, Any]:
    """A Deployment as the server keeps it: with defaults, a status, and what we applied."""
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": "x",
            "namespace": "default",
            "annotations": {"deployment.kubernetes.io/revision": "3"},
            "managedFields": [entry(MANAGER, "Apply", THEN, OURS)],
        },
        "spec": {
            "replicas": 2,
            "template": {
                "spec": {
                    "dnsPolicy": "ClusterFirst",
                    "containers": [
                        {
                            "name": "main",
                            "image": "i:1",
                            "args": ["--a"],
                            "env": [{"name": "A", "value": "1"}],
                        }
                    ],
                }
            },
        },
        "status": {"replicas": 2},
    }


def container(obj: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = obj["spec"]["template"]["spec"]["containers"][0]
    return found


def owned(live: dict[str, Any], manager: str, fields: dict[str, Any]) -> dict[str, Any]:
    """Let another manager have set fields later."""
    live["metadata"]["managedFields"].append(entry(manager, "Update", LATER, fields))
    return live


def test_nothing_differs_in_what_the_server_adds() -> None:
    planned = deployment()
    planned["status"] = {"replicas": 1}
    planned["metadata"]["resourceVersion"] = "7"
    assert between(deployment(), planned) == ()


def test_a_field_names_both_values_and_who_set_the_live_one() -> None:
    live = deployment()
    live["spec"]["replicas"] = 0
    owned(live, "kubectl", {"f:spec": {"f:replicas": {}}})
    assert between(live, deployment()) == (Field("spec.replicas", 0, 2, "kubectl", LATER),)


def test_items_of_a_list_are_known_by_their_names() -> None:
    live = deployment()
    container(live)["image"] = "i:2"
    container(live)["env"] = [{"name": "B", "value": "2"}, {"name": "A", "value": "3"}]
    below: dict[str, Any] = {"f:image": {}, "f:env": {'k:{"name":"A"}': {"f:value": {}}}}
    containers: dict[str, Any] = {"f:containers": {CONTAINER: below}}
    owned(live, "kubectl-edit", {"f:spec": {"f:template": {"f:spec": containers}}})
    planned = deployment()
    container(planned)["env"].insert(0, {"name": "B", "value": "2"})
    path = "spec.template.spec.containers[main]"
    assert between(live, planned) == (
        Field(f"{path}.image", "i:2", "i:1", "kubectl-edit", LATER),
        Field(f"{path}.env[A].value", "3", "1", "kubectl-edit", LATER),
    )


def test_a_whole_value_is_owned_by_who_set_it_as_one() -> None:
    live = deployment()
    container(live)["args"] = ["--b"]
    containers: dict[str, Any] = {"f:containers": {CONTAINER: {"f:args": {}}}}
    owned(live, "kubectl-patch", {"f:spec": {"f:template": {"f:spec": containers}}})
    (found,) = between(live, deployment())
    assert found == Field(
        "spec.template.spec.containers[main].args[0]", "--b", "--a", "kubectl-patch", LATER
    )


def test_the_order_of_named_items_is_a_difference_of_the_list() -> None:
    live, planned = deployment(), deployment()
    one, two = {"name": "A", "value": "1"}, {"name": "B", "value": "2"}
    container(live)["env"], container(planned)["env"] = [two, one], [one, two]
    (found,) = between(live, planned)
    assert (found.path, found.live, found.wanted) == (
        "spec.template.spec.containers[main].env",
        ["B", "A"],
        ["A", "B"],
    )


def test_what_was_removed_has_no_author() -> None:
    live = deployment()
    del container(live)["env"]
    owned(live, "kubectl-edit", {"f:spec": {"f:replicas": {}}})
    (found,) = between(live, deployment())
    assert (found.live, found.manager, found.time) == (None, "", "")


def test_keys_that_are_no_words_are_set_apart() -> None:
    live, planned = deployment(), deployment()
    planned["metadata"]["annotations"] = {"deployment.kubernetes.io/revision": "4"}
    (found,) = between(live, planned)
    assert found.path == "metadata.annotations[deployment.kubernetes.io/revision]"


def test_values_of_a_secret_are_never_told() -> None:
    live = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "s"},
        "data": {"password": "b2xk"},
    }
    planned = copy.deepcopy(live)
    planned["data"] = {"password": "bmV3", "more": "bW9yZQ=="}
    assert [(one.path, one.live, one.wanted) for one in between(live, planned)] == [
        ("data.password", HIDDEN, HIDDEN),
        ("data.more", None, HIDDEN),
    ]
    assert {one.live for one in taken(planned, planned, MANAGER)} == {HIDDEN}


@pytest.mark.parametrize("manager", ["kubectl", "argocd"])
def test_a_wanted_value_by_anothers_word_is_told(manager: str) -> None:
    live = deployment()
    mine = copy.deepcopy(OURS)
    del mine["f:spec"]["f:replicas"]
    live["metadata"]["managedFields"] = [entry(MANAGER, "Apply", THEN, mine)]
    owned(live, manager, {"f:spec": {"f:replicas": {}}})
    desired = deployment()
    del desired["metadata"]["annotations"]
    del desired["metadata"]["managedFields"]
    del desired["status"]
    del desired["spec"]["template"]["spec"]["dnsPolicy"]
    assert taken(desired, live, MANAGER) == (Field("spec.replicas", 2, 2, manager, LATER),)
