"""Names are translated to keys as kubectl would understand them."""

from __future__ import annotations

import pytest
from ansible.module_utils import etcd_names
from ansible.module_utils.etcd_question import EtcdError, Range
from ansible.module_utils.kube_discovery import Resource


def resource(group: str, plural: str, kind: str, *short: str, namespaced: bool = True) -> Resource:
    """Return a kind as discovery tells it."""
    return Resource(group, "v1", plural, kind, kind.lower(), short, namespaced, ("list",))


RESOURCES = [
    resource("", "pods", "Pod", "po"),
    resource("", "nodes", "Node", "no", namespaced=False),
    resource("", "events", "Event", "ev"),
    resource("apps", "deployments", "Deployment", "deploy"),
    resource("events.k8s.io", "events", "Event", "ev"),
    resource("networking.k8s.io", "ingresses", "Ingress", "ing"),
    resource(
        *("apiextensions.k8s.io", "customresourcedefinitions", "CustomResourceDefinition"),
        *("crd", "crds"),
        namespaced=False,
    ),
    resource("k8s.imooc.com", "imoocpods", "ImoocPod"),
    resource("example.com", "pods", "Pod"),
]


@pytest.mark.parametrize(
    ("name", "namespace", "found"),
    [
        ("pods", "", Range.prefix("/registry/pods/")),
        ("Pod", "x", Range.prefix("/registry/pods/x/")),
        ("po -n x", "", Range.prefix("/registry/pods/x/")),
        ("pods -n x", "y", Range.prefix("/registry/pods/x/")),
        ("pods/a", "", Range.key("/registry/pods/home/a")),
        ("pods a -n x", "", Range.key("/registry/pods/x/a")),
        ("pods.example.com", "", Range.prefix("/registry/example.com/pods/")),
        ("no", "x", Range.prefix("/registry/minions/")),
        ("nodes/a", "", Range.key("/registry/minions/a")),
        ("ing", "", Range.prefix("/registry/ingress/")),
        ("events.events.k8s.io/x/a", "", Range.key("/registry/events/x/a")),
        ("deploy.apps", "", Range.prefix("/registry/deployments/")),
        ("crd", "", Range.prefix("/registry/apiextensions.k8s.io/customresourcedefinitions/")),
        (
            *("imoocpods/default/example-imoocpod", ""),
            Range.key("/registry/k8s.imooc.com/imoocpods/default/example-imoocpod"),
        ),
    ],
)
def test_names_and_their_keys(name: str, namespace: str, found: Range) -> None:
    assert etcd_names.find(name, namespace, "home", RESOURCES) == found


@pytest.mark.parametrize("name", ["pods/a/b/c", "nodes/a/b", "pods/", "pods/x/", "pods -n"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(EtcdError, match="not a name"):
        etcd_names.find(name, "", "home", RESOURCES)


def test_of_an_unknown_kind_the_close_ones_are_told() -> None:
    with pytest.raises(EtcdError, match=r"did you mean .*\bimoocpods\b"):
        etcd_names.find("imoocpodz", "", "home", RESOURCES)
    with pytest.raises(EtcdError, match="kubectl api-resources"):
        etcd_names.find("xyzzy", "", "home", RESOURCES)
