#!/usr/bin/python
"""Ansible module: pull images on nodes of a kind cluster, the way their kubelets would."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: node_image_pull
short_description: Prove that nodes can pull images
description:
  - Every node pulls what it lacks, with its own containerd and registry configuration. Pods then
    start at once.
options:
  cluster:
    description: Name of the kind cluster.
    type: str
    required: true
  planned_nodes:
    description:
      - Names of nodes that an earlier step makes, in place of any there are now. Check mode plans
        for these; otherwise they are not looked at.
    type: list
    elements: str
    default: []
  images:
    description: References to pull.
    type: list
    elements: str
    required: true
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Pull on one node
  node_image_pull:
    cluster: imooc-dev
    images: ["localhost:5000/busybox:1.37"]
"""

RETURN = r"""
changes:
  description: What was changed, or would be; module_utils/changes.py says in which form.
  type: list
  elements: dict
  returned: always
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils import node_images
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.changes import Change, as_data
from ansible.module_utils.containerd_hosts import FOLDER
from ansible.module_utils.engine_client import Engine, EngineError, EngineUnreachable
from ansible.module_utils.progress import report

ARGUMENTS: dict[str, Any] = {
    "cluster": {"type": "str", "required": True},
    "planned_nodes": {"type": "list", "elements": "str", "default": []},
    "images": {"type": "list", "elements": "str", "required": True},
}


class PullFailed(Exception):
    """A node could not pull; the message says which one, what, and why."""


def repository_of(reference: str) -> str:
    """Return an image's name, the same whether its digest is known already or only its tag."""
    return reference.partition("@")[0] if "@" in reference else reference.rpartition(":")[0]


def pull(engine: Engine, node: str, reference: str) -> None:
    """Pull one image on one node."""
    report(f"{node} pulls {reference}")
    argv = ["ctr", "-n", "k8s.io", "images", "pull", "--hosts-dir", FOLDER, reference]
    result = engine.execute(node, argv, timeout=300)
    if result.exit_code != 0:
        last = "\n".join(result.output.splitlines()[-5:])
        raise PullFailed(
            f"{node} cannot pull {reference}:\n{last}\n"
            "Its registry wiring may be gone; run: ansible-playbook site.yml --tags registry"
        )


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params = module.params
    nodes: list[str] = params["planned_nodes"] if module.check_mode else []
    pulls = [(node, reference) for node in nodes for reference in params["images"]]
    try:
        if not nodes:
            engine = Engine()
            nodes = node_images.running_nodes(engine, params["cluster"])
            lacking = node_images.lacking(engine, nodes, params["images"])
            pulls = [(node, reference) for node, found in lacking.items() for reference in found]
        if pulls and not module.check_mode:
            with ThreadPoolExecutor(max_workers=min(len(pulls), 8)) as pool:
                list(pool.map(lambda pair: pull(engine, *pair), pulls))
    except EngineUnreachable as error:
        if not module.check_mode:
            module.fail_json(msg=f"{error}; run: ansible-playbook site.yml --tags engine")
    except (PullFailed, EngineError) as error:
        module.fail_json(msg=str(error))
    if not nodes and not module.check_mode:
        module.fail_json(
            msg=f"no node of the cluster {params['cluster']} runs, so none can pull; "
            "run: ansible-playbook site.yml --tags cluster"
        )
    found = [
        Change(f"{node}: image {repository_of(reference)}", "create", "the node lacks it")
        for node, reference in pulls
    ]
    module.exit_json(changed=bool(found), changes=as_data(found))


if __name__ == "__main__":
    main()
