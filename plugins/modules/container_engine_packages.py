#!/usr/bin/python
"""Install the engine's packages with apt-get, or remove exactly those that were installed.

Invariant: the record names a package before apt-get adds it, and nothing else is ever removed.
"""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_engine_packages
short_description: Have the packages of a container engine on Debian or Ubuntu, or remove them
description:
  - Takes C(docker.io) and C(docker-buildx) from the machine's own suite where it is new enough.
  - Else adds the next suite at a low priority, from the mirror the machine already uses.
options:
  state:
    description: Whether the packages are wanted.
    type: str
    choices: [present, absent]
    default: present
  version:
    description: The oldest engine that will do.
    type: str
    required: true
  newer_suites:
    description: For a suite whose engine is too old, the suite to take it from.
    type: dict
    default: {}
  record:
    description: The file that keeps what was added.
    type: path
    required: true
  remove_data:
    description: With C(state=absent), remove images, containers and volumes of the engine too.
    type: bool
    default: false
author: the project
"""

EXAMPLES = r"""
- name: Install the engine
  container_engine_packages:
    version: "23.0"
    newer_suites: {bookworm: trixie}
    record: /var/lib/imooc/container_engine.json
  become: true
"""

RETURN = r"""
changes:
  description: What was changed, or would be; module_utils/changes.py says in which form.
  type: list
  elements: dict
  returned: always
packages:
  description: Packages that were, or in check mode would be, added or removed.
  type: list
  elements: str
  returned: success
"""

import grp
import os
import platform
import shutil
import subprocess
from pathlib import Path

from ansible.module_utils import engine_apt
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.changes import Change, as_data
from ansible.module_utils.engine_facts import find_buildx
from ansible.module_utils.engine_record import Record, read_record, remove_record, write_record

_SOURCE = "/etc/apt/sources.list.d/imooc-{suite}.sources"
_PREFERENCES = "/etc/apt/preferences.d/imooc-{suite}"
_DATA = ("/var/lib/docker", "/var/lib/containerd")
_TRACES = ("/opt/containerd", "/run/containerd", "/run/docker")
_BRIDGE = "docker0"
_GROUP = "docker"
# Left by docker.io's prerm; with it there, purging the package removes all images and volumes.
_NUKE = Path("/var/lib/docker/nuke-graph-directory.sh")


def missing() -> list[str]:
    """Return the packages of which this machine lacks the program."""
    wanted = []
    if shutil.which("dockerd") is None:
        wanted.append("docker.io")
    if not find_buildx(os.environ, Path.home()):
        wanted.append("docker-buildx")
    if shutil.which("docker") is None:
        wanted.append("docker-cli")
    return wanted


def distribution() -> dict[str, str]:
    """Return the fields of /etc/os-release, none where there is no such file."""
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def present(module: AnsibleModule) -> list[str]:
    """Install what is missing; return what was added."""
    release, record_path = distribution(), Path(module.params["record"])
    families = {release.get("ID", ""), *release.get("ID_LIKE", "").split()}
    if not families & {"debian", "ubuntu"}:
        module.fail_json(
            msg=f"There is no container engine, and on {release.get('PRETTY_NAME', 'this system')} "
            f"none is installed automatically (only on Debian and Ubuntu). Install Docker Engine "
            f"{module.params['version']} or newer with buildx, start it, and run this again: "
            f"https://docs.docker.com/engine/install/"
        )
    wanted = missing()
    if module.check_mode:
        return wanted
    engine_apt.heal()
    if not (wanted := missing()):
        return []
    engine_apt.update()
    suite = engine_apt.find_suite("docker.io", module.params["version"])
    if suite is None:
        suite = add_newer_suite(module, release.get("VERSION_CODENAME", ""), record_path)
    # Before Debian 13 the command line is part of docker.io and has no package of its own.
    named = [
        f"{package}/{suite}" if suite else package
        for package in wanted
        if package != "docker-cli" or engine_apt.known(package)
    ]
    plan = engine_apt.simulate("install", named)
    if plan.removed:
        module.fail_json(
            msg=f"Installing {', '.join(named)} would remove {', '.join(plan.removed)}. "
            f"Remove them yourself, or install a container engine by hand."
        )
    added = Record(
        packages=plan.added,
        data=tuple(path for path in _DATA if not Path(path).exists()),
        traces=tuple(path for path in _TRACES if not Path(path).exists()),
        group="" if any(entry.gr_name == _GROUP for entry in grp.getgrall()) else _GROUP,
    )
    write_record(record_path, read_record(record_path).merged(added))
    engine_apt.install(named)
    return list(plan.added)


def add_newer_suite(module: AnsibleModule, suite: str, record_path: Path) -> str:
    """Offer the next suite to apt at a low priority; return its name."""
    newer = module.params["newer_suites"].get(suite)
    if newer is None:
        module.fail_json(
            msg=f"The docker.io that {suite or 'this system'} offers is older than "
            f"{module.params['version']}. Install Docker Engine by hand and run this again: "
            f"https://docs.docker.com/engine/install/"
        )
    source, preferences = Path(_SOURCE.format(suite=newer)), Path(_PREFERENCES.format(suite=newer))
    files = engine_apt.source_files(suite, newer, source, preferences)
    added = Record(files=tuple(map(str, files)))
    write_record(record_path, read_record(record_path).merged(added))
    # The priority first: between the two, an upgrade by somebody else must not take the new suite.
    for path in (preferences, source):
        path.write_text(files[path])
    engine_apt.update()
    return str(newer)


def absent(module: AnsibleModule) -> list[str]:
    """Remove what the record names; return the packages removed."""
    record_path = Path(module.params["record"])
    record = read_record(record_path)
    packages: list[str] = engine_apt.installed(record.packages)
    if module.check_mode or not record_path.exists():
        return packages
    engine_apt.heal()
    others = set(engine_apt.simulate("purge", packages).removed) - set(packages) if packages else ()
    if others:
        module.fail_json(
            msg=f"Packages installed since need the engine's: {', '.join(sorted(others))}. "
            f"Remove them first, or keep the engine."
        )
    engine_apt.remove(packages, purge=False)
    _NUKE.unlink(missing_ok=True)
    engine_apt.remove(packages, purge=True)
    files = [Path(name) for name in record.files if Path(name).exists()]
    logs = [Path(record.log), Path(record.log + ".1")] if record.log else []
    for path in [*engine_apt.list_files(files), *files, *logs]:
        path.unlink(missing_ok=True)
    directories = record.traces + (record.data if module.params["remove_data"] else ())
    for directory in directories:
        if Path(directory).exists():
            shutil.rmtree(directory)
    if record.group and any(entry.gr_name == record.group for entry in grp.getgrall()):
        subprocess.run(["groupdel", record.group], check=True, capture_output=True)
    if Path("/sys/class/net", _BRIDGE).exists() and shutil.which("ip"):
        subprocess.run(["ip", "link", "delete", _BRIDGE], check=True, capture_output=True)
    remove_record(record_path)
    return packages


def main() -> None:
    """Install or remove."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
            "version": {"type": "str", "required": True},
            "newer_suites": {"type": "dict", "default": {}},
            "record": {"type": "path", "required": True},
            "remove_data": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    before = Path(module.params["record"]).exists()
    try:
        if module.params["state"] == "present":
            wanted = [Change(f"package {name}", "create", "not installed") for name in missing()]
            packages = present(module)
            module.exit_json(changed=bool(packages), changes=as_data(wanted), packages=packages)
        packages = absent(module)
        removed = [Change(f"package {name}", "delete") for name in packages]
        module.exit_json(changed=before, changes=as_data(removed), packages=packages)
    except engine_apt.AptError as error:
        module.fail_json(msg=str(error))


if __name__ == "__main__":
    main()
