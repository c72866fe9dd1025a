"""Tell what an environment left on the machine, by comparing it with a record made before.

Everything that the engine holds is compared by identity, whoever made it; files and processes are
those that carry the environment's name. Images stay on purpose: they belong to the machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path

import docker
import docker.errors

PROJECT = Path(__file__).resolve().parents[1]
PREDEFINED_NETWORKS = {"bridge", "host", "none"}  # the engine's own; new ids at each of its starts


def engine_objects() -> dict[str, list[str]]:
    """Return containers, volumes and networks as ``name id``; nothing where no engine answers."""
    try:
        client = docker.from_env(timeout=10)
    except docker.errors.DockerException:
        return {"containers": [], "volumes": [], "networks": []}
    with contextlib.closing(client):
        return {
            "containers": sorted(f"{c.name} {c.id}" for c in client.containers.list(all=True)),
            "volumes": sorted(str(v.name) for v in client.volumes.list()),
            "networks": sorted(
                f"{n.name} {n.id}"
                for n in client.networks.list()
                if n.name not in PREDEFINED_NETWORKS
            ),
        }


def files(environment: str) -> list[str]:
    """Return the files of the environment's state directory."""
    state = PROJECT / "state" / environment
    return sorted(str(path.relative_to(PROJECT)) for path in state.rglob("*"))


def processes(environment: str) -> list[str]:
    """Return the commands of processes that name the environment, but for our own ancestors."""
    mine = {os.getpid()}
    pid = os.getpid()
    while pid > 1:
        status = Path(f"/proc/{pid}/stat").read_text()
        pid = int(status.rpartition(")")[2].split()[1])
        mine.add(pid)
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in mine:
            continue
        try:
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:  # it ended while we looked
            continue
        if f"imooc-{environment}" in command or f"state/{environment}/" in command:
            found.append(command.strip())
    return sorted(found)


def observe(environment: str) -> dict[str, list[str]]:
    """Return all that is compared, by kind of thing."""
    return engine_objects() | {"files": files(environment), "processes": processes(environment)}


def left_behind(before: dict[str, list[str]], after: dict[str, list[str]]) -> list[str]:
    """Return a line for each thing that is in ``after`` but was not in ``before``."""
    return [
        f"{kind[:-1] if kind != 'processes' else 'process'}: {thing}"
        for kind, things in after.items()
        for thing in things
        if thing not in before.get(kind, [])
    ]


def main() -> int:
    """Record or compare; 1 when something was left behind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("verb", choices=["record", "compare"])
    parser.add_argument("--environment", required=True)
    parser.add_argument("record", type=Path)
    arguments = parser.parse_args()
    now = observe(arguments.environment)
    if arguments.verb == "record":
        arguments.record.write_text(json.dumps(now, indent=2))
        return 0
    lines = left_behind(json.loads(arguments.record.read_text()), now)
    print("\n".join(lines) or "nothing was left behind")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
