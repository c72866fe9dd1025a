"""Judging a machine: each check finds its fault, and a sound machine has none."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from ansible.module_utils.engine_facts import EngineFacts
from ansible.module_utils.listeners import Listener
from ansible.module_utils.preflight_facts import Container, Disk, Facts
from ansible.module_utils.preflight_judge import Limits, Port, judge, notices
from ansible.module_utils.preflight_report import report

ENGINE = EngineFacts(
    host="unix:///var/run/docker.sock",
    source="default",
    explicit=False,
    reachable=True,
    version="26.1.5+dfsg1",
    buildx="/usr/libexec/docker/cli-plugins/docker-buildx",
)
GONE = dataclasses.replace(ENGINE, reachable=False, version="", error="connection refused")
FACTS = Facts(
    python=(3, 11),
    system="Linux",
    architecture="x86_64",
    distribution="debian 12",
    root=True,
    sudo=False,
    cpus=2,
    memory_mib=8000,
    cgroup_version=2,
    cap_sys_resource=True,
    inotify_instances=128,
    inotify_watches=65536,
    cache_disk=Disk("/home/me/.cache/imooc", 1, 20 << 10),
    engine_disk=Disk("/var/lib/docker", 1, 20 << 10),
    engine=ENGINE,
    engine_is_ours=False,
    images_present=False,
    listeners=(),
    containers=(),
    cluster_nodes=(),
    cluster_is_ours=False,
    kubeconfig_present=False,
)
LIMITS = Limits(
    environment="dev",
    core_version="2.19.14",
    cluster_name="imooc-dev",
    containers={"imooc-dev-registry": "registry_name"},
    ports=(Port(5000, "registry_port", "imooc-dev-registry", "127.0.0.1"),),
    nodes=1,
    memory_mib=3000,
    disk_engine_mib=8 << 10,
    disk_cache_mib=6 << 10,
    engine_version="23.0",
    inotify_instances=40,
    inotify_watches=8192,
)
OURS = Container("imooc-dev-registry", {"com.imooc.environment": "dev"}, (5000,))


def found(facts: dict[str, Any] | None = None, limits: dict[str, Any] | None = None) -> list[Any]:
    """Return the faults of the sound machine with some of its facts and limits replaced."""
    faults: list[Any] = judge(
        dataclasses.replace(FACTS, **facts or {}), dataclasses.replace(LIMITS, **limits or {})
    )
    return faults


def test_a_sound_machine_has_no_fault() -> None:
    assert found() == []
    assert notices(FACTS) == []


@pytest.mark.parametrize(
    ("facts", "limits", "variable", "words"),
    [
        pytest.param({}, {"environment": "Dev_1"}, "environment_name", "Dev_1", id="name"),
        pytest.param({}, {"environment": "a" * 33}, "environment_name", "at most 32", id="long"),
        pytest.param({"system": "Darwin"}, {}, "system", "not Linux", id="system"),
        pytest.param({"architecture": "riscv64"}, {}, "architecture", "riscv64", id="arch"),
        pytest.param({"cgroup_version": 0}, {}, "/sys/fs/cgroup", "mount", id="cgroup"),
        pytest.param({"python": (3, 10)}, {}, "python", "3.11", id="python"),
        pytest.param({}, {"core_version": "2.18.9"}, "ansible-core", "2.19", id="core-old"),
        pytest.param({}, {"core_version": "2.22.0"}, "ansible-core", "2.21", id="core-new"),
        pytest.param(
            {"engine": dataclasses.replace(ENGINE, version="20.10.24+dfsg1")},
            {}, "unix:///var/run/docker.sock", "older than 23.0", id="engine-old",
        ),
        pytest.param(
            {"engine": dataclasses.replace(ENGINE, product="Podman Engine", version="5.4.2")},
            {}, "unix:///var/run/docker.sock", "not Docker Engine", id="podman",
        ),
        pytest.param(
            {"engine": dataclasses.replace(ENGINE, source="DOCKER_HOST", host="tcp://10.0.0.7:2375")},
            {}, "DOCKER_HOST", "another machine", id="engine-elsewhere",
        ),
        pytest.param(
            {"engine": dataclasses.replace(ENGINE, buildx="")},
            {}, "docker buildx", "docker-buildx", id="no-buildx",
        ),
        pytest.param(
            {"engine": dataclasses.replace(GONE, source="DOCKER_HOST", explicit=True)},
            {}, "DOCKER_HOST", "unset DOCKER_HOST", id="explicit-engine-gone",
        ),
        pytest.param(
            {"engine": dataclasses.replace(GONE, denied=True)},
            {}, "socket", "usermod -aG docker", id="engine-denied",
        ),
        pytest.param(
            {"engine": GONE, "root": False}, {}, "default", "run as root", id="no-root",
        ),
        pytest.param({"memory_mib": 2000}, {}, "preflight_memory_mib", "2000 MiB", id="memory"),
        pytest.param(
            {"cache_disk": Disk("/cache", 2, 100)},
            {}, "preflight_disk_cache_gib", "/cache: 0.1 GiB free", id="disk",
        ),
        pytest.param(
            {"inotify_instances": 16},
            {}, "fs.inotify.max_user_instances", "sysctl fs.inotify.max_user_instances=40",
            id="inotify",
        ),
        pytest.param(
            {"listeners": (Listener(5000, "0.0.0.0", 17, "nginx"),)},  # noqa: S104 - compared with, not bound
            {}, "registry_port", "nginx (pid 17)", id="port-of-a-process",
        ),
        pytest.param(
            {"containers": (Container("other", {}, (5000,)),)},
            {}, "registry_port", "container other", id="port-of-a-container",
        ),
        pytest.param(
            {}, {"ports": (Port("5x", "registry_port", "", "127.0.0.1"),)},
            "registry_port", "between 1 and 65535", id="no-port",
        ),
        pytest.param(
            {"containers": (Container("imooc-dev-registry", {}, ()),)},
            {}, "registry_name", "docker rm -f imooc-dev-registry", id="foreign-container",
        ),
        pytest.param(
            {"cluster_nodes": ("imooc-dev-control-plane",)},
            {}, "kind_cluster_name", "kind delete cluster --name imooc-dev", id="foreign-cluster",
        ),
    ],
)  # fmt: skip
def test_a_fault_names_variable_value_and_cure(
    facts: dict[str, Any], limits: dict[str, Any], variable: str, words: str
) -> None:
    [fault] = found(facts, limits)
    assert fault.variable == variable
    assert fault.value
    assert fault.cure
    assert words in report([fault], [])


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"engine": GONE}, id="no-engine-yet"),
        pytest.param(
            {"engine": dataclasses.replace(ENGINE, host="tcp://127.0.0.1:2375")}, id="engine-by-tcp"
        ),
        pytest.param({"engine": GONE, "root": False, "sudo": True}, id="sudo"),
        pytest.param(
            {"engine": dataclasses.replace(GONE, denied=True), "engine_is_ours": True,
             "root": False, "sudo": True},
            id="our-engine-before-the-next-login",
        ),
        pytest.param(
            {"engine": dataclasses.replace(ENGINE, buildx=""), "engine_is_ours": True},
            id="our-engine-half-installed",
        ),
        pytest.param(
            {"containers": (OURS,), "listeners": (Listener(5000, "127.0.0.1", 9, "docker-proxy"),)},
            id="port-of-our-registry",
        ),
        pytest.param(
            {"listeners": (Listener(5000, "10.0.0.7", 9, "nginx"),)}, id="port-of-another-address"
        ),
        pytest.param(
            {"cluster_nodes": ("imooc-dev-control-plane",), "cluster_is_ours": True},
            id="our-cluster",
        ),
        pytest.param({"cap_sys_resource": False}, id="no-cap-sys-resource"),
    ],
)  # fmt: skip
def test_what_is_no_fault(facts: dict[str, Any]) -> None:
    assert found(facts) == []


def test_two_needs_on_one_file_system_add_up() -> None:
    shared = {"cache_disk": Disk("/a", 1, 10 << 10), "engine_disk": Disk("/b", 1, 10 << 10)}
    assert [fault.check for fault in found(shared)] == ["disk", "disk"]
    apart = {**shared, "engine_disk": Disk("/b", 2, 10 << 10)}
    assert found(apart) == []


def test_notices() -> None:
    facts = dataclasses.replace(FACTS, cap_sys_resource=False, kubeconfig_present=True)
    text = " ".join(notices(facts))
    assert "CAP_SYS_RESOURCE" in text
    assert "stale" in text
    kept = dataclasses.replace(facts, cluster_nodes=("imooc-dev-control-plane",))
    assert "stale" not in " ".join(notices(kept))


def test_the_report_has_every_fault_in_one_text() -> None:
    faults = found({"memory_mib": 1, "inotify_watches": 1}, {"core_version": "2.9"})
    text = report(faults, ["by the way"])
    assert text.startswith("preflight found 3 faults")
    assert text.count("cure: ") == 3
    assert text.endswith("note: by the way")
