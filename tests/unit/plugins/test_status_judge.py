"""What counts as wrong, what is only its consequence, and what the state is in a word."""

from __future__ import annotations

import pytest
from ansible.module_utils import status_judge
from ansible.module_utils.status_judge import Wish

from tests.unit.plugins import status_facts

WISH = Wish(
    environment="lab",
    cluster="imooc-lab",
    registry_name="imooc-lab-registry",
    operator_namespace="imoocpod-operator",
    operator_name="imoocpod-operator",
    resource_namespace="default",
    resource_name="example-imoocpod",
)
UP = "make up ENV=lab"
DESCRIBE = "kubectl describe imoocpod example-imoocpod -n default"


def judge(facts: status_facts.Facts) -> tuple[str, list[tuple[str, str]]]:
    """Return the verdict, and problem and cure of each finding."""
    found = status_judge.findings(facts, WISH)
    verdict: str = status_judge.verdict(facts, found, has_state=False)
    return verdict, [(finding.problem, finding.cure) for finding in found]


def test_nothing_is_wrong_with_what_is_up() -> None:
    assert judge(status_facts.up()) == ("up", [])


@pytest.mark.parametrize(
    ("name", "verdict", "problem", "cure"),
    [
        ("no engine", "absent", "no engine answers at unix:///var/run/docker.sock: refused", UP),
        ("no API server", "down", "no cluster answers at https://127.0.0.1:1: refused", UP),
        ("stopped node", "down", "the node imooc-lab-control-plane is stopped", UP),
        (
            "paused node",
            "down",
            "the node imooc-lab-control-plane is paused",
            "docker unpause imooc-lab-control-plane",
        ),
        ("nothing", "absent", "there is no cluster imooc-lab", UP),
        ("stopped worker", "degraded", "the node imooc-lab-worker is stopped", UP),
        (
            "node in trouble",
            "degraded",
            "the node imooc-lab-control-plane: the disk is full",
            "kubectl describe node imooc-lab-control-plane",
        ),
        (
            "lost image",
            "degraded",
            "the engine has lost the image imooc.local/node:1",
            f"{UP} ARGS='--tags images'",
        ),
        (
            "no registry",
            "degraded",
            "there is no registry imooc-lab-registry",
            f"{UP} ARGS='--tags registry'",
        ),
        (
            "stopped registry",
            "degraded",
            "the registry imooc-lab-registry is stopped",
            f"{UP} ARGS='--tags registry'",
        ),
        ("deaf registry", "degraded", "no registry answers", "docker logs imooc-lab-registry"),
        (
            "no operator",
            "degraded",
            "there is no operator imoocpod-operator/imoocpod-operator",
            f"{UP} ARGS='--tags operator'",
        ),
        (
            "operator at zero",
            "degraded",
            "the operator imoocpod-operator/imoocpod-operator is scaled to 0: "
            "nobody looks after ImoocPods",
            f"{UP} ARGS='--tags operator'",
        ),
        (
            "crashing replica",
            "degraded",
            "1 of 2 replicas are available (op-b CrashLoopBackOff)",
            "kubectl describe pods -n imoocpod-operator",
        ),
        (
            "no leader",
            "degraded",
            "no replica holds the lease: nobody looks after ImoocPods",
            "kubectl logs -n imoocpod-operator deployment/imoocpod-operator",
        ),
        (
            "no type",
            "degraded",
            "the cluster serves no type ImoocPod",
            f"{UP} ARGS='--tags crd'",
        ),
        (
            "no resource",
            "degraded",
            "there is no ImoocPod default/example-imoocpod",
            f"{UP} ARGS='--tags cr'",
        ),
        (
            "degraded resource",
            "degraded",
            "default/example-imoocpod: QuotaExceeded: no room",
            DESCRIBE,
        ),
        (
            "missing pod",
            "degraded",
            "default/example-imoocpod: 2 of 3 pods are ready "
            "(example-imoocpod-pod-2 ImagePullBackOff)",
            DESCRIBE,
        ),
        (
            "ignored resource",
            "degraded",
            "team/web: no operator has looked at it yet; one must watch team",
            "kubectl describe imoocpod web -n team",
        ),
        (
            "old spec",
            "degraded",
            "default/example-imoocpod: the operator has not looked at its newest spec yet",
            DESCRIBE,
        ),
    ],
)
def test_one_cause_is_one_finding(name: str, verdict: str, problem: str, cure: str) -> None:
    assert judge(status_facts.spoilt(name)) == (verdict, [(problem, cure)])


def test_state_on_disk_says_that_there_was_something() -> None:
    facts = status_facts.spoilt("nothing")
    found = status_judge.findings(facts, WISH)
    assert status_judge.verdict(facts, found, has_state=True) == "down"


def test_the_default_environment_needs_no_name() -> None:
    wish = Wish("dev", "c", "r", "n", "o", "n", "x")
    assert wish.make("up") == "make up"
    assert wish.make("up", "cr") == "make up ARGS='--tags cr'"


def test_many_pods_that_are_not_ready_are_counted() -> None:
    facts = status_facts.up()
    item = facts["cluster"]["resources"][0] = status_facts.resource(pods=9)
    item["ready"] = 0
    for pod in item["pods"]:
        pod |= {"ready": False, "state": "Pending"}
    (finding,) = status_judge.findings(facts, WISH)
    assert finding.problem.endswith("-pod-2 Pending and 6 more)")
