"""Tell from a registry's data what it has, while no registry answers.

Invariant: nothing is changed and nothing stays. The data is read through a container that is never
started, because the engine shows a volume's files in no other way to a user who is not root.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible.module_utils.engine_client import Engine
from ansible.module_utils.registry_api import Manifest

_DATA = "/data"
_LINK = _DATA + "/docker/registry/v2/repositories/{}/_manifests/tags/{}/current/link"


def manifests(
    engine: Engine, volume: str, image: str, wanted: Sequence[tuple[str, str]]
) -> list[Manifest | None]:
    """Return for each repository and tag the manifest that the volume holds, its size not known.

    ``image`` is any image of the engine. A volume that is not there holds nothing.
    """
    if not volume or engine.get(f"/volumes/{volume}") is None:
        return [None for _ in wanted]
    mount = {"Type": "volume", "Source": volume, "Target": _DATA, "ReadOnly": True}
    body = {"Image": image, "Cmd": ["none"], "HostConfig": {"Mounts": [mount]}}
    created = engine.post("/containers/create", body)["Id"]
    try:
        links = [engine.read_files(created, _LINK.format(*name)) for name in wanted]
    finally:
        engine.remove_container(created)
    digests = [b"".join(files.values()).decode().strip() for files in links]
    return [Manifest(digest, 0) if digest else None for digest in digests]
