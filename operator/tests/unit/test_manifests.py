"""The files in deploy/: current, minimal, and equal where they say the same."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from imooc_operator.generate import manifests
from imooc_operator.kinds.imoocpod import crd as crd_module
from imooc_operator.kinds.imoocpod.crd import crd
from imooc_operator.settings import LEASE

DEPLOY = Path(__file__).parents[2] / "deploy"


def documents(name: str) -> list[dict[str, Any]]:
    return [d for d in yaml.safe_load_all((DEPLOY / name).read_text()) if d]


@pytest.mark.parametrize("path", list(manifests()))
def test_generated_files_are_current(path: str) -> None:
    assert (DEPLOY / path).read_text() == manifests()[path], "run: make generate"


def version() -> dict[str, Any]:
    (only,) = crd()["spec"]["versions"]
    found: dict[str, Any] = only
    return found


def test_replicas_are_required_and_bounded() -> None:
    spec = version()["schema"]["openAPIV3Schema"]["properties"]["spec"]
    assert spec["required"] == ["replicas"]
    replicas = spec["properties"]["replicas"]
    assert (replicas["minimum"], replicas["maximum"]) == (0, 1000)


def test_scale_columns_and_short_name() -> None:
    assert version()["subresources"]["scale"]["labelSelectorPath"] == ".status.selector"
    columns = [(c["name"], "priority" in c) for c in version()["additionalPrinterColumns"]]
    usual, wide = ([name for name, wide in columns if wide is which] for which in (False, True))
    assert usual == ["Desired", "Current", "Ready", "Age"]
    assert wide == ["Reason", "Selector"]
    assert crd()["spec"]["names"]["shortNames"] == ["imp"]


def test_every_field_is_described_for_kubectl_explain() -> None:
    def missing(schema: dict[str, Any], path: str) -> list[str]:
        found = []
        for name, field in schema.get("properties", {}).items():
            if "description" not in field:
                found.append(f"{path}.{name}")
            found += missing(field.get("items", field), f"{path}.{name}")
        return found

    properties = version()["schema"]["openAPIV3Schema"]["properties"]
    assert missing(properties["spec"], "spec") + missing(properties["status"], "status") == []


def test_only_the_spec_has_defaults() -> None:
    properties = version()["schema"]["openAPIV3Schema"]["properties"]
    assert "default:" not in yaml.safe_dump(properties["status"])
    assert properties["spec"]["properties"]["command"]["default"] == ["sleep", "3600"]


def test_the_namespace_is_the_same_in_both_files() -> None:
    (alone,) = documents("00_namespace.yaml")
    along, _ = documents("service_account.yaml")
    assert alone == along
    assert alone["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_in_the_order_of_kubectl_a_namespace_comes_before_what_is_in_it() -> None:
    """On a bare cluster: `kubectl apply -f operator/deploy/`, once."""
    there = {"default"}
    for path in sorted(DEPLOY.glob("*.yaml")):
        for manifest in documents(path.name):
            if manifest["kind"] == "Namespace":
                there.add(manifest["metadata"]["name"])
            else:
                assert manifest["metadata"]["namespace"] in there, path.name


def test_one_namespace_or_all_the_rights_are_the_same() -> None:
    (role,) = documents("role.yaml")
    (cluster_role,) = documents("all-namespaces/cluster_role.yaml")
    assert role["rules"] == cluster_role["rules"]


def test_two_replicas_compete_for_the_lease_they_may_write() -> None:
    (deployment,) = documents("operator.yaml")
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert deployment["spec"]["replicas"] == 2
    assert "--leader-elect" in container["args"]
    (role,) = documents("lease_role.yaml")
    assert role["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    assert role["rules"][-1]["resourceNames"] == [LEASE]


@pytest.mark.parametrize("name", ["pod_disruption_budget.yaml", "network_policy.yaml"])
def test_what_goes_with_the_deployment_selects_its_pods(name: str) -> None:
    (deployment,) = documents("operator.yaml")
    (companion,) = documents(name)
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    selector = companion["spec"].get("selector", companion["spec"].get("podSelector"))
    assert selector == {"matchLabels": labels}
    assert companion["metadata"]["namespace"] == deployment["metadata"]["namespace"]


def test_the_operator_meets_restricted_with_a_read_only_root() -> None:
    (deployment,) = documents("operator.yaml")
    pod = deployment["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"requests", "limits"} <= set(container["resources"])


def test_the_sample_is_the_tutorials() -> None:
    (sample,) = documents("crds/k8s.imooc.com_v1alpha1_imoocpod_cr.yaml")
    assert sample["metadata"]["name"] == "example-imoocpod"
    assert sample["spec"] == {"replicas": 3}


def test_a_field_that_may_be_of_several_types_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Undecided(msgspec.Struct):
        field: int | list[str]

    monkeypatch.setattr(crd_module, "ImoocPodSpec", Undecided)
    with pytest.raises(ValueError, match="cannot choose between types"):
        crd()
