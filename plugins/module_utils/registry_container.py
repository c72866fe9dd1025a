"""Compare the registry's container with what is wanted of it.

Pure. Invariant: only what this project sets is compared. What the image brings along (environment,
labels, command) is not ours, so it can neither be a difference nor cause a recreation.
"""

from __future__ import annotations

import enum
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ansible.module_utils.changes import Field

CONTAINER_PORT = "5000/tcp"
DATA_PATH = "/var/lib/registry"
ENVIRONMENT_LABEL = "com.imooc.environment"
ROLE_LABEL = "com.imooc.role"
ROLE = "registry"


class Step(enum.Enum):
    """What brings an existing container to the wish, from cheap to dear."""

    START = "start"
    CONNECT = "connect"
    RESTART_POLICY = "set the restart policy"
    RECREATE = "recreate"


@dataclass(frozen=True)
class Wish:
    """What this project sets on the container."""

    name: str
    environment: str
    image: str
    volume: str
    address: str
    port: int
    network: str
    restart_policy: str
    allow_delete: bool

    @property
    def labels(self) -> dict[str, str]:
        """The labels that say whose container and volume this is."""
        return {ENVIRONMENT_LABEL: self.environment, ROLE_LABEL: ROLE}

    @property
    def variables(self) -> dict[str, str]:
        """The registry's settings, in the environment variables that override its file."""
        return {
            "REGISTRY_STORAGE_DELETE_ENABLED": str(self.allow_delete).lower(),
            "OTEL_TRACES_EXPORTER": "none",  # the default looks for a collector that is not there
        }

    def body(self) -> dict[str, Any]:
        """Return the engine's description of a container that fulfils the wish."""
        return {
            "Image": self.image,
            "Labels": self.labels,
            "Env": [f"{key}={value}" for key, value in self.variables.items()],
            "ExposedPorts": {CONTAINER_PORT: {}},
            "HostConfig": {
                "Mounts": [{"Type": "volume", "Source": self.volume, "Target": DATA_PATH}],
                "PortBindings": {
                    CONTAINER_PORT: [{"HostIp": self.address, "HostPort": str(self.port)}]
                },
                "RestartPolicy": {"Name": self.restart_policy},
                "NetworkMode": self.network,
            },
            "NetworkingConfig": {"EndpointsConfig": {self.network: {}}},
        }


def address_problem(address: str) -> str:
    """Return why the registry must not listen on ``address``, an empty text where it may."""
    try:
        if ipaddress.IPv4Address(address).is_loopback:
            return ""
    except ValueError:
        pass
    return (
        f"registry_address is {address}, but the registry knows neither passwords nor encryption: "
        "it listens on this machine only, at 127.0.0.1 or another address of 127.0.0.0/8"
    )


def is_ours(container: Mapping[str, Any], wish: Wish) -> bool:
    """Return whether the labels say that this environment's registry role made the container."""
    labels = container["Config"].get("Labels") or {}
    return all(labels.get(key) == value for key, value in wish.labels.items())


def steps(
    container: Mapping[str, Any], wish: Wish, image_id: str | None
) -> dict[Step, list[Field]]:
    """Return what to do to the container, each step with what differs; {} means it is as wanted.

    ``image_id`` is the id of the wished image, None where the engine does not hold it.
    """
    differences = _unchangeable(container, wish, image_id)
    if differences:
        return {Step.RECREATE: differences}
    found: dict[Step, list[Field]] = {}
    policy = container["HostConfig"]["RestartPolicy"]["Name"]
    if policy != wish.restart_policy:
        found[Step.RESTART_POLICY] = [Field("restart policy", policy, wish.restart_policy)]
    networks = container["NetworkSettings"]["Networks"]
    if wish.network not in networks:
        found[Step.CONNECT] = [
            Field("networks", sorted(networks), [*sorted(networks), wish.network])
        ]
    if not container["State"]["Running"]:
        found[Step.START] = [Field("state", "stopped", "running")]
    return found


def _unchangeable(container: Mapping[str, Any], wish: Wish, image_id: str | None) -> list[Field]:
    """Return the differences that no container can be cured of."""
    found = []
    if image_id is not None and container["Image"] != image_id:
        found.append(Field("image", container["Image"][:19], image_id[:19]))
    bindings = container["HostConfig"].get("PortBindings") or {}
    wanted = [{"HostIp": wish.address, "HostPort": str(wish.port)}]
    if bindings.get(CONTAINER_PORT) != wanted:
        found.append(Field("port", _addresses(bindings), _addresses({CONTAINER_PORT: wanted})))
    volumes = [
        mount.get("Name") for mount in container["Mounts"] if mount["Destination"] == DATA_PATH
    ]
    if volumes != [wish.volume]:
        found.append(Field("volume", next(iter(volumes), None), wish.volume))
    variables = dict(entry.split("=", 1) for entry in container["Config"].get("Env") or [])
    for key, value in wish.variables.items():
        if variables.get(key) != value:
            found.append(Field(key, variables.get(key), value))
    return found


def _addresses(bindings: Mapping[str, Any]) -> str:
    """Return where this machine publishes the registry's port, as host:port."""
    return ", ".join(
        f"{one['HostIp']}:{one['HostPort']}" for one in bindings.get(CONTAINER_PORT) or []
    )
