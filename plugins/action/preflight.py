"""Check the variables of every role, and have the preflight module look at the machine.

Invariant: a variable that cannot be templated yet (it needs an outcome of a later step) is not
judged here; the role that uses it validates it when its turn comes.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError, AnsibleUndefinedVariable
from ansible.module_utils import in_process
from ansible.module_utils.preflight_judge import Fault
from ansible.module_utils.preflight_report import report
from ansible.module_utils.role_variables import check_variable, read_specs, unknown_variables
from ansible.plugins.action import ActionBase

_ROLES = Path(__file__).resolve().parents[2] / "roles"
in_process.load("preflight")


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible publishes no types
    """Put the faults of variables, which only the controller sees, into the module's report."""

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result, or the faults that keep the module from being asked."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        specs = read_specs(_ROLES)
        faults = [
            fault
            for name, spec in specs.items()
            if name in variables and (fault := self._check(name, spec, variables[name]))
        ]
        notices = unknown_variables(variables, specs, _ROLES)
        arguments = dict(self._task.args)
        machine = arguments.pop("machine", True)
        # Without sound variables of its own the module could only repeat what is wrong with them.
        if any(fault.variable.startswith("preflight_") for fault in faults):
            machine = False
        if not machine and faults:
            return {**result, "failed": True, "msg": report(faults, notices)}
        if not machine:
            return {**result, "changed": False, "notices": notices}
        arguments.update(faults=[dataclasses.asdict(fault) for fault in faults], notices=notices)
        answer: dict[str, Any] = in_process.run(self, "preflight", arguments, variables)
        return {**result, **answer}

    def _check(self, name: str, spec: dict[str, Any], raw: Any) -> Fault | None:
        try:
            value = self._templar.template(raw)
        except AnsibleUndefinedVariable:
            return None
        except AnsibleError as error:
            problem = f"cannot be evaluated: {error}"
            return Fault("variables", name, repr(raw), problem, "correct the template")
        return check_variable(name, spec, value)
