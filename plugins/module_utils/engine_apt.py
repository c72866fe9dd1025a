"""Install and remove packages with apt-get, after looking at what that would do.

Invariant: nothing is installed or removed that a simulation did not name before. apt's Python
bindings are not used: they belong to the system's Python, not to the one Ansible runs in.
"""

from __future__ import annotations

import dataclasses
import os
import re
import shutil
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from ansible.module_utils.engine_facts import version
from ansible.module_utils.progress import report

_APT = ("apt-get", "-y", "-o", "DPkg::Lock::Timeout=300", "-o", "Dpkg::Options::=--force-confold")
_INSTALL = (*_APT, "--no-install-recommends", "install")
_STEP = re.compile(r"Inst (?P<name>\S+) (?P<old>\[[^]]*\] )?\(")
_GONE = re.compile(r"(?:Remv|Purg) (?P<name>\S+)")
_SHOWN = re.compile(r"(Get:\d+|Unpacking|Setting up|Removing|Purging) ")
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


class AptError(Exception):
    """apt could not do it; the text has what it said last."""


@dataclasses.dataclass(frozen=True)
class Offer:
    """A version of a package that a suite offers."""

    version: str
    suite: str


@dataclasses.dataclass(frozen=True)
class Simulation:
    """What apt would do: packages it would add, and packages it would take away."""

    added: tuple[str, ...]
    removed: tuple[str, ...]


def parse_simulation(output: str) -> Simulation:
    """Return what the output of ``apt-get -s`` announces; upgrades add nothing."""
    steps = [match for line in output.splitlines() if (match := _STEP.match(line))]
    gone = [match["name"] for line in output.splitlines() if (match := _GONE.match(line))]
    return Simulation(tuple(step["name"] for step in steps if not step["old"]), tuple(gone))


def parse_offers(output: str) -> list[Offer]:
    """Return the offers in the output of ``apt-cache madison``."""
    rows = [[cell.strip() for cell in line.split("|")] for line in output.splitlines()]
    return [Offer(row[1], row[2].split()[1].split("/")[0]) for row in rows if len(row) == 3]


def choose_suite(candidate: str, offers: Iterable[Offer], least: str) -> str | None:
    """Return the suite to name to apt-get, "" where its own choice will do; None: none fits."""
    if version(candidate) >= version(least):
        return ""
    fitting = [offer for offer in offers if version(offer.version) >= version(least)]
    return max(fitting, key=lambda offer: version(offer.version)).suite if fitting else None


def update() -> None:
    """Fetch the package lists."""
    _run([*_APT, "update"])


def heal() -> None:
    """Finish what an interrupted dpkg left; does nothing where nothing is unfinished."""
    if any(Path("/var/lib/dpkg/updates").glob("*")) or _read("dpkg", "--audit"):
        _run(["dpkg", "--configure", "-a", "--force-confold"])
        _run([*_APT, "--fix-broken", "install"])


def find_suite(package: str, least: str) -> str | None:
    """Return the suite from which ``package`` would be new enough, by `choose_suite`."""
    policy = re.search(r"Candidate: (\S+)", _read("apt-cache", "policy", package))
    offers = parse_offers(_read("apt-cache", "madison", package))
    return choose_suite(policy[1] if policy else "", offers, least)


def simulate(action: str, packages: Sequence[str]) -> Simulation:
    """Return what ``apt-get <action>`` of ``packages`` would do."""
    flags = ("--no-install-recommends",) if action == "install" else ()
    return parse_simulation(_run(["apt-get", "-s", *flags, action, *packages], quiet=True))


def install(packages: Sequence[str]) -> None:
    """Install ``packages``, each given by name or as ``name/suite``."""
    _run([*_INSTALL, *packages])


def remove(packages: Sequence[str], *, purge: bool) -> None:
    """Remove ``packages``, with their configuration where ``purge`` says so."""
    if packages:
        _run([*_APT, "purge" if purge else "remove", *packages])


def known(package: str) -> bool:
    """Return whether a suite offers ``package``."""
    return bool(_read("apt-cache", "madison", package))


def installed(packages: Iterable[str]) -> list[str]:
    """Return those of ``packages`` of which dpkg still has anything, configuration included."""
    states = _read("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n")
    present = {
        name for state, name in map(str.split, states.splitlines()) if state != "not-installed"
    }
    return [package for package in packages if package in present]


def source_files(suite: str, newer: str, source: Path, preferences: Path) -> dict[Path, str]:
    """Return files that offer suite ``newer`` from the mirror of ``suite``, at a low priority.

    The mirror is the one this machine already uses, so that a company's own mirror stays in use.
    """
    fields = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    rows = _read("apt-get", "indextargets", "--format", fields, "Created-By: Packages")
    mirrors = [row.split()[0] for row in rows.splitlines() if row.split()[1:] == [suite, "main"]]
    if not mirrors:
        raise AptError(f"apt has no source for {suite} main, whose mirror would offer {newer}")
    if not Path(_KEYRING).exists():
        raise AptError(f"{_KEYRING} is missing: install the package debian-archive-keyring")
    return {
        source: (
            f"Types: deb\nURIs: {mirrors[0]}\nSuites: {newer}\nComponents: main\n"
            f"Signed-By: {_KEYRING}\n"
        ),
        preferences: f"Package: *\nPin: release n={newer}\nPin-Priority: 100\n",
    }


def list_files(sources: Iterable[Path]) -> list[Path]:
    """Return the package lists that apt fetched because of these files and nothing else."""
    found: list[Path] = []
    for source in sources:
        fields = dict(
            line.split(": ", 1) for line in source.read_text().splitlines() if ": " in line
        )
        if "URIs" in fields:
            stem = fields["URIs"].split("://", 1)[1].rstrip("/").replace("/", "_")
            found += Path("/var/lib/apt/lists").glob(f"{stem}_dists_{fields['Suites']}_*")
    return found


def _read(*argv: str) -> str:
    if shutil.which(argv[0]) is None:
        raise AptError(f"{argv[0]} is missing")
    return subprocess.run(argv, env=_environment(), capture_output=True, text=True).stdout


def _run(argv: Sequence[str], *, quiet: bool = False) -> str:
    """Run apt, report its steps, return its output."""
    lines: list[str] = []
    with subprocess.Popen(
        argv,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        for line in process.stdout or ():
            lines.append(line.rstrip())
            if not quiet and _SHOWN.match(line):
                report(line.strip()[:120])
    if process.returncode != 0:
        raise AptError("\n".join([f"{' '.join(argv)} failed:", *lines[-15:]]))
    return "\n".join(lines)


def _environment() -> dict[str, str]:
    # apt must neither ask nor translate: its words are parsed here.
    return {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}
