"""Say in containerd's words where a node finds the images of a registry name.

Pure. Invariant: only files that carry our first line are ever ours to replace or remove; a file of
somebody else for the same name is replaced only because this project was told to own that name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ansible.module_utils import changes

FOLDER = "/etc/containerd/certs.d"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(:[0-9]{1,5})?")
MARK = "# Kept by the registry role: changes to this file are overwritten.\n"


@dataclass(frozen=True)
class Change:
    """What one node needs: files by path below the folder's parent, and folders to remove."""

    write: dict[str, bytes]
    remove: list[str]
    before: dict[str, bytes]
    """The files there are now that will be replaced or removed."""

    def by_file(self, node: str) -> Iterator[changes.Change]:
        """Yield what is done to each file of the node, in the words that every module uses."""
        for path, text in sorted(self.write.items()):
            name = f"{node}:/etc/containerd/{path}"
            if path in self.before:
                fields = changes.Field(
                    "text", self.before[path].decode(errors="replace"), text.decode()
                )
                yield changes.Change(name, "update", fields=(fields,))
            else:
                yield changes.Change(name, "create", "there is none")
        for folder in self.remove:
            yield changes.Change(f"{node}:{folder}/hosts.toml", "delete", "no such name is wanted")

    def __bool__(self) -> bool:
        """Return whether there is anything to do."""
        return bool(self.write or self.remove)


def name_problem(names: Iterable[str]) -> str:
    """Return which name cannot stand before an image's repository, an empty text where all can."""
    wrong = [name for name in names if not _NAME.fullmatch(name)]
    if not wrong:
        return ""
    return f"registry_aliases: {wrong[0]!r} is no name of a registry, such as mock.com:5000"


def hosts_toml(upstream: str) -> bytes:
    """Return the file that sends every pull to ``upstream``, a URL, and nowhere else.

    The server is named, and not only a mirror of it, because containerd would fall back to the
    name itself: an alias may exist in the outside world.
    """
    return f'{MARK}server = "{upstream}"\n'.encode()


def change(present: Mapping[str, bytes], names: Iterable[str], upstream: str) -> Change:
    """Return what makes a node find exactly ``names`` at ``upstream``.

    ``present`` holds the node's files by path relative to the folder's parent. No names: all that
    is ours goes.
    """
    wanted = {f"certs.d/{name}/hosts.toml": hosts_toml(upstream) for name in names}
    write = {path: text for path, text in wanted.items() if present.get(path) != text}
    stray = [
        path
        for path, text in present.items()
        if text.startswith(MARK.encode()) and path not in wanted
    ]
    return Change(
        write=write,
        remove=sorted(f"/etc/containerd/{path.rpartition('/')[0]}" for path in stray),
        before={path: text for path, text in present.items() if path in {*write, *stray}},
    )


def as_text(node: str, files: Mapping[str, bytes]) -> str:
    """Return files of one node for a diff."""
    return "".join(
        f"{node}:/etc/containerd/{path}\n{text.decode(errors='replace')}\n"
        for path, text in sorted(files.items())
    )
