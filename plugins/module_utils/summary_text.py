"""The end of a run, in words: a short table of what runs and what to try next.

Pure functions of the facts that also go to `outputs.json`; plain text, no colour, 40 lines at most.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import Any

from ansible.module_utils.timings import StepRun, spoken

WIDTH = 96
_LABEL = 13  # columns of the left side
_PODS_SHOWN = 6
_KEYS_SHOWN = 6


def render(facts: dict[str, Any], run: Sequence[StepRun], outputs: str) -> str:
    """Return the summary; `outputs` is the path of the file with the same facts."""
    environment = facts["environment"]
    title = f"environment {environment}: {_verdict(facts)}"
    rows = [
        ("cluster", _cluster(facts["cluster"])),
        ("registry", _registry(facts["registry"])),
        ("operator", _operator(facts["operator"])),
        ("resource", _resource(facts["resource"])),
    ]
    if facts["etcd"] is not None:
        rows.append(("etcd keys", _some(facts["etcd"]["keys"], _KEYS_SHOWN)))
    if run:
        rows.append(("took", _took(run)))
    rows += [("as data", [outputs]), ("try", _commands(facts))]
    body = [line for label, lines in rows for line in _row(label, lines)]
    return "\n".join([title, "-" * len(title), *body])


def _missing(facts: dict[str, Any]) -> list[str]:
    parts = ("cluster", "registry", "operator", "resource")
    return [part for part in parts if "missing" in facts[part]]


def _verdict(facts: dict[str, Any]) -> str:
    if missing := _missing(facts):
        return f"not whole, missing: {', '.join(missing)}"
    resource, operator = facts["resource"], facts["operator"]
    ready = all(node["ready"] for node in facts["cluster"]["nodes"])
    if not ready or operator["available"] < operator["desired"]:
        return "starting"
    return "up" if resource["ready"] == resource["desired"] else "starting"


def _cluster(facts: dict[str, Any]) -> list[str]:
    if "missing" in facts:
        return [facts["missing"]]
    return [f"Kubernetes {facts['version']}"] + [
        f"{node['name']} {'Ready' if node['ready'] else 'NotReady'} {node['version']}"
        for node in facts["nodes"]
    ]


def _registry(facts: dict[str, Any]) -> list[str]:
    if "missing" in facts:
        return [facts["missing"]]
    return [f"{facts['host']}/v2/_catalog", json.dumps(facts["catalog"], separators=(",", ":"))]


def _operator(facts: dict[str, Any]) -> list[str]:
    if "missing" in facts:
        return [facts["missing"]]
    available = f"{facts['available']} of {facts['desired']} available"
    return [f"{facts['namespace']}/{facts['name']}: {available}", facts["image"]]


def _resource(facts: dict[str, Any]) -> list[str]:
    if "missing" in facts:
        return [facts["missing"]]
    ready = f"{facts['ready']} of {facts['desired']} pods ready"
    name = f"{facts['namespace']}/{facts['name']}: {ready}"
    return [name, *_some(facts["pods"], _PODS_SHOWN)]


def _took(run: Sequence[StepRun]) -> list[str]:
    # A step and its time stay on one line: no-break spaces, until all is wrapped.
    steps = ", ".join(f"{step.step} {spoken(step.seconds)}".replace(" ", "\xa0") for step in run)
    total = spoken(sum(step.seconds for step in run))
    lines = textwrap.wrap(f"{total} in all: {steps}", WIDTH - _LABEL)
    return [line.replace("\xa0", " ") for line in lines]


def _commands(facts: dict[str, Any]) -> list[str]:
    environment = facts["environment"]
    choice = "" if environment == "dev" else f" ENV={environment}"
    resource = facts["resource"]
    commands = [(f"make up{choice}", "bring back what is missing")] if _missing(facts) else []
    commands.append((f'eval "$(make env{choice})"', "PATH and KUBECONFIG for this shell"))
    if "missing" not in resource:
        where = "" if resource["namespace"] == "default" else f" -n {resource['namespace']}"
        commands += [
            (f"kubectl get imoocpods{where}", "desired and ready"),
            (f"kubectl scale imoocpod/{resource['name']} --replicas 5{where}", ""),
        ]
        if resource["pods"]:
            commands.append((f"kubectl delete pod {resource['pods'][0]}{where}", "it returns"))
    commands += [
        (f"make etcd{choice}", "what etcd holds of it"),
        ("make test", "prove all of it on clusters of their own"),
        (f"make down{choice}", "remove what was made"),
    ]
    column = max(len(command) for command, _ in commands)
    return [f"{command:<{column}}  # {why}" if why else command for command, why in commands]


def _some(lines: list[str], shown: int) -> list[str]:
    if len(lines) <= shown:
        return lines
    return [*lines[:shown], f"and {len(lines) - shown} more"]


def _row(label: str, lines: list[str]) -> list[str]:
    first, *rest = lines or [""]
    return [f"{label:<{_LABEL}}{first}", *(f"{'':<{_LABEL}}{line}" for line in rest)]
