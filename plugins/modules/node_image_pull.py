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
pulled:
  description: One line for each image and node.
  type: list
  elements: str
  returned: always
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from ansible.module_utils import node_images
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.containerd_hosts import FOLDER
from ansible.module_utils.engine_client import Engine, EngineError, EngineUnreachable
from ansible.module_utils.progress import report

ARGUMENTS: dict[str, Any] = {
    "cluster": {"type": "str", "required": True},
    "images": {"type": "list", "elements": "str", "required": True},
}


class PullFailed(Exception):
    """A node could not pull; the message says which one, what, and why."""


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
    engine = Engine()
    nodes: list[str] = []
    pulls: list[tuple[str, str]] = []
    try:
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
    module.exit_json(
        changed=bool(pulls) or not nodes, pulled=[f"{node}: {ref}" for node, ref in pulls]
    )


if __name__ == "__main__":
    main()
