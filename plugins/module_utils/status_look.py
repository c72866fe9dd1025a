"""Look at one environment from every side at once: engine, API server, operator, etcd, registry.

Invariant: looking changes nothing and is over after `SECONDS`, and each part is told: as facts, or
as `{"missing": why}`.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from ansible.module_utils import etcd_kinds, operator_metrics, status_objects, timings
from ansible.module_utils.engine_client import Engine
from ansible.module_utils.engine_facts import read_engine
from ansible.module_utils.etcd_question import Question, Range
from ansible.module_utils.etcd_reader import EtcdReader
from ansible.module_utils.images_state import RECORD as IMAGES
from ansible.module_utils.kind_nodes import CLUSTER_LABEL, NODE_ROLES, ROLE_LABEL
from ansible.module_utils.kube_client import JsonObject, KubeClient
from ansible.module_utils.registry_api import RegistryClient
from ansible.module_utils.together import together

Facts = dict[str, Any]

SECONDS = 2.0  # with Ansible's own start a status then takes no more than three
_ANSWER = 1  # second that one question may take: whole, for kubectl's sake
_DRIFT = "drift.json"
_METRICS_PORT = 8080
_GROUP = "/apis/k8s.imooc.com/v1alpha1"
_OWN_KEYS = re.compile(
    r"/[^/]+/(k8s\.imooc\.com/|apiextensions\.k8s\.io/customresourcedefinitions/imoocpods\.)"
)
_DATABASE = re.compile(r"^apiserver_storage_size_bytes(?:\{[^}]*\})? (\S+)", re.M)


@dataclass(frozen=True, slots=True)
class Place:
    """Where the parts of an environment are."""

    state: Path
    kubeconfig: str
    context: str | None
    kubectl: str
    cluster: str
    registry_name: str
    registry_host: str
    operator_namespace: str
    operator_name: str

    def client(self) -> KubeClient:
        """Return a connection of its own to the API server. Errors: KubeConfigError."""
        return KubeClient.from_kubeconfig(self.kubeconfig, self.context, timeout=_ANSWER)


def look(place: Place, now: datetime) -> Facts:
    """Return the facts by part; docs/reference/status.md says which there are."""
    reads: dict[str, Callable[[Place], Facts]] = {
        "engine": _engine,
        "cluster": partial(_cluster, now=now),
        "metrics": _metrics,
        "etcd": _etcd,
        "database": _database,
        "registry": _registry,
    }
    found = together({name: partial(read, place) for name, read in reads.items()}, SECONDS)
    found["registry"]["host"] = place.registry_host
    found["etcd"]["database_bytes"] = found.pop("database").get("bytes")
    return {
        **found,
        "run": _run(place.state),
        "drift": _drift(place.state / _DRIFT),
    }


def _engine(place: Place) -> Facts:
    """Return the engine, the containers that the environment is made of, and its images."""
    facts, engine = read_engine(os.environ, Path.home())
    if engine is None:
        return {"missing": f"no engine answers at {facts.host}: {facts.error}"}
    listed = engine.containers(label=f"{CLUSTER_LABEL}={place.cluster}")
    nodes = [
        {"name": entry["Names"][0].lstrip("/"), "state": entry["State"]}
        for entry in listed
        if entry["Labels"].get(ROLE_LABEL) in NODE_ROLES
    ]
    registry = engine.container(place.registry_name)
    return {
        "product": facts.product,
        "version": facts.version,
        "storage_driver": facts.storage_driver,
        "cpus": facts.cpus,
        "memory_mib": facts.memory_mib,
        "nodes": sorted(nodes, key=lambda entry: str(entry["name"])),
        "registry": registry and {"state": registry["State"]["Status"]},
        "images": _images(engine, place.state),
    }


def _images(engine: Engine, state: Path) -> list[Facts]:
    """Return the images that the environment's record names; bytes are None where one is gone."""
    recorded = (_json(state / IMAGES) or {}).get("images") or {}
    found = {name: engine.image(image["reference"]) for name, image in sorted(recorded.items())}
    return [
        {
            "name": name,
            "reference": recorded[name]["reference"],
            "origin": recorded[name]["origin"],
            "bytes": image and image["Size"],
        }
        for name, image in found.items()
    ]


def _cluster(place: Place, now: datetime) -> Facts:
    """Return nodes, operator, custom resources and all other pods, as the API server has them."""
    with place.client() as client:
        version = client.request("GET", "/version")[1]["gitVersion"]
        nodes = client.list("/api/v1/nodes")
        pods = client.list("/api/v1/pods")
        deployment = client.get(_deployment_path(place))
        lease = client.get(
            f"/apis/coordination.k8s.io/v1/namespaces/{place.operator_namespace}"
            f"/leases/{place.operator_name}"
        )
        served = client.get(_GROUP) is not None
        resources = client.list(f"{_GROUP}/imoocpods") if served else []
    return {
        "version": version,
        "nodes": [status_objects.node(obj) for obj in nodes],
        "operator": deployment and status_objects.operator(deployment, lease, pods, now),
        "resources": [status_objects.resource(obj, pods) for obj in resources] if served else None,
        "pods": status_objects.others(pods, resources, deployment),
    }


def _metrics(place: Place) -> Facts:
    """Return what each replica that is ready exports, and what the one that leads did."""
    with place.client() as client:
        deployment = client.get(_deployment_path(place))
        if deployment is None:
            return {"missing": "there is no operator to ask"}
        pods = client.list(f"/api/v1/namespaces/{place.operator_namespace}/pods")
    names = [
        pod["metadata"]["name"]
        for pod in pods
        if status_objects.selected(pod, deployment) and status_objects.is_true(pod, "Ready")
    ]
    if not names:
        return {"missing": "no replica of the operator is ready"}
    answers = together(
        {name: partial(_exported, place, name) for name in names}, seconds=SECONDS * 0.6
    )
    texts = {name: answer["text"] for name, answer in answers.items() if "text" in answer}
    if not texts:
        return dict(answers[names[0]])
    return {
        "replicas": {name: operator_metrics.of_replica(text) for name, text in texts.items()},
        **operator_metrics.of_leader(texts.values()),
    }


def _exported(place: Place, pod: str) -> Facts:
    with place.client() as client:
        path = f"/api/v1/namespaces/{place.operator_namespace}/pods/{pod}:{_METRICS_PORT}"
        return {"text": client.text(f"{path}/proxy/metrics")}


def _etcd(place: Place) -> Facts:
    """Return how many keys there are of each kind, and those of our own type."""
    with place.client() as client:
        reader = EtcdReader(client, place.kubectl, place.kubeconfig, place.context, _ANSWER)
        with reader.read(Question((Range.prefix("/"),), keys_only=True)) as answer:
            entries = list(answer)
    return {
        "revision": answer.revision,
        "keys": answer.total,
        "kinds": [
            {"kind": kind, "keys": keys}
            for kind, keys in etcd_kinds.by_kind(entry.key for entry in entries)
        ],
        "own": [
            {"key": entry.key, "revision": entry.mod_revision, "writes": entry.version}
            for entry in entries
            if _OWN_KEYS.match(entry.key)
        ],
    }


def _database(place: Place) -> Facts:
    """Return the bytes of etcd's file, as the API server exports them: etcd itself is not asked."""
    with place.client() as client:
        sizes = _DATABASE.findall(client.text("/metrics"))
    if not sizes:
        return {"missing": "the API server exports no size of its storage"}
    return {"bytes": round(max(map(float, sizes)))}


def _registry(place: Place) -> Facts:
    """Return every tag in the registry with its digest and compressed bytes."""
    with RegistryClient(place.registry_host, timeout=_ANSWER) as registry:
        found = [
            {"repository": name, "tag": tag, "digest": image.digest, "bytes": image.size}
            for name in registry.repositories()
            for tag in registry.tags(name)
            if (image := registry.manifest(name, tag)) is not None
        ]
    return {"images": found}


def _run(state: Path) -> Facts | None:
    """Return the last run of site.yml; None where none was recorded."""
    run = timings.load(state / timings.FILE_NAME).run_of("site")
    return asdict(run) if run.began else None


def _drift(path: Path) -> Facts | None:
    """Return the differences that `make drift` found, and when; None where it has not looked."""
    found = _json(path)
    if found is None:
        return None
    rows = found.get("differences")
    rows = rows if isinstance(rows, list) else []
    looked = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return {
        "time": looked.isoformat(timespec="seconds"),
        "differences": [row for row in rows if isinstance(row, dict)],
    }


def _deployment_path(place: Place) -> str:
    return f"/apis/apps/v1/namespaces/{place.operator_namespace}/deployments/{place.operator_name}"


def _json(path: Path) -> JsonObject | None:
    """Return the object that a file of the state directory holds; None where it holds none."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return content if isinstance(content, dict) else None
