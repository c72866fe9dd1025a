"""The facts of an environment that is up, to be spoilt by tests, as `status_look` returns them."""

from __future__ import annotations

from typing import Any

Facts = dict[str, Any]

NODE = "imooc-lab-control-plane"
NOW = "2026-11-24T12:00:00+00:00"
BEGAN = 1795521540.0  # a minute before


def pod(name: str, namespace: str = "default", **changes: Any) -> Facts:
    """Return a pod that is ready."""
    return {
        "namespace": namespace,
        "name": name,
        "node": NODE,
        "state": "Running",
        "ready": True,
        "restarts": 0,
        "started": "2026-11-24T11:59:00Z",
        **changes,
    }


def resource(name: str = "example-imoocpod", namespace: str = "default", pods: int = 3) -> Facts:
    """Return an ImoocPod with as many pods as it wants."""
    return {
        "namespace": namespace,
        "name": name,
        "created": "2026-11-24T11:58:00Z",
        "desired": pods,
        "ready": pods,
        "observed": True,
        "conditions": [
            condition("Ready", "True", "AllPodsReady", f"{pods} of {pods} pods are ready"),
            condition("Degraded", "False", "AsExpected", "nothing stands in the way"),
        ],
        "pods": [pod(f"{name}-pod-{number}", namespace) for number in range(pods)],
    }


def condition(kind: str, status: str, reason: str, message: str) -> Facts:
    """Return a condition of an ImoocPod."""
    return {"type": kind, "status": status, "reason": reason, "message": message}


def histogram(**counts: int) -> Facts:
    """Return a histogram of passes within 1 ms, 10 ms, or more."""
    fast, slow, more = counts.get("fast", 0), counts.get("slow", 0), counts.get("more", 0)
    return {
        "count": fast + slow + more,
        "sum": 0.5,
        "buckets": [
            {"within": 0.001, "count": fast},
            {"within": 0.01, "count": fast + slow},
            {"within": None, "count": fast + slow + more},
        ],
    }


def up() -> Facts:
    """Return the facts of `lab`, one node, all well."""
    home = "imoocpod-operator"
    replicas = [pod("op-a", home, leads=True), pod("op-b", home, leads=False)]
    return {
        "engine": {
            "product": "Engine",
            "version": "26.1.5",
            "storage_driver": "overlay2",
            "cpus": 2,
            "memory_mib": 24105,
            "nodes": [{"name": NODE, "state": "running"}],
            "registry": {"state": "running"},
            "images": [
                {"name": "node", "reference": "imooc.local/node:1", "origin": "build", "bytes": 9},
            ],
        },
        "cluster": {
            "version": "v1.37.2",
            "nodes": [
                {
                    "name": NODE,
                    "roles": ["control-plane"],
                    "version": "v1.37.2",
                    "ready": True,
                    "trouble": "",
                }
            ],
            "operator": {
                "namespace": home,
                "name": home,
                "image": "localhost:5001/imoocpod-operator@sha256:" + "ab" * 32,
                "desired": 2,
                "available": 2,
                "updated": 2,
                "leader": "op-a",
                "replicas": replicas,
            },
            "resources": [resource()],
            "pods": [pod("etcd-control-plane", "kube-system")],
        },
        "metrics": {
            "replicas": {
                "op-a": {"memory_bytes": 31e6, "cpu_seconds": 1.5, "watch_age_seconds": 20.5}
            },
            "passes": {"success": 24, "error": 1},
            "pass_seconds": histogram(fast=24, slow=1),
            "queue": {"depth": 0, "added": 25, "retried": 1, "oldest_pass_seconds": 0.0},
            "wait_seconds": histogram(fast=25),
            "requests": {"GET 200": 3, "PATCH 200": 40},
        },
        "etcd": {
            "revision": 1705,
            "keys": 423,
            "kinds": [{"kind": f"k{number}s", "keys": 40 - number} for number in range(20)],
            "own": [
                {
                    "key": "/registry/k8s.imooc.com/imoocpods/default/example-imoocpod",
                    "revision": 616,
                    "writes": 7,
                }
            ],
            "database_bytes": 2281472,
        },
        "registry": {
            "host": "localhost:5001",
            "images": [
                {"repository": "busybox", "tag": "1", "digest": "sha256:aa", "bytes": 1106974},
            ],
        },
        "run": {
            "began": BEGAN,
            "ended": BEGAN + 21.5,
            "failed": "",
            "steps": [
                {"step": "engine", "seconds": 0.5, "changed": False},
                {"step": "cluster", "seconds": 21.0, "changed": True},
            ],
        },
        "drift": None,
    }


def spoilt(name: str) -> Facts:
    """Return the facts of an environment that is not up, or hard to draw; `SPOILT` names them."""
    facts = up()
    SPOILT[name](facts)
    return facts


def _no_engine(facts: Facts) -> None:
    facts["engine"] = {"missing": "no engine answers at unix:///var/run/docker.sock: refused"}
    facts["registry"] = {"host": "localhost:5001", "missing": "no registry answers"}
    _no_api_server(facts)


def _no_api_server(facts: Facts) -> None:
    for part in ("cluster", "metrics", "etcd"):
        facts[part] = {"missing": "no cluster answers at https://127.0.0.1:1: refused"}
    facts["etcd"]["database_bytes"] = None


def _stopped_node(facts: Facts) -> None:
    _no_api_server(facts)
    facts["engine"]["nodes"][0]["state"] = "exited"


def _paused_node(facts: Facts) -> None:
    _no_api_server(facts)
    facts["engine"]["nodes"][0]["state"] = "paused"


def _nothing(facts: Facts) -> None:
    _no_api_server(facts)
    facts["engine"] |= {"nodes": [], "registry": None, "images": []}
    facts["registry"] = {"host": "localhost:5001", "missing": "no registry answers"}
    facts["run"] = None


def _stopped_worker(facts: Facts) -> None:
    worker = {**facts["cluster"]["nodes"][0], "name": "imooc-lab-worker", "roles": ["worker"]}
    facts["cluster"]["nodes"].append(worker | {"ready": False, "trouble": "stopped posting"})
    facts["engine"]["nodes"].append({"name": "imooc-lab-worker", "state": "exited"})


def _node_in_trouble(facts: Facts) -> None:
    facts["cluster"]["nodes"][0] |= {"ready": False, "trouble": "the disk is full"}


def _lost_image(facts: Facts) -> None:
    facts["engine"]["images"][0]["bytes"] = None


def _no_registry(facts: Facts) -> None:
    facts["engine"]["registry"] = None
    facts["registry"] = {"host": "localhost:5001", "missing": "no registry answers"}


def _stopped_registry(facts: Facts) -> None:
    _no_registry(facts)
    facts["engine"]["registry"] = {"state": "exited"}


def _deaf_registry(facts: Facts) -> None:
    _no_registry(facts)
    facts["engine"]["registry"] = {"state": "running"}


def _no_operator(facts: Facts) -> None:
    facts["cluster"]["operator"] = None
    facts["metrics"] = {"missing": "there is no operator to ask"}


def _operator_at_zero(facts: Facts) -> None:
    facts["cluster"]["operator"] |= {"desired": 0, "available": 0, "leader": "", "replicas": []}
    facts["metrics"] = {"missing": "no replica of the operator is ready"}


def _crashing_replica(facts: Facts) -> None:
    facts["cluster"]["operator"]["available"] = 1
    replica = facts["cluster"]["operator"]["replicas"][1]
    replica |= {"ready": False, "state": "CrashLoopBackOff", "restarts": 4}


def _no_leader(facts: Facts) -> None:
    facts["cluster"]["operator"]["leader"] = ""


def _no_type(facts: Facts) -> None:
    facts["cluster"]["resources"] = None


def _no_resource(facts: Facts) -> None:
    facts["cluster"]["resources"] = []


def _degraded_resource(facts: Facts) -> None:
    item = facts["cluster"]["resources"][0]
    item["conditions"][1] = condition("Degraded", "True", "QuotaExceeded", "no room")


def _missing_pod(facts: Facts) -> None:
    item = facts["cluster"]["resources"][0]
    item["ready"] = 2
    item["pods"][2] |= {"ready": False, "state": "ImagePullBackOff"}


def _ignored_resource(facts: Facts) -> None:
    facts["cluster"]["resources"].append(
        {**resource("web", "team", 0), "desired": 2, "observed": False, "conditions": []}
    )


def _old_spec(facts: Facts) -> None:
    facts["cluster"]["resources"][0]["observed"] = False


def _many(facts: Facts) -> None:
    facts["cluster"]["resources"] += [resource(f"web-{number}", "team", 70) for number in range(9)]


SPOILT = {
    "no engine": _no_engine,
    "no API server": _no_api_server,
    "stopped node": _stopped_node,
    "paused node": _paused_node,
    "nothing": _nothing,
    "stopped worker": _stopped_worker,
    "node in trouble": _node_in_trouble,
    "lost image": _lost_image,
    "no registry": _no_registry,
    "stopped registry": _stopped_registry,
    "deaf registry": _deaf_registry,
    "no operator": _no_operator,
    "operator at zero": _operator_at_zero,
    "crashing replica": _crashing_replica,
    "no leader": _no_leader,
    "no type": _no_type,
    "no resource": _no_resource,
    "degraded resource": _degraded_resource,
    "missing pod": _missing_pod,
    "ignored resource": _ignored_resource,
    "old spec": _old_spec,
    "many": _many,
}


def told(facts: Facts, verdict: str = "up", findings: list[Facts] | None = None) -> Facts:
    """Return the facts as `status.json` has them."""
    return {
        "environment": "lab",
        "time": NOW,
        "verdict": verdict,
        "findings": findings or [],
        **facts,
    }
