"""Fetch the wheels of a lock file for an image, on this machine, and unpack them.

On this machine, because a build inside a container may have neither the network nor the company's
certificates. Invariant: a folder of unpacked wheels is complete or not there; its name is the hash
of everything it was made from.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from ansible.module_utils.progress import report
from ansible.module_utils.scratch import scratch

# Wheel platforms that a Debian of the last years can load, newest first.
_PLATFORMS = ("manylinux_2_34", "manylinux_2_28", "manylinux_2_17", "manylinux2014")
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_TIMEOUT_SECONDS = 600


class WheelsFailed(Exception):
    """The wheels cannot be had; the message holds the end of what pip said."""


def site_packages(lock: Path, cache: Path, python_version: str, architecture: str) -> Path:
    """Return the folder with the unpacked wheels of ``lock``; fetch them where it is not there.

    ``architecture`` is the engine's word, such as amd64.
    """
    key = hashlib.sha256(
        f"{python_version} {architecture}\n".encode() + lock.read_bytes()
    ).hexdigest()[:16]
    folder = cache / f"site-packages-{key}"
    if folder.is_dir():
        return folder
    with scratch(cache) as work:
        wheels, unpacked = work / "wheels", work / "site-packages"
        report(f"downloading the operator's wheels for Python {python_version}")
        _download(lock, wheels, python_version, _MACHINES.get(architecture, architecture))
        unpacked.mkdir()
        for wheel in sorted(wheels.glob("*.whl")):
            _unpack(wheel, unpacked)
        try:
            unpacked.rename(folder)
        except OSError:  # another run was faster; both made the same
            if not folder.is_dir():
                raise
    return folder


def _download(lock: Path, target: Path, python_version: str, machine: str) -> None:
    argv = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    argv += ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--dest", str(target)]
    argv += ["--implementation", "cp", "--python-version", python_version]
    for platform in _PLATFORMS:
        argv += ["--platform", f"{platform}_{machine}"]
    try:
        result = subprocess.run(
            [*argv, "--requirement", str(lock)],
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise WheelsFailed(f"pip download of {lock}: nothing after {error.timeout} s") from error
    if result.returncode != 0:
        last = "\n".join(result.stderr.splitlines()[-15:])
        raise WheelsFailed(f"pip download of {lock} failed:\n{last}")


def _unpack(wheel: Path, target: Path) -> None:
    """Unpack one wheel; what it keeps for other schemes comes to the same place.

    https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
    for data in target.glob("*.data"):
        for scheme in ("purelib", "platlib"):
            if (data / scheme).is_dir():
                shutil.copytree(data / scheme, target, dirs_exist_ok=True)
        shutil.rmtree(data)
