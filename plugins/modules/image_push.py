#!/usr/bin/python
"""Ansible module: push an image that the engine holds under another name."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: image_push
short_description: Push an image of the engine into a registry
description:
  - The engine keeps no second name of the image. Always pushes; layers that are there already are
    not sent again.
options:
  source:
    description: Image in the engine.
    type: str
    required: true
  reference:
    description: Registry, repository and tag.
    type: str
    required: true
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Push busybox
  image_push:
    source: busybox:1.37
    reference: localhost:5000/busybox:1.37
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

from typing import Any

from ansible.module_utils import image_build
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.changes import Change, as_data
from ansible.module_utils.engine_client import Engine, EngineError, EngineUnreachable
from ansible.module_utils.registry_api import RegistryUnreachable

ARGUMENTS: dict[str, Any] = {
    "source": {"type": "str", "required": True},
    "reference": {"type": "str", "required": True},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    repository = module.params["reference"].rpartition(":")[0]
    change = Change(f"image {repository}", "create", "the registry does not have it")
    changes = as_data([change])
    if module.check_mode:
        module.exit_json(changed=True, changes=changes)
    image: dict[str, str | int] = {}
    try:
        source, reference = module.params["source"], module.params["reference"]
        manifest = image_build.copy(Engine(timeout=300), source, reference)
        image = image_build.facts(reference, manifest)
    except EngineUnreachable as error:
        module.fail_json(msg=f"{error}; run: ansible-playbook site.yml --tags engine")
    except RegistryUnreachable as error:
        module.fail_json(msg=f"{error}; run: ansible-playbook site.yml --tags registry")
    except (image_build.BuildFailed, EngineError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=True, changes=changes, image=image)


if __name__ == "__main__":
    main()
