#!/usr/bin/python
"""Ansible module: sum up what runs, in words and as a file of facts."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: stack_summary
short_description: Sum up what runs, in words and as data
description:
  - Reads the cluster, the operator, its custom resource and the registry, and changes none of them.
  - Writes the facts to C(outputs.json) in O(state_dir) when they differ from what is there. The
    durations in that file are those of the run that wrote it and do not count as a difference.
  - What cannot be read is told as missing; the module does not fail for it.
  - In check mode the file is left as it is.
options:
  environment_name:
    description: Name of the environment.
    type: str
    required: true
  state_dir:
    description: State directory of the environment; its C(timings.json) tells the durations.
    type: path
    required: true
  kubeconfig:
    description: Path of the environment's kubeconfig.
    type: path
    required: true
  registry_host:
    description: Host and port at which the registry answers on this machine.
    type: str
    required: true
  operator_namespace:
    description: Namespace of the operator.
    type: str
    required: true
  operator_name:
    description: Name of the operator's Deployment.
    type: str
    required: true
  resource_namespace:
    description: Namespace of the custom resource.
    type: str
    required: true
  resource_name:
    description: Name of the custom resource.
    type: str
    required: true
  etcd_keys:
    description: Keys that the etcd step has found; left out when it did not run.
    type: list
    elements: str
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Sum up what runs
  stack_summary:
    environment_name: dev
    state_dir: state/dev
    kubeconfig: state/dev/kubeconfig
    registry_host: localhost:5000
    operator_namespace: imoocpod-operator
    operator_name: imoocpod-operator
    resource_namespace: default
    resource_name: example-imoocpod
"""

RETURN = r"""
changes:
  description: Always empty. The file is a record of the run, as the durations are; no plan is
    about it.
  type: list
  elements: dict
  returned: always
facts:
  description: What C(outputs.json) holds, without the durations.
  type: dict
  returned: always
text:
  description: The same for people; the callback C(progress) prints it below the recap.
  type: str
  returned: always
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ansible.module_utils import stack_facts, timings
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.state_files import as_json, write_public
from ansible.module_utils.summary_text import render

OUTPUTS = "outputs.json"
_DURATIONS = "steps"


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    path = {"type": "path", "required": True}
    module = AnsibleModule(
        argument_spec={
            "environment_name": text,
            "state_dir": path,
            "kubeconfig": path,
            "registry_host": text,
            "operator_namespace": text,
            "operator_name": text,
            "resource_namespace": text,
            "resource_name": text,
            "etcd_keys": {"type": "list", "elements": "str", "no_log": False},
        },
        supports_check_mode=True,
    )
    params = module.params
    state = Path(params["state_dir"])
    facts = gather(params)
    run = timings.load(state / timings.FILE_NAME).run_of("site").steps
    before = without_durations(state / OUTPUTS)
    changed = before != facts
    if changed and not module.check_mode:
        outputs = {**facts, _DURATIONS: [asdict(step) for step in run]}
        write_public(state / OUTPUTS, as_json(outputs))
    module.exit_json(
        changed=changed,
        changes=[],
        facts=facts,
        text=render(facts, run, str(state / OUTPUTS)),
        diff={
            "before_header": OUTPUTS,
            "after_header": OUTPUTS,
            "before": as_json(before) if before else "",
            "after": as_json(facts),
        },
    )


def gather(params: dict[str, Any]) -> dict[str, Any]:
    """Return the facts of what runs."""
    operator = stack_facts.Named(params["operator_namespace"], params["operator_name"])
    resource = stack_facts.Named(params["resource_namespace"], params["resource_name"])
    keys = params["etcd_keys"]
    return {
        "environment": params["environment_name"],
        "kubeconfig": params["kubeconfig"],
        **stack_facts.from_cluster(params["kubeconfig"], operator, resource),
        "registry": stack_facts.registry(params["registry_host"]),
        "etcd": None if keys is None else {"keys": sorted(keys)},
    }


def without_durations(path: Path) -> dict[str, Any] | None:
    """Return the facts in the file; None when there are none that can be read."""
    try:
        facts = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    if not isinstance(facts, dict):
        return None
    return {key: value for key, value in facts.items() if key != _DURATIONS}


if __name__ == "__main__":
    main()
