#!/usr/bin/python
"""Ansible module: a list of Kubernetes objects is present, or absent, over one connection."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: k8s_apply
short_description: Apply Kubernetes objects in order, and wait until they are ready
description:
  - Applies a list of objects by server-side apply, in the given order, over one connection.
  - Writes nothing where nothing changes. What the field manager applied last is compared with the
    desired object and the live values; where that is undecided, a dry run decides.
  - Fields that another manager has set to another value are taken back, and that manager is named
    in a warning. Fields that the object does not mention are left to their managers.
  - Deletes only objects that the field manager applied before.
  - In check mode nothing is stored. What cannot be asked yet, because no cluster answers or a
    namespace or definition is not there, is planned as a creation.
  - A change that the API server refuses, as of an immutable field, fails; nothing is recreated.
options:
  kubeconfig:
    description: Path of the kubeconfig file.
    type: path
    required: true
  context:
    description: Context of the kubeconfig; its current context by default.
    type: str
  objects:
    description: The objects, in the order in which they are applied. They are deleted in reverse.
    type: list
    elements: dict
    default: []
  manifests:
    description: YAML files with such objects, which come before O(objects).
    type: list
    elements: path
    default: []
  prune:
    description:
      - Kinds and names of which no other object may be left in any namespace. Those that the field
        manager applied, and that are not among the objects, are deleted.
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description: API group and version.
        type: str
        required: true
      kind:
        description: Kind.
        type: str
        required: true
      name:
        description: Name of the objects.
        type: str
        required: true
  requires:
    description:
      - Objects that must be there before the others are applied. Not looked at in check mode, nor
        for deletions.
    type: list
    elements: dict
    default: []
    suboptions:
      api_version:
        description: API group and version.
        type: str
        required: true
      kind:
        description: Kind.
        type: str
        required: true
      namespace:
        description: Namespace, of a kind that has one.
        type: str
      name:
        description: Name of the object.
        type: str
        required: true
      hint:
        description: What to do where it is missing; a sentence for the error message.
        type: str
        required: true
  field_manager:
    description: Name under which fields are owned.
    type: str
    default: imooc-ansible
  state:
    description: Whether the objects are there.
    type: str
    choices: [present, absent]
    default: present
  cluster_fate:
    description:
      - What an earlier step does to the cluster, which check mode has not done. V(new) plans every
        object as a creation without asking; with V(kept) a cluster that does not answer now is
        started before it is this task's turn, so that nothing is planned that cannot be known.
    type: str
    choices: [unknown, new, kept]
    default: unknown
  wait:
    description:
      - Wait until each object is ready. A Deployment is when its rollout is complete at its
        generation, a custom resource when its condition Ready is true at its generation.
      - A CustomResourceDefinition and a Namespace are always waited for, and so are deletions.
    type: bool
    default: true
  wait_timeout:
    description: Seconds that each wait may take.
    type: int
    default: 120
  hint:
    description: What to do where no cluster answers; a sentence for the error message.
    type: str
    default: ""
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Apply the definition, and wait until it is served
  k8s_apply:
    kubeconfig: state/dev/kubeconfig
    manifests: [operator/deploy/crds/k8s.imooc.com_imoocpods_crd.yaml]
"""

RETURN = r"""
changes:
  description: What was changed, or would be; module_utils/changes.py says in which form.
  type: list
  elements: dict
  returned: always
results:
  description: One entry per object, in the order of the work.
  type: list
  elements: dict
  returned: always
  contains:
    object:
      description: Kind, namespace and name, joined by slashes.
      type: str
    action:
      description: create, update, delete, none, or foreign (not deleted, as it is not ours).
      type: str
    overruled:
      description: Fields taken back, each with the manager that had set them.
      type: list
      elements: str
    status:
      description: The status of the object, once it is ready; empty for a plan.
      type: dict
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from ansible.module_utils import progress
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.kube_apply import Applier, ApplyRefused, Outcome, missing
from ansible.module_utils.kube_client import KindNotServed, KubeClient, KubeError, KubeUnreachable
from ansible.module_utils.kube_config import KubeConfigError, KubeConfigMissing
from ansible.module_utils.kube_report import shape_problem, summary
from ansible.module_utils.kube_waiter import Waiter, WaitFailed, label


class Missing(Exception):
    """A required object is not there; the message says what to do."""


ARGUMENTS: dict[str, Any] = {
    "kubeconfig": {"type": "path", "required": True},
    "context": {"type": "str"},
    "objects": {"type": "list", "elements": "dict", "default": []},
    "manifests": {"type": "list", "elements": "path", "default": []},
    "prune": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "api_version": {"type": "str", "required": True},
            "kind": {"type": "str", "required": True},
            "name": {"type": "str", "required": True},
        },
    },
    "requires": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "api_version": {"type": "str", "required": True},
            "kind": {"type": "str", "required": True},
            "namespace": {"type": "str"},
            "name": {"type": "str", "required": True},
            "hint": {"type": "str", "required": True},
        },
    },
    "field_manager": {"type": "str", "default": "imooc-ansible"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "cluster_fate": {"type": "str", "choices": ["unknown", "new", "kept"], "default": "unknown"},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 120},
    "hint": {"type": "str", "default": ""},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=ARGUMENTS, supports_check_mode=True)
    params: dict[str, Any] = module.params
    objects = [*_read(module, params["manifests"]), *params["objects"]]
    for obj in objects:
        if problem := shape_problem(obj):
            module.fail_json(msg=f"not a Kubernetes object: {problem}: {str(obj)[:200]}")
    try:
        outcomes = _converge(params, objects, module.check_mode)
    except (KubeConfigMissing, KubeUnreachable) as error:
        outcomes = _without_cluster(module, objects, str(error))
    except (ApplyRefused, KindNotServed, KubeConfigError, KubeError, Missing, WaitFailed) as error:
        module.fail_json(msg=str(error))
    for outcome in outcomes:
        for conflict in () if module.check_mode else outcome.overruled:
            module.warn(f"{label(outcome.obj)}: took back {conflict}")
        if outcome.action == "foreign":
            module.warn(f"{label(outcome.obj)}: left, {params['field_manager']} never applied it")
    module.exit_json(**summary(outcomes))


def _read(module: AnsibleModule, files: list[str]) -> list[Any]:
    """Return the objects of YAML files, in order."""
    objects: list[Any] = []
    for file in files:
        try:
            documents = list(yaml.safe_load_all(Path(file).read_text()))
        except (OSError, yaml.YAMLError) as error:
            module.fail_json(msg=f"the manifest {file} cannot be read: {error}")
        objects += [document for document in documents if document is not None]
    return objects


def _converge(params: dict[str, Any], objects: list[Any], check_mode: bool) -> list[Outcome]:
    report: Callable[[str], None] = progress.report
    if check_mode and params["cluster_fate"] == "new":
        return [missing(obj) for obj in objects]
    with KubeClient.from_kubeconfig(params["kubeconfig"], params["context"]) as client:
        waiter = Waiter(client, params["wait_timeout"], report)
        applier = Applier(client, waiter, params["field_manager"], check_mode)
        pruned = [
            {"apiVersion": item["api_version"], "kind": item["kind"], "name": item["name"]}
            for item in params["prune"]
        ]
        if params["state"] == "absent":
            return [*applier.absent(objects), *applier.prune(pruned, keep=[])]
        if not check_mode:
            _require(client, params["requires"])
        return [*applier.present(objects, params["wait"]), *applier.prune(pruned, keep=objects)]


def _require(client: KubeClient, requirements: list[dict[str, Any]]) -> None:
    """Return where every required object is there. Errors: Missing, for the first that is not."""
    for item in requirements:
        metadata = {"name": item["name"], "namespace": item["namespace"]}
        obj = {"apiVersion": item["api_version"], "kind": item["kind"], "metadata": metadata}
        try:
            found = client.get(client.path_of(obj))
        except KindNotServed:
            found = None
        if found is None:
            raise Missing(f"{label(obj)} is missing. {item['hint']}")


def _without_cluster(module: AnsibleModule, objects: list[Any], why: str) -> list[Outcome]:
    """Return the plan where no cluster answers: all to be created, or nothing to delete."""
    if module.params["state"] == "absent":
        module.warn(f"nothing to remove: {why}")
        return [Outcome(obj, "none") for obj in objects]
    if module.check_mode and module.params["cluster_fate"] == "kept":
        module.warn(f"not compared, since the cluster does not answer now: {why}")
        return [Outcome(obj, "none") for obj in objects]
    if module.check_mode:
        return [missing(obj) for obj in objects]
    module.fail_json(msg=". ".join(filter(None, [why, module.params["hint"]])))
    raise AssertionError("fail_json does not return")


if __name__ == "__main__":
    main()
