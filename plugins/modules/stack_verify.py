#!/usr/bin/python
"""Ansible module: the running stack is what its user would look at."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: stack_verify
short_description: Verify images, pods, healing, and what etcd holds
description:
  - Asserts that the operator's pod runs the image that was pushed, by digest; that the pods of the
    custom resource run theirs, are ready, and are those that its status names; and that etcd holds
    the very object that the API shows.
  - Where asked for, deletes one pod and waits until the operator has replaced it.
  - In check mode nothing is deleted, and what does not hold is a warning.
options:
  kubeconfig:
    description: Path of the kubeconfig file.
    type: path
    required: true
  context:
    description: Context of the kubeconfig; its current context by default.
    type: str
  kubectl:
    description: Path of kubectl.
    type: path
    required: true
  operator_namespace:
    description: Namespace in which the operator lives.
    type: str
    required: true
  operator_image:
    description: Reference of the operator's image by digest.
    type: str
    required: true
  namespace:
    description: Namespace of the custom resource.
    type: str
    required: true
  name:
    description: Name of the custom resource.
    type: str
    required: true
  pod_image:
    description: Reference of the pods' image by digest.
    type: str
    required: true
  disruptive:
    description:
      - Whether a pod is deleted to see it return. V(auto) does so once for each combination of
        cluster, operator image and custom resource, as told by O(record).
    type: str
    choices: [auto, always, never]
    default: auto
  record:
    description: File that remembers for which combination healing was proven.
    type: path
    required: true
  timeout:
    description: Seconds that the stack may take to settle.
    type: int
    default: 60
  hint:
    description: What to do where no cluster answers; a sentence for the error message.
    type: str
    default: ""
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Verify the stack, and see a deleted pod return
  stack_verify:
    kubeconfig: state/dev/kubeconfig
    kubectl: bin/kubectl
    operator_namespace: imoocpod-operator
    operator_image: localhost:5000/imoocpod-operator@sha256:…
    namespace: default
    name: example-imoocpod
    pod_image: localhost:5000/busybox@sha256:…
    record: state/dev/verified.json
    disruptive: always
"""

RETURN = r"""
promises:
  description: What holds, each with what shows it.
  type: dict
  returned: always
"""

import json
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.etcd_reader import EtcdError, EtcdReader
from ansible.module_utils.kube_client import KindNotServed, KubeClient, KubeError, KubeUnreachable
from ansible.module_utils.kube_config import KubeConfigError, KubeConfigMissing
from ansible.module_utils.stack_verifier import Stack, Verifier, VerifyFailed

ARGUMENTS: dict[str, Any] = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str"},
    "kubectl": {"type": "path", "required": True},
    "operator_namespace": {"type": "str", "required": True},
    "operator_image": {"type": "str", "required": True},
    "namespace": {"type": "str", "required": True},
    "name": {"type": "str", "required": True},
    "pod_image": {"type": "str", "required": True},
    "disruptive": {"type": "str", "choices": ["auto", "always", "never"], "default": "auto"},
    "record": {"type": "path", "required": True},
    "timeout": {"type": "int", "default": 60},
    "hint": {"type": "str", "default": ""},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    hint: str = module.params["hint"]
    try:
        changed, promises = _verify(module.params, module.check_mode)
    except (KubeConfigMissing, KubeUnreachable, KindNotServed) as error:
        changed, promises = _unproven(module, ". ".join(filter(None, [str(error), hint])))
    except (EtcdError, KubeConfigError, KubeError, VerifyFailed) as error:
        changed, promises = _unproven(module, str(error))
    module.exit_json(changed=changed, promises=promises)


def _verify(params: dict[str, Any], check_mode: bool) -> tuple[bool, dict[str, str]]:
    """Return whether a pod was deleted, and the promises that hold."""
    stack = Stack(
        operator_namespace=params["operator_namespace"],
        operator_image=params["operator_image"],
        namespace=params["namespace"],
        name=params["name"],
        pod_image=params["pod_image"],
    )
    with KubeClient.from_kubeconfig(params["kubeconfig"], params["context"]) as client:
        reader = EtcdReader(client, params["kubectl"], params["kubeconfig"], params["context"])
        # In check mode the steps before have changed nothing, so there is nothing to wait for.
        verifier = Verifier(client, reader, stack, 0 if check_mode else params["timeout"])
        promises = verifier.look()
        record = Path(params["record"])
        identity = verifier.identity()
        if check_mode or not is_due(params["disruptive"], record, identity):
            return False, promises
        replaced = verifier.replace_a_pod()
        if replaced:
            promises["a deleted pod returns"] = replaced
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(identity))
        return bool(replaced), promises


def is_due(disruptive: str, record: Path, identity: dict[str, str]) -> bool:
    """Return whether healing is to be proven now; an unreadable record proves nothing."""
    if disruptive != "auto":
        return disruptive == "always"
    try:
        return bool(json.loads(record.read_text()) != identity)
    except (OSError, ValueError):
        return True


def _unproven(module: AnsibleModule, why: str) -> tuple[bool, dict[str, str]]:
    """Fail with ``why``; a plan warns instead, since the steps before it have not been done."""
    if not module.check_mode:
        module.fail_json(msg=why)
    module.warn(f"not verified: {why}")
    return False, {}


if __name__ == "__main__":
    main()
