"""Names and keys of the images that are made from packages.

Invariant: a key covers everything its image is made by (files, versions, the
recipe's own code), so two images with one name are the same, and an image whose
name the engine knows never has to be made again.
"""

from __future__ import annotations

import hashlib
import platform
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from ansible.module_utils import (
    images_archive,
    images_debian,
    images_go,
    images_node,
    images_registry,
)

PREFIX = "imooc.local/"
NAMES = ("node", "registry", "python", "busybox")

# Files (below the role's files/) and modules that shape each image.
_INPUTS: Mapping[str, tuple[tuple[str, ...], tuple[ModuleType, ...]]] = {
    "node": (("node", "stack"), (images_archive, images_go, images_node)),
    "registry": (
        ("registry", "stack/cmd/registry", "stack/go.mod", "stack/go.sum"),
        (images_archive, images_go, images_registry),
    ),
    "python": (("debian", "python"), (images_archive, images_debian)),
    "busybox": (("debian",), (images_archive, images_debian)),
    "programs": (("stack",), (images_go,)),
    "rootfs": (("node/packages.txt", "node/rootfs.sh"), ()),
}
# Where go.mod names what an image is made from.
_MODULES = {
    "kubernetes": "k8s.io/kubernetes",
    "kind": "sigs.k8s.io/kind",
    "containerd": "github.com/containerd/containerd/v2",
    "cni-plugins": "github.com/containernetworking/plugins",
    "etcd": "go.etcd.io/etcd/server/v3",
    "coredns": "github.com/coredns/coredns",
    "registry": "github.com/distribution/distribution/v3",
}
_OF_IMAGE: Mapping[str, tuple[str, ...]] = {
    "node": ("kubernetes", "kind", "containerd", "cni-plugins", "etcd", "coredns"),
    "registry": ("registry",),
}
# Debian's packages decide the rest; these name the release line in the image's tag.
_DEBIAN_VERSIONS = {"python": "3.13", "busybox": "1.37"}


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one image is called when it is made here, and from which versions."""

    name: str
    key: str
    version: str
    versions: Mapping[str, str]

    @property
    def reference(self) -> str:
        """The image's name in the engine."""
        return f"{PREFIX}{self.name}:{self.version}-{self.key}"

    def labels(self, made_of: Mapping[str, str]) -> dict[str, str]:
        """Return the labels of the image; `made_of` are versions known after the fact."""
        versions = {**self.versions, **made_of}
        return {
            "com.imooc.images.name": self.name,
            "com.imooc.images.key": self.key,
            "com.imooc.images.versions": " ".join(f"{k}={v}" for k, v in sorted(versions.items())),
            "org.opencontainers.image.title": f"{PREFIX}{self.name}",
            "org.opencontainers.image.version": self.version,
        }


def go_versions(go_mod: str) -> dict[str, str]:
    """Return the versions that go.mod pins, by the short names used in labels."""
    found = dict(re.findall(r"^\s+(\S+) (v\S+)", go_mod, flags=re.MULTILINE))
    return {name: found[module] for name, module in _MODULES.items()}


def key(name: str, files: Path) -> str:
    """Return the key of what `name` is made by: 12 hexadecimal digits."""
    inputs, modules = _INPUTS[name]
    digest = hashlib.sha256(platform.machine().encode())
    for entry in inputs:
        root = files / entry
        members = sorted(root.rglob("*")) if root.is_dir() else [root]
        for path in members:
            # Tests of the Go programs are in their folders, but not in any image.
            if path.is_file() and not path.name.endswith("_test.go"):
                digest.update(f"\0{path.relative_to(files)}\0{_hash(path.read_bytes())}".encode())
    for module in modules:
        name = module.__name__.rpartition(".")[2]
        digest.update(f"\0{name}\0{_hash(_source(module))}".encode())
    return digest.hexdigest()[:12]


def recipes(files: Path) -> dict[str, Recipe]:
    """Return the recipe of every image, from the role's files."""
    pinned = go_versions((files / "stack" / "go.mod").read_text(encoding="utf-8"))
    result = {}
    for name in NAMES:
        versions = {part: pinned[part] for part in _OF_IMAGE.get(name, ())}
        main = {"node": "kubernetes"}.get(name, name)
        version = versions.get(main) or _DEBIAN_VERSIONS[name]
        result[name] = Recipe(name, key(name, files), version, versions)
    return result


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _source(module: ModuleType) -> bytes:
    # By the loader, because Ansible runs this from inside a zip file.
    get_source = getattr(module.__loader__, "get_source", None)
    source = get_source(module.__name__) if get_source is not None else None
    if source is None:
        raise RuntimeError(f"the source of {module.__name__} cannot be read")
    return str(source).encode()
