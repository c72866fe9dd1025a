"""What this machine gives to make Debian trees: a mirror, Debian's keys, debootstrap.

Invariant: nothing is installed. What is missing comes as a package from the
machine's own sources, checked by its own keys, and is unpacked in the cache.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible.module_utils.images_process import ImageError, run

_KEYRING = "usr/share/keyrings/debian-archive-keyring.gpg"
ROOT = Path("/")
# Programs that Debian and its descendants always have.
COMMANDS = ("apt-get", "chroot", "dpkg-deb", "gpgv", "setpriv", "unshare")


@dataclass(frozen=True, slots=True)
class DebianTools:
    """How Debian trees are made on this machine."""

    debootstrap: Path
    environment: Mapping[str, str]
    keyring: Path
    mirror: str


def require_space(folder: Path, variable: str, needed: int) -> None:
    """Raise ImageError when the disk of `folder` has less than `needed` bytes free.

    Asked before anything is written: apt waits for ever on a disk that is full.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ImageError(
            f"{variable} is {folder}, whose disk has {free / 2**30:.1f} GiB free, but making "
            f"the missing images needs {needed / 2**30:.1f} GiB: free some space, "
            f"or set {variable} to a folder on a larger disk"
        )


def missing_commands() -> list[str]:
    """Return the programs this machine lacks to make images from packages."""
    return [name for name in COMMANDS if shutil.which(name) is None]


def prepare(script: Path, cache: Path, work: Path, wanted_mirror: str) -> DebianTools:
    """Return the tools, after fetching those the machine does not have."""
    root = ROOT
    # debootstrap downloads with wget, which a minimal Debian lacks: ours stands in.
    environment = {"PATH": f"{script.parent / 'bin'}:{os.environ['PATH']}"}
    if not (root / "usr/sbin/debootstrap").is_file() or not (root / _KEYRING).is_file():
        root = cache / "debian-tools"
        environment["DEBOOTSTRAP_DIR"] = str(root / "usr/share/debootstrap")
        if not root.is_dir():
            _fetch(script, work, root)
    debootstrap = root / "usr/sbin/debootstrap"
    mirror = wanted_mirror or main_archive(_package_sources()) or _default_mirror(debootstrap)
    if not mirror:
        raise ImageError(
            "no Debian mirror is known: this machine's apt names none; set images_debian_mirror"
        )
    return DebianTools(debootstrap, environment, root / _KEYRING, mirror.rstrip("/"))


def _fetch(script: Path, work: Path, target: Path) -> None:
    staging = work / "debian-tools"
    run(
        "download debootstrap and Debian's keys",
        [script, work / "own", work / "own-apt", "debootstrap", "debian-archive-keyring"],
    )
    for package in sorted((work / "own").glob("*.deb")):
        run(f"unpack {package.name}", ["dpkg-deb", "--extract", package, staging])
    staging.rename(target)


def _package_sources() -> list[str]:
    result = subprocess.run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)"],
        capture_output=True,
        text=True,
        check=False,  # a machine with no sources at all is answered by debootstrap's default
    )
    return result.stdout.split()


def main_archive(sources: list[str]) -> str:
    """Return the first address among `sources` that holds Debian's main archive, or ''."""
    for source in sources:
        if re.search(r"^https?://.*/debian/?$", source):
            return source
    return ""


def _default_mirror(debootstrap: Path) -> str:
    found = re.search(
        r'^DEF_MIRROR="([^"]+)"', debootstrap.read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    return found[1] if found else ""
