"""Images and tools of one machine as one file, for a machine without any network.

Invariant: a bundle at its final path is whole, and nothing of a bundle is loaded
before all of it has been checked against the sums in its manifest.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible.module_utils.images_engine import load
from ansible.module_utils.images_files import give, have_folder, read_json
from ansible.module_utils.images_process import ImageError, run
from ansible.module_utils.images_state import STAMP, Settings, State, record
from ansible.module_utils.progress import report

_MANIFEST = "bundle.json"
_IMAGES = "images.tar"


def names_to_save(settings: Settings, state: State) -> list[str]:
    """Return the names by which another machine will look for the images."""
    return [
        settings.published[name].local_tag if found.origin == "pull" else found.reference
        for name, found in sorted(state.images.items())
    ]


def contents(settings: Settings, state: State, tools: Sequence[str]) -> dict[str, Any]:
    """Return what a bundle of today would hold, without the sums of its files."""
    manifest: dict[str, Any] = record(settings, state, tools)["images"]
    return {"images": manifest, "tools": read_json(settings.bin / STAMP)}


def read_manifest(bundle: Path) -> dict[str, Any]:
    """Return the manifest of a bundle; {} where there is no readable one."""
    try:
        with tarfile.open(bundle) as archive:
            first = archive.next()
            stream = archive.extractfile(first) if first and first.name == _MANIFEST else None
            manifest: dict[str, Any] = json.load(stream) if stream else {}
    except (OSError, tarfile.TarError, ValueError):
        return {}
    return manifest


def save(settings: Settings, state: State, tools: Sequence[str], bundle: Path) -> None:
    """Write images and tools to `bundle`."""
    with _scratch(bundle) as work:
        images = work / _IMAGES
        report("saving the images")
        names = names_to_save(settings, state)
        run("save the images", ["docker", "save", "--output", images, *names])
        files = {_IMAGES: images, STAMP: settings.bin / STAMP}
        files |= {f"bin/{name}": settings.bin / name for name in tools}
        manifest = contents(settings, state, tools)
        report("computing the sums")
        manifest["sha256"] = {name: _sum_of(path) for name, path in files.items()}
        content = json.dumps(manifest, indent=2, sort_keys=True).encode()
        report("writing the bundle")
        whole = work / "bundle.tar"
        with tarfile.open(whole, "w") as archive:
            info = tarfile.TarInfo(_MANIFEST)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
            for name, path in files.items():
                archive.add(path, arcname=name)
        whole.replace(bundle)


def unpack(settings: Settings, bundle: Path) -> None:
    """Load the images and put the tools of `bundle` in place.

    Raises:
        ImageError: it is no bundle, or not what it was when it was written.
    """
    manifest = read_manifest(bundle)
    if "sha256" not in manifest:
        raise ImageError(
            f"{bundle} is no bundle of images: images_bundle_path must name a file that "
            "playbooks/images_bundle.yml wrote with images_bundle_action=save"
        )
    have_folder(settings.cache)
    with _scratch(settings.cache / bundle.name) as work:
        files = _extract(bundle, manifest["sha256"], work)
        report("loading the images")
        load(files[_IMAGES])
        have_folder(settings.bin)
        # The stamps last, and with the times they name: they say that the tools are whole.
        for name in sorted(set(files) - {_IMAGES}, key=lambda name: name == STAMP):
            temporary = settings.bin / f".{Path(name).name}.tmp"
            shutil.copy2(files[name], temporary)
            give(temporary)
            temporary.replace(settings.bin / Path(name).name)


def _extract(bundle: Path, sums: Mapping[str, str], work: Path) -> dict[str, Path]:
    files = {}
    with tarfile.open(bundle) as archive:
        for name, wanted in sums.items():
            report(f"checking {name}")
            archive.extract(name, work, filter="data")
            files[name] = work / name
            if _sum_of(files[name]) != wanted:
                raise ImageError(
                    f"{name} in {bundle} is damaged: its sha256 differs from the manifest's. "
                    "Copy the bundle again"
                )
    return files


def _sum_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


@contextmanager
def _scratch(beside: Path) -> Iterator[Path]:
    """Give an empty folder next to a file: on the same disk, so that renaming is enough."""
    beside.parent.mkdir(parents=True, exist_ok=True)
    # One name, not a random one: what a killed run left is removed by the next.
    folder = beside.parent / f".{beside.name}.work"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
