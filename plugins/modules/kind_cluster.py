#!/usr/bin/python
"""Ansible module: one kind cluster is present as wanted, or absent."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: kind_cluster
short_description: Create, check, start or remove one kind cluster
description:
  - Creates the cluster with the C(kind) command, in the configuration that the options describe.
  - Compares an existing cluster with the options, from a record that lies on its node containers.
    Equal means nothing happens; different is refused unless O(allow_recreate) is set.
  - Finishes what an interrupted run left, starts stopped nodes, writes a stale kubeconfig anew.
  - Never touches a cluster of the same name that it did not make.
options:
  name:
    description: Name of the cluster.
    type: str
    required: true
  environment:
    description: Environment that the record names.
    type: str
    required: true
  state:
    description: With V(absent) the kubeconfig goes too, and kind's network where it was ours.
    type: str
    choices: [present, absent]
    default: present
  image:
    description: Node image, a reference to an image that the engine holds.
    type: str
    default: ""
  kubernetes_version:
    description: Version, or its first numbers, that the node image must contain; empty takes any.
    type: str
    default: ""
  workers:
    description: Number of worker nodes.
    type: int
    default: 0
  port_mappings:
    description: Ports of the control plane that are published on this machine.
    type: list
    elements: dict
    default: []
    suboptions:
      container_port:
        description: Port on the node.
        type: int
        required: true
      host_port:
        description: Port on this machine.
        type: int
        required: true
      listen_address:
        description: Address on this machine.
        type: str
        default: 127.0.0.1
      protocol:
        description: Transport protocol.
        type: str
        choices: [tcp, udp, sctp]
        default: tcp
  feature_gates:
    description: Kubernetes feature gates, each true or false.
    type: dict
    default: {}
  kubeadm_patches:
    description: kubeadm patches, each a text in YAML.
    type: list
    elements: str
    default: []
  containerd_patches:
    description: Patches of containerd's configuration, each a text in TOML.
    type: list
    elements: str
    default: []
  pod_subnet:
    description: Addresses of pods.
    type: str
    default: 10.244.0.0/16
  service_subnet:
    description: Addresses of services.
    type: str
    default: 10.96.0.0/16
  kubeconfig:
    description: The kubeconfig file; it gets mode 0600.
    type: path
    required: true
  state_dir:
    description: Directory for the mark that recognises an interrupted run.
    type: path
    required: true
  kind:
    description: Path of the kind command.
    type: path
    default: ""
  allow_recreate:
    description: Whether a cluster that differs is deleted and made anew.
    type: bool
    default: false
  wait_timeout:
    description: Seconds that the creation may take, and the wait for readiness after it.
    type: int
    default: 300
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Have a cluster with two workers
  kind_cluster:
    name: imooc-dev
    environment: dev
    image: kindest/node:v1.37.2
    workers: 2
    kubeconfig: state/dev/kubeconfig
    state_dir: state/dev
    kind: bin/kind
"""

RETURN = r"""
changes:
  description: What was changed, or would be; module_utils/changes.py says in which form.
  type: list
  elements: dict
  returned: always
action:
  description: What was done, or would be, and why.
  type: str
  returned: always
cluster:
  description:
    - name, nodes, kubeconfig, context, version, image, image_id and network; fate is V(new) where
      this run makes the cluster, else V(kept).
  type: dict
  returned: when O(state=present)
"""

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ansible.module_utils import kind_config
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.changes import as_data
from ansible.module_utils.engine_client import Engine, EngineError, EngineUnreachable
from ansible.module_utils.kind_driver import Driver, Options, Outcome, Refused
from ansible.module_utils.kube_apply import ApplyRefused
from ansible.module_utils.kube_client import KubeError, KubeUnreachable
from ansible.module_utils.kube_config import KubeConfigError
from ansible.module_utils.progress import report

_PORT_MAPPING: dict[str, Any] = {
    "container_port": {"type": "int", "required": True},
    "host_port": {"type": "int", "required": True},
    "listen_address": {"type": "str", "default": "127.0.0.1"},
    "protocol": {"type": "str", "choices": ["tcp", "udp", "sctp"], "default": "tcp"},
}
ARGUMENTS: dict[str, Any] = {
    "name": {"type": "str", "required": True},
    "environment": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "image": {"type": "str", "default": ""},
    "kubernetes_version": {"type": "str", "default": ""},
    "workers": {"type": "int", "default": 0},
    "port_mappings": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": _PORT_MAPPING,
    },
    "feature_gates": {"type": "dict", "default": {}},
    "kubeadm_patches": {"type": "list", "elements": "str", "default": []},
    "containerd_patches": {"type": "list", "elements": "str", "default": []},
    "pod_subnet": {"type": "str", "default": "10.244.0.0/16"},
    "service_subnet": {"type": "str", "default": "10.96.0.0/16"},
    "kubeconfig": {"type": "path", "required": True},
    "state_dir": {"type": "path", "required": True},
    "kind": {"type": "path", "default": ""},
    "allow_recreate": {"type": "bool", "default": False},
    "wait_timeout": {"type": "int", "default": 300},
}


@contextlib.contextmanager
def one_at_a_time(lock_file: Path) -> Iterator[None]:
    """Let one run at a time change the cluster; the kernel frees the next when this one dies."""
    lock_file.parent.mkdir(parents=True, exist_ok=True)
    with lock_file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            report("waiting: another run is changing the cluster")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
        # The file stays: who waits on a removed one would hold a lock that nobody else sees.


def run(params: dict[str, Any], check_mode: bool) -> Outcome:
    """Do what the parameters ask for, and return what that was."""
    options = Options(
        name=params["name"],
        environment=params["environment"],
        kubeconfig=Path(params["kubeconfig"]),
        state_dir=Path(params["state_dir"]),
        kind=params["kind"],
        kubernetes_version=params["kubernetes_version"],
        allow_recreate=params["allow_recreate"],
        wait_timeout=params["wait_timeout"],
    )
    driver = Driver(Engine(), options, check_mode=check_mode)
    spec: kind_config.Spec = kind_config.spec_from(params)
    outcome: Outcome
    lock = one_at_a_time(options.state_dir / ".kind_cluster.lock")
    nothing_to_lock = params["state"] == "absent" and not options.state_dir.exists()
    try:
        with contextlib.nullcontext() if check_mode or nothing_to_lock else lock:
            outcome = driver.present(spec) if params["state"] == "present" else driver.absent()
    except EngineUnreachable as error:
        if not check_mode:
            raise
        present = params["state"] == "present"
        outcome = driver.plan_from_nothing(spec, str(error)) if present else Outcome()
    return outcome


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    try:
        outcome = run(module.params, module.check_mode)
    except EngineUnreachable as error:
        module.fail_json(msg=f"{error}; run: ansible-playbook site.yml --tags engine")
    except (
        Refused,
        EngineError,
        KubeError,
        KubeUnreachable,
        ApplyRefused,
        KubeConfigError,
        kind_config.SpecError,
        OSError,
    ) as error:
        module.fail_json(msg=str(error))
    module.exit_json(
        changed=outcome.changed,
        changes=as_data(outcome.changes),
        action=outcome.action,
        cluster=outcome.cluster,
        diff=outcome.diff,
    )


if __name__ == "__main__":
    main()
