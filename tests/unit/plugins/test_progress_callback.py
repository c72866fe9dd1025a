"""The callback in real runs of ansible-playbook: what it prints, what it stores, what it leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).resolve().parents[3]
COMMAND = str(Path(sys.executable).with_name("ansible-playbook"))

CONFIG = f"""
[defaults]
inventory = inventory/test
callback_plugins = {PROJECT / "plugins/callback"}
callbacks_enabled = progress
retry_files_enabled = false
localhost_warning = false
"""

HOSTS = """
all:
  hosts:
    local: {ansible_connection: local, ansible_python_interpreter: "{{ ansible_playbook_python }}"}
  vars:
    environment_name: "{{ inventory_dir | basename }}"
    environment_state_dir: "{{ playbook_dir }}/state/{{ environment_name }}"
"""

PLAN_OF_ONE = "plan: 0 to create, 1 to update, 0 to replace, 0 to delete; nothing was changed"
ONE_UPDATE = [
    {
        "step": "one",
        "changes": [{"object": "Say something", "action": "update", "reason": "", "fields": []}],
    },
    {"step": "two", "changes": []},
    {"step": "three", "changes": []},
]

SITE = """
- name: First
  hosts: all
  gather_facts: false
  tags: [one]
  tasks:
    - name: Say something
      ansible.builtin.debug: {msg: hello}
      changed_when: true
- name: Second, by the tag of its role
  hosts: all
  gather_facts: false
  roles: [{role: example, tags: [two]}]
- name: Third
  hosts: all
  gather_facts: false
  tags: [three]
  tasks:
    - name: Recover
      block:
        - name: Stumble
          ansible.builtin.fail: {msg: rescued}
      rescue:
        - name: Stand up
          ansible.builtin.debug: {msg: fine}
    - name: Fail when asked to
      ansible.builtin.fail: {msg: asked to}
      when: fails | default(false) | bool
    - name: Wait
      ansible.builtin.shell: |
        echo '{"message": "halfway"}' >> "{{ environment_state_dir }}/progress.jsonl"
        sleep "{{ seconds | int }}"
      when: seconds is defined
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A playbook of three steps in an environment called `test`."""
    files = {
        "ansible.cfg": CONFIG,
        "inventory/test/hosts.yml": HOSTS,
        "site.yml": SITE,
        "roles/example/meta/argument_specs.yml": "argument_specs: {main: {options: {}}}",
        "roles/example/tasks/main.yml": "- name: Work\n  ansible.builtin.debug: {msg: role}\n",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "state/test").mkdir(parents=True)
    return tmp_path


def environment(project: Path, **more: str) -> dict[str, str]:
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("ANSIBLE_")}
    own = {
        "ANSIBLE_CONFIG": str(project / "ansible.cfg"),
        "ANSIBLE_HOME": str(project / ".ansible"),
    }
    return inherited | own | more


def run(
    project: Path, *arguments: str, playbook: str = "site.yml", **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, playbook, *arguments],
        cwd=project,
        env=environment(project, **more),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def lines(done: subprocess.CompletedProcess[str]) -> list[str]:
    """Only the callback's own lines, without durations, which no two runs share."""
    own = re.compile(r"imooc: |step \d+ of|plan: |done: ")
    spoken = re.compile(r"\d+(\.\d)? s\b")
    return [spoken.sub("N s", line) for line in done.stdout.splitlines() if own.match(line)]


def record(project: Path) -> Any:
    return json.loads((project / "state/test/timings.json").read_text())


def test_every_step_is_announced_and_timed(project: Path) -> None:
    done = run(project)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    assert lines(done) == [
        "imooc: environment test, 3 steps",
        "step 1 of 3: one",
        "step 2 of 3: two",
        "step 3 of 3: three",
        "done: 0 created, 1 updated, 0 replaced, 0 deleted",
    ]
    newest = record(project)["runs"]["site"]
    assert [(step["step"], step["changed"]) for step in newest["steps"]] == [
        ("one", True),
        ("two", False),
        ("three", False),
    ]
    assert newest["began"] <= newest["ended"] <= time.time()
    assert newest["failed"] == ""
    assert lines(run(project))[1] == "step 1 of 3: one (last time N s)"


def test_another_playbook_has_durations_of_its_own(project: Path) -> None:
    run(project)
    (project / "site.yml").rename(project / "down.yml")
    done = run(project, playbook="down.yml")
    assert lines(done)[1] == "step 1 of 3: one"
    assert {key.partition("/")[0] for key in record(project)["steps"]} == {"site", "down"}
    assert [len(newest["steps"]) for newest in record(project)["runs"].values()] == [3, 3]


def test_tags_choose_the_steps_that_are_counted(project: Path) -> None:
    assert lines(run(project, "--tags", "two,three"))[:2] == [
        "imooc: environment test, 2 steps",
        "step 1 of 2: two",
    ]
    # The only step of a run needs no number, and validating a role's arguments is no step.
    assert lines(run(project, "--tags", "three")) == []


def test_check_mode_tells_the_plan_and_writes_nothing(project: Path) -> None:
    (project / "state/test/progress.jsonl").write_text("")
    done = run(project, "--check")
    assert lines(done)[0] == "imooc: environment test, 3 steps, check mode: nothing will be changed"
    assert lines(done)[-1] == PLAN_OF_ONE
    assert [path.name for path in (project / "state/test").iterdir()] == ["progress.jsonl"]


def test_a_run_ends_with_what_it_changed(project: Path) -> None:
    done = run(project)
    assert "one       update   Say something\ndone: " in done.stdout
    written = json.loads((project / "state/test/applied.json").read_text())
    assert written["complete"] is True
    assert written["steps"] == ONE_UPDATE


@pytest.fixture
def planning(project: Path) -> Path:
    """The same project, whose playbook asks for a plan to be kept."""
    (project / "plan.yml").write_text(
        "- import_playbook: site.yml\n  vars: {report_view: plan}\n  when: ansible_check_mode\n"
    )
    return project


def test_a_plan_is_told_and_kept(planning: Path) -> None:
    done = run(planning, "--check", playbook="plan.yml")
    assert done.returncode == 0, done.stdout + done.stderr
    assert lines(done)[-1] == PLAN_OF_ONE
    assert "none      two, three\n" in done.stdout
    written = json.loads((planning / "state/test/plan.json").read_text())
    assert written == {
        "environment": "test",
        "complete": True,
        "counts": {"create": 0, "update": 1, "replace": 0, "delete": 0},
        "steps": ONE_UPDATE,
    }


def test_a_plan_makes_the_state_directory_for_its_file(planning: Path) -> None:
    (planning / "state/test").rmdir()
    assert run(planning, "--check", playbook="plan.yml").returncode == 0
    assert [path.name for path in (planning / "state/test").iterdir()] == ["plan.json"]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ((), 0),
        (("-e", "detailed_exitcode=true"), 2),
        (("-e", "detailed_exitcode=true", "--tags", "two,three"), 0),
        (("-e", "detailed_exitcode=true", "-e", "fails=true"), 1),
        (("-e", "fails=true"), 2),  # Ansible's own code
    ],
    ids=["not asked for", "something to do", "nothing to do", "failed", "failed, not asked for"],
)
def test_the_exit_code_answers_whether_there_is_something_to_do(
    planning: Path, arguments: tuple[str, ...], code: int
) -> None:
    done = run(planning, "--check", *arguments, playbook="plan.yml")
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_check_mode_of_one_step_answers_too(project: Path) -> None:
    asked = ("--check", "-e", "detailed_exitcode=true")
    assert run(project, *asked, "--tags", "one").returncode == 2
    assert run(project, *asked, "--tags", "two").returncode == 0


def test_a_real_run_that_changes_something_is_no_failure(project: Path) -> None:
    assert run(project, "-e", "detailed_exitcode=true").returncode == 0


def test_a_plan_that_fails_leaves_none_behind(planning: Path) -> None:
    run(planning, "--check", playbook="plan.yml")
    run(planning, "--check", "-e", "fails=true", playbook="plan.yml")
    assert not (planning / "state/test/plan.json").exists()


def test_a_plan_without_check_mode_is_refused(planning: Path) -> None:
    done = run(planning, playbook="plan.yml")
    assert done.returncode == 1
    assert "add --check" in done.stderr
    assert "TASK" not in done.stdout


def test_a_plan_is_never_carried_out_even_without_this_plugin(planning: Path) -> None:
    done = run(planning, playbook="plan.yml", ANSIBLE_CALLBACKS_ENABLED="timer")
    assert "hello" not in done.stdout
    assert "changed=0" in done.stdout


def test_failed_step_is_named_last_and_not_timed(project: Path) -> None:
    done = run(project, "-e", "fails=true")
    assert done.returncode == 2
    assert lines(done)[-1].startswith("step 3 of 3: three failed after N s; ")
    assert set(record(project)["steps"]) == {"site/one", "site/two"}
    newest = record(project)["runs"]["site"]
    assert [step["step"] for step in newest["steps"]] == ["one", "two"]
    assert newest["failed"] == "three"
    assert newest["ended"] is not None


def test_state_directory_is_never_created(project: Path) -> None:
    (project / "state/test").rmdir()
    assert run(project).returncode == 0
    assert not (project / "state/test").exists()


def test_other_outputs_are_left_to_programs(project: Path) -> None:
    done = run(project, ANSIBLE_STDOUT_CALLBACK="minimal")
    assert lines(done) == []
    assert "step 1 of 3: one" in done.stderr


def test_spoilt_state_is_a_warning_not_a_failure(project: Path) -> None:
    (project / "state/test/timings.json").mkdir()
    done = run(project)
    assert done.returncode == 0
    assert "failed for plugin 'progress'" in done.stderr


def test_long_task_shows_life_and_an_interrupt_ends_it(project: Path) -> None:
    with subprocess.Popen(
        [COMMAND, "site.yml", "-e", "seconds=60"],
        cwd=project,
        env=environment(project),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        begun = banner = 0.0
        for line in process.stdout:
            if "TASK [Wait]" in line:
                # Though there is no terminal, the banner comes before the task is over.
                begun = banner = time.monotonic()
            elif "halfway" in line:
                assert re.match(r"step 3 of 3: three, \d+(\.\d)? s: halfway$", line)
                break
        assert banner > 0
        assert time.monotonic() - begun < 10
        os.killpg(process.pid, signal.SIGINT)
        rest = process.stdout.read()
        assert process.wait(timeout=10) == 99, rest
    assert "Traceback" not in rest
    assert set(record(project)["steps"]) == {"site/one", "site/two"}
    assert record(project)["runs"]["site"]["ended"] is None, "it was interrupted"
