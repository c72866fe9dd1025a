"""Say what is wrong with an environment, and what to do about it.

Pure. Invariant: causes, not consequences. Where the engine does not answer, nothing is said of the
cluster in it; where no API server answers, nothing of what it would tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Facts = dict[str, Any]

UP, DEGRADED, DOWN, ABSENT = "up", "degraded", "down", "absent"
RUNNING = "running"  # in the engine's words
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Wish:
    """What there should be."""

    environment: str
    cluster: str
    registry_name: str
    operator_namespace: str
    operator_name: str
    resource_namespace: str
    resource_name: str

    def make(self, verb: str, tag: str = "") -> str:
        """Return the command that a person would type."""
        environment = "" if self.environment == "dev" else f" ENV={self.environment}"
        return f"make {verb}{environment}" + (f" ARGS='--tags {tag}'" if tag else "")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be: of which part, what, and a command against it."""

    part: str
    problem: str
    cure: str


def findings(facts: Facts, wish: Wish) -> list[Finding]:
    """Return what is not as it should be, causes first; [] means that all is well."""
    return [*_engine(facts, wish), *_registry(facts, wish), *_cluster(facts, wish)]


def verdict(facts: Facts, found: list[Finding], has_state: bool) -> str:
    """Return the state of the environment in a word.

    `up`: all is as it should be. `degraded`: the API server answers, and something is not. `down`:
    there is something of the environment, but no API server. `absent`: there is nothing.
    """
    if not found:
        return UP
    if "missing" not in facts["cluster"]:
        return DEGRADED
    engine = facts["engine"]
    made = engine.get("nodes") or engine.get("registry")
    return DOWN if made or has_state else ABSENT


def _engine(facts: Facts, wish: Wish) -> Iterator[Finding]:
    engine = facts["engine"]
    if "missing" in engine:
        yield Finding("engine", engine["missing"], wish.make("up"))
        return
    if not engine["nodes"] and "missing" in facts["cluster"]:
        yield Finding("cluster", f"there is no cluster {wish.cluster}", wish.make("up"))
    for node in engine["nodes"]:
        if node["state"] != RUNNING:
            yield Finding("node", *_halted("node", node["name"], node["state"], wish.make("up")))
    for image in engine["images"]:
        if image["bytes"] is None:
            problem = f"the engine has lost the image {image['reference']}"
            yield Finding("images", problem, wish.make("up", "images"))


def _halted(what: str, name: str, state: str, start: str) -> tuple[str, str]:
    """Return what is wrong with a container that does not run, and what to do."""
    if state == "paused":
        return f"the {what} {name} is paused", f"docker unpause {name}"
    return f"the {what} {name} is stopped", start


def _registry(facts: Facts, wish: Wish) -> Iterator[Finding]:
    engine, registry = facts["engine"], facts["registry"]
    if "missing" in engine:
        return
    if not engine["registry"]:
        if engine["nodes"]:  # else there is nothing at all, which is said once
            problem = f"there is no registry {wish.registry_name}"
            yield Finding("registry", problem, wish.make("up", "registry"))
    elif (state := engine["registry"]["state"]) != RUNNING:
        cure = wish.make("up", "registry")
        yield Finding("registry", *_halted("registry", wish.registry_name, state, cure))
    elif "missing" in registry:
        yield Finding("registry", registry["missing"], f"docker logs {wish.registry_name}")


def _cluster(facts: Facts, wish: Wish) -> Iterator[Finding]:
    engine, cluster = facts["engine"], facts["cluster"]
    if "missing" in cluster:
        nodes = engine.get("nodes") or []
        if nodes and all(node["state"] == RUNNING for node in nodes):
            yield Finding("cluster", cluster["missing"], wish.make("up"))
        return
    stopped = {node["name"] for node in engine.get("nodes") or [] if node["state"] != RUNNING}
    for node in cluster["nodes"]:
        if node["trouble"] and node["name"] not in stopped:
            problem = f"the node {node['name']}: {node['trouble']}"
            yield Finding("node", problem, f"kubectl describe node {node['name']}")
    yield from _operator(cluster["operator"], wish)
    yield from _resources(cluster["resources"], wish)


def _operator(operator: Facts | None, wish: Wish) -> Iterator[Finding]:
    name = f"{wish.operator_namespace}/{wish.operator_name}"
    if operator is None:
        problem = f"there is no operator {name}"
        yield Finding("operator", problem, wish.make("up", "operator"))
        return
    if operator["desired"] == 0:
        problem = f"the operator {name} is scaled to 0: nobody looks after ImoocPods"
        yield Finding("operator", problem, wish.make("up", "operator"))
        return
    if operator["available"] < operator["desired"]:
        problem = f"{operator['available']} of {operator['desired']} replicas are available"
        pods = _unready(operator["replicas"])
        cure = f"kubectl describe pods -n {wish.operator_namespace}"
        yield Finding("operator", f"{problem}{pods}", cure)
    elif not operator["leader"]:
        problem = "no replica holds the lease: nobody looks after ImoocPods"
        cure = f"kubectl logs -n {wish.operator_namespace} deployment/{wish.operator_name}"
        yield Finding("operator", problem, cure)


def _resources(resources: list[Facts] | None, wish: Wish) -> Iterator[Finding]:
    if resources is None:
        yield Finding("type", "the cluster serves no type ImoocPod", wish.make("up", "crd"))
        return
    wanted = (wish.resource_namespace, wish.resource_name)
    if wanted not in {(item["namespace"], item["name"]) for item in resources}:
        problem = f"there is no ImoocPod {'/'.join(wanted)}"
        yield Finding("resource", problem, wish.make("up", "cr"))
    for item in resources:
        if problem := _trouble(item):
            cure = f"kubectl describe imoocpod {item['name']} -n {item['namespace']}"
            name = f"{item['namespace']}/{item['name']}"
            yield Finding("resource", f"{name}: {problem}", cure)


def _trouble(resource: Facts) -> str:
    """Return what keeps a custom resource from being as it asks; "" where nothing does."""
    known = {item["type"]: item for item in resource["conditions"]}
    if not known:
        return f"no operator has looked at it yet; one must watch {resource['namespace']}"
    for kind, bad in (("Degraded", "True"), ("Ready", "False"), ("Ready", "Unknown")):
        condition = known.get(kind, {})
        if condition.get("status") == bad:
            return f"{condition['reason']}: {condition['message']}"
    if resource["ready"] != resource["desired"]:
        pods = _unready(resource["pods"])
        return f"{resource['ready']} of {resource['desired']} pods are ready{pods}"
    if not resource["observed"]:
        return "the operator has not looked at its newest spec yet"
    return ""


def _unready(pods: list[Facts]) -> str:
    told = [f"{pod['name']} {pod['state']}" for pod in pods if not pod["ready"]]
    if not told:
        return ""
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return f" ({', '.join(told[:_SHOWN])}{more})"
