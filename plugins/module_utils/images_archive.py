"""Container images written as one archive file, without an image builder.

`docker load` and `ctr images import` both read the format. Invariant: the same
input gives the same bytes (sorted entries, fixed owner and time), so an image
made twice has one digest, and images that share a layer store it once.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Reproducible: the time of every file, and of the image itself.
EPOCH = "1970-01-01T00:00:00Z"
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer's tar file on this machine; `digest` is the sha256 of its bytes."""

    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class File:
    """A file of a layer: copied from `source`, or made of `content`, or a link."""

    name: str
    source: Path | None = None
    content: bytes = b""
    link: str = ""
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class Image:
    """One image of an archive: its names, its layers and how it starts."""

    tags: Sequence[str]
    layers: Sequence[Layer]
    entrypoint: Sequence[str] = ()
    command: Sequence[str] = ()
    user: str = ""
    workdir: str = ""
    stop_signal: str = ""
    env: Sequence[str] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    volumes: Sequence[str] = ()
    ports: Sequence[str] = ()

    def config(self) -> bytes:
        """Return the image configuration as canonical JSON."""
        run: dict[str, Any] = {
            "Entrypoint": list(self.entrypoint) or None,
            "Cmd": list(self.command) or None,
            "User": self.user,
            "WorkingDir": self.workdir,
            "StopSignal": self.stop_signal,
            "Env": list(self.env) or None,
            "Labels": dict(self.labels) or None,
            "Volumes": {name: {} for name in self.volumes} or None,
            "ExposedPorts": {port: {} for port in self.ports} or None,
        }
        config = {
            "architecture": _architecture(),
            "os": "linux",
            "created": EPOCH,
            "config": {key: value for key, value in run.items() if value},
            "rootfs": {
                "type": "layers",
                "diff_ids": [f"sha256:{layer.digest}" for layer in self.layers],
            },
            "history": [{"created": EPOCH, "created_by": "imooc"} for _ in self.layers],
        }
        return json.dumps(config, sort_keys=True, separators=(",", ":")).encode()


def _architecture() -> str:
    """Return this machine's architecture in the words of Go and of image registries."""
    machine = platform.machine()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


class _Hashing(io.RawIOBase):
    """A write-only stream that hashes what passes through."""

    def __init__(self, target: io.BufferedWriter) -> None:
        self._target = target
        self.hash = hashlib.sha256()

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.hash.update(data)
        return self._target.write(data)


def _neutral(info: tarfile.TarInfo) -> tarfile.TarInfo:
    info.mtime = 0
    info.uname = info.gname = ""
    return info


def layer_of_files(path: Path, files: Iterable[File]) -> Layer:
    """Write a layer of single files, owned by root, with their parent folders."""

    def entries(archive: tarfile.TarFile) -> None:
        folders: set[str] = set()
        for file in sorted(files, key=lambda item: item.name):
            for folder in reversed(Path(file.name).parents[:-1]):
                if str(folder) not in folders:
                    folders.add(str(folder))
                    info = tarfile.TarInfo(str(folder))
                    info.type, info.mode = tarfile.DIRTYPE, 0o755
                    archive.addfile(_neutral(info))
            info = _neutral(tarfile.TarInfo(file.name))
            info.mode = file.mode
            if file.link:
                info.type, info.linkname = tarfile.SYMTYPE, file.link
                archive.addfile(info)
            elif file.source is not None:
                info.size = file.source.stat().st_size
                with file.source.open("rb") as stream:
                    archive.addfile(info, stream)
            else:
                info.size = len(file.content)
                archive.addfile(info, io.BytesIO(file.content))

    return _write_layer(path, entries)


def layer_of_tree(path: Path, root: Path) -> Layer:
    """Write a layer of a whole folder; owners, modes and hard links are kept."""

    def entries(archive: tarfile.TarFile) -> None:
        for name in sorted(_walk(root)):
            archive.add(root / name, arcname=name, recursive=False, filter=_neutral)

    return _write_layer(path, entries)


def _walk(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        base = Path(folder).relative_to(root)
        for name in (*folders, *files):
            yield str(base / name)


def _write_layer(path: Path, entries: Any) -> Layer:
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("wb") as target:
        hashing = _Hashing(target)
        with tarfile.open(
            fileobj=hashing,
            mode="w|",
            format=tarfile.GNU_FORMAT,
            bufsize=_CHUNK,
        ) as archive:
            entries(archive)
    temporary.replace(path)
    return Layer(path, hashing.hash.hexdigest())


def write_archive(path: Path, images: Sequence[Image]) -> None:
    """Write images and their layers as one file that an engine can load."""
    temporary = path.with_name(path.name + ".tmp")
    with tarfile.open(temporary, "w", format=tarfile.GNU_FORMAT) as archive:
        manifest = []
        written: set[str] = set()
        for image in images:
            config = image.config()
            config_name = f"{hashlib.sha256(config).hexdigest()}.json"
            manifest.append(
                {
                    "Config": config_name,
                    "RepoTags": list(image.tags),
                    "Layers": [f"{layer.digest}/layer.tar" for layer in image.layers],
                }
            )
            if config_name not in written:
                written.add(config_name)
                _add_bytes(archive, config_name, config)
            for layer in image.layers:
                if layer.digest not in written:
                    written.add(layer.digest)
                    info = tarfile.TarInfo(f"{layer.digest}/layer.tar")
                    info.size = layer.path.stat().st_size
                    with layer.path.open("rb") as stream:
                        archive.addfile(_neutral(info), stream)
        _add_bytes(archive, "manifest.json", json.dumps(manifest).encode())
    temporary.replace(path)


def _add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    archive.addfile(_neutral(info), io.BytesIO(content))
