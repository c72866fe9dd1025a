#!/usr/bin/python
"""Ansible module: build the operator's image and push it."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: operator_image
short_description: Build an image offline and reproducibly, and push it
description:
  - Fetches the wheels of a lock file on this machine, lays out the build context, builds it with
    BuildKit without a network, and pushes the result. The engine keeps no name of it.
  - The same files and the same base give the same digest.
  - Always builds; ask C(operator_image_info) first whether that is needed.
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
  lock:
    description: Lock file with hashes; its wheels come to build/site-packages of the context.
    type: path
    required: true
  base:
    description: Base image, a reference that the engine holds.
    type: str
    required: true
  python_version:
    description: Python version of the base image.
    type: str
    default: "3.13"
  reference:
    description: Registry, repository and tag of the image; the tag C(latest) follows it.
    type: str
    required: true
  labels:
    description: Labels of the image. None may vary between two builds of the same files.
    type: dict
    default: {}
  cache_dir:
    description: Folder for the unpacked wheels.
    type: path
    required: true
  source_date_epoch:
    description: Time that everything in the image carries, in seconds since 1970.
    type: int
    default: 315532800
  no_cache:
    description: Whether every layer is built anew.
    type: bool
    default: false
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Build the operator's image
  operator_image:
    context: operator
    members: [Dockerfile, src]
    lock: operator/requirements.lock
    base: python:3.13-slim
    reference: localhost:5000/imoocpod-operator:0123456789abcdef
    cache_dir: /var/cache/imooc/operator
"""

RETURN = r"""
changes:
  description: What was changed, or would be; module_utils/changes.py says in which form.
  type: list
  elements: dict
  returned: always
image:
  description: digest, size (bytes, as compressed) and ref (with the digest) in the registry.
  type: dict
  returned: success, outside check mode
"""

from pathlib import Path
from typing import Any

from ansible.module_utils import build_context, image_build, wheels
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.changes import Change, as_data
from ansible.module_utils.engine_client import Engine, EngineError, EngineUnreachable
from ansible.module_utils.registry_api import Manifest, RegistryUnreachable
from ansible.module_utils.scratch import scratch

ARGUMENTS: dict[str, Any] = {
    "context": {"type": "path", "required": True},
    "members": {"type": "list", "elements": "str", "required": True},
    "lock": {"type": "path", "required": True},
    "base": {"type": "str", "required": True},
    "python_version": {"type": "str", "default": "3.13"},
    "reference": {"type": "str", "required": True},
    "labels": {"type": "dict", "default": {}},
    "cache_dir": {"type": "path", "required": True},
    "source_date_epoch": {"type": "int", "default": 315532800},
    "no_cache": {"type": "bool", "default": False},
}


def build_and_push(params: dict[str, Any]) -> Manifest:
    """Return what the registry has of the image after building and pushing it."""
    engine = Engine(timeout=300)
    cache = Path(params["cache_dir"])
    architecture = engine.get("/version")["Arch"]
    unpacked = wheels.site_packages(
        Path(params["lock"]), cache, params["python_version"], architecture
    )
    with scratch(cache) as work:
        context = work / "context"
        build_context.stage(Path(params["context"]), params["members"], unpacked, context)
        arguments = {
            "BASE": params["base"],
            "SOURCE_DATE_EPOCH": str(params["source_date_epoch"]),
        }
        image_build.build(
            engine,
            context,
            params["reference"],
            arguments,
            params["labels"],
            no_cache=params["no_cache"],
        )
    try:
        manifest: Manifest = image_build.push(engine, params["reference"])
        # The name that the manifests carry for who applies them by hand.
        host, repository, _ = image_build.split(params["reference"])
        image_build.copy(engine, params["reference"], f"{host}/{repository}:latest")
    finally:
        engine.untag(params["reference"])  # the registry is the image's home; layers stay cached
    return manifest


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    name = module.params["reference"].rpartition(":")[0]
    changes = as_data(
        [Change(f"image {name}", "create", "the registry lacks what the sources say")]
    )
    if module.check_mode:
        module.exit_json(changed=True, changes=changes)
    manifest = Manifest("", 0)
    try:
        manifest = build_and_push(module.params)
    except EngineUnreachable as error:
        module.fail_json(msg=f"{error}; run: ansible-playbook site.yml --tags engine")
    except RegistryUnreachable as error:
        module.fail_json(msg=f"{error}; run: ansible-playbook site.yml --tags registry")
    except (image_build.BuildFailed, wheels.WheelsFailed, EngineError, OSError) as error:
        module.fail_json(msg=str(error))
    image = image_build.facts(module.params["reference"], manifest)
    module.exit_json(changed=True, changes=changes, image=image)


if __name__ == "__main__":
    main()
