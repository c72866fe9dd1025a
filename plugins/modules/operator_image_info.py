#!/usr/bin/python
"""Ansible module: which operator image the sources stand for, and who has it already."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: operator_image_info
short_description: Find the operator's image and the pods' image by what they are made of
description:
  - Names the image that the build context would give, and asks the registry and the nodes for it.
  - Changes nothing. In check mode, what cannot be asked yet counts as missing.
options:
  context:
    description: Folder of the build context.
    type: path
    required: true
  members:
    description: Files and folders of the context that the image is made of.
    type: list
    elements: str
    required: true
  base:
    description: Base image, a reference that the engine holds.
    type: str
    required: true
  labels:
    description: Labels of the image, apart from those that name its content.
    type: dict
    default: {}
  registry:
    description: Registry, as it stands in image references.
    type: str
    required: true
  repository:
    description: Repository of the operator's image.
    type: str
    required: true
  pod_image:
    description: Image of the pods, a reference that the engine holds.
    type: str
    required: true
  pod_repository:
    description: Repository of the pods' image.
    type: str
    required: true
  cluster:
    description: Name of a kind cluster whose nodes must have both images; empty for none.
    type: str
    default: ""
  planned_nodes:
    description:
      - Names of nodes that an earlier step makes, in place of any there are now. Check mode plans
        for these; otherwise they are not looked at.
    type: list
    elements: str
    default: []
  registry_volume:
    description:
      - Volume of the engine that holds the registry's data. Check mode looks into it where the
        registry does not answer, since an earlier step starts one on it; empty for none.
    type: str
    default: ""
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Find the operator's image
  operator_image_info:
    context: operator
    members: [Dockerfile, src, requirements.lock]
    base: python:3.13-slim
    registry: localhost:5000
    repository: imoocpod-operator
    pod_image: busybox:1.37
    pod_repository: busybox
"""

RETURN = r"""
operator:
  description: tag, reference (with the tag), ref (with the digest), digest and size (bytes as
    compressed) of the operator's image; digest is empty where the registry does not have it.
  type: dict
  returned: always
labels:
  description: All labels of the operator's image, those that name its content among them.
  type: dict
  returned: always
pods:
  description: The same of the pods' image.
  type: dict
  returned: always
nodes_without:
  description: For each node that lacks images, their references.
  type: dict
  returned: always
"""

from pathlib import Path
from typing import Any

from ansible.module_utils import build_context, node_images, registry_volume
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.engine_client import Engine, EngineError, EngineUnreachable
from ansible.module_utils.registry_api import Manifest, RegistryClient, RegistryUnreachable

ARGUMENTS: dict[str, Any] = {
    "context": {"type": "path", "required": True},
    "members": {"type": "list", "elements": "str", "required": True},
    "base": {"type": "str", "required": True},
    "labels": {"type": "dict", "default": {}},
    "registry": {"type": "str", "required": True},
    "repository": {"type": "str", "required": True},
    "pod_image": {"type": "str", "required": True},
    "pod_repository": {"type": "str", "required": True},
    "cluster": {"type": "str", "default": ""},
    "planned_nodes": {"type": "list", "elements": "str", "default": []},
    "registry_volume": {"type": "str", "default": ""},
}
_NOT_KNOWN_YET = "not-known-yet"


class Missing(Exception):
    """An earlier step has not been done; the message names its tag."""


def image_id(engine: Engine, reference: str) -> str:
    """Return the id of an image that the engine must hold."""
    image = engine.image(reference) if reference else None
    if image is None:
        raise Missing(
            f"the image {reference!r} is not in the engine; "
            "run: ansible-playbook site.yml --tags images"
        )
    return str(image["Id"])


def contents(engine: Engine, params: dict[str, Any]) -> tuple[str, str, str]:
    """Return the tags that name the content of both images, and the id of the base image."""
    base = image_id(engine, params["base"])
    labels = {f"label {key}": str(value) for key, value in params["labels"].items()}
    operator: str = build_context.fingerprint(
        Path(params["context"]), params["members"], {"base": base, **labels}
    )
    pods = image_id(engine, params["pod_image"]).removeprefix("sha256:")[:16]
    return operator, pods, base


def described(manifest: Manifest | None, repository: str, tag: str, host: str) -> dict[str, Any]:
    """Return what is known of one image; ``manifest`` is what the registry has of it."""
    name = f"{host}/{repository}"
    return {
        "tag": tag,
        "reference": f"{name}:{tag}",
        "digest": manifest.digest if manifest else "",
        "size": manifest.size if manifest else 0,
        "ref": f"{name}@{manifest.digest}" if manifest else f"{name}:{tag}",
    }


def found(
    engine: Engine, params: dict[str, Any], wanted: list[tuple[str, str]], check_mode: bool
) -> list[Manifest | None]:
    """Return what the registry has of each repository and tag, or will have once it runs."""
    try:
        with RegistryClient(params["registry"]) as registry:
            registry.ping()
            return [registry.manifest(repository, tag) for repository, tag in wanted]
    except RegistryUnreachable:
        if not check_mode:
            raise
    volume, base = params["registry_volume"], params["base"]
    stored: list[Manifest | None] = registry_volume.manifests(engine, volume, base, wanted)
    return stored


def observe(params: dict[str, Any], check_mode: bool) -> dict[str, Any]:
    """Return the module's result."""
    engine = Engine()
    host = params["registry"]
    operator_tag = pod_tag = base = _NOT_KNOWN_YET
    manifests: list[Manifest | None] = [None, None]
    lacking: dict[str, list[str]] = {}
    try:
        operator_tag, pod_tag, base = contents(engine, params)
        wanted = [(params["repository"], operator_tag), (params["pod_repository"], pod_tag)]
        manifests = found(engine, params, wanted, check_mode)
    except (Missing, EngineUnreachable):
        if not check_mode:
            raise
    images = [
        described(manifests[0], params["repository"], operator_tag, host),
        described(manifests[1], params["pod_repository"], pod_tag, host),
    ]
    references = [image["ref"] for image in images if image["digest"]]
    if params["cluster"] and references and check_mode and params["planned_nodes"]:
        lacking = dict.fromkeys(params["planned_nodes"], references)
    elif params["cluster"] and references:
        nodes = node_images.running_nodes(engine, params["cluster"])
        lacking = node_images.lacking(engine, nodes, references)
    labels = {
        **params["labels"],
        "org.opencontainers.image.revision": operator_tag,
        "org.opencontainers.image.base.digest": base,
    }
    return {
        "operator": images[0],
        "labels": labels,
        "pods": images[1],
        "nodes_without": lacking,
    }


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    result: dict[str, Any] = {}
    try:
        result = observe(module.params, module.check_mode)
    except EngineUnreachable as error:
        module.fail_json(msg=f"{error}; run: ansible-playbook site.yml --tags engine")
    except RegistryUnreachable as error:
        module.fail_json(msg=f"{error}; run: ansible-playbook site.yml --tags registry")
    except (Missing, EngineError, OSError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=False, **result)


if __name__ == "__main__":
    main()
