"""The few rows of the table that the project's README shows, in its two languages.

Invariant: the numbers are those of the whole table; nothing is measured or chosen anew here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from benchmarks.operator import table

Language = Literal["en", "zh"]

PROJECT = Path(__file__).resolve().parents[2]
PAGES: Mapping[Path, Language] = {PROJECT / "README.md": "en", PROJECT / "README.zh.md": "zh"}

PEERS: Mapping[str, Mapping[Language, str]] = {
    "floor": {"en": "bare Go loop", "zh": "裸 Go 循环"},
    "ours": {"en": "**ours**", "zh": "**本项目**"},
    "go10": {"en": "controller-runtime", "zh": "controller-runtime"},
    "kopf": {"en": "kopf", "zh": "kopf"},
    "rs": {"en": "ReplicaSet controller", "zh": "ReplicaSet 控制器"},
}

ROWS: Mapping[str, Mapping[Language, str]] = {
    "P1 from zero until all is right, s": {
        "en": "1,000 objects, 3,000 pods from zero, s",
        "zh": "从零建 1,000 个对象、3,000 个 Pod，秒",
    },
    "P1 CPU s": {"en": "CPU seconds for it", "zh": "所用 CPU，秒"},
    "P2 pod deleted → replaced, p50 ms": {
        "en": "pod deleted until replaced, median ms",
        "zh": "Pod 被删到补上，中位数，毫秒",
    },
    "P3 exec → vanished pods are back, s": {
        "en": "900 pods lost during a crash, until back, s",
        "zh": "崩溃期间丢 900 个 Pod，到补齐，秒",
    },
    "P4 API requests per object": {"en": "API requests per object", "zh": "每个对象的 API 请求数"},
    "P6 1,000 objects, 3,000 pods": {
        "en": "memory with 3,000 pods, MiB",
        "zh": "3,000 个 Pod 时的内存，MiB",
    },
    "P6 10,000 pods": {"en": "memory with 10,000 pods, MiB", "zh": "10,000 个 Pod 时的内存，MiB"},
    "P7 exec → first pod, s": {"en": "start until the first pod, s", "zh": "启动到第一个 Pod，秒"},
    "P10 3 → 10 pods, s": {
        "en": "100 objects from 3 to 10 pods, s",
        "zh": "100 个对象从 3 扩到 10 个 Pod，秒",
    },
    "P10 10 → 0 pods, s": {"en": "… and to none, s", "zh": "……再缩到 0，秒"},
}


def text(result: Mapping[str, Any], language: Language) -> str:
    """Return the rows as a Markdown table, with when and where they were measured."""
    rounds: table.Rounds = result["rounds"]
    peers = [name for name in PEERS if any(name in lives for lives in rounds)]
    lines = [
        f"| | {' | '.join(PEERS[name][language] for name in peers)} |",
        f"| --- |{' ---: |' * len(peers)}",
    ]
    for row in table.ROWS:
        values = table.medians(rounds, row.read)
        if row.measure in ROWS and values:
            cells = (f"{values[name]:.{row.digits}f}" if name in values else "" for name in peers)
            lines.append(f"| {ROWS[row.measure][language]} | {' | '.join(cells)} |")
    machine, versions = result["machine"], result["versions"]
    programs = (
        f"{versions['kubernetes']}, {versions['etcd']}, {versions['go']}, "
        f"Python {versions['python']}"
    )
    when, cpus, count = result["date"][:10], machine["cpus"], len(rounds)
    facts = {
        "en": f"{when}, medians of {count} alternating rounds, {cpus} CPUs, {programs}.",
        "zh": f"{when}，{count} 轮交替测量的中位数，{cpus} 个 CPU，{programs}。",
    }
    return "\n".join([*lines, "", facts[language]])
