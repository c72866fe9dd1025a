"""Modules give the same results inside Ansible's worker as in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[3]

MODULE = """
import os
import sys
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.timings import spoken

def main():
    module = AnsibleModule(
        argument_spec={
            "do": {"type": "str", "choices": ["show", "warn", "fail", "raise"], "default": "show"},
            "number": {"type": "int"},
            "words": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    if module.params["do"] == "warn":
        module.warn("be careful")
    if module.params["do"] == "fail":
        module.fail_json(msg="no {{ way }}", why=["a", "b"])
    if module.params["do"] == "raise":
        raise RuntimeError("a defect")
    module.exit_json(
        changed=True,
        spoken=spoken(61),
        check_mode=module.check_mode,
        environment=os.environ.get("DEMO", "unset"),
        in_worker="ansible.executor.task_executor" in sys.modules,
        params=module.params,
        text="{{ never templated }}",
        diff={"before": "a\\n", "after": "b\\n"},
    )
"""

PLAYBOOK = """
- hosts: all
  gather_facts: false
  environment: {DEMO: "from the {{ 'play' }}"}
  tasks:
    - demo: {number: "7", words: "one,two"}
      register: shown
    - demo: {do: warn}
      register: warned
    - demo: {do: fail}
      register: failed
      ignore_errors: true
    - demo: {do: raise}
      register: raised
      ignore_errors: true
    - demo: {nonsense: 1}
      register: refused
      ignore_errors: true
    - demo:
      check_mode: true
      register: checked
    - ansible.builtin.copy:
        content: "{{ {'shown': shown, 'warned': warned, 'failed': failed, 'raised': raised,
                      'refused': refused, 'checked': checked} | to_json }}"
        dest: "{{ playbook_dir }}/results.json"
        mode: "0644"
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A playbook that calls one module in every way, linked to the action plugin."""
    files = {
        "plugins/modules/demo.py": "#!/usr/bin/python\n" + MODULE + "\nif __name__ == '__main__':\n"
        "    main()\n",
        "site.yml": PLAYBOOK,
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "plugins/action").mkdir()
    (tmp_path / "plugins/action/demo.py").symlink_to(PROJECT / "plugins/action/in_process.py")
    return tmp_path


def results(project: Path, interpreter: str, *arguments: str) -> dict[str, dict[str, Any]]:
    """Run the playbook with an interpreter for modules and return what its tasks registered."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")}
    done = subprocess.run(
        [
            str(Path(sys.executable).with_name("ansible-playbook")),
            *("site.yml", "-i", "local,", "-e", "ansible_connection=local"),
            *("-e", f"ansible_python_interpreter={interpreter}", *arguments),
        ],
        cwd=project,
        env=inherited
        | {
            "ANSIBLE_HOME": str(project / ".ansible"),
            "ANSIBLE_LIBRARY": str(project / "plugins/modules"),
            "ANSIBLE_MODULE_UTILS": str(PROJECT / "plugins/module_utils"),
            "ANSIBLE_CALLBACK_PLUGINS": str(PROJECT / "plugins/callback"),
            "ANSIBLE_ACTION_PLUGINS": str(project / "plugins/action"),
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    registered: dict[str, dict[str, Any]] = json.loads((project / "results.json").read_text())
    return registered


def test_results_are_those_of_a_process_of_its_own(project: Path) -> None:
    here = results(project, "{{ ansible_playbook_python }}")
    # The same interpreter by another path: that it is the same, only a process of its own can say.
    own = results(project, str(Path(sys.executable).resolve()))

    assert here["shown"].pop("in_worker") is True
    assert here["checked"].pop("in_worker") is True
    assert here["warned"].pop("in_worker") is True
    assert own["shown"].pop("in_worker") is False
    assert own["checked"].pop("in_worker") is False
    assert own["warned"].pop("in_worker") is False
    # A traceback names files, and Ansible words "Module failed" and "Action failed" by itself.
    for way in (here, own):
        way["raised"] = {"failed": way["raised"]["failed"], "msg": "a defect"}
        for result in way.values():
            result.pop("exception", None)
    assert here == own
    assert here["shown"]["spoken"] == "1 min 1 s"
    assert here["shown"]["environment"] == "from the play"
    assert here["shown"]["text"] == "{{ never templated }}"
    assert here["shown"]["params"]["words"] == ["one", "two"]
    assert here["warned"]["warnings"] == ["be careful"]
    assert here["checked"]["check_mode"] is True
    assert here["failed"]["failed"] is True
    assert "nonsense" in here["refused"]["msg"]


def test_links_lead_here_and_to_modules() -> None:
    links = [path for path in (PROJECT / "plugins/action").iterdir() if path.is_symlink()]
    assert links
    for link in links:
        assert link.readlink() == Path("in_process.py")
        assert (PROJECT / "plugins/modules" / link.name).is_file()
