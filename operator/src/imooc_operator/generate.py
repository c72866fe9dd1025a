"""Writes the manifests that follow from the code: `python -m imooc_operator.generate DIR`.

Invariant: the same code gives the same bytes, so that a test can tell whether a file is current.
"""

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from .kinds.imoocpod import crd, reconciler
from .runtime import election, events
from .runtime.rights import Right
from .settings import LEASE

_HEADER = "# Generated from the Python code by `make generate`: edit that.\n"

_NAME = "imoocpod-operator"
"""Of the service account, of its namespace, and of what it may do."""


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, as the other manifests do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def manifests() -> Mapping[str, str]:
    """Return the content of each generated file by its path below deploy/."""
    own = (*reconciler.RIGHTS, *events.RIGHTS)
    return {
        "crds/k8s.imooc.com_imoocpods_crd.yaml": _file(crd.crd()),
        "role.yaml": _file(_role(own, "Role", _NAME, "default")),
        "all-namespaces/cluster_role.yaml": _file(_role(own, "ClusterRole", _NAME)),
        "lease_role.yaml": _file(_role(election.rights(LEASE), "Role", f"{_NAME}-lease", _NAME)),
    }


def _role(rights: Iterable[Right], kind: str, name: str, namespace: str = "") -> dict[str, object]:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name} | ({"namespace": namespace} if namespace else {}),
        "rules": [right.rule() for right in rights],
    }


def _file(manifest: Mapping[str, object]) -> str:
    return f"---\n{_HEADER}{yaml.dump(manifest, Dumper=_Dumper, sort_keys=False, width=100)}"


def main() -> None:
    """Write the files below the directory named on the command line."""
    if len(sys.argv) != 2:
        print("usage: python -m imooc_operator.generate operator/deploy", file=sys.stderr)
        sys.exit(2)
    for path, content in manifests().items():
        (Path(sys.argv[1]) / path).write_text(content)


if __name__ == "__main__":
    main()
