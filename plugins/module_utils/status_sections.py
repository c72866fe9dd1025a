"""What each section of a status page shows. Pure.

Invariant: whatever is missing, a section says what it would show, and what to do to have it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ansible.module_utils import page_parts, status_picture
from ansible.module_utils.drawing import BAD, GONE, OK, WAITING, mark
from ansible.module_utils.markup import Child, Markup, tag
from ansible.module_utils.status_judge import RUNNING
from ansible.module_utils.status_picture import NARROW, WIDE
from ansible.module_utils.status_text import drift, last_run
from ansible.module_utils.timings import spoken
from ansible.module_utils.units import ago, size

Facts = dict[str, Any]

_KINDS = 12
_UNKNOWN = "Not known: no API server answers."


def topology(facts: Facts, names: tuple[str, str]) -> list[Markup]:
    """Return the topology, wide and narrow, and what its signs mean."""
    legend = [
        tag(
            "li",
            {},
            tag(
                "svg",
                {"viewBox": "0 0 15 15", "width": 15, "height": 15, "aria-hidden": "true"},
                mark(state, 1, 1),
            ),
            word,
        )
        for state, word in (
            (OK, "ready"),
            (WAITING, "starting or ending"),
            (BAD, "failing"),
            (GONE, "missing or not known"),
        )
    ]
    return [
        status_picture.picture(facts, names, WIDE),
        status_picture.picture(facts, names, NARROW),
        tag("ul", {"class": "legend", "aria-label": "Signs in the picture"}, legend),
    ]


def resources(facts: Facts) -> Child:
    """Return each custom resource: its conditions and its pods."""
    cluster = facts["cluster"]
    if "missing" in cluster:
        return page_parts.nothing(_UNKNOWN)
    if cluster["resources"] is None:
        return page_parts.nothing("The cluster serves no type ImoocPod.")
    if not cluster["resources"]:
        return page_parts.nothing("There is no ImoocPod.")
    return [_resource(item, facts["time"]) for item in cluster["resources"]]


def _resource(item: Facts, now: str) -> Markup:
    name = f"{item['namespace']}/{item['name']}"
    conditions = page_parts.table(
        f"Conditions of {name}",
        ("condition", "status", "reason", "message"),
        [
            (
                row["type"],
                page_parts.flag(_is_well(row), row["status"]),
                tag("code", {}, row["reason"]),
                row["message"],
            )
            for row in item["conditions"]
        ],
    )
    silent = page_parts.nothing("The operator has said nothing of it yet.")
    pods = _pods(f"Pods of {name}", item["pods"], now)
    return tag(
        "article",
        {},
        tag("h3", {}, tag("code", {}, name)),
        tag("p", {}, f"{item['ready']} of {item['desired']} pods are ready."),
        conditions if item["conditions"] else silent,
        page_parts.more(f"{len(item['pods'])} pods", pods) if item["pods"] else None,
    )


def _is_well(condition: Facts) -> bool | None:
    """Return whether a condition is good news; None where it is no judgement."""
    if condition["type"] == "Ready":
        return bool(condition["status"] == "True")
    if condition["type"] == "Degraded":
        return bool(condition["status"] == "False")
    return None


def operator(facts: Facts) -> Child:
    """Return the replicas of the operator, and what the one that leads did."""
    cluster, metrics = facts["cluster"], facts["metrics"]
    if "missing" in cluster:
        return page_parts.nothing(_UNKNOWN)
    operator = cluster["operator"]
    if operator is None:
        return page_parts.nothing("There is no operator.")
    exported = metrics.get("replicas") or {}
    rows = [
        (
            tag("code", {}, pod["name"]),
            page_parts.flag(pod["ready"], pod["state"]),
            "leads" if pod["leads"] else "stands by",
            pod["restarts"],
            size(exported.get(pod["name"], {}).get("memory_bytes")),
            _seconds(exported.get(pod["name"], {}).get("cpu_seconds")),
            _seconds(exported.get(pod["name"], {}).get("watch_age_seconds")),
        )
        for pod in operator["replicas"]
    ]
    columns = ("replica", "state", "role", "restarts", "memory", "CPU time", "last word of a watch")
    head = tag("p", {"class": "wide-code"}, tag("code", {}, operator["image"]))
    replicas = (
        page_parts.table("Replicas of the operator", columns, rows)
        if rows
        else page_parts.nothing(f"No replica runs; {operator['desired']} are wanted.")
    )
    return [head, replicas, _metrics(metrics)]


def _metrics(metrics: Facts) -> Child:
    if "missing" in metrics:
        return page_parts.nothing(f"No metrics: {metrics['missing']}.")
    queue, passes = metrics["queue"], metrics["passes"]
    outcomes = ", ".join(f"{count} {result}" for result, count in passes.items()) or "none yet"
    requests = [page_parts.pair(name, str(count)) for name, count in metrics["requests"].items()]
    return [
        tag(
            "div",
            {"class": "pair"},
            page_parts.histogram("Duration of a pass", metrics["pass_seconds"]),
            page_parts.histogram("Wait in the queue", metrics["wait_seconds"]),
        ),
        tag(
            "dl",
            {"class": "facts"},
            page_parts.pair("Passes", outcomes),
            page_parts.pair("In the queue now", str(queue["depth"])),
            page_parts.pair("Added, retried", f"{queue['added']}, {queue['retried']}"),
            page_parts.pair("Oldest pass in flight", _seconds(queue["oldest_pass_seconds"])),
        ),
        page_parts.more("Requests to the API server", tag("dl", {"class": "facts"}, requests)),
    ]


def run(facts: Facts) -> Child:
    """Return the steps of the last run, one after the other."""
    run = facts["run"]
    told = tag("p", {}, _sentence(last_run(run, facts["time"])))
    if run is None:
        return [told, page_parts.nothing("A run of site.yml leaves its times here: make up.")]
    total = sum(step["seconds"] for step in run["steps"]) or 1
    rows: list[tuple[Child, ...]] = []
    begun = 0.0
    for step in run["steps"]:
        left, width = 100 * begun / total, 100 * step["seconds"] / total
        begun += step["seconds"]
        bar = tag(
            "span",
            {
                "class": "span changed" if step["changed"] else "span",
                "style": f"margin-left:{left:.2f}%;width:{width:.2f}%",
            },
        )
        what = "changed" if step["changed"] else "same"
        rows.append((step["step"], tag("span", {"class": "track"}, bar), _took(step), what))
    if run["failed"]:
        rows.append((run["failed"], page_parts.flag(False, "failed"), "", ""))
    return [
        told,
        page_parts.table(
            "Steps of the last run", ("step", "when", "took", "result"), rows, "timeline"
        ),
    ]


def _took(step: Facts) -> Markup:
    return tag("span", {"class": "number"}, spoken(step["seconds"]))


def cluster(facts: Facts) -> Child:
    """Return the nodes, as engine and kubelet see them, and all other pods."""
    cluster, engine = facts["cluster"], facts["engine"]
    containers = {node["name"]: node["state"] for node in engine.get("nodes") or []}
    known = {node["name"]: node for node in cluster.get("nodes") or []}
    rows = [
        (
            tag("code", {}, name),
            _container(containers.get(name)),
            _kubelet(known.get(name)),
            ", ".join(known.get(name, {}).get("roles") or []) or "-",
            known.get(name, {}).get("version") or "-",
        )
        for name in sorted({*containers, *known})
    ]
    columns = ("node", "container", "kubelet", "role", "version")
    parts: list[Child] = []
    if "missing" in cluster:
        parts.append(page_parts.nothing(cluster["missing"]))
    if rows:
        parts.append(page_parts.table("Nodes", columns, rows))
    if pods := cluster.get("pods"):
        parts.append(
            page_parts.more(f"{len(pods)} other pods", _pods("Other pods", pods, facts["time"]))
        )
    return parts


def _container(state: str | None) -> Child:
    return "-" if state is None else page_parts.flag(state == RUNNING, state)


def _kubelet(node: Facts | None) -> Child:
    if node is None:
        return "-"
    return page_parts.flag(node["ready"] and not node["trouble"], node["trouble"] or "Ready")


def _pods(caption: str, pods: Sequence[Facts], now: str) -> Markup:
    rows = [
        (
            tag("code", {}, pod["name"]),
            page_parts.flag(pod["ready"], pod["state"]),
            tag("code", {}, pod["node"] or "-"),
            pod["restarts"],
            _age(pod["started"], now),
        )
        for pod in pods
    ]
    return page_parts.table(caption, ("pod", "state", "node", "restarts", "started"), rows)


def _age(started: str, now: str) -> str:
    if not started:
        return "-"
    age: str = ago(datetime.fromisoformat(started), datetime.fromisoformat(now))
    return age


def etcd(facts: Facts) -> Child:
    """Return how many keys there are of each kind, and those of our own type."""
    etcd = facts["etcd"]
    if "missing" in etcd:
        return page_parts.nothing(_UNKNOWN if "missing" in facts["cluster"] else etcd["missing"])
    rows = [(row["kind"], "", row["keys"], str(row["keys"])) for row in etcd["kinds"]]
    own = page_parts.table(
        "Keys of the type ImoocPod",
        ("key of our own type", "revision", "writes"),
        [(tag("code", {}, row["key"]), row["revision"], row["writes"]) for row in etcd["own"]],
    )
    told = (
        f"{etcd['keys']} keys at revision {etcd['revision']}, "
        f"{size(etcd['database_bytes'])} on disk, by kind:"
    )
    rest = page_parts.bars(rows[_KINDS:], "bars two")
    return [
        tag("p", {}, told),
        page_parts.bars(rows[:_KINDS], "bars two"),
        page_parts.more(f"{len(rows) - _KINDS} more kinds", rest) if rows[_KINDS:] else None,
        own if etcd["own"] else None,
        tag("p", {"class": "hint"}, "What they hold, decoded: ", tag("code", {}, "make etcd")),
    ]


def images(facts: Facts) -> Child:
    """Return the sizes of images in engine and registry."""
    engine, registry = facts["engine"], facts["registry"]
    parts: list[Child] = [tag("h3", {}, "In the engine, unpacked")]
    if "missing" in engine:
        parts.append(page_parts.nothing(engine["missing"]))
    elif not engine["images"]:
        parts.append(page_parts.nothing("No run has recorded images yet."))
    else:
        parts.append(
            page_parts.bars(
                [
                    (row["name"], row["reference"], row["bytes"] or 0, size(row["bytes"]))
                    for row in sorted(engine["images"], key=lambda row: -(row["bytes"] or 0))
                ]
            )
        )
    parts.append(tag("h3", {}, "In the registry, compressed"))
    if "missing" in registry:
        parts.append(page_parts.nothing(registry["missing"]))
    elif not registry["images"]:
        parts.append(page_parts.nothing("The registry is empty."))
    else:
        parts.append(
            page_parts.bars(
                [
                    (
                        f"{row['repository']}:{row['tag']}",
                        row["digest"],
                        row["bytes"],
                        size(row["bytes"]),
                    )
                    for row in registry["images"]
                ]
            )
        )
    return parts


def drifts(facts: Facts) -> Child:
    """Return what `make drift` found, when it last looked."""
    found = facts["drift"]
    if found is None:
        return page_parts.nothing("Not looked at yet. ", tag("code", {}, "make drift"))
    rows = [
        [_cell(row.get(name)) for name in ("object", "field", "wanted", "live", "manager")]
        for row in found["differences"]
    ]
    columns = ("object", "field", "wanted", "live", "changed by")
    return [
        tag("p", {}, _sentence(drift(found, facts["time"]))),
        page_parts.table("Differences", columns, rows) if rows else None,
    ]


def _cell(value: object) -> Child:
    return "-" if value in (None, "") else tag("code", {}, str(value))


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:g} s"
