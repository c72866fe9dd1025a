"""Turn faults into the one report a person reads.

Invariant: every fault shows its variable or field, the value found, and a cure.
"""

from __future__ import annotations

from collections.abc import Sequence

from ansible.module_utils.preflight_judge import Fault


def report(faults: Sequence[Fault], notices: Sequence[str]) -> str:
    """Return the text of all ``faults``, each with its cure on a line of its own, then the rest."""
    count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
    lines = [f"preflight found {count}; nothing has been changed:"]
    for number, fault in enumerate(faults, start=1):
        lines.append(
            f"{number:3}. [{fault.check}] {fault.variable} = {fault.value}: {fault.problem}"
        )
        lines.append(f"     cure: {fault.cure}")
    lines.extend(f"  note: {notice}" for notice in notices)
    return "\n".join(lines)
