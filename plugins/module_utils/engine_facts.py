"""Describe the engine this machine would use: reachable or not, how old, and with which builder.

Invariant: an engine that does not answer is a description with ``reachable: false``, never an
exception, because both "install one" and "say what is wrong" start from that answer.
"""

from __future__ import annotations

import dataclasses
import os
import re
import urllib.parse
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.engine_api import EngineUnreachable, find_endpoint
from ansible.module_utils.engine_client import Engine, EngineError
from ansible.module_utils.registry_api import is_loopback

_PLUGIN_DIRS = (  # https://github.com/docker/cli/blob/master/cli-plugins/manager/manager_unix.go
    "/usr/local/lib/docker/cli-plugins",
    "/usr/local/libexec/docker/cli-plugins",
    "/usr/lib/docker/cli-plugins",
    "/usr/libexec/docker/cli-plugins",
)
_TIMEOUT = 5.0


@dataclasses.dataclass(frozen=True)
class EngineFacts:
    """What is known of the engine; the fields behind ``reachable`` are empty where it is false."""

    host: str
    source: str
    explicit: bool
    reachable: bool
    denied: bool = False
    error: str = ""
    product: str = ""
    version: str = ""
    api_version: str = ""
    data_root: str = ""
    storage_driver: str = ""
    cgroup_version: int = 0
    cgroup_driver: str = ""
    cpus: int = 0
    memory_mib: int = 0
    buildx: str = ""

    @property
    def socket(self) -> str:
        """The path of the engine's socket, or an empty string where it is reached by TCP."""
        return self.host.removeprefix("unix://") if self.host.startswith("unix://") else ""

    @property
    def remote(self) -> bool:
        """Whether the engine publishes ports on another machine's loopback address."""
        name = urllib.parse.urlsplit(self.host).hostname
        return name is not None and not is_loopback(name)

    def as_facts(self) -> dict[str, Any]:
        """Return the fields as plain data for Ansible."""
        return {**dataclasses.asdict(self), "socket": self.socket}


def version(text: str) -> tuple[int, ...]:
    """Return the leading numbers of a version, so that 26.1.5+dfsg1 compares as (26, 1, 5)."""
    match = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in match[0].split(".")) if match else ()


def read_engine(environ: Mapping[str, str], home: Path) -> tuple[EngineFacts, Engine | None]:
    """Return the facts, and a connected client where the engine answers."""
    endpoint = find_endpoint(environ, home)
    facts = EngineFacts(
        host=endpoint.host,
        source=endpoint.source,
        explicit=endpoint.explicit,
        reachable=False,
        buildx=find_buildx(environ, home),
    )
    client = Engine(endpoint, timeout=_TIMEOUT)
    try:
        version, info = client.get("/version"), client.get("/info")
    except (EngineUnreachable, EngineError) as error:
        denied = isinstance(error.__cause__, PermissionError)
        return dataclasses.replace(facts, error=str(error), denied=denied), None
    return (
        dataclasses.replace(
            facts,
            reachable=True,
            product=next((part["Name"] for part in version.get("Components") or []), ""),
            version=version["Version"],
            api_version=version["ApiVersion"],
            data_root=info["DockerRootDir"],
            storage_driver=info["Driver"],
            cgroup_version=int(info.get("CgroupVersion") or 1),
            cgroup_driver=info["CgroupDriver"],
            cpus=info["NCPU"],
            memory_mib=info["MemTotal"] >> 20,
        ),
        client,
    )


def find_buildx(environ: Mapping[str, str], home: Path) -> str:
    """Return the path of the buildx plugin that docker would run, or an empty string."""
    user_dir = Path(environ.get("DOCKER_CONFIG") or home / ".docker") / "cli-plugins"
    for directory in (user_dir, *map(Path, _PLUGIN_DIRS)):
        plugin = directory / "docker-buildx"
        if os.access(plugin, os.X_OK):
            return str(plugin)
    return ""
