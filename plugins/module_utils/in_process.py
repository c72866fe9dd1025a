"""Run a module of this project inside Ansible's worker process, where that gives the same result.

For every task Ansible starts a Python interpreter, which unpacks the module and compiles all that
it imports. That takes 0.3 s and more, most of what a step with nothing to do takes. The worker that
is forked for the task anyway can call the module's `main` itself: on this machine, as this user,
with this interpreter. Invariant: everything else (another host or interpreter, `become`) goes
Ansible's own way, and a module cannot tell the difference.

For action plugins only, which run in Ansible's own processes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import sys
from functools import cache
from types import ModuleType
from typing import Any

from ansible.module_utils.common.json import Direction, get_module_decoder
from ansible.module_utils.testing import patch_module_args
from ansible.plugins.loader import module_loader


@cache
def load(name: str) -> ModuleType | None:
    """Return a module as Python code; None where Ansible finds no module of that name.

    Called while an action plugin is imported, which Ansible does before it forks, this costs the
    workers nothing.
    """
    path = module_loader.find_plugin(name, mod_type=".py")
    spec = importlib.util.spec_from_file_location(f"in_process_{name}", path) if path else None
    if spec is None or spec.loader is None:
        return None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(
    action: Any, name: str, arguments: dict[str, Any], variables: dict[str, Any]
) -> dict[str, Any]:
    """Return the result of a module, run for the task of an action plugin."""
    module = load(name)
    if module is None or not _is_here(action, variables):
        result: dict[str, Any] = action._execute_module(
            module_name=name, module_args=arguments, task_vars=variables
        )
        return result
    action._update_module_args(name, arguments, variables)
    environment: dict[str, str] = {}
    action._compute_environment_string(environment)
    os.environ.update(environment)  # this process serves one task and ends
    return _call(module, arguments)


def _is_here(action: Any, variables: dict[str, Any]) -> bool:
    interpreter = action._templar.template(variables.get("ansible_python_interpreter"))
    return bool(
        action._connection.transport == "local"
        and interpreter == sys.executable
        and not action._task.become
    )


def _call(module: ModuleType, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return what the module prints as its result; an exception of its own is the task's."""
    printed = io.StringIO()
    with (
        patch_module_args(arguments),
        contextlib.redirect_stdout(printed),
        contextlib.suppress(SystemExit),
    ):
        module.main()
    decoder = get_module_decoder("legacy", Direction.MODULE_TO_CONTROLLER)
    result: dict[str, Any] = json.loads(printed.getvalue(), cls=decoder)
    return result
