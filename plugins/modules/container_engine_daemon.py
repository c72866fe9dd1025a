#!/usr/bin/python
"""Start the engine's daemon and wait until it answers, or stop it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: container_engine_daemon
short_description: Start or stop the daemon of the local container engine
description:
  - Uses systemd where it runs, else starts C(dockerd) as a process of its own, in its own session.
  - A failure ends with what the daemon logged last.
options:
  state:
    description: Whether the daemon is wanted.
    type: str
    choices: [started, stopped]
    default: started
  log:
    description: Where the daemon writes its log, where there is no systemd to keep it.
    type: path
    required: true
  record:
    description: The file that keeps what was added to the machine.
    type: path
    required: true
  timeout:
    description: Seconds the daemon has to start or to end.
    type: int
    default: 60
author: the project
"""

EXAMPLES = r"""
- name: Start the engine
  container_engine_daemon:
    log: /var/log/imooc-dockerd.log
    record: /var/lib/imooc/container_engine.json
  become: true
"""

RETURN = r"""
changes:
  description: What was changed, or would be; module_utils/changes.py says in which form.
  type: list
  elements: dict
  returned: always
answers:
  description: Whether the engine answers now.
  type: bool
  returned: success
"""

from pathlib import Path

from ansible.module_utils import engine_daemon
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.changes import Change, Field, as_data
from ansible.module_utils.engine_api import DEFAULT_HOST, Endpoint, EngineUnreachable
from ansible.module_utils.engine_client import Engine, EngineError
from ansible.module_utils.engine_record import Record, read_record, write_record

_LOCAL = Endpoint(DEFAULT_HOST, "default", False)


def answers() -> bool:
    """Return whether the local engine answers."""
    try:
        return bool(Engine(_LOCAL, timeout=5.0).call("GET", "/_ping") == b"OK")
    except (EngineUnreachable, EngineError):
        return False


def start(module: AnsibleModule) -> None:
    """Start the daemon, remembering that it was not running before."""
    log, record = Path(module.params["log"]), Path(module.params["record"])
    if record.exists():
        added = Record(log=str(log))
        write_record(record, read_record(record).merged(added))
    engine_daemon.start(answers, log, module.params["timeout"])


def stop(module: AnsibleModule) -> None:
    """Stop the daemon unless somebody's containers run in it."""
    log = Path(module.params["log"])
    names = [
        entry["Names"][0].removeprefix("/")
        for entry in Engine(_LOCAL, timeout=30.0).get("/containers/json")
    ]
    if names:
        module.fail_json(
            msg=f"Containers run in this engine: {', '.join(sorted(names))}. "
            f"Stop them first (docker stop …), or keep the engine."
        )
    if not module.check_mode:
        engine_daemon.stop(log, module.params["timeout"])


def main() -> None:
    """Start or stop."""
    module = AnsibleModule(
        argument_spec={
            "state": {"type": "str", "choices": ["started", "stopped"], "default": "started"},
            "log": {"type": "path", "required": True},
            "record": {"type": "path", "required": True},
            "timeout": {"type": "int", "default": 60},
        },
        supports_check_mode=True,
    )
    is_up, wanted_up = answers(), module.params["state"] == "started"
    try:
        if wanted_up and not is_up and not module.check_mode:
            start(module)
        if is_up and not wanted_up:
            stop(module)
    except engine_daemon.DaemonError as error:
        module.fail_json(msg=str(error))
    states = {True: "running", False: "stopped"}
    change = Change("engine", "update", fields=(Field("state", states[is_up], states[wanted_up]),))
    changes = as_data([change] if is_up != wanted_up else [])
    module.exit_json(changed=bool(changes), changes=changes, answers=answers())


if __name__ == "__main__":
    main()
