"""The optional manifests of deploy/monitoring: they fit the Deployment and what is exported."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from imooc_operator.__main__ import build
from imooc_operator.client.config import Token, client_config
from imooc_operator.runtime.metrics import Registry
from imooc_operator.settings import parse

DEPLOY = Path(__file__).parents[2] / "deploy"

BY_PROMETHEUS = {"job", "pod", "le"}
"""Labels that are not the metric's own: of the target, and of a histogram's buckets."""

_SELECTOR = re.compile(r"(?:(?P<function>\w+)\()?(?P<metric>[a-z_]+)\{(?P<matchers>[^}]*)\}")


def manifest(name: str) -> dict[str, Any]:
    (only,) = yaml.safe_load_all((DEPLOY / name).read_text())
    found: dict[str, Any] = only
    return found


def targets() -> list[dict[str, str]]:
    """Return what the panels of the dashboard ask for."""
    dashboard = json.loads((DEPLOY / "monitoring/grafana/imoocpod-operator.json").read_text())
    return [target for panel in dashboard["panels"] for target in panel.get("targets", ())]


async def exported() -> dict[str, tuple[str, set[str]]]:
    """Return type and labels of each series, by name, of an operator that may lead."""
    registry = Registry()
    nowhere = client_config("http://nowhere", token=Token(), origin="test")
    build(parse(["--leader-elect"], {}), nowhere, registry, "test")
    suffixes = {"histogram": ("_bucket", "_sum", "_count")}
    return {
        f"{metric.name}{suffix}": (metric.kind, set(metric.labels))
        for metric in registry
        for suffix in suffixes.get(metric.kind, ("",))
    }


@pytest.mark.asyncio
async def test_the_dashboard_asks_for_what_is_exported() -> None:
    series = await exported()
    for target in targets():
        expression = target["expr"]
        (selector,) = _SELECTOR.finditer(expression)
        kind, own = series[selector["metric"]]
        counts = selector["function"] in ("rate", "increase")
        assert counts == (kind != "gauge"), expression
        assert selector["matchers"] == 'job="$job"'
        kept = own | BY_PROMETHEUS
        if by := re.search(r" by \(([^)]*)\)", expression):
            assert set(by[1].split(", ")) <= kept, expression
            kept = set(by[1].split(", "))
        assert set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"])) <= kept, expression


@pytest.mark.asyncio
async def test_the_dashboard_shows_every_metric() -> None:
    names = {name for name in await exported() if not name.endswith(("_sum", "_count"))}
    text = " ".join(target["expr"] for target in targets())
    assert {selector["metric"] for selector in _SELECTOR.finditer(text)} == names


def test_the_monitor_finds_the_service_and_the_service_the_pods() -> None:
    deployment = manifest("operator.yaml")
    service = manifest("monitoring/service.yaml")
    monitor = manifest("monitoring/service_monitor.yaml")
    for each in (service, monitor):
        assert each["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    assert monitor["spec"]["selector"] == {"matchLabels": service["metadata"]["labels"]}
    template = deployment["spec"]["template"]
    assert service["spec"]["selector"] == template["metadata"]["labels"]
    (endpoint,) = monitor["spec"]["endpoints"]
    (port,) = service["spec"]["ports"]
    assert endpoint["port"] == port["name"]
    (container,) = template["spec"]["containers"]
    ports = {each["name"]: each["containerPort"] for each in container["ports"]}
    assert ports[port["targetPort"]] == port["port"]


def test_prometheus_is_let_in_wherever_it_runs() -> None:
    (port,) = manifest("monitoring/service.yaml")["spec"]["ports"]
    (rule,) = manifest("network_policy.yaml")["spec"]["ingress"]
    assert rule == {"ports": [{"port": port["targetPort"]}]}


def test_kubectl_takes_every_file_of_the_folder() -> None:
    """It goes through .json too, and a dashboard is no manifest: that lies one folder deeper."""
    files = [path for path in (DEPLOY / "monitoring").iterdir() if path.is_file()]
    assert len(files) == 2
    assert {path.suffix for path in files} == {".yaml"}
