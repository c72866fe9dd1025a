"""Write files of an environment's state directory that programs and people read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def as_json(content: dict[str, Any]) -> str:
    """Return an object the way the state directory keeps it."""
    return json.dumps(content, indent=2) + "\n"


def write_public(path: Path, text: str) -> None:
    """Replace a file in one step; it holds no secret, so everybody may read it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.write_text(text, encoding="utf-8")
    partial.chmod(0o644)
    partial.replace(path)
