"""Nothing is written where nothing changes, nothing is deleted that is not ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.kube_apply import Applier, ApplyRefused, Outcome
from ansible.module_utils.kube_client import KubeClient
from ansible.module_utils.kube_waiter import Waiter, WaitFailed

MANAGER = "imooc-ansible"
MAP = "/api/v1/namespaces/{}/configmaps/{}"


def config_map(name: str, namespace: str = "default", **data: str) -> dict[str, Any]:
    """Return a small object."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace},
        "data": data,
    }


@pytest.fixture
def run(kube_api: Any) -> Callable[..., list[Outcome]]:
    """Call one method of an Applier as one run of the module would."""

    def call(verb: str, *args: Any, check_mode: bool = False, timeout: float = 2) -> list[Outcome]:
        with KubeClient.from_kubeconfig(kube_api.kubeconfig) as client:
            waiter = Waiter(client, timeout, lambda message: None)
            outcomes: list[Outcome] = getattr(Applier(client, waiter, MANAGER, check_mode), verb)(
                *args
            )
            return outcomes

    return call


def actions(outcomes: list[Outcome]) -> list[str]:
    """Return what was done, in order."""
    return [outcome.action for outcome in outcomes]


def test_the_second_run_only_reads(kube_api: Any, run: Any) -> None:
    objects = [config_map("x", a="1"), config_map("y", b="2")]
    assert actions(run("present", objects, True)) == ["create", "create"]
    kube_api.server.requests.clear()
    assert actions(run("present", objects, True)) == ["none", "none"]
    assert [r.split()[0] for r in kube_api.server.requests] == ["GET"] * 3  # discovery, two objects


def test_drift_is_repaired_and_its_author_is_named(kube_api: Any, run: Any) -> None:
    run("present", [config_map("x", a="1")], True)
    live = kube_api.server.objects[MAP.format("default", "x")]
    live["data"] = {"a": "2"}
    live["metadata"]["managedFields"].append({"manager": "kubectl-edit", "operation": "Update"})
    outcome = run("present", [config_map("x", a="1")], True)[0]
    assert outcome.action == "update"
    assert outcome.overruled == ('.data: conflict with "kubectl-edit"',)
    assert kube_api.server.objects[MAP.format("default", "x")]["data"] == {"a": "1"}


def test_check_mode_stores_nothing(kube_api: Any, run: Any) -> None:
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "new"}}
    custom = {"apiVersion": "a.b/v1", "kind": "Later", "metadata": {"name": "x"}}
    objects = [namespace, config_map("x", "new", a="1"), custom]
    assert actions(run("present", objects, True, check_mode=True)) == ["create"] * 3
    assert kube_api.server.writes == []


def test_a_missing_namespace_is_refused_with_advice(run: Any) -> None:
    with pytest.raises(ApplyRefused, match=r"ConfigMap/gone/x is refused(.|\n)*create it"):
        run("present", [config_map("x", "gone")], True)


def test_an_immutable_field_is_refused_and_nothing_is_recreated(kube_api: Any, run: Any) -> None:
    run("present", [config_map("x", a="1")], True)
    kube_api.server.refuse = lambda method, path: (
        (422, {"reason": "Invalid", "message": "field is immutable"}) if method == "PATCH" else None
    )
    with pytest.raises(ApplyRefused, match=r"field is immutable(.|\n)*state: absent"):
        run("present", [config_map("x", a="2")], True)
    assert kube_api.server.objects[MAP.format("default", "x")]["data"] == {"a": "1"}


def test_objects_go_last_first_and_only_ours(kube_api: Any, run: Any) -> None:
    ours = [config_map("x", a="1"), config_map("y", a="1")]
    run("present", ours, True)
    kube_api.server.put(MAP.format("default", "theirs"), config_map("theirs"))
    kube_api.server.requests.clear()
    objects = [*ours, config_map("theirs"), config_map("never")]
    assert actions(run("absent", objects)) == ["none", "foreign", "delete", "delete"]
    assert [r.rsplit("/", 1)[-1] for r in kube_api.server.writes] == ["y", "x"]
    assert MAP.format("default", "theirs") in kube_api.server.objects


def test_a_planned_delete_deletes_nothing(kube_api: Any, run: Any) -> None:
    run("present", [config_map("x")], True)
    assert actions(run("absent", [config_map("x")], check_mode=True)) == ["delete"]
    assert MAP.format("default", "x") in kube_api.server.objects


def test_prune_takes_what_we_applied_elsewhere_and_nothing_else(kube_api: Any, run: Any) -> None:
    for name in ("a", "b"):
        kube_api.server.put(
            f"/api/v1/namespaces/{name}",
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": name},
                "status": {"phase": "Active"},
            },
        )
    run("present", [config_map("x", "a"), config_map("x", "b")], True)
    foreign = config_map("x", "default")
    kube_api.server.put("/api/v1/configmaps/foreign", foreign)
    for namespace in ("a", "b"):  # a list over all namespaces has its own path in the stand-in
        kube_api.server.put(
            f"/api/v1/configmaps/{namespace}",
            kube_api.server.objects[MAP.format(namespace, "x")],
        )
    kinds = [{"apiVersion": "v1", "kind": "ConfigMap", "name": "x"}]
    outcomes = run("prune", kinds, [config_map("x", "b")])
    assert [(o.obj["metadata"]["namespace"], o.action) for o in outcomes] == [("a", "delete")]
    assert MAP.format("a", "x") not in kube_api.server.objects
    assert MAP.format("b", "x") in kube_api.server.objects


def test_prune_does_not_ask_for_kinds_that_it_does_not_prune(run: Any) -> None:
    custom = {"apiVersion": "a.b/v1", "kind": "Later", "metadata": {"name": "x"}}
    assert run("prune", [], [custom], check_mode=True) == []


def test_a_wait_ends_with_evidence(kube_api: Any, run: Any) -> None:
    kube_api.server.put(
        "/api/v1/namespaces/stuck",
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": "stuck"},
            "status": {"phase": "Odd"},
        },
    )
    stuck = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "stuck"}}
    with pytest.raises(WaitFailed, match=r"Namespace/stuck: not ready after 0.2 s: phase Odd"):
        run("present", [stuck], True, timeout=0.2)
