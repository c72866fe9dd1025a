"""Name an image build by what goes into it, and lay its context out.

Invariant: the fingerprint covers every byte that the build can see, and nothing that varies without
changing the image: no times, no modes, no order of directory entries, no byte code.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

_IGNORED = {"__pycache__"}
_RECIPE = "1"  # raised when the way of building changes what comes out of the same files


def files_of(root: Path, members: Iterable[str]) -> list[Path]:
    """Return the files of a context, sorted: each member is a file or a folder below ``root``."""
    found: list[Path] = []
    for member in members:
        path = root / member
        if path.is_dir():
            found += [
                file
                for file in path.rglob("*")
                if file.is_file() and not _IGNORED.intersection(file.relative_to(root).parts)
            ]
        elif path.is_file():
            found.append(path)
        else:
            raise FileNotFoundError(f"the build context lacks {path}")
    return sorted(found, key=lambda file: file.relative_to(root).as_posix())


def fingerprint(root: Path, members: Iterable[str], inputs: Mapping[str, str]) -> str:
    """Return 16 hex digits that name the context's files and the build's other inputs."""
    total = hashlib.sha256(f"recipe {_RECIPE}\n".encode())
    for key, value in sorted(inputs.items()):
        total.update(f"{key}={value}\n".encode())
    for file in files_of(root, members):
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        total.update(f"{digest}  {file.relative_to(root).as_posix()}\n".encode())
    return total.hexdigest()[:16]


def stage(root: Path, members: Iterable[str], site_packages: Path, target: Path) -> None:
    """Lay out the context in ``target``, a new folder, with the unpacked wheels in ``build/``."""
    for file in files_of(root, members):
        place = target / file.relative_to(root)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
    shutil.copytree(site_packages, target / "build" / "site-packages", copy_function=_link_or_copy)


def _link_or_copy(source: str, target: str) -> None:
    """Link a file that nobody changes; copy it where the folders are on two file systems."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
