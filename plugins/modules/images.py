#!/usr/bin/python
"""Ansible module: every image and tool of the stack is here, or is removed."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: images
short_description: Have the images and tools of the stack
description:
  - Has the images node, registry, python and busybox in the container engine, and the tools kind,
    kubectl and etcdctl in a folder. What is here already is never touched.
  - What is missing is pulled by digest, or made from Go modules and Debian packages.
  - In check mode says what would be done, on a machine without an engine too.
options:
  state:
    description:
      - V(present) has everything; V(observed) only looks and never changes anything;
        V(absent) removes the images that were made or pulled here, and the tools.
    type: str
    choices: [present, observed, absent]
    default: present
  files:
    description: Folder with the recipes' files.
    type: path
    required: true
  source:
    description: Where missing images come from. V(auto) asks the registry whether it serves them.
    type: str
    choices: [auto, pull, build]
    default: auto
  mirror:
    description: Host and port of a registry that serves the published images under their paths.
    type: str
    default: ""
  published:
    description: The published image of each name, as C(repository:tag) or with C(@sha256:digest).
    type: dict
    required: true
  cache_dir:
    description: Folder for what recipes keep between runs.
    type: path
    required: true
  bin_dir:
    description: Folder for the tools.
    type: path
    required: true
  state_dir:
    description: Folder for the manifest C(images.json).
    type: path
    required: true
  debian_mirror:
    description: Debian mirror; empty for the one of this machine's apt.
    type: str
    default: ""
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Have every image
  images:
    files: roles/images/files
    published:
      node: kindest/node:v1.37.0
      registry: library/registry:3
      python: library/python:3.13-slim
      busybox: library/busybox:1.37
    cache_dir: /var/cache/imooc
    bin_dir: bin
    state_dir: state/dev
"""

RETURN = r"""
refs:
  description: The reference of every image; of a missing one as it would be called.
  type: dict
  returned: always
tools:
  description: The path of every tool.
  type: dict
  returned: always
actions:
  description: What was done, or would be done by V(present), one line each.
  type: list
  elements: str
  returned: unless O(state=absent)
complete:
  description: Whether nothing was, or is, left to do.
  type: bool
  returned: always
needs_root:
  description: Whether what is missing has to be made by root, and this user is not.
  type: bool
  returned: always
changes:
  description: What was changed, or would be; module_utils/changes.py says in which form.
  type: list
  elements: dict
  returned: always
decision:
  description: Whether missing images are pulled or made, and why.
  type: str
  returned: always
images:
  description: Reference, id, size, origin and labels of every image that is here.
  type: dict
  returned: always
seconds:
  description: How long each step took.
  type: dict
  returned: when O(state=present)
"""

import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.changes import as_data
from ansible.module_utils.engine_client import EngineError, EngineUnreachable
from ansible.module_utils.images_have import have, remove
from ansible.module_utils.images_process import ImageError
from ansible.module_utils.images_state import (
    ARGUMENTS,
    TOOLS,
    Settings,
    State,
    observe,
    record,
)


def facts(settings: Settings, state: State) -> dict[str, Any]:
    """Return the part of the result that every state has."""
    decision = state.decision
    return {
        "refs": state.refs(settings),
        "tools": {name: str(settings.bin / name) for name in TOOLS},
        "complete": state.complete,
        "needs_root": needs_root(settings, state),
        "decision": f"{decision.source}: {decision.reason}" if decision else "",
        "images": record(settings, state, TOOLS)["images"],
    }


def needs_root(settings: Settings, state: State) -> bool:
    """Whether root has to do the rest: Debian trees, and so the cache, have many owners."""
    if os.geteuid() == 0 or state.complete:
        return False
    lock = settings.cache / "lock"
    return state.makes or (lock.exists() and not os.access(lock, os.W_OK))


def main() -> None:
    """Run the module."""
    states = ["present", "observed", "absent"]
    module = AnsibleModule(
        argument_spec={
            **ARGUMENTS,
            "state": {"type": "str", "choices": states, "default": "present"},
        },
        supports_check_mode=True,
    )
    wanted = module.params["state"]
    try:
        settings = Settings.of(module.params)
        if wanted == "absent":
            removed = remove(settings, TOOLS, check=module.check_mode)
            module.exit_json(changed=bool(removed), changes=as_data(removed))
        state = observe(settings, TOOLS)
        planned = state.plan()
        actions = [f"{change.action} {change.object}: {change.reason}" for change in planned]
        result: dict[str, Any] = {"changed": False, "changes": [], "actions": actions}
        if wanted == "present":
            result.update(changed=bool(planned), changes=as_data(planned))
        if wanted == "present" and planned and not module.check_mode:
            decided = state.decision
            state, result["seconds"] = have(settings, TOOLS)
            state.decision = state.decision or decided
        module.exit_json(**facts(settings, state), **result)
    except (ImageError, EngineError, EngineUnreachable, ValueError, OSError) as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
