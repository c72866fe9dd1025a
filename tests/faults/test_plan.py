"""A plan from any starting state says, line for line, what `up` then does."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import docker
import pytest
from environments import PROJECT, Environment, Run

NAME = "planned"
NODE = f"imooc-{NAME}-control-plane"
REGISTRY = f"imooc-{NAME}-registry"
PLAN = "playbooks/plan.yml"
LINE = re.compile(r"^(\w+ +(create|update|replace|delete) |  +\S+: .* -> )")
# What a plan cannot know before the build: by which digest the registry will call an image.
UNKNOWN_BEFORE_BUILD = re.compile(r"(imoocpod-operator|busybox)(:[0-9a-f]{16}|@sha256:[0-9a-f]+…?)")

Start = Callable[[Environment], None]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """An environment that is removed whatever the tests left of it."""
    environment = Environment.create(NAME, tmp_path_factory.mktemp("inventory"))
    yield environment
    down = environment.run(playbook="playbooks/down.yml")
    assert down.code == 0, down.output


def nothing(environment: Environment) -> None:
    """Leave nothing of it: there is not even a state directory."""
    assert environment.run(playbook="playbooks/down.yml").code == 0
    assert not environment.state.exists()


def killed_in_cluster(environment: Environment) -> None:
    """Leave a half-made cluster."""
    nothing(environment)
    assert environment.run(kill_in=("cluster", 6)).code == -signal.SIGKILL


def ended_after_registry(environment: Environment) -> None:
    """Leave what the first steps make."""
    nothing(environment)
    assert environment.run("--tags", "preflight,engine,images,cluster,registry").code == 0


def finished(environment: Environment) -> None:
    """Leave all as it is."""


def container(verb: str, name: str) -> Start:
    """Return what calls a method of a container."""

    def call(_: Environment) -> None:
        with contextlib.closing(docker.from_env(timeout=60)) as engine:
            options = {"force": True} if verb == "remove" else {}
            getattr(engine.containers.get(name), verb)(**options)

    return call


def kubectl(*arguments: str) -> Start:
    """Return what runs kubectl."""

    def call(environment: Environment) -> None:
        command = [f"{PROJECT}/bin/kubectl", f"--kubeconfig={environment.state}/kubeconfig"]
        subprocess.run([*command, *arguments], check=True, capture_output=True, timeout=120)

    return call


def without_kubeconfig(environment: Environment) -> None:
    """Lose the kubeconfig."""
    (environment.state / "kubeconfig").unlink()


def drifted(environment: Environment) -> None:
    """Change something in several layers at once."""
    role = '{"rules": []}'
    kubectl("scale", "imoocpod/example-imoocpod", "--replicas=5")(environment)
    kubectl("patch", "role", "imoocpod-operator", "--type=merge", "-p", role)(environment)
    kubectl("-n", "imoocpod-operator", "delete", "networkpolicy", "imoocpod-operator")(environment)
    kubectl("-n", "kube-public", "delete", "configmap", "local-registry-hosting")(environment)
    with contextlib.closing(docker.from_env()) as engine:
        engine.containers.get(NODE).exec_run(["rm", "-rf", "/etc/containerd/certs.d/mock.com:5000"])


STARTS: list[tuple[str, Start, Mapping[str, object]]] = [
    ("nothing", nothing, {}),
    ("killed in mid-cluster", killed_in_cluster, {}),
    ("ended after the registry", ended_after_registry, {}),
    ("finished", finished, {}),
    ("drifted in five places", drifted, {}),
    ("registry removed", container("remove", REGISTRY), {}),
    ("registry stopped", container("stop", REGISTRY), {}),
    ("node stopped", container("stop", NODE), {}),
    ("kubeconfig lost", without_kubeconfig, {}),
    ("type deleted", kubectl("delete", "crd", "imoocpods.k8s.imooc.com"), {}),
    ("operator's namespace deleted", kubectl("delete", "namespace", "imoocpod-operator"), {}),
    ("sources changed", finished, {"operator_image_source_url": "https://example.com/changed"}),
    ("wish changed", finished, {"imoocpod_replicas": 2, "operator_watch_namespaces": []}),
    ("node deleted by hand", container("remove", NODE), {}),
    (
        "other cluster wished",
        finished,
        {"kind_cluster_workers": 1, "kind_cluster_allow_recreate": True},
    ),
]


def told(run: Run) -> list[str]:
    """Return the lines that a run tells of changes, without what a plan cannot know."""
    lines = run.output.partition("PLAY RECAP")[2].splitlines()
    return [UNKNOWN_BEFORE_BUILD.sub(r"\1", line) for line in lines if LINE.match(line)]


def kept(environment: Environment, view: str) -> dict[str, Any]:
    """Return what a run wrote down, without what a plan cannot know."""
    text = UNKNOWN_BEFORE_BUILD.sub(r"\1", (environment.state / f"{view}.json").read_text())
    written: dict[str, Any] = json.loads(text)
    return written


def left(environment: Environment) -> dict[str, int]:
    """Return all files of the environment but the plan, with their times."""
    files = environment.state.rglob("*") if environment.state.exists() else []
    return {str(path): path.stat().st_mtime_ns for path in files if path.name != "plan.json"}


@pytest.mark.parametrize(
    ("start", "variables"),
    [pytest.param(start, variables, id=name) for name, start, variables in STARTS],
)
def test_up_does_what_the_plan_says(
    environment: Environment, start: Start, variables: Mapping[str, object]
) -> None:
    start(environment)
    before = left(environment)
    plan = environment.run(
        "--check", playbook=PLAN, variables={**variables, "detailed_exitcode": True}
    )
    assert left(environment) == before
    assert plan.code in (0, 2), plan.output
    planned = kept(environment, "plan")

    up = environment.run(variables=variables)
    assert up.code == 0, up.output
    applied = kept(environment, "applied")
    assert told(plan) == told(up)
    assert planned["steps"] == applied["steps"]
    assert planned["counts"] == applied["counts"]
    assert plan.code == (2 if any(planned["counts"].values()) else 0)
    if start is not finished or variables:
        assert told(plan), plan.output


@pytest.mark.parametrize("playbook", [PLAN, "playbooks/drift.yml"])
def test_a_question_is_never_acted_on(environment: Environment, playbook: str) -> None:
    """Whoever forgets --check is told so, and nothing happens."""
    something = {"imoocpod_replicas": 4}
    run = environment.run(playbook=playbook, variables=something)
    assert run.code == 1, run.output
    assert "add --check" in run.output
    assert "TASK" not in run.output
    # Nor where the callback that says so is switched off.
    without = {"ANSIBLE_CALLBACKS_ENABLED": "timer"}
    run = environment.run(playbook=playbook, variables=something, environ=without)
    assert run.changed == 0, run.output


def test_a_plan_that_fails_says_so_and_leaves_no_plan(environment: Environment) -> None:
    variables = {"registry_port": 99999, "detailed_exitcode": True}
    run = environment.run("--check", playbook=PLAN, variables=variables)
    assert run.code == 1, run.output
    assert not (environment.state / "plan.json").exists()
