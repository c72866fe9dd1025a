#!/usr/bin/python
"""Look at the machine once and report everything that would stop a run, before anything changes.

Invariant: one process, only reading; the judgement itself is module_utils/preflight_judge.py.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check a machine before anything is changed on it
description:
  - Reads versions, disks, memory, ports, kernel limits, the container engine and the names in use.
  - Fails with one report of all faults, each with its variable or field, value and cure.
options:
  machine:
    description: Whether to look at the machine at all, or (in the action plugin) at variables only.
    type: bool
    default: true
  environment_name:
    description: Name of the environment; its containers carry it as a label.
    type: str
    required: true
  core_version:
    description: The running ansible-core.
    type: str
    required: true
  cluster_name:
    description: Name of the kind cluster.
    type: str
    required: true
  cluster_intent:
    description: The file in which the kind_cluster role keeps what it was about to do.
    type: path
    required: true
  kubeconfig:
    description: The environment's kubeconfig.
    type: path
    required: true
  containers:
    description: Names of containers the stack makes, and the variable each name comes from.
    type: dict
    default: {}
  ports:
    description: Ports the stack wants.
    type: list
    elements: dict
    default: []
    suboptions:
      port:
        description: The port; anything but a number between 1 and 65535 is a fault.
        type: raw
        required: true
      variable:
        description: The variable the port comes from.
        type: str
        required: true
      owner_container:
        description: The container that may hold the port already.
        type: str
        default: ""
      address:
        description: The address it is bound to.
        type: str
        default: 127.0.0.1
  nodes:
    description: Number of nodes of the cluster.
    type: int
    default: 1
  images:
    description: Patterns of image names; when the engine has one, less disk is needed.
    type: list
    elements: str
    default: []
  cache_dir:
    description: Where packages and build results are kept.
    type: path
    required: true
  engine_record:
    description: The file the container_engine role keeps of what it installed.
    type: path
    required: true
  engine_version:
    description: The oldest engine that will do.
    type: str
    required: true
  limits:
    description: Least sizes the machine must have.
    type: dict
    required: true
    suboptions:
      memory_mib: {description: Memory for one node., type: int, required: true}
      memory_node_mib: {description: Memory for every further node., type: int, required: true}
      disk_engine_gib: {description: Free at the engine's data., type: int, required: true}
      disk_engine_images_gib: {description: The same when images exist., type: int, required: true}
      disk_cache_gib: {description: Free at the cache., type: int, required: true}
      disk_cache_images_gib: {description: The same when images exist., type: int, required: true}
      inotify_instances: {description: Instances for every node., type: int, required: true}
      inotify_watches: {description: Watches for every node., type: int, required: true}
  faults:
    description: Faults found elsewhere, to be reported together with these.
    type: list
    elements: dict
    default: []
  notices:
    description: Notices found elsewhere.
    type: list
    elements: str
    default: []
author: the project
"""

EXAMPLES = r"""
- name: Check the machine
  preflight:
    environment_name: dev
    core_version: "{{ ansible_version.full }}"
    cluster_name: imooc-dev
    cluster_intent: /home/me/imooc/state/dev/kind_cluster.json
    kubeconfig: /home/me/imooc/state/dev/kubeconfig
    cache_dir: /home/me/.cache/imooc
    engine_record: /var/lib/imooc/container_engine.json
    engine_version: "23.0"
    ports:
      - port: 5000
        variable: registry_port
        owner_container: imooc-dev-registry
    limits: "{{ preflight_limits }}"
"""

RETURN = r"""
facts:
  description: What was read of the machine and its engine.
  type: dict
  returned: success
notices:
  description: Worth knowing, stops nothing.
  type: list
  elements: str
  returned: success
"""

import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.preflight_facts import Facts, Questions, read_facts
from ansible.module_utils.preflight_judge import Fault, Limits, Port, judge, notices
from ansible.module_utils.preflight_report import report

_SIZES = (
    "memory_mib",
    "memory_node_mib",
    "disk_engine_gib",
    "disk_engine_images_gib",
    "disk_cache_gib",
    "disk_cache_images_gib",
    "inotify_instances",
    "inotify_watches",
)


def argument_spec() -> dict[str, Any]:
    """Return the module's arguments, as DOCUMENTATION describes them."""
    text, path = {"type": "str", "required": True}, {"type": "path", "required": True}
    port = {
        "port": {"type": "raw", "required": True},
        "variable": text,
        "owner_container": {"type": "str", "default": ""},
        "address": {"type": "str", "default": "127.0.0.1"},
    }
    return {
        "environment_name": text,
        "core_version": text,
        "cluster_name": text,
        "cluster_intent": path,
        "kubeconfig": path,
        "containers": {"type": "dict", "default": {}},
        "ports": {"type": "list", "elements": "dict", "default": [], "options": port},
        "nodes": {"type": "int", "default": 1},
        "images": {"type": "list", "elements": "str", "default": []},
        "cache_dir": path,
        "engine_record": path,
        "engine_version": text,
        "limits": {
            "type": "dict",
            "required": True,
            "options": {size: {"type": "int", "required": True} for size in _SIZES},
        },
        "faults": {"type": "list", "elements": "dict", "default": []},
        "notices": {"type": "list", "elements": "str", "default": []},
    }


def number(value: Any) -> Any:
    """Return the integer that ``value`` spells, or ``value`` itself for the judge to refuse."""
    return int(value) if str(value).isdecimal() else value


def questions(params: dict[str, Any]) -> Questions:
    """Return what has to be looked at for the module's ``params``."""
    ports = [number(wanted["port"]) for wanted in params["ports"]]
    return Questions(
        ports=tuple(port for port in ports if isinstance(port, int)),
        cluster_name=params["cluster_name"],
        cluster_intent=params["cluster_intent"],
        kubeconfig=params["kubeconfig"],
        images=tuple(params["images"]),
        cache_dir=params["cache_dir"],
        engine_record=params["engine_record"],
    )


def limits(params: dict[str, Any], *, images_present: bool) -> Limits:
    """Return the limits for ``params``; sizes grow with nodes and shrink with images."""
    sizes, nodes = params["limits"], params["nodes"]
    which = "_images_gib" if images_present else "_gib"
    return Limits(
        environment=params["environment_name"],
        core_version=params["core_version"],
        cluster_name=params["cluster_name"],
        containers=params["containers"],
        ports=tuple(
            Port(
                number(wanted["port"]),
                wanted["variable"],
                wanted["owner_container"],
                wanted["address"],
            )
            for wanted in params["ports"]
        ),
        nodes=nodes,
        memory_mib=sizes["memory_mib"] + (nodes - 1) * sizes["memory_node_mib"],
        disk_engine_mib=sizes["disk_engine" + which] << 10,
        disk_cache_mib=sizes["disk_cache" + which] << 10,
        engine_version=params["engine_version"],
        inotify_instances=nodes * sizes["inotify_instances"],
        inotify_watches=nodes * sizes["inotify_watches"],
    )


def exported(facts: Facts) -> dict[str, Any]:
    """Return the facts that roles and people may use."""
    return {
        "python": ".".join(map(str, facts.python)),
        "distribution": facts.distribution,
        "architecture": facts.architecture,
        "root": facts.root,
        "cpus": facts.cpus,
        "memory_mib": facts.memory_mib,
        "cgroup_version": facts.cgroup_version,
        "cap_sys_resource": facts.cap_sys_resource,
        "images_present": facts.images_present,
        "engine": facts.engine.as_facts(),
    }


def main() -> None:
    """Read, judge, report."""
    module = AnsibleModule(argument_spec=argument_spec(), supports_check_mode=True)
    facts = read_facts(questions(module.params), os.environ, Path.home())
    known = {fault["variable"]: Fault(**fault) for fault in module.params["faults"]}
    judged = judge(facts, limits(module.params, images_present=facts.images_present))
    faults = [*known.values(), *(fault for fault in judged if fault.variable not in known)]
    remarks = [*module.params["notices"], *notices(facts)]
    if faults:
        module.fail_json(msg=report(faults, remarks))
    module.exit_json(changed=False, facts=exported(facts), notices=remarks)


if __name__ == "__main__":
    main()
