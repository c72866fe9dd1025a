"""Files and folders of the user, written by root on the user's behalf.

Invariant: what is made belongs to whoever owns the folder it is made in, so a
later run without root can change it; and a file is replaced whole.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any


def have_folder(path: Path) -> None:
    """Have a folder, with its parents."""
    if not path.is_dir():
        have_folder(path.parent)
        path.mkdir(exist_ok=True)
        give(path)


def give(path: Path) -> None:
    """Give a file or folder to the owner of the folder it lies in."""
    if os.geteuid() == 0:
        owner = path.parent.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


def put_program(source: Path, target: Path) -> None:
    """Copy a program to its place."""
    have_folder(target.parent)
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.copyfile(source, temporary)
    temporary.chmod(0o755)
    give(temporary)
    temporary.replace(target)


def put_json(target: Path, content: Any) -> None:
    """Write a file of JSON for people and programs to read."""
    have_folder(target.parent)
    temporary = target.with_name(f"{target.name}.tmp")
    temporary.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    give(temporary)
    temporary.replace(target)


def read_json(path: Path) -> Any:
    """Return a file's JSON, or None where there is none that can be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
