"""Print what a shell needs to talk to one environment: `eval "$(make env)"`."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def exports(environment: str) -> dict[str, str]:
    """Return the variables of ``environment``; REGISTRY only once `up` has written its outputs."""
    state = PROJECT / "state" / environment
    tools = [PROJECT / ".venv/bin", PROJECT / "bin"]
    inherited = [part for part in os.environ["PATH"].split(os.pathsep) if Path(part) not in tools]
    variables = {
        "ENV": environment,
        "ANSIBLE_INVENTORY": str(PROJECT / "inventory" / environment),
        "PATH": os.pathsep.join([*map(str, tools), *inherited]),
        "KUBECONFIG": str(state / "kubeconfig"),
    }
    outputs = state / "outputs.json"
    if outputs.exists():
        variables["REGISTRY"] = json.loads(outputs.read_text())["registry"]["host"]
    return variables


if __name__ == "__main__":
    for name, value in exports(sys.argv[1]).items():
        print(f"export {name}={shlex.quote(value)}")
