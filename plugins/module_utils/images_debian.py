"""The recipes made of Debian packages alone: the Python base and busybox."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import unquote

from ansible.module_utils.images_archive import (
    File,
    Image,
    layer_of_files,
    layer_of_tree,
    write_archive,
)
from ansible.module_utils.images_host import DebianTools
from ansible.module_utils.images_node import PATH
from ansible.module_utils.images_process import run

SUITE = "trixie"
NONROOT = 65532
_LOADS = (
    "import asyncio, bz2, ctypes, decimal, hashlib, http.client, json, logging, lzma, "
    "multiprocessing, ssl, tomllib, urllib.request, uuid, xml.parsers.expat, zlib, zoneinfo"
)
_ACCOUNTS = {
    "etc/passwd": "root:x:0:0:root:/:/sbin/nologin\n"
    f"nonroot:x:{NONROOT}:{NONROOT}:nonroot:/:/sbin/nologin\n",
    "etc/group": f"root:x:0:\nnonroot:x:{NONROOT}:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}


def read_list(path: Path) -> list[str]:
    """Return the entries of a list file: one per line, # begins a comment."""
    lines = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    return [line for line in lines if line]


def fetch(script: Path, packages: Sequence[str], work: Path, tools: DebianTools) -> list[Path]:
    """Download packages of SUITE, checked by Debian's keyring; return their files."""
    target = work / "debs"
    run(
        "download Debian packages",
        [script, target, SUITE, work / "apt", tools.keyring, tools.mirror, *packages],
    )
    return sorted(target.glob("*.deb"))


def package_versions(packages: Sequence[Path]) -> dict[str, str]:
    """Return the versions of package files, by name, as their file names say."""
    parts = (unquote(path.name).split("_") for path in packages)
    return {name: version for name, version, _ in parts}


def unpack(packages: Sequence[Path], target: Path) -> None:
    """Unpack packages into a folder; their scripts are not run."""
    # The places of old that Debian's programs still name.
    for name in ("bin", "lib", "lib64", "sbin"):
        (target / "usr" / name).mkdir(parents=True, exist_ok=True)
        (target / name).symlink_to(f"usr/{name}")
    for package in packages:
        run(f"unpack {package.name}", ["dpkg-deb", "--extract", package, target])


def python_archive(
    reference: str,
    packages: Sequence[Path],
    remove: Sequence[str],
    labels: Mapping[str, str],
    work: Path,
) -> Path:
    """Write the archive of the Python base: an interpreter and no shell."""
    root = work / "root"
    unpack(packages, root)
    for pattern in remove:
        for path in sorted(root.glob(pattern)):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    (root / "usr/sbin").mkdir(exist_ok=True)
    library = root / "usr/lib/python3.13"
    # Compiled modules in place of sources: half the start time for the same size.
    # Unchecked hashes, because times would differ from build to build.
    run(
        "compile the standard library",
        [
            *("chroot", root, "/usr/bin/python3.13", "-m", "compileall", "-q", "-b"),
            *("--invalidation-mode", "unchecked-hash", "/usr/lib/python3.13"),
        ],
    )
    for source in library.rglob("*.py"):
        source.unlink()
    for cache in list(library.rglob("__pycache__")):
        shutil.rmtree(cache)
    # A library missing among the packages shows here, not in the cluster.
    run("load the standard library", ["chroot", root, "/usr/bin/python3.13", "-c", _LOADS])
    (root / "usr/bin/python3").symlink_to("python3.13")
    for name, text in _ACCOUNTS.items():
        (root / name).write_text(text, encoding="utf-8")
    (root / "tmp").mkdir()
    (root / "tmp").chmod(0o1777)
    image = Image(
        [reference],
        [layer_of_tree(work / "python.tar", root)],
        command=["/usr/bin/python3"],
        env=[PATH, "LANG=C.UTF-8", "PYTHONUNBUFFERED=1"],
        labels=labels,
    )
    archive = work / "archive.tar"
    write_archive(archive, [image])
    return archive


def busybox_archive(
    reference: str, packages: Sequence[Path], labels: Mapping[str, str], work: Path
) -> Path:
    """Write the archive of busybox: one static program under all its names."""
    root = work / "root"
    unpack(packages, root)
    program = root / "usr/bin/busybox"
    applets = run("list the applets of busybox", [program, "--list"]).split()
    files = [
        File("bin/busybox", source=program),
        *(File(f"bin/{name}", link="busybox") for name in applets if name != "busybox"),
        *(File(name, content=text.encode(), mode=0o644) for name, text in _ACCOUNTS.items()),
    ]
    image = Image(
        [reference],
        [layer_of_files(work / "busybox.tar", files)],
        command=["sh"],
        env=[PATH],
        labels=labels,
    )
    archive = work / "archive.tar"
    write_archive(archive, [image])
    return archive
