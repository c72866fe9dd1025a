"""Print a folder with etcd and kube-apiserver as programs of this machine.

They come out of the node image that `make up` made from packages, once per image; what tests run
against is so exactly what the cluster runs. IMOOC_CONTROL_PLANE_BIN names another folder instead.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import docker

_IMAGE = "imooc.local/node"

# One program that is each of them, by the name it is called by.
_KUBERNETES = ("kube-apiserver", "kube-controller-manager")

_PROGRAMS = {
    "kubernetes": "/usr/bin/kubernetes",
    "etcd": "/var/lib/containerd/*/snapshots/*/fs/usr/local/bin/etcd",
    "etcdctl": "/var/lib/containerd/*/snapshots/*/fs/usr/local/bin/etcdctl",
}


def main() -> None:
    """Print the folder; exit code 2 with a line that says what to do when there is none."""
    if named := os.environ.get("IMOOC_CONTROL_PLANE_BIN"):
        print(named)
        return
    engine = docker.from_env()
    images = engine.images.list(name=_IMAGE)
    if not images:
        sys.exit(
            f"there is no image {_IMAGE} to take etcd and kube-apiserver from; "
            "run: ansible-playbook site.yml --tags engine,images -e images_source=build, "
            "or name a folder that has them: IMOOC_CONTROL_PLANE_BIN=…"
        )
    image = images[0]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "imooc"
    # A folder that was made before a program was added to the list is not enough.
    folder = cache / f"control-plane-{str(image.id).removeprefix('sha256:')[:12]}-{len(_PROGRAMS)}"
    if not folder.is_dir():
        _extract(engine, image, folder)
    print(folder)


def _extract(engine: Any, image: Any, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(dir=folder.parent))
    container = engine.containers.create(
        image, ["-c", f"ls -d {' '.join(_PROGRAMS.values())}"], entrypoint="/bin/sh"
    )
    try:
        container.start()
        container.wait()
        found = {Path(path).name: path for path in container.logs().decode().split()}
        for name in _PROGRAMS:
            _copy(container, found[name], staging / name)
        for name in _KUBERNETES:
            (staging / name).symlink_to("kubernetes")
        staging.rename(folder)  # whole or not at all
    finally:
        container.remove(force=True)
        shutil.rmtree(staging, ignore_errors=True)


def _copy(container: Any, path: str, target: Path) -> None:
    stream, _ = container.get_archive(path)
    with tarfile.open(fileobj=io.BytesIO(b"".join(stream))) as archive:
        content = archive.extractfile(Path(path).name)
        if content is None:
            raise FileNotFoundError(path)
        with target.open("wb") as file:
            shutil.copyfileobj(content, file)
    target.chmod(0o755)


if __name__ == "__main__":
    main()
