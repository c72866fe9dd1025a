"""Run the module of the same name inside Ansible's worker; module_utils/in_process.py says why.

Each module that a usual run calls has a symbolic link to this file under its own name. What starts
a daemon or installs packages has none: it keeps a process of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils import in_process
from ansible.plugins.action import ActionBase

_NAME = Path(__file__).stem
in_process.load(_NAME)


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible publishes no types
    """Hand the task's arguments to the module, and its result back."""

    def run(self, tmp: None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        variables = task_vars or {}
        result: dict[str, Any] = super().run(tmp, variables)
        answer: dict[str, Any] = in_process.run(self, _NAME, dict(self._task.args), variables)
        return {**result, **answer}
