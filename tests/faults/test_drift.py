"""Whatever somebody changes by hand is found, named, repaired by `up`, and gone afterwards."""

from __future__ import annotations

import contextlib
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import docker
import pytest
from environments import PROJECT, Environment

NAME = "drifting"
NODE = f"imooc-{NAME}-control-plane"
REGISTRY = f"imooc-{NAME}-registry"
DRIFT = "playbooks/drift.yml"
OPERATOR = "imoocpod-operator"
RUNS_WITHOUT_ALARM = 20

Act = Callable[[Environment], None]


@dataclass(frozen=True)
class Drift:
    """What somebody does, and the row by which it must be named.

    ``field`` is "" where the whole object is gone or too many; ``live`` is the value found there,
    ``...`` any.
    """

    act: Act
    object: str
    field: str
    live: Any
    manager: str = ""


def kubectl(*arguments: str) -> Act:
    """Return what runs kubectl."""

    def act(environment: Environment) -> None:
        command = [f"{PROJECT}/bin/kubectl", f"--kubeconfig={environment.state}/kubeconfig"]
        subprocess.run([*command, *arguments], check=True, capture_output=True, timeout=120)

    return act


def patch(namespace: str, kind_and_name: str, *operations: dict[str, Any]) -> Act:
    """Return what patches an object as a person would."""
    body = json.dumps(list(operations))
    return kubectl("-n", namespace, "patch", kind_and_name, "--type=json", "-p", body)


def set_to(path: str, value: object) -> dict[str, Any]:
    """Return the operation that replaces one value."""
    return {"op": "replace", "path": path, "value": value}


def on_node(*command: str) -> Act:
    """Return what runs a command on the node."""

    def act(_: Environment) -> None:
        with contextlib.closing(docker.from_env()) as engine:
            result = engine.containers.get(NODE).exec_run(list(command))
            assert result.exit_code == 0, result.output

    return act


def engine(verb: str, name: str, **options: object) -> Act:
    """Return what calls a method of a container."""

    def act(_: Environment) -> None:
        with contextlib.closing(docker.from_env(timeout=60)) as client:
            getattr(client.containers.get(name), verb)(**options)

    return act


def off_the_network(_: Environment) -> None:
    """Take the registry from the nodes' network."""
    with contextlib.closing(docker.from_env()) as client:
        client.networks.get("kind").disconnect(REGISTRY)


def on_another_port(_: Environment) -> None:
    """Run the registry's image anew, as somebody does who forgot its port."""
    with contextlib.closing(docker.from_env(timeout=60)) as client:
        old = client.containers.get(REGISTRY)
        image, labels = str(old.attrs["Image"]), dict(old.labels)
        old.remove(v=True, force=True)
    command = [
        *("docker", "run", "--detach", "--name", REGISTRY, "--network", "kind"),
        *("--restart", "always", "--publish", "127.0.0.1:5999:5000"),
        *("--env", "REGISTRY_STORAGE_DELETE_ENABLED=true", "--env", "OTEL_TRACES_EXPORTER=none"),
        *("--volume", f"{REGISTRY}-data:/var/lib/registry"),
        *(f"--label={key}={value}" for key, value in labels.items()),
    ]
    subprocess.run([*command, image], check=True, capture_output=True)


def kubeconfig(change: Callable[[str], str]) -> Act:
    """Return what edits the kubeconfig."""

    def act(environment: Environment) -> None:
        path = environment.state / "kubeconfig"
        path.write_text(change(path.read_text()))

    return act


def open_to_all(environment: Environment) -> None:
    """Let everybody on the machine read the kubeconfig."""
    (environment.state / "kubeconfig").chmod(0o644)


def without_kubeconfig(environment: Environment) -> None:
    """Lose the kubeconfig."""
    (environment.state / "kubeconfig").unlink()


def forgotten_image(environment: Environment) -> None:
    """Remove the image of the pods from the node, as a kubelet short of disk would."""
    on_node("sh", "-c", "ctr -n k8s.io images rm $(ctr -n k8s.io images ls -q | grep busybox@)")(
        environment
    )


CERTS = "/etc/containerd/certs.d"
MAIN = f"spec.template.spec.containers[{OPERATOR}]"
CONTAINER = "/spec/template/spec/containers/0"
CRD = "CustomResourceDefinition/imoocpods.k8s.imooc.com"
DEPLOYMENT = f"Deployment/{OPERATOR}/{OPERATOR}"
HOSTING = "ConfigMap/kube-public/local-registry-hosting"
ROGUE = {"kind": "ServiceAccount", "name": "default", "namespace": "default"}

# What does not stand in the way of one another is done at once: a row for each.
VALUES = [
    Drift(
        patch("default", f"role/{OPERATOR}", set_to("/rules/0/verbs", ["get"])),
        f"Role/default/{OPERATOR}",
        "rules[0].verbs",
        ["get"],
        "kubectl-patch",
    ),
    Drift(
        patch(
            "default",
            f"rolebinding/{OPERATOR}",
            {"op": "add", "path": "/subjects/-", "value": ROGUE},
        ),
        f"RoleBinding/default/{OPERATOR}",
        "subjects[default]",
        ROGUE,
        "kubectl-patch",
    ),
    Drift(
        patch(
            OPERATOR,
            f"role/{OPERATOR}-lease",
            {
                "op": "add",
                "path": "/rules/-",
                "value": {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]},
            },
        ),
        f"Role/{OPERATOR}/{OPERATOR}-lease",
        "rules",
        ...,  # the whole list, ours and theirs
        "kubectl-patch",
    ),
    Drift(
        patch(OPERATOR, f"sa/{OPERATOR}", set_to("/automountServiceAccountToken", True)),
        f"ServiceAccount/{OPERATOR}/{OPERATOR}",
        "automountServiceAccountToken",
        True,
        "kubectl-patch",
    ),
    Drift(
        kubectl(
            *("label", "namespace", OPERATOR, "--overwrite"),
            "pod-security.kubernetes.io/enforce=privileged",
        ),
        f"Namespace/{OPERATOR}",
        "metadata.labels[pod-security.kubernetes.io/enforce]",
        "privileged",
        "kubectl-label",
    ),
    Drift(
        patch(
            "default",
            "crd/imoocpods.k8s.imooc.com",
            set_to("/spec/versions/0/additionalPrinterColumns/0/priority", 1),
        ),
        CRD,
        "spec.versions[v1alpha1].additionalPrinterColumns[Desired].priority",
        1,
        "kubectl-patch",
    ),
    Drift(
        patch("default", "crd/imoocpods.k8s.imooc.com", set_to("/spec/names/shortNames", ["ip"])),
        CRD,
        "spec.names.shortNames[0]",
        "ip",
        "kubectl-patch",
    ),
    Drift(
        kubectl("-n", OPERATOR, "set", "image", f"deploy/{OPERATOR}", f"{OPERATOR}=example/x:1"),
        DEPLOYMENT,
        f"{MAIN}.image",
        "example/x:1",
        "kubectl-set",
    ),
    Drift(
        kubectl("-n", OPERATOR, "set", "env", f"deploy/{OPERATOR}", "WATCH_NAMESPACES=other"),
        DEPLOYMENT,
        f"{MAIN}.env[WATCH_NAMESPACES].value",
        "other",
        "kubectl-set",
    ),
    Drift(
        kubectl("-n", OPERATOR, "scale", f"deploy/{OPERATOR}", "--replicas=1"),
        DEPLOYMENT,
        "spec.replicas",
        1,
        "kubectl",
    ),
    Drift(
        patch(OPERATOR, f"deploy/{OPERATOR}", set_to(f"{CONTAINER}/args", ["--help"])),
        DEPLOYMENT,
        f"{MAIN}.args[0]",
        "--help",
        "kubectl-patch",
    ),
    Drift(
        patch(
            OPERATOR,
            f"deploy/{OPERATOR}",
            set_to(f"{CONTAINER}/resources/limits/memory", "1Gi"),
        ),
        DEPLOYMENT,
        f"{MAIN}.resources.limits.memory",
        "1Gi",
        "kubectl-patch",
    ),
    Drift(
        patch(
            OPERATOR,
            f"deploy/{OPERATOR}",
            set_to(f"{CONTAINER}/securityContext/readOnlyRootFilesystem", False),
        ),
        DEPLOYMENT,
        f"{MAIN}.securityContext.readOnlyRootFilesystem",
        False,
        "kubectl-patch",
    ),
    Drift(
        patch(OPERATOR, f"pdb/{OPERATOR}", set_to("/spec/maxUnavailable", 2)),
        f"PodDisruptionBudget/{OPERATOR}/{OPERATOR}",
        "spec.maxUnavailable",
        2,
        "kubectl-patch",
    ),
    Drift(
        patch(OPERATOR, f"netpol/{OPERATOR}", set_to("/spec/policyTypes", ["Ingress"])),
        f"NetworkPolicy/{OPERATOR}/{OPERATOR}",
        "spec.policyTypes",
        ["Ingress"],
        "kubectl-patch",
    ),
    Drift(
        kubectl("scale", "imoocpod/example-imoocpod", "--replicas=5"),
        "ImoocPod/default/example-imoocpod",
        "spec.replicas",
        5,
        "kubectl",
    ),
    Drift(
        patch(
            "kube-public",
            "cm/local-registry-hosting",
            set_to("/data/localRegistryHosting.v1", "host: elsewhere:1"),
        ),
        HOSTING,
        "data[localRegistryHosting.v1]",
        "host: elsewhere:1",
        "kubectl-patch",
    ),
    Drift(
        patch("kube-public", "cm/imooc-kind-cluster", set_to("/data/record.json", "{}")),
        "ConfigMap/kube-public/imooc-kind-cluster",
        "data[record.json]",
        "{}",
        "kubectl-patch",
    ),
    Drift(
        on_node("sh", "-c", f"echo 'server = \"http://x\"' > {CERTS}/mock.com:5000/hosts.toml"),
        f"{NODE}:{CERTS}/mock.com:5000/hosts.toml",
        "text",
        'server = "http://x"\n',
    ),
    Drift(open_to_all, "file kubeconfig", "mode", "0644"),
    Drift(
        engine("update", REGISTRY, restart_policy={"Name": "no"}),
        f"container {REGISTRY}",
        "restart policy",
        "no",
    ),
    Drift(off_the_network, f"container {REGISTRY}", "networks", []),
]
GONE = [
    Drift(kubectl("delete", "rolebinding", OPERATOR), f"RoleBinding/default/{OPERATOR}", "", None),
    Drift(
        kubectl("-n", OPERATOR, "delete", "sa", OPERATOR),
        f"ServiceAccount/{OPERATOR}/{OPERATOR}",
        "",
        None,
    ),
    Drift(kubectl("-n", OPERATOR, "delete", "deploy", OPERATOR), DEPLOYMENT, "", None),
    Drift(
        kubectl("-n", OPERATOR, "delete", "netpol", OPERATOR),
        f"NetworkPolicy/{OPERATOR}/{OPERATOR}",
        "",
        None,
    ),
    Drift(
        kubectl("-n", "kube-public", "delete", "cm", "local-registry-hosting"), HOSTING, "", None
    ),
    # With the type go its objects; nobody would be there to see to their pods.
    Drift(kubectl("delete", "crd", "imoocpods.k8s.imooc.com"), CRD, "", None),
    Drift(
        on_node("rm", "-r", f"{CERTS}/{REGISTRY}:5000"),
        f"{NODE}:{CERTS}/{REGISTRY}:5000/hosts.toml",
        "",
        None,
    ),
    Drift(
        on_node(
            *("sh", "-c"),
            f"cd {CERTS} && mkdir old:1 && cp mock.com:5000/hosts.toml old:1/hosts.toml",
        ),
        f"{NODE}:{CERTS}/old:1/hosts.toml",
        "",
        "present",
    ),
    Drift(engine("remove", REGISTRY, force=True), f"container {REGISTRY}", "", None),
]
KUBECONFIG = [
    Drift(
        kubeconfig(lambda text: text.replace("server: https://", "server: https://127.0.0.1:1/#")),
        "file kubeconfig",
        "server",
        ...,  # it holds the environment's port
    ),
]
LOST_KUBECONFIG = [Drift(without_kubeconfig, "file kubeconfig", "", None)]
PORT = [Drift(on_another_port, f"container {REGISTRY}", "port", "127.0.0.1:5999")]
STOPPED = [
    Drift(engine("stop", REGISTRY), f"container {REGISTRY}", "state", "stopped"),
    Drift(engine("stop", NODE), f"node {NODE}", "state", "stopped"),
]
IMAGE = [Drift(forgotten_image, f"{NODE}: image localhost:", "", None)]
GROUPS = {
    "values": VALUES,
    "objects gone": GONE,
    "registry on another port": PORT,
    "kubeconfig leads elsewhere": KUBECONFIG,
    "kubeconfig lost": LOST_KUBECONFIG,
    "stopped": STOPPED,
    "image gone from the node": IMAGE,
}


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    """A finished environment."""
    environment = Environment.create(NAME, tmp_path_factory.mktemp("inventory"))
    try:
        up = environment.run()
        assert up.code == 0, up.output
        yield environment
    finally:
        down = environment.run(playbook="playbooks/down.yml")
        assert down.code == 0, down.output


def differences(environment: Environment) -> list[dict[str, Any]]:
    """Return what `make drift` finds; the exit code must say whether it is anything."""
    run = environment.run("--check", playbook=DRIFT, variables={"detailed_exitcode": True})
    assert run.code in (0, 2), run.output
    written = json.loads((environment.state / "drift.json").read_text())
    found: list[dict[str, Any]] = written["differences"]
    assert run.code == (2 if found else 0), run.output
    for row in found:
        assert row["object"] in run.output
        assert row["field"] in run.output
    return found


def names(row: dict[str, Any], drift: Drift) -> bool:
    """Return whether a row is about what was done."""
    return bool(
        row["object"].startswith(drift.object)
        and row["field"] == drift.field
        and drift.live in (..., row["live"])
        and row["manager"] == drift.manager
    )


def test_an_untouched_environment_never_raises_an_alarm(environment: Environment) -> None:
    for _ in range(RUNS_WITHOUT_ALARM):
        assert differences(environment) == []


@pytest.mark.parametrize("group", GROUPS.values(), ids=GROUPS.keys())
def test_each_drift_is_named_repaired_and_gone(
    environment: Environment, group: list[Drift]
) -> None:
    for drift in group:
        drift.act(environment)
    found = differences(environment)
    unnamed = [drift for drift in group if not any(names(row, drift) for row in found)]
    assert unnamed == [], json.dumps(found, indent=2)

    up = environment.run()
    assert up.code == 0, up.output
    assert differences(environment) == []


def test_there_are_enough_of_them() -> None:
    assert sum(map(len, GROUPS.values())) >= 25


def test_another_wish_for_the_cluster_is_drift_and_not_an_error(environment: Environment) -> None:
    """kind cannot change a running cluster: `up` would refuse, and drift says what differs."""
    run = environment.run(
        "--check", playbook=DRIFT, variables={"kind_cluster_pod_subnet": "10.8.0.0/16"}
    )
    assert run.code == 0, run.output
    (row,) = [
        row
        for row in json.loads((environment.state / "drift.json").read_text())["differences"]
        if row["step"] == "cluster"
    ]
    assert (row["object"], row["field"]) == (f"cluster imooc-{NAME}", "pod_subnet")
    assert (row["live"], row["wanted"]) == ("10.244.0.0/16", "10.8.0.0/16")
