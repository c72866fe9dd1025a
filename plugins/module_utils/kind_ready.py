"""Tell whether a cluster is ready, and wait until it is.

Invariant: what the API server remembers from before a restart does not count. A node is ready when
it says so and has renewed its lease since its container started. Services must work on it too:
without its kube-proxy no pod there reaches even the API server.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from ansible.module_utils.kube_client import KubeClient, KubeError, KubeUnreachable
from ansible.module_utils.kube_config import KubeConfigError
from ansible.module_utils.progress import report

_POLL_SECONDS = 0.3


class NotReady(Exception):
    """The deadline passed; the message says what was still missing."""


def missing(
    nodes: Sequence[Mapping[str, Any]],
    leases: Sequence[Mapping[str, Any]],
    proxies: Mapping[str, Any] | None,
    started: Mapping[str, str],
) -> list[str]:
    """Return what keeps the cluster from being ready, one line each; [] means ready.

    ``proxies`` is the DaemonSet kube-proxy, None where there is none, as a cluster may be made
    without. ``started`` gives for each expected node when its container started (RFC 3339).
    """
    conditions = {
        node["metadata"]["name"]: {
            condition["type"]: condition for condition in node["status"].get("conditions", [])
        }
        for node in nodes
    }
    renewed = {
        lease["metadata"]["name"]: (lease.get("spec") or {}).get("renewTime") for lease in leases
    }
    lines = []
    for name, since in started.items():
        ready = conditions.get(name, {}).get("Ready", {})
        lease = renewed.get(name)
        if name not in conditions:
            lines.append(f"{name} has not joined")
        elif ready.get("status") != "True":
            lines.append(f"{name} is not Ready: {ready.get('message', 'it has not reported yet')}")
        elif lease is None or _moment(lease) < _moment(since):
            lines.append(f"{name} has not reported since its container started")
    serving = len(started) if proxies is None else proxies["status"].get("numberReady", 0)
    if not lines and serving < len(started):
        lines.append(f"kube-proxy is ready on {serving} of {len(started)} nodes")
    return lines


def read(kube: KubeClient, started: Mapping[str, str]) -> list[str]:
    """Return what keeps the cluster behind ``kube`` from being ready now."""
    try:
        return missing(
            kube.list("/api/v1/nodes"),
            kube.list("/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"),
            kube.get("/apis/apps/v1/namespaces/kube-system/daemonsets/kube-proxy"),
            started,
        )
    except KubeUnreachable as error:
        return [str(error)]
    except KubeError as error:  # while it starts, the API server refuses what it cannot judge yet
        return [f"the API server is not ready: {error}"]


def wait(kubeconfig: str, context: str, started: Mapping[str, str], seconds: float) -> None:
    """Return as soon as the cluster is ready; raise NotReady when the deadline has passed."""
    deadline = time.monotonic() + seconds
    _until(lambda: _read_anew(kubeconfig, context, started), deadline)


def _read_anew(kubeconfig: str, context: str, started: Mapping[str, str]) -> list[str]:
    try:
        with KubeClient.from_kubeconfig(kubeconfig, context, timeout=5) as kube:
            return read(kube, started)
    except KubeConfigError as error:
        return [str(error)]


def _until(look: Callable[[], list[str]], deadline: float) -> None:
    said = ""
    while lines := look():
        if time.monotonic() > deadline:
            raise NotReady("; ".join(lines))
        if lines[0] != said:
            said = lines[0]
            report(f"waiting: {said}")
        time.sleep(_POLL_SECONDS)


def _moment(text: str) -> datetime:
    """Return the time in an RFC 3339 text; the engine writes nanoseconds, Python reads micro."""
    head, _, fraction = text.rstrip("Z").partition(".")
    return datetime.fromisoformat(f"{head}.{fraction[:6]:0<6}+00:00")
