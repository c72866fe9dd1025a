#!/usr/bin/python
"""Ansible module: what etcd holds under some prefixes, decoded, for people and for programs."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: etcd_query
short_description: Read keys of a cluster's etcd, decoded
description:
  - Reads keys by etcdctl in the etcd pod of the cluster, with the certificates that etcd uses.
  - Only reads; all prefixes are read at one revision.
  - Of a Secret keys and sizes are returned, never what it holds.
  - In check mode without a cluster the answer is empty.
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
  prefixes:
    description: What the keys begin with.
    type: list
    elements: str
    required: true
  limit:
    description: How many keys of each prefix are read at most; 0 means all.
    type: int
    default: 500
  keys_only:
    description: Do not read values.
    type: bool
    default: false
  documents:
    description: Return the values as YAML for people too.
    type: bool
    default: false
  hint:
    description: What to do where no cluster answers; a sentence for the error message.
    type: str
    default: ""
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Read the custom resources
  etcd_query:
    kubeconfig: state/dev/kubeconfig
    kubectl: bin/kubectl
    prefixes: [/registry/k8s.imooc.com/imoocpods/]
"""

RETURN = r"""
revision:
  description: The revision of etcd at which all was read; 0 where nothing was.
  type: int
  returned: always
total:
  description: How many keys there are, with those that the limit left out.
  type: int
  returned: always
entries:
  description: The keys, in etcd's order.
  type: list
  elements: dict
  returned: always
  contains:
    key: {description: The key., type: str}
    create_revision: {description: Revision of its creation., type: int}
    mod_revision: {description: Revision of its last change., type: int}
    version: {description: How often it was written since its creation., type: int}
    lease: {description: Lease that ends it; 0 for none., type: int}
    size: {description: Bytes of the value., type: int}
    encoding: {description: "json, cbor, protobuf, encrypted, unknown, or none.", type: str}
    api_version: {description: API group and version of the object., type: str}
    kind: {description: Kind of the object., type: str}
    value: {description: The object where it can be decoded and may be shown., type: dict}
    note: {description: What of the value is missing and why., type: str}
table:
  description: The keys as a table for people.
  type: list
  elements: str
  returned: always
documents:
  description: The values as YAML for people, without managedFields.
  type: str
  returned: when O(documents) is true
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.etcd_reader import EtcdError, EtcdReader, Reading
from ansible.module_utils.etcd_report import describe, documents, table
from ansible.module_utils.kube_client import KubeClient, KubeError, KubeUnreachable
from ansible.module_utils.kube_config import KubeConfigError, KubeConfigMissing

ARGUMENTS: dict[str, Any] = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str"},
    "kubectl": {"type": "path", "required": True},
    "prefixes": {"type": "list", "elements": "str", "required": True},
    "limit": {"type": "int", "default": 500},
    "keys_only": {"type": "bool", "default": False, "no_log": False},
    "documents": {"type": "bool", "default": False},
    "hint": {"type": "str", "default": ""},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params: dict[str, Any] = module.params
    try:
        reading = _read(params)
    except (KubeConfigMissing, KubeUnreachable) as error:
        reading = _unread(module, ". ".join(filter(None, [str(error), params["hint"]])))
    except EtcdError as error:
        reading = _unread(module, str(error))
    except (KubeConfigError, KubeError) as error:
        module.fail_json(msg=str(error))
    entries = [describe(entry) for entry in reading.entries]
    shown = {"documents": documents(entries)} if params["documents"] else {}
    module.exit_json(
        changed=False,
        **shown,
        revision=reading.revision,
        total=reading.total,
        entries=entries,
        table=table(entries),
    )


def _unread(module: AnsibleModule, why: str) -> Reading:
    """Return an empty reading for a plan, in which what is missing would be there by now."""
    if not module.check_mode:
        module.fail_json(msg=why)
    return Reading("", 0, 0, ())


def _read(params: dict[str, Any]) -> Reading:
    with KubeClient.from_kubeconfig(params["kubeconfig"], params["context"]) as client:
        reader = EtcdReader(client, params["kubectl"], params["kubeconfig"], params["context"])
        return reader.read(params["prefixes"], params["limit"], params["keys_only"])


if __name__ == "__main__":
    main()
