"""The registry's container is compared with what we set, and with nothing else."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from ansible.module_utils.changes import Field
from ansible.module_utils.registry_container import Step, Wish, address_problem, is_ours, steps

WISH = Wish(
    name="r",
    environment="dev",
    image="registry:3",
    volume="r-data",
    address="127.0.0.1",
    port=5000,
    network="kind",
    restart_policy="always",
    allow_delete=True,
)
IMAGE = "sha256:one"


def container() -> dict[str, Any]:
    """What the engine tells of a container that WISH made of an image that brings its own."""
    return {
        "Image": IMAGE,
        "State": {"Running": True},
        "Config": {
            "Labels": {**WISH.labels, "maintainer": "from the image"},
            "Env": [
                "PATH=/bin",
                "OTEL_TRACES_EXPORTER=none",
                "REGISTRY_STORAGE_DELETE_ENABLED=true",
            ],
        },
        "HostConfig": {
            "PortBindings": {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5000"}]},
            "RestartPolicy": {"Name": "always", "MaximumRetryCount": 0},
        },
        "Mounts": [{"Type": "volume", "Name": "r-data", "Destination": "/var/lib/registry"}],
        "NetworkSettings": {"Networks": {"kind": {}}},
    }


def changed(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    found = container()
    inner: Any = found
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return found


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3"])
def test_the_registry_listens_on_this_machine(address: str) -> None:
    assert address_problem(address) == ""


@pytest.mark.parametrize("address", ["0.0.0.0", "192.168.1.5", "::", "localhost", ""])  # noqa: S104 - refused
def test_the_registry_listens_nowhere_else(address: str) -> None:
    assert f"registry_address is {address}, but" in address_problem(address)


def test_what_the_image_brings_along_is_no_difference() -> None:
    assert steps(container(), WISH, IMAGE) == {}
    more = copy.deepcopy(container())
    more["Config"]["Env"] += ["FROM_IMAGE=1"]
    more["Config"]["Labels"]["from.image"] = "1"
    assert steps(more, WISH, IMAGE) == {}


def test_an_image_that_the_engine_lacks_is_no_difference() -> None:
    assert steps(container(), WISH, None) == {}


@pytest.mark.parametrize(
    ("found", "step"),
    [
        pytest.param(changed(("State", "Running"), False), Step.START, id="stopped"),
        pytest.param(
            changed(("NetworkSettings", "Networks"), {"bridge": {}}), Step.CONNECT, id="network"
        ),
        pytest.param(
            changed(("HostConfig", "RestartPolicy"), {"Name": "no"}),
            Step.RESTART_POLICY,
            id="restart policy",
        ),
        pytest.param(changed(("Image",), "sha256:two"), Step.RECREATE, id="image"),
        pytest.param(
            changed(
                ("HostConfig", "PortBindings"),
                {"5000/tcp": [{"HostIp": "0.0.0.0", "HostPort": "5000"}]},  # noqa: S104  # the case
            ),
            Step.RECREATE,
            id="open to the network",
        ),
        pytest.param(changed(("Mounts",), []), Step.RECREATE, id="no volume"),
        pytest.param(changed(("Config", "Env"), ["PATH=/bin"]), Step.RECREATE, id="our setting"),
    ],
)
def test_each_difference_has_its_cheapest_cure(found: dict[str, Any], step: Step) -> None:
    assert list(steps(found, WISH, IMAGE)) == [step]


def test_a_difference_names_both_values() -> None:
    port = {"5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5999"}]}
    assert steps(changed(("HostConfig", "PortBindings"), port), WISH, IMAGE) == {
        Step.RECREATE: [Field("port", "127.0.0.1:5999", "127.0.0.1:5000")]
    }
    stopped = changed(("State", "Running"), False)
    stopped["NetworkSettings"]["Networks"] = {"bridge": {}}
    assert steps(stopped, WISH, IMAGE) == {
        Step.CONNECT: [Field("networks", ["bridge"], ["bridge", "kind"])],
        Step.START: [Field("state", "stopped", "running")],
    }


def test_a_container_without_our_labels_is_foreign() -> None:
    assert is_ours(container(), WISH)
    assert not is_ours(changed(("Config", "Labels"), None), WISH)
    other = {**WISH.labels, "com.imooc.environment": "other"}
    assert not is_ours(changed(("Config", "Labels"), other), WISH)


def test_the_wish_is_bound_to_its_address_and_keeps_its_data() -> None:
    body = WISH.body()
    assert body["HostConfig"]["PortBindings"] == {
        "5000/tcp": [{"HostIp": "127.0.0.1", "HostPort": "5000"}]
    }
    assert body["HostConfig"]["Mounts"] == [
        {"Type": "volume", "Source": "r-data", "Target": "/var/lib/registry"}
    ]
