#!/usr/bin/python
"""Ansible module: every node of a kind cluster finds a registry's names at one address."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: containerd_hosts
short_description: Wire registry names into the nodes of a kind cluster
description:
  - Keeps a C(hosts.toml) for each name on every node, through the engine, so nothing restarts.
  - Removes those that it wrote for other names. Files of others are left alone.
options:
  cluster:
    description: Name of the kind cluster.
    type: str
    required: true
  names:
    description: Registry names, each with its port, as they stand in image references.
    type: list
    elements: str
    default: []
  upstream:
    description: URL at which the nodes reach the registry.
    type: str
    default: ""
  planned_nodes:
    description:
      - Names of nodes that an earlier step makes, in place of any there are now. Check mode plans
        for these; otherwise they are not looked at.
    type: list
    elements: str
    default: []
  state:
    description: With V(absent) the nodes forget all names that this module wrote.
    type: str
    choices: [present, absent]
    default: present
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Let the nodes pull localhost:5000/… from the registry's container
  containerd_hosts:
    cluster: imooc-dev
    names: ["localhost:5000", "mock.com:5000"]
    upstream: http://imooc-dev-registry:5000
"""

RETURN = r"""
nodes:
  description: Names of the nodes that exist.
  type: list
  elements: str
  returned: always
changes:
  description: What was changed, or would be; module_utils/changes.py says in which form.
  type: list
  elements: dict
  returned: always
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.changes import as_data
from ansible.module_utils.containerd_hosts import FOLDER, Change, as_text, change, name_problem
from ansible.module_utils.engine_client import Engine, EngineError, EngineUnreachable
from ansible.module_utils.kind_nodes import node_containers

ARGUMENTS: dict[str, Any] = {
    "cluster": {"type": "str", "required": True},
    "names": {"type": "list", "elements": "str", "default": []},
    "upstream": {"type": "str", "default": ""},
    "planned_nodes": {"type": "list", "elements": "str", "default": []},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def converge(
    engine: Engine, nodes: list[str], names: list[str], upstream: str, check_mode: bool
) -> dict[str, Change]:
    """Bring every node to the wish, side by side, and return what differed."""

    def one(node: str) -> Change:
        difference: Change = change(engine.read_files(node, FOLDER), names, upstream)
        if check_mode:
            return difference
        if difference.write:
            engine.write_files(node, difference.write, "/etc/containerd")
        if difference.remove:
            result = engine.execute(node, ["rm", "-rf", *difference.remove])
            if result.exit_code != 0:
                raise EngineError(500, f"{node}: rm -rf: {result.output}")
        return difference

    with ThreadPoolExecutor(max_workers=max(len(nodes), 1)) as pool:
        found = zip(nodes, pool.map(one, nodes), strict=True)
        return {node: difference for node, difference in found if difference}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    present = params["state"] == "present"
    if problem := name_problem(params["names"]):
        module.fail_json(msg=problem)
    names = params["names"] if present else []
    nodes: list[str] = params["planned_nodes"] if module.check_mode else []
    differences = {node: change({}, names, params["upstream"]) for node in nodes}
    try:
        if not nodes:
            engine = Engine()
            containers = node_containers(engine, params["cluster"])
            nodes = [container["Name"].lstrip("/") for container in containers]
            differences = converge(engine, nodes, names, params["upstream"], module.check_mode)
    except EngineUnreachable as error:
        if not module.check_mode:
            module.fail_json(msg=f"{error}; run: ansible-playbook site.yml --tags engine")
    except EngineError as error:
        module.fail_json(msg=str(error))
    if present and not nodes and not module.check_mode:
        module.fail_json(
            msg=f"there is no cluster {params['cluster']}; "
            "run: ansible-playbook site.yml --tags cluster"
        )
    if present and not nodes:  # check mode, before there is a cluster
        differences = {"every node": change({}, names, params["upstream"])}
    module.exit_json(
        changed=bool(differences),
        nodes=nodes,
        changes=as_data(one for node, found in differences.items() for one in found.by_file(node)),
        diff={
            "before": "".join(as_text(node, found.before) for node, found in differences.items()),
            "after": "".join(as_text(node, found.write) for node, found in differences.items()),
        },
    )


if __name__ == "__main__":
    main()
