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
  cluster_fate:
    description:
      - What an earlier step does to the cluster, which check mode has not done. V(new) plans
        without asking it, and with V(kept) one that does not answer now is started before.
    type: str
    choices: [unknown, new, kept]
    default: unknown
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
changes:
  description: What was changed, or would be; module_utils/changes.py says in which form.
  type: list
  elements: dict
  returned: always
promises:
  description: What holds, each with what shows it.
  type: dict
  returned: always
"""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.changes import Change, as_data
from ansible.module_utils.etcd_question import EtcdError
from ansible.module_utils.etcd_reader import EtcdReader
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
    "cluster_fate": {"type": "str", "choices": ["unknown", "new", "kept"], "default": "unknown"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    hint: str = module.params["hint"]
    if module.check_mode:
        _plan(module)
    try:
        changed, promises = _verify(module.params)
    except (KubeConfigMissing, KubeUnreachable, KindNotServed) as error:
        module.fail_json(msg=". ".join(filter(None, [str(error), hint])))
    except (EtcdError, KubeConfigError, KubeError, VerifyFailed) as error:
        module.fail_json(msg=str(error))
    changes = as_data([_replacement(module.params)] if changed else [])
    module.exit_json(changed=changed, changes=changes, promises=promises)


def _replacement(params: dict[str, Any]) -> Change:
    pod = f"a pod of ImoocPod/{params['namespace']}/{params['name']}"
    return Change(pod, "replace", "to see it return, once per cluster, operator and resource")


def _plan(module: AnsibleModule) -> NoReturn:
    """End with what would be done; what does not hold yet is a warning: other steps come first."""
    params = module.params
    promises: dict[str, str] = {}
    identity: dict[str, str] | None = None
    answers = True
    if params["cluster_fate"] != "new":
        try:
            with _verifier(params, timeout=0) as verifier:
                identity = verifier.identity()
                promises = verifier.look()
        except (KubeConfigMissing, KubeUnreachable) as error:
            answers = False
            module.warn(f"not verified: {error}")
        except (KindNotServed, KubeConfigError, KubeError, EtcdError, VerifyFailed) as error:
            module.warn(f"not verified: {str(error).splitlines()[0]}")
    # Of a cluster that is only stopped, all that was proven of it is taken to hold.
    known = answers or params["cluster_fate"] != "kept"
    due = known and is_due(params["disruptive"], Path(params["record"]), identity)
    changes = as_data([_replacement(params)] if due else [])
    module.exit_json(changed=due, changes=changes, promises=promises)
    raise AssertionError("exit_json does not return")


@contextlib.contextmanager
def _verifier(params: dict[str, Any], timeout: float) -> Iterator[Verifier]:
    stack = Stack(
        operator_namespace=params["operator_namespace"],
        operator_image=params["operator_image"],
        namespace=params["namespace"],
        name=params["name"],
        pod_image=params["pod_image"],
    )
    with KubeClient.from_kubeconfig(params["kubeconfig"], params["context"]) as client:
        reader = EtcdReader(client, params["kubectl"], params["kubeconfig"], params["context"])
        yield Verifier(client, reader, stack, timeout)


def _verify(params: dict[str, Any]) -> tuple[bool, dict[str, str]]:
    """Return whether a pod was deleted, and the promises that hold."""
    with _verifier(params, params["timeout"]) as verifier:
        promises = verifier.look()
        record = Path(params["record"])
        identity = verifier.identity()
        if not is_due(params["disruptive"], record, identity):
            return False, promises
        replaced = verifier.replace_a_pod()
        if replaced:
            promises["a deleted pod returns"] = replaced
        record.parent.mkdir(parents=True, exist_ok=True)
        record.write_text(json.dumps(identity))
        return bool(replaced), promises


def is_due(disruptive: str, record: Path, identity: dict[str, str] | None) -> bool:
    """Return whether healing is to be proven now; an unreadable record proves nothing.

    ``identity`` is None of what is still to be made: nothing was proven of that.
    """
    if disruptive != "auto":
        return disruptive == "always"
    try:
        return bool(json.loads(record.read_text()) != identity)
    except (OSError, ValueError):
        return True


if __name__ == "__main__":
    main()
