#!/usr/bin/python
"""Ansible module: say how an environment is, on one screen, as data and as a page."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: stack_status
short_description: Say how an environment is, on one screen, as data and as a page
description:
  - Asks engine, API server, operator, etcd and registry at once, and changes none of them. The
    answers are awaited for two seconds; what does not come is told as missing.
  - Writes C(status.json) and C(report.html) in O(state_dir), each time anew. Where there is
    nothing of the environment, nothing is written either.
  - Never fails for what it finds; RV(verdict) and RV(findings) tell it.
  - In check mode the files are left as they are.
options:
  environment_name:
    description: Name of the environment.
    type: str
    required: true
  state_dir:
    description: State directory of the environment.
    type: path
    required: true
  kubeconfig:
    description: Path of the environment's kubeconfig.
    type: path
    required: true
  context:
    description: Context of the kubeconfig; its current context by default.
    type: str
  kubectl:
    description: Path of kubectl, by which etcd is read.
    type: path
    required: true
  cluster:
    description: Name of the kind cluster.
    type: str
    required: true
  registry_name:
    description: Name of the registry's container.
    type: str
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
    description: Name of the operator's Deployment and Lease.
    type: str
    required: true
  resource_namespace:
    description: Namespace of the custom resource that there should be.
    type: str
    required: true
  resource_name:
    description: Name of the custom resource that there should be.
    type: str
    required: true
  style:
    description: The style sheet of the page, as text.
    type: str
    required: true
author: [The imooc operator authors]
"""

EXAMPLES = r"""
- name: Say how the environment is
  stack_status:
    environment_name: dev
    state_dir: state/dev
    kubeconfig: state/dev/kubeconfig
    kubectl: bin/kubectl
    cluster: imooc-dev
    registry_name: imooc-dev-registry
    registry_host: localhost:5000
    operator_namespace: imoocpod-operator
    operator_name: imoocpod-operator
    resource_namespace: default
    resource_name: example-imoocpod
    style: "{{ lookup('ansible.builtin.file', 'page.css') }}"
"""

RETURN = r"""
verdict:
  description: V(up), V(degraded), V(down) or V(absent).
  type: str
  returned: always
findings:
  description: What is not as it should be, causes first, each with a command against it.
  type: list
  elements: dict
  returned: always
text:
  description: One screen for people; the callback C(progress) prints it below the recap.
  type: str
  returned: always
"""

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ansible.module_utils import status_judge, status_page, status_text
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.state_files import as_json, write_public
from ansible.module_utils.status_look import Place, look

DATA = "status.json"
PAGE = "report.html"


def main() -> None:
    """Run the module."""
    text = {"type": "str", "required": True}
    path = {"type": "path", "required": True}
    module = AnsibleModule(
        argument_spec={
            "environment_name": text,
            "state_dir": path,
            "kubeconfig": path,
            "context": {"type": "str"},
            "kubectl": path,
            "cluster": text,
            "registry_name": text,
            "registry_host": text,
            "operator_namespace": text,
            "operator_name": text,
            "resource_namespace": text,
            "resource_name": text,
            "style": text,
        },
        supports_check_mode=True,
    )
    params = module.params
    state = Path(params["state_dir"])
    facts = gather(params, datetime.now(UTC))
    files = {PAGE: "", DATA: ""}
    if facts["verdict"] != status_judge.ABSENT and not module.check_mode:
        names = (params["cluster"], params["registry_name"])
        write_public(state / DATA, as_json(facts))
        write_public(state / PAGE, status_page.render(facts, names, params["style"]))
        files = {name: str(state / name) for name in files}
    module.exit_json(
        changed=False,  # a look, though it is written down
        verdict=facts["verdict"],
        findings=facts["findings"],
        text=status_text.render(facts, files[PAGE], files[DATA]),
    )


def gather(params: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return what `status.json` holds."""
    place = Place(
        state=Path(params["state_dir"]),
        kubeconfig=params["kubeconfig"],
        context=params["context"],
        kubectl=params["kubectl"],
        cluster=params["cluster"],
        registry_name=params["registry_name"],
        registry_host=params["registry_host"],
        operator_namespace=params["operator_namespace"],
        operator_name=params["operator_name"],
    )
    wish = status_judge.Wish(
        environment=params["environment_name"],
        cluster=params["cluster"],
        registry_name=params["registry_name"],
        operator_namespace=params["operator_namespace"],
        operator_name=params["operator_name"],
        resource_namespace=params["resource_namespace"],
        resource_name=params["resource_name"],
    )
    parts = look(place, now)
    findings = status_judge.findings(parts, wish)
    return {
        "environment": params["environment_name"],
        "time": now.isoformat(timespec="seconds"),
        "verdict": status_judge.verdict(parts, findings, has_state=place.state.is_dir()),
        "findings": [asdict(finding) for finding in findings],
        **parts,
    }


if __name__ == "__main__":
    main()
