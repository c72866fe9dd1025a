"""Writes the manifests that follow from the Python types: `python -m imooc_operator.generate DIR`.

Invariant: the same types give the same bytes, so that a test can tell whether a file is current.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

import yaml

from .kinds.imoocpod import crd

_HEADER = "# Generated from the Python types by `python -m imooc_operator.generate`: edit those.\n"


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, as the other manifests do."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def manifests() -> Mapping[str, str]:
    """Return the content of each generated file by its path below deploy/."""
    text = yaml.dump(crd.crd(), Dumper=_Dumper, sort_keys=False, width=100)
    return {"crds/k8s.imooc.com_imoocpods_crd.yaml": f"---\n{_HEADER}{text}"}


def main() -> None:
    """Write the files below the directory named on the command line."""
    if len(sys.argv) != 2:
        print("usage: python -m imooc_operator.generate operator/deploy", file=sys.stderr)
        sys.exit(2)
    for path, content in manifests().items():
        (Path(sys.argv[1]) / path).write_text(content)


if __name__ == "__main__":
    main()
