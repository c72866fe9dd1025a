#!/usr/bin/python
"""Ansible module: images and tools are carried from one machine to another in one file."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: images_bundle
short_description: Save or load the images and tools of the stack as one file
description:
  - V(save) writes all images and tools that are here, with their sums, to one file.
  - V(load) checks such a file, loads its images into the engine and puts its tools in place.
  - Neither does anything when its result is there already.
options:
  action:
    description: What to do with the bundle.
    type: str
    choices: [save, load]
    required: true
  path:
    description: The bundle's file.
    type: path
    required: true
  files:
    description: Folder with the recipes' files.
    type: path
    required: true
  source:
    description: As for the module M(images).
    type: str
    choices: [auto, pull, build]
    default: auto
  mirror:
    description: As for the module M(images).
    type: str
    default: ""
  published:
    description: As for the module M(images).
    type: dict
    required: true
  cache_dir:
    description: As for the module M(images).
    type: path
    required: true
  bin_dir:
    description: Folder for the tools.
    type: path
    required: true
  state_dir:
    description: As for the module M(images).
    type: path
    required: true
  debian_mirror:
    description: As for the module M(images).
    type: str
    default: ""
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Save everything
  images_bundle: "{{ wish | combine({'action': 'save', 'path': '/media/stick/imooc.tar'}) }}"
"""

RETURN = r"""
images:
  description: The references of the bundle's images.
  type: list
  elements: str
  returned: always
missing:
  description: Images that are still not here after loading, because the bundle has other versions.
  type: list
  elements: str
  returned: when O(action=load)
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.engine_client import EngineError, EngineUnreachable
from ansible.module_utils.images_bundle import contents, read_manifest, save, unpack
from ansible.module_utils.images_process import ImageError
from ansible.module_utils.images_state import ARGUMENTS, TOOLS, Settings, look


def do_save(settings: Settings, bundle: Path, check: bool) -> dict[str, Any]:
    """Write the bundle, unless it holds just what is here."""
    state = look(settings, TOOLS)
    lacking = [*state.missing, *state.missing_tools]
    if lacking and not check:
        raise ImageError(
            f"not everything is here to be saved: {', '.join(lacking)}. "
            "Run: ansible-playbook site.yml --tags images"
        )
    manifest = read_manifest(bundle)
    wanted = contents(settings, state, TOOLS)
    changed = bool(lacking) or any(manifest.get(part) != wanted[part] for part in wanted)
    if changed and not check:
        save(settings, state, TOOLS, bundle)
    return {"changed": changed, "images": sorted(state.refs(settings).values())}


def do_load(settings: Settings, bundle: Path, check: bool) -> dict[str, Any]:
    """Load the bundle, unless everything is here."""
    state = look(settings, TOOLS)
    changed = bool(state.missing or state.missing_tools)
    if changed and not check:
        unpack(settings, bundle)
        state = look(settings, TOOLS)
    images = [image["reference"] for image in read_manifest(bundle).get("images", {}).values()]
    return {"changed": changed, "images": sorted(images), "missing": state.missing}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "action": {"type": "str", "choices": ["save", "load"], "required": True},
            "path": {"type": "path", "required": True},
        },
        supports_check_mode=True,
    )
    act = {"save": do_save, "load": do_load}[module.params["action"]]
    try:
        settings = Settings.of(module.params)
        module.exit_json(**act(settings, Path(module.params["path"]), module.check_mode))
    except (ImageError, EngineError, EngineUnreachable, ValueError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
