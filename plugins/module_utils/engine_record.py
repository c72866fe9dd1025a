"""Remember what was installed to have a container engine, so that it can be removed exactly.

Invariant: a thing is written down before it is made, so that an interrupted run leaves nothing
behind that the record does not know.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Record:
    """What this project added to the machine; empty where it added nothing.

    ``data`` and ``traces`` are directories that only exist because of the engine, the first with
    what people keep in it; ``log`` is the daemon's log where we started it ourselves.
    """

    packages: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    data: tuple[str, ...] = ()
    traces: tuple[str, ...] = ()
    group: str = ""
    log: str = ""

    def merged(self, other: Record) -> Record:
        """Return what this and ``other`` hold together; the same thing is held once."""
        return Record(
            packages=tuple(dict.fromkeys(self.packages + other.packages)),
            files=tuple(dict.fromkeys(self.files + other.files)),
            data=tuple(dict.fromkeys(self.data + other.data)),
            traces=tuple(dict.fromkeys(self.traces + other.traces)),
            group=self.group or other.group,
            log=self.log or other.log,
        )


def read_record(path: Path) -> Record:
    """Return the record, empty where there is none or a power cut left a part of one."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return Record()
    return Record(
        packages=tuple(content["packages"]),
        files=tuple(content["files"]),
        data=tuple(content["data"]),
        traces=tuple(content["traces"]),
        group=content["group"],
        log=content["log"],
    )


def write_record(path: Path, record: Record) -> None:
    """Replace the record in one step; other users may read it, preflight does."""
    path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    draft = path.with_suffix(".new")
    with draft.open("w") as stream:
        json.dump(dataclasses.asdict(record), stream, indent=2)
        stream.flush()
        os.fsync(stream.fileno())
    draft.chmod(0o644)
    draft.replace(path)


def remove_record(path: Path) -> None:
    """Forget everything, and the record's directory where nothing else is in it."""
    path.unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()
