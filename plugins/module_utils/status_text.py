"""A status on one screen: at most 24 lines of plain text. Pure."""

from __future__ import annotations

import textwrap
from datetime import datetime
from typing import Any

from ansible.module_utils.operator_metrics import within
from ansible.module_utils.timings import spoken
from ansible.module_utils.units import ago, short

Facts = dict[str, Any]

WIDTH = 96
LINES = 24
_LABEL = 13  # columns of the left side
_ROOM = WIDTH - _LABEL
_SHOWN = 4  # of a list
_FINDINGS = 3


def render(facts: Facts, page: str, data: str) -> str:
    """Return the screen; ``page`` and ``data`` are the paths of what was written, or ""."""
    title = f"environment {facts['environment']}: {facts['verdict']}"
    lines = [line for finding in facts["findings"][:_FINDINGS] for line in _finding(finding)]
    if len(facts["findings"]) > _FINDINGS:
        lines += _row("", f"and {len(facts['findings']) - _FINDINGS} more", 1)
    rows = [
        ("engine", _engine(facts["engine"])),
        ("cluster", _cluster(facts["cluster"])),
        ("registry", _registry(facts["registry"])),
        ("operator", _operator(facts)),
        ("resources", _resources(facts["cluster"])),
        ("etcd", "not known" if "missing" in facts["cluster"] else _etcd(facts["etcd"])),
        ("last run", last_run(facts["run"], facts["time"])),
        ("drift", drift(facts["drift"], facts["time"])),
    ]
    if facts["verdict"] == "absent":
        rows = []
    if page:
        rows += [("as a page", page), ("as data", data)]
    most = 1 if lines else 2  # lines of a row: what is wrong takes the room of the rest
    body = [line for label, text in rows for line in _row(label, text, most)]
    return "\n".join([title, "-" * len(title), *lines, *body])


def _finding(finding: Facts) -> list[str]:
    return [*_row("wrong", finding["problem"], 2), *_row("", f"-> {finding['cure']}", 1)]


def _engine(engine: Facts) -> str:
    if "missing" in engine:
        return str(engine["missing"])
    memory = f"{engine['memory_mib'] / 1024:.0f} GiB"
    return f"{engine['version']}, {engine['storage_driver']}, {engine['cpus']} CPUs, {memory}"


def _cluster(cluster: Facts) -> str:
    if "missing" in cluster:
        return str(cluster["missing"])
    nodes = cluster["nodes"]
    ready = sum(node["ready"] for node in nodes)
    return f"Kubernetes {cluster['version']}, {ready} of {len(nodes)} nodes ready"


def _registry(registry: Facts) -> str:
    if "missing" in registry:
        return str(registry["missing"])
    names = sorted({image["repository"] for image in registry["images"]})
    return _some(names) or "empty"


def _operator(facts: Facts) -> str:
    operator = facts["cluster"].get("operator")
    if operator is None:
        return "not known" if "missing" in facts["cluster"] else "there is none"
    told = [f"{operator['available']} of {operator['desired']} available"]
    if operator["leader"]:
        told.append(f"{operator['leader']} leads")
    metrics = facts["metrics"]
    if "missing" in metrics:
        told.append(metrics["missing"])
    else:
        told += [f"{passes(metrics)}", f"queue {metrics['queue']['depth']}"]
    return ", ".join(told)


def passes(metrics: Facts) -> str:
    """Return how many passes there were, and how long nearly all of them took at most."""
    count = metrics["pass_seconds"]["count"]
    bound = within(metrics["pass_seconds"], 0.99)
    return f"{count} passes" + (f", 99 % within {short(bound)}" if bound else "")


def _resources(cluster: Facts) -> str:
    if "missing" in cluster:
        return "not known"
    resources = cluster["resources"]
    if resources is None:
        return "the type is not registered"
    return _some(
        [
            f"{item['namespace']}/{item['name']} {item['ready']} of {item['desired']} ready"
            for item in resources
        ]
    ) or ("none")


def _etcd(etcd: Facts) -> str:
    if "missing" in etcd:
        return str(etcd["missing"])
    kinds = _some([f"{row['kind']} {row['keys']}" for row in etcd["kinds"]])
    return f"{etcd['keys']} keys at revision {etcd['revision']}: {kinds}"


def last_run(run: Facts | None, now: str) -> str:
    """Return how the last run ended, and when."""
    if run is None:
        return "none is recorded"
    seconds = spoken(sum(step["seconds"] for step in run["steps"]))
    began = ago(datetime.fromtimestamp(run["began"]).astimezone(), datetime.fromisoformat(now))
    if run["failed"]:
        return f"failed in step {run['failed']}, began {began}"
    if run["ended"] is None:
        after = f" after step {run['steps'][-1]['step']}" if run["steps"] else ""
        return f"goes on still, or was interrupted{after}, began {began}"
    changed = [step["step"] for step in run["steps"] if step["changed"]]
    what = f"changed {', '.join(changed)}" if changed else "changed nothing"
    return f"{seconds}, began {began}, {what}"


def drift(found: Facts | None, now: str) -> str:
    """Return what the last `make drift` found, and when."""
    if found is None:
        return "not looked at yet: make drift"
    looked = ago(datetime.fromisoformat(found["time"]), datetime.fromisoformat(now))
    return f"{len(found['differences']) or 'no'} differences, looked {looked}"


def _some(items: list[str]) -> str:
    more = [f"and {len(items) - _SHOWN} more"] if len(items) > _SHOWN else []
    return ", ".join(items[:_SHOWN] + more)


def _row(label: str, text: str, most: int) -> list[str]:
    """Return a label with at most ``most`` lines of text; a path is never broken."""
    lines = textwrap.wrap(text, _ROOM, break_long_words=False, break_on_hyphens=False)
    if len(lines) > most:
        lines = [
            *lines[: most - 1],
            textwrap.shorten(" ".join(lines[most - 1 :]), _ROOM, placeholder=" ..."),
        ]
    first, *rest = lines or [""]
    return [f"{label:<{_LABEL}}{first}", *(f"{'':<{_LABEL}}{line}" for line in rest)]
